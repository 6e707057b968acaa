import Diagnostics
import DictionaryLearning
import Formats
import Ingestion
import Numerics

// A trained dictionary as SAELens 6 lays it out, and what there is to say of it.

/// The version of SAELens whose files these are.
private let saeLensVersion = "6.54.12"

extension Training {
    /// Writes `sae_weights.safetensors` and `cfg.json`.
    func write(_ trainer: Trainer, to folder: String) throws {
        let trained = trainer.trained(), isHalf = request.weightType == .float16
        let encoder = UnsafeBufferPointer(trained.encoder.elements), decoder = UnsafeBufferPointer(trained.decoder.elements), width = trainer.plan.width, features = trainer.plan.features
        var parts = [
            SafetensorsPart("W_dec", [features, width], decoder), SafetensorsPart("W_enc", [width, features], encoder),
            SafetensorsPart("b_dec", [width], trained.decoderBias), SafetensorsPart("b_enc", [features], trained.encoderBias),
        ]
        if let threshold = trained.threshold { parts.append(SafetensorsPart("threshold", [features], threshold)) }
        if isHalf, let part = try parts.first(where: { try !$0.isFiniteHalved() }) {
            throw MonosemeError("\(features) features: \(part.name) has numbers beyond 65,504, which half precision cannot hold", hint: "run the command again with --dtype float32: it goes on from the last checkpoint")
        }
        try writeSafetensors(isHalf ? parts.map { $0.halved() } : parts, metadata: ["format": "pt"], to: folder + "/sae_weights.safetensors", isAlone: true)
        withExtendedLifetime(trained) {}
        try replaceFile(folder + "/cfg.json", with: configuration(of: trainer, trained), isAlone: true)
    }

    private func configuration(of trainer: Trainer, _ trained: borrowing TrainedDictionary) -> String {
        let plan = trainer.plan, architecture = trained.architecture, k = trained.k, appliesBias = trained.appliesDecoderBiasToInput, scale = trained.inputScale
        var writer = JSONWriter(indentation: 2)
        writer.object { writer in
            writer.member("architecture", architecture)
            writer.member("d_in", plan.width)
            writer.member("d_sae", plan.features)
            if let k {
                writer.member("k", k)
                writer.member("rescale_acts_by_decoder_norm", false)
            }
            writer.member("dtype", request.weightType.rawValue)
            writer.member("device", "cpu")
            writer.member("apply_b_dec_to_input", appliesBias)
            writer.member("normalize_activations", "none")
            writer.member("reshape_activations", materials.hook?.hasSuffix("hook_z") == true ? "hook_z" : "none")
            writer.key("metadata")
            writer.object { writer in
                writer.member("sae_lens_version", saeLensVersion)
                writer.member("sae_lens_training_version", String?.none)
                writer.member("model_name", materials.model?.model.name)
                writer.member("model_class_name", "HookedTransformer")
                writer.member("hook_name", materials.hook)
                writer.member("hook_head_index", Int?.none)
                writer.member("context_size", materials.model?.contextLength ?? request.contextLength)
                writer.member("prepend_bos", request.prependsBOS)
                writer.key("seqpos_slice")
                writer.array { $0.null() }
                writer.key("model_from_pretrained_kwargs")
                writer.object { $0.member("center_writing_weights", false) }
                writer.member("dataset_path", dataset)
                // The BOS token's own activations are not trained on.
                writer.member("exclude_special_tokens", request.prependsBOS)
                writer.member("neuronpedia_id", String?.none)
                writer.member("training_architecture", trainer.design.saeLensName)
                writer.member("engine", engineVersion)
                writer.member("recipe", request.recipe)
                writer.key("constants")
                writer.object { writer in for (name, value) in trainer.constants.all { writer.key(name); writer.value(value.json) } }
                writer.member("mse_reduction", trainer.recipe.reductions.meanSquaredError)
                writer.member("sparsity_reduction", trainer.recipe.reductions.sparsity)
                writer.member("activation_scale", scale)
                writer.member("seed", request.seed)
                writer.member("batch_size", plan.batchSize)
                writer.member("training_samples", plan.samples)
                writer.member("model_sha256", materials.modelSHA256)
            }
        }
        return writer.text + "\n"
    }

