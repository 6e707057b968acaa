import Foundation
import Training

/// A safetensors file written by hand, with any dtype.
struct ShardFile {
    var tensors: [(name: String, dtype: String, shape: [Int], bytes: Data)] = []

    /// One matrix called "x" of rows that hold their own numbers.
    init(_ dtype: String = "F32", rows: Range<Int>, width: Int = 3) {
        add("x", dtype, [rows.count, width], ShardFile.numbered(rows, width))
    }

    init() {}

    mutating func add(_ name: String, _ dtype: String, _ shape: [Int], _ values: [Double]) {
        func raw(_ numbers: [some BitwiseCopyable]) -> Data { numbers.withUnsafeBytes { Data($0) } }
        let bytes = switch dtype {
        case "F16": raw(values.map { Float16($0) })
        case "BF16": raw(values.map { UInt16(Float($0).bitPattern >> 16) })
        case "F64": raw(values)
        case "I32": raw(values.map { Int32($0) })
        default: raw(values.map { Float($0) })
        }
        tensors.append((name, dtype, shape, bytes))
    }

    /// Row n holds n, −n, n, … : exact in half precision to 2,048 and in bfloat16 to 256.
    static func numbered(_ rows: Range<Int>, _ width: Int) -> [Double] { rows.flatMap { row in (0..<width).map { Double($0 % 2 == 0 ? row : -row) } } }

    func write(to path: URL) throws {
        var at = 0
        let entries = tensors.map { tensor in
            defer { at += tensor.bytes.count }
            return "\"\(tensor.name)\":{\"dtype\":\"\(tensor.dtype)\",\"shape\":\(tensor.shape),\"data_offsets\":[\(at),\(at + tensor.bytes.count)]}"
        }
        let header = Data("{\(entries.joined(separator: ","))}".utf8)
        try (withUnsafeBytes(of: UInt64(header.count)) { Data($0) } + header + tensors.reduce(Data()) { $0 + $1.bytes }).write(to: path)
    }
}

/// A batch's rows by the numbers they hold; −1 for a row that is not one of `numbered`.
func numbers(_ base: UnsafePointer<Float>, rows: Int, width: Int) -> [Int] {
    (0..<rows).map { row in
        let first = base[row * width]
        return (0..<width).allSatisfy { base[row * width + $0] == ($0 % 2 == 0 ? first : -first) } ? Int(first) : -1
    }
}

/// All that a source gives, read `rows` at a time.
func readAll(_ source: any ActivationSource, _ rows: Int, threads: Int = 1) throws -> [Float] {
    let target = UnsafeMutablePointer<Float>.allocate(capacity: (rows + source.overshoot) * source.width)
    defer { target.deallocate() }
    var all: [Float] = []
    while case let count = try source.read(rows, into: target, threads: threads), count > 0 {
        all += UnsafeBufferPointer(start: target, count: count * source.width)
    }
    return all
}
