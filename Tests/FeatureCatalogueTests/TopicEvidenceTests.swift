import Diagnostics
@testable import FeatureCatalogue
import Formats
import Foundation
import Numerics
import SQLite
import Testing
import TestSupport

// Tried and seen to go red in the golden: the design effect left out, p for q, the threshold chosen on all documents, ties
// in AUROC counted whole, silent documents left out of the variance, features that never fire counted as tests.

/// A world from a list of documents: its topic, its tokens and, for each feature, the values on its first tokens.
private func world(_ documents: [(topic: String, tokens: Int, values: [[Float]])], segments: [Int]? = nil, keepTop: Int? = nil) -> Planted {
    var world = Planted(), start = 0
    world.keepTop = keepTop
    world.features = documents[0].values.count
    for (topic, tokens, values) in documents {
        world.documents.append((tokens, topic))
        for (feature, values) in values.enumerated() {
            for (place, value) in values.enumerated() { world.firings.append(Planting(position: start + place, feature: feature, value: value)) }
        }
        start += tokens
    }
    world.segments = segments ?? [start]
    world.tokens = (0..<start).map { Int32($0 % 50) }
    return world
}

private func written(_ world: Planted, at path: String = ":memory:") throws -> (Catalogue, Run) {
    let catalogue = try path == ":memory:" ? Catalogue(path: path, for: .ingesting) : makeCatalogue(at: path)
    let (corpus, run) = try world.register(in: catalogue), writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
    for ordinal in world.segments.indices { try world.commit(ordinal, writer, run) }
    try world.complete(run, in: catalogue)
    return (catalogue, try catalogue.run(of: run.dictionary.name))
}

private func isClose(_ a: Double?, _ b: Double?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= 1e-9 * abs(b) + 1e-14
}

