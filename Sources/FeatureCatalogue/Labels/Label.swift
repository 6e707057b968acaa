import Diagnostics
import Formats
import SQLite

/// Who speaks: a person, a language model, or this program by a rule of its own.
public enum LabelAuthorKind: String, Sendable, CaseIterable { case person, model, program }

/// What is to be thought of a label.
public enum LabelStatus: String, Sendable, CaseIterable {
    /// Proposed, and not yet judged by anybody.
    case draft
    case accepted
    case rejected
    /// Draft or accepted, but its dictionary version has been ingested anew since, from other weights or over another corpus.
    case stale
}

/// The prompt of a label, with the places to be filled in left open: `name` carries its version, such as `explain-1`.
public struct Prompt: Sendable, Equatable {
    public let name: String
    public let text: String

    public init(name: String, text: String) { (self.name, self.text) = (name, text) }
}

/// What a language model took for an answer, as the endpoint metered it.
public struct ModelUsage: Sendable, Equatable {
    public var promptTokens: Int
    public var completionTokens: Int
    /// US dollars.
    public var cost: Double

    public init(promptTokens: Int, completionTokens: Int, cost: Double) { (self.promptTokens, self.completionTokens, self.cost) = (promptTokens, completionTokens, cost) }
}

/// A window of the corpus that a label was made from, or that it is scored on.
public struct LabelExample: Sendable, Equatable {
    public enum Role: String, Sendable { case train, test }

    public let firstPosition: Int
    public let tokens: Int
    public let role: Role
    /// How it was chosen: `top`, `interval`, `random`, `contrast`.
    public let kind: String
    /// The greatest in the window; 0 where the feature is silent.
    public let activation: Double

    public init(firstPosition: Int, tokens: Int, role: Role, kind: String, activation: Double) {
        (self.firstPosition, self.tokens, self.role, self.kind, self.activation) = (firstPosition, tokens, role, kind, activation)
    }
}

/// A label to be entered in the ledger.
public struct LabelEntry: Sendable {
    public var feature: FeatureName
    public var text: String
    public var author: String
    public var authorKind: LabelAuthorKind
    /// `hand`, `suggest`, `rule`, `explain`, or what an import calls it.
    public var method: String
    /// `.draft` or `.accepted`.
    public var status: LabelStatus
    /// The author says that they do not know; the text is how they said it.
    public var isUnknown: Bool
    /// What the label claims, as a predicate; where it is `nil`, the one that the text carries, if it does.
    public var rule: LabelRule?
    public var prompt: Prompt?
    /// A JSON object: temperature, seed and the like.
    public var parameters: String
    public var usage: ModelUsage?
    public var examples: [LabelExample]

    public init(_ text: String, for feature: FeatureName, author: String, authorKind: LabelAuthorKind = .person, method: String = "hand", status: LabelStatus = .accepted,
                isUnknown: Bool = false, rule: LabelRule? = nil, prompt: Prompt? = nil, parameters: String = "{}", usage: ModelUsage? = nil, examples: [LabelExample] = []) {
        (self.feature, self.text, self.author, self.authorKind, self.method, self.status) = (feature, text, author, authorKind, method, status)
        (self.isUnknown, self.rule, self.prompt, self.parameters, self.usage, self.examples) = (isUnknown, rule, prompt, parameters, usage, examples)
    }
}

/// One entry of the ledger of labels: a row of the view `label_history`.
public struct Label: Sendable, Equatable {
    public let id: Int
    public let feature: FeatureName
    public let text: String
    public let author: String
    public let authorKind: LabelAuthorKind
    public let method: String
    public let status: LabelStatus
    public let isUnknown: Bool
    public let rule: LabelRule?
    /// Of the prompt, with its version.
    public let prompt: String?
    /// A JSON object.
    public let parameters: String
    public let usage: ModelUsage?
    /// RFC 3339, UTC.
    public let createdAt: String
    public let supersedes: Int?
    /// Whether the feature goes by it.
    public let isCurrent: Bool
}

let labelColumns = """
    label_id, feature, label, author, author_kind, method, status, is_unknown, rule, prompt, parameters, prompt_tokens, completion_tokens, cost, created_at, supersedes, is_current
    """

extension Catalogue {
    /// Longest label, in bytes.
    public static let labelLimit = 4096

