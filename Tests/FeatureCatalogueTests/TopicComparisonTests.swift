@testable import FeatureCatalogue
import Foundation
import Kernels
import Numerics
import SQLite
import TestSupport
import Testing

/// What tells two sets of documents apart, on firings that were planted.
///
/// Mutations tried, each seen to fail a test here: a design effect of 1; that of the whole only; q = p; one tail; a family's members counted as documents of
/// their own; a document that a segment cuts counted twice; documents that never end.
@Suite struct TopicComparisonTests {
    // MARK: Counts

    @Test(arguments: 1...40)
    func `a list's firings are counted by document as by hand`(seed: UInt64) {
        var random = Seeded(seed)
        let n = Int.random(in: 1...3_000, using: &random), documents = Int.random(in: 1...min(n, 40), using: &random)
        let starts = [0] + (1..<max(2, n)).shuffled(using: &random).prefix(documents - 1).sorted()
        let documentOf = (0..<n).map { position in UInt32(starts.lastIndex { $0 <= position }!) }
        let ends = starts.indices.map { UInt32($0 + 1 < starts.count ? starts[$0 + 1] : n) }
        let positions = (0..<n).filter { _ in Int.random(in: 0..<5, using: &random) == 0 }.map(UInt32.init)
        guard !positions.isEmpty else { return }
        var list = [UInt8](repeating: 0, count: kernel_posting_bound(positions.count)), rounded = [Float](repeating: 0, count: positions.count)
        let bytes = kernel_posting_encode(positions, [Float](repeating: 1, count: positions.count), positions.count, &list, &rounded)
        var found = [UInt32](repeating: 0, count: starts.count), counts = found
        let entries = kernel_posting_count_by_document(list, bytes, documentOf, ends, n, &found, &counts)
        let plain = Dictionary(grouping: positions) { documentOf[Int($0)] }.sorted { $0.key < $1.key }
        #expect(entries == plain.count)
        #expect(Array(found[..<max(0, entries)]) == plain.map(\.key) && Array(counts[..<max(0, entries)]) == plain.map { UInt32($0.value.count) })
        // Cut short, and with a position behind the last document.
        for length in 0..<min(bytes, 3 + positions.count) { #expect(kernel_posting_count_by_document(list, length, documentOf, ends, n, &found, &counts) == -1) }
        let last = positions.last!
        #expect(kernel_posting_count_by_document(list, bytes, documentOf, ends.map { min($0, last) }, Int(last), &found, &counts) == -1)
    }

    @Test(arguments: [[nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil], [0, 0, nil, 4, 4, 4, 0, 1, nil, nil, nil, 0]] as [[Int?]])
    func `sums over sets of documents are those of a plain recount, for features and for families`(parents: [Int?]) throws {
        try withTemporaryFolder { folder in
            let world = Planted.small(seed: 3), catalogue = try made(world, in: folder), run = try catalogue.run(of: .init("A/0")!)
            let table = try catalogue.documentTable(of: run.corpus), units = FeatureUnits(parents: parents)
            let setOf = world.documents.map { ["law": 0, "music": 1, "code": 2][$0.topic]! }
            let sums = try catalogue.documentSums(of: run, units, setOf: setOf, sets: 2, table)
            for (place, unit) in units.units.enumerated() {
                for set in 0..<2 {
                    var plain = DocumentSums()
                    for (document, what) in world.documents.enumerated() where setOf[document] == set {
                        let y = world.firings.count { unit.members.contains($0.feature) && world.topic(at: $0.position).document == document }
                        if y > 0 { plain.add(Double(y), Double(what.tokens)) }
                    }
                    #expect(sums[2 * place + set] == plain)
                }
            }
            #expect(units.units.flatMap(\.members).sorted() == Array(0..<12))
        }
    }

    private func made(_ world: Planted, in folder: URL) throws -> Catalogue {
        let path = folder.appending(path: "c.sqlite").path
        try world.write(to: path)
        return try Catalogue(path: path, for: .reading)
    }

    // MARK: Tests

    /// Firings of features by document in two groups: half of the features are bursty (a document's rate is gamma with shape 0.1).
    private struct Draw {
        var random: Seeded
        let tokens: [Double]
        let first: Int
        var groups: [TopicTable.Totals] {
            [tokens[..<first], tokens[first...]].map { part in
                TopicTable.Totals(documents: part.count, tokens: part.reduce(0, +), squares: part.reduce(0) { $0 + $1 * $1 })
            }
        }

        init(seed: UInt64, _ first: Int, _ second: Int) {
            var random = Seeded(seed)
            tokens = (0..<first + second).map { _ in Double(Int.random(in: 80...400, using: &random)) }
            (self.random, self.first) = (random, first)
        }

        private mutating func normal() -> Double {
            (-2 * log(Double.random(in: 1e-300..<1, using: &random))).squareRoot() * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
        }

        /// Marsaglia and Tsang's, for shape 1.1, and then 0.1; mean 1.
        private mutating func burst() -> Double {
            let d = 1.1 - 1.0 / 3, c = 1 / (9 * d).squareRoot()
            while true {
                let x = normal(), v = (1 + c * x) * (1 + c * x) * (1 + c * x), u = Double.random(in: 1e-300..<1, using: &random)
                if v > 0, log(u) < 0.5 * x * x + d - d * v + d * log(v) { return d * v * pow(Double.random(in: 1e-300..<1, using: &random), 10) * 10 }
            }
        }

        private mutating func poisson(_ mean: Double) -> Double {
            if mean > 30 { return max(0, (mean + normal() * mean.squareRoot()).rounded()) }
            var product = Double.random(in: 0..<1, using: &random), count = 0.0
            while product > exp(-mean) { product *= Double.random(in: 0..<1, using: &random); count += 1 }
            return count
        }

        /// - Parameter factor: of the rate on the first group against the second.
        mutating func sums(density: Double, isBursty: Bool, factor: Double = 1) -> [DocumentSums] {
            var sums = [DocumentSums(), DocumentSums()]
            for (document, n) in tokens.enumerated() {
                let group = document < first ? 0 : 1
                let y = min(n, poisson(density * n * (isBursty ? burst() : 1) * (group == 0 ? factor : 1)))
                if y > 0 { sums[group].add(y, n) }
            }
            return sums
        }
    }

    @Test func `where nothing differs, few comparisons of bursty features find anything, and a test that counts tokens is seen to fail`() {
        var worlds = 0, byTokens = 0, bursty = 0
        for seed in 1...40 {
            var draw = Draw(seed: UInt64(seed), 30, 50)
            let sums = (0..<60).flatMap { draw.sums(density: pow(10, -3.5 + Double($0) * 0.03), isBursty: $0 % 2 == 0) }
            if weigh(sums, on: draw.groups, documentsMinimum: 3).contains(where: { ($0?.q ?? 1) <= 0.05 }) { worlds += 1 }
            for unit in stride(from: 0, to: 60, by: 2) where sums[2 * unit].firings + sums[2 * unit + 1].firings > 0 {
                bursty += 1
                let (a, b) = (sums[2 * unit].firings, sums[2 * unit + 1].firings), share = draw.groups[0].tokens / (draw.groups[0].tokens + draw.groups[1].tokens)
                // Of independent firings, the share on the first group would be within two standard errors of its share of tokens.
                if abs(a / (a + b) - share) > 1.96 * (share * (1 - share) / (a + b)).squareRoot() { byTokens += 1 }
            }
        }
        // 5 % of 40, and one standard error.
        #expect(worlds <= 3, "\(worlds) of 40")
        #expect(Double(byTokens) > 0.4 * Double(bursty), "\(byTokens) of \(bursty)")
    }

    @Test func `of planted differences most are found, and few that are not`() {
        var found = 0, planted = 0, wrong = 0.0, worlds = 0.0
        for seed in 1...6 {
            var draw = Draw(seed: 100 + UInt64(seed), 120, 120), sums: [DocumentSums] = []
            for feature in 0..<120 {
                let factor = feature < 40 ? pow(10, 0.4 + Double(feature) * 0.03) : 1
                sums += draw.sums(density: pow(10, -3.5 + Double(feature % 60) * 0.03), isBursty: feature % 2 == 0, factor: feature % 4 < 2 ? factor : 1 / factor)
            }
            let tests = weigh(sums, on: draw.groups, documentsMinimum: 3), called = tests.indices.filter { (tests[$0]?.q ?? 1) <= 0.05 }
            found += called.count { $0 < 40 }
            planted += tests[..<40].count { $0 != nil }
            wrong += Double(called.count { $0 >= 40 }) / Double(max(1, called.count))
            worlds += 1
            // The sign says on which side.
            for feature in called where feature < 40 { #expect((tests[feature]!.z > 0) == (feature % 4 < 2)) }
        }
        #expect(wrong / worlds <= 0.05, "\(wrong / worlds)")
        #expect(Double(found) >= 0.7 * Double(planted), "\(found) of \(planted)")
    }

    @Test func `one document that is full of it makes no difference of a small set`() throws {
        // Four documents of ten tokens with eight firings in one, against 96 with one firing in each of twenty: Q/Y of the four is 8, of the whole
        // 2.857; G is 19.6318. p is SciPy's 2 · stats.t.sf(z, 20).
        var few = DocumentSums(), many = DocumentSums()
        few.add(8, 10)
        for _ in 0..<20 { many.add(1, 10) }
        let groups = [TopicTable.Totals(documents: 4, tokens: 40, squares: 400), TopicTable.Totals(documents: 96, tokens: 960, squares: 9_600)]
        let test = try #require(weigh([few, many], on: groups, documentsMinimum: 3)[0])
        #expect(abs(test.z - 1.5665166779325639) < 1e-12 && abs(test.q - 0.1329138210256644) < 1e-12)
    }

    @Test func `a comparison says the same the other way round`() {
        var draw = Draw(seed: 7, 12, 30)
        let sums = (0..<20).flatMap { draw.sums(density: 0.01, isBursty: $0 % 2 == 0, factor: $0 < 5 ? 4 : 1) }, groups = draw.groups
        let turned = (0..<20).flatMap { [sums[2 * $0 + 1], sums[2 * $0]] }
        for (a, b) in zip(weigh(sums, on: groups, documentsMinimum: 3), weigh(turned, on: groups.reversed(), documentsMinimum: 3)) { #expect(a?.z == b.map { -$0.z } && a?.q == b?.q) }
    }

    @Test func `a split that shifts between topics is a difference of features, and none of their family`() throws {
        try withTemporaryFolder { folder in
            // In every document of 20 tokens 0 or 1 fires on six: five of them 0 on law and 1 on music. 2 fires on every token of law, 4 of either.
            var world = Planted()
            world.documents = (0..<20).map { (20, $0 % 2 == 0 ? "law" : "music") }
            world.segments = [130, 270]
            world.tokens = (0..<400).map { Int32($0 % 50) }
            for position in 0..<400 {
                let isLaw = position / 20 % 2 == 0, place = position % 20
                if place < 6 { world.firings.append(.init(position: position, feature: (place == 5) != isLaw ? 0 : 1, value: 1)) }
                if isLaw { world.firings.append(.init(position: position, feature: 2, value: 1)) }
                if place < 10 { world.firings.append(.init(position: position, feature: 4, value: 1)) }
            }
            let catalogue = try made(world, in: folder), run = try catalogue.run(of: .init("A/0")!), table = try catalogue.documentTable(of: run.corpus)
            let law = try catalogue.documentSet(named: "LAW", of: run.corpus, table), music = try catalogue.documentSet(named: "music", of: run.corpus, table)
            func differing(_ units: FeatureUnits) throws -> [[Int]] {
                try catalogue.compare(law, music, in: run, units, documentsMinimum: 3, table).differences.filter { $0.q! <= 0.05 }.map(\.unit.members)
            }
            #expect(try differing(FeatureUnits(features: 12)) == [[0], [1], [2]])
            var parents = [Int?](repeating: nil, count: 12)
            (parents[0], parents[1], parents[4]) = (3, 3, 5)
            #expect(try differing(FeatureUnits(parents: parents)) == [[2]])
            let all = try catalogue.compare(law, music, in: run, FeatureUnits(parents: parents), documentsMinimum: 3, table)
            let family = all.differences[0]
            #expect(family.unit.family == 3 && family.unit.members == [0, 1] && family.unit.isFamily && family.z == 0 && family.q == 1)
            #expect(family.first == .init(documentsFiring: 10, firings: 60, rate: 0.3, lift: 1) && family.second == family.first)
            #expect(all.differences.count == 3 && all.tested == 3)
        }
    }

    @Test func `sets that cannot be compared are refused with the reason`() throws {
        try withTemporaryFolder { folder in
            var world = Planted.small(keepTop: 5)
            let thin = try made(world, in: folder), thinRun = try thin.run(of: .init("A/0")!), table = try thin.documentTable(of: thinRun.corpus)
            let law = try thin.documentSet(named: "law", of: thinRun.corpus, table), music = try thin.documentSet(named: "music", of: thinRun.corpus, table)
            let units = FeatureUnits(features: 12)
            #expect(failure { _ = try thin.compare(law, music, in: thinRun, units, documentsMinimum: 3, table) }?.message.contains("keeps only the 5 strongest firings") == true)

            world.keepTop = nil
            let second = folder.appending(path: "second")
            try FileManager.default.createDirectory(at: second, withIntermediateDirectories: true)
            let catalogue = try made(world, in: second), run = try catalogue.run(of: .init("A/0")!)
            let lone = DocumentSet(kind: .topic, name: "lone", places: [4], tokens: 20), all = DocumentSet(kind: .file, name: "a.jsonl", places: Array(0..<20), tokens: world.total)
            #expect(failure { _ = try catalogue.compare(lone, music, in: run, units, documentsMinimum: 3, table) }?.message == "topic \"lone\" has one document: nothing can be tested on fewer than two")
            #expect(failure { _ = try catalogue.compare(all, music, in: run, units, documentsMinimum: 3, table) }?.message == "file \"a.jsonl\" and topic \"music\" share documents")
            // Its only file has the name "a": nothing to be told from.
            for name in ["a.jsonl", "a"] { #expect(try catalogue.documentSet(named: name, of: run.corpus, table) == all) }
            #expect(failure { _ = try catalogue.documentSet(named: "b", of: run.corpus, table) }?.message == "there is no topic \"b\" in corpus \"c\"")
        }
    }

    // MARK: Beside them

    @Test func `a matrix's rows are what the view says`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try made(.small(seed: 5), in: folder), run = try catalogue.run(of: .init("A/0")!), topics = try catalogue.topics(of: run.corpus)
            var features: [Int] = []
            try catalogue.forEachFeature(of: run, on: topics) { feature, rates in
                features.append(feature)
                let viewed = try catalogue.topicRates(of: feature, in: run, by: .z)
                #expect(rates.map(\.rate).sorted { $0.topic < $1.topic } == viewed.sorted { $0.topic < $1.topic })
                #expect(rates.allSatisfy { topics[$0.topic].name == $0.rate.topic })
            }
            #expect(features == Array(0..<12))
        }
    }

    @Test func `a profile says how evenly the mass is spread over tokens`() throws {
        func tally(_ sum: Double) -> kernel_token_tally { kernel_token_tally(sum: sum, firings: 1) }
        // ½, ¼, ¼: 1.5 bits.
        let profile = try #require(TokenProfile([tally(0), tally(1), tally(2), tally(0), tally(1)]))
        #expect(profile.tokens == 3 && abs(profile.entropy - 1.5) < 1e-12 && profile.top == 2 && profile.topShare == 0.5)
        #expect(TokenProfile([tally(0), tally(0)]) == nil)
        #expect(TokenProfile([tally(3)])?.entropy == 0)
        try withTemporaryFolder { folder in
            let world = Planted.small(seed: 2), catalogue = try made(world, in: folder), run = try catalogue.run(of: .init("A/0")!)
            let profiles = try catalogue.tokenProfiles(of: [5, 3, 7, 5], in: run)
            // 5 fires once, 3 never, 7 on every token of the 50.
            #expect(profiles[0]?.tokens == 1 && profiles[0]?.top == Int(world.tokens[300]) && profiles[0]?.topShare == 1 && profiles[1] == nil && profiles[2]?.tokens == 50 && profiles[3] == profiles[0])
        }
    }
}
