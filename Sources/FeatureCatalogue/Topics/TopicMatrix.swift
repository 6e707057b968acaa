import SQLite

/// The false discovery rate at which a feature and a topic are said to belong together.
public let significantQ = 0.05

extension TopicRate {
    /// Whether the feature fires more often on the topic than elsewhere, as far as documents can tell.
    public var isSignificant: Bool { q.map { $0 <= significantQ } ?? false }

    /// The value that an order ranks by; `nil` where there is none.
    public func value(_ order: TopicOrder) -> Double? {
        switch order {
        case .z: z
        case .auroc: auroc
        case .f1: detector?.f1
        default: order.key(self)
        }
    }

    /// A topic that the feature does not fire on.
    init(silentOn topic: Topic, _ feature: FeatureName) {
        self.init(feature: feature, topic: topic.name, firings: 0, topicTokens: topic.tokens, rate: 0, share: 0, lift: 0, meanWhenActive: 0, sum: 0, maximum: 0, documentsFiring: 0,
                  topicDocuments: topic.documents, detector: nil, massSpecificity: 0, z: nil, q: nil, auroc: nil, logOdds: 0)
    }
}

extension Catalogue {
    /// Calls `body` with every feature of a run, in order, and how it fires on those of `topics` that it fires on (by place in `topics`, ascending).
    ///
    /// Some features' rows are in memory at a time. What is said of a pair is what `topicRates` says; the view is left out because it looks up
    /// six tables for every row, of which there are features × topics.
    public func forEachFeature(of run: Run, on topics: [Topic], _ body: (_ feature: Int, _ rates: [(topic: Int, rate: TopicRate)]) throws -> Void) throws {
        var rows = try Statement("""
            SELECT feature_id & 4294967295, firings, documents, sum, maximum, threshold, precision, recall, f1, z, q, auroc
            FROM feature_topic WHERE run_id = ? AND topic_id = ? AND feature_id >= ? AND feature_id < ? ORDER BY feature_id
            """, on: connection)
        var statistics = try Statement("SELECT feature_id & 4294967295, firings, sum FROM statistic WHERE run_id = ? AND feature_id >= ? AND feature_id < ?", on: connection)
        let features = run.dictionary.features, together = max(16, min(2048, (1 << 16) / max(1, topics.count)))
        for start in stride(from: 0, to: features, by: together) {
            let group = start..<min(features, start + together)
            let (low, high) = (run.dictionary.featureID(group.lowerBound), run.dictionary.featureID(group.upperBound))
            var totals = [(firings: Int, sum: Double)](repeating: (0, 0), count: group.count)
            statistics.bind([.init(run.id), .init(low), .init(high)])
            while try statistics.step() { totals[statistics.integer(0) - start] = (statistics.integer(1), statistics.real(2)) }
            statistics.reset()
            var rates = [[(topic: Int, rate: TopicRate)]](repeating: [], count: group.count)
            for (place, topic) in topics.enumerated() {
                rows.bind([.init(run.id), .init(topic.id), .init(low), .init(high)])
                while try rows.step() {
                    let feature = rows.integer(0), firings = rows.integer(1), sum = rows.real(3), total = totals[feature - start]
                    func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 0 }
                    let rate = ratio(Double(firings), Double(topic.tokens))
                    rates[feature - start].append((place, TopicRate(
                        feature: FeatureName(dictionary: run.dictionary.name, index: feature), topic: topic.name, firings: firings, topicTokens: topic.tokens, rate: rate,
                        share: ratio(Double(firings), Double(total.firings)), lift: ratio(rate, ratio(Double(total.firings), Double(run.tokens))),
                        meanWhenActive: ratio(sum, Double(firings)), sum: sum, maximum: rows.real(4), documentsFiring: rows.integer(2), topicDocuments: topic.documents,
                        detector: rows.optionalReal(5).map { TopicDetector(threshold: Float($0), precision: rows.real(6), recall: rows.real(7), f1: rows.real(8)) },
                        massSpecificity: ratio(sum, total.sum), z: rows.optionalReal(9), q: rows.optionalReal(10), auroc: rows.optionalReal(11),
                        logOdds: logOddsZ(firings, of: topic.tokens, total.firings, of: run.tokens))))
                }
                rows.reset()
            }
            for feature in group { try body(feature, rates[feature - start]) }
        }
    }
}
