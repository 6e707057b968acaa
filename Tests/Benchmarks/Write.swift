import Formats
import Glibc
import LinearAlgebra
import Numerics
import Transformer

/// Writes a job into a folder: `model/`, `sae/`, `corpus.jsonl`, and the same tokens as `tokens.i32` (contexts × context
/// length, little-endian, BOS first) for programs that do not read text.
func write(_ job: Job, to folder: String) throws {
    for path in [folder, folder + "/model", folder + "/sae"] { mkdir(path, 0o755) }
    var random = Random(1)
    let words = try writeTokenizer(job, to: folder + "/model/tokenizer.json")
    try writeModel(job, to: folder + "/model", &random)
    let contexts = try writeCorpus(job, words, to: folder, &random)
    try writeAutoencoder(job, contexts, folder, &random)
}

private func normal(_ count: Int, mean: Float = 0, deviation: Float, _ random: inout Random) -> [Float] {
    (0..<count).map { _ in
        // Box and Muller, 1958.
        let u = Double.random(in: 0x1p-53...1, using: &random), v = Double.random(in: 0..<1, using: &random)
        return mean + deviation * Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
    }
}

private func save(_ bytes: [UInt8], to path: String) {
    guard let file = fopen(path, "w") else { preconditionFailure("cannot write \(path)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
}

// MARK: Tokens

/// A byte-level BPE whose words are a space and two syllables, so that every token sequence is the encoding of its text.
/// Returns the words by id, from `firstWord`.
private func writeTokenizer(_ job: Job, to path: String) throws -> (first: Int, words: [String]) {
    var vocabulary = ["<|endoftext|>"], merges: [(String, String)] = []
    // GPT-2's printable stand-ins for bytes.
    var next = 256
    for byte in 0..<256 {
        let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
        vocabulary.append(String(Character(Unicode.Scalar(UInt32(isPrintable ? byte : next))!)))
        if !isPrintable { next += 1 }
    }
    let syllables = "bcdfghjklmnpqrstvwxyz".flatMap { a in "aeiou".map { String(a) + String($0) } }
    for syllable in syllables { merges.append((String(syllable.first!), String(syllable.last!))) }
    let space = "\u{120}"
    for syllable in syllables { merges.append((space, syllable)) }
    vocabulary += merges.map { $0 + $1 }
    let first = vocabulary.count
    var words: [String] = []
    for a in syllables {
        for b in syllables where vocabulary.count < job.vocabulary {
            merges.append((space + a, b))
            vocabulary.append(space + a + b)
            words.append(" " + a + b)
        }
    }
    var writer = JSONWriter()
    writer.object { writer in
        writer.key("added_tokens")
        writer.array { $0.object { writer in
            writer.member("id", 0)
            writer.member("content", vocabulary[0])
            for key in ["single_word", "lstrip", "rstrip", "normalized"] { writer.member(key, false) }
            writer.member("special", true)
        } }
        writer.key("normalizer")
        writer.null()
        for key in ["pre_tokenizer", "post_processor", "decoder"] {
            writer.key(key)
            writer.object { writer in
                writer.member("type", "ByteLevel")
                writer.member("add_prefix_space", false)
                writer.member("trim_offsets", true)
                writer.member("use_regex", true)
            }
        }
        writer.key("model")
        writer.object { writer in
            writer.member("type", "BPE")
            writer.key("vocab")
            writer.object { writer in for (id, token) in vocabulary.enumerated() { writer.member(token, id) } }
            writer.key("merges")
            writer.array { writer in for (a, b) in merges { writer.array { $0.value(a); $0.value(b) } } }
        }
    }
    save(writer.bytes, to: path)
    return (first, words)
}

/// Documents of one to eight contexts on twenty topics. Words are of Zipf's frequencies, and half of them follow from
/// the one before: repeated pairs, as text has.
private func writeCorpus(_ job: Job, _ words: (first: Int, words: [String]), to folder: String, _ random: inout Random) throws -> [[Int32]] {
    let count = words.words.count, length = job.context - 1
    var cumulative: [Double] = [], total = 0.0
    for rank in 0..<count { total += 1 / Double(rank + 10); cumulative.append(total) }
    let follower = (0..<count).shuffled(using: &random)
    var contexts: [[Int32]] = [], ids: [UInt8] = [], lines: [UInt8] = []
    while contexts.count * length < job.tokens {
        var text = ""
        for _ in 0..<min(Int.random(in: 1...8, using: &random), (job.tokens - contexts.count * length + length - 1) / length) {
            var context: [Int32] = [0], word = 0
            for place in 0..<length {
                if place > 0, Bool.random(using: &random) { word = follower[word] } else {
                    let at = Double.random(in: 0..<total, using: &random)
                    var low = 0, high = count - 1
                    while low < high { let middle = (low + high) / 2; if cumulative[middle] > at { high = middle } else { low = middle + 1 } }
                    word = low
                }
                context.append(Int32(words.first + word))
                text += words.words[word]
            }
            contexts.append(context)
            for id in context { withUnsafeBytes(of: id.littleEndian) { ids.append(contentsOf: $0) } }
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("text", text)
            writer.key("meta")
            writer.object { $0.member("pile_set_name", "topic \(Int.random(in: 0..<20, using: &random))") }
        }
        lines += writer.bytes + [UInt8(ascii: "\n")]
    }
    save(ids, to: folder + "/tokens.i32")
    save(lines, to: folder + "/corpus.jsonl")
    return contexts
}

// MARK: Weights

private func writeModel(_ job: Job, to folder: String, _ random: inout Random) throws {
    var writer = JSONWriter(indentation: 1)
    writer.object { writer in
        writer.member("model_type", "gpt2")
        writer.member("activation_function", "relu")
        for (key, value) in [("n_embd", job.width), ("n_head", job.heads), ("n_inner", job.neurons), ("n_layer", 1), ("n_positions", job.context), ("vocab_size", job.vocabulary)] { writer.member(key, value) }
    }
    save(writer.bytes, to: folder + "/config.json")

    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    func add(_ name: String, _ shape: [Int], mean: Float = 0, deviation: Float) {
        tensors.append(("transformer." + name, shape, normal(shape.reduce(1, *), mean: mean, deviation: deviation, &random)))
    }
    add("wte.weight", [job.vocabulary, job.width], deviation: 0.3)
    add("wpe.weight", [job.context, job.width], deviation: 0.1)
    for norm in ["h.0.ln_1", "h.0.ln_2", "ln_f"] {
        add(norm + ".weight", [job.width], mean: 1, deviation: 0.1)
        add(norm + ".bias", [job.width], deviation: 0.1)
    }
    // A threshold that some 30 % of neurons pass.
    for (name, inputs, outputs, bias) in [("attn.c_attn", job.width, 3 * job.width, Float(0)), ("attn.c_proj", job.width, job.width, 0),
                                          ("mlp.c_fc", job.width, job.neurons, -0.6), ("mlp.c_proj", job.neurons, job.width, 0)] {
        add("h.0.\(name).weight", [inputs, outputs], deviation: 0.1)
        add("h.0.\(name).bias", [outputs], mean: bias, deviation: 0.05)
    }
    try writeSafetensors(tensors, to: folder + "/model.safetensors")
}

/// Random directions, each with the threshold at which it fires as often as its density says.
private func writeAutoencoder(_ job: Job, _ contexts: [[Int32]], _ folder: String, _ random: inout Random) throws {
    let width = job.neurons, features = job.features
    var writer = JSONWriter(indentation: 1)
    writer.object { writer in
        writer.member("architecture", "standard")
        writer.member("d_in", width)
        writer.member("d_sae", features)
        writer.member("dtype", "float32")
        writer.member("apply_b_dec_to_input", true)
        writer.member("normalize_activations", "none")
        writer.member("reshape_activations", "none")
        writer.key("metadata")
        writer.object { writer in
            writer.member("sae_lens_version", "6.0.0")
            writer.member("model_name", "model")
            writer.member("hook_name", "blocks.0.mlp.hook_post")
            writer.member("context_size", job.context)
            writer.member("prepend_bos", true)
        }
    }
    save(writer.bytes, to: folder + "/sae/cfg.json")

    let encoder = Matrix(rows: features, columns: width, normal(features * width, deviation: 1 / Float(width).squareRoot(), &random)) // one row a feature
    let model = try loadLanguageModel(folder: folder + "/model")
    let sample = Array(contexts.shuffled(using: &random).prefix(max(1, job.calibrationTokens / job.context)))
    let x = try model.activations(of: ContextBatch(sample), at: HookPoint("blocks.0.mlp.hook_post")!) // (tokens × width)
    var decoderBias = [Float](repeating: 0, count: width)
    for row in 0..<x.rows { for axis in 0..<width { decoderBias[axis] += x[row, axis] / Float(x.rows) } }

    var encoderBias: [Float] = []
    let (low, high) = (log(job.densities.lowerBound), log(job.densities.upperBound))
    for feature in 0..<features {
        let direction = Matrix(rows: 1, columns: width, UnsafeBufferPointer(start: encoder.base + feature * width, count: width))
        let pre = product(direction, transposed: x)
        let sorted = withExtendedLifetime(pre) { pre.elements.sorted(by: >) }
        let offset = (0..<width).reduce(Float(0)) { $0 + decoderBias[$1] * direction[0, $1] }
        let fired = min(sorted.count - 1, Int(Double(sorted.count) * exp(Double.random(in: low...high, using: &random))))
        encoderBias.append(offset - sorted[fired])
    }
    let noise = normal(features * width, deviation: 0.3 / Float(width).squareRoot(), &random)
    try writeSafetensors([
        ("W_enc", [width, features], (0..<width).flatMap { axis in (0..<features).map { encoder[$0, axis] } }), ("b_enc", [features], encoderBias),
        ("W_dec", [features, width], zip(encoder.elements, noise).map(+)), ("b_dec", [width], decoderBias),
    ], to: folder + "/sae/sae_weights.safetensors")
    withExtendedLifetime(encoder) {}
}
