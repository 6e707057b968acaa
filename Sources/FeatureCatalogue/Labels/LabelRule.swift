import Diagnostics

/// How a token is spelled: bytes, which need not be UTF-8.
public struct TokenSpelling: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }
    public init(stringLiteral text: String) { self.init(text) }

    public static func < (a: TokenSpelling, b: TokenSpelling) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

/// What a label claims, as a predicate over tokens that can be evaluated on the whole corpus: "the feature fires where this holds, and nowhere else".
///
/// Written `regex:PATTERN`, `tokens:A,B`, `after:A,B`, `range:BLOCK,BLOCK` or `topic:NAME`; several of them that must all hold with ` & ` between them, a
/// regular expression last: `topic:Hex & tokens:a,b`. A pattern runs to the end as it is. In the others a backslash goes before a comma, an ampersand or a backslash
/// that is meant as such, and `\xE5` is a byte. A label's text carries a rule if it ends in one in square brackets: `Base64 [regex:[A-Za-z0-9+/]{20,}]`; the first
/// bracket behind white space or at the beginning that opens a rule counts.
public enum LabelRule: Hashable, Sendable, LosslessStringConvertible {
    /// The token has a byte in a match of this regular expression, which is asked of whole documents.
    case regex(String)
    /// The token is spelled like one of these, to the byte.
    case tokens([TokenSpelling])
    /// The token before it in its document is spelled like one of these, to the byte.
    case after([TokenSpelling])
    /// The token has a byte of a character of one of these blocks of Unicode, or ranges such as U+0600-U+06FF.
    case range([String])
    /// The token's document is of this topic, or the token satisfies this tag.
    case topic(String)
    /// All of these hold: two or more, none of them `all`, at most one a `regex`, in the order of `all(of:)`, which makes them.
    case all([LabelRule])

    /// The rule that all of `rules` hold; `nil` for none, and for several regular expressions: where one ends could not be told.
    public static func all(of rules: [LabelRule]) -> LabelRule? {
        var parts: [LabelRule] = []
        for part in rules.flatMap(\.parts) where !parts.contains(part) { parts.append(part) }
        guard !parts.isEmpty, parts.count(where: { $0.rank == 4 }) <= 1 else { return nil }
        let ordered = parts.map { (rank: $0.rank, text: $0.description, rule: $0) }.sorted { ($0.rank, $0.text) < ($1.rank, $1.text) }.map(\.rule)
        return ordered.count == 1 ? ordered[0] : .all(ordered)
    }

    /// The rules that must all hold: itself, unless it is a conjunction.
    public var parts: [LabelRule] { if case .all(let parts) = self { parts } else { [self] } }

    /// What a rule looks like, for messages about one that does not.
    public static let expectation = "regex:PATTERN, tokens:A,B or topic:NAME"

    public init?(_ description: String) {
        let text = Array(description.utf8)
        guard !text.contains(0) else { return nil }
        var parts: [LabelRule] = [], at = 0
        while true {
            guard let kind = LabelRule.kind(at: at, in: text) else { return nil }
            at += kind.utf8.count + 1
            let end = kind == "regex" ? text.count : LabelRule.end(from: at, in: text)
            guard let part = LabelRule(kind, text[at..<end]) else { return nil }
            parts.append(part)
            if end == text.count { break }
            at = end + LabelRule.separator.count
        }
        guard let rule = LabelRule.all(of: parts) else { return nil }
        self = rule
    }

    public var description: String {
        switch self {
        case .regex(let pattern): "regex:" + pattern
        case .tokens(let tokens): "tokens:" + tokens.map { LabelRule.escaped($0.bytes) }.joined(separator: ",")
        case .after(let tokens): "after:" + tokens.map { LabelRule.escaped($0.bytes) }.joined(separator: ",")
        case .range(let blocks): "range:" + blocks.map { LabelRule.escaped(Array($0.utf8)) }.joined(separator: ",")
        case .topic(let name): "topic:" + LabelRule.escaped(Array(name.utf8), commas: false)
        case .all(let parts): parts.map(\.description).joined(separator: " & ")
        }
    }

