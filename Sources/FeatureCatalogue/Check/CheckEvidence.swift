import Diagnostics
import Kernels
import SQLite

// Evidence about topics, counted again from the firings by document.

/// The evidence of one run as it should be, and the q that were found, which can be judged only when all is there.
struct EvidenceExamination {
    let table: TopicTable
    fileprivate var expected: RunEvidence
    /// For each row expected: where, and q as found; `nil` where there is no row.
    fileprivate var found: [(place: String, q: Double?)?] = []

    init(of run: Run, _ documents: DocumentTable) {
        table = TopicTable(documents)
        expected = RunEvidence(table)
    }
}

extension Examination {
    /// One group of features, from index `first` on: all but q.
    func examineEvidence(of run: Run, _ tallies: [[kernel_document_tally]], from first: Int, _ topics: [Topic], _ examination: inout EvidenceExamination) throws {
        guard run.topicTests != nil else { return } // said at the end
        let low = run.dictionary.featureID(first), high = low + tallies.count
        let firings = try catalogue.firings(of: first..<first + tallies.count, in: run)
        // Of each feature, the evidence and the place of its first row among all rows expected.
        let evidence = tallies.enumerated().map { place, tallies in
            let hasAll = tallies.reduce(0) { $0 + Int($1.firings) } == firings[place], evidence = examination.table.evidence(of: tallies[...], hasAll: hasAll)
            let row = examination.expected.rows.count
            examination.expected.add(evidence, of: first + place)
            return (evidence: evidence, row: row)
        }
        examination.found += [(place: String, q: Double?)?](repeating: nil, count: examination.expected.rows.count - examination.found.count)
        for topic in topics {
            try connection.query("""
                SELECT feature_id, threshold, precision, recall, f1, z, q, auroc FROM feature_topic WHERE run_id = ? AND feature_id >= ? AND feature_id < ? AND topic_id = ?
                """, [.init(run.id), .init(low), .init(high), .init(topic.id)]) { row in
                let (rows, start) = evidence[row.integer(0) - low]
                guard let at = rows.firstIndex(where: { $0.topic == topic.id }) else { return }
                let here = "\(run.dictionary.name)/\(row.integer(0) - run.dictionary.featureID(0)) topic \(quoted(topic.name))", expected = rows[at]
                counted("topics of features", 1)
                examination.found[start + at] = (here, row.optionalReal(6))
                expect(row.optionalReal(1), expected.detector.map { Double($0.threshold) }, "threshold of a topic's detector", at: here)
                expect(row.optionalReal(2), expected.detector?.precision, "precision of a topic's detector", at: here)
                expect(row.optionalReal(3), expected.detector?.recall, "recall of a topic's detector", at: here)
                expect(row.optionalReal(4), expected.detector?.f1, "F1 of a topic's detector", at: here)
                expect(row.optionalReal(5), expected.z, "z of a topic", at: here)
                expect(row.optionalReal(7), expected.auroc, "AUROC of a topic", at: here)
            }
        }
    }

    /// How many tests there were, and every q.
    func examineRates(of run: Run, _ examination: EvidenceExamination) {
        let place = run.dictionary.name.description
        guard let tests = run.topicTests else {
            return damage("evidence for topics of a run", at: place, found: "none", expected: "as for every complete run; opening the catalogue to write counts it")
        }
        expect(tests, examination.expected.tests, "tests of topics", at: place)
        for (found, expected) in zip(examination.found, examination.expected.falseDiscoveryRates()) {
            if let found { expect(found.q, expected, "q of a topic", at: found.place) }
        }
    }

    /// Whether two numbers agree as far as they would on another machine, whose logarithms may differ in the last bit.
    private func expect(_ found: Double?, _ expected: Double?, _ what: String, at place: @autoclosure () -> String) {
        if let found, let expected, abs(found - expected) <= 1e-9 * max(abs(expected), 1e-280) { return }
        guard found != nil || expected != nil else { return }
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "none" }
        damage(what, at: place(), found: text(found), expected: text(expected))
    }
}
