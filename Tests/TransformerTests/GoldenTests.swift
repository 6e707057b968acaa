import Formats
import Foundation
import Numerics
import Testing
import TestSupport
import Transformer

/// Small models of both families, with what transformers computes for them: every hook, logits, losses.
private let folders: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: fixture("goldens/models"))) ?? []
    return names.sorted().filter { FileManager.default.fileExists(atPath: fixture("goldens/models/\($0)/golden.safetensors")) }
}()

/// The largest difference, relative to the largest number expected.
private func difference(_ found: borrowing Matrix, _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    let scale = expected.reduce(1e-6) { max($0, abs($1)) }
    return zip(found.elements, expected).reduce(0) { max($0, ($1.0 - $1.1).isFinite ? abs($1.0 - $1.1) : .infinity) } / scale
}

@Suite struct GoldenTests {
    @Test(arguments: folders)
    func `activations, logits and losses agree with transformers`(name: String) throws {
        let model = try loadLanguageModel(folder: fixture("goldens/models/\(name)"))
        let golden = try SafetensorsFile(fixture("goldens/models/\(name)/golden.safetensors"))
        func floats(_ name: String) throws -> [Float] { try #require(golden[name], "\(name)").floats() }
        let batch = ContextBatch(
            tokens: try #require(golden["tokens"]).integers().map { Int32($0) }, lengths: try #require(golden["lengths"]).integers().map { Int($0) })

        var hooks = 0
        for text in golden.names where text.hasPrefix("blocks.") {
            let hook = try #require(HookPoint(text), "\(text)")
            let off = difference(try model.activations(of: batch, at: hook), try floats(text))
            #expect(off < 1e-5, "\(hook)")
            hooks += 1
        }
        #expect(hooks >= 7 * model.shape.layers)
        let logits = difference(try model.logits(of: batch), try floats("logits"))
        #expect(logits < 1e-5)
        let losses = try model.losses(of: batch), expected = try floats("losses")
        #expect(losses.count == batch.predictionCount && losses.count == expected.count)
        #expect(zip(losses, expected).allSatisfy { abs($0 - $1) < 1e-4 })

        let neurons = HookPoint(layer: 0, site: .neurons)
        let halving = HookReplacement(at: neurons) { activations in for i in 0..<activations.count { activations.elements[i] *= 0.5 } }
        let halved = difference(try model.logits(of: batch, replacing: halving), try floats("halved"))
        #expect(halved < 1e-5)
    }
}
