import FeatureCatalogue
import Formats
import Glibc

/// What judgements come to.
struct ScoreValue: Equatable {
    /// Balanced accuracy or correlation; `nil`: undefined.
    var value: Double?
    /// 95 %.
    var interval: ClosedRange<Double>?

    /// Half the sum of two rates: of true examples that were called so, and of false ones; what had no usable answer counts for neither.
    ///
    /// The interval puts Wilson's of the two rates together (Newcombe's hybrid score, as for a difference of two proportions). It takes examples for
    /// independent, which those asked about in one call are not quite.
    static func balancedAccuracy(_ judgements: [LabelJudgement]) -> ScoreValue {
        func rate(_ isTrue: Bool) -> (right: Int, all: Int) {
            let answered = judgements.filter { $0.isTrue == isTrue && $0.verdict != nil }
            return (answered.count { $0.verdict == isTrue }, answered.count)
        }
        let sensitivity = rate(true), specificity = rate(false)
        guard sensitivity.all > 0, specificity.all > 0 else { return ScoreValue() }
        let p = Double(sensitivity.right) / Double(sensitivity.all), q = Double(specificity.right) / Double(specificity.all)
        let a = wilson(sensitivity.right, of: sensitivity.all), b = wilson(specificity.right, of: specificity.all)
        let below = ((p - a.lowerBound) * (p - a.lowerBound) + (q - b.lowerBound) * (q - b.lowerBound)).squareRoot()
        let above = ((a.upperBound - p) * (a.upperBound - p) + (b.upperBound - q) * (b.upperBound - q)).squareRoot()
        return ScoreValue(value: (p + q) / 2, interval: max(0, (p + q - below) / 2)...min(1, (p + q + above) / 2))
    }

    /// Wilson's 95 % interval of a rate.
    static func wilson(_ right: Int, of all: Int) -> ClosedRange<Double> {
        let z = 1.959963984540054, n = Double(all), p = Double(right) / n
        let middle = (p + z * z / (2 * n)) / (1 + z * z / n), half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        return max(0, min(p, middle - half))...min(1, max(p, middle + half))
    }

    /// Pearson's correlation of predicted strengths with true activations over all tokens of all windows that were answered. A prediction that is the
    /// same everywhere says nothing and is worth 0.
    ///
    /// The interval is the jackknife's over windows, on Fisher's z: tokens of one window are anything but independent.
    static func correlation(_ windows: [(predicted: [Int], activations: [Float])]) -> ScoreValue {
        let sums = windows.map { window in zip(window.predicted, window.activations).reduce(into: Sums()) { $0.add(Double($1.0), Double($1.1)) } }
        let all = sums.reduce(into: Sums()) { $0.add($1, 1) }
        guard let value = all.correlation else { return ScoreValue() }
        guard windows.count >= 3, abs(value) < 1 else { return ScoreValue(value: value, interval: abs(value) == 1 ? value...value : nil) }
        let z = sums.map { one -> Double in
            var rest = all
            rest.add(one, -1)
            return atanh(max(-0.999999, min(0.999999, rest.correlation ?? 0)))
        }
        let mean = z.reduce(0, +) / Double(z.count)
        let variance = z.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } * Double(z.count - 1) / Double(z.count)
        let middle = atanh(max(-0.999999, min(0.999999, value))), half = 1.959963984540054 * variance.squareRoot()
        return ScoreValue(value: value, interval: min(value, tanh(middle - half))...max(value, tanh(middle + half)))
    }

    private struct Sums {
        var n = 0.0, x = 0.0, y = 0.0, xx = 0.0, yy = 0.0, xy = 0.0

        mutating func add(_ a: Double, _ b: Double) { n += 1; x += a; y += b; xx += a * a; yy += b * b; xy += a * b }
        mutating func add(_ other: Sums, _ sign: Double) {
            n += sign * other.n; x += sign * other.x; y += sign * other.y; xx += sign * other.xx; yy += sign * other.yy; xy += sign * other.xy
        }

        /// `nil` where the truth is the same everywhere.
        var correlation: Double? {
            guard n > 1 else { return nil }
            let varianceX = xx - x * x / n, varianceY = yy - y * y / n
            guard varianceY > 1e-12 * yy else { return nil }
            guard varianceX > 1e-12 * xx else { return 0 }
            return max(-1, min(1, (xy - x * y / n) / (varianceX * varianceY).squareRoot()))
        }
    }
}

extension ScoreSheet {
    func value(_ judgements: [LabelJudgement]) -> ScoreValue {
        if method.isBinary { return ScoreValue.balancedAccuracy(judgements) }
        return ScoreValue.correlation(judgements.compactMap { judgement in
            guard let detail = judgement.detail.flatMap({ try? JSON(parsing: $0) }), let predicted = detail["predicted"]?.array, let truth = detail["true"]?.array else { return nil }
            return (predicted.map { $0.integer ?? 0 }, truth.map { Float($0.number ?? 0) })
        })
    }
}
