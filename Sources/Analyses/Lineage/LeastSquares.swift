/// How much of one signal some others explain, all weights at least 0: min ‖y − X w‖², w ≥ 0, from products alone.
struct NonNegativeLeastSquares {
    /// One a column of X.
    private(set) var weights: [Double]
    /// Of Σ y², what the fit loses when a column is taken out and the others that are in use are fitted again, without their bounds; 0 for one not in use.
    private(set) var shares: [Double]
    /// 1 − ‖y − X w‖² / Σ y².
    private(set) var explained: Double

    /// - Parameters:
    ///   - gram: XᵀX, (columns × columns).
    ///   - products: Xᵀy.
    ///   - squares: Σ y².
    init(gram: [Double], products: [Double], squares: Double) {
        let n = products.count
        precondition(gram.count == n * n)
        weights = .init(repeating: 0, count: n)
        shares = weights
        explained = 0
        guard squares > 0 else { return }
        // Coordinate descent: exact in each coordinate, so that no step can go wrong.
        var residual = products
        let tolerance = 1e-11 * squares.squareRoot()
        for _ in 0..<10_000 {
            var change = 0.0
            for i in 0..<n where gram[i * n + i] > 0 {
                let next = max(0, weights[i] + residual[i] / gram[i * n + i]), step = next - weights[i]
                guard step != 0 else { continue }
                weights[i] = next
                for j in 0..<n { residual[j] -= step * gram[i * n + j] }
                change = max(change, abs(step) * gram[i * n + i].squareRoot())
            }
            if change <= tolerance { break }
        }
        let used = weights.indices.filter { weights[$0] > 0 }
        // The columns in use have a closed solution, to the last digit where they are not nearly the same.
        if let factor = Cholesky(gram, n, used, ridge: 0), case let solved = factor.solve(used.map { products[$0] }), solved.allSatisfy({ $0 > 0 }) {
            for (place, column) in used.enumerated() { weights[column] = solved[place] }
        }
        explained = min(1, max(0, zip(weights, products).reduce(0) { $0 + $1.0 * $1.1 } / squares))
        if let factor = Cholesky(gram, n, used, ridge: 1e-9) {
            for (place, column) in used.enumerated() { shares[column] = min(explained, weights[column] * weights[column] / factor.inverseDiagonal(place) / squares) }
        }
    }
}

/// L of L Lᵀ = a part of a symmetric matrix.
private struct Cholesky {
    private var lower: [Double]
    private let n: Int

    /// - Parameters:
    ///   - matrix: (columns × columns), of which the rows and columns `used` are factored.
    ///   - ridge: what is added to the diagonal, of itself.
    /// - Returns: `nil` where rows are dependent to the last digits.
    init?(_ matrix: [Double], _ columns: Int, _ used: [Int], ridge: Double) {
        n = used.count
        lower = .init(repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0...i {
                var sum = matrix[used[i] * columns + used[j]] * (i == j ? 1 + ridge : 1)
                for k in 0..<j { sum -= lower[i * n + k] * lower[j * n + k] }
                if i == j {
                    guard sum > 1e-12 * matrix[used[i] * columns + used[i]] else { return nil }
                    lower[i * n + i] = sum.squareRoot()
                } else {
                    lower[i * n + j] = sum / lower[j * n + j]
                }
            }
        }
    }

    func solve(_ right: [Double]) -> [Double] {
        var x = right
        for i in 0..<n {
            for k in 0..<i { x[i] -= lower[i * n + k] * x[k] }
            x[i] /= lower[i * n + i]
        }
        for i in stride(from: n - 1, through: 0, by: -1) {
            for k in (i + 1)..<max(n, i + 1) { x[i] -= lower[k * n + i] * x[k] }
            x[i] /= lower[i * n + i]
        }
        return x
    }

    /// An element of the inverse's diagonal: the squared length of L⁻¹ e.
    func inverseDiagonal(_ place: Int) -> Double {
        var x = [Double](repeating: 0, count: n), sum = 0.0
        for i in place..<n {
            var value = i == place ? 1.0 : 0
            for k in place..<i { value -= lower[i * n + k] * x[k] }
            x[i] = value / lower[i * n + i]
            sum += x[i] * x[i]
        }
        return sum
    }
}
