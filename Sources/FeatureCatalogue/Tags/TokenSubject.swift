import Diagnostics
import SQLite

/// What features can be asked to mark: the documents of a topic, or the tokens of a tag.
public enum TokenSubject: Sendable, Equatable {
    case topic(Topic)
    case tag(Tag)

    public var name: String {
        switch self {
        case .topic(let topic): topic.name
        case .tag(let tag): tag.name
        }
    }
}

extension Catalogue {
    /// A topic or tag of a corpus by its name, in any case of letters.
    public func subject(named name: String, of corpus: Int) throws -> TokenSubject {
        let tags = try tags(of: corpus)
        if let topic = try topics(of: corpus).first(where: { $0.name == name }) { return .topic(topic) }
        if let tag = try tagIfAny(named: name, of: corpus) { return .tag(tag) }
        do { return .topic(try topic(named: name, of: corpus)) } catch let error as MonosemeError where !tags.isEmpty {
            throw MonosemeError(error.message, hint: "\(error.hint ?? ""); its tags are \(tags.prefix(40).map(\.name).joined(separator: ", "))\(tags.count > 40 ? ", …" : "")")
        }
    }

    /// All tokens of a topic's documents, or those that satisfy a tag.
    public func positions(of subject: TokenSubject, in corpus: Int) throws -> PositionSet {
        switch subject {
        case .tag(let tag): return try positions(of: tag)
        case .topic(let topic):
            var set = PositionSet(length: try positionCount(of: corpus))
            try connection.query("SELECT first_position, tokens FROM document WHERE corpus_id = ? AND topic_id = ?", [.init(corpus), .init(topic.id)]) { row in
                let first = row.integer(0), tokens = row.integer(1)
                guard first >= 0, tokens >= 0, tokens <= set.length - first else {
                    throw MonosemeError("the document at position \(first) in \(quoted(path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
                }
                for position in first..<first + tokens { set.insert(position) }
            }
            return set
        }
    }
}
