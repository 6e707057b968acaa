import Diagnostics
@testable import FeatureCatalogue
import Foundation
@testable import Labelling
import LabellingSupport
import SQLite
import Testing
import TestSupport

struct ExamplesTests {
    static let world = LabelWorld()

    @Test func `Windows lie on a grid within documents and never overlap`() throws {
        let table = documents([70, 32, 7, 8, 33, 40])
        let grid = try #require(WindowGrid(table, tokens: 190))
        // 70 = 32 + 32 + a rest of 6; 7 is too short; 33 = 32 + 1; 40 = 32 + 8.
        #expect((0..<grid.count).map { grid.positions(of: $0) } == [0..<32, 32..<64, 70..<102, 109..<117, 117..<149, 150..<182, 182..<190])
        #expect([0, 31, 32, 63, 64].map { grid.window(of: $0, inDocumentAt: 0) } == [0, 0, 1, 1, nil])
        #expect(grid.window(of: 103, inDocumentAt: 2) == nil)
        // A run that has come to position 100 knows 30 tokens of the second document.
        let early = try #require(WindowGrid(table, tokens: 100))
        #expect((0..<early.count).map { early.positions(of: $0) } == [0..<32, 32..<64, 70..<100])
        #expect(WindowGrid(documents([4, -1]), tokens: 3) == nil)
        #expect(WindowGrid(DocumentTable(), tokens: 0)?.count == 0)
    }

    @Test func `Windows drawn are what the corpus holds, train and test share none, and seeds decide`() throws {
        try withTemporaryFolder { folder in
            let world = Self.world, path = folder.appending(path: "c.sqlite").path
            try world.write(to: path)
            let source = try ExampleSource(Catalogue(path: path, for: .reading), of: LabelWorld.name)
            var counts = ExampleCounts()
            counts.seed = 3
            for feature in 0..<6 {
                let train = try source.train(feature, counts, isScored: true, contrastive: true), rows = train.examples.map { $0.row(.train) }
                let test = try source.test(feature, counts, excluding: rows)
                #expect(Set(train.examples.map(\.firstPosition)).isDisjoint(with: test.examples.map(\.firstPosition)))
                #expect(Set((train.examples + test.examples).map(\.text)).count == train.examples.count + test.examples.count)
                for example in train.examples + test.examples {
                    let range = example.firstPosition..<example.firstPosition + example.tokens
                    #expect(example.isActive == world.fires(feature, in: range) && example.tokens == 32)
                    #expect(example.text == range.map { LabelWorld.spelling(Int(world.tokens[$0])) }.joined())
                    #expect(example.pieces.map(\.activation) == range.map { position in world.firings[position].first { $0.feature == feature }?.value ?? 0 })
                    #expect(example.isActive == (example.kind == .top || example.kind == .interval))
                }
                #expect(train.active.count == min(20, train.activeWindows / 2) && test.active.count >= 6)
                #expect(train.silent.count == 10 && test.silent.count == test.active.count)
                #expect(test.silent.count { $0.kind == .contrast } == test.active.count / 2)
                // The strongest lead.
                let top = train.examples.filter { $0.kind == .top }.map(\.maximum)
                #expect(top == top.sorted(by: >))
                #expect(try ExampleSource(Catalogue(path: path, for: .reading), of: LabelWorld.name).train(feature, counts, isScored: true, contrastive: true) == train)
                var other = counts
                other.seed = 4
                #expect(try source.test(feature, other, excluding: rows) != test)
            }
            // Look-alikes of a feature that wants " w8" before " a5" are mostly windows with " a5", and in all it is silent.
            let contrast = try source.train(5, counts, isScored: true, contrastive: true).silent
            #expect(contrast.count { $0.text.contains(" a5 ") } >= 4)
        }
    }

    @Test func `A window that a label was made from cannot become a test example of it`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path)
            let feature = FeatureName("L/0/0")!
            let train = LabelExample(firstPosition: 70, tokens: 32, role: .train, kind: "top", activation: 9)
            let label = try catalogue.addLabel(LabelEntry("a0", for: feature, author: "m", authorKind: .model, method: "explain", status: .draft, examples: [train]), at: LabelWorld.time)
            for first in [70, 69, 101, 90] {
                #expect(throws: SQLiteError.self) { try catalogue.addExamples([LabelExample(firstPosition: first, tokens: 32, role: .test, kind: "interval", activation: 1)], to: label.id) }
            }
            try catalogue.addExamples([LabelExample(firstPosition: 102, tokens: 32, role: .test, kind: "interval", activation: 1)], to: label.id)
            // Nor can a judgement be of a window that is no test example.
            var score = LabelScoreEntry(label: label.id, feature: feature, method: "detection")
            score.judgements = [LabelJudgement(firstPosition: 70, isTrue: true, verdict: true)]
            #expect(throws: (any Error).self) { try catalogue.addScore(score, author: "m", at: LabelWorld.time) }
            score.judgements = [LabelJudgement(firstPosition: 102, isTrue: true, verdict: true)]
            _ = try catalogue.addScore(score, author: "m", at: LabelWorld.time)
            // Draws for a label keep clear of what it was made from, whatever the seed, also where that does not lie on the grid, as with labels from elsewhere.
            let source = try ExampleSource(catalogue, of: LabelWorld.name), made = [train.firstPosition..<102] + (0..<40).map { 1000 + 200 * $0..<1020 + 200 * $0 }
            let excluded = made.map { LabelExample(firstPosition: $0.lowerBound, tokens: $0.count, role: .train, kind: "top", activation: 9) }
            for seed in 0..<10 {
                var counts = ExampleCounts()
                (counts.seed, counts.test) = (UInt64(seed), 100)
                let drawn = try source.test(0, counts, excluding: excluded).examples
                #expect(drawn.count > 50 && drawn.allSatisfy { example in made.allSatisfy { !$0.overlaps(example.firstPosition..<example.firstPosition + example.tokens) } })
            }
        }
    }

    @Test func `Where only the strongest firings or examples were kept, silence is not known`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let catalogue = try Self.world.write(to: path, keepTop: 30), source = try ExampleSource(catalogue, of: LabelWorld.name)
            // Feature 0 fired more often than that, feature 6 seven times.
            #expect(try source.test(0, ExampleCounts(), excluding: []).knowsSilence == false)
            #expect(try source.test(6, ExampleCounts(), excluding: []).knowsSilence)
            let test = try source.test(0, ExampleCounts(), excluding: [])
            #expect(test.silent.isEmpty && ScoreSheet.omission(.detection, test, holdsExamplesOnly: false)!.contains("strongest firings") && ScoreSheet.omission(.fuzzing, test, holdsExamplesOnly: false) == nil)
            try catalogue.connection.run("UPDATE run SET evidence = 'examples'")
            let few = try ExampleSource(catalogue, of: LabelWorld.name).test(6, ExampleCounts(), excluding: [])
            #expect(ScoreSheet.omission(.simulation, few, holdsExamplesOnly: true)!.contains("only examples of its firings are known"))
        }
    }
}

private func documents(_ lengths: [Int]) -> DocumentTable {
    var table = DocumentTable(), next = 0
    for length in lengths {
        table.starts.append(next)
        table.lengths.append(length)
        table.topics.append(1)
        next += length
    }
    return table
}
