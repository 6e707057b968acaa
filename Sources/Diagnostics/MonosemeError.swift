/// What went wrong, in words for the person at the keyboard.
///
/// `message` names the thing, the place and what was found there; `hint` says what to do. Faces print
/// `monoseme: <message>` and then `  hint: <hint>`, and exit 1.
public struct MonosemeError: Error, Sendable, Equatable, CustomStringConvertible {
    public let message: String
    public let hint: String?

    public init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\n  hint: \($0)" } ?? message }
}

/// `text` in double quotes, safe for one line of a terminal: control characters are escaped and long text is cut.
///
/// For everything that comes from outside (a tensor's name, a bad line of a corpus) and is repeated in a message.
public func quoted(_ text: some StringProtocol, limit: Int = 80) -> String {
    var out = "\""
    var count = 0
    for scalar in text.unicodeScalars {
        if count == limit { out += "…"; break }
        count += 1
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        case let s where s.properties.generalCategory == .control || s.properties.generalCategory == .format
            || s.properties.generalCategory == .lineSeparator || s.properties.generalCategory == .paragraphSeparator:
            out += "\\u{" + String(s.value, radix: 16) + "}"
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}
