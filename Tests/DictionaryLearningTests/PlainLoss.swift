import Foundation

/// A recipe's loss written down plainly, in double precision: every feature of every input, no gradients, nothing of the trainer's.
///
/// Rows of features: `encoder` and `decoder` are features × width. `x` is scaled already.
struct PlainLoss {
    enum Objective { case l1MeanOverWidth, l1TimesDecoderNorm, topK, batchTopK, l0, l0Target(Double) }

    struct Parameters {
        var encoder: [Double]
        var decoder: [Double]
        var encoderBias: [Double]
        var decoderBias: [Double]
        var logThreshold: [Double] = []
    }

    let objective: Objective
    let width: Int
    let features: Int
    let x: [Double]  // (inputs × width)
    var sparsity = 0.0
    var k = 0
    var prefixes: [Int] = []
    var dead: [Int] = []
    var auxiliaryK = 0
    var auxiliaryCoefficient = 0.0
    /// What the auxiliary loss explains: x − x̂ where the derivative is taken, as a constant.
    var fixedErrors: [Double]?

    var inputs: Int { x.count / width }
    private var subtractsDecoderBias: Bool {
        switch objective {
        case .l1MeanOverWidth, .topK, .batchTopK: true
        case .l1TimesDecoderNorm, .l0, .l0Target: false
        }
    }

    /// W_enc · (x − b_dec, or x) + b_enc (inputs × features).
    func preactivations(_ p: Parameters) -> [Double] {
        var pre = [Double](repeating: 0, count: inputs * features)
        for n in 0..<inputs {
            for j in 0..<features {
                var sum = p.encoderBias[j]
                for i in 0..<width { sum += p.encoder[j * width + i] * (x[n * width + i] - (subtractsDecoderBias ? p.decoderBias[i] : 0)) }
                pre[n * features + j] = sum
            }
        }
        return pre
    }

    /// f (inputs × features).
    func code(_ p: Parameters, _ pre: [Double]) -> [Double] {
        switch objective {
        case .l1MeanOverWidth, .l1TimesDecoderNorm: return pre.map { max(0, $0) }
        case .l0, .l0Target: return pre.indices.map { pre[$0] > exp(p.logThreshold[$0 % features]) ? pre[$0] : 0 }
        case .topK: return (0..<inputs).flatMap { n in greatest(k, of: Array(pre[n * features..<(n + 1) * features])) }
        case .batchTopK: return greatest(k * inputs, of: pre)
        }
    }

    private func greatest(_ count: Int, of values: [Double]) -> [Double] {
        let least = values.sorted(by: >)[count - 1]
        return values.map { $0 >= least ? max(0, $0) : 0 }
    }

    /// x − f · W_dec − b_dec of the first `end` features (inputs × width).
    func errors(_ p: Parameters, _ f: [Double], upTo end: Int) -> [Double] {
        var errors = x
        for n in 0..<inputs {
            for i in 0..<width { errors[n * width + i] -= p.decoderBias[i] }
            for j in 0..<end where f[n * features + j] != 0 { for i in 0..<width { errors[n * width + i] -= f[n * features + j] * p.decoder[j * width + i] } }
        }
        return errors
    }

    func value(_ p: Parameters) -> Double {
        let pre = preactivations(p), f = code(p, pre), n = Double(inputs)
        func squared(_ errors: [Double]) -> Double { errors.reduce(0) { $0 + $1 * $1 } / n }
        let error = squared(errors(p, f, upTo: features)), l0 = Double(f.count { $0 > 0 }) / n
        switch objective {
        case .l1MeanOverWidth: return error / Double(width) + sparsity * f.reduce(0, +) / n
        case .l1TimesDecoderNorm:
            let norms = (0..<features).map { j in p.decoder[j * width..<(j + 1) * width].reduce(0) { $0 + $1 * $1 }.squareRoot() }
            return error + sparsity * f.indices.reduce(0) { $0 + f[$1] * norms[$1 % features] } / n
        case .l0: return error + sparsity * l0
        case .l0Target(let target): return error + sparsity * (l0 / target - 1) * (l0 / target - 1)
        case .topK, .batchTopK:
            let nested = prefixes.map { squared(errors(p, f, upTo: $0)) }
            return nested.reduce(0, +) / Double(nested.count) + auxiliaryCoefficient * auxiliary(p, pre, f)
        }
    }

    /// What dead features leave of the error, as a share of the error's spread.
    private func auxiliary(_ p: Parameters, _ pre: [Double], _ f: [Double]) -> Double {
        guard !dead.isEmpty else { return 0 }
        let error = fixedErrors ?? errors(p, f, upTo: features)
        var left = 0.0, spread = 0.0
        var mean = [Double](repeating: 0, count: width)
        for place in error.indices { mean[place % width] += error[place] / Double(inputs) }
        for place in error.indices { spread += (error[place] - mean[place % width]) * (error[place] - mean[place % width]) }
        for n in 0..<inputs {
            let chosen = dead.sorted { pre[n * features + $0] > pre[n * features + $1] }.prefix(auxiliaryK)
            for i in 0..<width {
                let explained = chosen.reduce(0) { $0 + max(0, pre[n * features + $1]) * p.decoder[$1 * width + i] }
                left += (error[n * width + i] - explained) * (error[n * width + i] - explained)
            }
        }
        return left / spread
    }
}
