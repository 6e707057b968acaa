import Glibc
import SQLite

/// How a feature fires on one topic: a row of the view `topic_rate`, and what follows from it.
public struct TopicRate: Sendable, Equatable {
    public let feature: FeatureName
    public let topic: String
    public let firings: Int
    public let topicTokens: Int
    /// Firings a token of the topic.
    public let rate: Double
    /// Of the feature's firings, the part on this topic.
    public let share: Double
    /// `rate` against the feature's rate over all tokens.
    public let lift: Double
    public let meanWhenActive: Double
    /// Of the activations on the topic.
    public let sum: Double
    public let maximum: Double
    public let documentsFiring: Int
    public let topicDocuments: Int
    /// `nil` in an unfinished run, where the topic has one document, and where the feature fires on none of its documents
    /// that choose.
    public let detector: TopicDetector?
    /// Of the feature's summed activation, the part on this topic.
    public let massSpecificity: Double
    /// How far the rate on the topic's documents lies above the rate on the others, the document being the unit of evidence: see
    /// TopicEvidence.swift. `nil` in an unfinished run, where the topic or the rest of the corpus has fewer than two documents,
    /// and where the run did not keep all of the feature's firings.
    public let z: Double?
    /// The false discovery rate if this pair of the run's `topicTests` and all with a smaller q are believed (Benjamini & Hochberg
    /// 1995). Not the tail of z alone: a feature with firings in few documents needs a greater z. `nil` where `z` is.
    public let q: Double?
    /// The chance that the feature's strongest firing is stronger in a document of the topic than in another, on held-out
    /// documents; `nil` in an unfinished run, where one of the two kinds is missing, and where the run did not keep all firings.
    public let auroc: Double?
    /// z of the log-odds ratio of firing on the topic against elsewhere, with an informative Dirichlet prior of α₀ = 500
    /// pseudo-tokens at the feature's overall rate (Monroe, Colaresi & Quinn 2008, eq. 22). A sort key, not a test: tokens
    /// of one document are not independent.
    public let logOdds: Double
}

/// What topics, or the features of a topic, can be ranked by.
public enum TopicOrder: String, Sendable, CaseIterable {
    case z, lift, logOdds = "log-odds", f1, auroc, mass, firings, share

    func key(_ rate: TopicRate) -> Double {
        switch self {
        case .z: rate.z ?? -.infinity
        case .lift: rate.lift
        case .logOdds: rate.logOdds
        case .f1: rate.detector?.f1 ?? 0
        case .auroc: rate.auroc ?? 0
        case .mass: rate.massSpecificity
        case .firings: Double(rate.firings)
        case .share: rate.share
        }
    }
}

extension Catalogue {
    /// The topics a feature fires on, the first in `order` first.
    ///
    /// - Throws: when asked for an order by evidence that has not been counted, as in an unfinished run.
    public func topicRates(of feature: Int, in run: Run, by order: TopicOrder) throws -> [TopicRate] {
        try rates(run, "topic_id IN (SELECT id FROM topic WHERE corpus_id = ?) AND feature_id = ?", [.init(run.corpus), .init(run.dictionary.featureID(feature))], by: order)
    }

