import Glibc
import Kernels
import LinearAlgebra

/// Causal attention over contexts that lie end to end.
struct Attention: Sendable {
    let heads: Int
    let headWidth: Int
    /// What scores are multiplied by, usually 1/√headWidth.
    let scale: Float

    /// Queries that are attended together. Keys beyond the last of them are left out, so that of the square of scores
    /// little more than the lower triangle is computed; fewer would make the products too small for BLAS.
    static let queriesPerBlock = 64

    /// projections (rows × 3 · heads · headWidth, queries | keys | values) → out (rows × heads · headWidth).
    func apply(_ projections: UnsafePointer<Float>, lengths: some Sequence<Int>, into out: UnsafeMutablePointer<Float>, in workspace: Workspace) {
        let width = heads * headWidth, stride = 3 * width
        var start = 0
        for length in lengths {
            let scores = workspace.part(.scores, Self.queriesPerBlock * length), sums = workspace.part(.sums, Self.queriesPerBlock)
            for head in 0..<heads {
                let queries = projections + start * stride + head * headWidth
                let keys = queries + width, values = keys + width
                let results = out + start * width + head * headWidth
                for first in Swift.stride(from: 0, to: length, by: Self.queriesPerBlock) {
                    let count = min(Self.queriesPerBlock, length - first), seen = first + count
                    sgemm(
                        m: count, n: seen, k: headWidth, alpha: scale, a: queries + first * stride, lda: stride, b: keys, ldb: stride,
                        transposeB: true, c: scores)
                    kernel_causal_softmax(scores, seen, count, seen, first, sums)
                    sgemm(m: count, n: headWidth, k: seen, a: scores, b: values, ldb: stride, c: results + first * width, ldc: width)
                    kernel_scale_rows(results + first * width, width, sums, count, headWidth)
                }
            }
            start += length
        }
    }
}

/// Rotary positions (Su et al., 2021) on the first `2 · half` numbers of each head: pairs (i, i + half) turn by
/// position · base^(−i / half) / factor.
struct Rotary: Sendable {
    let half: Int
    let base: Double
    let factor: Double

    /// Turns queries and keys, which are the first `2 · heads` heads of each row of `stride` numbers.
    func apply(_ projections: UnsafeMutablePointer<Float>, stride: Int, heads: Int, headWidth: Int, lengths: some Sequence<Int>, longest: Int, in workspace: Workspace) {
        guard half > 0 else { return }
        let cosines = workspace.part(.cosines, longest * half), sines = workspace.part(.sines, longest * half)
        if workspace.rotaryPositions < longest {
            // Angles are rounded as the reference rounds them, in single precision.
            let frequencies = (0..<half).map { Float(1 / (Double(Float(pow(base, Double($0) / Double(half)))) * factor)) }
            for position in 0..<longest {
                for (i, frequency) in frequencies.enumerated() {
                    let angle = Double(Float(position) * frequency)
                    cosines[position * half + i] = Float(cos(angle))
                    sines[position * half + i] = Float(sin(angle))
                }
            }
            workspace.rotaryPositions = longest
        }
        var start = projections
        for length in lengths {
            kernel_rotary(start, stride, cosines, sines, length, 2 * heads, headWidth, half)
            start += length * stride
        }
    }
}
