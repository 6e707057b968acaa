import Diagnostics
import Formats

extension PreNormDecoder {
    /// GPT-2 of any size: learned positions, attention before MLP, weights stored (inputs × outputs), tied unembedding.
    convenience init(gpt2 folder: ModelFolder) throws {
        let width = try folder.size("n_embd", default: 768), heads = try folder.size("n_head", default: 12)
        guard width % heads == 0 else { throw folder.problem("n_head \(heads) does not divide n_embd \(width)") }
        guard try !folder.flag("add_cross_attention", default: false) else { throw folder.problem("add_cross_attention is not supported") }
        let shape = LanguageModelShape(
            architecture: "gpt2", layers: try folder.size("n_layer", default: 12, maximum: 4096), width: width,
            mlpWidth: try folder.size("n_inner", default: 4 * width, maximum: 1 << 26), heads: heads, headWidth: width / heads,
            vocabulary: try folder.size("vocab_size", default: 50257), contextLength: try folder.size("n_positions", "n_ctx", default: 1024))
        let epsilon = Float(try folder.number("layer_norm_epsilon", default: 1e-5, in: 1e-12...1))
        let scalesScores = try folder.flag("scale_attn_weights", default: true)
        let scalesByLayer = try folder.flag("scale_attn_by_inverse_layer_idx", default: false)
        let activation = try folder.activation("activation_function", default: .geluTanh)
        // The first upload has no prefix; buffers beside the weights (h.0.attn.bias) are not asked for and so not read.
        let prefix = try folder.prefix(of: "wte.weight", among: ["transformer.", ""])

        func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
            Linear(
                weight: try folder.tensor(name + ".weight", [inputs, outputs]), isOutputMajor: false,
                bias: try folder.tensor(name + ".bias", [outputs]))
        }
        func norm(_ name: String) throws -> LayerNorm {
            LayerNorm(gain: try folder.tensor(name + ".weight", [width]), shift: try folder.tensor(name + ".bias", [width]), epsilon: epsilon)
        }
        let embedding = try folder.tensor(prefix + "wte.weight", [shape.vocabulary, width])
        let positions = try folder.tensor(prefix + "wpe.weight", [shape.contextLength, width])
        let blocks = try (0..<shape.layers).map { layer in
            let block = "\(prefix)h.\(layer)."
            var scale = scalesScores ? 1 / Float(shape.headWidth).squareRoot() : 1
            if scalesByLayer { scale /= Float(layer + 1) }
            return Block(
                attentionNorm: try norm(block + "ln_1"), projections: try linear(block + "attn.c_attn", width, 3 * width),
                attention: Attention(heads: heads, headWidth: shape.headWidth, scale: scale), attentionOut: try linear(block + "attn.c_proj", width, width),
                mlpNorm: try norm(block + "ln_2"), mlpIn: try linear(block + "mlp.c_fc", width, shape.mlpWidth),
                mlpOut: try linear(block + "mlp.c_proj", shape.mlpWidth, width))
        }
        let isTied = try folder.flag("tie_word_embeddings", default: true)
        self.init(
            name: folder.name, shape: shape, weights: folder.weights, embedding: embedding, positions: positions, rotary: nil,
            isParallel: false, activation: activation, blocks: blocks, finalNorm: try norm(prefix + "ln_f"),
            unembedding: isTied ? embedding : try folder.tensor("lm_head.weight", [shape.vocabulary, width]))
    }
}
