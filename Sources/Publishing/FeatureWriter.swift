import FeatureCatalogue
import Formats
import SQLite

/// Writes the features of one run for an export: one for each thread.
final class FeatureWriter {
    private let catalogue: Catalogue, run: Run, options: ExportOptions
    private let reporter: Reporter
    private let ledger: LedgerReader
    private let spellings = TokenSpellings()
    private let nearest: NearestLists?
    /// What has been said of features that are near others: each is near some ten.
    private var briefs: [Int: FeatureBrief] = [:]
    private static let briefsKept = 1 << 17
    private let scope: ReportScope
    /// In the order of the head, with the dictionaries that they lead to.
    private let graphs: [(id: Int, target: Int)]

    /// - Parameter nearest: `nil` where each feature's are to be searched for by themselves.
    init(_ catalogue: Catalogue, _ run: Run, _ options: ExportOptions, _ nearest: NearestLists?) throws {
        (self.catalogue, self.run, self.options, self.nearest) = (catalogue, run, options, nearest)
        reporter = try Reporter(catalogue, run)
        reporter.spellings = spellings
        ledger = try LedgerReader(catalogue, run.dictionary)
        graphs = try catalogue.connection.rows("SELECT g.id, g.target_id \(neighbourGraphClause)", .init(run.dictionary.id)) { ($0.integer(0), $0.integer(1)) }
        var scope = ReportScope()
        // All there are: another's export may have brought more than are chosen here.
        scope.examples = max(20, try catalogue.connection.integer("SELECT max(rank) FROM feature_example WHERE run_id = ?", .init(run.id)) ?? 0)
        scope.topics = .max
        scope.neighbours = nearest == nil ? NearestLists.length : 0
        self.scope = scope
    }

    private func described(_ neighbours: [Neighbour]) throws -> [FeatureReport.Neighbour] {
        let missing = neighbours.map(\.feature).filter { briefs[$0] == nil }
        if briefs.count + missing.count > FeatureWriter.briefsKept { briefs.removeAll(keepingCapacity: true) }
        let asked = briefs.isEmpty ? neighbours.map(\.feature) : missing
        for (feature, brief) in zip(asked, try catalogue.briefs(of: asked, in: run.dictionary)) { briefs[feature] = brief }
        return neighbours.map { FeatureReport.Neighbour($0, briefs[$0.feature]!, in: run.dictionary) }
    }

    /// The examples' activations as they were ranked, where an import had them more exactly than its postings do.
    private func writeExampleValues(_ feature: Int, _ report: FeatureReport, _ writer: inout JSONWriter) throws {
        let values = try catalogue.connection.rows("SELECT value FROM feature_example WHERE run_id = ? AND feature_id = ? ORDER BY rank", .init(run.id), .init(run.dictionary.featureID(feature))) { $0.real(0) }
        writer.key("example_values")
        guard !values.elementsEqual(report.examples.lazy.map { Double($0.activation) }) else { return writer.null() }
        writer.array { writer in for value in values { writer.value(value) } }
    }

    /// One feature as a JSON object: an element of `features` in Export.schema.json.
    func json(of feature: Int) throws -> [UInt8] {
        var writer = JSONWriter()
        var report = try reporter.report(on: feature, scope)
        if let nearest { report.neighbours = try described(nearest[feature]) }
        try writer.object { writer in
            try report.writeMembers(to: &writer, spellings) { writer in try ledger.write(feature, &writer) }
            try writeExampleValues(feature, report, &writer)
            writer.key("neighbours")
            try writer.array { writer in
                for graph in graphs {
                    try writer.array { writer in
                        try catalogue.connection.query("SELECT neighbour_id & 4294967295, cosine FROM feature_neighbour WHERE feature_id = ? AND graph_id = ? ORDER BY rank",
                                                       [.init(run.dictionary.featureID(feature)), .init(graph.id)]) { row in
                            writer.array { writer in
                                writer.value(row.integer(0))
                                writer.value(Float(row.real(1)))
                            }
                        }
                    }
                }
            }
            if options.hasVectors {
                let vector = try catalogue.decoder(of: feature, in: run.dictionary)
                writer.key("vector")
                vector.withUnsafeBytes { writer.value(base64: $0) }
            }
        }
        return writer.bytes
    }
}
