import Diagnostics
import SQLite

/// What somebody decided about a label. The latest decision counts.
public struct LabelDecision: Sendable, Equatable {
    public let label: Int
    /// `.accepted` or `.rejected`.
    public let status: LabelStatus
    public let author: String
    public let reason: String?
    /// RFC 3339, UTC.
    public let createdAt: String
}

extension Catalogue {
    /// Longest reason of a decision, in bytes.
    public static let reasonLimit = 4096

    /// Decides about a label: from now on it is accepted, or rejected. The decision is a row of its own.
    /// - Parameter status: `.accepted` or `.rejected`.
    public func decide(_ label: Int, _ status: LabelStatus, author: String, reason: String? = nil, at time: String) throws {
        try decide([label], status, author: author, reason: reason, at: time)
    }

    /// The same of several labels: all or none.
    public func decide(_ labels: [Int], _ status: LabelStatus, author: String, reason: String? = nil, at time: String) throws {
        precondition(status == .accepted || status == .rejected)
        let (author, reason) = try checkedDecision(author, reason)
        try connection.transaction {
            for label in labels {
                _ = try self.label(label)
                try enterDecision(label, status, author: author, reason: reason, at: time)
            }
        }
    }

    /// The author and the reason trimmed, after making sure that they are such.
    func checkedDecision(_ author: String, _ reason: String?) throws -> (author: String, reason: String?) {
        let author = author.trimmed, reason = reason?.trimmed
        guard !author.isEmpty else { throw MonosemeError("the author of the decision is empty", hint: "name yourself with --author") }
        guard author.utf8.count <= 256, !author.utf8.contains(0) else { throw MonosemeError("the author of the decision is no name", hint: "a name has at most 256 bytes and no NUL") }
        guard (reason ?? "").utf8.count <= Catalogue.reasonLimit, !(reason ?? "").utf8.contains(0) else {
            throw MonosemeError("the reason of the decision has \((reason ?? "").utf8.count) bytes or a NUL; at most \(Catalogue.reasonLimit) bytes are kept", hint: "give it in a sentence or two")
        }
        return (author, reason?.isEmpty == true ? nil : reason)
    }

    /// The caller holds the transaction and has checked all.
    func enterDecision(_ label: Int, _ status: LabelStatus, author: String, reason: String?, at time: String) throws {
        try connection.run("INSERT INTO label_event (label_id, status, author, created_at, reason) VALUES (?, ?, ?, ?, ?)", .init(label), .text(status.rawValue), .text(author), .text(time), .init(reason))
    }

    /// What was decided about labels of a feature, in order of time.
    public func decisions(of name: FeatureName) throws -> [LabelDecision] {
        let (dictionary, index) = try feature(name)
        return try connection.rows("""
            SELECT e.label_id, e.status, e.author, e.reason, e.created_at FROM label AS l JOIN label_event AS e ON e.label_id = l.id WHERE l.feature_id = ? ORDER BY e.id
            """, .init(dictionary.featureID(index))) { row in
            LabelDecision(label: row.integer(0), status: LabelStatus(rawValue: row.text(1)) ?? .rejected, author: row.text(2), reason: row.optionalText(3), createdAt: row.text(4))
        }
    }

    /// The label of a feature that somebody who names the feature means: the one it goes by.
    ///
    /// - Throws: where it goes by none, and, to accept, where a newer draft waits beside an accepted label: then the number must say which is meant.
    public func labelMeant(by name: FeatureName, to status: LabelStatus) throws -> Label {
        let labels = try labels(of: name)
        guard let current = labels.first(where: \.isCurrent) else {
            throw MonosemeError("\(name) goes by no label", hint: labels.isEmpty ? "monoseme label add \(name) TEXT gives it one" : "monoseme label history \(name) lists the \(labels.count) that it had; name one by its number")
        }
        guard status == .accepted, let draft = labels.first(where: { $0.id > current.id && !$0.isUnknown && $0.status == .draft }) else { return current }
        throw MonosemeError("\(name) goes by \(quoted(current.text)) (\(current.id)), and there is a newer draft, \(quoted(draft.text)) (\(draft.id))",
                            hint: "say which is meant by its number: monoseme label accept \(draft.id)")
    }
}
