import Diagnostics
import Formats
import Foundation
import Numerics
import Testing
import TestSupport
import Transformer

/// All elements, copied while the matrix is held.
private func floats(of matrix: borrowing Matrix) -> [Float] { (0..<matrix.count).map { matrix.elements[$0] } }

@Suite struct HookPointTests {
    @Test func `names are read and written alike`() {
        for site in HookPoint.Site.allCases {
            let hook = HookPoint(layer: 12, site: site)
            #expect(HookPoint(hook.description) == hook)
        }
        #expect(HookPoint("blocks.0.mlp.hook_post") == HookPoint(layer: 0, site: .neurons))
        for text in ["", "blocks", "blocks.0", "blocks.-1.hook_resid_pre", "blocks.+1.hook_resid_pre", "blocks.01.hook_resid_pre", "blocks.0.hook_q", "blocks.99999999999999999999.hook_resid_pre", "block.0.hook_resid_pre", "blocks.0.mlp.hook_post "] {
            #expect(HookPoint(text) == nil, "\(text)")
        }
    }
}

@Suite struct ModelTests {
    @Test func `a context's activations do not depend on its batch`() throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2(context: 200).load(in: folder)
            var random = SeededGenerator(seed: 12)
            let contexts = [200, 1, 65, 0, 64, 130, 199].map { random.tokens($0, below: 31) }
            let hook = HookPoint(layer: 1, site: .residualAfter)
            let together = try model.activations(of: ContextBatch(contexts), at: hook)
            let losses = try model.losses(of: ContextBatch(contexts))
            var row = 0, loss = 0
            for context in contexts {
                let alone = try model.activations(of: ContextBatch([context]), at: hook)
                for i in 0..<alone.count { #expect(abs(alone.elements[i] - together.elements[row * 16 + i]) < 1e-5) }
                for value in try model.losses(of: ContextBatch([context])) { #expect(abs(losses[loss] - value) < 1e-5); loss += 1 }
                row += context.count
            }
            #expect(loss == losses.count)
        }
    }

