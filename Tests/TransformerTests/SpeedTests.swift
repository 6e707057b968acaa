import Foundation
import Testing
import TestSupport
import Transformer

/// The ingest's own job: one layer, d_model 128, 4 heads, 512 ReLU neurons, 8 contexts of 256. In the ordinary run once,
/// so that it never rots; `MONOSEME_BENCHMARK=100 swift test --filter SpeedTests` measures.
@Suite struct SpeedTests {
    @Test func `tokens per CPU second through one layer`() throws {
        let turns = ProcessInfo.processInfo.environment["MONOSEME_BENCHMARK"].flatMap(Int.init) ?? 1
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2(layers: 1, width: 128, heads: 4, mlp: 512, vocabulary: 4096, context: 256).load(in: folder)
            var random = SeededGenerator(seed: 16)
            let batch = ContextBatch((0..<8).map { _ in random.tokens(256, below: 4096) })
            func measure(_ name: String, _ body: () throws -> Int) rethrows {
                for _ in 0..<min(turns, 5) { #expect(try body() > 0) }
                let start = clock()
                for _ in 0..<turns { _ = try body() }
                let rate = Double(turns * 2048) / (Double(clock() - start) / Double(CLOCKS_PER_SEC))
                if turns > 1 { print("\(name): \(Int(rate)) tokens per CPU second") }
            }
            let neurons = HookPoint(layer: 0, site: .neurons)
            try measure("blocks.0.mlp.hook_post") { try model.activations(of: batch, at: neurons).count }
            try measure("losses") { try model.losses(of: batch).count }
        }
    }
}
