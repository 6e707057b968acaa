import Diagnostics

/// A JSON document in memory, read as strictly as RFC 8259 (and serde_json) say.
///
/// Our own reader because the formats we must judge need what Foundation's cannot tell: duplicate keys, the order of
/// keys, integers of 64 bits kept exactly, the byte where a mistake stands. Nesting is bounded, so hostile input
/// cannot exhaust the stack.
public enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    /// An integer of 0 … 2⁶⁴−1, written without fraction or exponent.
    case unsigned(UInt64)
    /// An integer below zero, written without fraction or exponent.
    case negative(Int64)
    case real(Double)
    case string(String)
    case array([JSON])
    case object(Object)

    /// The members of an object, in the order of the text.
    public struct Object: Equatable, Sendable {
        public internal(set) var members: [(key: String, value: JSON)] = []
        /// Built when first there are enough members to make it worth while.
        var index: [String: Int] = [:]

        public init(_ members: [(key: String, value: JSON)] = []) { for (key, value) in members { self[key] = value } }

        public subscript(key: String) -> JSON? {
            get {
                if !index.isEmpty { return index[key].map { members[$0].value } }
                return members.first { $0.key == key }?.value
            }
            set {
                let place = index.isEmpty ? members.firstIndex { $0.key == key } : index[key]
                switch (place, newValue) {
                case (let place?, let value?): members[place].value = value
                case (nil, let value?): append(key, value)
                case (let place?, nil): members.remove(at: place); index = [:]; if members.count > 16 { reindex() }
                case (nil, nil): break
                }
            }
        }

        mutating func append(_ key: String, _ value: JSON) {
            members.append((key, value))
            if members.count > 16 { index.isEmpty ? reindex() : (index[key] = members.count - 1) }
        }

        private mutating func reindex() { for (place, member) in members.enumerated() { index[member.key] = place } }

        public static func == (a: Object, b: Object) -> Bool {
            a.members.count == b.members.count && a.members.allSatisfy { b[$0.key] == $0.value }
        }
    }

    public enum DuplicateKeys: Sendable { case lastWins, refused }

    /// Reads one document that fills `bytes`.
    /// - Throws: `JSONError` with the byte offset of the mistake.
    public init(parsing bytes: UnsafeRawBufferPointer, duplicateKeys: DuplicateKeys = .lastWins, maximumDepth: Int = 127) throws(JSONError) {
        var parser = Parser(bytes: bytes, duplicateKeys: duplicateKeys, maximumDepth: maximumDepth)
        self = try parser.document()
    }

    public init(parsing text: String, duplicateKeys: DuplicateKeys = .lastWins) throws(JSONError) {
        let bytes = Array(text.utf8)
        let result: Result<JSON, JSONError> = bytes.withUnsafeBytes { raw in
            do throws(JSONError) { return .success(try JSON(parsing: raw, duplicateKeys: duplicateKeys)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    public var string: String? { if case .string(let s) = self { s } else { nil } }
    public var bool: Bool? { if case .bool(let b) = self { b } else { nil } }
    public var array: [JSON]? { if case .array(let a) = self { a } else { nil } }
    public var object: Object? { if case .object(let o) = self { o } else { nil } }
    public var isNull: Bool { self == .null }
    /// The value as an `Int`, if it is an integer that fits.
    public var integer: Int? {
        switch self {
        case .unsigned(let u): Int(exactly: u)
        case .negative(let n): Int(exactly: n)
        default: nil
        }
    }
    /// The value as a `Double`, for any number.
    public var number: Double? {
        switch self {
        case .unsigned(let u): Double(u)
        case .negative(let n): Double(n)
        case .real(let r): r
        default: nil
        }
    }
    public subscript(key: String) -> JSON? { object?[key] }

    /// One word for messages: what kind of value this is.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .unsigned, .negative: "an integer"
        case .real: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// A mistake in a JSON text, and the byte at which it stands.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public let problem: String
    public let offset: Int
    public var description: String { "\(problem) at byte \(offset)" }
}

private struct Parser {
    let bytes: UnsafeRawBufferPointer
    let duplicateKeys: JSON.DuplicateKeys
    let maximumDepth: Int
    var at = 0

    func fail(_ problem: String) -> JSONError { JSONError(problem: problem, offset: at) }

    mutating func document() throws(JSONError) -> JSON {
        skipSpace()
        let value = try value(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw fail("unexpected text after the document") }
        return value
    }

    mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
    }

    mutating func value(depth: Int) throws(JSONError) -> JSON {
        guard at < bytes.count else { throw fail("unexpected end") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): try word("true"); return .bool(true)
        case UInt8(ascii: "f"): try word("false"); return .bool(false)
        case UInt8(ascii: "n"): try word("null"); return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fail("expected a value")
        }
    }

    mutating func word(_ word: StaticString) throws(JSONError) {
        let count = word.utf8CodeUnitCount
        guard at + count <= bytes.count, (0..<count).allSatisfy({ bytes[at + $0] == word.utf8Start[$0] }) else { throw fail("expected \(word)") }
        at += count
    }

    mutating func object(depth: Int) throws(JSONError) -> JSON {
        guard depth < maximumDepth else { throw fail("nested more than \(maximumDepth) deep") }
        at += 1
        var object = JSON.Object()
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") { at += 1; return .object(object) }
        while true {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("expected a key") }
            let start = at
            let key = try string()
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fail("expected ':'") }
            at += 1
            skipSpace()
            let value = try value(depth: depth + 1)
            if object[key] == nil {
                object.append(key, value)
            } else if duplicateKeys == .refused {
                throw JSONError(problem: "duplicate key \(quoted(key))", offset: start)
            } else {
                object[key] = value
            }
            skipSpace()
            guard at < bytes.count else { throw fail("unexpected end") }
            if bytes[at] == UInt8(ascii: ",") { at += 1; continue }
            guard bytes[at] == UInt8(ascii: "}") else { throw fail("expected ',' or '}'") }
            at += 1
            return .object(object)
        }
    }

    mutating func array(depth: Int) throws(JSONError) -> JSON {
        guard depth < maximumDepth else { throw fail("nested more than \(maximumDepth) deep") }
        at += 1
        var elements: [JSON] = []
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") { at += 1; return .array(elements) }
        while true {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
            guard at < bytes.count else { throw fail("unexpected end") }
            if bytes[at] == UInt8(ascii: ",") { at += 1; continue }
            guard bytes[at] == UInt8(ascii: "]") else { throw fail("expected ',' or ']'") }
            at += 1
            return .array(elements)
        }
    }

    mutating func number() throws(JSONError) -> JSON {
        let start = at
        let isNegative = bytes[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        func isDigit(_ i: Int) -> Bool { i < bytes.count && bytes[i] >= 0x30 && bytes[i] <= 0x39 }
        guard isDigit(at) else { throw fail("expected a digit") }
        if bytes[at] == 0x30, isDigit(at + 1) { throw fail("a number with a leading zero") }
        var magnitude: UInt64 = 0
        var overflow = false
        while isDigit(at) {
            let (product, o1) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, o2) = product.addingReportingOverflow(UInt64(bytes[at] - 0x30))
            magnitude = sum
            overflow = overflow || o1 || o2
            at += 1
        }
        var isInteger = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            guard isDigit(at) else { throw fail("expected a digit") }
            while isDigit(at) { at += 1 }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard isDigit(at) else { throw fail("expected a digit") }
            while isDigit(at) { at += 1 }
        }
        if isInteger && !overflow {
            if !isNegative { return .unsigned(magnitude) }
            if magnitude == 0 { return .real(-0.0) }
            if magnitude <= 1 << 63 { return .negative(Int64(truncatingIfNeeded: 0 &- magnitude)) }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard let real = Double(text), real.isFinite else { throw JSONError(problem: "number out of range", offset: start) }
        return .real(real)
    }

    mutating func string() throws(JSONError) -> String {
        at += 1
        let start = at
        // Most strings hold no escape: find the end, check the bytes, take them whole.
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 { at += 1 }
        guard at < bytes.count else { throw fail("a string without end") }
        if bytes[at] == UInt8(ascii: "\"") {
            defer { at += 1 }
            return try text(of: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), from: start)
        }
        var buffer = Array(bytes[start..<at])
        while true {
            guard at < bytes.count else { throw fail("a string without end") }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                let result: Result<String, JSONError> = buffer.withUnsafeBytes { raw in
                    do throws(JSONError) { return .success(try text(of: raw, from: start)) } catch { return .failure(error) }
                }
                return try result.get()
            case UInt8(ascii: "\\"): try escape(into: &buffer)
            case 0..<0x20: throw fail("a control character inside a string")
            case let byte: buffer.append(byte); at += 1
            }
        }
    }

    func text(of raw: UnsafeRawBufferPointer, from start: Int) throws(JSONError) -> String {
        guard let text = String(validating: raw, as: UTF8.self) else { throw JSONError(problem: "a string that is not UTF-8", offset: start) }
        return text
    }

    mutating func escape(into buffer: inout [UInt8]) throws(JSONError) {
        guard at + 1 < bytes.count else { throw fail("a string without end") }
        let letter = bytes[at + 1]
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(letter)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0c)
        case UInt8(ascii: "n"): buffer.append(0x0a)
        case UInt8(ascii: "r"): buffer.append(0x0d)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try hex(at: at + 2)
            if unit >= 0xd800, unit < 0xdc00 {
                guard at + 7 < bytes.count, bytes[at + 6] == UInt8(ascii: "\\"), bytes[at + 7] == UInt8(ascii: "u") else { throw fail("a lone surrogate") }
                let low = try hex(at: at + 8)
                guard low >= 0xdc00, low < 0xe000 else { throw fail("a lone surrogate") }
                unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
                at += 6
            }
            guard let scalar = Unicode.Scalar(unit) else { throw fail("a lone surrogate") }
            buffer.append(contentsOf: Array(String(Character(scalar)).utf8))
            at += 4
        default: throw fail("an unknown escape")
        }
        at += 2
    }

    func hex(at place: Int) throws(JSONError) -> UInt32 {
        guard place + 4 <= bytes.count else { throw fail("a string without end") }
        var value: UInt32 = 0
        for i in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[place + i])).hexDigitValue, bytes[place + i] < 0x80 else { throw fail("expected a hexadecimal digit") }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
