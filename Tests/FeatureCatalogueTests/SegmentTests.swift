import Diagnostics
@testable import FeatureCatalogue
import Foundation
import Kernels
import SQLite
import TestSupport
import Testing

/// What the catalogue must say of one feature, counted one firing at a time.
private struct Expected {
    var statistics = ActivationStatistics()
    var topics: [String: (firings: Int, documents: Int, sum: Double, maximum: Float)] = [:]

    init(_ world: Planted, feature: Int, before end: Int) {
        var documents: Set<Int> = []
        var rounded: [Float] = []
        for firing in world.firings where firing.feature == feature && firing.position < end {
            let (document, topic) = world.topic(at: firing.position)
            let isNew = documents.insert(document).inserted
            statistics.firings += 1
            statistics.documents += isNew ? 1 : 0
            statistics.sum += Double(firing.value)
            statistics.sumOfSquares += Double(firing.value) * Double(firing.value)
            if firing.value > statistics.maximum { (statistics.maximum, statistics.maximumPosition) = (firing.value, firing.position) }
            statistics.lastPosition = firing.position
            rounded.append(Float(Planted.rounded(firing.value)))
            let old = topics[topic] ?? (0, 0, 0, 0)
            topics[topic] = (old.firings + 1, old.documents + (isNew ? 1 : 0), old.sum + Double(firing.value), max(old.maximum, firing.value))
        }
        var bins: [Int: Int] = [:]
        for value in rounded { bins[Int((4 * log2(Double(value))).rounded(.down)), default: 0] += 1 }
        if let low = bins.keys.min(), let high = bins.keys.max() { statistics.histogram = ActivationHistogram(first: low, counts: (low...high).map { bins[$0] ?? 0 }) }
    }
}

extension Planted {
    /// To 11 significant bits, ties to even.
    static func rounded(_ value: Float) -> Double {
        let step = scalbn(1, Int(Double(value).exponent) - 10)
        return (Double(value) / step).rounded(.toNearestOrEven) * step
    }
}

private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * max(abs(a), abs(b)) }

