import Formats
import Foundation
import Transformer

/// A generator with a seed (splitmix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] { (0..<count).map { _ in .random(in: range, using: &self) } }
    mutating func tokens(_ count: Int, below vocabulary: Int) -> [Int32] { (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &self) } }
}

/// A model with random weights, written to a folder to be loaded, or to be spoilt first.
struct TinyModel {
    var configuration: [String: Any]
    var tensors: [(name: String, shape: [Int], values: [Float])]

    static func gpt2(layers: Int = 2, width: Int = 16, heads: Int = 4, mlp: Int = 24, vocabulary: Int = 31, context: Int = 20, activation: String = "relu") -> TinyModel {
        var random = SeededGenerator(seed: 3)
        var shapes: [(String, [Int])] = [("transformer.wte.weight", [vocabulary, width]), ("transformer.wpe.weight", [context, width])]
        for layer in 0..<layers {
            let block = "transformer.h.\(layer)."
            for norm in ["ln_1", "ln_2"] { shapes += [(block + norm + ".weight", [width]), (block + norm + ".bias", [width])] }
            for (name, inputs, outputs) in [("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width), ("mlp.c_fc", width, mlp), ("mlp.c_proj", mlp, width)] {
                shapes += [(block + name + ".weight", [inputs, outputs]), (block + name + ".bias", [outputs])]
            }
        }
        shapes += [("transformer.ln_f.weight", [width]), ("transformer.ln_f.bias", [width])]
        return TinyModel(
            configuration: [
                "model_type": "gpt2", "n_layer": layers, "n_embd": width, "n_head": heads, "n_inner": mlp, "vocab_size": vocabulary,
                "n_positions": context, "activation_function": activation,
            ],
            tensors: shapes.map { name, shape in (name, shape, random.floats(shape.reduce(1, *), in: -0.3...0.3)) })
    }

    static func gptNeoX() -> TinyModel {
        var random = SeededGenerator(seed: 4)
        var shapes: [(String, [Int])] = [("gpt_neox.embed_in.weight", [31, 16]), ("embed_out.weight", [31, 16])]
        for norm in ["layers.0.input_layernorm", "layers.0.post_attention_layernorm", "final_layer_norm"] {
            shapes += [("gpt_neox.\(norm).weight", [16]), ("gpt_neox.\(norm).bias", [16])]
        }
        for (name, inputs, outputs) in [("attention.query_key_value", 16, 48), ("attention.dense", 16, 16), ("mlp.dense_h_to_4h", 16, 24), ("mlp.dense_4h_to_h", 24, 16)] {
            shapes += [("gpt_neox.layers.0.\(name).weight", [outputs, inputs]), ("gpt_neox.layers.0.\(name).bias", [outputs])]
        }
        return TinyModel(
            configuration: [
                "model_type": "gpt_neox", "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24,
                "vocab_size": 31, "max_position_embeddings": 20,
            ],
            tensors: shapes.map { name, shape in (name, shape, random.floats(shape.reduce(1, *), in: -0.3...0.3)) })
    }

    func load(in folder: URL) throws -> any LanguageModel {
        try JSONSerialization.data(withJSONObject: configuration).write(to: folder.appending(path: "config.json"))
        try writeSafetensors(tensors, to: folder.appending(path: "model.safetensors").path)
        return try loadLanguageModel(folder: folder.path)
    }
}