@Suite struct TopicEvidenceTests {
    @Test func `evidence is that of numpy, scipy and scikit-learn`() throws {
        let golden = try JSON(parsing: String(contentsOfFile: fixture("goldens/topics/topics.json"), encoding: .utf8))
        let topics = golden["topics"]!.array!.map { $0.string! }, tokens = golden["tokens"]!.array!.map { $0.integer! }
        let values = golden["firings"]!.array!.map { $0.array!.map { $0.array!.map { Float($0.number!) } } }, all = tokens.reduce(0, +)
        // Three segments, so that documents are cut.
        let planted = world(zip(topics, zip(tokens, values)).map { ($0, $1.0, $1.1) }, segments: [1_000, 2_001, all - 3_001])
        let (catalogue, run) = try written(planted)
        #expect(run.topicTests == golden["tests"]?.integer)
        let rows = golden["rows"]!.array!
        #expect(try catalogue.connection.integer("SELECT count(*) FROM topic_rate") == rows.count)
        for row in rows {
            let feature = row["feature"]!.integer!, topic = row["topic"]!.string!
            let found = try #require(try catalogue.topicRates(of: feature, in: run, by: .z).first { $0.topic == topic })
            #expect(isClose(found.z, row["z"]?.number) && isClose(found.q, row["q"]?.number) && isClose(found.auroc, row["auroc"]?.number), "\(found), expected \(row)")
            let detector = row["detector"]?.array.map { TopicDetector(threshold: Float($0[0].number!), precision: $0[1].number!, recall: $0[2].number!, f1: $0[3].number!) }
            #expect(found.detector?.threshold == detector?.threshold && isClose(found.detector?.precision, detector?.precision) && isClose(found.detector?.recall, detector?.recall)
                && isClose(found.detector?.f1, detector?.f1), "\(found), expected \(row)")
        }
        #expect(try catalogue.check().findings.map(\.description) == [])
    }

    /// Ten tokens each; a: 2, 0, 4 firings, b: 0, 1, 0.
    @Test func `a case to be done by hand`() throws {
        let planted = world([("a", 10, [[1, 1]]), ("a", 10, [[]]), ("a", 10, [[2, 2, 2, 3]]), ("b", 10, [[]]), ("b", 10, [[4]]), ("b", 10, [[]])])
        let (catalogue, run) = try written(planted)
        let rates = try catalogue.topicRates(of: 0, in: run, by: .z)
        // Rates 6/30, 1/30, 7/60; G = 2 (6 ln(12/7) + ln(2/7)); Q of a: 3/2 · (0² + 2² + 2²) = 12, of b: 3/2 · (2/9 + 4/9) = 1; φ = max(1, 13/7, 12/6)
        // for a and max(1, 13/7, 1/1) for b.
        let g = 2 * (6 * log(12 / 7.0) + log(2 / 7.0)), z = [(g / 2).squareRoot(), -(g * 7 / 13).squareRoot()]
        #expect(rates.map(\.topic) == ["a", "b"])
        #expect(isClose(rates[0].z, z[0]) && isClose(rates[1].z, z[1]))
        // Student's t with 2 degrees of freedom: P(T > t) = ½ − t / (2 √(2 + t²)); of two tests.
        let p = z.map { 0.5 - $0 / (2 * (2 + $0 * $0).squareRoot()) }
        #expect(isClose(rates[0].q, 2 * p[0]) && isClose(rates[1].q, p[1]))
        // Chosen on documents 1 and 3 of a topic, where a reaches 1 and 3 and b nothing; held out are the second of each: 0 and 4.
        #expect(rates[0].detector == TopicDetector(threshold: 1, precision: 0, recall: 0, f1: 0))
        #expect(rates[1].detector == nil)
        #expect(rates[0].auroc == 0 && rates[1].auroc == 1)
        #expect(rates[0].massSpecificity == 11 / 15.0 && rates[1].massSpecificity == 4 / 15.0)
    }

    @Test func `what takes two documents is not said of one`() throws {
        let (catalogue, run) = try written(world([("a", 10, [[1], [1]]), ("b", 10, [[], [2]]), ("b", 10, [[1], []]), ("b", 9, [[1], []])]))
        let rates = try catalogue.topicRates(of: 0, in: run, by: .z)
        #expect(rates.map(\.topic) == ["a", "b"]) // by lift
        #expect(rates.allSatisfy { $0.z == nil && $0.q == nil } && run.topicTests == 0)
        #expect(rates[0].detector == nil && rates.allSatisfy { $0.auroc == nil })
    }

    @Test func `of one topic alone there is no evidence`() throws {
        let (catalogue, run) = try written(world((0..<4).map { ("a", 10, [$0 % 2 == 0 ? [1] : []]) }))
        let rate = try #require(try catalogue.topicRates(of: 0, in: run, by: .auroc).first)
        #expect(rate.z == nil && rate.auroc == nil && rate.detector == TopicDetector(threshold: 1, precision: 0, recall: 0, f1: 0))
    }

    @Test func `a feature of one document is never significant, however often it fires there`() throws {
        let (catalogue, run) = try written(world((0..<40).map { ("\($0 % 2)", 50, [$0 == 6 ? [Float](repeating: 1, count: 50) : []]) }))
        let rate = try #require(try catalogue.topicRates(of: 0, in: run, by: .z).first)
        #expect(rate.z! > 0 && rate.z! < 2 && rate.q == 1)
    }

    @Test func `where firings were left out, only what they do not change is said`() throws {
        let documents = (0..<12).map { (topic: $0 % 2 == 0 ? "a" : "b", tokens: 10, values: [[Float]](arrayLiteral: $0 % 2 == 0 ? [4, 3, 2] : [1], $0 == 2 ? [1] : [], [])) }
        let (catalogue, run) = try written(world(documents, keepTop: 12))
        let few = try catalogue.topicRates(of: 0, in: run, by: .f1), all = try catalogue.topicRates(of: 1, in: run, by: .z)
        #expect(few.map(\.topic) == ["a", "b"] && few.allSatisfy { $0.z == nil && $0.q == nil && $0.auroc == nil })
        #expect(few[0].detector == TopicDetector(threshold: 4, precision: 1, recall: 1, f1: 1))
        #expect(all[0].z != nil && run.topicTests == 2)
        #expect(try catalogue.check().findings.map(\.description) == [])
    }

    @Test(arguments: [(0.3, 1.0, 0.4072264209222577), (1.0, 2.0, 0.2113248654051871), (2.5, 4.0, 0.03338327240599407), (6.0, 3.0, 0.004636357446142333), (-1.2, 7.0, 0.8654140315863967),
                      (12.0, 30.0, 2.7900927075996303e-13), (40.0, 812.0, 1.8595990537510834e-194), (1.8, 10_000.0, 0.03594538294146443)])
    func `Student's upper tail is scipy's`(t: Double, freedom: Double, p: Double) {
        #expect(abs(StudentT.upperTail(t, freedom: freedom) / p - 1) < 1e-10)
    }

    @Test func `rates of false discovery are Benjamini and Hochberg's`() {
        // Of ten tests, four unlisted: p · 10 / rank, and no q greater than a later one.
        let q = falseDiscoveryRates([0.04, 0.001, 0.03, 0.5, 0.001, 0.9], tests: 10)
        for (mine, expected) in zip(q, [0.1, 0.005, 0.1, 1, 0.005, 1]) { #expect(abs(mine - expected) < 1e-15) }
        #expect(falseDiscoveryRates([], tests: 0) == [])
    }

    private static let evidence = "SELECT group_concat(quote(topic_id) || quote(feature_id) || quote(threshold) || quote(f1) || quote(z) || quote(q) || quote(auroc)) FROM feature_topic"
    /// As an older version leaves it.
    private static let forget = "UPDATE run SET topic_tests = NULL; UPDATE feature_topic SET z = NULL, q = NULL, auroc = NULL, threshold = NULL, precision = NULL, recall = NULL, f1 = NULL"

    @Test(arguments: [nil, 20] as [Int?]) func `opening an older version's catalogue to write counts what is missing`(keepTop: Int?) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small(keepTop: keepTop).write(to: path)
            let catalogue = try Catalogue(path: path, for: .writing), before = try catalogue.connection.first(Self.evidence) { $0.text(0) }
            try catalogue.rewind(to: 9)
            let again = try Catalogue(path: path, for: .writing)
            #expect(try again.connection.first(Self.evidence) { $0.text(0) } == before)
            #expect(try again.check().findings.map(\.description) == [])
        }
    }

    @Test(arguments: [nil, 20] as [Int?]) func `evidence that could not be counted is missed by name, and counted when it can be`(keepTop: Int?) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small(keepTop: keepTop).write(to: path)
            let catalogue = try Catalogue(path: path, for: .writing), before = try catalogue.connection.first(Self.evidence) { $0.text(0) }
            try catalogue.connection.execute(Self.forget)
            #expect(failure { _ = try catalogue.topicRates(of: 0, in: try catalogue.run(of: DictionaryName(parsing: "A/0")), by: .z) }?.hint?.contains("monoseme check") == true)
            let again = try Catalogue(path: path, for: .writing)
            #expect(try again.connection.first(Self.evidence) { $0.text(0) } == before)
            #expect(try again.check().findings.map(\.description) == [])
        }
    }

    @Test(arguments: ["UPDATE posting SET list = x'0000' WHERE id = (SELECT max(id) FROM posting)", "UPDATE segment SET first_position = first_position + 1", "DELETE FROM document",
                      "UPDATE segment SET tokens = 9223372036854775807", "UPDATE run SET tokens = -5", "DELETE FROM statistic"])
    func `a damaged catalogue of an older version still opens`(damage: String) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small().write(to: path)
            do {
                let catalogue = try Catalogue(path: path, for: .writing)
                try catalogue.connection.execute(Self.forget + "; PRAGMA foreign_keys = 0; " + damage)
            }
            let catalogue = try Catalogue(path: path, for: .writing)
            #expect(try catalogue.check().isDamaged)
        }
    }

    @Test func `an unfinished run has no evidence, and says so`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small().write(to: path, segments: 2)
            let catalogue = try Catalogue(path: path, for: .writing), run = try catalogue.run(of: DictionaryName(parsing: "A/0"))
            #expect(failure { _ = try catalogue.topicRates(of: 0, in: run, by: .z) }?.message.contains("unfinished") == true)
            #expect(try catalogue.topicRates(of: 0, in: run, by: .lift).allSatisfy { $0.z == nil && $0.q == nil && $0.auroc == nil && $0.detector == nil })
        }
    }
}
