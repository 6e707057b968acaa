import Diagnostics
import Formats

/// A `tokenizer.json` in three parts: the two long tables as they stand in the text, and the rest as JSON.
///
/// A vocabulary and its merges are most of the file and of one plain shape, so they get a reader of their own
/// (`TableReader`) that makes no object per token.
struct FileText {
    let bytes: UnsafeRawBufferPointer
    /// The document with `null` in place of both tables.
    let rest: JSON
    let vocabulary: Range<Int>?
    let merges: Range<Int>?

    init(_ bytes: UnsafeRawBufferPointer) throws(MonosemeError) {
        self.bytes = bytes
        var skim = Skim(bytes: bytes)
        skim.document()
        vocabulary = skim.vocabulary
        merges = skim.merges
        var reduced: [UInt8] = []
        var at = 0
        for cut in [skim.vocabulary, skim.merges].compactMap(\.self).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            reduced.append(contentsOf: bytes[at..<cut.lowerBound])
            reduced.append(contentsOf: "null".utf8)
            at = cut.upperBound
        }
        reduced.append(contentsOf: bytes[at...])
        do {
            rest = try reduced.withUnsafeBytes { raw in try JSON(parsing: raw, duplicateKeys: .refused) }
        } catch {
            guard let mistake = error as? JSONError else { throw MonosemeError("\(error)") }
            // The offset counts in the shortened text; give back what was cut before it.
            var offset = mistake.offset
            for cut in [skim.vocabulary, skim.merges].compactMap(\.self).sorted(by: { $0.lowerBound < $1.lowerBound }) where offset >= cut.lowerBound + 4 {
                offset += cut.count - 4
            }
            throw MonosemeError("is not JSON: \(mistake.problem) at byte \(offset)", hint: "the file may be incomplete; fetch it again")
        }
    }
}

/// Finds `model.vocab` and `model.merges` by counting brackets outside strings. It judges nothing: what it cuts out
/// and what it leaves are both read strictly afterwards, and where it loses its way it finds nothing.
private struct Skim {
    let bytes: UnsafeRawBufferPointer
    var at = 0
    var vocabulary: Range<Int>?
    var merges: Range<Int>?

    mutating func document() {
        members { skim, key in
            guard key == "model", skim.peek() == UInt8(ascii: "{") else { return skim.skip() }
            return skim.members { skim, key in
                let start = skim.at
                let opening = skim.peek()
                guard skim.skip() else { return false }
                if key == "vocab", opening == UInt8(ascii: "{"), skim.vocabulary == nil { skim.vocabulary = start..<skim.at }
                if key == "merges", opening == UInt8(ascii: "["), skim.merges == nil { skim.merges = start..<skim.at }
                return true
            }
        }
    }

    func peek() -> UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func space() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
    }

    @discardableResult
    mutating func members(_ value: (inout Skim, String) -> Bool) -> Bool {
        space()
        guard peek() == UInt8(ascii: "{") else { return false }
        at += 1
        while true {
            space()
            if peek() == UInt8(ascii: "}") { at += 1; return true }
            let start = at + 1
            guard peek() == UInt8(ascii: "\""), string() else { return false }
            let key = String(decoding: bytes[start..<(at - 1)], as: UTF8.self)
            space()
            guard peek() == UInt8(ascii: ":") else { return false }
            at += 1
            space()
            guard value(&self, key) else { return false }
            space()
            if peek() == UInt8(ascii: ",") { at += 1 }
        }
    }

    mutating func string() -> Bool {
        at += 1
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\"") { at += 1; return true }
            at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        return false
    }

    mutating func skip() -> Bool {
        var depth = 0
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""): guard string() else { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1; at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return true }
                depth -= 1
                at += 1
                if depth == 0 { return true }
            case UInt8(ascii: ","):
                if depth == 0 { return true }
                at += 1
            default: at += 1
            }
            if depth == 0, at < bytes.count, bytes[at - 1] == UInt8(ascii: "\"") { return true }
        }
        return false
    }
}
