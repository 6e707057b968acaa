import Diagnostics
import Glibc

/// Reads JSON from front to back, value by value, without making a tree of it: what is not asked for is only checked and passed over.
///
/// As strict as `JSON`; nesting is bounded. A mistake throws `JSONError`, a value of another kind than the one asked for throws too.
public struct JSONCursor {
    private let bytes: UnsafeRawBufferPointer
    public private(set) var offset = 0
    private var depth = 0
    private static let maximumDepth = 127

    /// - Parameter bytes: one value; they must stay while the cursor is used.
    public init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        skipSpace()
    }

    /// The name of a member, for a `switch` over names.
    public struct Key {
        fileprivate let bytes: UnsafeRawBufferPointer
        public static func ~= (name: StaticString, key: Key) -> Bool {
            key.bytes.count == name.utf8CodeUnitCount && memcmp(key.bytes.baseAddress!, name.utf8Start, key.bytes.count) == 0
        }
        public var text: String { String(decoding: bytes, as: UTF8.self) }
        public func isEqual(to name: StaticString) -> Bool { name ~= self }
    }

    public func fail(_ problem: String) -> JSONError { JSONError(problem: problem, offset: offset) }

    /// Makes sure that nothing but white space is left.
    public mutating func end() throws(JSONError) {
        skipSpace()
        guard offset == bytes.count else { throw fail("unexpected text after the value") }
    }

    @inline(__always) private var byte: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    @inline(__always) private mutating func skipSpace() {
        while offset < bytes.count, case let byte = bytes[offset], byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
    }

    private mutating func expect(_ letter: Character) throws(JSONError) {
        guard byte == letter.asciiValue! else { throw fail("expected '\(letter)'") }
        offset += 1
    }

    // MARK: Containers

    /// Calls `body` with each member's name; `body` reads its value or skips it.
    public mutating func object(_ body: (inout JSONCursor, Key) throws -> Void) throws {
        guard byte == UInt8(ascii: "{") else { throw fail("expected an object") }
        try enter()
        if byte == UInt8(ascii: "}") { leave(); return }
        while true {
            guard byte == UInt8(ascii: "\"") else { throw fail("expected a name") }
            let (raw, hasEscapes) = try rawString()
            // Our names need no escapes; others are told from them by any spelling.
            let key = Key(bytes: raw)
            guard !hasEscapes, raw.count > 0 else { throw fail("a member's name that is empty or has escapes") }
            skipSpace()
            try expect(":")
            skipSpace()
            let before = offset
            try body(&self, key)
            precondition(offset > before, "a member was not read")
            skipSpace()
            if byte == UInt8(ascii: ",") { offset += 1; skipSpace(); continue }
            guard byte == UInt8(ascii: "}") else { throw fail("expected ',' or '}'") }
            leave()
            return
        }
    }

    /// Calls `body` for each element, which reads it or skips it.
    public mutating func array(_ body: (inout JSONCursor) throws -> Void) throws {
        guard byte == UInt8(ascii: "[") else { throw fail("expected an array") }
        try enter()
        if byte == UInt8(ascii: "]") { leave(); return }
        while true {
            let before = offset
            try body(&self)
            precondition(offset > before, "an element was not read")
            skipSpace()
            if byte == UInt8(ascii: ",") { offset += 1; skipSpace(); continue }
            guard byte == UInt8(ascii: "]") else { throw fail("expected ',' or ']'") }
            leave()
            return
        }
    }

    private mutating func enter() throws(JSONError) {
        guard depth < JSONCursor.maximumDepth else { throw fail("nested more than \(JSONCursor.maximumDepth) deep") }
        depth += 1
        offset += 1
        skipSpace()
    }

    private mutating func leave() { depth -= 1; offset += 1 }

    // MARK: Values

    /// Takes a null, if there is one.
    public mutating func null() throws(JSONError) -> Bool {
        guard byte == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        guard offset + word.utf8CodeUnitCount <= bytes.count, memcmp(bytes.baseAddress! + offset, word.utf8Start, word.utf8CodeUnitCount) == 0 else { throw fail("expected \(word)") }
        offset += word.utf8CodeUnitCount
    }

    public mutating func bool() throws(JSONError) -> Bool {
        if byte == UInt8(ascii: "t") { try word("true"); return true }
        guard byte == UInt8(ascii: "f") else { throw fail("expected true or false") }
        try word("false")
        return false
    }

    /// The digits of a number, checked: as an integer where it is one of up to 18 digits, and where it stands.
    @inline(__always) private mutating func digits() throws(JSONError) -> (isInteger: Bool, isNegative: Bool, mantissa: UInt64, exponent: Int, isExact: Bool, range: Range<Int>) {
        let start = offset, isNegative = byte == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        var mantissa: UInt64 = 0, count = 0, exponent = 0, isExact = true
        func digit(_ at: Int) -> UInt8? { at < bytes.count && bytes[at] &- 0x30 < 10 ? bytes[at] - 0x30 : nil }
        guard let first = digit(offset) else { throw fail("expected a number") }
        if first == 0, digit(offset + 1) != nil { throw fail("a number with a leading zero") }
        while let digit = digit(offset) {
            if count < 18 { mantissa = mantissa &* 10 &+ UInt64(digit) } else { isExact = false }
            if mantissa > 0 { count += 1 }
            offset += 1
        }
        var isInteger = true
        if byte == UInt8(ascii: ".") {
            isInteger = false
            offset += 1
            guard digit(offset) != nil else { throw fail("expected a digit") }
            while let digit = digit(offset) {
                if count < 18 { mantissa = mantissa &* 10 &+ UInt64(digit); exponent -= 1 } else { isExact = false }
                if mantissa > 0 { count += 1 }
                offset += 1
            }
        }
        if byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            offset += 1
            let isBelow = byte == UInt8(ascii: "-")
            if isBelow || byte == UInt8(ascii: "+") { offset += 1 }
            guard digit(offset) != nil else { throw fail("expected a digit") }
            var power = 0
            while let digit = digit(offset) { power = min(100_000, power * 10 + Int(digit)); offset += 1 }
            exponent += isBelow ? -power : power
        }
        return (isInteger, isNegative, mantissa, exponent, isExact, start..<offset)
    }

    public mutating func integer() throws(JSONError) -> Int {
        let start = offset, number = try digits()
        guard number.isInteger else { offset = start; throw fail("expected a whole number") }
        if number.isExact { return number.isNegative ? -Int(number.mantissa) : Int(number.mantissa) }
        guard let value = Int(String(decoding: bytes[number.range], as: UTF8.self)) else { offset = start; throw fail("a number out of range") }
        return value
    }

    public mutating func integer(in range: ClosedRange<Int>) throws(JSONError) -> Int {
        let start = offset, value = try integer()
        guard range.contains(value) else { offset = start; throw fail("\(value) is not in \(range.lowerBound) to \(range.upperBound)") }
        return value
    }

    public mutating func real() throws(JSONError) -> Double {
        let start = offset, number = try digits()
        // Exact where mantissa and power of ten are (Clinger 1990).
        if number.isExact, number.mantissa < 1 << 53, abs(number.exponent) <= 22 {
            let magnitude = number.exponent < 0 ? Double(number.mantissa) / powersOfTen[-number.exponent] : Double(number.mantissa) * powersOfTen[number.exponent]
            return number.isNegative ? -magnitude : magnitude
        }
        guard let value = Double(String(decoding: bytes[number.range], as: UTF8.self)), value.isFinite else { offset = start; throw fail("a number out of range") }
        return value
    }

    /// A number of single precision: the nearest to what is written.
    public mutating func single() throws(JSONError) -> Float {
        let start = offset, value = try real()
        // Rounded twice it might be the other neighbour where the first rounding made a tie.
        let isTie = value.bitPattern & 0x1fff_ffff == 0x1000_0000 || abs(value) < 0x1p-126 && value != 0
        let single = isTie ? Float(String(decoding: bytes[start..<offset], as: UTF8.self)) ?? .infinity : Float(value)
        guard single.isFinite else { offset = start; throw fail("a number out of range") }
        return single
    }

    public mutating func string() throws(JSONError) -> String {
        guard byte == UInt8(ascii: "\"") else { throw fail("expected a string") }
        let start = offset, (raw, hasEscapes) = try rawString()
        if !hasEscapes {
            guard let text = String(validating: raw, as: UTF8.self) else { offset = start; throw fail("a string that is not UTF-8") }
            return text
        }
        // Seldom: the reader of trees knows them all.
        do throws(JSONError) {
            guard case .string(let text) = try JSON(parsing: UnsafeRawBufferPointer(rebasing: bytes[start..<offset])) else { throw fail("expected a string") }
            return text
        } catch { throw JSONError(problem: error.problem, offset: start + error.offset) }
    }

    /// The bytes that a string holds in base64.
    public mutating func base64() throws(JSONError) -> [UInt8] {
        guard byte == UInt8(ascii: "\"") else { throw fail("expected base64") }
        let start = offset, (raw, hasEscapes) = try rawString()
        guard !hasEscapes, let decoded = Formats.bytes(ofBase64: raw) else { offset = start; throw fail("a string that is not base64") }
        return decoded
    }

    /// The bytes between a string's quotes, as they stand.
    private mutating func rawString() throws(JSONError) -> (UnsafeRawBufferPointer, hasEscapes: Bool) {
        offset += 1
        let start = offset
        var hasEscapes = false
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                defer { offset += 1 }
                return (UnsafeRawBufferPointer(rebasing: bytes[start..<offset]), hasEscapes)
            }
            if byte < 0x20 { throw fail("a control character inside a string") }
            if byte == UInt8(ascii: "\\") { hasEscapes = true; offset += 1 }
            offset += 1
        }
        throw fail("a string without end")
    }

    /// Passes over a value.
    public mutating func skip() throws {
        switch byte {
        case UInt8(ascii: "{"): try object { cursor, _ in try cursor.skip() }
        case UInt8(ascii: "["): try array { cursor in try cursor.skip() }
        case UInt8(ascii: "\""): _ = try rawString()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool()
        case UInt8(ascii: "n"): try word("null")
        default: _ = try digits()
        }
    }

    // MARK: Values or nothing

    /// A string, or `nil` where the value is none.
    public mutating func stringIfAny() throws(JSONError) -> String? { byte == UInt8(ascii: "\"") ? try string() : nil }

    public mutating func optionalInteger() throws(JSONError) -> Int? { try null() ? nil : try integer() }
    public mutating func optionalReal() throws(JSONError) -> Double? { try null() ? nil : try real() }
    public mutating func optionalString() throws(JSONError) -> String? { try null() ? nil : try string() }
    public mutating func optionalBool() throws(JSONError) -> Bool? { try null() ? nil : try bool() }
}

private let powersOfTen: [Double] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]
