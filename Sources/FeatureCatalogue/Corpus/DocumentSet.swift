import Diagnostics

/// Some documents of a corpus under one name: those of a topic, or those that came from one file.
public struct DocumentSet: Sendable, Equatable {
    public enum Kind: String, Sendable { case topic, file }

    public let kind: Kind
    public let name: String
    /// Places in the corpus's document table, ascending.
    public let places: [Int]
    public let tokens: Int
}

extension Catalogue {
    /// The documents of the topic called `name`, in any case of letters; where no topic is, those of the file with that path or that
    /// name, with or without its extension.
    public func documentSet(named name: String, of corpus: Int, _ table: DocumentTable) throws -> DocumentSet {
        if let topic = try topicIfAny(named: name, of: corpus) {
            let places = table.topics.indices.filter { table.topics[$0] == topic.id }
            return DocumentSet(kind: .topic, name: topic.name, places: places, tokens: places.reduce(0) { $0 + table.lengths[$1] })
        }
        let sources = try connection.rows("SELECT id, path FROM source WHERE corpus_id = ? ORDER BY path", .init(corpus)) { (id: $0.integer(0), path: $0.text(1)) }
        let named = sources.filter { source in
            let file = source.path.split(separator: "/").last.map(String.init) ?? source.path
            return source.path == name || file == name || file.lastIndex(of: ".").map { file[..<$0] == name } ?? false
        }
        let exact = named.filter { $0.path == name }
        guard let source = exact.first ?? (named.count == 1 ? named[0] : nil) else {
            if named.count > 1 { throw MonosemeError("\(quoted(name)) is the name of \(named.count) files of the corpus", hint: "write one of them as \(quoted(named[0].path, limit: 400))") }
            // A corpus of one file has nothing to be told apart by its files.
            throw try unknownTopic(name, of: corpus, orFile: sources.count > 1)
        }
        let ids = try connection.rows("SELECT source_id FROM document WHERE corpus_id = ? ORDER BY first_position", .init(corpus)) { $0.integer(0) }
        let places = ids.indices.filter { ids[$0] == source.id && table.lengths.indices.contains($0) }
        return DocumentSet(kind: .file, name: source.path, places: places, tokens: places.reduce(0) { $0 + table.lengths[$1] })
    }
}
