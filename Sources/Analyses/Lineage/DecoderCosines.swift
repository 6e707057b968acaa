import Kernels
import LinearAlgebra
public import Numerics

/// Cosines of many unit rows with some others, block by block: dense products at the full rate of the processor, never all in memory.
public final class DecoderCosines: @unchecked Sendable {
    private let columns, rows: Matrix
    /// The block that is looked at; kept, for fresh memory costs a fifth of a product.
    private let cosines: Matrix
    private let threads: Int
    /// Rows to one product: large enough that packing costs little, few enough that a block takes 32 MB a thread.
    private let pieceRows: Int

    /// - Parameters:
    ///   - columns: (columns × width), unit rows; loaded for as long as this lives, as `rows` are.
    ///   - rows: (rows × width).
    /// - Throws: when OpenBLAS cannot be loaded.
    public init(of columns: consuming Matrix, with rows: consuming Matrix, threads: Int) throws {
        precondition(columns.columns == rows.columns)
        try loadLinearAlgebra()
        pieceRows = min(1024, max(128, (1 << 23) / max(1, columns.rows)))
        cosines = Matrix(uninitializedRows: min(rows.rows, threads * pieceRows), columns: columns.rows)
        self.columns = columns
        self.rows = rows
        self.threads = threads
    }

    /// Rows to a block: one product for each thread.
    public var rowsAtOnce: Int { threads * pieceRows }

    /// The cosines of `rowsAtOnce` rows or fewer, row after row (range × columns); valid until the next call, so for one caller at a time.
    public func block(_ range: Range<Int>) throws -> UnsafePointer<Float> {
        precondition(range.count <= cosines.rows)
        let width = rows.columns, target = Shared(cosines.elements)
        try forEachInParallel((range.count + pieceRows - 1) / pieceRows, threads: threads) { piece in
            let first = piece * pieceRows
            sgemm(m: min(pieceRows, range.count - first), n: columns.rows, k: width, a: rows.base + (range.lowerBound + first) * width, b: columns.base, transposeB: true,
                  c: target.buffer.baseAddress! + first * columns.rows)
        }
        return UnsafePointer(cosines.base)
    }

    /// The places in a row of a block that reach `threshold`, ascending, and the greatest of the row.
    public func scan(_ row: UnsafePointer<Float>, threshold: Float, _ places: UnsafeMutablePointer<UInt32>) -> (found: UnsafeBufferPointer<UInt32>, greatest: Float) {
        var greatest: Float = 0
        let count = kernel_scan_above(row, columns.rows, threshold, places, &greatest)
        return (UnsafeBufferPointer(start: places, count: count), greatest)
    }
}
