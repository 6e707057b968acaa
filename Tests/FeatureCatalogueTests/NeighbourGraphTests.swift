import Diagnostics
@testable import FeatureCatalogue
import Foundation
import Numerics
import SQLite
import Testing
import TestSupport

struct NeighbourGraphTests {
    struct Stop: Error {}

    /// A catalogue with two dictionaries of one hook point, and one of another.
    private func world(_ count: Int = 700, path: String = ":memory:") throws -> (catalogue: Catalogue, a: FeatureDictionary, b: FeatureDictionary, elsewhere: FeatureDictionary) {
        let catalogue = path == ":memory:" ? try Catalogue(path: path, for: .ingesting) : try makeCatalogue(at: path)
        return try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: 2) { [UInt8($0)] }
            let model = try catalogue.register(ModelDescription(name: "m", architecture: "a", layers: 1, width: 1, mlpWidth: 1, vocabulary: 2, contextLength: 1, weightsSHA256: ""), tokenizer: tokenizer)
            func add(_ name: String, _ rows: UnitRows, hook: String) throws -> FeatureDictionary {
                let norms = rows.rows.indices.map { rows.isZero($0) ? Float(0) : 1 }
                return try catalogue.register(DictionaryDescription(name: try DictionaryName(parsing: name), hook: hook, architecture: "standard", settings: "{}", weightsSHA256: name), model: model,
                                              decoder: rows.matrix, norms: norms, scales: norms.map { max($0, 1) }, encoderDecoderCosines: [Float](repeating: 0, count: norms.count))
            }
            return (catalogue, try add("A/1", UnitRows("clustered", count, width: 20, seed: 1), hook: "blocks.0.hook_resid_post"),
                    try add("A/2", UnitRows("clustered", 300, width: 20, seed: 2), hook: "blocks.0.hook_resid_post"), try add("B/1", UnitRows("isotropic", 40, width: 20, seed: 3), hook: "blocks.1.hook_resid_post"))
        }
    }

    /// Stores a graph in small steps.
    @discardableResult private func store(
        _ catalogue: Catalogue, _ a: FeatureDictionary, _ b: FeatureDictionary, k: Int = 5, threads: Int = 2, products: Int? = 1, report: (NeighbourProgress) throws -> Void = { _ in }
    ) throws -> NeighbourSummary {
        try catalogue.storeNeighbours(of: a, among: b, k: k, threads: threads, engine: "test", now: { "then" }, stripeRows: 96, productsPerTransaction: products, report: report)
    }

    private func tables(_ catalogue: Catalogue) throws -> [String] {
        try ["SELECT quote(feature_id) || ' ' || graph_id || ' ' || rank || ' ' || neighbour_id || ' ' || quote(cosine) FROM feature_neighbour ORDER BY feature_id, graph_id, rank",
             "SELECT concat_ws.t FROM (SELECT id || ' ' || dictionary_id || ' ' || target_id || ' ' || k || ' ' || neighbours || ' ' || features_done || ' ' || is_complete || ' ' || finished_at AS t FROM neighbour_graph ORDER BY id) AS concat_ws",
             "SELECT 'carry ' || first_index FROM neighbour_carry"].flatMap { sql in try catalogue.connection.rows(sql) { $0.text(0) } }
    }

    @Test func `a stored graph answers what a search answers, for each feature and every k up to its own`() throws {
        let (catalogue, a, b, _) = try world()
        for (from, to, seed) in [(a, a, 1), (a, b, 2), (b, a, 1)] as [(FeatureDictionary, FeatureDictionary, UInt64)] {
            #expect(try catalogue.storedNeighbours(of: 0, in: from, among: to, k: 1) == nil)
            try store(catalogue, from, to)
            let rows = UnitRows("clustered", from.features, width: 20, seed: from == a ? 1 : 2), columns = UnitRows("clustered", to.features, width: 20, seed: seed)
            for index in stride(from: 0, to: from.features, by: 41) {
                let expected = columns.neighbours(of: index, in: rows, isSelf: from == to)
                for k in [0, 1, 3, 5] { #expect(try catalogue.storedNeighbours(of: index, in: from, among: to, k: k) == Array(expected.prefix(k))) }
                #expect(try catalogue.storedNeighbours(of: index, in: from, among: to, k: 6) == nil)
            }
            // Row 3 is zero.
            #expect(try catalogue.storedNeighbours(of: 3, in: from, among: to, k: 5) == [])
            #expect(try catalogue.storedNeighbours(of: from.features, in: from, among: to, k: 5) == nil)
            #expect(try catalogue.storedNeighbours(of: -1, in: from, among: to, k: 5) == nil)
        }
        let view = try catalogue.connection.rows("SELECT feature, dictionary, neighbour, neighbour_dictionary, rank FROM neighbour WHERE feature_id = ? AND neighbour_dictionary = 'A/2'", .init(a.featureID(7))) { row in
            (0..<5).map { row.text($0) }.joined(separator: " ")
        }
        let stored = try #require(try catalogue.storedNeighbours(of: 7, in: a, among: b, k: 5))
        #expect(view == stored.enumerated().map { "A/1/7 A/1 A/2/\($1.feature) A/2 \($0 + 1)" })
    }

    @Test func `a graph of all others answers any k`() throws {
        let (catalogue, _, b, _) = try world()
        try store(catalogue, b, b, k: 1000)
        #expect(try catalogue.neighbourGraph(of: b, among: b)?.neighbours == 297) // 300, less itself and two of zeros
        #expect(try catalogue.storedNeighbours(of: 0, in: b, among: b, k: .max)?.count == 297)
        #expect(try store(catalogue, b, b, k: 2000).wasComplete)
    }

    @Test(arguments: [1, 3_000_000]) func `stopped at every step and gone on with, a graph is the same rows`(products: Int) throws {
        let (whole, a, b, _) = try world()
        for target in [a, b] { try store(whole, a, target, products: products) }
        let expected = try tables(whole)
        #expect(expected.count == 2 * 698 * 5 + 2)
        for stop in 1...7 {
            let (catalogue, a, b, _) = try world()
            for target in [a, b] {
                var steps = 0
                #expect(throws: Stop.self) { try store(catalogue, a, target, threads: 1, products: products) { _ in steps += 1; if steps == stop { throw Stop() } } }
                let summary = try store(catalogue, a, target, products: products)
                if products == 1 { #expect(summary.featuresResumed == 96 * stop) }
                #expect(!summary.wasComplete)
            }
            #expect(try tables(catalogue) == expected, "stopped at step \(stop)")
            #expect(try catalogue.check().findings == [])
        }
        // And stopped after each step in turn.
        let (catalogue, c, d, _) = try world()
        for target in [c, d] {
            for _ in 0..<7 { #expect(throws: Stop.self) { try store(catalogue, c, target, products: 1) { _ in throw Stop() } } }
            #expect(try catalogue.check().findings.map(\.kind) == [.unfinished])
            // What is done can be asked for, what is not cannot.
            #expect(try catalogue.storedNeighbours(of: 671, in: c, among: target, k: 5)?.count == 5)
            #expect(try catalogue.storedNeighbours(of: 672, in: c, among: target, k: 5) == nil)
            try store(catalogue, c, target, products: 1)
        }
        #expect(try tables(catalogue) == expected)
    }

    @Test func `a smaller k is there already, a larger one replaces, and another dictionary's graph stays`() throws {
        let (catalogue, a, b, _) = try world()
        try store(catalogue, a, b, k: 2)
        try store(catalogue, a, a, k: 5)
        let before = try tables(catalogue)
        for k in [1, 4, 5] {
            let summary = try store(catalogue, a, a, k: k)
            #expect(summary.wasComplete && summary.pairs == 0 && summary.graph.k == 5)
        }
        #expect(try tables(catalogue) == before)
        #expect(try !store(catalogue, a, a, k: 6).wasComplete)
        #expect(try catalogue.connection.integer("SELECT count(*) FROM feature_neighbour") == 698 * (2 + 6))
        #expect(try catalogue.check().findings == [])
    }

    @Test func `a complete graph answers until a larger one is complete, and each unfinished one goes on by its own k`() throws {
        let (catalogue, a, b, _) = try world()
        try store(catalogue, a, b, k: 2)
        try store(catalogue, a, a, k: 3)
        let answer = try #require(try catalogue.storedNeighbours(of: 7, in: a, among: a, k: 3))
        #expect(throws: Stop.self) { try store(catalogue, a, a, k: 5) { _ in throw Stop() } }
        #expect(try catalogue.storedNeighbours(of: 7, in: a, among: a, k: 3) == answer)
        #expect(try catalogue.connection.integer("SELECT count(*) FROM neighbour WHERE feature_id = ? AND neighbour_dictionary = 'A/1'", .init(a.featureID(7))) == 3)
        #expect(try store(catalogue, a, a, k: 3).wasComplete)
        let begun = try store(catalogue, a, a, k: 4)
        #expect(begun.featuresResumed == 0 && begun.graph.k == 4 && begun.graph.isComplete)
        // Of one pair one graph stays; another pair's is not touched.
        #expect(try catalogue.neighbourGraphs().map { [$0.dictionary, $0.target, $0.k] } == [[a.id, b.id, 2], [a.id, a.id, 4]])
        #expect(try catalogue.connection.integer("SELECT count(*) FROM neighbour_carry") == 0)
        #expect(try catalogue.check().findings == [])
    }

    @Test func `dictionaries of other hook points and other models are refused`() throws {
        let (catalogue, a, b, elsewhere) = try world()
        #expect(failure { try store(catalogue, a, elsewhere) } == MonosemeError("A/1 reads blocks.0.hook_resid_post and B/1 reads blocks.1.hook_resid_post: the cosine of their decoder vectors means nothing", hint: "compare dictionaries of one hook point"))
        try catalogue.connection.execute("INSERT INTO model SELECT 2, name, architecture, layers, width, mlp_width, vocabulary, context_length, 'other', tokenizer_id FROM model; UPDATE dictionary SET model_id = 2 WHERE name = 'A/2'")
        let moved = try catalogue.dictionary(named: b.name)
        #expect(failure { try store(catalogue, a, moved) } == MonosemeError("A/1 and A/2 belong to different models: the cosine of their decoder vectors means nothing", hint: "compare features across models by what they fire on, not by direction"))
        #expect(try catalogue.connection.integer("SELECT count(*) FROM neighbour_graph") == 0)
    }

    @Test(arguments: [
        "UPDATE neighbour_carry SET candidates = CAST(substr(candidates, 1, length(candidates) - 4) AS BLOB)", "UPDATE neighbour_carry SET candidates = x'ffffffff'", "UPDATE neighbour_carry SET checksum = checksum + 1",
        "UPDATE neighbour_carry SET candidates = x''", "DELETE FROM neighbour_carry", "UPDATE neighbour_carry SET first_index = 5", "UPDATE neighbour_graph SET features_done = 192", "UPDATE neighbour_graph SET features_done = 9223372036854775807",
        "UPDATE neighbour_graph SET features_done = -1",
    ]) func `a graph that cannot be gone on with begins anew`(sql: String) throws {
        let (catalogue, a, _, _) = try world(), (whole, c, _, _) = try world()
        try store(whole, c, c)
        #expect(throws: Stop.self) { try store(catalogue, a, a) { _ in throw Stop() } }
        try catalogue.connection.execute(sql)
        if sql.contains("candidates") || sql.contains("checksum") { #expect(try catalogue.check().isDamaged || sql.contains("x''")) }
        #expect(try store(catalogue, a, a).featuresResumed == 0)
        #expect(try tables(catalogue) == tables(whole))
    }

    @Test func `of two that store one graph the second to write is told, and the rows are right`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let (catalogue, a, _, _) = try world(path: path), second = try Catalogue(path: path, for: .writing)
            var isFirst = true
            let error = failure {
                try store(catalogue, a, a) { _ in
                    if isFirst { isFirst = false; try store(second, a, a) }
                }
            }
            #expect(error == MonosemeError("another monoseme neighbours is at work on A/1 among A/1 in \(quoted(path, limit: 400))", hint: "let that one end; then this command finds the graph there"))
            #expect(try catalogue.check().findings == [])
            #expect(try store(catalogue, a, a).wasComplete)
        }
    }

    /// What is done to the rows, and what the check says of it; a search that comes upon it gets no answer.
    @Test(arguments: [
        ("UPDATE feature_neighbour SET rank = 9 WHERE rank = 2 AND feature_id & 4095 = 5", "rank of a neighbour"), ("DELETE FROM feature_neighbour WHERE rank = 5 AND feature_id & 4095 = 5", "neighbours of a feature"),
        ("DELETE FROM feature_neighbour WHERE feature_id & 4095 = 5", "neighbours of a feature"), ("UPDATE feature_neighbour SET cosine = 1.5 WHERE rank = 1 AND feature_id & 4095 = 5", "order of neighbours"),
        ("UPDATE feature_neighbour SET cosine = 9e999 WHERE rank = 1 AND feature_id & 4095 = 5", "order of neighbours"), ("UPDATE feature_neighbour SET cosine = 0.99 WHERE rank = 3 AND feature_id & 4095 = 5", "order of neighbours"),
        ("UPDATE feature_neighbour SET neighbour_id = neighbour_id + 700 WHERE rank = 1 AND feature_id & 4095 = 5", "neighbour of a feature"), ("UPDATE feature_neighbour SET neighbour_id = -9223372036854775807 WHERE rank = 1 AND feature_id & 4095 = 5", "neighbour of a feature"),
        ("UPDATE feature_neighbour SET neighbour_id = feature_id WHERE rank = 1 AND feature_id & 4095 = 5", "neighbour of a feature"),
        // A lie that keeps the order: the cosine is another feature's.
        ("UPDATE feature_neighbour SET neighbour_id = neighbour_id + 1 WHERE rank = 5 AND feature_id & 4095 = 5", "cosine of a neighbour"), ("UPDATE feature_neighbour SET cosine = cosine - 1e-6 WHERE rank = 5 AND feature_id & 4095 = 5", "cosine of a neighbour"),
    ]) func `damaged neighbours are found by a check and never answered`(sql: String, what: String) throws {
        let (catalogue, a, _, _) = try world()
        try store(catalogue, a, a)
        try catalogue.connection.execute(sql)
        #expect(try catalogue.connection.integer("SELECT total_changes()") ?? 0 > 0)
        #expect(try catalogue.storedNeighbours(of: 5, in: a, among: a, k: 5) == nil)
        let findings = try catalogue.check().findings
        #expect(findings.contains { $0.what == what && $0.place.hasPrefix("A/1/5") }, "\(findings)")
    }

    @Test(arguments: [
        ("UPDATE neighbour_graph SET neighbours = 4", "neighbours in a graph"), ("UPDATE neighbour_graph SET k = 9223372036854775807", "neighbours in a graph"), ("UPDATE neighbour_graph SET features_done = 600", "features of a neighbour graph"),
        ("UPDATE neighbour_graph SET features_done = -3", "features of a neighbour graph"), ("UPDATE neighbour_graph SET target_id = 3", "space of a neighbour graph"), ("UPDATE neighbour_graph SET target_id = 77", "references between tables"),
        ("UPDATE feature_neighbour SET graph_id = 9 WHERE feature_id & 4095 = 5", "graph of neighbours"), ("INSERT INTO feature_neighbour SELECT feature_id + 4096, graph_id, rank, neighbour_id, cosine FROM feature_neighbour", "feature of a neighbour"),
        ("INSERT INTO feature_neighbour SELECT feature_id + 4294967296, graph_id, rank, neighbour_id, cosine FROM feature_neighbour", "neighbours of features of another dictionary"),
        ("INSERT INTO neighbour_carry VALUES (1, 0, x'', 0)", "candidates of a neighbour graph"), ("INSERT INTO neighbour_carry VALUES (8, 0, x'', 0)", "graph of neighbours"),
        // Plausible lies: another feature that is nearly as near, and a cosine that keeps the order. Every feature has them, so that a sample meets one.
        ("DELETE FROM feature_neighbour WHERE rank = 5; INSERT INTO feature_neighbour SELECT feature_id, graph_id, 5, (SELECT max(id) - feature_id % 7 FROM feature WHERE dictionary_id = 1 AND feature_index < 690), -0.99 FROM feature_neighbour WHERE rank = 1", "nearest features of a feature"),
        ("UPDATE feature_neighbour SET cosine = cosine - 0.0009765625 WHERE rank = 5", "cosine of a neighbour"), ("UPDATE feature_neighbour SET cosine = cosine - 1e-13 WHERE rank = 5", "cosine of a neighbour"),
    ]) func `a damaged graph is found by a check`(sql: String, what: String) throws {
        let (catalogue, a, _, _) = try world()
        try store(catalogue, a, a)
        #expect(try catalogue.check().findings == [])
        try catalogue.connection.execute("PRAGMA foreign_keys = 0; " + sql)
        let findings = try catalogue.check().findings
        #expect(findings.contains { $0.what == what }, "\(findings)")
        // And asking meets it without harm.
        for index in [0, 5, 699] { _ = try catalogue.storedNeighbours(of: index, in: a, among: a, k: 5) }
    }

    @Test func `damaged vectors end a search before it begins`() throws {
        for sql in ["UPDATE decoder_block SET vectors = zeroblob(3)", "DELETE FROM decoder_block", "UPDATE dictionary SET features = 16000000 WHERE name = 'A/1'", "UPDATE dictionary SET width = 4611686018427387904 WHERE name = 'A/1'",
                    "UPDATE decoder_block SET vectors = CAST(x'0000C07F' || substr(vectors, 5) AS BLOB)", "UPDATE decoder_block SET vectors = CAST(x'00000040' || substr(vectors, 5) AS BLOB)"] {
            let (catalogue, _, _, _) = try world()
            try catalogue.connection.execute(sql)
            let a = try catalogue.dictionaries()[0]
            let error = failure { try store(catalogue, a, a) }
            #expect(error?.message == "the decoder vectors of A/1 in \":memory:\" are damaged or missing" || error?.message.hasSuffix("takes up to 65536") == true, "\(sql): \(String(describing: error))")
        }
    }
}
