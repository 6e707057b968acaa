import Diagnostics

// What a person types, as an expression of FTS5.
//
//     base64 hex          both words                      "hex string"      these words in a row
//     base64 OR hex       either (also AND, NOT)          base6*            words that begin so
//     label:base64        in one column                   {tokens logits}:a in one of these; -label:a in none of these
//     NEAR(a b, 5)        with at most 5 words between    ^base64           at the beginning of a column
//     (a OR b) c          groups
//
// This is FTS5's language, which binds in this order: words side by side, NOT, AND, OR. Where FTS5 would only say "syntax error", what people
// write is taken for what they mean (`C++`, `don't` and `a-b` are words that stand in quotes), or the message says what was found and how
// to write it. Each word reaches FTS5 in quotes of ours, so that nothing is read twice in two ways.

/// A column of feature_text that a query may name.
public enum SearchColumn: String, Sendable, CaseIterable {
    case label, tokens, logits, topics

    /// The column with the symbols of its tokens; `nil` where it has no tokens.
    var symbolColumn: String? {
        switch self {
        case .label, .topics: nil
        case .tokens: "token_symbols"
        case .logits: "logit_symbols"
        }
    }
}

/// A full-text query that has been understood.
public struct SearchQuery: Sendable, Equatable {
    /// Longest query, in bytes.
    public static let lengthLimit = 4096
    /// Most words in it.
    public static let wordLimit = 64
    /// Deepest groups.
    public static let depthLimit = 16

    /// As it was typed.
    public let text: String
    /// For FTS5's MATCH.
    public let expression: String
    /// The same with every word as a beginning of words; `nil` where all are that already.
    public let prefixExpression: String?

    /// - Throws: `MonosemeError` that says what was found in the query, and how to write what may have been meant.
    public init(parsing text: String) throws {
        self.text = text
        guard text.utf8.count <= SearchQuery.lengthLimit else {
            throw MonosemeError("the query has \(text.utf8.count) bytes; at most \(SearchQuery.lengthLimit) are understood", hint: "search for a few words")
        }
        if let place = text.utf8.firstIndex(of: 0) {
            throw MonosemeError("the query holds a NUL character, its byte \(text.utf8.distance(from: text.startIndex, to: place) + 1)", hint: "the token of a NUL is not searched for")
        }
        var parser = SearchParser(tokens: try SearchLexer(text).tokens())
        let node = try parser.parse()
        expression = node.expression(prefix: false)
        let prefixed = node.expression(prefix: true)
        prefixExpression = prefixed == expression ? nil : prefixed
    }
}

private func isNameCharacter(_ scalar: Unicode.Scalar, isFirst: Bool) -> Bool {
    scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || !isFirst && ("0"..."9").contains(scalar)
}

private let columnList = SearchColumn.allCases.map { "\($0.rawValue):" }.joined(separator: ", ")
private let inQuotes = "in double quotes"

private func column(named name: String, in run: String) throws -> SearchColumn {
    if let column = SearchColumn(rawValue: name.lowercased()) { return column }
    throw MonosemeError("the query names a column \(quoted(name + ":")), and there is none", hint: "the columns are \(columnList); to look for the words, write them \(inQuotes): \(inDoubleQuotes(run))")
}

private func inDoubleQuotes(_ text: String) -> String {
    var shown = String(String.UnicodeScalarView(text.unicodeScalars.prefix(40)))
    if shown.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) { shown = "…" }
    return "\"" + shown.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}

// MARK: Words and signs

private enum SearchToken: Equatable {
    case open, close, and, or, not, near, comma, initial, plus
    /// Follows what is a beginning of words.
    case star
    case columns(Set<SearchColumn>)
    /// In double quotes.
    case phrase(String)
    /// A run of other characters.
    case word(String)

    var shown: String {
        switch self {
        case .open: "("
        case .close: ")"
        case .and: "AND"
        case .or: "OR"
        case .not: "NOT"
        case .near: "NEAR("
        case .comma: ","
        case .initial: "^"
        case .plus: "+"
        case .star: "*"
        case .columns(let columns): columns.map { $0.rawValue }.sorted().joined(separator: " ") + ":"
        case .phrase(let text), .word(let text): text
        }
    }
}

