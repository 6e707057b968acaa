import Kernels

/// SHA-256 (FIPS 180-4), fed piece by piece.
///
/// The names by which the catalogue knows weights, tokenizers and blocks of tokens.
public struct SHA256 {
    private var state: [UInt32] = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]
    private var rest: [UInt8] = []
    private var length: UInt64 = 0

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length += UInt64(bytes.count)
        var bytes = bytes[...]
        if !rest.isEmpty {
            let take = min(64 - rest.count, bytes.count)
            rest.append(contentsOf: bytes.prefix(take))
            bytes = bytes.dropFirst(take)
            guard rest.count == 64 else { return }
            rest.withUnsafeBufferPointer { kernel_sha256(&state, $0.baseAddress!, 1) }
            rest.removeAll(keepingCapacity: true)
        }
        let whole = UnsafeRawBufferPointer(rebasing: bytes)
        if let start = whole.baseAddress {
            kernel_sha256(&state, start.assumingMemoryBound(to: UInt8.self), whole.count / 64)
            rest.append(contentsOf: whole[(whole.count / 64 * 64)...])
        }
    }

    public mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
    }

    /// The 32 bytes of the digest.
    public consuming func finalize() -> [UInt8] {
        let bits = length * 8
        rest.append(0x80)
        while rest.count % 64 != 56 { rest.append(0) }
        for shift in stride(from: 56, through: 0, by: -8) { rest.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
        rest.withUnsafeBufferPointer { kernel_sha256(&state, $0.baseAddress!, $0.count / 64) }
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
    }

    public static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }
}

/// `bytes` in lower-case hexadecimal.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
