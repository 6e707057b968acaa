import Diagnostics
import Formats
import Numerics

extension PreNormDecoder {
    /// GPT-NeoX, the family of Pythia: rotary positions, usually attention and MLP from one stream, weights stored
    /// (outputs × inputs), an unembedding of its own.
    convenience init(gptNeoX folder: ModelFolder) throws {
        let width = try folder.size("hidden_size"), heads = try folder.size("num_attention_heads")
        guard width % heads == 0 else { throw folder.problem("num_attention_heads \(heads) does not divide hidden_size \(width)") }
        let shape = LanguageModelShape(
            architecture: "gpt_neox", layers: try folder.size("num_hidden_layers", maximum: 4096), width: width,
            mlpWidth: try folder.size("intermediate_size", maximum: 1 << 26), heads: heads, headWidth: width / heads,
            vocabulary: try folder.size("vocab_size"), contextLength: try folder.size("max_position_embeddings", default: 2048, maximum: 1 << 20))
        let epsilon = Float(try folder.number("layer_norm_eps", default: 1e-5, in: 1e-12...1))
        let activation = try folder.activation("hidden_act", default: .gelu)
        let isParallel = try folder.flag("use_parallel_residual", default: true)
        let hasAttentionBias = try folder.flag("attention_bias", default: true)
        let rotary = try Self.rotary(folder, headWidth: shape.headWidth)
        let prefix = try folder.prefix(of: "embed_in.weight", among: ["gpt_neox.", ""])

        func linear(_ name: String, _ inputs: Int, _ outputs: Int, hasBias: Bool = true) throws -> Linear {
            Linear(
                weight: try folder.tensor(name + ".weight", [outputs, inputs]), isOutputMajor: true,
                bias: hasBias ? try folder.tensor(name + ".bias", [outputs]) : nil)
        }
        func norm(_ name: String) throws -> LayerNorm {
            LayerNorm(gain: try folder.tensor(name + ".weight", [width]), shift: try folder.tensor(name + ".bias", [width]), epsilon: epsilon)
        }
        let embedding = try folder.tensor(prefix + "embed_in.weight", [shape.vocabulary, width])
        let blocks = try (0..<shape.layers).map { layer in
            let block = "\(prefix)layers.\(layer)."
            let stored = try linear(block + "attention.query_key_value", width, 3 * width, hasBias: hasAttentionBias)
            let projections = Linear(
                weight: Weight(Self.rowsByPart(of: stored.weight.matrix, heads: heads)), isOutputMajor: true,
                bias: stored.bias.map { Weight(Self.rowsByPart(of: $0.matrix, heads: heads)) })
            return Block(
                attentionNorm: try norm(block + "input_layernorm"), projections: projections,
                attention: Attention(heads: heads, headWidth: shape.headWidth, scale: 1 / Float(shape.headWidth).squareRoot()),
                attentionOut: try linear(block + "attention.dense", width, width, hasBias: hasAttentionBias),
                mlpNorm: try norm(block + "post_attention_layernorm"), mlpIn: try linear(block + "mlp.dense_h_to_4h", width, shape.mlpWidth),
                mlpOut: try linear(block + "mlp.dense_4h_to_h", shape.mlpWidth, width))
        }
        let isTied = try folder.flag("tie_word_embeddings", default: false)
        let unembedding = isTied ? embedding : try folder.tensor(
            try folder.prefix(of: ".weight", among: ["embed_out", "lm_head"]) + ".weight", [shape.vocabulary, width])
        self.init(
            name: folder.name, shape: shape, weights: folder.weights, embedding: embedding, positions: nil, rotary: rotary,
            isParallel: isParallel, activation: activation, blocks: blocks, finalNorm: try norm(prefix + "final_layer_norm"),
            unembedding: unembedding)
    }

    private static func rotary(_ folder: ModelFolder, headWidth: Int) throws -> Rotary {
        let (parameters, factor) = try folder.rotaryParameters()
        var share = try folder.number("rotary_pct", "partial_rotary_factor", default: 0.25, in: 0...1)
        var base = try folder.number("rotary_emb_base", "rope_theta", default: 10000, in: 1...1e12)
        if let value = parameters["partial_rotary_factor"]?.number { share = value }
        if let value = parameters["rope_theta"]?.number { base = value }
        guard (0...1).contains(share), (1...1e12).contains(base) else { throw folder.problem("rope_parameters are out of range") }
        let turned = Int(share * Double(headWidth))
        guard turned % 2 == 0 else { throw folder.problem("rotary_pct \(share) turns \(turned) of \(headWidth) numbers of a head, an odd count") }
        return Rotary(half: turned / 2, base: base, factor: factor)
    }

    /// Stored rows run [head][query, key, value][headWidth]; ours run [query, key, value][head][headWidth].
    private static func rowsByPart(of stored: borrowing Matrix, heads: Int) -> Matrix {
        let sorted = Matrix(uninitializedRows: stored.rows, columns: stored.columns)
        let block = stored.count / (3 * heads)
        for head in 0..<heads {
            for part in 0..<3 { (sorted.base + (part * heads + head) * block).update(from: stored.base + (head * 3 + part) * block, count: block) }
        }
        return sorted
    }

}
