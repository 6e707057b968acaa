/// How many edges were named, how many of them are true, and how many there are.
public struct EdgeScore: Sendable, CustomStringConvertible {
    public var named = 0, right = 0, real = 0

    public init() {}

    public var precision: Double { named > 0 ? Double(right) / Double(named) : 1 }
    public var recall: Double { real > 0 ? Double(right) / Double(real) : 1 }
    public var description: String { "P \(rounded(precision)) R \(rounded(recall)) (\(right) of \(named) named, \(real) true)" }

    private func rounded(_ rate: Double) -> Double { (rate * 1000).rounded() / 1000 }

    public static func += (a: inout EdgeScore, b: EdgeScore) { (a.named, a.right, a.real) = (a.named + b.named, a.right + b.right, a.real + b.real) }
}

/// How far stated probabilities are from what came true: in ten bins, |mean probability − share that is true|, weighted by size.
public struct CalibrationScore: Sendable {
    /// Per bin: how many, Σ probability, how many true.
    public private(set) var bins = [(count: Int, sum: Double, right: Int)](repeating: (0, 0, 0), count: 10)

    public init() {}

    public mutating func add(_ probability: Double, isTrue: Bool) {
        let bin = min(9, max(0, Int(probability * 10)))
        bins[bin].count += 1
        bins[bin].sum += probability
        bins[bin].right += isTrue ? 1 : 0
    }

    public static func += (a: inout CalibrationScore, b: CalibrationScore) {
        for bin in a.bins.indices { a.bins[bin] = (a.bins[bin].count + b.bins[bin].count, a.bins[bin].sum + b.bins[bin].sum, a.bins[bin].right + b.bins[bin].right) }
    }

    public var expectedError: Double {
        let total = bins.reduce(0) { $0 + $1.count }
        return bins.reduce(0) { $0 + abs($1.sum - Double($1.right)) } / Double(max(1, total))
    }
}