    private var dataset: String? {
        let paths = switch request.source {
        case .corpus(let options): options.paths
        case .activations(let paths): paths
        }
        return paths.joined(separator: " ")
    }

    // MARK: - Evaluation

    /// Tokens of the training text that dictionaries are evaluated on, at most: enough for three digits of everything, and far less
    /// work than the training. Held-out text is read to its end.
    private static let evaluationTokens = 1 << 20

    /// What the model makes of the written dictionaries; `nil` where there is no model or no text.
    /// - Parameter progress: what is reported meanwhile.
    func evaluate(_ parts: [TrainingSummary.Part], reporting progress: TrainingProgress) throws -> [EvaluationReport]? {
        guard let folder = request.modelFolder else { return nil }
        var text = request.heldOut
        if text == nil, case .corpus(var corpus) = request.source {
            corpus.tokenLimit = min(corpus.tokenLimit ?? .max, Training.evaluationTokens)
            text = corpus
        }
        guard let text, request.heldOut != nil || !text.paths.contains("-") else { return nil }
        var evaluation = EvaluationRequest(modelFolder: folder, autoencoders: parts.map(\.folder), corpus: text)
        evaluation.threads = request.threads
        // Lines of the corpus that are skipped have been told of.
        let isHeldOut = request.heldOut != nil, warn = warn
        var failure: (any Error)?
        let reports = try Ingestion.evaluate(evaluation, report: { _ in
            do { try report(progress) } catch { failure = failure ?? error }
        }, warn: { if isHeldOut { warn($0) } })
        if let failure { throw failure }
        return reports
    }

    /// `summary.json`.
    func text(of part: TrainingSummary.Part, _ constants: RecipeConstants, _ summary: TrainingSummary, seconds: Double) -> String {
        var writer = JSONWriter(indentation: 2)
        writer.object { writer in
            writer.member("engine", engineVersion)
            writer.member("recipe", request.recipe)
            writer.member("features", part.features)
            writer.member("steps", summary.steps)
            writer.member("samples", summary.samples)
            writer.member("passes", summary.passes)
            writer.member("seconds", (seconds * 1000).rounded() / 1000)
            writer.member("samples_per_second", seconds > 0 ? (Double(summary.samples) / seconds).rounded() : nil)
            writer.key("last_step")
            if let last = part.last { writer.object { last.write(to: &$0) } } else { writer.null() }
            writer.key("evaluation")
            if let evaluation = part.evaluation { write(evaluation, to: &writer) } else { writer.null() }
        }
        return writer.text + "\n"
    }

    private func write(_ evaluation: EvaluationReport, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("is_held_out", request.heldOut != nil)
            writer.member("tokens", evaluation.tokens)
            writer.member("documents", evaluation.documents)
            writer.member("l0", evaluation.reconstruction.l0)
            writer.member("mse", evaluation.reconstruction.meanSquaredError)
            writer.member("normalized_mse", evaluation.reconstruction.normalizedMeanSquaredError)
            writer.member("explained_variance", evaluation.reconstruction.explainedVariance)
            writer.member("dead", evaluation.densities.count(.dead))
            writer.member("dead_bound", evaluation.densities.deadBound)
            writer.member("ultralow", evaluation.densities.ultralow)
            writer.member("loss_tokens", evaluation.losses.tokens)
            writer.member("loss_original", evaluation.losses.original)
            writer.member("loss_spliced", evaluation.losses.spliced)
            writer.member("loss_zero_ablated", evaluation.losses.zeroAblated)
            writer.member("loss_mean_ablated", evaluation.losses.meanAblated)
            writer.member("loss_recovered", evaluation.losses.recovered)
            writer.member("loss_recovered_from_mean", evaluation.losses.recoveredFromMean)
        }
    }
}

extension Design {
    /// What SAELens calls the architecture that is trained.
    var saeLensName: String {
        switch activation {
        case .relu: "standard"
        case .topK: "topk"
        case .batchTopK: prefixes.count > 1 ? "matryoshka_batchtopk" : "batchtopk"
        case .jumpReLU: "jumprelu"
        }
    }
}
