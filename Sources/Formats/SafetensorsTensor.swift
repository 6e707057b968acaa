import Diagnostics
import Kernels
public import Numerics

/// One tensor of a safetensors file; it keeps the mapped file alive.
public struct SafetensorsTensor: Sendable {
    public let name: String
    public let dtype: DType
    /// Row-major sizes; empty for a scalar.
    public let shape: [Int]
    private let file: MappedFile
    private let start: Int
    private let end: Int

    init(file: MappedFile, entry: SafetensorsEntry) {
        self.file = file
        (name, dtype, shape, start, end) = (entry.name, entry.dtype, entry.shape, entry.start, entry.end)
    }

    /// How many elements there are; 1 for a scalar.
    public var count: Int { shape.reduce(1, *) }

    /// The bytes as the file holds them, aligned to nothing. Valid while this tensor (or its file) lives: hold it with
    /// `withExtendedLifetime`.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[start..<end]) }

    /// All elements in single precision: floats of 16 to 64 bits and integers are converted.
    /// - Throws: `MonosemeError` naming the tensor and its dtype, if it is complex or a float of fewer than 16 bits.
    public func floats() throws -> [Float] {
        try checkHasFloats()
        return try [Float](unsafeUninitializedCapacity: count) { buffer, written in
            if let base = buffer.baseAddress { try copy(into: base) }
            written = count
        }
    }

    /// The elements as a matrix (rows × columns); a vector becomes one row.
    /// - Throws: as `floats()`, and when the tensor has neither one nor two dimensions.
    public func matrix() throws -> Matrix {
        guard shape.count == 1 || shape.count == 2 else {
            throw MonosemeError("tensor \(quoted(name)) has shape \(shape) where a matrix is needed")
        }
        try checkHasFloats()
        let matrix = Matrix(uninitializedRows: shape.count == 1 ? 1 : shape[0], columns: shape[shape.count - 1])
        try copy(into: matrix.base)
        return matrix
    }

    /// Writes all `count` elements to `target` in single precision.
    /// - Throws: as `floats()`.
    public func copy(into target: UnsafeMutablePointer<Float>) throws { try copy(0..<count, into: target) }

    /// Writes the elements of a range, in row-major order, to `target` in single precision.
    /// - Throws: as `floats()`.
    public func copy(_ elements: Range<Int>, into target: UnsafeMutablePointer<Float>) throws {
        precondition(elements.lowerBound >= 0 && elements.upperBound <= count)
        try checkHasFloats()
        convert(elements, target)
    }

    /// `copy` once it cannot fail. Apart from it because swiftc 6.3 at -O otherwise leaves a width in the register of the error.
    @inline(never)
    private func convert(_ elements: Range<Int>, _ target: UnsafeMutablePointer<Float>) {
        guard let base = bytes.baseAddress, !elements.isEmpty else { return }
        defer { withExtendedLifetime(file) {} }
        let count = elements.count, source = base + elements.lowerBound * (dtype.bits / 8)
        switch dtype {
        case .f32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 4)
        case .f16: kernel_floats_from_f16(source, target, count)
        case .bf16: kernel_floats_from_bf16(source, target, count)
        case .f64: kernel_floats_from_f64(source, target, count)
        case .i8: convert(source, Int8.self, target, count)
        case .i16: convert(source, Int16.self, target, count)
        case .i32: convert(source, Int32.self, target, count)
        case .i64: convert(source, Int64.self, target, count)
        case .bool, .u8: convert(source, UInt8.self, target, count)
        case .u16: convert(source, UInt16.self, target, count)
        case .u32: convert(source, UInt32.self, target, count)
        case .u64: convert(source, UInt64.self, target, count)
        case .f4, .f6E2M3, .f6E3M2, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ, .c64: preconditionFailure("checked above")
        }
    }

    /// Lets go of the memory that holds the elements of a range until they are read again, so that what streams through
    /// a file larger than memory does not count as the process's own. For dtypes of whole bytes.
    public func release(_ elements: Range<Int>) {
        precondition(elements.lowerBound >= 0 && elements.upperBound <= count)
        let size = dtype.bits / 8
        file.release(start + elements.lowerBound * size..<start + elements.upperBound * size)
    }

    /// All elements of an integer (or boolean) tensor.
    /// - Throws: `MonosemeError` naming the tensor, when it holds other numbers or one beyond 2⁶³−1.
    public func integers() throws -> [Int64] {
        defer { withExtendedLifetime(file) {} }
        return switch dtype {
        case .i8: widen(Int8.self)
        case .i16: widen(Int16.self)
        case .i32: widen(Int32.self)
        case .i64: widen(Int64.self)
        case .bool, .u8: widen(UInt8.self)
        case .u16: widen(UInt16.self)
        case .u32: widen(UInt32.self)
        case .u64:
            try (0..<count).map { index in
                let value = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                guard let value = Int64(exactly: value) else { throw MonosemeError("tensor \(quoted(name)) holds \(value), beyond 2⁶³−1") }
                return value
            }
        default: throw MonosemeError("tensor \(quoted(name)) holds \(dtype.rawValue) where integers are needed")
        }
    }

    private func checkHasFloats() throws {
        switch dtype {
        case .f4, .f6E2M3, .f6E3M2, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ, .c64:
            throw MonosemeError(
                "tensor \(quoted(name)) holds \(dtype.rawValue), which is not supported", hint: "convert the file to F32, F16 or BF16")
        default: return
        }
    }

    private func convert<Number: FixedWidthInteger & BitwiseCopyable>(_ source: UnsafeRawPointer, _: Number.Type, _ target: UnsafeMutablePointer<Float>, _ count: Int) {
        let size = MemoryLayout<Number>.size
        for index in 0..<count { target[index] = Float(source.loadUnaligned(fromByteOffset: index * size, as: Number.self)) }
    }

    private func widen<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) -> [Int64] {
        let bytes = bytes, size = MemoryLayout<Number>.size
        return (0..<count).map { Int64(bytes.loadUnaligned(fromByteOffset: $0 * size, as: Number.self)) }
    }
}