    /// Adds a person's label, accepted; what was current before stays in the history.
    public func addLabel(_ text: String, to name: FeatureName, author: String, at time: String) throws -> Label {
        try addLabel(LabelEntry(text, for: name, author: author), at: time)
    }

    /// Adds a label; what was current before stays in the history.
    /// - Throws: when the feature is not there, or the text or the author are no such thing.
    public func addLabel(_ entry: LabelEntry, at time: String) throws -> Label {
        let (dictionary, index) = try feature(entry.feature), checked = try checked(entry)
        let id = try connection.transaction { try enter(checked, dictionary.featureID(index), basis: try labelBasis(of: dictionary), at: time) }
        return try label(id)
    }

    /// Puts a checked entry into the ledger; the caller holds the transaction.
    func enter(_ entry: LabelEntry, _ feature: Int, basis: Int, at time: String) throws -> Int {
        let previous = try connection.integer("SELECT label_id FROM feature_label WHERE feature_id = ?", .init(feature))
        let prompt = try entry.prompt.map { try promptID($0) }
        var insert = try Statement(Catalogue.labelInsertion, on: connection)
        insert.bind(labelValues(entry, feature, supersedes: previous, prompt: prompt, basis: basis, at: time))
        try insert.run()
        let id = connection.lastInsertedRow
        try addExamples(entry.examples, to: id)
        return id
    }