private struct SearchLexer {
    private let text: [Unicode.Scalar]
    private var at = 0
    private var found: [SearchToken] = []
    /// Open groups, `true` for those of NEAR.
    private var groups: [Bool] = []

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    private func slice(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(text[range])) }
    private func isSpace(_ place: Int) -> Bool { place >= text.count || text[place].properties.isWhitespace }
    private func skippingSpaces(_ place: Int) -> Int {
        var place = place
        while place < text.count, isSpace(place) { place += 1 }
        return place
    }

    consuming func tokens() throws -> [SearchToken] {
        while true {
            at = skippingSpaces(at)
            guard at < text.count else { return found }
            switch text[at] {
            case "\"": try phrase()
            case "(":
                groups.append(found.last == .near && text[at - 1] == "R")
                found.append(.open)
                at += 1
            case ")":
                if !groups.isEmpty { groups.removeLast() }
                found.append(.close)
                at += 1
            case "," where groups.last == true:
                found.append(.comma)
                at += 1
            case "+" where isSpace(at + 1) && isPhrase(found.last):
                found.append(.plus)
                at += 1
            case "*" where isSpace(at + 1) || text[at + 1] == ")" || text[at + 1] == "*":
                guard found.last != .star else { throw MonosemeError("the query has ** behind a word", hint: "one * is enough") }
                guard isPhrase(found.last), at > 0, !isSpace(at - 1) else {
                    throw MonosemeError("the query has a * that follows no word", hint: "it belongs behind the beginning of words, such as base6*; to look for the sign, write \"*\" \(inQuotes)")
                }
                found.append(.star)
                at += 1
            case "^" where !isSpace(at + 1):
                found.append(.initial)
                at += 1
            case "{": if try !columnSet(isExcluded: false, from: at) { try run() }
            default: try run()
            }
        }
    }

    private func isPhrase(_ token: SearchToken?) -> Bool {
        switch token {
        case .phrase, .word: true
        default: false
        }
    }

    /// `"…"`, in which `""` is a quote.
    private mutating func phrase() throws {
        let start = at
        var content = String.UnicodeScalarView()
        at += 1
        while at < text.count {
            if text[at] == "\"" {
                if at + 1 < text.count, text[at + 1] == "\"" { content.append("\""); at += 2; continue }
                at += 1
                found.append(.phrase(String(content)))
                return
            }
            content.append(text[at])
            at += 1
        }
        throw MonosemeError("the query has a quotation mark at character \(start + 1) that is not closed", hint: "close it with another \"; inside of quotes, \"\" is the mark itself")
    }

    /// `{label tokens}:`, as a whole; `false`: it is something else.
    private mutating func columnSet(isExcluded: Bool, from start: Int) throws -> Bool {
        guard let end = text[start...].firstIndex(of: "}"), case let colon = skippingSpaces(end + 1), colon < text.count, text[colon] == ":" else { return false }
        let names = text[start + 1..<end].split { $0.properties.isWhitespace }
        guard !names.isEmpty, names.allSatisfy({ $0.enumerated().allSatisfy { isNameCharacter($0.element, isFirst: $0.offset == 0) } }) else { return false }
        let columns = Set(try names.map { try column(named: String(String.UnicodeScalarView($0)), in: slice(start..<colon + 1)) })
        found.append(.columns(isExcluded ? Set(SearchColumn.allCases).subtracting(columns) : columns))
        at = colon + 1
        return true
    }

    /// Characters up to a space or a sign that begins something else: a word, an operator, or `column:`.
    private mutating func run() throws {
        let start = at, isExcluded = text[at] == "-"
        var end = start
        while end < text.count, !isSpace(end), !"\"()".unicodeScalars.contains(text[end]), !(text[end] == "," && groups.last == true) {
            // A star at the end of a run belongs to it as to a word.
            if text[end] == "*", end > start, case let rest = text[end...].firstIndex(where: { $0 != "*" }) ?? text.count, isSpace(rest) || text[rest] == ")" || text[rest] == "," && groups.last == true { break }
            end += 1
        }
        if isExcluded, start + 1 < text.count, text[start + 1] == "{", try columnSet(isExcluded: true, from: start + 1) { return }
        // `column:`, perhaps with spaces before the colon.
        let nameStart = start + (isExcluded ? 1 : 0)
        var nameEnd = nameStart
        while nameEnd < end, isNameCharacter(text[nameEnd], isFirst: nameEnd == nameStart) { nameEnd += 1 }
        if nameEnd > nameStart {
            let colon = nameEnd == end ? skippingSpaces(nameEnd) : nameEnd, name = slice(nameStart..<nameEnd)
            if colon < text.count, text[colon] == ":" {
                let known = SearchColumn(rawValue: name.lowercased())
                // `std::vector`, `https://…` and `C:\` are no columns, nor is what begins with a digit.
                let next = colon + 1 < text.count ? text[colon + 1] : " "
                if let known {
                    found.append(.columns(isExcluded ? Set(SearchColumn.allCases).subtracting([known]) : [known]))
                    at = colon + 1
                    return
                }
                if colon == nameEnd, isPartOfWord(next) || next.properties.isWhitespace || "\"({^-".unicodeScalars.contains(next) { _ = try column(named: name, in: slice(start..<end)) }
            }
            if isExcluded, nameEnd == end, text[nameStart] != "_" {
                throw MonosemeError("the query has \(quoted(slice(start..<end)))", hint: "to leave out what has the word, write: … NOT \(name); to look for it as it stands, write it \(inQuotes)")
            }
        }
        at = end
        switch slice(start..<end) {
        case "AND": found.append(.and)
        case "OR": found.append(.or)
        case "NOT": found.append(.not)
        case "NEAR" where end < text.count && text[end] == "(": found.append(.near)
        case let word: found.append(.word(word))
        }
    }
}

