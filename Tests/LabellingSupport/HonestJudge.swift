import Formats
import Foundation

/// A stand-in for a language model that does as it is told with what little it understands: it explains a feature by the tokens with most of its
/// strength, and takes a label to mean the tokens quoted in it, or its longer words where none are.
public enum HonestJudge {
    /// What it says to a conversation of `label auto` or `label score`.
    public static func answer(to messages: [(role: String, content: String)]) -> String {
        let system = messages.first { $0.role == "system" }?.content ?? "", lines = (messages.last?.content ?? "").split(separator: "\n").map(String.init)
        if system.contains("You name features") { return explanation(of: lines) }
        guard let first = lines.first, first.hasPrefix("Label: "), case .string(let label)? = try? JSON(parsing: String(first.dropFirst(7))) else { return "I was asked nothing that I understand." }
        let tokens = tokens(of: label), texts = lines.dropFirst().compactMap { try? JSON(parsing: $0) }
        if system.contains("Predict for each token") {
            let pieces = texts.first?.array ?? []
            return list(pieces.map { piece in tokens.contains { piece.string == $0 } ? 9 : 0 })
        }
        if system.contains("marked between") { return list(verdicts(texts.map { shareOfMarks($0.string ?? "", tokens) })) }
        // Whether there is one of few tokens; of many there is nearly always one, and what counts is how much of a text they are.
        return list(verdicts(texts.map { text in shareOfText(text.string ?? "", tokens) }, isPresence: tokens.count == 1))
    }

    /// Texts asked about together are compared: what has a third of the most there is.
    private static func verdicts(_ shares: [Double], isPresence: Bool = false) -> [Int] {
        let most = shares.max() ?? 0
        return shares.map { $0 > 0 && (isPresence || 3 * $0 >= most) ? 1 : 0 }
    }

    private static func explanation(of lines: [String]) -> String {
        var mass: [String: Int] = [:]
        for line in lines {
            for pair in (try? JSON(parsing: line))?["strengths"]?.array ?? [] { if let pair = pair.array, pair.count == 2, let token = pair[0].string { mass[token, default: 0] += pair[1].integer ?? 0 } }
        }
        let order = mass.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }, all = order.reduce(0) { $0 + $1.value }
        guard all > 0 else { return "I don't know" }
        var chosen: [String] = [], covered = 0
        for (token, strength) in order where covered * 10 < all * 9 && chosen.count < 24 { chosen.append(token); covered += strength }
        guard covered * 5 >= all else { return "I don't know" }
        return "the token\(chosen.count == 1 ? "" : "s") " + chosen.map { quoted($0) }.joined(separator: ", ")
    }

    private static func tokens(of label: String) -> [String] {
        var found: [String] = [], rest = label[...]
        while let open = rest.firstIndex(of: "\"") {
            var end = rest.index(after: open), isEscaped = false
            while end < rest.endIndex, isEscaped || rest[end] != "\"" { isEscaped = !isEscaped && rest[end] == "\\"; end = rest.index(after: end) }
            guard end < rest.endIndex else { break }
            if case .string(let token)? = try? JSON(parsing: String(rest[open...end])), !token.isEmpty { found.append(token) }
            rest = rest[rest.index(after: end)...]
        }
        return found.isEmpty ? label.split { !$0.isLetter }.map(String.init).filter { $0.count > 3 } : found
    }

    /// Of the bytes of a text, those that are in a token of the label.
    private static func shareOfText(_ text: String, _ tokens: [String]) -> Double {
        let bytes = Array(text.utf8)
        var isCovered = [Bool](repeating: false, count: bytes.count)
        for token in tokens.map({ Array($0.utf8) }) where token.count <= bytes.count {
            for start in 0...bytes.count - token.count where bytes[start..<start + token.count].elementsEqual(token) { for place in start..<start + token.count { isCovered[place] = true } }
        }
        return bytes.isEmpty ? 0 : Double(isCovered.count { $0 }) / Double(bytes.count)
    }

    /// The same of what is marked.
    private static func shareOfMarks(_ text: String, _ tokens: [String]) -> Double {
        let marked = text.split(separator: "«", omittingEmptySubsequences: false).dropFirst().map { String($0.prefix { $0 != "»" }) }
        return marked.isEmpty ? 0 : marked.reduce(0) { $0 + shareOfText($1, tokens) } / Double(marked.count)
    }

    private static func list(_ values: [Int]) -> String { "[" + values.map(String.init).joined(separator: ",") + "]" }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.value(text)
        return writer.text
    }
}
