import Numerics

/// The mean of some activations and their spread about it; those of more activations can be joined to them.
///
/// Spread is summed about means, never taken as a difference of Σx² and n·mean²: activations that lie close together far from
/// zero keep theirs.
struct ActivationMoments: Sendable {
    private(set) var count = 0
    /// (width)
    private(set) var mean: [Double]
    /// Σ‖x − mean‖².
    private(set) var spread = 0.0

    /// Of no activations.
    init(width: Int) { mean = [Double](repeating: 0, count: width) }

    /// Of the rows `rows` of `x` (… × width).
    init(_ x: borrowing Matrix, rows: [Int]) {
        let width = x.columns, base = x.base
        self.init(width: width)
        guard !rows.isEmpty else { return }
        count = rows.count
        for row in rows { for axis in 0..<width { mean[axis] += Double(base[row * width + axis]) } }
        for axis in 0..<width { mean[axis] /= Double(count) }
        // By axis, so that the sums of one row do not wait for one another.
        var squares = [Double](repeating: 0, count: width)
        for row in rows {
            for axis in 0..<width {
                let difference = Double(base[row * width + axis]) - mean[axis]
                squares[axis] += difference * difference
            }
        }
        spread = squares.reduce(0, +)
    }

    /// Σ‖x‖².
    var squares: Double { spread + Double(count) * mean.reduce(0) { $0 + $1 * $1 } }

    /// Whether the activations differ by more than single precision could have made them differ.
    var hasSpread: Bool { spread > squares * 0x1p-48 }

    /// Joins the moments of others (Chan, Golub and LeVeque 1979).
    mutating func add(_ other: ActivationMoments) {
        guard other.count > 0 else { return }
        let total = Double(count + other.count), share = Double(other.count) / total
        var distance = 0.0
        for axis in mean.indices {
            let difference = other.mean[axis] - mean[axis]
            distance += difference * difference
            mean[axis] += difference * share
        }
        spread += other.spread + distance * Double(count) * share
        count += other.count
    }
}
