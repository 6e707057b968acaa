public import DictionaryLearning
public import Ingestion

/// What to train on what, and where it goes.
public struct TrainingRequest: Sendable {
    /// Where activations come from.
    public enum Source: Sendable {
        /// The model, run over text.
        case corpus(CorpusOptions)
        /// Files that hold them, or folders of such files.
        case activations([String])
    }

    /// What the finished weights are written in; training is in single precision.
    public enum WeightType: String, Sendable, CaseIterable { case float32, float16 }

    public var source: Source
    /// A Hugging Face folder: config.json, model.safetensors, tokenizer.json. With activations from files it may be left out; the
    /// width is then not checked against it, and what the model loses by the dictionary cannot be told.
    public var modelFolder: String?
    public var hook: String?
    /// The longest context, BOS included; else as far as the model reaches.
    public var contextLength: Int?
    public var prependsBOS = false
    /// The sizes of the dictionaries, which take their steps on the same batches.
    public var features: [Int]
    public var recipe = TrainingRequest.defaultRecipe
    /// Values for constants of the recipe, by name.
    public var constants: [String: String] = [:]
    /// Activation vectors to train on, as far as they fill batches; `nil`: each once.
    public var samples: Int?
    public var batchSize = TrainingRequest.defaultBatchSize
    /// Rows that are shuffled at once; else as many as `ActivationStream.bufferBytes` hold.
    public var bufferRows: Int?
    public var seed: UInt64 = 0
    /// A folder that is empty or holds this very run. The dictionary, or a folder for each of several, named by its size.
    public var output: String
    public var weightType = WeightType.float32
    public var checkpointInterval = Duration.seconds(300)
    /// Text to evaluate on, in the place of the corpus.
    public var heldOut: CorpusOptions?
    public var threads = 1

    public static let defaultRecipe = TowardsMonosemanticity.name
    public static let defaultBatchSize = 4096

    public init(source: Source, modelFolder: String? = nil, hook: String? = nil, features: [Int], output: String) {
        (self.source, self.modelFolder, self.hook, self.features, self.output) = (source, modelFolder, hook, features, output)
    }
}

/// How far a training run is.
public struct TrainingProgress: Sendable {
    public enum Stage: Sendable, Equatable { case loading, training, evaluating }

    /// One of the dictionaries.
    public struct Part: Sendable {
        public var features: Int
        /// Of the last step; `nil` before the first since the start or the resumption.
        public var last: StepReport?
        /// Of all reports so far.
        public var losses: [Double]
    }

    public var stage: Stage
    public var step: Int
    public var steps: Int
    public var batchSize: Int
    public var dictionaries: [Part]

    public var samples: Int { step * batchSize }
    public var samplesExpected: Int { steps * batchSize }
}

/// How a run ended.
public struct TrainingSummary: Sendable {
    public enum Outcome: Sendable, Equatable {
        case trained
        /// It had been completed before; nothing was done.
        case alreadyComplete
        /// It was asked to stop, and goes on from here when it is run again.
        case interrupted
    }

    public struct Part: Sendable {
        public var features: Int
        /// Where the dictionary is.
        public var folder: String
        /// Of the last step.
        public var last: StepReport?
        /// `nil` where there was no model, or no text that can be read a second time.
        public var evaluation: EvaluationReport?
    }

    public var outcome: Outcome
    public var step: Int
    public var steps: Int
    public var samples: Int
    /// That had been done before, when the run was resumed.
    public var samplesResumed: Int
    /// Over the source that were begun.
    public var passes: Int
    public var dictionaries: [Part]
}