    static let labelInsertion = """
        INSERT INTO label (feature_id, text, author, created_at, supersedes, author_kind, method, status, is_unknown, rule, prompt_id, parameters, prompt_tokens, completion_tokens, cost, basis_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    /// The values of `labelInsertion`.
    func labelValues(_ entry: LabelEntry, _ feature: Int, supersedes previous: Int?, prompt: Int?, basis: Int, at time: String) -> [SQLiteValue] {
        [.init(feature), .text(entry.text), .text(entry.author), .text(time), .init(previous), .text(entry.authorKind.rawValue), .text(entry.method), .text(entry.status.rawValue),
         .init(entry.isUnknown), .init(entry.rule?.description), .init(prompt), .text(entry.parameters), .init(entry.usage?.promptTokens), .init(entry.usage?.completionTokens),
         .init(entry.usage?.cost), .init(basis)]
    }

    /// Adds windows that a label was made from or is to be scored on; those that are there already stay.
    /// - Throws: an SQLite constraint where a window would be both.
    public func addExamples(_ examples: [LabelExample], to label: Int) throws {
        for example in examples {
            // Not OR IGNORE: that would skip over a window of the other role.
            try connection.run("""
                INSERT INTO label_example (label_id, first_position, tokens, role, kind, activation) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT (label_id, first_position, role) DO NOTHING
                """, .init(label), .init(example.firstPosition), .init(example.tokens), .text(example.role.rawValue), .text(example.kind), .real(example.activation))
        }
    }

    /// The entry with its text and author trimmed and the rule that the text carries, after making sure that it is one.
    func checked(_ entry: LabelEntry) throws -> LabelEntry {
        var entry = entry
        let name = entry.feature
        entry.text = entry.text.trimmed
        entry.author = entry.author.trimmed
        guard !entry.text.isEmpty else { throw MonosemeError("the label for \(name) is empty", hint: "say what the feature means in a few words") }
        guard entry.text.utf8.count <= Catalogue.labelLimit else { throw MonosemeError("the label for \(name) has \(entry.text.utf8.count) bytes; at most \(Catalogue.labelLimit) are kept", hint: "a label is a phrase or a sentence") }
        guard !entry.text.utf8.contains(0) else { throw MonosemeError("the label for \(name) holds a NUL character", hint: "remove it") }
        guard !entry.author.isEmpty else { throw MonosemeError("the author of the label is empty", hint: "name yourself with --author") }
        guard entry.author.utf8.count <= 256, !entry.author.utf8.contains(0) else { throw MonosemeError("the author of the label for \(name) is no name", hint: "a name has at most 256 bytes and no NUL") }
        guard !entry.method.trimmed.isEmpty, entry.method.utf8.count <= 64, entry.method.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
            throw MonosemeError("the method of the label for \(name) is no word: \(quoted(entry.method))", hint: "say in a word how it was made, such as hand")
        }
        precondition(entry.status == .draft || entry.status == .accepted, "a label begins as a draft or accepted")
        if entry.rule == nil { entry.rule = LabelRule(in: entry.text) }
        if let rule = entry.rule, rule.description.utf8.count > Catalogue.labelLimit {
            throw MonosemeError("the rule of the label for \(name) has \(rule.description.utf8.count) bytes; at most \(Catalogue.labelLimit) are kept", hint: "a tag (monoseme topics tag) holds a longer pattern, and topic:NAME refers to it")
        }
        return entry
    }

    /// The entry of the ledger with this number.
    public func label(_ id: Int) throws -> Label {
        guard let label = try connection.first("SELECT \(labelColumns) FROM label_history WHERE label_id = ?", .init(id), make: label) else {
            throw MonosemeError("there is no label \(id) in \(quoted(path, limit: 400))", hint: "monoseme label history FEATURE lists the numbers")
        }
        return label
    }

    /// All labels of a feature, the newest first.
    public func labels(of name: FeatureName) throws -> [Label] {
        let (dictionary, index) = try feature(name)
        return try connection.rows("SELECT \(labelColumns) FROM label_history WHERE feature_id = ? ORDER BY label_id DESC", .init(dictionary.featureID(index)), make: label)
    }

    /// A row of `labelColumns`.
    func label(_ row: borrowing Statement) throws -> Label {
        guard let feature = FeatureName(row.text(1)), let kind = LabelAuthorKind(rawValue: row.text(4)), let status = LabelStatus(rawValue: row.text(6)) else {
            throw MonosemeError("label \(row.integer(0)) in \(quoted(path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
        }
        return Label(id: row.integer(0), feature: feature, text: row.text(2), author: row.text(3), authorKind: kind, method: row.text(5), status: status, isUnknown: row.integer(7) != 0,
                     rule: row.optionalText(8).flatMap { LabelRule($0) }, prompt: row.optionalText(9), parameters: row.text(10),
                     usage: row.optionalInteger(11).map { ModelUsage(promptTokens: $0, completionTokens: row.optionalInteger(12) ?? 0, cost: row.optionalReal(13) ?? 0) },
                     createdAt: row.text(14), supersedes: row.optionalInteger(15), isCurrent: row.integer(16) != 0)
    }

    /// The basis that labels and scores of a dictionary stand on today; made where it is missing, within the caller's transaction.
    public func labelBasis(of dictionary: FeatureDictionary) throws -> Int {
        let corpus = try runIfAny(of: dictionary).flatMap { try connection.first("SELECT fingerprint FROM corpus WHERE id = ?", .init($0.corpus)) { $0.text(0) } } ?? ""
        let key: [SQLiteValue] = [.init(dictionary.id), .text(dictionary.weightsSHA256), .text(corpus)]
        let find = "SELECT id FROM label_basis WHERE dictionary_id = ? AND weights_sha256 = ? AND corpus_fingerprint = ?"
        if let known = try connection.integer(find, key[0], key[1], key[2]) { return known }
        try connection.run("INSERT INTO label_basis (dictionary_id, weights_sha256, corpus_fingerprint) VALUES (?, ?, ?)", key[0], key[1], key[2])
        return connection.lastInsertedRow
    }

    /// The number of a prompt, kept once; made where it is missing, within the caller's transaction.
    public func promptID(_ prompt: Prompt) throws -> Int {
        let digest = sha256(of: prompt.text)
        if let known = try connection.integer("SELECT id FROM prompt WHERE sha256 = ?", .text(digest)) { return known }
        try connection.run("INSERT INTO prompt (name, text, sha256) VALUES (?, ?, ?)", .text(prompt.name), .text(prompt.text), .text(digest))
        return connection.lastInsertedRow
    }
}

extension String {
    /// Without white space at either end.
    var trimmed: String {
        var scalars = unicodeScalars[...]
        while let first = scalars.first, first.properties.isWhitespace { scalars = scalars.dropFirst() }
        while let last = scalars.last, last.properties.isWhitespace { scalars = scalars.dropLast() }
        return String(scalars)
    }
}

/// SHA-256 of the text's UTF-8, in hexadecimal.
func sha256(of text: String) -> String { Array(text.utf8).withUnsafeBytes { hexadecimal(SHA256.digest(of: $0)) } }
