import Formats
import Foundation
import Numerics
import Testing
import TestSupport
import Transformer

/// Small models of both families, with what transformers computes for one context: every hook, and the logits.
private let names = [
    "gpt-2-gelu", "gpt-2-gelu-new", "gpt-2-half", "gpt-2-inverse-layer", "gpt-2-relu", "gpt-2-sharded", "gpt-neox-half", "gpt-neox-parallel",
    "gpt-neox-serial",
]

/// The largest difference, relative to the largest number expected.
private func difference(_ found: borrowing Matrix, _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    let scale = expected.reduce(1e-6) { max($0, abs($1)) }
    return zip(found.elements, expected).reduce(0) { max($0, ($1.0 - $1.1).isFinite ? abs($1.0 - $1.1) : .infinity) } / scale
}

/// −log p of each next token, from logits (positions × vocabulary), in double precision.
private func crossEntropies(_ logits: [Float], _ tokens: [Int32]) -> [Double] {
    let vocabulary = logits.count / tokens.count
    return (0..<tokens.count - 1).map { position in
        let row = logits[(position * vocabulary)..<((position + 1) * vocabulary)].map(Double.init), top = row.max()!
        return log(row.reduce(0) { $0 + exp($1 - top) }) + top - row[Int(tokens[position + 1])]
    }
}

@Suite struct GoldenTests {
    @Test(arguments: names)
    func `activations, logits and losses agree with transformers`(name: String) throws {
        let model = try loadLanguageModel(folder: fixture("goldens/models/\(name)"))
        let golden = try SafetensorsFile(fixture("goldens/models/\(name)/golden.safetensors"))
        func floats(_ name: String) throws -> [Float] { try #require(golden[name], "\(name)").floats() }
        let batch = ContextBatch([try #require(golden["input_ids"]).integers().map { Int32($0) }])

        // Where this golden was made, the rotary frequencies had gone through half precision with the weights.
        let tolerance: Float = name == "gpt-neox-half" ? 1e-4 : 1e-5

        let hooks = golden.names.filter { $0.hasPrefix("blocks.") }
        #expect(hooks.count == (name.hasPrefix("gpt-neox") && name != "gpt-neox-serial" ? 7 : 8) * model.shape.layers)
        for text in hooks {
            let hook = try #require(HookPoint(text), "\(text)")
            let off = difference(try model.activations(of: batch, at: hook), try floats(text))
            #expect(off < tolerance, "\(hook)")
        }
        let off = difference(try model.logits(of: batch), try floats("logits"))
        #expect(off < tolerance)
        let losses = try model.losses(of: batch), expected = crossEntropies(try floats("logits"), batch.tokens)
        #expect(losses.count == expected.count && zip(losses, expected).allSatisfy { abs(Double($0) - $1) < 1e-4 })
    }

    /// Other tokens run, but the stream after the first layer is replaced by that of the golden ones: their logits must come out.
    @Test(arguments: names)
    func `what is put into a hook is what the model goes on with`(name: String) throws {
        let model = try loadLanguageModel(folder: fixture("goldens/models/\(name)"))
        let golden = try SafetensorsFile(fixture("goldens/models/\(name)/golden.safetensors"))
        func floats(_ name: String) throws -> [Float] { try #require(golden[name], "\(name)").floats() }
        let tokens = try #require(golden["input_ids"]).integers()
        let others = ContextBatch([tokens.map { (Int32($0) + 7) % Int32(model.shape.vocabulary) }])
        for hook in [HookPoint(layer: 0, site: .residualAfter), HookPoint(layer: 1, site: .residualBefore)] {
            let stream = try floats(hook.description)
            let replacement = HookReplacement(at: hook) { activations in _ = activations.elements.update(from: stream) }
            let off = difference(try model.logits(of: others, replacing: replacement), try floats("logits"))
            #expect(off < 1e-5)
        }
    }

    @Test(arguments: ["full", "partial"])
    func `the trained model agrees with transformers on the corpus`(context: String) throws {
        let model = try loadLanguageModel(folder: fixture("model-A"))
        let golden = try SafetensorsFile(fixture("goldens/models/model-A/golden.safetensors"))
        func floats(_ name: String) throws -> [Float] { try #require(golden["\(context).\(name)"], "\(name)").floats() }
        let batch = ContextBatch([try #require(golden["\(context).input_ids"]).integers().map { Int32($0) }])
        let neurons = difference(try model.activations(of: batch, at: HookPoint(layer: 0, site: .neurons)), try floats("blocks.0.mlp.hook_post"))
        #expect(neurons < 1e-5)
        // Of the rest the golden keeps the last eight positions.
        func last(_ matrix: borrowing Matrix) -> Matrix { Matrix(rows: 8, columns: matrix.columns, (matrix.count - 8 * matrix.columns..<matrix.count).map { matrix.elements[$0] }) }
        let stream = difference(last(try model.activations(of: batch, at: HookPoint(layer: 0, site: .residualAfter))), try floats("blocks.0.hook_resid_post"))
        #expect(stream < 1e-5)
        let logits = difference(last(try model.logits(of: batch)), try floats("logits"))
        #expect(logits < 1e-5)
    }
}
