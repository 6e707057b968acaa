import Kernels

/// Bytes as a string whose places can be told in bytes: what is not UTF-8 is one U+FFFD for each ill-formed stretch (Unicode 15,
/// section 3.9, "maximal subparts"), and offsets stay those of the bytes.
struct ScalarText {
    let string: String
    /// Of each byte of the string, and of its end, the offset in the bytes; `nil` where they are the same.
    private let origins: [Int]?

    init(_ bytes: [UInt8]) {
        var rest = kernel_utf8_valid_prefix(bytes, bytes.count)
        guard rest < bytes.count else {
            (string, origins) = (String(decoding: bytes, as: UTF8.self), nil)
            return
        }
        var repaired = Array(bytes[..<rest]), origins = Array(0..<rest)
        while rest < bytes.count {
            bytes.withUnsafeBufferPointer { all in
                let ill = kernel_utf8_ill_formed(all.baseAddress! + rest, all.count - rest)
                repaired += "\u{fffd}".utf8
                origins += repeatElement(rest, count: 3)
                rest += ill
                let well = kernel_utf8_valid_prefix(all.baseAddress! + rest, all.count - rest)
                repaired += all[rest..<rest + well]
                origins += rest..<rest + well
                rest += well
            }
        }
        string = String(decoding: repaired, as: UTF8.self)
        self.origins = origins + [bytes.count]
    }

    /// The offset in the bytes of an offset in the string's UTF-8 that begins or ends a character.
    func offset(_ offset: Int) -> Int { origins?[offset] ?? offset }
}
