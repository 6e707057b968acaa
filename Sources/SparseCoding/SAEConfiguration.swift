import Formats

/// What a SAELens `cfg.json` says, once every option in it is understood.
///
/// Current files (SAELens 6) and the flat ones of versions 1 to 5 are read alike. What only describes the
/// training run is not interpreted; it stays in `verbatim`.
public struct SAEConfiguration: Sendable, Equatable {
    /// The encoders that can be run.
    public enum Architecture: String, Sendable { case standard, topK = "topk", jumpReLU = "jumprelu", gated }

    /// What is done to each token's activations before the encoder, and undone after the decoder.
    public enum Normalization: String, Sendable {
        case none
        /// Mean 0 and (unbiased) standard deviation 1, with 10⁻⁵ added to the deviation.
        case layerNorm = "layer_norm"
        /// Length √width.
        case constantNorm = "constant_norm_rescale"
        /// One factor for the whole data set, which the file does not hold.
        case expectedAverage = "expected_average_only_in"
    }

    /// How a hook's activations become one row per token; `hookZ` puts the heads of `hook_z` side by side.
    public enum Reshape: String, Sendable { case none, hookZ = "hook_z" }

    /// `architecture` as the file has it, or "standard" when an old file says nothing.
    public let architectureAsWritten: String
    /// What it is run as: BatchTopK becomes JumpReLU, an old "standard" with top-k activation becomes TopK.
    public let architecture: Architecture
    /// `d_in`, the numbers per token.
    public let width: Int
    /// `d_sae`.
    public let features: Int
    /// Firings kept per token; for TopK only.
    public let k: Int?
    /// Whether pre-activations are multiplied by their decoder row's norm before they are compared.
    public let rescalesByDecoderNorm: Bool
    public let normalization: Normalization
    public let appliesDecoderBiasToInput: Bool
    public let reshape: Reshape
    /// Whether features are multiplied by the tensor `finetuning_scaling_factor` in the decoder (versions 3 to 5).
    public let hasFinetuningScale: Bool
    /// The type of number the file claims; the tensors' own type is what counts.
    public let dtype: String?

    public let modelName: String?
    public let modelClassName: String?
    /// TransformerLens's name of the place the activations come from, such as "blocks.0.mlp.hook_post".
    public let hookName: String?
    /// The layer in the hook's name, or what an old file says.
    public let hookLayer: Int?
    /// The one head the activations come from, if the SAE was trained on a single head.
    public let hookHeadIndex: Int?
    /// Tokens per context at training.
    public let contextSize: Int?
    public let prependsBOS: Bool
    /// Python's slice(start, stop, step) over the positions used at training; `nil` elements are None.
    public let positionSlice: [Int?]?
    /// How the SAE was trained, where that differs from how it is run.
    public let trainingArchitecture: String?
    public let saeLensVersion: String?
    /// `cfg.json`, byte for byte.
    public let verbatim: String

    /// Whether a BatchTopK checkpoint keeps its threshold as one number in `topk_threshold`.
    var hasSharedThreshold: Bool { architectureAsWritten == "batchtopk" || architectureAsWritten == "matryoshka_batchtopk" }
}

extension SAEConfiguration {
    /// Reads `cfg.json`.
    /// - Throws: `MonosemeError` naming the file, the option and its value: whatever could change a result and is not
    ///   understood is refused.
    public init(contentsOf path: String) throws {
        let file = try MappedFile(path)
        let json: JSON
        do { json = try file.withBytes { try JSON(parsing: $0, duplicateKeys: .refused) } } catch {
            throw ConfigurationReader.problem(path, "is not valid JSON: \(error)")
        }
        try self.init(json, verbatim: file.withBytes { String(decoding: $0, as: UTF8.self) }, path: path)
    }

    init(_ json: JSON, verbatim: String, path: String) throws {
        guard let object = json.object else { throw ConfigurationReader.problem(path, "holds \(json.kind), not an object") }
        let reader = try ConfigurationReader(object, path: path)

        let written = try reader.string("architecture")
        if written == nil && !reader.isFlat { throw reader.problem("says no architecture, which SAELens 6 always writes") }
        architectureAsWritten = written ?? "standard"
        (architecture, k) = try reader.architecture(architectureAsWritten)

        width = try reader.size("d_in")
        features = try reader.size("d_sae")
        if let k, k > features { throw reader.problem("has k \(k), more than its \(features) features (d_sae)") }
        if let output = try reader.integer("d_out"), output != width {
            throw reader.problem("has d_out \(output) and d_in \(width): a transcoder is not supported")
        }
        let isBatchTopK = architectureAsWritten == "batchtopk" || architectureAsWritten == "matryoshka_batchtopk"
        let rescales = try reader.bool("rescale_acts_by_decoder_norm")
        rescalesByDecoderNorm = (architecture == .topK || isBatchTopK) && (rescales ?? isBatchTopK)
        normalization = try reader.normalization()
        appliesDecoderBiasToInput = try reader.bool("apply_b_dec_to_input") ?? true
        hookName = try reader.string("hook_name", "hook_point")
        reshape = try reader.reshape(hookName: hookName)
        hasFinetuningScale = try reader.bool("finetuning_scaling_factor") ?? false
        if hasFinetuningScale && rescalesByDecoderNorm {
            throw reader.problem("has both finetuning_scaling_factor and rescale_acts_by_decoder_norm, which no version of SAELens combines")
        }
        dtype = try reader.dtype()

        modelName = try reader.string("model_name")
        modelClassName = try reader.string("model_class_name")
        hookLayer = try reader.integer("hook_layer", "hook_point_layer") ?? hookName.flatMap(Self.layer)
        hookHeadIndex = try reader.integer("hook_head_index", "hook_point_head_index")
        contextSize = try reader.integer("context_size")
        prependsBOS = try reader.bool("prepend_bos") ?? true
        positionSlice = try reader.slice("seqpos_slice")
        trainingArchitecture = try reader.string("training_architecture")
        saeLensVersion = reader.version
        self.verbatim = verbatim
    }

    /// The first segment of a hook's name that is a number, as in "blocks.3.hook_resid_pre" and "model.layers.3".
    static func layer(inHookName name: String) -> Int? {
        name.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
            .first { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
            .flatMap { Int($0) }
    }
}
