import Diagnostics

/// One record of a CSV text.
public struct CSVRecord: Equatable, Sendable {
    /// Where it begins, from 1; a field in quotes may hold line breaks.
    public let line: Int
    public let fields: [String]
}

/// A mistake in a CSV text, and the line on which it stands, from 1.
public struct CSVError: Error, Sendable, Equatable {
    public let problem: String
    public let line: Int

    public init(problem: String, line: Int) { (self.problem, self.line) = (problem, line) }
}

/// Reads comma-separated values as RFC 4180 has them: fields in double quotes may hold commas, line breaks and doubled quotes.
///
/// Lines end in LF or CRLF. Empty lines are left out, as is a byte order mark; what is not UTF-8 is refused.
public struct CSVReader {
    private let bytes: UnsafeRawBufferPointer
    private let recordLimit: Int
    private var at = 0
    private var line = 1

    /// - Parameters:
    ///   - bytes: the text; they must stay where they are while the reader is used.
    ///   - recordLimit: bytes in the longest record.
    public init(_ bytes: UnsafeRawBufferPointer, recordLimit: Int) {
        (self.bytes, self.recordLimit) = (bytes, recordLimit)
        at = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    }

    private func fail(_ problem: String) -> CSVError { CSVError(problem: problem, line: line) }

    /// The next record; `nil` at the end.
    public mutating func next() throws(CSVError) -> CSVRecord? {
        while skipLineEnd() {}
        guard at < bytes.count else { return nil }
        let start = at, first = line
        var fields: [String] = []
        while true {
            fields.append(try field(since: start, first))
            if at < bytes.count, bytes[at] == UInt8(ascii: ",") { at += 1; continue }
            if at < bytes.count, !skipLineEnd() { throw fail("a carriage return that does not end the line") }
            return CSVRecord(line: first, fields: fields)
        }
    }

    /// Goes past LF or CRLF, if one is next.
    private mutating func skipLineEnd() -> Bool {
        if at < bytes.count, bytes[at] == 0x0a { at += 1 } else if at + 1 < bytes.count, bytes[at] == 0x0d, bytes[at + 1] == 0x0a { at += 2 } else { return false }
        line += 1
        return true
    }

    private mutating func field(since start: Int, _ first: Int) throws(CSVError) -> String {
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
            let begin = at
            while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != 0x0a, bytes[at] != 0x0d {
                guard bytes[at] != UInt8(ascii: "\"") else { throw fail("a quote inside a field that does not begin with one") }
                at += 1
            }
            guard at - start <= recordLimit else { throw fail("a record of more than \(recordLimit) bytes") }
            return try text(Array(bytes[begin..<at]))
        }
        at += 1
        var field: [UInt8] = []
        while true {
            guard at < bytes.count else { throw CSVError(problem: "a field in quotes that does not end", line: first) }
            guard at - start <= recordLimit else { throw CSVError(problem: "a record of more than \(recordLimit) bytes, or a field in quotes that does not end", line: first) }
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\"") {
                guard at < bytes.count, bytes[at] == byte else { break }
                at += 1
            }
            if byte == 0x0a { line += 1 }
            field.append(byte)
        }
        guard at == bytes.count || [UInt8(ascii: ","), 0x0a, 0x0d].contains(bytes[at]) else { throw fail("text behind the closing quote of a field") }
        return try text(field)
    }

    private func text(_ bytes: [UInt8]) throws(CSVError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw fail("bytes that are not UTF-8") }
        return text
    }
}

/// A field as RFC 4180 writes it: in quotes where it must be.
public func quotedForCSV(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") || $0 == 0x0a || $0 == 0x0d }) else { return text }
    // By byte: to Swift, a mark behind a quote is one character with it.
    var quoted = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
        if byte == UInt8(ascii: "\"") { quoted.append(byte) }
        quoted.append(byte)
    }
    return String(decoding: quoted + [UInt8(ascii: "\"")], as: UTF8.self)
}
