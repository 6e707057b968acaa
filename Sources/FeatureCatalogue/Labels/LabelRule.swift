import Diagnostics

/// What a label claims, as a predicate over tokens that can be evaluated on the whole corpus: "the feature fires where this holds, and nowhere else".
///
/// Written `regex:PATTERN`, `tokens:A,B` (a comma or backslash within a token has a backslash before it) or `topic:NAME`. A label's text carries a rule
/// if it ends in one in square brackets: `Base64 [regex:[A-Za-z0-9+/]{20,}]`.
public enum LabelRule: Hashable, Sendable, LosslessStringConvertible {
    /// The token has a byte in a match of this regular expression, which is asked of whole documents.
    case regex(String)
    /// The token is spelled like one of these, to the byte.
    case tokens([String])
    /// The token's document is of this topic, or the token satisfies this tag.
    case topic(String)

    /// What a rule looks like, for messages about one that does not.
    public static let expectation = "regex:PATTERN, tokens:A,B or topic:NAME"

    public init?(_ description: String) {
        guard let colon = description.firstIndex(of: ":") else { return nil }
        let rest = String(description[description.index(after: colon)...])
        guard !rest.isEmpty, !rest.utf8.contains(0) else { return nil }
        switch description[..<colon] {
        case "regex": self = .regex(rest)
        case "topic": self = .topic(rest)
        case "tokens":
            let tokens = LabelRule.split(rest)
            guard !tokens.isEmpty, !tokens.contains("") else { return nil }
            self = .tokens(tokens)
        default: return nil
        }
    }

    public var description: String {
        switch self {
        case .regex(let pattern): "regex:" + pattern
        case .tokens(let tokens): "tokens:" + tokens.map { token in token.reduce(into: "") { $0 += $1 == "," || $1 == "\\" ? "\\\($1)" : String($1) } }.joined(separator: ",")
        case .topic(let name): "topic:" + name
        }
    }

    /// The rule that a label's text ends in, in square brackets; `nil` where it carries none.
    public init?(in text: String) {
        guard text.last == "]" else { return nil }
        for opening in ["[regex:", "[tokens:", "[topic:"] {
            guard let range = firstRange(of: opening, in: text) else { continue }
            self.init(String(text[text.index(after: range)...].dropLast()))
            return
        }
        return nil
    }

    private static func split(_ text: String) -> [String] {
        var tokens = [""], isEscaped = false
        for character in text {
            if !isEscaped, character == "\\" { isEscaped = true; continue }
            if !isEscaped, character == "," { tokens.append(""); continue }
            tokens[tokens.count - 1].append(character)
            isEscaped = false
        }
        return tokens
    }
}

/// Where `part` first begins in `text`.
private func firstRange(of part: String, in text: String) -> String.Index? {
    var at = text.startIndex
    while at < text.endIndex {
        if text[at...].hasPrefix(part) { return at }
        at = text.index(after: at)
    }
    return nil
}