    @Test func `threads that share a model do not disturb each other`() throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gptNeoX().load(in: folder)
            let batches = (0..<8).map { seed in
                var random = SeededGenerator(seed: UInt64(seed))
                return ContextBatch((0..<(seed + 1)).map { _ in random.tokens(20 - seed, below: 31) })
            }
            let hook = HookPoint(layer: 0, site: .residualAfter)
            let alone = try batches.map { floats(of: try model.activations(of: $0, at: hook)) }
            nonisolated(unsafe) let together = UnsafeMutableBufferPointer<[Float]>.allocate(capacity: 64)
            together.initialize(repeating: [])
            defer { together.deinitialize(); together.deallocate() }
            DispatchQueue.concurrentPerform(iterations: 64) { turn in
                if let activations = try? model.activations(of: batches[turn % 8], at: hook) { together[turn] = floats(of: activations) }
            }
            for turn in 0..<64 { #expect(together[turn] == alone[turn % 8]) }
        }
    }

    @Test func `the weights' digest is that of their file`() throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2().load(in: folder)
            let file = try Data(contentsOf: folder.appending(path: "model.safetensors"))
            #expect(model.weightsSHA256 == hexadecimal(file.withUnsafeBytes { SHA256.digest(of: $0) }))
            #expect(model.name == folder.lastPathComponent)
        }
    }

    @Test func `the future does not reach the past`() throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2(context: 150).load(in: folder)
            var random = SeededGenerator(seed: 13)
            let first = random.tokens(150, below: 31)
            var second = first
            for i in 100..<150 { second[i] = (second[i] + 1) % 31 }
            let hook = HookPoint(layer: 1, site: .residualAfter)
            let a = try model.activations(of: ContextBatch([first]), at: hook), b = try model.activations(of: ContextBatch([second]), at: hook)
            #expect((0..<1600).allSatisfy { a.elements[$0] == b.elements[$0] })
            #expect((1600..<2400).contains { a.elements[$0] != b.elements[$0] })
        }
    }

    @Test func `losses are the cross-entropy of the logits`() throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2(vocabulary: 5000).load(in: folder)
            var random = SeededGenerator(seed: 14)
            let batch = ContextBatch([random.tokens(20, below: 5000), random.tokens(7, below: 5000)])
            let logits = try model.logits(of: batch), losses = try model.losses(of: batch)
            var expected: [Double] = []
            for row in 0..<26 where row != 19 {
                let values = (0..<5000).map { Double(logits[row, $0]) }
                expected.append(log(values.reduce(0) { $0 + exp($1) }) - values[Int(batch.tokens[row + 1])])
            }
            #expect(losses.count == 25)
            #expect(zip(losses, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
        }
    }

    @Test func `replacing activations by themselves changes nothing, and by others what follows`() throws {
        try withTemporaryFolder { folder in
            for (model, parallel) in [(try TinyModel.gpt2().load(in: folder), false), (try TinyModel.gptNeoX().load(in: folder), true)] {
                let batch = ContextBatch([[1, 2, 3, 4, 5], [6, 7]])
                let plain = try model.logits(of: batch)
                for site in HookPoint.Site.allCases where !(parallel && site == .residualBetween) {
                    let hook = HookPoint(layer: 0, site: site)
                    var rows = 0
                    let same = try model.logits(of: batch, replacing: HookReplacement(at: hook) { rows = $0.rows })
                    #expect(rows == 7)
                    for i in 0..<plain.count { #expect(abs(same.elements[i] - plain.elements[i]) < 1e-5, "\(hook)") }
                    let zeroed = try model.logits(of: batch, replacing: HookReplacement(at: hook) { $0.elements.update(repeating: 0) })
                    #expect((0..<plain.count).contains { abs(zeroed.elements[$0] - plain.elements[$0]) > 1e-3 }, "\(hook)")
                    let losses = try model.losses(of: batch, replacing: HookReplacement(at: hook) { $0.elements.update(repeating: 0) })
                    #expect(try losses != model.losses(of: batch))
                }
            }
        }
    }

    @Test func `directions are the output projection's rows, or the step itself`() throws {
        try withTemporaryFolder { folder in
            // (model, W_O, W_out, whether they are stored (outputs × inputs))
            let families = [
                (TinyModel.gpt2(), "transformer.h.0.attn.c_proj.weight", "transformer.h.0.mlp.c_proj.weight", false),
                (TinyModel.gptNeoX(), "gpt_neox.layers.0.attention.dense.weight", "gpt_neox.layers.0.mlp.dense_4h_to_h.weight", true),
            ]
            for (tiny, attentionOut, mlpOut, isOutputMajor) in families {
                let model = try tiny.load(in: folder)
                for site in HookPoint.Site.allCases where site != .residualBetween {
                    let hook = HookPoint(layer: 0, site: site), width = try model.width(at: hook)
                    let step = Matrix(rows: 2, columns: width)
                    step[1, 2] = 3
                    guard let direction = try model.residualDirections(of: step, at: hook) else {
                        #expect(site == .neuronsBefore)
                        continue
                    }
                    #expect(direction.rows == 2 && direction.columns == 16)
                    let weight = site == .neurons ? mlpOut : site == .headResults ? attentionOut : nil
                    for i in 0..<16 {
                        let stored = weight.map { name in tiny.tensors.first { $0.name == name }!.values[isOutputMajor ? i * width + 2 : 2 * 16 + i] }
                        #expect(direction[0, i] == 0)
                        #expect(abs(direction[1, i] - 3 * (stored ?? (i == 2 ? 1 : 0))) < 1e-6, "\(hook)")
                    }
                }
                let narrow = Matrix(rows: 1, columns: 5)
                #expect(throws: MonosemeError.self) { _ = try model.residualDirections(of: narrow, at: HookPoint(layer: 0, site: .neurons)) }
            }
        }
    }

    @Test func `logit weights are the final norm's gain and centring through the unembedding`() throws {
        try withTemporaryFolder { folder in
            let tiny = TinyModel.gpt2()
            let model = try tiny.load(in: folder)
            var random = SeededGenerator(seed: 15)
            let values = random.floats(32)
            let found = model.logitWeights(ofResidual: Matrix(rows: 2, columns: 16, values))
            let gain = tiny.tensors.first { $0.name == "transformer.ln_f.weight" }!.values, embedding = tiny.tensors[0].values
            for row in 0..<2 {
                let u = values[(row * 16)..<(row * 16 + 16)].map(Double.init), mean = u.reduce(0, +) / 16
                for token in 0..<31 {
                    let expected = (0..<16).reduce(0.0) { $0 + (u[$1] - mean) * Double(gain[$1]) * Double(embedding[token * 16 + $1]) }
                    #expect(abs(Double(found[row, token]) - expected) < 1e-6)
                }
            }
        }
    }
}
