/// min ‖y − X w‖², w ≥ 0, by trying every choice of columns: the best whose own solution has no weight below 0 is the answer.
public struct PlainLeastSquares {
    public private(set) var weights: [Double]
    /// Of Σ y², what is lost without one column of those in use, the others fitted again freely; 0 for one not in use.
    public private(set) var shares: [Double]
    public private(set) var explained = 0.0

    /// - Parameters:
    ///   - gram: XᵀX.
    ///   - products: Xᵀy.
    ///   - squares: Σ y².
    public init(gram: [[Double]], products: [Double], squares: Double) {
        let n = products.count
        precondition(n <= 12)
        (weights, shares) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
        func fit(_ columns: [Int]) -> (weights: [Double], explained: Double)? {
            guard let solved = solve(columns.map { row in columns.map { gram[row][$0] } }, columns.map { products[$0] }) else { return nil }
            return (solved, zip(columns, solved).reduce(0) { $0 + $1.1 * products[$1.0] } / squares)
        }
        var used: [Int] = []
        for choice in 1..<1 << n {
            let columns = (0..<n).filter { choice >> $0 & 1 == 1 }
            guard let found = fit(columns), found.weights.allSatisfy({ $0 > 0 }), found.explained > explained else { continue }
            (explained, used, weights) = (found.explained, columns, [Double](repeating: 0, count: n))
            for (column, weight) in zip(columns, found.weights) { weights[column] = weight }
        }
        for column in used {
            let others = used.filter { $0 != column }
            shares[column] = explained - (others.isEmpty ? 0 : fit(others)!.explained)
        }
    }
}

/// Gauss's elimination with the largest pivot; `nil` where rows are dependent.
private func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double]? {
    var a = zip(matrix, right).map { $0 + [$1] }
    let n = right.count
    for step in 0..<n {
        let pivot = (step..<n).max { abs(a[$0][step]) < abs(a[$1][step]) }!
        guard abs(a[pivot][step]) > 1e-10 else { return nil }
        a.swapAt(step, pivot)
        for row in 0..<n where row != step {
            let factor = a[row][step] / a[step][step]
            for column in step...n { a[row][column] -= factor * a[step][column] }
        }
    }
    return (0..<n).map { a[$0][n] / a[$0][$0] }
}
