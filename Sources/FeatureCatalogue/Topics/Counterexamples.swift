import Diagnostics
import SQLite

/// How a feature fires outside a topic.
public struct Counterexamples: Sendable {
    public let topic: TopicRate
    /// Outside the topic, counted over all firings: how many, in how many documents of how many topics, and their part of the summed activation.
    public let firings, documents, topics: Int
    public let massShare: Double
    /// Of the feature everywhere.
    public let allFirings: Int
    /// The strongest firings outside, near-identical windows and crowds from one document left out; of those that were kept.
    public let examples: [(position: Int, activation: Float)]
}

extension Catalogue {
    /// The topic a feature is about: of those it fires on more often than elsewhere, q ≤ `significantQ`, the one with the greatest share of its firings;
    /// `nil` where there is none.
    public func mainTopic(_ rates: [TopicRate]) -> TopicRate? {
        rates.filter { $0.isSignificant }.max { $0.share != $1.share ? $0.share < $1.share : $0.topic > $1.topic }
    }

    /// - Parameter rates: of all topics the feature fires on; `topic` need not be one of them.
    public func counterexamples(of feature: Int, in run: Run, outside topic: Topic, _ rates: [TopicRate], count: Int, _ text: CorpusText) throws -> Counterexamples {
        let outside = rates.filter { $0.topic != topic.name }
        let own = rates.first { $0.topic == topic.name } ?? TopicRate(silentOn: topic, FeatureName(dictionary: run.dictionary.name, index: feature))
        let firings = try firings(of: feature, in: run)
        let places = try firings.distinctExamples(count, in: text) { text.documents.topics[$0] != topic.id }
        let masses = outside.map { $0.meanWhenActive * Double($0.firings) }
        let mass = masses.reduce(0, +), all = mass + own.meanWhenActive * Double(own.firings)
        return Counterexamples(
            topic: own, firings: outside.reduce(0) { $0 + $1.firings }, documents: outside.reduce(0) { $0 + $1.documentsFiring }, topics: outside.count,
            massShare: all > 0 ? mass / all : 0, allFirings: rates.reduce(0) { $0 + $1.firings },
            examples: places.map { (firings.positions[$0], firings.values[$0]) })
    }
}
