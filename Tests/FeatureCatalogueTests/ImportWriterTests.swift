import FeatureCatalogue
import Kernels
import TestSupport
import Testing

@Suite struct ImportWriterTests {
    /// Rows of two features in turns, in segments of a few tokens: each window has three tokens, the last of which fires with 1, 2, 3, ….
    @Test func `what a feature has in many segments is counted and chosen from together`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting), name = DictionaryName("I/0")!
            let run = try catalogue.connection.transaction {
                let writer = try ImportWriter(catalogue, name, model: "m", hook: "h", topic: "t", from: ImportOrigin(origin: "neuronpedia", path: "p", prompts: 10, promptTokens: 100), engine: "test", at: "2026-01-01T00:00:00Z", segmentTokens: 6)
                try writer.add([0, 1].map { ImportedFeature(index: $0, density: 0.25) })
                try writer.enter(file: "f")
                let end = try writer.intern(Array("end".utf8))
                for number in 0..<30 {
                    let tokens = [try writer.intern(Array("a\(number)".utf8)), try writer.intern(Array("b\(number % 3)".utf8)), end]
                    let fired = [kernel_json_fired(place: 0, value: -1), kernel_json_fired(place: 2, value: Float(number / 2 + 1))]
                    try tokens.withUnsafeBufferPointer { tokens in
                        try fired.withUnsafeBufferPointer { fired in
                            try Array("{}".utf8).withUnsafeBufferPointer { try writer.add(ImportedRow(feature: number % 2, tokens: tokens, fired: fired, residue: $0, line: number + 1)) }
                        }
                    }
                }
                return try writer.finish()
            }
            #expect(try catalogue.segments(of: run).count == 15)
            let statistics = try catalogue.statistics(of: 1, in: run)
            // 1 + 2 + … + 15, and a quarter of 1,000 tokens.
            #expect((statistics.sum, statistics.maximum, statistics.documents, statistics.firings) == (120, 15, 15, 250))
            #expect(statistics.maximumPosition == 89)
            let examples = try catalogue.connection.rows("SELECT activation, position, line FROM example WHERE feature = 'I/0/1' ORDER BY rank") { [$0.integer(0), $0.integer(1), $0.integer(2)] }
            #expect(examples == (1...15).reversed().map { [$0, 6 * $0 - 1, 2 * $0] })
            #expect(try catalogue.overview(of: 1, in: run.dictionary).topToken == "end")
            #expect(try catalogue.check().findings == [])
        }
    }
}
