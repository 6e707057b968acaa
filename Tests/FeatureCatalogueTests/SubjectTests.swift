@testable import FeatureCatalogue
import Diagnostics
import Foundation
import SQLite
import TestSupport
import Testing

// Random worlds, every number counted again firing by firing in double. Mutations tried: sensitivity over firings; the mean of f over firings
// instead of tokens; holes not cut at the end of the run; the feature itself among those that fire in its holes; holes from the left edge
// of their parts; ties of disagreements by the later position; a tag kept without its last block; a checksum that is not looked at.

@Suite struct SubjectTests {
    private func world(_ body: (Planted, Catalogue, Run) throws -> Void, segments: Int? = nil) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path, world = Planted.small(seed: 5)
            try world.write(to: path, segments: segments)
            let catalogue = try Catalogue(path: path, for: .writing)
            try body(world, catalogue, try catalogue.run(of: DictionaryName(parsing: "A/0")))
        }
    }

    private func marks(_ world: Planted) -> Set<Int> { Set((0..<world.total).filter { $0 * $0 % 11 < 4 || (251..<270).contains($0) }) }

    @Test func `statistics are those of a plain count over all tokens`() throws {
        try world({ world, catalogue, run in
            let marked = marks(world), set = PositionSet(marked, length: world.total), all = try catalogue.statistics(against: set, in: run)
            #expect(all.map(\.feature) == (0..<12).filter { $0 != 3 })
            for statistics in all + [try catalogue.statistics(of: 3, against: set, in: run)] {
                let firings = try catalogue.firings(of: statistics.feature, in: run), n = Double(world.total), c = Double(marked.count)
                let f = zip(firings.positions, firings.values).map { (position: $0, value: Double($1), isMarked: marked.contains($0)) }
                let hits = f.filter(\.isMarked), sum = f.reduce(0) { $0 + $1.value }, together = hits.reduce(0) { $0 + $1.value }
                let counts: [Int] = [statistics.tokens, statistics.marked, statistics.firings, statistics.firingsMarked], plain: [Int] = [world.total, marked.count, f.count, hits.count]
                #expect(counts == plain)
                #expect(statistics.documents == Set(hits.map { world.topic(at: $0.position).document }).count)
                func near(_ found: Double?, _ expected: Double) { #expect(found.map { abs($0 - expected) < 1e-9 } ?? expected.isNaN, "\(statistics.feature): \(String(describing: found)), \(expected)") }
                near(statistics.specificity, Double(hits.count) / Double(f.count))
                near(statistics.sensitivity, Double(hits.count) / c)
                let p = Double(hits.count) / Double(f.count), r = Double(hits.count) / c
                near(statistics.f1, hits.isEmpty ? 0 : 2 * p * r / (p + r))
                near(statistics.enrichment, p / (c / n))
                near(statistics.massSpecificity, together / sum)
                // Pearson from centred values, the other way to write it.
                func pearson(_ values: [(Double, Bool)]) -> Double {
                    let mean = values.reduce(0) { $0 + $1.0 } / n
                    var xy = 0.0, xx = 0.0
                    for (value, isMarked) in values { xy += (value - mean) * ((isMarked ? 1 : 0) - c / n); xx += (value - mean) * (value - mean) }
                    let silentMarked = c - Double(hits.count), silent = n - Double(values.count)
                    xy += -mean * (silentMarked * (1 - c / n) - (silent - silentMarked) * c / n)
                    xx += silent * mean * mean
                    return xy / (xx * c * (1 - c / n)).squareRoot()
                }
                near(statistics.correlation, f.isEmpty ? .nan : pearson(f.map { ($0.value, $0.isMarked) }))
                near(statistics.binaryCorrelation, f.isEmpty || f.count == world.total ? .nan : pearson(f.map { (1, $0.isMarked) }))
                if statistics.feature != 3 { #expect(try catalogue.statistics(of: statistics.feature, against: set, in: run) == statistics) }
            }
            let nothing = try catalogue.statistics(of: 2, against: PositionSet(length: world.total), in: run)
            #expect(nothing.sensitivity == nil && nothing.correlation == nil && nothing.enrichment == nil && nothing.specificity == 0)
        })
    }

    @Test func `intervals take in the firings nearest to their centres`() {
        var list = PostingList()
        list.positions = Array(0..<6)
        list.values = [10, 0.5, 0.51, 5.5, 9.6, 0.01]
        let intervals = list.intervals(against: PositionSet([0, 2, 5], length: 6))
        #expect(intervals.map(\.centre) == (0...10).map { Float($0) })
        #expect(intervals.map(\.firings) == [2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 2])
        #expect(intervals.map(\.firingsMarked) == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        #expect(intervals[0].specificity == 0.5 && intervals[2].specificity == nil)
        #expect(PostingList().intervals(against: PositionSet(length: 6)).isEmpty)
    }

    @Test(arguments: [nil, 2] as [Int?]) func `disagreements are the tokens where one is without the other`(segments: Int?) throws {
        try world({ world, catalogue, run in
            let end = segments == nil ? world.total : world.segments[..<2].reduce(0, +), marked = marks(world)
            let set = PositionSet(marked, length: try catalogue.corpus(run.corpus).tokens)
            let fires = Set(world.firings.filter { $0.feature == 2 && $0.position < end }.map(\.position)), holes = marked.filter { $0 < end && !fires.contains($0) }.sorted()
            let found = try catalogue.disagreements(of: 2, with: set, in: run, limit: 7), firings = try catalogue.firings(of: 2, in: run)
            #expect(found.firingsUnmarked == fires.subtracting(marked).count && found.holes == holes.count)
            var strongest = Array(firings.positions.indices).filter { !marked.contains(firings.positions[$0]) }
            strongest.sort { firings.values[$0] != firings.values[$1] ? firings.values[$0] > firings.values[$1] : $0 < $1 }
            let (positions, values) = (strongest.prefix(7).map { firings.positions[$0] }, strongest.prefix(7).map { firings.values[$0] })
            #expect(found.strongestUnmarked.map(\.position) == positions && found.strongestUnmarked.map(\.activation) == values)
            // Seven equal parts, the middle of each.
            let middles = (0..<7).map { holes[(2 * $0 + 1) * holes.count / 14] }
            #expect(found.someHoles == middles)
            var others: [(feature: Int, count: Int, documents: Int, sum: Double)] = []
            for feature in 0..<12 where feature != 2 {
                let there = world.firings.filter { $0.feature == feature && holes.contains($0.position) }
                if !there.isEmpty { others.append((feature, there.count, Set(there.map { world.topic(at: $0.position).document }).count, there.reduce(0) { $0 + Double($1.value) })) }
            }
            others.sort { $0.count != $1.count ? $0.count > $1.count : $0.feature < $1.feature }
            #expect(found.othersInHoles.count == others.count)
            for (mine, other) in zip(found.othersInHoles, others) {
                #expect(mine.feature == other.feature && mine.count == other.count && mine.documents == other.documents && abs(mine.sum - other.sum) < 1e-3 * other.sum)
            }
            #expect(try catalogue.disagreements(of: 2, with: set, in: run, limit: 10_000).someHoles == holes)
            let silent = try catalogue.disagreements(of: 7, with: set, in: run, limit: 3)
            #expect(silent.holes == 0 && silent.someHoles.isEmpty && silent.othersInHoles.isEmpty)
        }, segments: segments)
    }

    @Test func `a set of firings is made of a feature, and a topic's of its documents`() throws {
        try world({ world, catalogue, run in
            let own = world.firings.filter { $0.feature == 2 }.map(\.position)
            #expect(try catalogue.firingPositions(of: 2, in: run).positions == own)
            let ofMusic = (0..<world.total).filter { world.topic(at: $0).topic == "music" }
            let music = try catalogue.positions(of: try catalogue.subject(named: "MUSIC", of: run.corpus), in: run.corpus)
            #expect(music.positions == ofMusic)
        })
    }

    @Test(arguments: [1, 64, 65_536, 65_537, 200_001]) func `a tag is read as it was kept, over any number of blocks`(length: Int) throws {
        try world({ _, catalogue, run in
            try catalogue.connection.run("UPDATE corpus SET tokens = ?", .init(length))
            try catalogue.connection.run("UPDATE token_block SET token_ids = zeroblob(?)", .init(2 * length))
            let corpus = try catalogue.corpus(run.corpus)
            for positions in [[], [length - 1], [0], Array(stride(from: 0, to: length, by: 7)), Array(0..<length)] {
                let set = PositionSet(positions, length: length), tag = try catalogue.keepTag("a tag", .range, "Arabic", set, documents: 3, of: corpus, engine: "test", at: Planted.time)
                #expect(tag.tokens == positions.count && tag.documents == 3)
                #expect(try catalogue.positions(of: tag) == set)
                let known = try catalogue.tags(of: corpus.id), named = try catalogue.tag(named: "A TAG", of: corpus.id)
                #expect(known == [tag] && named == tag)
            }
            try catalogue.removeTag(try catalogue.tag(named: "a tag", of: corpus.id))
            #expect(try catalogue.connection.integer("SELECT count(*) FROM tag_block") == 0)
            #expect(failure { _ = try catalogue.tag(named: "a tag", of: corpus.id) }?.message == "there is no tag \"a tag\" in corpus \"c\"")
        })
    }

    @Test(arguments: [
        "UPDATE tag_block SET bits = zeroblob(length(bits))", "UPDATE tag_block SET bits = x''", "UPDATE tag_block SET first_position = 1", "UPDATE tag_block SET first_position = -65536",
        "UPDATE tag_block SET first_position = 65536", "UPDATE tag_block SET checksum = 0", "DELETE FROM tag_block", "UPDATE tag SET tokens = 0", "UPDATE tag SET kind = 'x'",
        "UPDATE tag_block SET bits = CAST(x'ff' || substr(bits, 2) AS BLOB)", "UPDATE corpus SET tokens = 100", "UPDATE corpus SET tokens = 9223372036854775807", "UPDATE corpus SET tokens = -1",
    ]) func `a damaged tag is refused`(damage: String) throws {
        try world({ world, catalogue, run in
            _ = try catalogue.keepTag("t", .regex, "x", PositionSet([3, 70, 588], length: world.total), documents: 3, of: try catalogue.corpus(run.corpus), engine: "test", at: Planted.time)
            try catalogue.connection.execute("PRAGMA ignore_check_constraints = 1; \(damage)")
            let problem = failure { _ = try catalogue.positions(of: try catalogue.tag(named: "t", of: run.corpus)) }
            let isOfCorpus = ["UPDATE corpus SET tokens = 9223372036854775807", "UPDATE corpus SET tokens = -1"].contains(damage)
            #expect(problem?.message.hasPrefix(isOfCorpus ? "the corpus \"c\" in " : "the tag \"t\" in ") == true && problem?.message.contains(" is damaged") == true, "\(String(describing: problem))")
        })
    }

    @Test func `postings that are damaged or do not hold all firings are refused`() throws {
        try world({ world, catalogue, run in
            let set = PositionSet(marks(world), length: world.total)
            try catalogue.connection.execute("UPDATE posting SET list = CAST(substr(list, 1, length(list) - 1) AS BLOB) WHERE id & 16777215 = 2")
            let questions: [() throws -> Void] = [{ _ = try catalogue.statistics(against: set, in: run) }, { _ = try catalogue.statistics(of: 2, against: set, in: run) }, { _ = try catalogue.firingCounts(at: set, in: run) }]
            for question in questions {
                #expect(failure(question)?.message.contains("is damaged (feature 2, segment") == true)
            }
            try catalogue.connection.execute("UPDATE segment SET first_position = 5 WHERE ordinal = 1")
            #expect(failure { _ = try catalogue.statistics(against: set, in: run) }?.message.hasPrefix("segment 1 of A/0 in ") == true)
            try catalogue.connection.execute("UPDATE run SET keep_top = 20")
            let kept = try catalogue.run(of: run.dictionary.name)
            #expect(failure { _ = try catalogue.statistics(against: set, in: kept) }?.message == "A/0 keeps only the 20 strongest firings of each feature: how well it fits cannot be counted from these")
            #expect(failure { _ = try catalogue.firingCounts(at: set, in: kept) }?.message == "A/0 keeps only the 20 strongest firings of each feature: on which tokens a feature fires cannot be told from these")
        })
    }
}
