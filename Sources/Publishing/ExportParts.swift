import Diagnostics
import FeatureCatalogue
import Formats
import SQLite

/// The long lists of an export, in pieces of bounded size.
struct ExportParts {
    private let catalogue: Catalogue, run: Run
    private var connection: Connection { catalogue.connection }

    init(_ catalogue: Catalogue, _ run: Run) { (self.catalogue, self.run) = (catalogue, run) }

    typealias Take = ([UInt8]) throws -> Void

    /// Rows in a piece at most.
    private static let rowsPerPiece = 1024
    /// Bytes from which on a piece is ended.
    private static let bytesPerPiece = 1 << 18

    /// Every token's spelling in order of id: a string, or its bytes where they are not UTF-8; null for ids that have none.
    func forEachPieceOfVocabulary(_ take: @escaping Take) throws {
        let tokenizer = try catalogue.corpus(run.corpus).tokenizer, vocabulary = try connection.integer("SELECT vocabulary FROM tokenizer WHERE id = ?", .init(tokenizer)) ?? 0
        for first in stride(from: 0, to: vocabulary, by: ExportParts.rowsPerPiece) {
            let end = min(vocabulary, first + ExportParts.rowsPerPiece)
            var writer = JSONWriter()
            try writer.object { writer in
                writer.member("first_token", first)
                writer.key("tokens")
                try writer.array { writer in
                    var next = first
                    try connection.query("SELECT token, bytes FROM token WHERE tokenizer_id = ? AND token >= ? AND token < ? ORDER BY token", [.init(tokenizer), .init(first), .init(end)]) { row in
                        while next < row.integer(0) { writer.null(); next += 1 }
                        row.withBlob(1) { bytes in
                            if let text = String(validating: bytes, as: UTF8.self) { writer.value(text) } else {
                                writer.object { writer in
                                    writer.key("base64")
                                    writer.value(base64: bytes)
                                }
                            }
                        }
                        next += 1
                    }
                    while next < end { writer.null(); next += 1 }
                }
            }
            try take(writer.bytes)
        }
    }

    /// Each document as an array: first position, tokens, ordinal, topic and source by their places in the head's lists, line.
    func forEachPieceOfDocuments(_ take: @escaping Take) throws {
        func places(_ sql: String) throws -> [Int: Int] {
            Dictionary(uniqueKeysWithValues: try connection.rows(sql, .init(run.corpus)) { $0.integer(0) }.enumerated().map { ($1, $0) })
        }
        let topics = try places("SELECT id FROM topic WHERE corpus_id = ? ORDER BY name"), sources = try places("SELECT id FROM source WHERE corpus_id = ? ORDER BY path")
        try inPieces("documents", "SELECT first_position, tokens, ordinal, topic_id, source_id, line FROM document WHERE corpus_id = ? ORDER BY first_position", [.init(run.corpus)], take) { row, writer in
            guard let topic = topics[row.integer(3)], let source = sources[row.integer(4)] else {
                throw MonosemeError("document \(row.integer(2)) in \(quoted(catalogue.path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
            }
            for value in [row.integer(0), row.integer(1), row.integer(2), topic, source] { writer.value(value) }
            writer.value(row.value(5))
        }
    }

    func forEachTokenBlock(_ take: @escaping Take) throws {
        try connection.query("SELECT first_position, tokens, token_ids FROM token_block WHERE corpus_id = ? ORDER BY first_position", [.init(run.corpus)]) { row in
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("first_position", row.integer(0))
                writer.member("tokens", row.integer(1))
                writer.key("token_ids")
                row.withBlob(2) { writer.value(base64: $0) }
            }
            try take(writer.bytes)
        }
    }

    func forEachTagBlock(_ take: @escaping Take) throws {
        for (place, tag) in try connection.rows("SELECT id FROM tag WHERE corpus_id = ? ORDER BY name", .init(run.corpus), make: { $0.integer(0) }).enumerated() {
            try connection.query("SELECT first_position, bits FROM tag_block WHERE tag_id = ? ORDER BY first_position", [.init(tag)]) { row in
                var writer = JSONWriter()
                writer.object { writer in
                    writer.member("tag", place)
                    writer.member("first_position", row.integer(0))
                    writer.key("bits")
                    row.withBlob(1) { writer.value(base64: $0) }
                }
                try take(writer.bytes)
            }
        }
    }

    /// Posting lists as they are stored, segment by segment: arrays of a feature's index and its list.
    func forEachPieceOfPostings(_ take: @escaping Take) throws {
        for segment in try catalogue.segments(of: run) {
            let first = firstPostingID(ofSegment: segment.id)
            try inPieces("lists", "SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(first), .init(firstPostingID(ofSegment: segment.id + 1))], of: ("segment", segment.ordinal), take) { row, writer in
                writer.value(row.integer(0) - first)
                row.withBlob(1) { writer.value(base64: $0) }
            }
        }
    }

    /// What is said by itself of the features of the other version of each lineage, whose export may not be at hand: arrays of a feature's
    /// index, kind, best coverage, best cosine, children, union coverage, explained.
    func forEachPieceOfKinFacts(_ take: @escaping Take) throws {
        let lineages = try connection.rows("SELECT b.id, iif(b.coarse_id = ?1, b.fine_id, b.coarse_id) \(lineageClause)", .init(run.dictionary.id)) { (id: $0.integer(0), other: $0.integer(1)) }
        for (place, lineage) in lineages.enumerated() {
            try inPieces("facts", "SELECT feature_id & 4294967295, kind, best_coverage, best_cosine, children, union_coverage, explained FROM lineage_feature WHERE build_id = ? AND feature_id >> 32 = ? ORDER BY feature_id",
                         [.init(lineage.id), .init(lineage.other)], of: ("lineage", place), take) { row, writer in
                for column in 0..<7 { writer.value(row.value(column)) }
            }
        }
    }

    /// Rows of a query as arrays, many in a piece.
    private func inPieces(_ name: String, _ sql: String, _ values: [SQLiteValue], of whole: (key: String, value: Int)? = nil, _ take: @escaping Take, _ body: (borrowing Statement, inout JSONWriter) throws -> Void) throws {
        var rows: [[UInt8]] = [], bytes = 0
        func flush() throws {
            guard !rows.isEmpty else { return }
            var writer = JSONWriter()
            writer.object { writer in
                if let whole { writer.member(whole.key, whole.value) }
                writer.key(name)
                writer.array { writer in for row in rows { writer.value(json: row) } }
            }
            rows.removeAll(keepingCapacity: true)
            bytes = 0
            try take(writer.bytes)
        }
        try connection.query(sql, values) { row in
            var writer = JSONWriter()
            try writer.array { writer in try body(row, &writer) }
            rows.append(writer.bytes)
            bytes += writer.bytes.count
            if rows.count == ExportParts.rowsPerPiece || bytes >= ExportParts.bytesPerPiece { try flush() }
        }
        try flush()
    }
}
