import Diagnostics
public import FeatureCatalogue

/// What can be imported.
public enum ImportSource: String, Sendable, CaseIterable {
    /// Our own export, as JSON or JSON lines.
    case monoseme
    /// A folder of Neuronpedia's public exports, v1: features, activations and explanations as JSON lines, also gzipped.
    case neuronpedia
    /// SAEDashboard's `batch-N.json` files.
    case saedashboard
    /// A results folder of delphi: latents as safetensors, explanations, scores.
    case delphi
}

/// What is to be imported, and as what.
public struct ImportRequest: Sendable {
    public var source: ImportSource
    public var path: String
    /// `nil`: as the source calls it, where it has a name of our form.
    public var name: DictionaryName?
    /// The time to be written down, RFC 3339.
    public var time: String
    public var engine: String
    public var threads = 1
    /// A tokenizer.json for sources that have token ids and no spellings.
    public var tokenizer: String?
    /// Which of several dictionaries, for a source that holds more than one.
    public var module: String?
    /// The most bytes that one packed file may become; `nil`: 250 times its size, or 64 MB where that is more.
    public var unpackLimit: Int?

    public init(_ source: ImportSource, at path: String, as name: DictionaryName?, engine: String, time: String) {
        (self.source, self.path, self.name, self.engine, self.time) = (source, path, name, engine, time)
    }
}

/// How far an import is.
public struct ImportProgress: Sendable {
    public var features = 0
    public var examples = 0
    public var firings = 0
    public var bytes = 0
    /// `nil`: not known, as with what comes through a pipe.
    public var bytesExpected: Int?

    public init() {}
}

/// What an import brought.
public struct ImportSummary: Sendable {
    public var dictionary: DictionaryName
    public var features = 0
    public var examples = 0
    /// Where every firing came, and not examples.
    public var firings = 0
    public var labels = 0
    public var scores = 0
    /// What the source does not have, and which questions it leaves without an answer; a sentence each.
    public var missing: [String] = []

    public init(_ dictionary: DictionaryName) { self.dictionary = dictionary }
}

/// Brings what others have found into a catalogue: all of it or, where anything is wrong, nothing.
public func importing(_ request: ImportRequest, into catalogue: Catalogue, report: (ImportProgress) -> Void = { _ in }, warn: (String) -> Void = { _ in }) throws -> ImportSummary {
    switch request.source {
    case .monoseme: try importMonoseme(request, into: catalogue, report: report, warn: warn)
    case .neuronpedia: try importNeuronpedia(request, into: catalogue, report: report, warn: warn)
    case .saedashboard: try importSAEDashboard(request, into: catalogue, report: report, warn: warn)
    case .delphi: try importDelphi(request, into: catalogue, report: report, warn: warn)
    }
}
