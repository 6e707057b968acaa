import Diagnostics
import Formats
import Foundation
import Testing
import TestSupport
import Transformer

/// One thing spoilt, and what the message must say.
struct Spoilt: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let says: String
    let spoil: @Sendable (inout TinyModel) -> Void
    init(_ name: String, says: String, _ spoil: @escaping @Sendable (inout TinyModel) -> Void) { (testDescription, self.says, self.spoil) = (name, says, spoil) }

    static func key(_ key: String, _ value: any Sendable, says: String) -> Spoilt { Spoilt("\(key) = \(value)", says: says) { $0.configuration[key] = value } }
    static func tensor(_ name: String, says: String, _ change: @escaping @Sendable (inout (name: String, shape: [Int], values: [Float])) -> Void) -> Spoilt {
        Spoilt(name, says: says) { model in change(&model.tensors[model.tensors.firstIndex { $0.name == name }!]) }
    }
}

@Suite struct HostileModelTests {
    @Test(arguments: [
        .key("model_type", "mamba", says: #"architecture "mamba" is not supported"#),
        Spoilt("no model_type", says: "supported architectures: gpt2, gpt_neox") { $0.configuration["model_type"] = nil },
        .key("n_embd", 0, says: "n_embd is 0"), .key("n_embd", -16, says: "n_embd is -16"), .key("n_embd", 1 << 40, says: "n_embd is 1099511627776"),
        .key("n_embd", "16", says: "n_embd is \"16\""), .key("n_embd", 16.5, says: "n_embd is 16.5"), .key("n_embd", 32, says: "has shape [31, 16] where config.json makes it [31, 32]"),
        .key("n_head", 3, says: "n_head 3 does not divide n_embd 16"), .key("n_head", 0, says: "n_head is 0"),
        .key("n_layer", 3, says: #""transformer.h.2.ln_1.weight" is missing"#), .key("n_layer", 1 << 30, says: "n_layer is"),
        .key("n_inner", -1, says: "n_inner is -1"), .key("n_positions", 0, says: "n_positions is 0"), .key("n_positions", 1 << 24, says: "transformer.wpe.weight"),
        .key("vocab_size", Int.max, says: "vocab_size is"), .key("vocab_size", 30, says: "transformer.wte.weight"),
        .key("layer_norm_epsilon", -1, says: "layer_norm_epsilon is -1"), .key("layer_norm_epsilon", 0, says: "layer_norm_epsilon is 0"),
        .key("activation_function", "mish", says: #"activation_function "mish" is not supported"#),
        .key("scale_attn_weights", "yes", says: "scale_attn_weights is \"yes\""), .key("add_cross_attention", true, says: "add_cross_attention is not supported"),
        .key("tie_word_embeddings", false, says: #""lm_head.weight" is missing"#),
        .tensor("transformer.h.1.mlp.c_fc.weight", says: #""transformer.h.1.mlp.c_fc.weight" has shape [24, 16]"#) { $0.shape = [24, 16] },
        .tensor("transformer.h.0.ln_1.bias", says: #""transformer.h.0.ln_1.bias" has shape [4, 4]"#) { $0.shape = [4, 4] },
        .tensor("transformer.h.0.attn.c_attn.bias", says: #""transformer.h.0.attn.c_attn.bias" holds NaN"#) { $0.values[47] = .nan },
        .tensor("transformer.wte.weight", says: #""transformer.wte.weight" holds NaN or infinite"#) { $0.values[100] = .infinity },
        .tensor("transformer.wte.weight", says: #""transformer.wte.weight" is missing"#) { $0.name = "other" },
    ] as [Spoilt])
    func `a broken GPT-2 is refused with its reason`(spoilt: Spoilt) throws {
        try withTemporaryFolder { folder in
            var model = TinyModel.gpt2()
            spoilt.spoil(&model)
            #expect { _ = try model.load(in: folder) } throws: { error in "\(error)".contains(spoilt.says) && error is MonosemeError }
        }
    }

    @Test(arguments: [
        .key("rotary_pct", 1.5, says: "rotary_pct is 1.5"), .key("rotary_pct", 0.2, says: "an odd count"), .key("rotary_emb_base", 0, says: "rotary_emb_base is 0"),
        .key("rope_scaling", ["type": "dynamic", "factor": 2] as [String: any Sendable], says: #"rope_scaling of kind "dynamic" is not supported"#),
        .key("rope_parameters", ["rope_type": "yarn"], says: #"rope_parameters of kind "yarn" is not supported"#),
        .key("rope_parameters", ["rope_type": "default", "partial_rotary_factor": -3] as [String: any Sendable], says: "out of range"),
        .key("rope_scaling", ["type": "linear", "factor": 0] as [String: any Sendable], says: "the factor 0"), .key("rope_scaling", 3, says: "rope_scaling is an integer"),
        .key("hidden_size", 17, says: "num_attention_heads 2 does not divide hidden_size 17"), .key("max_position_embeddings", 1 << 30, says: "max_position_embeddings is"),
        Spoilt("no unembedding", says: #""embed_out.weight" is missing"#) { $0.tensors.removeAll { $0.name == "embed_out.weight" } },
        Spoilt("no intermediate_size", says: "config.json lacks intermediate_size") { $0.configuration["intermediate_size"] = nil },
    ] as [Spoilt])
    func `a broken GPT-NeoX is refused with its reason`(spoilt: Spoilt) throws {
        try withTemporaryFolder { folder in
            var model = TinyModel.gptNeoX()
            spoilt.spoil(&model)
            #expect { _ = try model.load(in: folder) } throws: { error in "\(error)".contains(spoilt.says) && error is MonosemeError }
        }
    }

    @Test func `weights that are not floating-point numbers are refused`() throws {
        try withTemporaryFolder { folder in
            _ = try TinyModel.gpt2().load(in: folder)
            let path = folder.appending(path: "model.safetensors")
            let bytes = try Data(contentsOf: path)
            let header = String(decoding: bytes.prefix(8 + Int(bytes[0]) + 256 * Int(bytes[1])).dropFirst(8), as: UTF8.self)
            try (bytes.prefix(8) + Data(header.replacingOccurrences(of: "F32", with: "I32").utf8) + bytes.dropFirst(8 + header.utf8.count)).write(to: path)
            #expect { _ = try loadLanguageModel(folder: folder.path) } throws: { "\($0)".contains(#""transformer.wte.weight" holds I32"#) }
        }
    }

    @Test func `a folder without a model is named`() throws {
        try withTemporaryFolder { folder in
            #expect { _ = try loadLanguageModel(folder: folder.path + "/none") } throws: { "\($0)".contains("there is no folder") }
            #expect { _ = try loadLanguageModel(folder: folder.path) } throws: { "\($0)".contains("config.json") }
            try Data("[]".utf8).write(to: folder.appending(path: "config.json"))
            #expect { _ = try loadLanguageModel(folder: folder.path) } throws: { "\($0)".contains("an array, not an object") }
            try Data("{".utf8).write(to: folder.appending(path: "config.json"))
            #expect { _ = try loadLanguageModel(folder: folder.path) } throws: { "\($0)".contains("not valid JSON") }
        }
    }

    @Test(arguments: [
        (ContextBatch([[31]]), "token id 31 is outside the vocabulary"), (ContextBatch([[1, -1]]), "token id -1"),
        (ContextBatch([Array(repeating: 1, count: 21)]), "a context of 21 tokens is longer"),
        (ContextBatch(tokens: [1, 2], lengths: [1]), "in no context"), (ContextBatch(tokens: [1], lengths: [2]), "does not hold contexts"),
        (ContextBatch(tokens: [1], lengths: [-1, 2]), "does not hold contexts"), (ContextBatch(tokens: [1], lengths: [Int.max, Int.max]), "does not hold contexts"),
    ])
    func `a batch that does not fit the model is refused with its reason`(batch: ContextBatch, says: String) throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2().load(in: folder)
            let hook = HookPoint(layer: 0, site: .neurons)
            #expect { _ = try model.activations(of: batch, at: hook) } throws: { "\($0)".contains(says) }
            #expect { _ = try model.logits(of: batch) } throws: { "\($0)".contains(says) }
            #expect { _ = try model.losses(of: batch) } throws: { "\($0)".contains(says) }
        }
    }

    @Test func `a hook the model lacks is refused with those it has`() throws {
        try withTemporaryFolder { folder in
            let serial = try TinyModel.gpt2().load(in: folder), parallel = try TinyModel.gptNeoX().load(in: folder)
            #expect { _ = try serial.width(at: HookPoint(layer: 2, site: .neurons)) } throws: { "\($0)".contains("no hook blocks.2.mlp.hook_post") && "\($0)".contains("blocks.0 … blocks.1") }
            #expect { _ = try parallel.width(at: HookPoint(layer: 0, site: .residualBetween)) } throws: { "\($0)".contains("no hook blocks.0.hook_resid_mid") }
            #expect(throws: MonosemeError.self) { _ = try serial.losses(of: ContextBatch([[1, 2]]), replacing: HookReplacement(at: HookPoint(layer: -1, site: .neurons)) { _ in }) }
        }
    }

    @Test func `an empty batch has no activations, logits or losses`() throws {
        try withTemporaryFolder { folder in
            let model = try TinyModel.gpt2().load(in: folder)
            for batch in [ContextBatch(), ContextBatch(tokens: [], lengths: [0, 0])] {
                let activations = try model.activations(of: batch, at: HookPoint(layer: 1, site: .residualAfter)), logits = try model.logits(of: batch)
                #expect(activations.rows == 0 && logits.rows == 0)
                #expect(try model.losses(of: batch).isEmpty)
            }
        }
    }
}
