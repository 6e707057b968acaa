import Kernels
import Numerics
import Testing

@testable import SparseCoding

/// Whole SAEs with pre-activations planted on their thresholds: what float32 decides is what is found, and it differs
/// from arithmetic without rounding only where rounding reaches.
@Suite struct RoundingTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let kind: PlainAutoencoder.Kind
        var isBatchTopK = false
        var testDescription: String { isBatchTopK ? "batchtopk" : kind.rawValue }
    }

    static let cases = PlainAutoencoder.Kind.allCases.map { Case(kind: $0) } + [Case(kind: .jumprelu, isBatchTopK: true)]
    static let (tokens, width, features) = (20, 200, 160)

    /// By how much float32 can be off in deciding: γ(m)·Σ|xᵢ·wᵢ| + u·(|bias| + |p|), where m roundings are the most that a
    /// product in the fixed order passes through.
    static func margin(_ magnitude: Double, bias: Double, p: Double) -> Double {
        let u = 0x1p-24, m = Double((width + 63) / 64 + 7)
        return m * u / (1 - m * u) * magnitude + u * (abs(bias) + abs(p))
    }

    /// An SAE whose feature j is at its threshold on token j % tokens; of TopK, features in pairs that differ by one rounding.
    static func planted(_ test: Case, _ x: borrowing Matrix) -> PlainAutoencoder {
        var plain = PlainAutoencoder(test.kind, width: width, features: features, seed: 11)
        if test.isBatchTopK { plain.tensors["threshold"] = [Float](repeating: 0.4, count: features) }
        if test.kind == .topk {
            plain.k = 21
            for j in stride(from: 0, to: features, by: 2) {
                for i in 0..<width { plain.tensors["W_enc"]![i * features + j + 1] = plain.tensors["W_enc"]![i * features + j] }
                plain.tensors["W_enc"]![j % width * features + j + 1] = plain.tensors["W_enc"]![j % width * features + j].nextUp
                plain.tensors["b_enc"]![j + 1] = plain.tensors["b_enc"]![j]
            }
            return plain
        }
        let bias = test.kind == .gated ? "b_gate" : "b_enc"
        // Magnitudes that are positive whatever the gate says.
        if test.kind == .gated { plain.tensors["b_mag"] = [Float](repeating: 50, count: features) }
        for j in 0..<features {
            let row = x.doubles(j % tokens), product = (0..<width).reduce(0) { $0 + (row[$1] - Double(plain.tensors["b_dec"]![$1])) * Double(plain.tensors["W_enc"]![$1 * features + j]) }
            plain.tensors[bias]![j] = Float(Double(threshold(plain, j)) - product)
        }
        return plain
    }

    /// What a pre-activation must exceed: JumpReLU's own threshold, but what is not positive never fires.
    static func threshold(_ plain: PlainAutoencoder, _ j: Int) -> Float { max(0, plain.tensors["threshold"]?[j] ?? 0) }

    @Test(arguments: cases)
    func `decisions are float32's own, and only those within rounding of a threshold differ from exact ones`(test: Case) throws {
        let (tokens, width, features) = (Self.tokens, Self.width, Self.features)
        let x = EncodingTests.activations(tokens: tokens, width: width, seed: 8)
        let plain = Self.planted(test, x), sae = try EncodingTests.load(plain)
        let encoder = plain.tensors["W_enc"]!, own = plain.tensors[test.kind == .gated ? "b_gate" : "b_enc"]!
        let columns = (0..<features).map { j in (0..<width).map { encoder[$0 * features + j] } }
        let bias = (0..<features).map { j in Double(own[j]) - (0..<width).reduce(0) { $0 + Double(plain.tensors["b_dec"]![$1]) * Double(columns[j][$1]) } }
        let thresholds = (0..<features).map { Self.threshold(plain, $0) }

        var single: [[Int]] = [], exact: [[Int]] = [], isNear: [[Bool]] = []
        for token in 0..<tokens {
            let row = x.doubles(token), floats = Array(x.elements[token * width..<(token + 1) * width])
            let p32 = (0..<features).map { EncodeKernelTests.product(floats[...], columns[$0][...]) + Float(bias[$0]) }
            let p = (0..<features).map { j in (0..<width).reduce(bias[j]) { $0 + row[$1] * Double(columns[j][$1]) } }
            let margins = (0..<features).map { j in
                Self.margin((0..<width).reduce(0) { $0 + abs(row[$1] * Double(columns[j][$1])) }, bias: bias[j], p: p[j])
            }
            if test.kind == .topk {
                func chosen<Number: Comparable & Numeric>(_ p: [Number]) -> [Int] {
                    p.indices.sorted { p[$0] != p[$1] ? p[$0] > p[$1] : $0 < $1 }.prefix(plain.k).filter { p[$0] > 0 }.sorted()
                }
                let last = p.sorted(by: >)[plain.k - 1]
                single.append(chosen(p32)); exact.append(chosen(p))
                isNear.append((0..<features).map { abs(p[$0] - last) <= margins[$0] + margins.max()! })
            } else {
                single.append(p32.indices.filter { p32[$0] > thresholds[$0] })
                exact.append(p.indices.filter { p[$0] > Double(thresholds[$0]) })
                isNear.append((0..<features).map { abs(p[$0] - Double(thresholds[$0])) <= margins[$0] })
            }
        }
        let near = isNear.joined().count { $0 }
        #expect(test.kind == .topk ? near >= tokens : near >= features, "too few decisions near a threshold to prove anything")

        for level in 0...kernel_encode_best() {
            var firings = Firings(), scratch = EncoderScratch()
            try sae.encode(x, into: &firings, scratch: &scratch, level: level)
            var differing = 0, outside = 0
            for token in 0..<tokens {
                let found = firings.features[firings[token]].map(Int.init)
                // Without fused multiply-add the plain loop rounds in its own way.
                if level > 0 { #expect(found == single[token], "level \(level)") }
                for j in Set(found).symmetricDifference(exact[token]) {
                    differing += 1
                    if !isNear[token][j] { outside += 1 }
                }
            }
            #expect(differing > 0 && differing <= near, "level \(level): \(differing) of \(near) decisions near a threshold differ")
            #expect(outside == 0, "level \(level)")
        }
    }
}
