/// What to evaluate on what.
public struct EvaluationRequest: MachineryRequest {
    /// A Hugging Face folder: config.json, model.safetensors, tokenizer.json.
    public var modelFolder: String
    /// Folders with cfg.json and sae_weights.safetensors; all of one hook point.
    public var autoencoderFolders: [String]
    public var corpus: CorpusOptions
    /// Where the configuration of the autoencoders names no hook point, or another than is meant.
    public var hook: String?
    /// The longest context, BOS included; else what the autoencoders were trained with, as far as the model reaches.
    public var contextLength: Int?
    /// Else what the autoencoders were trained with.
    public var prependsBOS: Bool?
    /// √d_in / mean‖x‖ of the training data, for autoencoders saved with `expected_average_only_in` and without the factor.
    public var inputScale: Float?
    /// Corpus tokens behind the losses, at most (but at least one context): three runs of the whole model over them, and one for each
    /// autoencoder.
    public var lossTokens = 32_768
    public var threads = 1

    public init(modelFolder: String, autoencoders: [String], corpus: CorpusOptions) {
        (self.modelFolder, autoencoderFolders, self.corpus) = (modelFolder, autoencoders, corpus)
    }
}

/// How far an evaluation is.
public struct EvaluationProgress: Sendable {
    public enum Stage: Sendable { case reading, losses }
    public var stage: Stage
    /// Of this stage.
    public var tokens: Int
    /// As far as can be told from the bytes read; `nil` for standard input and compressed files.
    public var tokensExpected: Int?
}
