import Diagnostics
import Formats
import SQLite

/// A stream of tokens with its documents and topics.
public struct Corpus: Sendable, Equatable {
    public let id: Int
    public let name: String
    public let tokenizer: Int
    public let tokens: Int
    public let documents: Int
    public let emptyDocuments: Int
    public let malformedLines: Int
    public let isComplete: Bool
    public let settings: String
}

public struct Document: Sendable, Equatable {
    /// From 0, in reading order.
    public let ordinal: Int
    public let firstPosition: Int
    public let tokens: Int
    public let topic: String
    public let source: String
    /// Line of a JSONL source, from 1.
    public let line: Int?
}

public struct Topic: Sendable, Equatable {
    public let id: Int
    public let name: String
    public let documents: Int
    public let tokens: Int
}

extension Catalogue {
    public func corpus(_ id: Int) throws -> Corpus {
        let corpus = try connection.first("SELECT id, name, tokenizer_id, tokens, documents, empty_documents, malformed_lines, is_complete, settings FROM corpus WHERE id = ?", .init(id)) { row in
            Corpus(id: row.integer(0), name: row.text(1), tokenizer: row.integer(2), tokens: row.integer(3), documents: row.integer(4),
                   emptyDocuments: row.integer(5), malformedLines: row.integer(6), isComplete: row.integer(7) != 0, settings: row.text(8))
        }
        guard let corpus else { throw MonosemeError("there is no corpus \(id) in \(quoted(path, limit: 400))") }
        return corpus
    }

    /// How many positions a corpus has, after making sure that there are so many tokens: what is set aside for each of them is bounded by the file.
    public func positionCount(of corpus: Int) throws -> Int {
        let corpus = try self.corpus(corpus)
        try demandWholeText(of: corpus)
        let bytes = try connection.integer("SELECT coalesce(sum(length(token_ids)), 0) FROM token_block WHERE corpus_id = ?", .init(corpus.id)) ?? 0
        guard corpus.tokens >= 0, corpus.tokens <= bytes / 2 else {
            throw MonosemeError("the corpus \(quoted(corpus.name)) in \(quoted(path, limit: 400)) is damaged: it has not the \(corpus.tokens) tokens it says", hint: "monoseme check lists all damage")
        }
        return corpus.tokens
    }

    /// - Throws: where there are only windows of the corpus, from which nothing about all of it can be told.
    public func demandWholeText(of corpus: Corpus) throws {
        guard try connection.integer("SELECT coverage = 'windows' FROM corpus WHERE id = ?", .init(corpus.id)) == 1 else { return }
        throw MonosemeError("of the corpus \(quoted(corpus.name)) there are only the windows of examples in \(quoted(path, limit: 400)): what asks for all of its tokens has no answer",
                            hint: "import an export that was made with --firings, or ingest the corpus")
    }

    public func topics(of corpus: Int) throws -> [Topic] {
        try connection.rows("SELECT id, name, documents, tokens FROM topic WHERE corpus_id = ? ORDER BY name", .init(corpus)) {
            Topic(id: $0.integer(0), name: $0.text(1), documents: $0.integer(2), tokens: $0.integer(3))
        }
    }

    /// A topic by its name, in any case of letters.
    public func topic(named name: String, of corpus: Int) throws -> Topic {
        if let topic = try topicIfAny(named: name, of: corpus) { return topic }
        throw try unknownTopic(name, of: corpus)
    }

    func topicIfAny(named name: String, of corpus: Int) throws -> Topic? {
        let all = try topics(of: corpus)
        return all.first(where: { $0.name == name }) ?? all.first(where: { $0.name.lowercased() == name.lowercased() })
    }

    /// Of many topics, the hint names those that begin most like the one that was asked for.
    func unknownTopic(_ name: String, of corpus: Int, orFile: Bool = false) throws -> MonosemeError {
        let all = try topics(of: corpus).map(\.name), limit = 40
        var known = all
        if all.count > limit {
            let wanted = name.lowercased()
            let likeness = all.map { $0.lowercased().commonPrefix(with: wanted) }
            known = all.indices.sorted { likeness[$0] != likeness[$1] ? likeness[$0] > likeness[$1] : $0 < $1 }.prefix(limit).map { all[$0] }
        }
        return MonosemeError("there is no topic \(orFile ? "and no file " : "")\(quoted(name)) in corpus \(quoted(try self.corpus(corpus).name))",
                             hint: "its topics are \(known.joined(separator: ", "))\(all.count > limit ? ", …" : "")")
    }