struct SegmentTests {
    @Test(arguments: [nil, 20] as [Int?]) func `what is written is what was planted`(keepTop: Int?) throws {
        let world = Planted.small(keepTop: keepTop)
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let (corpus, planned) = try world.register(in: catalogue)
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [planned])
        var end = 0
        for ordinal in world.segments.indices {
            try world.commit(ordinal, writer, planned)
            end += world.segments[ordinal]
            let run = try catalogue.run(of: planned.dictionary.name)
            #expect((run.tokens, run.firings, writer.knownTokens) == (end, world.firings.count { $0.position < end }, end))
            for (feature, found) in try catalogue.statistics(of: run).enumerated() {
                let expected = Expected(world, feature: feature, before: end)
                var exact = found
                #expect(isClose(found.sum, expected.statistics.sum) && isClose(found.sumOfSquares, expected.statistics.sumOfSquares))
                (exact.sum, exact.sumOfSquares) = (expected.statistics.sum, expected.statistics.sumOfSquares)
                #expect(exact == expected.statistics, "feature \(feature) after segment \(ordinal)")
                var topics: [String: (firings: Int, documents: Int, sum: Double, maximum: Float)] = [:]
                try catalogue.connection.query("SELECT topic, firings, documents_firing, mean_when_active * firings, maximum FROM topic_rate WHERE feature_id = ?",
                                               [.init(run.dictionary.featureID(feature))]) { topics[$0.text(0)] = ($0.integer(1), $0.integer(2), $0.real(3), Float($0.real(4))) }
                #expect(Set(topics.keys) == Set(expected.topics.keys))
                for (topic, e) in expected.topics {
                    let t = try #require(topics[topic])
                    #expect(t.firings == e.firings && t.documents == e.documents && t.maximum == e.maximum && isClose(t.sum, e.sum), "feature \(feature) topic \(topic)")
                }
            }
        }
        try world.complete(planned, in: catalogue)
        let run = try catalogue.run(of: planned.dictionary.name)
        for feature in 0..<world.features {
            var expected = world.firings.filter { $0.feature == feature }.map { Planting(position: $0.position, feature: feature, value: Float(Planted.rounded($0.value))) }
            if let keepTop { expected = expected.sorted { $0.value == $1.value ? $0.position < $1.position : $0.value > $1.value }.prefix(keepTop).sorted { $0.position < $1.position } }
            let list = try catalogue.firings(of: feature, in: run)
            #expect(list.positions == expected.map(\.position), "feature \(feature)")
            #expect(list.values == expected.map(\.value), "feature \(feature)")
        }
        #expect(try catalogue.tokens(of: corpus.id, at: 0..<10_000) == world.tokens)
        #expect(try catalogue.tokens(of: corpus.id, at: 240..<470) == Array(world.tokens[240..<470]))
        #expect(try catalogue.topics(of: corpus.id).map(\.tokens).reduce(0, +) == world.total)
        let documents = try catalogue.documentTable(of: corpus.id)
        #expect(documents.lengths == world.documents.map(\.tokens))
        #expect((0..<world.total).allSatisfy { documents.index(of: $0) == world.topic(at: $0).document })
    }

    @Test func `examples and tokens are the strongest, counted by hand`() throws {
        let world = Planted.small()
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let (corpus, run) = try world.register(in: catalogue)
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
        for ordinal in world.segments.indices { try world.commit(ordinal, writer, run) }
        try world.complete(run, in: catalogue)
        for feature in 0..<world.features {
            let firings = world.firings.filter { $0.feature == feature }.map { (position: $0.position, value: Planted.rounded($0.value)) }
            var perDocument: [Int: Int] = [:], expected: [Int] = []
            for firing in firings.sorted(by: { $0.value == $1.value ? $0.position < $1.position : $0.value > $1.value }) where expected.count < 20 {
                // Tokens are random: no window comes twice.
                let document = world.topic(at: firing.position).document
                if perDocument[document, default: 0] < 3 { expected.append(firing.position); perDocument[document, default: 0] += 1 }
            }
            #expect(try catalogue.connection.rows("SELECT position FROM example WHERE feature_id = ? ORDER BY rank", .init(run.dictionary.featureID(feature))) { $0.integer(0) } == expected)
            var sums: [Int32: (count: Int, sum: Double)] = [:]
            for firing in firings { let old = sums[world.tokens[firing.position]] ?? (0, 0); sums[world.tokens[firing.position]] = (old.count + 1, old.sum + firing.value) }
            let tokens = sums.sorted { $0.value.sum == $1.value.sum ? $0.key < $1.key : $0.value.sum > $1.value.sum }.prefix(5)
            let found = try catalogue.connection.rows("SELECT token, firings FROM feature_token WHERE feature_id = ? ORDER BY rank", .init(run.dictionary.featureID(feature))) { [$0.integer(0), $0.integer(1)] }
            #expect(found == tokens.map { [Int($0.key), $0.value.count] })
        }
    }

    @Test func `ties of maxima go to the first, also over segments`() throws {
        var world = Planted()
        world.documents = [(tokens: 10, topic: "a"), (tokens: 10, topic: "b")]
        world.segments = [6, 14]
        world.tokens = (0..<20).map { Int32($0) }
        world.firings = [2, 4, 7, 15].map { Planting(position: $0, feature: 1, value: 2) } + [Planting(position: 8, feature: 2, value: 1), Planting(position: 9, feature: 2, value: 3), Planting(position: 12, feature: 2, value: 3)]
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let (corpus, run) = try world.register(in: catalogue)
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
        for ordinal in 0..<2 { try world.commit(ordinal, writer, run) }
        let one = try catalogue.statistics(of: 1, in: run), two = try catalogue.statistics(of: 2, in: run)
        #expect((one.maximumPosition, one.documents, one.lastPosition, one.firings) == (2, 2, 15, 4))
        #expect((two.maximumPosition, two.documents, two.lastPosition) == (9, 2, 12))
        #expect(writer.lastPositions(of: run) == [-1, 15, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1])
    }

    @Test func `a writer opened later goes on as if it had never stopped`() throws {
        let world = Planted.small()
        func dump(reopening: Bool) throws -> String {
            let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
            let (corpus, run) = try world.register(in: catalogue)
            var writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
            for ordinal in world.segments.indices {
                if reopening { writer = try SegmentWriter(catalogue, corpus: try catalogue.corpus(corpus.id), runs: [run]) }
                try world.commit(ordinal, writer, run)
            }
            try world.complete(run, in: catalogue)
            return try contents(of: catalogue.connection)
        }
        #expect(try dump(reopening: true) == dump(reopening: false))
    }

    @Test func `changed text is refused and nothing is kept`() throws {
        let world = Planted.small()
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let (corpus, first) = try world.register(in: catalogue)
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [first])
        for ordinal in world.segments.indices { try world.commit(ordinal, writer, first) }
        // A second dictionary over the same corpus, whose text has one other token.
        let (_, second) = try world.register(in: catalogue, named: "A/1")
        let again = try SegmentWriter(catalogue, corpus: try catalogue.corpus(corpus.id), runs: [second])
        try world.commit(0, again, second)
        var changed = world
        changed.tokens[300] = (changed.tokens[300] + 1) % 50
        let before = try contents(of: catalogue.connection)
        #expect(failure { try changed.commit(1, again, second) } == MonosemeError(
            #"the text of the corpus "c" has changed: tokens 250 to 451 are not those read before"#, hint: "restore the text, or ingest what is there now under another name"))
        #expect(try contents(of: catalogue.connection) == before)
        try world.commit(1, again, second)
        try world.commit(2, again, second)
        #expect(try catalogue.connection.integer("SELECT count(*) FROM token_block") == 3)
        #expect(try catalogue.check().findings.map(\.what) == ["unfinished run", "unfinished run"])
    }

    @Test func `a disk that fills at any page leaves the file as it was before or after`() throws {
        let world = Planted.small(features: 60)
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            // Small pages, so that there are many of them to fail at.
            try Connection(path: path, access: .create).execute("PRAGMA page_size = 512; PRAGMA application_id = \(Catalogue.applicationID)")
            let catalogue = try makeCatalogue(at: path)
            let (corpus, run) = try world.register(in: catalogue)
            let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
            try world.commit(0, writer, run)
            try catalogue.checkpoint()
            let pages = try #require(try catalogue.connection.integer("PRAGMA page_count"))
            let before = try contents(of: catalogue.connection)
            var failures = 0
            for room in 0..<200 {
                try catalogue.connection.execute("PRAGMA max_page_count = \(pages + room)")
                do {
                    try world.commit(1, writer, run)
                    break
                } catch {
                    failures += 1
                    #expect((error as? SQLiteError)?.kind == .full)
                    #expect(try contents(of: catalogue.connection) == before)
                    #expect(writer.knownTokens == 250)
                }
            }
            #expect(failures > 10)
            try catalogue.connection.execute("PRAGMA max_page_count = 100000")
            try world.commit(2, writer, run)
            try world.complete(run, in: catalogue)
            #expect(try catalogue.check().findings.isEmpty)
            let untroubled = try Catalogue(path: ":memory:", for: .ingesting)
            let (other, plain) = try world.register(in: untroubled)
            let steady = try SegmentWriter(untroubled, corpus: other, runs: [plain])
            for ordinal in 0..<3 { try world.commit(ordinal, steady, plain) }
            try world.complete(plain, in: untroubled)
            #expect(try contents(of: catalogue.connection) == contents(of: untroubled.connection))
        }
    }

    @Test func `an error at any row of a segment leaves nothing of it`() throws {
        let world = Planted.small()
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let (corpus, run) = try world.register(in: catalogue)
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
        let before = try contents(of: catalogue.connection)
        // The nth row that is written to any of these tables fails, until there are fewer than n.
        let counter = Counter()
        try catalogue.connection.register("fails", arguments: 0, reach: .anywhere, isDeterministic: false) { _ in counter.next() ? 1 : 0 }
        for (table, event) in [("token_block", "INSERT"), ("document", "INSERT"), ("topic", "INSERT"), ("topic", "UPDATE"), ("source", "INSERT"), ("corpus", "UPDATE"), ("segment", "INSERT"),
                               ("posting", "INSERT"), ("statistic", "UPDATE"), ("feature_topic", "INSERT"), ("run", "UPDATE")] {
            try catalogue.connection.execute("CREATE TEMP TRIGGER fail_\(table)_\(event) BEFORE \(event) ON \(table) WHEN fails() BEGIN SELECT RAISE (ABORT, 'the disk is on fire'); END")
        }
        var failures = 0
        while failures < 1000 {
            counter.left = failures
            do { try world.commit(0, writer, run) } catch {
                failures += 1
                #expect((error as? SQLiteError)?.message == "the disk is on fire")
                try #require(try contents(of: catalogue.connection) == before)
                continue
            }
            break
        }
        #expect(failures > 50)
        counter.left = .max
        try world.commit(1, writer, run)
        try world.commit(2, writer, run)
        try world.complete(run, in: catalogue)
        #expect(try catalogue.check().findings.map(\.description) == [])
    }

    @Test(arguments: [(1, 16), (65_536, 16), (65_537, 32)]) func `token ids take 16 bits where they can`(vocabulary: Int, bits: Int) throws {
        var world = Planted()
        world.vocabulary = vocabulary
        world.documents = [(tokens: 3, topic: "a")]
        world.segments = [3]
        world.tokens = [0, Int32(vocabulary / 2), Int32(vocabulary - 1)]
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let (corpus, run) = try world.register(in: catalogue)
        try world.commit(0, try SegmentWriter(catalogue, corpus: corpus, runs: [run]), run)
        #expect(try catalogue.connection.integer("SELECT length(token_ids) FROM token_block") == 3 * bits / 8)
        #expect(try catalogue.tokens(of: corpus.id, at: 0..<3) == world.tokens)
    }
}

private final class Counter: @unchecked Sendable {
    var left = 0
    func next() -> Bool { left &-= 1; return left == -1 }
}

/// Every row of every table that a user may read, as text.
func contents(of connection: Connection) throws -> String {
    var text = ""
    for table in try connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", make: { $0.text(0) }) {
        let key = ["posting", "decoder_block", "token_block", "segment"].contains(table) ? "ORDER BY id" : ""
        try connection.query("SELECT * FROM \(table) \(key)") { row in
            text += table
            for column in 0..<row.columnCount { text += "|\(row.value(column))" }
            text += "\n"
        }
    }
    return text
}
