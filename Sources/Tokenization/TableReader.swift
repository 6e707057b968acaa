import Diagnostics
import Formats
import Kernels

/// Reads the plain shapes of a vocabulary, `{"token": id, …}`, and of merges, `["a b", …]` or `[["a", "b"], …]`,
/// as strictly as JSON demands.
struct TableReader {
    let bytes: UnsafeRawBufferPointer
    /// "model.vocab" or "model.merges", for messages.
    let name: String
    private(set) var at: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, name: String) {
        self.bytes = bytes
        self.name = name
        at = range.lowerBound
        end = range.upperBound
    }

    func fail(_ problem: String, at place: Int? = nil) -> MonosemeError {
        MonosemeError("\(name): \(problem) at byte \(place ?? at)")
    }

    private mutating func skipSpace() {
        while at < end, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
    }

    /// Skips space, then `byte` if it comes next.
    mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard at < end, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws(MonosemeError) {
        guard take(byte) else { throw fail("expected '\(Character(Unicode.Scalar(byte)))'") }
    }

    /// After an element: whether another one follows, or else the table closes with `closing`.
    mutating func another(closing: UInt8) throws(MonosemeError) -> Bool {
        if take(UInt8(ascii: ",")) { return true }
        guard take(closing) else { throw fail("expected ',' or '\(Character(Unicode.Scalar(closing)))'") }
        return false
    }

    /// A string's UTF-8, appended to `out`.
    mutating func string(into out: inout [UInt8]) throws(MonosemeError) {
        skipSpace()
        guard at < end, bytes[at] == UInt8(ascii: "\"") else { throw fail("expected a string") }
        let start = at + 1
        var high: UInt8 = 0
        at = start
        while at < end, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 {
            high |= bytes[at]
            at += 1
        }
        guard at < end else { throw fail("a string without end", at: start - 1) }
        if bytes[at] == UInt8(ascii: "\"") {
            let text = UnsafeRawBufferPointer(rebasing: bytes[start..<at])
            if high >= 0x80, kernel_utf8_valid_prefix(text.baseAddress!.assumingMemoryBound(to: UInt8.self), text.count) < text.count {
                throw fail("a string that is not UTF-8", at: start - 1)
            }
            out.append(contentsOf: text)
            at += 1
            return
        }
        // An escape: rare enough to ask the general reader.
        while at < end, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        guard at < end else { throw fail("a string without end", at: start - 1) }
        at += 1
        do {
            let value = try JSON(parsing: UnsafeRawBufferPointer(rebasing: bytes[(start - 1)..<at]))
            out.append(contentsOf: (value.string ?? "").utf8)
        } catch {
            throw fail(error.problem, at: start - 1 + error.offset)
        }
    }

    /// A token's id: a plain integer of 0 … `limit`.
    mutating func id(of token: [UInt8].SubSequence, limit: Int) throws(MonosemeError) -> UInt32 {
        skipSpace()
        let start = at
        var value = 0
        while at < end, bytes[at] >= 0x30, bytes[at] <= 0x39 {
            if value <= limit { value = value * 10 + Int(bytes[at] - 0x30) }
            at += 1
        }
        let isWhole = at > start && (at - start == 1 || bytes[start] != 0x30)
        let isOver = at < end && bytes[at] != UInt8(ascii: ",") && bytes[at] != UInt8(ascii: "}") && bytes[at] > 0x20
        guard isWhole, !isOver else { throw fail("the id of \(quoted(String(decoding: token, as: UTF8.self))) is not a whole number", at: start) }
        guard value <= limit else { throw fail("the id of \(quoted(String(decoding: token, as: UTF8.self))) is larger than \(limit)", at: start) }
        return UInt32(value)
    }

    /// After the table: nothing may be left of its range.
    func finish() throws(MonosemeError) {
        guard at == end else { throw fail("unexpected text") }
    }
}
