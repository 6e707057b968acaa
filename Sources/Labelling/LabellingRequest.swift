import FeatureCatalogue
import Formats

/// What is to be labelled and scored, and how.
public struct LabellingRequest: Sendable {
    public enum Selection: Sendable, Equatable {
        /// By index.
        case features([Int])
        /// Features by the label they go by, in order of index: `limit` of them at most.
        case status(Status, limit: Int?)
    }

    public enum Status: String, Sendable, CaseIterable {
        /// They go by no label.
        case none
        case draft
        case stale
    }

    public var dictionary: DictionaryName
    /// As the endpoint calls it.
    public var model: String
    public var selection = Selection.status(.none, limit: nil)
    public var methods: [ScoringMethod] = [.detection, .fuzzing]
    /// Scores labels on features that are not theirs, too.
    public var withBaselines = true
    public var isContrastive = false
    public var counts = ExampleCounts()
    public var temperature = 0.0
    /// The most tokens of an answer; `nil`: what each question needs.
    public var maximumTokens: Int?
    /// Questions under way at once.
    public var parallel = 4

    public init(dictionary: DictionaryName, model: String) { (self.dictionary, self.model) = (dictionary, model) }

    var seed: Int { Int(truncatingIfNeeded: counts.seed & 0x7fff_ffff) }
    var explainerTokens: Int { maximumTokens ?? Explainer.maximumTokens }

    /// What makes two explanations of a feature by one model and prompt the same; with the corpus and the weights, these are all that the question is made of.
    var explainParameters: JSON {
        .object(.init([
            ("contrast", .unsigned(UInt64(isContrastive ? counts.contrast : 0))), ("maximum_tokens", .unsigned(UInt64(explainerTokens))), ("seed", .unsigned(counts.seed)),
            ("temperature", .real(temperature)), ("train", .unsigned(UInt64(counts.train))), ("scored", .bool(!methods.isEmpty)),
        ]))
    }

    /// The same for a score.
    func scoreParameters(_ method: ScoringMethod) -> JSON {
        .object(.init([
            ("batch", .unsigned(UInt64(method.batch))), ("maximum_tokens", maximumTokens.map { .unsigned(UInt64($0)) } ?? .null), ("seed", .unsigned(counts.seed)),
            ("temperature", .real(temperature)), ("test", .unsigned(UInt64(counts.test))),
        ]))
    }
}

extension JSON {
    /// On one line.
    var text: String {
        var writer = JSONWriter()
        writer.value(self)
        return writer.text
    }
}
