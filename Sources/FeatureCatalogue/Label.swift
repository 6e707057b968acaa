import Diagnostics
import SQLite

/// One entry of the ledger of labels.
public struct Label: Sendable, Equatable {
    public let id: Int
    public let text: String
    public let author: String
    /// RFC 3339, UTC.
    public let createdAt: String
    public let supersedes: Int?
}

extension Catalogue {
    /// Longest label, in bytes.
    public static let labelLimit = 4096

    /// Adds a label; what was current before stays in the history.
    public func addLabel(_ text: String, to name: FeatureName, author: String, at time: String) throws -> Label {
        let (dictionary, index) = try feature(name)
        let trimmed = text.trimmed
        guard !trimmed.isEmpty else { throw MonosemeError("the label for \(name) is empty", hint: "say what the feature means in a few words") }
        guard trimmed.utf8.count <= Catalogue.labelLimit else { throw MonosemeError("the label for \(name) has \(trimmed.utf8.count) bytes; at most \(Catalogue.labelLimit) are kept", hint: "a label is a phrase or a sentence") }
        guard !trimmed.utf8.contains(0) else { throw MonosemeError("the label for \(name) holds a NUL character", hint: "remove it") }
        guard !author.trimmed.isEmpty else { throw MonosemeError("the author of the label is empty", hint: "name yourself with --author") }
        return try connection.transaction {
            let previous = try connection.integer("SELECT max(id) FROM label WHERE feature_id = ?", .init(dictionary.featureID(index)))
            try connection.run("INSERT INTO label (feature_id, text, author, created_at, supersedes) VALUES (?, ?, ?, ?, ?)",
                               .init(dictionary.featureID(index)), .text(trimmed), .text(author.trimmed), .text(time), .init(previous))
            return Label(id: connection.lastInsertedRow, text: trimmed, author: author.trimmed, createdAt: time, supersedes: previous)
        }
    }

    /// All labels of a feature, the newest first.
    public func labels(of name: FeatureName) throws -> [Label] {
        let (dictionary, index) = try feature(name)
        return try connection.rows("SELECT id, text, author, created_at, supersedes FROM label WHERE feature_id = ? ORDER BY id DESC", .init(dictionary.featureID(index))) {
            Label(id: $0.integer(0), text: $0.text(1), author: $0.text(2), createdAt: $0.text(3), supersedes: $0.optionalInteger(4))
        }
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
