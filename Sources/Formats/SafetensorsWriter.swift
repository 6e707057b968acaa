import Diagnostics
import Glibc

/// Writes single-precision tensors as a safetensors file, replacing `path` only when all is written.
///
/// The same call writes the same bytes: tensors stay in their order, metadata is sorted, and the header is padded with
/// spaces to 8 bytes so that the numbers are aligned.
/// - Throws: `MonosemeError` naming the tensor whose values do not fill its shape, or the path that cannot be written.
public func writeSafetensors(
    _ tensors: [(name: String, shape: [Int], values: [Float])], metadata: [String: String] = [:], to path: String
) throws {
    var names: Set<String> = ["__metadata__"]
    var header = JSONWriter()
    try header.object { header in
        if !metadata.isEmpty {
            header.key("__metadata__")
            header.object { header in for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { header.member(key, value) } }
        }
        var offset = 0
        for (name, shape, values) in tensors {
            guard names.insert(name).inserted else { throw MonosemeError("tensor name \(quoted(name)) is taken") }
            guard shape.allSatisfy({ $0 >= 0 }), shape.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) == values.count else {
                throw MonosemeError("tensor \(quoted(name)) has \(values.count) values for shape \(shape)")
            }
            header.key(name)
            header.object { header in
                header.member("dtype", DType.f32.rawValue)
                header.key("shape")
                header.array { header in for size in shape { header.value(size) } }
                header.key("data_offsets")
                header.array { header in header.value(offset); header.value(offset + values.count * 4) }
            }
            offset += values.count * 4
        }
    }
    var start = header.bytes
    while start.count % 8 != 0 { start.append(UInt8(ascii: " ")) }
    start.insert(contentsOf: withUnsafeBytes(of: UInt64(start.count).littleEndian, Array.init), at: 0)

    let temporary = "\(path).\(getpid()).partial"
    func failure() -> MonosemeError { MonosemeError("cannot write \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
    guard let stream = fopen(temporary, "we") else { throw failure() }
    var isWritten = start.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, stream) == $0.count }
    for tensor in tensors where isWritten && !tensor.values.isEmpty {
        isWritten = tensor.values.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, stream) == $0.count }
    }
    isWritten = isWritten && fflush(stream) == 0 && fsync(fileno(stream)) == 0
    isWritten = fclose(stream) == 0 && isWritten
    guard isWritten, rename(temporary, path) == 0 else {
        let error = failure()
        unlink(temporary)
        throw error
    }
}