// MARK: Expressions

private indirect enum SearchNode {
    /// Words in a row, or with at most `distance` words between.
    case phrases([(text: String, isPrefix: Bool)], distance: Int?, isInitial: Bool, columns: Set<SearchColumn>?)
    case symbols(String, isPrefix: Bool, columns: [String])
    case and([SearchNode]), or([SearchNode])
    case not(SearchNode, [SearchNode])

    func expression(prefix: Bool) -> String {
        func quote(_ text: String, _ isPrefix: Bool) -> String {
            var quoted = String.UnicodeScalarView("\"".unicodeScalars)
            for scalar in text.unicodeScalars {
                if scalar == "\"" { quoted.append(scalar) }
                quoted.append(scalar)
            }
            return String(quoted) + "\"" + (isPrefix || prefix ? " *" : "")
        }
        func filter(_ columns: [String]) -> String { columns.count == 1 ? columns[0] + " : " : "{" + columns.joined(separator: " ") + "} : " }
        func group(_ node: SearchNode) -> String {
            switch node {
            case .phrases, .symbols: node.expression(prefix: prefix)
            default: "(" + node.expression(prefix: prefix) + ")"
            }
        }
        switch self {
        case .phrases(let phrases, let distance, let isInitial, let columns):
            // All columns are named in the order of the table, so that equal queries are equal.
            let prelude = columns.map { columns in filter(SearchColumn.allCases.filter(columns.contains).map(\.rawValue)) } ?? ""
            let words = phrases.map { quote($0.text, $0.isPrefix) }
            return prelude + (isInitial ? "^ " : "") + (distance.map { "NEAR(" + words.joined(separator: " ") + ", \($0))" } ?? words[0])
        case .symbols(let word, let isPrefix, let columns): return filter(columns) + quote(word, isPrefix)
        case .and(let nodes): return nodes.map(group).joined(separator: " AND ")
        case .or(let nodes): return nodes.map(group).joined(separator: " OR ")
        case .not(let node, let others): return group(node) + " NOT " + (others.count == 1 ? group(others[0]) : group(.or(others)))
        }
    }
}

private struct SearchParser {
    let tokens: [SearchToken]
    private var at = 0
    private var words = 0

    init(tokens: [SearchToken]) { self.tokens = tokens }

    private var next: SearchToken? { at < tokens.count ? tokens[at] : nil }

