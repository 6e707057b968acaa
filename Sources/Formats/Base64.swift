// Base64 (RFC 4648, section 4): bytes as text.

/// Writes `bytes` in base64, with its padding, to the end of `out`.
public func appendBase64(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    out.reserveCapacity(out.count + (bytes.count + 2) / 3 * 4)
    var at = 0
    alphabet.withUnsafeBufferPointer { alphabet in
        func letter(_ bits: UInt32) -> UInt8 { alphabet[Int(bits & 63)] }
        while at + 3 <= bytes.count {
            let three = UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
            out.append(letter(three >> 18))
            out.append(letter(three >> 12))
            out.append(letter(three >> 6))
            out.append(letter(three))
            at += 3
        }
        guard at < bytes.count else { return }
        let rest = UInt32(bytes[at]) << 16 | (at + 1 < bytes.count ? UInt32(bytes[at + 1]) << 8 : 0)
        out.append(letter(rest >> 18))
        out.append(letter(rest >> 12))
        out.append(at + 1 < bytes.count ? letter(rest >> 6) : UInt8(ascii: "="))
        out.append(UInt8(ascii: "="))
    }
}

/// The bytes that base64 stands for; `nil` where it is not base64 as `appendBase64` writes it: other letters, white space, no padding, bits
/// left over.
public func bytes(ofBase64 text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    if text.isEmpty { return [] }
    let padding = text[text.count - 1] != UInt8(ascii: "=") ? 0 : text[text.count - 2] != UInt8(ascii: "=") ? 1 : 2
    var isSound = true
    let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { out, count in
        values.withUnsafeBufferPointer { values in
            for quad in 0..<text.count / 4 {
                let last = quad == text.count / 4 - 1
                var bits: UInt32 = 0
                for place in 0..<4 {
                    let value = last && place >= 4 - padding ? 0 : values[Int(text[4 * quad + place])]
                    if value == 255 { isSound = false }
                    bits = bits << 6 | UInt32(value & 63)
                }
                out[3 * quad] = UInt8(truncatingIfNeeded: bits >> 16)
                out[3 * quad + 1] = UInt8(truncatingIfNeeded: bits >> 8)
                out[3 * quad + 2] = UInt8(truncatingIfNeeded: bits)
                if last, bits & (padding == 2 ? 0xffff : padding == 1 ? 0xff : 0) != 0 { isSound = false }
            }
        }
        count = text.count / 4 * 3 - padding
    }
    return isSound ? bytes : nil
}

private let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
/// Of each byte: the six bits it stands for, or 255.
private let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
    return values
}()
