import Diagnostics
import DictionaryLearning
import Glibc
import Ingestion
import Training

/// `monoseme train`: `train(_:)` of Training.
enum Train: Command {
    static let model = Option<String?>("--model", value: "DIR", help: "The language model: config.json, model.safetensors, tokenizer.json")
    static let hook = Option<String?>("--hook", value: "NAME", help: "The hook point to train on, such as blocks.0.mlp.hook_post")
    static let corpus = Option<[String]>("--corpus", value: "PATH", intake: .several, help: "JSONL or text files (also .gz, .zst), folders, or - for standard input")
    static let activations = Option<[String]>("--activations", value: "PATH", intake: .several, help: "Instead of a corpus: safetensors files, or folders of them, each with one matrix [tokens, width]")
    static let features = Option<Sizes>("--features", value: "N,…", help: "The sizes of the dictionaries")
    static let output = Option<String>("--output", "-o", value: "DIR", help: "Where the dictionary goes, or a folder for each of several sizes: new, empty, or that of this very run")
    static let recipe = Option<String>("--recipe", value: "RECIPE", default: TrainingRequest.defaultRecipe, help: "How to train; `monoseme recipes` lists them with their constants")
    static let samples = Option<Int?>("--samples", value: "N", in: 1..., help: "Train on so many activation vectors (default: each once)")
    static let batch = Option<Int>("--batch", value: "N", default: TrainingRequest.defaultBatchSize, in: 1..., help: "Activation vectors to a step")
    static let seed = Option<Int>("--seed", value: "N", default: 0, in: 0..., help: "What all that is random depends on")
    static let l1 = Option<Double?>("--l1", value: "X", help: "Constant l1, the factor λ of the L1 term")
    static let l0 = Option<Double?>("--l0", value: "X", help: "Constant l0, the firings a token to aim at")
    static let k = Option<Int?>("-k", "--k", value: "N", help: "Constant k, the firings a token")
    static let learningRate = Option<Double?>("--learning-rate", value: "X", help: "Constant learning_rate")
    static let settings = Option<[Setting]>("--set", value: "CONSTANT=VALUE", help: "Any other constant of the recipe")
    static let context = Option<Int?>("--context", value: "N", in: 1..., help: "Tokens in the longest context (default: as many as the model reads)")
    static let bos = FlagChoice<Bool>(default: false, [
        ("--prepend-bos", true, "Begin each context with the BOS token, whose own activations are left out"),
        ("--no-prepend-bos", false, "Do not (default)"),
    ])
    static let textField = Option<String>("--text-field", value: "F", default: "text", help: "Where a JSONL line holds its text")
    static let limit = Option<Int?>("--limit-tokens", value: "N", in: 1..., help: "Use the first N tokens of the corpus")
    static let strict = Flag("--strict", help: "Stop at the first line of the corpus that cannot be read")
    static let heldOut = Option<[String]>("--held-out", value: "PATH", intake: .several, help: "Text to evaluate on at the end, instead of the corpus")
    static let dtype = Option<TrainingRequest.WeightType>("--dtype", default: .float32, help: "What the weights are written in")
    static let buffer = Option<Int?>("--buffer", value: "ROWS", in: 1..., help: "Activation vectors shuffled at once (default: as many as 537 MB hold)")
    static let checkpointEvery = Option<Double>("--checkpoint-every", value: "MINUTES", default: 5, in: 0...100_000, help: "How often the state is kept")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor)")

    static let declaration = Declaration(
        "train", summary: "train dictionaries on the activations of a model",
        discussion: """
            Runs the language model over the corpus once and trains sparse autoencoders on its activations at one hook point, all sizes on the same shuffled \
            batches. With --activations there need be no model; with --model and --hook beside it, their width is checked and --held-out can be evaluated.

            Each dictionary is a SAELens folder (cfg.json, sae_weights.safetensors), as ingest takes it and Python's sae-lens loads it, with training.jsonl, the \
            course of the training, and summary.json, how well it stands for the activations at the end.

            The state is kept every few minutes. Stop it at any time and run the same command again: it goes on from there, and ends with the same \
            weights, bit by bit, on however many threads. A checkpoint takes 24 bytes for each feature and number of an activation vector, twice that while it is written.
            """,
        parameters: [model, hook, corpus, activations, features, output, recipe, samples, batch, seed, l1, l0, k, learningRate, settings, context, bos, textField, limit, strict,
                     heldOut, dtype, buffer, checkpointEvery, threads],
        examples: [
            ("monoseme train --model Fixtures/model-A --hook blocks.0.mlp.hook_post --corpus Fixtures/corpus.jsonl --features 512,4096 --l1 0.001 -o sae-T", "A family of two, on one pass over the text"),
            ("monoseme train --model pythia-70m --hook blocks.3.hook_resid_post --corpus pile.jsonl.zst --recipe topk -k 50 --features 32768 --samples 100000000 -o sae-topk", "By another recipe"),
            ("monoseme train --activations shards --features 16384 --recipe jumprelu --l0 40 --set sparsity=1 -o sae-jump", "On activations that were kept in files"),
        ])

    static func run(_ invocation: Invocation) throws { try trainReporting(request(invocation), invocation) }

    /// Trains with a progress line on standard error and a sentence about each dictionary at the end.
    static func trainReporting(_ request: TrainingRequest, _ invocation: Invocation) throws {
        let title = request.output, progress = invocation.progress(title, total: nil, unit: "samples"), started = ContinuousClock.now
        var stopped: Int32?
        let summary = try notingStopSignals { stop in
            let summary = try train(request, isInterrupted: { stop() != nil }, report: { state in
                progress.update(state.samples, total: state.samplesExpected > 0 ? state.samplesExpected : nil, details: details(of: state))
            }, warn: { invocation.note($0) })
            stopped = stop()
            return summary
        }
        progress.finish()
        let seconds = NumberFormat.duration.text((ContinuousClock.now - started) / .seconds(1))
        switch summary.outcome {
        case .alreadyComplete:
            invocation.note("\(quoted(request.output, limit: 400)): this run is complete already (\(counted(summary.samples, "sample"))); nothing was done")
        case .interrupted:
            invocation.note("\(quoted(request.output, limit: 400)): stopped after step \(summary.step) of \(summary.steps); the same command goes on from there")
            throw Interrupted(signal: stopped ?? SIGINT)
        case .trained:
            for part in summary.dictionaries { invocation.note(sentence(about: part, summary, seconds)) }
        }
    }

    private static func request(_ invocation: Invocation) throws -> TrainingRequest {
        let source: TrainingRequest.Source
        switch (invocation[corpus].isEmpty, invocation[activations].isEmpty) {
        case (true, true): throw UsageError("neither --corpus nor --activations was given", hint: "give a model and text, or activations from files")
        case (false, false): throw UsageError("--corpus and --activations exclude each other", hint: "keep one of them; text to evaluate on goes with --held-out")
        case (false, true):
            guard invocation[model] != nil else { throw UsageError("--corpus needs a model to run", hint: "add --model DIR") }
            guard invocation[hook] != nil else { throw UsageError("--corpus needs a hook point to read", hint: "add --hook NAME, such as --hook blocks.0.mlp.hook_post") }
            source = .corpus(text(invocation[corpus], invocation, limit: invocation[limit]))
        case (true, false):
            guard invocation[heldOut].isEmpty || invocation[model] != nil else { throw UsageError("--held-out needs a model to run", hint: "add --model DIR and --hook NAME") }
            source = .activations(invocation[activations])
        }
        var request = TrainingRequest(source: source, modelFolder: invocation[model], hook: invocation[hook], features: invocation[features].values, output: invocation[output])
        request.contextLength = invocation[context]
        request.prependsBOS = invocation[bos]
        request.recipe = invocation[recipe]
        request.constants = try constants(invocation)
        request.samples = invocation[samples]
        request.batchSize = invocation[batch]
        request.bufferRows = invocation[buffer]
        request.seed = UInt64(invocation[seed])
        request.weightType = invocation[dtype]
        request.checkpointInterval = .seconds(invocation[checkpointEvery] * 60)
        if !invocation[heldOut].isEmpty { request.heldOut = text(invocation[heldOut], invocation, limit: nil) }
        request.threads = invocation[threads] ?? Ingest.processors
        return request
    }

    private static func text(_ paths: [String], _ invocation: Invocation, limit: Int?) -> CorpusOptions {
        var options = CorpusOptions(paths: paths)
        options.textField = invocation[textField]
        options.isStrict = invocation[strict]
        options.tokenLimit = limit
        return options
    }

    private static func constants(_ invocation: Invocation) throws -> [String: String] {
        var given: [(option: String, name: String, value: String)] = []
        for (option, name) in [(l1, "l1"), (l0, "l0"), (learningRate, "learning_rate")] {
            if let value = invocation[option] { given.append((option.name, name, value.argument)) }
        }
        if let value = invocation[k] { given.append((k.name, "k", value.argument)) }
        given += invocation[settings].map { (settings.name, $0.name, $0.value) }
        var constants: [String: String] = [:]
        for (option, name, value) in given {
            if let other = constants[name] { throw UsageError("the constant \(name) is given twice, as \(quoted(other)) and with \(option) as \(quoted(value))", hint: "keep one of them") }
            constants[name] = value
        }
        return constants
    }

    /// What follows samples and rate: `512 ▇▅▃▂▁  L0 33.1  12 dead`, for each size.
    private static func details(of state: TrainingProgress) -> [String] {
        switch state.stage {
        case .loading: ["loading"]
        case .evaluating: ["evaluating"]
        case .training:
            state.dictionaries.flatMap { part -> [String] in
                guard let last = part.last else { return [] }
                let line = lossLine(part.losses.suffix(lossesShown))
                return [([String(part.features)] + (line.isEmpty ? [] : [line])).joined(separator: " "), "L0 \(NumberFormat.significant(3).text(last.l0))", "\(NumberFormat.short.text(Double(last.dead))) dead"]
            }
        }
    }

    private static let lossesShown = 16

    /// The course of the loss, from its least to its greatest of those shown.
    static func lossLine(_ losses: some Collection<Double>) -> String {
        let losses = losses.filter(\.isFinite)
        guard let least = losses.min(), let greatest = losses.max(), greatest > least else { return sparkline(losses.map { _ in 1 }) }
        // Eight heights, the lowest not nothing.
        return sparkline(losses.map { 0.125 + 0.875 * ($0 - least) / (greatest - least) })
    }

    private static func sentence(about part: TrainingSummary.Part, _ summary: TrainingSummary, _ seconds: String) -> String {
        var facts: [String] = []
        if let evaluation = part.evaluation {
            facts.append("L0 \(NumberFormat.significant(3).text(evaluation.reconstruction.l0))")
            facts.append("explained variance \(evaluation.reconstruction.explainedVariance.map { NumberFormat.fixed(3).text($0) } ?? "undefined")")
            facts.append("loss recovered \(evaluation.losses.recovered.map { NumberFormat.fixed(3).text($0) } ?? "undefined")")
            facts.append("\(NumberFormat.grouped.text(Double(evaluation.densities.count(.dead)))) dead in \(counted(evaluation.tokens, "token"))")
        } else if let last = part.last {
            facts.append("L0 \(NumberFormat.significant(3).text(last.l0))")
            facts.append("explained variance \(NumberFormat.fixed(3).text(last.explainedVariance)) on the last batch")
            facts.append("\(NumberFormat.grouped.text(Double(last.dead))) dead")
            facts.append("loss recovered not measured: no model and text to measure it on")
        }
        facts.append(counted(summary.samples, "sample"))
        if summary.samplesResumed > 0 { facts.append("of which \(counted(summary.samplesResumed, "sample")) had been done before") }
        facts.append(seconds)
        return "\(counted(part.features, "feature")) in \(quoted(part.folder, limit: 400)): \(facts.joined(separator: ", "))"
    }
}

/// Sizes of dictionaries: `512,4096`.
struct Sizes: ArgumentValue, LosslessStringConvertible {
    let values: [Int]
    static var expectation: String { "whole numbers of 1 or more, with commas between them" }

    init?(_ description: String) {
        let parts = description.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.allSatisfy({ ($0 ?? 0) >= 1 }) else { return nil }
        values = parts.map { $0! }
    }
    var description: String { values.map(String.init).joined(separator: ",") }
}

/// `constant=value`.
struct Setting: ArgumentValue, LosslessStringConvertible {
    let name, value: String
    static var expectation: String { "CONSTANT=VALUE" }

    init?(_ description: String) {
        guard let equals = description.firstIndex(of: "="), equals != description.startIndex, description.index(after: equals) != description.endIndex else { return nil }
        (name, value) = (String(description[..<equals]), String(description[description.index(after: equals)...]))
    }
    var description: String { "\(name)=\(value)" }
}

extension TrainingRequest.WeightType: ArgumentValue {}
