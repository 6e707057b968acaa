import Diagnostics
import SQLite

/// The evidence of a run, feature after feature, until all is there and q can be told: 96 bytes for each feature and topic it fires on.
struct RunEvidence {
    private(set) var rows: [(feature: Int, evidence: TopicEvidence)] = []
    /// Pairs of a topic and a feature that were tested, those without a firing included; a feature that never fires is no test.
    private(set) var tests = 0
    private let testable: Int

    init(_ table: TopicTable) { testable = table.testable }

    mutating func add(_ evidence: [TopicEvidence], of feature: Int) {
        for evidence in evidence { rows.append((feature, evidence)) }
        if evidence.contains(where: { $0.p != nil }) { tests += testable }
    }

    /// q of each row; `nil` where it was not tested.
    func falseDiscoveryRates() -> [Double?] {
        let tested = rows.indices.filter { rows[$0].evidence.p != nil }
        var all = [Double?](repeating: nil, count: rows.count)
        for (place, q) in zip(tested, FeatureCatalogue.falseDiscoveryRates(tested.map { rows[$0].evidence.p! }, tests: tests)) { all[place] = q }
        return all
    }
}

extension Catalogue {
    /// In order of the table, which is by topic first.
    func write(_ evidence: RunEvidence, of run: Run) throws {
        var update = try Statement("""
            UPDATE feature_topic SET threshold = ?, precision = ?, recall = ?, f1 = ?, z = ?, q = ?, auroc = ? WHERE run_id = ? AND topic_id = ? AND feature_id = ?
            """, on: connection)
        let rates = evidence.falseDiscoveryRates(), rows = evidence.rows
        for place in rows.indices.sorted(by: { (rows[$0].evidence.topic, rows[$0].feature) < (rows[$1].evidence.topic, rows[$1].feature) }) {
            let (feature, found) = rows[place], detector = found.detector
            try update.run(.init(detector?.threshold), .init(detector?.precision), .init(detector?.recall), .init(detector?.f1), .init(found.z), .init(rates[place]), .init(found.auroc),
                           .init(run.id), .init(found.topic), .init(run.dictionary.featureID(feature)))
        }
        try connection.run("UPDATE run SET topic_tests = ? WHERE id = ?", .init(evidence.tests), .init(run.id))
    }

    /// Counts the evidence of runs that an older version finished, with the rest of what is found out from posting lists.
    func writeMissingTopicEvidence() throws {
        let missing = "SELECT dictionary_id FROM run WHERE is_complete AND topic_tests IS NULL"
        guard try connection.integer(missing + " LIMIT 1") != nil else { return }
        for id in try connection.rows(missing, make: { $0.integer(0) }) {
            // A run whose ledger or posting lists are damaged goes without; whoever asks for its evidence is told.
            guard let dictionary = try dictionary(id: id), dictionary.hasSoundShape, let run = try runIfAny(of: dictionary), try hasSoundLedger(run) else { continue }
            try? connection.transaction {
                for table in ["feature_example", "feature_token"] { try connection.run("DELETE FROM \(table) WHERE run_id = ?", .init(run.id)) }
                try writePostingSummary(of: run) { count, body in try (0..<count).forEach(body) }
            }
        }
    }

    /// Whether segments lie end to end and documents under them, so that no position is without.
    private func hasSoundLedger(_ run: Run) throws -> Bool {
        var next = 0
        for segment in try segments(of: run) {
            guard segment.firstPosition == next, (1...Int(UInt32.max)).contains(segment.tokens), (0..<1 << 38).contains(segment.id) else { return false }
            next += segment.tokens
        }
        return try next == run.tokens && documentTable(of: run.corpus).covers(next)
    }

    /// - Throws: where the documents of a run have not been weighed, with what to do about it.
    public func demandTopicEvidence(of run: Run) throws {
        if run.evidence == .examples { try demandEveryFiring(of: run, for: "what topics it fires on cannot be told") }
        guard run.topicTests == nil else { return }
        let name = run.dictionary.name
        throw run.isComplete
            ? MonosemeError("the evidence for the topics of \(name) in \(quoted(path, limit: 400)) is missing: an older version of Monoseme ingested it, and this one could not read its posting lists",
                            hint: "monoseme check lists all damage; restore the catalogue from a copy or ingest again")
            : MonosemeError("the evidence for the topics of \(name) has not been counted: its ingest is unfinished", hint: "run the same monoseme ingest again: it goes on where it stopped")
    }
}