    /// The document that holds `position`.
    public func document(at position: Int, of corpus: Int) throws -> Document? {
        try connection.first("""
            SELECT ordinal, first_position, document.tokens, topic.name, path, line FROM document
            JOIN topic ON topic.id = topic_id JOIN source ON source.id = source_id
            WHERE document.corpus_id = ? AND first_position <= ? ORDER BY first_position DESC LIMIT 1
            """, .init(corpus), .init(position)) { row in
            Document(ordinal: row.integer(0), firstPosition: row.integer(1), tokens: row.integer(2), topic: row.text(3), source: row.text(4), line: row.optionalInteger(5))
        }
    }

    /// The document starts and topics of a whole corpus, in order: what a search of positions needs.
    public func documentTable(of corpus: Int) throws -> DocumentTable {
        var table = DocumentTable()
        try connection.query("SELECT first_position, tokens, topic_id FROM document WHERE corpus_id = ? ORDER BY first_position", [.init(corpus)]) { row in
            table.starts.append(row.integer(0))
            table.lengths.append(row.integer(1))
            table.topics.append(row.integer(2))
        }
        return table
    }

    /// The token ids at `range`, cut to what the corpus holds.
    public func tokens(of corpus: Int, at range: Range<Int>) throws -> [Int32] {
        var ids: [Int32] = []
        guard !range.isEmpty else { return ids }
        let start = try connection.integer("SELECT max(first_position) FROM token_block WHERE corpus_id = ? AND first_position <= ?", .init(corpus), .init(range.lowerBound)) ?? 0
        try connection.query("SELECT first_position, tokens, token_ids FROM token_block WHERE corpus_id = ? AND first_position >= ? AND first_position < ? ORDER BY first_position",
                             [.init(corpus), .init(start), .init(range.upperBound)]) { row in
            let first = row.integer(0), count = row.integer(1)
            try row.withBlob(2) { bytes in
                // A block says how many tokens it has twice; where both agree no arithmetic can overflow.
                guard first >= 0, count > 0, count <= bytes.count, bytes.count == 2 * count || bytes.count == 4 * count, !first.addingReportingOverflow(count).overflow else {
                    throw MonosemeError("the block of tokens at position \(first) in \(quoted(path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
                }
                let low = max(range.lowerBound, first), high = min(range.upperBound, first + count)
                guard low < high else { return }
                let wanted = low..<high
                for position in wanted {
                    let at = position - first
                    ids.append(bytes.count == 2 * count
                        ? Int32(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * at, as: UInt16.self)))
                        : Int32(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * at, as: UInt32.self))))
                }
            }
        }
        return ids
    }

    /// The bytes a token stands for; empty for an id the tokenizer does not use.
    public func bytes(ofToken token: Int, tokenizer: Int) throws -> [UInt8] {
        try connection.first("SELECT bytes FROM token WHERE tokenizer_id = ? AND token = ?", .init(tokenizer), .init(token)) { $0.blob(0) } ?? []
    }

    /// The text of a token, with what is not UTF-8 replaced.
    public func text(ofToken token: Int, tokenizer: Int) throws -> String {
        try connection.first("SELECT text FROM token WHERE tokenizer_id = ? AND token = ?", .init(tokenizer), .init(token)) { $0.text(0) } ?? ""
    }
}

/// Document starts, lengths and topic ids of a corpus, ascending; positions map to documents by one search.
public struct DocumentTable: Sendable {
    public var starts: [Int] = []
    public var lengths: [Int] = []
    public var topics: [Int] = []

    public var count: Int { starts.count }

    /// Whether each of the first `tokens` positions has one document, and each document tokens.
    func covers(_ tokens: Int) -> Bool {
        var next = 0
        for (start, length) in zip(starts, lengths) {
            guard start == next, length > 0, !next.addingReportingOverflow(length).overflow else { return false }
            next += length
        }
        return tokens <= next
    }

    /// The place in the table of the document that holds `position`.
    public func index(of position: Int) -> Int {
        var low = 0, high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= position { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }
}

/// One context of a run: a stretch of one document that the model saw at once.
public struct Context: Sendable, Equatable {
    public let firstPosition: Int
    public let tokens: Int
}

extension DocumentTable {
    /// The contexts that a run with room for `length` corpus tokens cuts, in order.
    public func contexts(length: Int) -> [Context] {
        var contexts: [Context] = []
        for (start, tokens) in zip(starts, lengths) {
            for offset in stride(from: 0, to: tokens, by: length) { contexts.append(Context(firstPosition: start + offset, tokens: min(length, tokens - offset))) }
        }
        return contexts
    }
}

private extension String {
    /// Characters at the beginning that two texts share.
    func commonPrefix(with other: String) -> Int { zip(self, other).prefix { $0 == $1 }.count }
}