    /// The same by firings, for who asks it of feature after feature: from the tables themselves.
    ///
    /// - Parameters:
    ///   - topics: of the run's corpus.
    ///   - total: what is counted of the feature on all topics.
    public func topicRates(of feature: Int, in run: Run, _ topics: [Topic], total: ActivationStatistics) throws -> [TopicRate] {
        let name = FeatureName(dictionary: run.dictionary.name, index: feature), id = run.dictionary.featureID(feature)
        func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 0 }
        var rates: [TopicRate] = []
        for topic in topics {
            try connection.query("SELECT firings, documents, sum, maximum, threshold, precision, recall, f1, z, q, auroc FROM feature_topic WHERE run_id = ? AND topic_id = ? AND feature_id = ?",
                                 [.init(run.id), .init(topic.id), .init(id)]) { row in
                let firings = row.integer(0), sum = row.real(2), rate = ratio(Double(firings), Double(topic.tokens))
                rates.append(TopicRate(
                    feature: name, topic: topic.name, firings: firings, topicTokens: topic.tokens, rate: rate, share: ratio(Double(firings), Double(total.firings)),
                    lift: ratio(rate, ratio(Double(total.firings), Double(run.tokens))), meanWhenActive: ratio(sum, Double(firings)), sum: sum, maximum: row.real(3), documentsFiring: row.integer(1),
                    topicDocuments: topic.documents, detector: row.optionalReal(4).map { TopicDetector(threshold: Float($0), precision: row.real(5), recall: row.real(6), f1: row.real(7)) },
                    massSpecificity: ratio(sum, total.sum), z: row.optionalReal(8), q: row.optionalReal(9), auroc: row.optionalReal(10), logOdds: logOddsZ(firings, of: topic.tokens, total.firings, of: run.tokens)))
            }
        }
        return sorted(rates, by: .firings)
    }

    /// The features that fire on a topic, the first in `order` first.
    ///
    /// - Throws: when asked for an order by evidence that has not been counted, as in an unfinished run.
    /// - Parameter documentsMinimum: leave out features that fire in fewer of the topic's documents, which are all lift and no evidence.
    public func topicRates(of topic: Topic, in run: Run, by order: TopicOrder, documentsMinimum: Int = 1) throws -> [TopicRate] {
        try rates(run, "topic_id = ? AND documents_firing >= ?", [.init(topic.id), .init(documentsMinimum)], by: order)
    }

    private func rates(_ run: Run, _ condition: String, _ values: [SQLiteValue], by order: TopicOrder) throws -> [TopicRate] {
        if order == .z || order == .auroc { try demandTopicEvidence(of: run) }
        var rates: [TopicRate] = []
        try connection.query("""
            SELECT feature_id & 4294967295, topic, firings, topic_tokens, rate, share, lift, mean_when_active, maximum, documents_firing, topic_documents, threshold, precision, recall, f1, mass_specificity, z, q, auroc,
                (SELECT t.sum FROM feature_topic AS t WHERE t.run_id = topic_rate.run_id AND t.topic_id = topic_rate.topic_id AND t.feature_id = topic_rate.feature_id)
            FROM topic_rate WHERE run_id = ? AND \(condition)
            """, [.init(run.id)] + values) { row in
            let firings = row.integer(2), topicTokens = row.integer(3), share = row.real(5)
            let all = share > 0 ? Int((Double(firings) / share).rounded()) : firings
            rates.append(TopicRate(
                feature: FeatureName(dictionary: run.dictionary.name, index: row.integer(0)), topic: row.text(1), firings: firings, topicTokens: topicTokens,
                rate: row.real(4), share: share, lift: row.real(6), meanWhenActive: row.real(7), sum: row.real(19), maximum: row.real(8), documentsFiring: row.integer(9),
                topicDocuments: row.integer(10),
                detector: row.optionalReal(11).map { TopicDetector(threshold: Float($0), precision: row.real(12), recall: row.real(13), f1: row.real(14)) },
                massSpecificity: row.real(15), z: row.optionalReal(16), q: row.optionalReal(17), auroc: row.optionalReal(18),
                logOdds: logOddsZ(firings, of: topicTokens, all, of: run.tokens)))
        }
        return sorted(rates, by: order)
    }

    /// Equal keys (many features detect a topic perfectly): by lift, then by topic, then by feature.
    private func sorted(_ rates: [TopicRate], by order: TopicOrder) -> [TopicRate] {
        rates.sorted {
            let (a, b) = (order.key($0), order.key($1))
            return a != b ? a > b : $0.lift != $1.lift ? $0.lift > $1.lift : $0.topic != $1.topic ? $0.topic < $1.topic : $0.feature.index < $1.feature.index
        }
    }
}

/// z of the log-odds ratio between a topic (`firings` of `tokens`) and the rest of the corpus.
func logOddsZ(_ firings: Int, of tokens: Int, _ allFirings: Int, of allTokens: Int) -> Double {
    guard allTokens > 0, tokens < allTokens else { return 0 }
    let prior = 500.0, share = Double(allFirings) / Double(allTokens), alpha = prior * share
    func logOdds(_ y: Double, _ n: Double) -> Double { log((y + alpha) / (n + prior - y - alpha)) }
    let (y, n) = (Double(firings), Double(tokens)), (rest, m) = (Double(allFirings - firings), Double(allTokens - tokens))
    guard alpha > 0, n + prior - y - alpha > 0, m + prior - rest - alpha > 0 else { return 0 }
    return (logOdds(y, n) - logOdds(rest, m)) / (1 / (y + alpha) + 1 / (rest + alpha)).squareRoot()
}
