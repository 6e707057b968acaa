import Formats
import Foundation

// A model, dictionaries and text small enough to be written down: one token a byte, known weights.

/// A GPT-2 whose parts are chosen by the test; everything that is not set is zero, gains are one.
public struct TinyModel {
    public var width = 16, heads = 2, mlpWidth = 32, contextLength = 32
    /// Ids 0 … 255 are the bytes, 256 is `<|endoftext|>`.
    public static let vocabulary = 257
    public static let endOfText = 256
    public var tensors: [String: (shape: [Int], values: [Float])] = [:]

    public init(width: Int = 16, mlpWidth: Int = 32, contextLength: Int = 32) {
        (self.width, self.mlpWidth, self.contextLength) = (width, mlpWidth, contextLength)
        let ones = [Float](repeating: 1, count: width)
        for norm in ["h.0.ln_1", "h.0.ln_2", "ln_f"] { (self[norm + ".weight"], self[norm + ".bias"]) = (([width], ones), ([width], zeros(width))) }
        for (name, inputs, outputs) in linears { (self[name + ".weight"], self[name + ".bias"]) = (([inputs, outputs], zeros(inputs * outputs)), ([outputs], zeros(outputs))) }
        self["wte.weight"] = ([TinyModel.vocabulary, width], zeros(TinyModel.vocabulary * width))
        self["wpe.weight"] = ([contextLength, width], zeros(contextLength * width))
    }

    /// All weights random: attention, MLP and embeddings all matter.
    public static func random(seed: UInt64) -> TinyModel {
        var model = TinyModel(), random = SeededRandom(seed)
        for name in model.tensors.keys.sorted() where !name.contains("ln_") { model.tensors[name]!.values = random.floats(model.tensors[name]!.values.count, scale: 0.8) }
        return model
    }

    private var linears: [(String, Int, Int)] {
        [("h.0.attn.c_attn", width, 3 * width), ("h.0.attn.c_proj", width, width), ("h.0.mlp.c_fc", width, mlpWidth), ("h.0.mlp.c_proj", mlpWidth, width)]
    }

    public subscript(name: String) -> (shape: [Int], values: [Float]) {
        get { tensors["transformer." + name]! }
        set { tensors["transformer." + name] = newValue }
    }

    /// config.json, model.safetensors and tokenizer.json.
    public func write(to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let config = """
            {"model_type": "gpt2", "n_layer": 1, "n_embd": \(width), "n_head": \(heads), "n_inner": \(mlpWidth), "n_positions": \(contextLength),
             "vocab_size": \(TinyModel.vocabulary), "activation_function": "gelu_new"}
            """
        try Data(config.utf8).write(to: folder.appending(path: "config.json"))
        try writeSafetensors(tensors.keys.sorted().map { ($0, tensors[$0]!.shape, tensors[$0]!.values) }, to: folder.appending(path: "model.safetensors").path)
        try Data(byteTokenizer().utf8).write(to: folder.appending(path: "tokenizer.json"))
    }
}

private func zeros(_ count: Int) -> [Float] { [Float](repeating: 0, count: count) }

/// A byte-level BPE without merges: a token's id is its byte.
/// - Parameter extra: tokens whose ids follow.
public func byteTokenizer(extra: [String] = []) -> String {
    var vocabulary: [String] = []
    var next: UInt32 = 0x100
    for byte in 0..<256 {
        let isPlain = (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte)
        var character = UInt32(byte)
        if !isPlain { character = next; next += 1 }
        vocabulary.append("\"\\u" + String(UInt32(0x10000) + character, radix: 16).dropFirst() + "\": \(byte)")
    }
    let added = (["<|endoftext|>"] + extra).enumerated().map { place, content in
        """
        {"id": \(256 + place), "content": "\(content)", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
        """
    }
    return """
        {"version": "1.0", "truncation": null, "padding": null,
         "added_tokens": [\(added.joined(separator: ", "))],
         "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "post_processor": null,
         "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
         "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                   "byte_fallback": false, "vocab": {\(vocabulary.joined(separator: ", "))}, "merges": []}}
        """
}

/// A dictionary of SAELens's kind "standard": f = relu(x · W_enc + b_enc), x̂ = f · W_dec + b_dec.
public struct TinyDictionary {
    public var width, features: Int
    public var hook: String
    public var contextSize = 32
    public var prependsBOS = false
    /// (width × features)
    public var encoder: [Float]
    /// (features × width)
    public var decoder: [Float]
    public var encoderBias, decoderBias: [Float]

    public init(width: Int, features: Int, hook: String) {
        (self.width, self.features, self.hook) = (width, features, hook)
        (encoder, decoder, encoderBias, decoderBias) = (zeros(width * features), zeros(width * features), zeros(features), zeros(width))
    }

    /// Fires on about a quarter of tokens × features.
    public static func random(features: Int = 48, seed: UInt64) -> TinyDictionary {
        var dictionary = TinyDictionary(width: 32, features: features, hook: "blocks.0.mlp.hook_post"), random = SeededRandom(seed)
        dictionary.encoder = random.floats(32 * features, scale: 1)
        dictionary.decoder = random.floats(32 * features, scale: 1)
        dictionary.encoderBias = random.floats(features, scale: 1).map { $0 - 1.5 }
        dictionary.decoderBias = random.floats(32, scale: 0.1)
        return dictionary
    }

    /// cfg.json and sae_weights.safetensors.
    public func write(to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let config = """
            {"architecture": "standard", "d_in": \(width), "d_sae": \(features), "dtype": "float32", "apply_b_dec_to_input": false, "normalize_activations": "none",
             "metadata": {"sae_lens_version": "6.0.0", "hook_name": "\(hook)", "context_size": \(contextSize), "prepend_bos": \(prependsBOS)}}
            """
        try Data(config.utf8).write(to: folder.appending(path: "cfg.json"))
        try writeSafetensors([
            ("W_dec", [features, width], decoder), ("W_enc", [width, features], encoder), ("b_dec", [width], decoderBias), ("b_enc", [features], encoderBias),
        ], to: folder.appending(path: "sae_weights.safetensors").path)
    }
}

/// JSONL of `documents` documents in five topics, 1 to 300 bytes each; the same for the same seed.
public func randomCorpus(documents: Int, seed: UInt64) -> String {
    var random = SeededRandom(seed), lines = ""
    let letters = Array("abcdefghijklmnop ,.\u{e9}")
    for _ in 0..<documents {
        let text = String((0..<Int.random(in: 1...300, using: &random)).map { _ in letters.randomElement(using: &random)! })
        lines += "{\"text\": \"\(text)\", \"meta\": {\"pile_set_name\": \"topic \(Int.random(in: 0..<5, using: &random))\"}}\n"
    }
    return lines
}
