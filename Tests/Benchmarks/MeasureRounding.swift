import Diagnostics
import Formats
import Glibc
import Kernels
import Numerics
import SparseCoding
import Transformer

/// Counts where float32 decides otherwise than arithmetic without rounding would: our firings on `tokens` of a job's tokens,
/// whole contexts spread over all of them, against decisions in double precision on the same activations. One line of JSON.
///
/// float32 can be off by γ(m)·Σ|xᵢ·wᵢ| + u·(|bias| + |p|) at most, with u = 2⁻²⁴, γ(m) = m·u / (1 − m·u), and m = ⌈n/64⌉ + 7
/// roundings on a product's way through the fixed order of `kernel_encode`; the derivation is in encode.h. Every disagreement
/// has to lie that near to its threshold. Sums in double precision are off by 10⁻⁹ of this, which is neglected.
func measureRounding(_ folder: String, tokens wanted: Int) throws -> String {
    let sae = try SparseAutoencoder(folder: folder + "/sae"), model = try loadLanguageModel(folder: folder + "/model")
    let weights = try SafetensorsFile(folder + "/sae/sae_weights.safetensors")
    func tensor(_ name: String) throws -> [Float] {
        guard let tensor = weights[name] else { throw MonosemeError("\(quoted(folder + "/sae", limit: 400)) has no \(name)", hint: "benchmarks write FOLDER") }
        return try tensor.floats()
    }
    let decoderBias = try tensor("b_dec"), width = sae.width, features = sae.features
    guard sae.activation == .relu else { throw MonosemeError("the autoencoder in \(quoted(folder, limit: 400)) is not a plain one", hint: "benchmarks write FOLDER") }
    let encoder = Matrix(rows: width, columns: features, try tensor("W_enc"))
    // In double precision: the bias that stays when b_dec is not taken from x, and the length of each encoder vector.
    var bias = try tensor("b_enc").map { Double($0) }, squares = [Double](repeating: 0, count: features)
    for axis in 0..<width {
        kernel_add_scaled_double(&bias, encoder.base + axis * features, -Double(decoderBias[axis]), features)
        for feature in 0..<features { squares[feature] += Double(encoder[axis, feature]) * Double(encoder[axis, feature]) }
    }

    let length = model.shape.contextLength, ids = try readRows(folder + "/tokens.i32", width: length)
    let contexts = max(1, min(ids.rows, wanted / length)), unit = 0x1p-24, roundings = Double((width + 63) / 64 + 7)
    let reach = roundings * unit / (1 - roundings * unit)
    var decisions = 0, firings = 0, near = 0, disagreements = 0, outside = 0
    for place in 0..<contexts {
        let context = (0..<length).map { Int32(bitPattern: ids[place * ids.rows / contexts, $0].bitPattern) }
        let x = try model.activations(of: ContextBatch([context]), at: HookPoint("blocks.0.mlp.hook_post")!)
        let found = try sae.encode(x)
        for token in 0..<length {
            var p = bias, fires = [Bool](repeating: false, count: features)
            for axis in 0..<width where x[token, axis] != 0 { kernel_add_scaled_double(&p, encoder.base + axis * features, Double(x[token, axis]), features) }
            for place in found[token] { fires[Int(found.features[place])] = true }
            let size = (0..<width).reduce(0.0) { $0 + Double(x[token, $1]) * Double(x[token, $1]) }
            for feature in 0..<features {
                let rest = unit * (abs(bias[feature]) + abs(p[feature]))
                // By Cauchy and Schwarz Σ|xᵢ·wᵢ| is no more than this; where it may matter it is summed.
                var isNear = abs(p[feature]) <= reach * (size * squares[feature]).squareRoot() * (1 + 1e-9) + rest
                if isNear {
                    let sum = (0..<width).reduce(0.0) { $0 + abs(Double(x[token, $1]) * Double(encoder[$1, feature])) }
                    isNear = abs(p[feature]) <= reach * sum + rest
                }
                near += isNear ? 1 : 0
                guard fires[feature] != (p[feature] > 0) else { continue }
                disagreements += 1
                outside += isNear ? 0 : 1
            }
        }
        decisions += length * features
        firings += found.count
    }
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "firings against decisions in double precision")
        writer.member("tokens", contexts * length)
        writer.member("decisions", decisions)
        writer.member("firings", firings)
        writer.member("within_rounding_of_the_threshold", near)
        writer.member("disagreements", disagreements)
        writer.member("disagreements_outside", outside)
    }
    return writer.text
}
