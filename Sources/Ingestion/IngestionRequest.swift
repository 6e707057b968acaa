public import FeatureCatalogue

/// What to run over what, and where it goes.
public struct IngestionRequest: MachineryRequest {
    /// A Hugging Face folder: config.json, model.safetensors, tokenizer.json.
    public var modelFolder: String
    /// Folders with cfg.json and sae_weights.safetensors, and the names they get; all of one hook point.
    public var autoencoders: [(folder: String, name: DictionaryName)]
    public var corpus: CorpusOptions
    /// The catalogue's path.
    public var catalogue: String
    /// Where the configuration of the autoencoders names no hook point, or another than is meant.
    public var hook: String?
    /// The longest context, BOS included; else what the autoencoders were trained with, as far as the model reaches.
    public var contextLength: Int?
    /// Else what the autoencoders were trained with.
    public var prependsBOS: Bool?
    /// Keep only that many of each feature's strongest firings.
    public var keepTop: Int?
    /// √d_in / mean‖x‖ of the training data, for autoencoders saved with `expected_average_only_in` and without the factor.
    public var inputScale: Float?
    public var threads = 1
    /// Where a name stands for other weights, another corpus or other rules, put this run in their place. Labels stay.
    public var replaces = false

    public init(modelFolder: String, autoencoders: [(folder: String, name: DictionaryName)], corpus: CorpusOptions, catalogue: String) {
        (self.modelFolder, self.autoencoders, self.corpus, self.catalogue) = (modelFolder, autoencoders, corpus, catalogue)
    }

    var autoencoderFolders: [String] { autoencoders.map(\.folder) }
}

/// How far an ingest is.
public struct IngestionProgress: Sendable {
    public enum Stage: Sendable { case loading, reading, summarising(DictionaryName) }
    public var stage: Stage
    public var tokens: Int
    /// As far as can be told from the bytes read; `nil` for standard input and compressed files.
    public var tokensExpected: Int?
    /// Of all dictionaries.
    public var firings: Int
    public var bytesOnDisk: Int
}

public struct IngestionSummary: Sendable {
    public enum Outcome: Sendable, Equatable {
        case ingested
        /// The same run had been completed before; nothing was read or written.
        case alreadyComplete
    }

    public var outcome: Outcome
    public var dictionaries: [DictionaryName]
    public var tokens: Int
    public var documents: Int
    public var emptyDocuments: Int
    public var malformedLines: Int
    /// Tokens that had been done before, when a run was resumed.
    public var tokensResumed: Int
    public var firings: Int
    public var bytesOnDisk: Int
    /// What went for it; of no dictionaries where nothing did.
    public var replacement = Replacement()
}

/// The version that is kept with every run.
public let engineVersion = "monoseme 0.1.0"
