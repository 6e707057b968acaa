import Diagnostics
import Kernels
import SQLite

/// How a tag is defined.
public enum TagKind: String, Sendable { case regex, range }

/// A named predicate over the tokens of a corpus, evaluated: which tokens satisfy it is kept.
public struct Tag: Sendable, Equatable {
    public let id: Int
    public let corpus: Int
    public let name: String
    public let kind: TagKind
    public let definition: String
    /// Tokens that satisfy it, and documents that hold one.
    public let tokens: Int
    public let documents: Int
    public let engine: String
    public let createdAt: String
}

/// Tokens in a row of `tag_block`.
let tagBlockTokens = 65_536

extension Catalogue {
    /// Longest name of a tag, in bytes.
    public static let tagNameLimit = 128

    /// The tags of a corpus, by name.
    public func tags(of corpus: Int) throws -> [Tag] {
        try connection.rows("SELECT id, corpus_id, name, kind, definition, tokens, documents, engine, created_at FROM tag WHERE corpus_id = ? ORDER BY name", .init(corpus)) { row in
            guard let kind = TagKind(rawValue: row.text(3)) else { throw damagedTag(row.text(2)) }
            return Tag(id: row.integer(0), corpus: row.integer(1), name: row.text(2), kind: kind, definition: row.text(4), tokens: row.integer(5), documents: row.integer(6),
                       engine: row.text(7), createdAt: row.text(8))
        }
    }

    /// A tag by its name, in any case of letters.
    public func tagIfAny(named name: String, of corpus: Int) throws -> Tag? {
        let all = try tags(of: corpus)
        return all.first { $0.name == name } ?? all.first { $0.name.lowercased() == name.lowercased() }
    }

    public func tag(named name: String, of corpus: Int) throws -> Tag {
        if let tag = try tagIfAny(named: name, of: corpus) { return tag }
        let all = try tags(of: corpus), known = all.prefix(40).map(\.name).joined(separator: ", ")
        throw MonosemeError("there is no tag \(quoted(name)) in corpus \(quoted(try self.corpus(corpus).name))",
                            hint: all.isEmpty ? "make one with monoseme topics tag" : "its tags are \(known)\(all.count > 40 ? ", …" : "")")
    }

    /// A name for a tag, trimmed, after making sure that no topic has it.
    public func tagName(_ name: String, of corpus: Corpus) throws -> String {
        let trimmed = name.trimmed
        guard !trimmed.isEmpty else { throw MonosemeError("the name of the tag is empty", hint: "name what its tokens have in common, such as base64") }
        guard trimmed.utf8.count <= Catalogue.tagNameLimit, trimmed.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw MonosemeError("\(quoted(trimmed)) is no name for a tag", hint: "a name has at most \(Catalogue.tagNameLimit) bytes and no control characters")
        }
        if let topic = try topics(of: corpus.id).first(where: { $0.name.lowercased() == trimmed.lowercased() }) {
            throw MonosemeError("\(quoted(topic.name)) is a topic of the corpus \(quoted(corpus.name)), so it cannot be a tag", hint: "choose another name, such as \(quoted(trimmed.lowercased() + "-text"))")
        }
        return trimmed
    }

    /// Keeps a tag; one of the same name in any case of letters gives way.
    /// - Parameter documents: how many hold one of `positions`.
    public func keepTag(_ name: String, _ kind: TagKind, _ definition: String, _ positions: PositionSet, documents: Int, of corpus: Corpus, engine: String, at time: String) throws -> Tag {
        precondition(positions.length == corpus.tokens)
        return try connection.transaction {
            if let former = try tagIfAny(named: name, of: corpus.id) { try remove(former.id) }
            try connection.run("INSERT INTO tag (corpus_id, name, kind, definition, tokens, documents, engine, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                               .init(corpus.id), .text(name), .text(kind.rawValue), .text(definition), .init(positions.count), .init(documents), .text(engine), .text(time))
            let id = connection.lastInsertedRow
            for first in stride(from: 0, to: positions.length, by: tagBlockTokens) {
                let words = positions.words[first / 64..<min(positions.words.count, (first + tagBlockTokens) / 64)]
                guard words.contains(where: { $0 != 0 }) else { continue }
                let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
                try connection.run("INSERT INTO tag_block (tag_id, first_position, bits, checksum) VALUES (?, ?, ?, ?)", .init(id), .init(first), .blob(bytes),
                                   .integer(Int64(bitPattern: tagChecksum(bytes, first))))
            }
            return Tag(id: id, corpus: corpus.id, name: name, kind: kind, definition: definition, tokens: positions.count, documents: documents, engine: engine, createdAt: time)
        }
    }

    /// Removes a tag; nothing else refers to it.
    public func removeTag(_ tag: Tag) throws { try connection.transaction { try remove(tag.id) } }

    private func remove(_ id: Int) throws {
        try connection.run("DELETE FROM tag_block WHERE tag_id = ?", .init(id))
        try connection.run("DELETE FROM tag WHERE id = ?", .init(id))
    }

    /// The tokens that satisfy a tag.
    /// - Throws: when a block is not what its checksum says, or the tokens are not as many as the tag's row says.
    public func positions(of tag: Tag) throws -> PositionSet {
        let length = try positionCount(of: tag.corpus)
        var words = [UInt64](repeating: 0, count: (length + 63) / 64)
        try connection.query("SELECT first_position, bits, checksum FROM tag_block WHERE tag_id = ?", [.init(tag.id)]) { row in
            let first = row.integer(0), bytes = row.blob(1)
            guard first >= 0, first < length, first % tagBlockTokens == 0, bytes.count == tagBlockBytes(first, length), row.integer(2) == Int(bitPattern: UInt(tagChecksum(bytes, first))) else { throw damagedTag(tag.name) }
            for (place, byte) in bytes.enumerated() where byte != 0 { words[first / 64 + place / 8] |= UInt64(byte) << (8 * UInt64(place % 8)) }
        }
        let set = PositionSet(words: words, length: length)
        guard set.words == words, set.count == tag.tokens else { throw damagedTag(tag.name) }
        return set
    }

    func damagedTag(_ name: String) -> MonosemeError {
        MonosemeError("the tag \(quoted(name)) in \(quoted(path, limit: 400)) is damaged", hint: "remove it with monoseme topics tag --remove and make it anew; monoseme check lists all damage")
    }
}

/// Bytes of the block at `first` of a corpus of `length` tokens.
func tagBlockBytes(_ first: Int, _ length: Int) -> Int { (min(tagBlockTokens, length - first) + 63) / 64 * 8 }

func tagChecksum(_ bytes: [UInt8], _ first: Int) -> UInt64 { kernel_checksum(UInt64(first), bytes, bytes.count) }
