import Foundation
import Formats
import Numerics

/// A SplitMix64 generator: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    /// `count` numbers spread evenly over ±scale.
    mutating func floats(_ count: Int, _ scale: Float = 1) -> [Float] { (0..<count).map { _ in Float.random(in: -scale...scale, using: &self) } }
}

/// One SAE as its file has it, run by the formulas of SAELens in double precision: what the fast code is judged against.
struct PlainAutoencoder {
    enum Kind: String, CaseIterable { case standard, topk, jumprelu, gated }
    var kind: Kind
    var width: Int
    var features: Int
    var k = 0
    var rescales = false
    var appliesDecoderBias = true
    var normalization = "none"
    var tensors: [String: [Float]] = [:]
    /// Keys of cfg.json beyond the necessary, as JSON text.
    var extra: [(String, String)] = []

    init(_ kind: Kind, width: Int, features: Int, seed: UInt64) {
        (self.kind, self.width, self.features) = (kind, width, features)
        var random = SeededGenerator(seed)
        let spread = Float(1.7) / Float(width).squareRoot()
        tensors["W_enc"] = random.floats(width * features, spread)
        tensors["W_dec"] = random.floats(width * features, 0.5)
        tensors["b_dec"] = random.floats(width, 0.3)
        if kind == .gated {
            tensors["b_gate"] = random.floats(features, 0.5)
            tensors["r_mag"] = random.floats(features, 0.5)
            tensors["b_mag"] = random.floats(features, 0.5)
        } else {
            tensors["b_enc"] = random.floats(features, 0.5).map { $0 - 0.5 }
        }
        if kind == .jumprelu { tensors["threshold"] = random.floats(features, 0.5).map { $0 + 0.2 } }
        if kind == .topk { k = max(1, features / 8) }
    }

    func shape(_ name: String) -> [Int] {
        switch name {
        case "W_enc": [width, features]
        case "W_dec": [features, width]
        case "b_dec": [width]
        case "topk_threshold": []
        default: [features]
        }
    }

    var configuration: String {
        var members = [
            ("architecture", "\"\(kind.rawValue)\""), ("d_in", "\(width)"), ("d_sae", "\(features)"), ("dtype", "\"float32\""),
            ("apply_b_dec_to_input", "\(appliesDecoderBias)"), ("normalize_activations", "\"\(normalization)\""),
            ("reshape_activations", "\"none\""),
            ("metadata", "{\"sae_lens_version\":\"6.54.12\",\"hook_name\":\"blocks.3.mlp.hook_post\",\"model_name\":\"m\",\"context_size\":128}"),
        ]
        if kind == .topk { members += [("k", "\(k)"), ("rescale_acts_by_decoder_norm", "\(rescales)")] }
        for (key, value) in extra { members.removeAll { $0.0 == key }; if value != "" { members.append((key, value)) } }
        return "{" + members.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
    }

    func write(to folder: URL) throws {
        try configuration.write(to: folder.appending(path: "cfg.json"), atomically: false, encoding: .utf8)
        let all = tensors.sorted { $0.key < $1.key }.map { (name: $0.key, shape: shape($0.key), values: $0.value) }
        try writeSafetensors(all, to: folder.appending(path: "sae_weights.safetensors").path)
    }

    func norm(_ feature: Int) -> Double {
        let row = tensors["W_dec"]![feature * width..<(feature + 1) * width]
        return row.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    /// Mean and factor of the normalisation of one token, and the factor that undoes it.
    func change(_ x: [Double]) -> (shift: Double, scale: Double, back: Double) {
        switch normalization {
        case "layer_norm":
            let mean = x.reduce(0, +) / Double(width)
            let deviation = (x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width - 1)).squareRoot()
            return (mean, 1 / (deviation + 1e-5), deviation)
        case "constant_norm_rescale":
            let factor = Double(width).squareRoot() / x.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return (0, factor, 1 / factor)
        default: return (0, 1, 1)
        }
    }

    /// What the SAE itself gives for one token: f (features), in its own units.
    func encode(_ x: [Double]) -> [Double] {
        let (shift, scale, _) = change(x)
        let z = (0..<width).map { (x[$0] - shift) * scale - (appliesDecoderBias ? Double(tensors["b_dec"]![$0]) : 0) }
        let encoder = tensors["W_enc"]!
        let product = (0..<features).map { j in (0..<width).reduce(0) { $0 + z[$1] * Double(encoder[$1 * features + j]) } }
        func tensor(_ name: String, _ j: Int) -> Double { Double(tensors[name]![j]) }
        switch kind {
        case .standard: return (0..<features).map { max(0, product[$0] + tensor("b_enc", $0)) }
        case .jumprelu:
            return (0..<features).map { let p = product[$0] + tensor("b_enc", $0); return p > tensor("threshold", $0) ? max(0, p) : 0 }
        case .gated:
            return (0..<features).map { j in
                product[j] + tensor("b_gate", j) > 0 ? max(0, product[j] * Foundation.exp(tensor("r_mag", j)) + tensor("b_mag", j)) : 0
            }
        case .topk:
            let p = (0..<features).map { (product[$0] + tensor("b_enc", $0)) * (rescales ? norm($0) : 1) }
            let order = (0..<features).sorted { p[$0] != p[$1] ? p[$0] > p[$1] : $0 < $1 }
            var f = [Double](repeating: 0, count: features)
            for j in order.prefix(k) { f[j] = max(0, p[j]) }
            return f
        }
    }

    /// The reconstruction of `x` from its own f.
    func decode(_ f: [Double], of x: [Double]) -> [Double] {
        var r = tensors["b_dec"]!.map(Double.init)
        for j in 0..<features where f[j] != 0 {
            let factor = f[j] / (kind == .topk && rescales ? norm(j) : 1)
            for i in 0..<width { r[i] += factor * Double(tensors["W_dec"]![j * width + i]) }
        }
        let (shift, _, back) = change(x)
        return r.map { $0 * back + shift }
    }
}

extension Matrix {
    /// One row in double precision.
    func doubles(_ row: Int) -> [Double] { (0..<columns).map { Double(self[row, $0]) } }
}