    mutating func parse() throws -> SearchNode {
        guard !tokens.isEmpty else { throw MonosemeError("the query is empty", hint: "such as: base64 OR hex, \"hex string\", base6*, tokens:the") }
        let node = try either(nil, depth: 0)
        if next == .close { throw MonosemeError("the query closes a group with ) that was not opened", hint: "open it with (, or write \")\" \(inQuotes) to look for the sign") }
        if let next { throw MonosemeError("the query has \(quoted(next.shown)) where a word was expected", hint: "to look for the sign, write it \(inQuotes)") }
        return node
    }

    private mutating func either(_ columns: Set<SearchColumn>?, depth: Int) throws -> SearchNode {
        var nodes = [try both(columns, depth)]
        while next == .or { at += 1; nodes.append(try both(columns, depth)) }
        return nodes.count == 1 ? nodes[0] : .or(nodes)
    }

    private mutating func both(_ columns: Set<SearchColumn>?, _ depth: Int) throws -> SearchNode {
        var nodes = [try without(columns, depth)]
        while next == .and { at += 1; nodes.append(try without(columns, depth)) }
        return nodes.count == 1 ? nodes[0] : .and(nodes)
    }

    private mutating func without(_ columns: Set<SearchColumn>?, _ depth: Int) throws -> SearchNode {
        let node = try several(columns, depth)
        var others: [SearchNode] = []
        while next == .not { at += 1; others.append(try several(columns, depth)) }
        return others.isEmpty ? node : .not(node, others)
    }

    /// Words side by side.
    private mutating func several(_ columns: Set<SearchColumn>?, _ depth: Int) throws -> SearchNode {
        var nodes = [try unit(columns, depth)]
        while let token = next {
            switch token {
            case .and, .or, .not, .close, .comma: return nodes.count == 1 ? nodes[0] : .and(nodes)
            default: nodes.append(try unit(columns, depth))
            }
        }
        return nodes.count == 1 ? nodes[0] : .and(nodes)
    }

    private mutating func unit(_ columns: Set<SearchColumn>?, _ depth: Int) throws -> SearchNode {
        guard let token = next else { throw missing(behind: at > 0 ? tokens[at - 1] : .open) }
        switch token {
        case .open:
            guard depth < SearchQuery.depthLimit else { throw MonosemeError("the query has groups in groups, more than \(SearchQuery.depthLimit) deep", hint: "leave out ( and ) that change nothing") }
            at += 1
            if next == .close { throw MonosemeError("the query has a group ( ) with nothing in it", hint: "to look for the signs, write \"(\" \(inQuotes)") }
            let node = try either(columns, depth: depth + 1)
            guard next == .close else {
                if let next { throw MonosemeError("the query has \(quoted(next.shown)) where ) was expected", hint: "to look for the sign, write it \(inQuotes)") }
                throw MonosemeError("the query opens a group with ( that is not closed", hint: "close it with ), or write \"(\" \(inQuotes) to look for the sign")
            }
            at += 1
            return node
        case .columns(let named):
            at += 1
            let both = columns.map { named.intersection($0) } ?? named
            guard !both.isEmpty else { throw MonosemeError("the query asks for columns within other columns, and none is left", hint: "the columns are \(columnList)") }
            guard next != nil else { throw missing(behind: token) }
            // Depth, because column after column is one call in another.
            guard depth < SearchQuery.depthLimit else { throw MonosemeError("the query has columns within columns, more than \(SearchQuery.depthLimit) deep", hint: "name them once") }
            return try unit(both, depth + 1)
        case .near: return try near(columns)
        case .initial:
            at += 1
            guard case .phrase? = next else { guard case .word? = next else { throw missing(behind: token) }; return try phrase(columns, isInitial: true) }
            return try phrase(columns, isInitial: true)
        case .phrase, .word: return try phrase(columns, isInitial: false)
        case .star, .plus, .comma: throw MonosemeError("the query has a \(token.shown) that follows no word", hint: "to look for the sign, write it \(inQuotes)")
        case .and, .or, .not, .close: throw missing(before: token)
        }
    }

