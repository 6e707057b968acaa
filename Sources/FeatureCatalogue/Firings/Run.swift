import Diagnostics
import SQLite

/// A dictionary version run over a corpus: what all its numbers are of.
public struct Run: Sendable, Equatable {
    public let id: Int
    public let dictionary: FeatureDictionary
    public let corpus: Int
    /// The longest context, the BOS token included.
    public let contextLength: Int
    public let prependsBOS: Bool
    /// How many of each feature's strongest firings were kept; `nil`: all.
    public let keepTop: Int?
    public let tokens: Int
    public let firings: Int
    public let isComplete: Bool
    /// Pairs of a feature and a topic behind every q, those without a firing included; `nil`: not counted (yet).
    public let topicTests: Int?
    public var evidence = Evidence.firings

    /// What its posting lists are.
    public enum Evidence: String, Sendable {
        /// Every firing, or the strongest of each feature.
        case firings
        /// Firings within the example windows of the source it was imported from, of which alone its corpus consists; `tokens` are
        /// those that the source's numbers are of (0: not known), not the corpus's.
        case examples
    }

    /// Corpus tokens in the longest context.
    public var corpusTokensPerContext: Int { contextLength - (prependsBOS ? 1 : 0) }
}

/// One transaction's line in the ledger.
public struct Segment: Sendable, Equatable {
    public let id: Int
    public let ordinal: Int
    public let firstPosition: Int
    public let tokens: Int
    public let firings: Int
}

extension Catalogue {
    /// The run of a dictionary version, complete or not.
    public func run(of name: DictionaryName) throws -> Run {
        let dictionary = try dictionary(named: name)
        guard let run = try runIfAny(of: dictionary) else {
            throw MonosemeError("dictionary \"\(name)\" in \(quoted(path, limit: 400)) has not been run over any corpus", hint: "run monoseme ingest again with the same arguments")
        }
        return run
    }

    func runIfAny(of dictionary: FeatureDictionary) throws -> Run? {
        try connection.first("SELECT id, corpus_id, context_length, prepend_bos, keep_top, tokens, firings, is_complete, topic_tests, evidence FROM run WHERE dictionary_id = ?", .init(dictionary.id)) { row in
            Run(id: row.integer(0), dictionary: dictionary, corpus: row.integer(1), contextLength: row.integer(2), prependsBOS: row.integer(3) != 0,
                keepTop: row.optionalInteger(4), tokens: row.integer(5), firings: row.integer(6), isComplete: row.integer(7) != 0, topicTests: row.optionalInteger(8), evidence: Run.Evidence(rawValue: row.text(9)) ?? .firings)
        }
    }

    public func segments(of run: Run) throws -> [Segment] {
        try connection.rows("SELECT id, ordinal, first_position, tokens, firings FROM segment WHERE run_id = ? ORDER BY ordinal", .init(run.id)) {
            Segment(id: $0.integer(0), ordinal: $0.integer(1), firstPosition: $0.integer(2), tokens: $0.integer(3), firings: $0.integer(4))
        }
    }

    /// Statistics of every feature of a run, by index.
    public func statistics(of run: Run) throws -> [ActivationStatistics] {
        var all = [ActivationStatistics](repeating: ActivationStatistics(), count: run.dictionary.features)
        try connection.query("""
            SELECT feature_id & 4294967295, firings, documents, sum, sum_of_squares, maximum, maximum_position, last_position, histogram
            FROM statistic WHERE run_id = ?
            """, [.init(run.id)]) { row in
            let feature = row.integer(0)
            guard all.indices.contains(feature) else { return }
            all[feature] = try statistics(row)
        }
        return all
    }

    public func statistics(of feature: Int, in run: Run) throws -> ActivationStatistics {
        try connection.first("""
            SELECT feature_id, firings, documents, sum, sum_of_squares, maximum, maximum_position, last_position, histogram
            FROM statistic WHERE run_id = ? AND feature_id = ?
            """, .init(run.id), .init(run.dictionary.featureID(feature)), make: statistics) ?? ActivationStatistics()
    }

    /// How often each feature of a range fires, whatever was kept of it.
    func firings(of features: Range<Int>, in run: Run) throws -> [Int] {
        var firings = [Int](repeating: 0, count: features.count)
        let low = run.dictionary.featureID(features.lowerBound)
        try connection.query("SELECT feature_id, firings FROM statistic WHERE run_id = ? AND feature_id >= ? AND feature_id < ?", [.init(run.id), .init(low), .init(low + features.count)]) {
            firings[$0.integer(0) - low] = $0.integer(1)
        }
        return firings
    }

    private func statistics(_ row: borrowing Statement) throws -> ActivationStatistics {
        var statistics = ActivationStatistics()
        statistics.firings = row.integer(1)
        statistics.documents = row.integer(2)
        statistics.sum = row.real(3)
        statistics.sumOfSquares = row.real(4)
        statistics.maximum = Float(row.real(5))
        statistics.maximumPosition = row.optionalInteger(6)
        statistics.lastPosition = row.optionalInteger(7)
        guard let histogram = row.withBlob(8, { ActivationHistogram(bytes: $0) }) else {
            throw MonosemeError("the histogram of feature \(row.integer(0) & 0xffff_ffff) in \(quoted(path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
        }
        statistics.histogram = histogram
        return statistics
    }
}
