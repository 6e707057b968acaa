import FeatureCatalogue
import Formats

/// What a language model is asked, with places to be filled in: `{examples}`.
///
/// The texts shown come from a corpus, and a corpus may say anything, also "forget what you were told". That cannot be prevented; but each text stands
/// as a JSON string on a line of its own, out of which it cannot write, and the prompts say that what it says is quoted.
struct PromptTemplate: Sendable, Equatable {
    /// With its version.
    let name: String
    let system: String
    let user: String

    /// For the ledger: all that is said, the places left open.
    var prompt: Prompt { Prompt(name: name, text: "[system]\n\(system)\n\n[user]\n\(user)") }

    /// The messages, each place filled in once: what is filled in is not looked through for places again.
    func messages(_ values: [String: String]) -> [ChatMessage] { [ChatMessage(.system, PromptTemplate.fill(system, values)), ChatMessage(.user, PromptTemplate.fill(user, values))] }

    private static func fill(_ text: String, _ values: [String: String]) -> String {
        var filled = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            filled += rest[..<open]
            rest = rest[open...]
            guard let close = rest.firstIndex(of: "}"), let value = values[String(rest[rest.index(after: open)..<close])] else {
                filled += "{"
                rest = rest.dropFirst()
                continue
            }
            filled += value
            rest = rest[rest.index(after: close)...]
        }
        return filled + rest
    }
}

/// `text` as a JSON string, quotes included.
func jsonString(_ text: String) -> String {
    var writer = JSONWriter()
    writer.value(text)
    return writer.text
}

extension Example {
    /// The text with its marked pieces between « and », a run of marked pieces in one pair; quotation marks of that kind in the text itself become ‹ and ›.
    func marked(_ isMarked: (Int) -> Bool) -> String {
        var text = "", isOpen = false
        for (place, piece) in pieces.enumerated() {
            let marks = isMarked(place)
            if marks != isOpen { text += marks ? "«" : "»" }
            isOpen = marks
            text += Example.plain(piece.text)
        }
        return text + (isOpen ? "»" : "")
    }

    static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0 == "«" || $0 == "»" }) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "«" ? "‹" : $0 == "»" ? "›" : $0 }))
    }

    /// 0 for silent, 1 to 9 for a ninth to all of `maximum`.
    static func strength(_ activation: Float, of maximum: Float) -> Int {
        guard activation > 0, maximum > 0 else { return 0 }
        return max(1, min(9, Int((9 * activation / maximum).rounded())))
    }
}

/// What is read out of answers: models wrap them in all sorts of paper.
enum AnswerText {
    /// The answer without what a model thought aloud before it; `nil` where it never came to an end of that.
    static func withoutReasoning(_ answer: String) -> Substring? {
        var text = answer[...]
        for tag in ["think", "thinking", "reasoning"] {
            let open = "<\(tag)>", close = "</\(tag)>"
            if let end = lastRange(of: close, in: text) { text = text[end.upperBound...] } else if trimmed(text).hasPrefix(open) { return nil }
        }
        return trimmed(text)
    }

    static func trimmed(_ text: Substring) -> Substring {
        var scalars = text.unicodeScalars[...]
        while let first = scalars.first, first.properties.isWhitespace || first.value == 0 { scalars = scalars.dropFirst() }
        while let last = scalars.last, last.properties.isWhitespace || last.value == 0 { scalars = scalars.dropLast() }
        return Substring(scalars)
    }

    /// Without a fence of ``` around it, or around a part of it.
    static func withoutFence(_ text: Substring) -> Substring {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.firstIndex(where: { $0.hasPrefix("```") }), let last = lines[(first + 1)...].firstIndex(where: { $0.hasPrefix("```") }), first + 1 < last else { return text }
        return trimmed(lines[first + 1].startIndex < lines[last].startIndex ? text[lines[first + 1].startIndex..<lines[last].startIndex] : text)
    }

    static func lastRange(of part: String, in text: Substring) -> Range<Substring.Index>? {
        let bytes = text.utf8, wanted = Array(part.utf8)
        guard bytes.count >= wanted.count else { return nil }
        var found: Range<Substring.Index>?
        var at = bytes.startIndex
        while at < bytes.endIndex {
            if bytes[at] == wanted[0], bytes[at...].starts(with: wanted) { found = at..<bytes.index(at, offsetBy: wanted.count) }
            at = bytes.index(after: at)
        }
        return found
    }

    /// The last JSON list in an answer of which `read` makes something.
    static func list<Value>(in answer: String, _ read: ([JSON]) -> Value?) -> Value? {
        guard let text = withoutReasoning(answer) else { return nil }
        let bytes = Array(text.utf8.prefix(1 << 20))
        // The outermost lists: those within another are part of it.
        var depth = 0, start = 0, lists: [Range<Int>] = []
        for (place, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "[") {
                if depth == 0 { start = place }
                depth += 1
            } else if byte == UInt8(ascii: "]"), depth > 0 {
                depth -= 1
                if depth == 0 { lists.append(start..<place + 1) }
            }
        }
        for list in lists.reversed() {
            if let elements = bytes[list].withUnsafeBytes({ try? JSON(parsing: $0) })?.array, let value = read(elements) { return value }
        }
        return nil
    }

    /// Whether there was any list at all, for saying what is wrong.
    static func problem(with answer: String, expected: String) -> String {
        guard let text = withoutReasoning(answer) else { return "it thinks aloud and comes to no end" }
        if text.isEmpty { return "it is empty" }
        if let count = list(in: answer, { $0.count }) { return "its list has \(count) element\(count == 1 ? "" : "s"), or others than asked for: expected \(expected)" }
        return "there is no list in it: expected \(expected)"
    }
}