    private func missing(behind token: SearchToken) -> MonosemeError {
        MonosemeError("the query ends with \(quoted(token.shown)), and nothing follows", hint: "say what should follow, or write it \(inQuotes) to look for the word")
    }

    private func missing(before token: SearchToken) -> MonosemeError {
        let place = at == 0 ? "begins with \(quoted(token.shown))" : "has \(quoted(token.shown)) right behind \(quoted(tokens[at - 1].shown))"
        return MonosemeError("the query \(place), and there is nothing to join", hint: token == .not && at == 0 ? "say what to leave it out of: … NOT …" : "say what is meant on both sides, or write it \(inQuotes) to look for the word")
    }

    /// A word or a phrase, with what is joined to it by +, and the star behind it.
    private mutating func phrase(_ columns: Set<SearchColumn>?, isInitial: Bool) throws -> SearchNode {
        let isAlone = tokens.count == 1 || columns != nil || tokens.allSatisfy { if case .phrase = $0 { true } else { $0 == .star } }
        var (text, isQuoted) = try words(of: tokens[at])
        at += 1
        while next == .plus, at + 1 < tokens.count {
            at += 1
            let more = try words(of: tokens[at])
            text += " " + more.text
            at += 1
        }
        if next == .plus { throw missing(behind: .plus) }
        let isPrefix = next == .star
        if isPrefix { at += 1 }
        guard let word = symbolWord(text) else { return .phrases([(text, isPrefix)], distance: nil, isInitial: isInitial, columns: columns) }
        // A sign between words is hardly what was meant; one alone, or in quotes, is.
        guard isQuoted || isAlone else { throw MonosemeError("the query has \(quoted(text)), which is no word", hint: "leave it out, or write it \(inQuotes) to look for features of such tokens") }
        let places = SearchColumn.allCases.filter { columns?.contains($0) ?? true }.compactMap(\.symbolColumn)
        guard !places.isEmpty else {
            throw MonosemeError("the query asks for \(quoted(text)) in \(columns!.map { $0.rawValue }.sorted().joined(separator: " and ")), where words are found and signs are not", hint: "signs are found in tokens: and logits:")
        }
        isQuoted = true
        return .symbols(word, isPrefix: isPrefix, columns: places)
    }

    private mutating func words(of token: SearchToken) throws -> (text: String, isQuoted: Bool) {
        words += 1
        guard words <= SearchQuery.wordLimit else { throw MonosemeError("the query has more than \(SearchQuery.wordLimit) words", hint: "search for a few of them") }
        switch token {
        case .word(let text): return (text, false)
        case .phrase(let text):
            guard !text.isEmpty else { throw MonosemeError("the query has quotation marks with nothing between", hint: "put the words between them, or leave them out") }
            return (text, true)
        default: throw missing(before: token)
        }
    }

    private mutating func near(_ columns: Set<SearchColumn>?) throws -> SearchNode {
        let form = "such as NEAR(hex string, 5)"
        at += 2 // with its (
        var phrases: [(text: String, isPrefix: Bool)] = [], distance = 10
        while let token = next {
            switch token {
            case .phrase, .word:
                let text = try words(of: token).text
                guard symbolWord(text) == nil else { throw MonosemeError("the query has \(quoted(text)) in NEAR, which is no word", hint: form) }
                at += 1
                phrases.append((text, next == .star))
                if next == .star { at += 1 }
            case .comma:
                guard !phrases.isEmpty, at + 2 < tokens.count, case .word(let digits) = tokens[at + 1], let number = Int(digits), (0...10_000).contains(number), tokens[at + 2] == .close else {
                    throw MonosemeError("the query has a NEAR whose distance is no number up to 10000", hint: form)
                }
                (distance, at) = (number, at + 2)
            case .close:
                at += 1
                guard !phrases.isEmpty else { throw MonosemeError("the query has a NEAR without words", hint: form) }
                return .phrases(phrases, distance: distance, isInitial: false, columns: columns)
            default: throw MonosemeError("the query has \(quoted(token.shown)) in NEAR, which takes words and a distance", hint: form)
            }
        }
        throw MonosemeError("the query opens a NEAR( that is not closed", hint: form)
    }
}
