import Glibc
import Kernels
import LinearAlgebra

/// The loss of next-token predictions, without a row of logits ever being whole.
struct CrossEntropy {
    /// (vocabulary × width)
    let unembedding: Weight
    let vocabulary: Int
    let width: Int

    /// 256 × 2048 logits are 2 MB: each part of the unembedding is packed for BLAS once per 256 rows, and its logits are
    /// summed while they are in cache.
    static let rowsPerBlock = 256
    static let columnsPerBlock = 2048

    /// Appends −log p(target) in nats for each row of `normed` (targets.count × width).
    func append(_ normed: UnsafePointer<Float>, targets: [Int32], to losses: inout [Float], in workspace: Workspace) {
        let logits = workspace.part(.logits, Self.rowsPerBlock * min(vocabulary, Self.columnsPerBlock))
        for firstRow in stride(from: 0, to: targets.count, by: Self.rowsPerBlock) {
            let rows = min(Self.rowsPerBlock, targets.count - firstRow)
            var maxima = [Float](repeating: -.infinity, count: rows), sums = [Double](repeating: 0, count: rows)
            var chosen = [Float](repeating: 0, count: rows)
            for firstColumn in stride(from: 0, to: vocabulary, by: Self.columnsPerBlock) {
                let columns = min(Self.columnsPerBlock, vocabulary - firstColumn)
                sgemm(
                    m: rows, n: columns, k: width, a: normed + firstRow * width, b: unembedding.base + firstColumn * width, transposeB: true, c: logits)
                kernel_log_sum_exp(logits, columns, rows, columns, &maxima, &sums)
                for row in 0..<rows {
                    let column = Int(targets[firstRow + row]) - firstColumn
                    if column >= 0, column < columns { chosen[row] = logits[row * columns + column] }
                }
            }
            for row in 0..<rows { losses.append(Float(log(sums[row]) + Double(maxima[row]) - Double(chosen[row]))) }
        }
    }
}
