/// Writes JSON as UTF-8 bytes, piece by piece, the same bytes for the same calls.
///
/// Commas and indentation are the writer's business; the caller says what comes. Numbers are written in the shortest
/// form that reads back to the same value; a number that JSON cannot hold (NaN, infinity) becomes `null`.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []
    /// Spaces for each level, or `nil` for one line.
    private let indentation: Int?
    private var depth = 0
    private var isFirst = true
    private var followsKey = false

    public init(indentation: Int? = nil) { self.indentation = indentation }

    public var isIndented: Bool { indentation != nil }

    /// Takes what has been written so far and forgets it, so that long documents stream.
    public mutating func drain() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows { try nest("{", "}", body) }
    public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows { try nest("[", "]", body) }

    public mutating func key(_ name: String) {
        separate()
        append(quoting: name)
        bytes.append(UInt8(ascii: ":"))
        if indentation != nil { bytes.append(UInt8(ascii: " ")) }
        followsKey = true
    }

    /// A value that is JSON already, as the caller vouches.
    public mutating func value(json: some Collection<UInt8>) { separate(); bytes.append(contentsOf: json) }

    /// A value that `write` adds to the bytes itself, as JSON.
    public mutating func value(writtenBy write: (inout [UInt8]) -> Void) { separate(); write(&bytes) }

    /// An array of numbers: what examples are made of, thousands to a feature.
    public mutating func value(_ numbers: [Int32]) {
        guard indentation == nil else { return array { writer in for number in numbers { writer.value(number) } } }
        separate()
        for (place, number) in numbers.enumerated() {
            bytes.append(place == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
            if number >= 0 { append(UInt32(number)) } else { append(String(number)) }
        }
        append(numbers.isEmpty ? "[]" : "]")
    }

    public mutating func value(_ numbers: [Float]) {
        guard indentation == nil else { return array { writer in for number in numbers { writer.value(number) } } }
        separate()
        for (place, number) in numbers.enumerated() {
            bytes.append(place == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
            if number.bitPattern == 0 { bytes.append(UInt8(ascii: "0")) } else { append(number) }
        }
        append(numbers.isEmpty ? "[]" : "]")
    }

    /// Bytes in base64.
    public mutating func value(base64 raw: UnsafeRawBufferPointer) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        appendBase64(raw, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    public mutating func null() { separate(); append("null") }
    public mutating func value(_ value: Bool) { separate(); append(value ? "true" : "false") }
    public mutating func value(_ value: some BinaryInteger) {
        separate()
        if let small = UInt32(exactly: value) { append(small) } else { append(String(value)) }
    }
    public mutating func value(_ value: String) { separate(); append(quoting: value) }
    public mutating func value(_ value: Double) {
        separate()
        // Most numbers are counts and zeros; minus zero is neither.
        if let small = UInt32(exactly: value), value.sign == .plus { append(small) } else { append(JSONWriter.literal(value)) }
    }
    public mutating func value(_ value: Float) { separate(); append(value) }

    private mutating func append(_ value: Float) {
        if value < 0x1p24, let small = UInt32(exactly: value), value.sign == .plus { append(small) } else { append(JSONWriter.literal(value)) }
    }

    public mutating func member(_ name: String, _ value: String?) { key(name); if let value { self.value(value) } else { null() } }
    public mutating func member(_ name: String, _ value: Double?) { key(name); if let value { self.value(value) } else { null() } }
    public mutating func member(_ name: String, _ value: Float?) { key(name); if let value { self.value(value) } else { null() } }
    public mutating func member(_ name: String, _ value: Bool?) { key(name); if let value { self.value(value) } else { null() } }
    public mutating func member(_ name: String, _ value: (some BinaryInteger)?) { key(name); if let value { self.value(value) } else { null() } }

    public mutating func value(_ json: JSON) {
        switch json {
        case .null: null()
        case .bool(let b): value(b)
        case .unsigned(let u): value(u)
        case .negative(let n): value(n)
        case .real(let r): value(r)
        case .string(let s): value(s)
        case .array(let elements): array { writer in for element in elements { writer.value(element) } }
        case .object(let object): self.object { writer in for (key, element) in object.members { writer.key(key); writer.value(element) } }
        }
    }

    /// Ends a document: a newline, and ready for the next (JSON Lines).
    public mutating func endLine() { bytes.append(UInt8(ascii: "\n")); isFirst = true }

    static func literal<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number) -> String {
        guard value.isFinite else { return "null" }
        let text = String(value)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private mutating func nest(_ open: String, _ close: String, _ body: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        append(open)
        depth += 1
        isFirst = true
        try body(&self)
        depth -= 1
        if !isFirst { newLine() }
        isFirst = false
        append(close)
    }

    private mutating func separate() {
        if followsKey { followsKey = false; return }
        if depth > 0 {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            newLine()
        }
        isFirst = false
    }

    private mutating func newLine() {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * indentation))
    }

    private mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ number: UInt32) {
        if number < 10 { bytes.append(UInt8(ascii: "0") + UInt8(number)); return }
        var digits: (UInt64, UInt64) = (0, 0), rest = number, count = 0
        withUnsafeMutableBytes(of: &digits) { digits in
            repeat {
                count += 1
                digits[16 - count] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: digits[(16 - count)...]))
        }
    }

    private mutating func append(quoting text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            for place in 0..<utf8.count {
                let byte = utf8[place]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f else { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<place]))
                start = place + 1
                switch byte {
                case UInt8(ascii: "\""): append("\\\"")
                case UInt8(ascii: "\\"): append("\\\\")
                case 0x0a: append("\\n")
                case 0x0d: append("\\r")
                case 0x09: append("\\t")
                default: append("\\u00" + hexadecimal([byte]))
                }
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
