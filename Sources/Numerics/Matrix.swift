/// Rows of numbers in one block of memory, owned by one variable at a time.
///
/// Row-major. Kernels take `base`; everybody else reads rows as spans.
public struct Matrix: ~Copyable, @unchecked Sendable {
    /// The first element; row `r` begins at `base + r * columns`. Valid while the matrix lives.
    public let base: UnsafeMutablePointer<Float>
    public let rows: Int
    public let columns: Int

    /// A matrix of zeros.
    public init(rows: Int, columns: Int) {
        self.init(uninitializedRows: rows, columns: columns)
        base.update(repeating: 0, count: rows * columns)
    }

    /// A matrix whose elements are to be written before they are read.
    public init(uninitializedRows rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(64, rows * columns * MemoryLayout<Float>.stride), alignment: 64)
        base = raw.bindMemory(to: Float.self, capacity: max(1, rows * columns))
        self.rows = rows
        self.columns = columns
    }

    public init(rows: Int, columns: Int, _ values: some Collection<Float>) {
        precondition(values.count == rows * columns)
        self.init(uninitializedRows: rows, columns: columns)
        var at = base
        for value in values { at.initialize(to: value); at += 1 }
    }

    deinit { UnsafeMutableRawPointer(base).deallocate() }

    public var count: Int { rows * columns }

    public subscript(row row: Int) -> Span<Float> {
        @_lifetime(borrow self)
        get {
            precondition(row >= 0 && row < rows)
            let start = UnsafeBufferPointer(start: base + row * columns, count: columns)
            return _overrideLifetime(start.span, borrowing: self)
        }
    }

    public subscript(row: Int, column: Int) -> Float {
        get { precondition(row >= 0 && row < rows && column >= 0 && column < columns); return base[row * columns + column] }
        nonmutating set { precondition(row >= 0 && row < rows && column >= 0 && column < columns); base[row * columns + column] = newValue }
    }

    /// All elements, row after row.
    public var elements: UnsafeMutableBufferPointer<Float> { .init(start: base, count: count) }

    public func copy() -> Matrix {
        let other = Matrix(uninitializedRows: rows, columns: columns)
        other.base.update(from: base, count: count)
        return other
    }
}
