import Diagnostics
import Formats
import Glibc
import Ingestion

/// Takes an export apart: the members of its head, then the parts of its sections one by one, whether they are elements of a document's arrays or
/// lines. Nothing is held but one part.
final class PartReader {
    enum Part {
        /// A member of the head that is no section.
        case member(String)
        /// A part of a section; `nil`: a line, whose first member tells.
        case element(section: String?)
        /// All of the head has come.
        case endOfHead
    }

    /// Longest part, in bytes.
    static let partLimit = 1 << 28
    static let sections: Set<String> = ["vocabulary", "documents", "token_blocks", "tag_blocks", "postings", "kin_facts", "features"]

    private let source: ByteSource
    private let name: String
    private var buffer: [UInt8] = []
    private var at = 0
    /// Bytes before the buffer.
    private var passed = 0
    /// The value of the part that was read last, in the buffer.
    private var value = 0..<0
    private enum Place { case start, head(isFirst: Bool), array(section: String, isFirst: Bool), lines }
    private var place = Place.start
    private var hasEndedHead = false
    /// Whether the sections are arrays of one document, once the head has come.
    private(set) var isDocument = false
    /// What a compressed file may come to.
    private let expansionLimit: Int?

    /// Bytes read, after expansion.
    var bytesRead: Int { passed + at }
    /// Where the value that was read last begins.
    private(set) var valueOffset = 0

    init(_ path: String, expansionLimit: Int? = nil) throws {
        source = try ByteSource(path)
        name = path
        self.expansionLimit = expansionLimit
    }

    func withValue<Result>(_ body: (inout JSONCursor) throws -> Result) throws -> Result {
        try buffer.withUnsafeBytes { bytes in
            var cursor = JSONCursor(UnsafeRawBufferPointer(rebasing: bytes[value]))
            do { return try body(&cursor) } catch let error as JSONError { throw damaged(error.problem, at: valueOffset + error.offset) }
        }
    }

    func damaged(_ problem: String, at offset: Int) -> MonosemeError {
        MonosemeError("\(quoted(name, limit: 400)), byte \(offset): \(problem)", hint: "nothing was imported; export it anew with monoseme export")
    }

    private func damaged(_ problem: String) -> MonosemeError { damaged(problem, at: bytesRead) }

    /// Makes more of the file available behind what there is; `false` at its end.
    private func readMore() throws -> Bool {
        if at > 1 << 20, at > buffer.count / 2 {
            buffer.removeSubrange(..<at)
            passed += at
            at = 0
        }
        guard try source.append(to: &buffer) else { return false }
        if let expansionLimit, passed + buffer.count > expansionLimit {
            throw MonosemeError("\(quoted(name, limit: 400)) comes to more than \(expansionLimit) bytes when it is unpacked, 200 times what it has", hint: "if it is to be so large, unpack it first and import that")
        }
        return true
    }

    /// The next byte that is not white space, which stays where it is; `nil` at the end.
    private func peek() throws -> UInt8? {
        while true {
            while at < buffer.count {
                let byte = buffer[at]
                if byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09 { return byte }
                at += 1
            }
            guard try readMore() else { return nil }
        }
    }

    private func take(_ letter: Character) throws {
        let found = try peek()
        guard found == letter.asciiValue! else { throw damaged(found == nil ? "the file ends in the middle" : "expected '\(letter)'") }
        at += 1
    }

    /// The next part; `nil` at the end of the export.
    func next() throws -> Part? {
        while true {
            switch place {
            case .start:
                guard try peek() != nil else { throw damaged("the file is empty") }
                try take("{")
                place = .head(isFirst: true)
            case .head(let isFirst):
                guard let byte = try peek() else { throw damaged("the file ends in the middle") }
                if byte == UInt8(ascii: "}") {
                    at += 1
                    place = .lines
                    if !hasEndedHead { hasEndedHead = true; return .endOfHead }
                    continue
                }
                if !isFirst { try take(",") }
                guard try peek() == UInt8(ascii: "\"") else { throw damaged("expected the name of a member") }
                try readValue()
                let key = try withValue { try $0.string() }
                try take(":")
                place = .head(isFirst: false)
                guard PartReader.sections.contains(key) else {
                    guard !hasEndedHead else { throw damaged("a member \(quoted(key)) behind the sections") }
                    try readValue()
                    return .member(key)
                }
                try take("[")
                place = .array(section: key, isFirst: true)
                isDocument = true
                if !hasEndedHead { hasEndedHead = true; return .endOfHead }
            case .array(let section, let isFirst):
                if try peek() == UInt8(ascii: "]") { at += 1; place = .head(isFirst: false); continue }
                if !isFirst { try take(",") }
                try readValue()
                place = .array(section: section, isFirst: false)
                return .element(section: section)
            case .lines:
                guard try peek() != nil else { return nil }
                try readValue()
                return .element(section: nil)
            }
        }
    }

    /// Finds the end of the value that comes next.
    private func readValue() throws {
        guard let first = try peek() else { throw damaged("the file ends in the middle") }
        var scanned = 0, depth = 0, isInString = false, isEscaped = false
        let isScalar = first != UInt8(ascii: "{") && first != UInt8(ascii: "[") && first != UInt8(ascii: "\"")
        while true {
            let found: Int? = buffer.withUnsafeBytes { bytes in
                var place = at + scanned
                defer { scanned = place - at }
                while place < bytes.count {
                    let byte = bytes[place]
                    if isInString {
                        if isEscaped { isEscaped = false } else if byte == UInt8(ascii: "\\") { isEscaped = true } else if byte == UInt8(ascii: "\"") {
                            isInString = false
                            if depth == 0 { return place + 1 }
                        }
                    } else {
                        switch byte {
                        case UInt8(ascii: "\""): isInString = true
                        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                        case UInt8(ascii: "}"), UInt8(ascii: "]"):
                            if depth == 0 { return place }
                            depth -= 1
                            if depth == 0, !isScalar { return place + 1 }
                        case UInt8(ascii: ","), 0x20, 0x0a, 0x0d, 0x09: if isScalar, depth == 0 { return place }
                        default: break
                        }
                    }
                    place += 1
                }
                return nil
            }
            if let found {
                guard found > at else { throw damaged("expected a value") }
                (value, valueOffset) = (at..<found, passed + at)
                at = found
                return
            }
            guard scanned <= PartReader.partLimit else { throw damaged("a part of more than \(PartReader.partLimit) bytes") }
            guard try readMore() else {
                guard isScalar, scanned > 0 else { throw damaged("the file ends in the middle") }
                (value, valueOffset) = (at..<buffer.count, passed + at)
                at = buffer.count
                return
            }
        }
    }
}