    /// The rule that a label's text ends in, in square brackets; `nil` where it carries none.
    public init?(in text: String) {
        let bytes = Array(text.utf8)
        guard bytes.last == UInt8(ascii: "]") else { return nil }
        for open in bytes.indices where bytes[open] == UInt8(ascii: "[") && (open == 0 || [0x20, 0x09, 0x0a, 0x0d, 0xa0].contains(bytes[open - 1])) && LabelRule.kind(at: open + 1, in: bytes) != nil {
            if let rule = LabelRule(String(decoding: bytes[(open + 1)..<(bytes.count - 1)], as: UTF8.self)) { self = rule; return }
        }
        return nil
    }

    /// Spellings as they are written behind `tokens:`: with commas between them; `nil` where that is malformed, or one is empty.
    public static func spellings(_ text: String) -> [TokenSpelling]? {
        guard !text.utf8.contains(0), let items = items(Array(text.utf8)[...]), !items.isEmpty, items.allSatisfy({ !$0.isEmpty }) else { return nil }
        return items.map { TokenSpelling($0) }
    }

    // MARK: Reading and writing

    private static let kinds = ["topic", "range", "after", "tokens", "regex"]
    private static let separator = Array(" & ".utf8)

    /// The order of the parts of a conjunction: a pattern last, since it runs to the end.
    private var rank: Int {
        switch self {
        case .topic: 0
        case .range: 1
        case .after: 2
        case .tokens: 3
        case .regex, .all: 4
        }
    }

    private static func kind(at start: Int, in text: [UInt8]) -> String? { kinds.first { text[min(start, text.count)...].starts(with: ($0 + ":").utf8) } }

    /// Where the part ends that goes on at `start`: at the separator before another, or at the end of the text.
    private static func end(from start: Int, in text: [UInt8]) -> Int {
        var at = start
        while at < text.count {
            if text[at] == UInt8(ascii: "\\") { at += 2; continue }
            if text[at...].starts(with: separator), kind(at: at + separator.count, in: text) != nil { return at }
            at += 1
        }
        return text.count
    }

    private init?(_ kind: String, _ body: ArraySlice<UInt8>) {
        guard !body.isEmpty else { return nil }
        if kind == "regex" { self = .regex(String(decoding: body, as: UTF8.self)); return }
        guard let items = LabelRule.items(body, commas: kind != "topic"), !items.isEmpty, items.allSatisfy({ !$0.isEmpty }) else { return nil }
        switch kind {
        case "tokens": self = .tokens(items.map { TokenSpelling($0) })
        case "after": self = .after(items.map { TokenSpelling($0) })
        default:
            // Names of topics and blocks are text.
            let texts = items.map { String(decoding: $0, as: UTF8.self) }
            guard zip(texts, items).allSatisfy({ $0.utf8.elementsEqual($1) && !$1.contains(0) }) else { return nil }
            self = kind == "topic" ? .topic(texts[0]) : .range(texts)
        }
    }

    /// What stands between the commas, without backslashes; `nil` where one at the end escapes nothing.
    private static func items(_ body: ArraySlice<UInt8>, commas: Bool = true) -> [[UInt8]]? {
        var items: [[UInt8]] = [[]], rest = body
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: ",") where commas: items.append([])
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                if next == UInt8(ascii: "x"), rest.count >= 2, let value = hexadecimal(rest.prefix(2)) {
                    items[items.count - 1].append(value)
                    rest = rest.dropFirst(2)
                } else { items[items.count - 1].append(next) }
            default: items[items.count - 1].append(byte)
            }
        }
        return items
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt8? {
        digits.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) } ? UInt8(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }

    /// With a backslash where one is needed, and control characters and what is not UTF-8 as bytes.
    private static func escaped(_ bytes: [UInt8], commas: Bool = true) -> String {
        var text = "", place = 0
        func byte(_ value: UInt8) -> String { "\\x" + (value < 16 ? "0" : "") + String(value, radix: 16, uppercase: true) }
        while place < bytes.count {
            let lead = bytes[place], length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
            let end = min(bytes.count, place + length), character = String(decoding: bytes[place..<end], as: UTF8.self)
            guard lead >= 0x20, lead != 0x7f, character.utf8.elementsEqual(bytes[place..<end]) else { text += byte(lead); place += 1; continue }
            if character == "\\" || character == "&" || (character == "," && commas) { text += "\\" }
            text += character
            place = end
        }
        return text
    }
}
