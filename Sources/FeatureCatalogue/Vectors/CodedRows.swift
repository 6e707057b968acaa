import Kernels
import Numerics
import Synchronization

/// Unit decoder rows and their 8-bit codes in memory, as the kernels of graph.h want them: 5 bytes a number.
final class CodedRows: @unchecked Sendable {
    /// (count × width)
    private let rows: Matrix
    private(set) var side: graph_side
    /// The greatest length of a row or of what its code stands for.
    let lengthMaximum: Double

    /// Products of codes are summed in 32 bits.
    static let widthMaximum = 65_536

    /// - Parameter rows: of length 1, or zero; at most `widthMaximum` wide.
    init(_ rows: consuming Matrix, threads: Int) {
        let count = rows.rows, width = rows.columns, padded = kernel_rotated(width), panelRows = Int(GRAPH_COLUMNS)
        precondition(width >= 1 && width <= CodedRows.widthMaximum)
        let places = max(1, (count + panelRows - 1) / panelRows) * panelRows
        let panels = UnsafeMutableRawBufferPointer.allocate(byteCount: places * padded, alignment: 64)
        panels.initializeMemory(as: UInt8.self, repeating: 0)
        let steps = UnsafeMutablePointer<Float>.allocate(capacity: places), errors = UnsafeMutablePointer<Float>.allocate(capacity: places)
        steps.initialize(repeating: 0, count: places)
        errors.initialize(repeating: -.infinity, count: places)
        let side = graph_side(count: count, width: width, padded: padded, rows: rows.base, panels: panels.baseAddress!.assumingMemoryBound(to: UInt8.self), steps: steps, errors: errors)

        let greatest = Mutex(0.0), portion = 1024
        nonisolated(unsafe) let shared = side
        forEachOnThreads((count + portion - 1) / portion, threads: threads) { place, _ in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: padded) { scratch in
                let own = withUnsafePointer(to: shared) { kernel_graph_code($0, place * portion, min(count, (place + 1) * portion), scratch.baseAddress!) }
                greatest.withLock { $0 = max($0, own) }
            }
        }
        lengthMaximum = greatest.withLock { $0 }
        self.side = side
        self.rows = rows
    }

    deinit {
        side.panels.deallocate()
        side.steps.deallocate()
        side.errors.deallocate()
    }

    var count: Int { side.count }

    /// Whether the row is zeros: it has no neighbours and is none.
    func isZero(_ row: Int) -> Bool { side.errors[row] == -.infinity }

    /// Makes the errors into the E of graph.h; once.
    func scaleErrors(by most: Double) { kernel_graph_scale_errors(&side, most) }
}
