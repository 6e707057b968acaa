import Diagnostics

/// A tensor to be written. Its bytes are asked for when their turn comes, so that large ones are not copied.
public struct SafetensorsPart {
    public let name: String
    public let dtype: DType
    public let shape: [Int]
    /// Hands over the elements' bytes, in order, in one piece or several.
    let send: (_ receive: (UnsafeRawBufferPointer) throws -> Void) throws -> Void

    public init(_ name: String, _ dtype: DType, _ shape: [Int], send: @escaping (_ receive: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) {
        (self.name, self.dtype, self.shape, self.send) = (name, dtype, shape, send)
    }

    /// - Parameter elements: valid until the file is written.
    public init(_ name: String, _ shape: [Int], _ elements: UnsafeBufferPointer<Float>) {
        self.init(name, .f32, shape) { try $0(UnsafeRawBufferPointer(elements)) }
    }

    public init(_ name: String, _ shape: [Int], _ values: [Float]) {
        self.init(name, .f32, shape) { receive in try values.withUnsafeBytes { try receive($0) } }
    }

    /// The same in half precision, rounded to nearest.
    public func halved() -> SafetensorsPart {
        precondition(dtype == .f32)
        return SafetensorsPart(name, .f16, shape) { receive in
            try send { bytes in
                let floats = bytes.assumingMemoryBound(to: Float.self)
                for start in stride(from: 0, to: floats.count, by: 1 << 14) {
                    try floats[start..<min(floats.count, start + 1 << 14)].map { Float16($0) }.withUnsafeBytes { try receive($0) }
                }
            }
        }
    }

    /// Whether every number of a single-precision tensor stays finite in half precision.
    public func isFiniteHalved() throws -> Bool {
        precondition(dtype == .f32)
        var isFinite = true
        // 65,520 and more round to infinity.
        try send { bytes in if isFinite { isFinite = bytes.assumingMemoryBound(to: Float.self).allSatisfy { abs($0) < 65_520 } } }
        return isFinite
    }

    var byteCount: Int { shape.reduce(1, *) * dtype.bits / 8 }
}

/// Writes tensors as a safetensors file, replacing `path` only when all is on disk.
///
/// The same call writes the same bytes: tensors stay in their order, metadata is sorted, and the header is padded with
/// spaces to 8 bytes so that the numbers are aligned.
/// - Parameter isAlone: as for `FileReplacement`.
/// - Throws: `MonosemeError` naming the tensor whose values do not fill its shape, or the path that cannot be written.
public func writeSafetensors(_ tensors: [SafetensorsPart], metadata: [String: String] = [:], to path: String, isAlone: Bool = false) throws {
    var names: Set<String> = ["__metadata__"]
    var header = JSONWriter()
    try header.object { header in
        if !metadata.isEmpty {
            header.key("__metadata__")
            header.object { header in for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { header.member(key, value) } }
        }
        var offset = 0
        for tensor in tensors {
            guard names.insert(tensor.name).inserted else { throw MonosemeError("tensor name \(quoted(tensor.name)) is taken") }
            header.key(tensor.name)
            header.object { header in
                header.member("dtype", tensor.dtype.rawValue)
                header.key("shape")
                header.array { header in for size in tensor.shape { header.value(size) } }
                header.key("data_offsets")
                header.array { header in header.value(offset); header.value(offset + tensor.byteCount) }
            }
            offset += tensor.byteCount
        }
    }
    var start = header.bytes
    while start.count % 8 != 0 { start.append(UInt8(ascii: " ")) }
    start.insert(contentsOf: withUnsafeBytes(of: UInt64(start.count).littleEndian, Array.init), at: 0)

    let file = try FileReplacement(path, isAlone: isAlone)
    try start.withUnsafeBytes { try file.write($0) }
    for tensor in tensors {
        var count = 0
        try tensor.send { bytes in
            count += bytes.count
            try file.write(bytes)
        }
        guard count == tensor.byteCount else { throw MonosemeError("tensor \(quoted(tensor.name)) has \(count * 8 / tensor.dtype.bits) values for shape \(tensor.shape)") }
    }
    try file.commit()
}

/// The same for single-precision tensors held as arrays.
public func writeSafetensors(_ tensors: [(name: String, shape: [Int], values: [Float])], metadata: [String: String] = [:], to path: String) throws {
    try writeSafetensors(tensors.map { SafetensorsPart($0.name, $0.shape, $0.values) }, metadata: metadata, to: path)
}
