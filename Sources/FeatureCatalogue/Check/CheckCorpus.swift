import Diagnostics
import Formats
import SQLite

extension Examination {
    func examineCorpora() {
        stage("reading the tokens")
        part("tokenizers") { try examineTokenizers() }
        part("corpora") {
            let corpora = try connection.rows("SELECT id FROM corpus ORDER BY id") { $0.integer(0) }
            counted("corpora", corpora.count)
            for id in corpora {
                let corpus = try catalogue.corpus(id), place = "corpus \(quoted(corpus.name))"
                part("tokens of a corpus") { try examineTokens(of: corpus, place) }
                part("documents of a corpus") { try examineDocuments(of: corpus, place) }
                part("topics of a corpus") { try examineTopics(of: corpus, place) }
            }
        }
    }

    private func examineTokenizers() throws {
        var vocabularies: [(id: Int, vocabulary: Int)] = []
        try connection.query("SELECT id, vocabulary FROM tokenizer ORDER BY id") { vocabularies.append(($0.integer(0), $0.integer(1))) }
        counted("tokenizers", vocabularies.count)
        for (id, vocabulary) in vocabularies {
            var last: Int?
            try connection.query("SELECT token, bytes, text FROM token WHERE tokenizer_id = ? ORDER BY token", [.init(id)]) { row in
                expectConsecutive(row.integer(0), after: last, "order of token ids", at: "tokenizer \(id)")
                last = row.integer(0)
                row.withBlob(1) { bytes in
                    let text = String(decoding: bytes, as: UTF8.self)
                    // By bytes: strings that are only canonically equal are different here.
                    if !text.utf8.elementsEqual(row.text(2).utf8) {
                        damage("text of a token", at: "tokenizer \(id) token \(row.integer(0))", found: quoted(row.text(2)), expected: quoted(text))
                    }
                }
            }
            expect((last ?? -1) &+ 1, vocabulary, "vocabulary of a tokenizer", at: "tokenizer \(id)")
        }
    }

    private func examineTokens(of corpus: Corpus, _ place: String) throws {
        let vocabulary = try connection.integer("SELECT vocabulary FROM tokenizer WHERE id = ?", .init(corpus.tokenizer)) ?? 0
        let size = vocabulary <= 65_536 ? 2 : 4
        // Of a corpus that is there in windows, the blocks lie apart.
        let isWhole = try connection.integer("SELECT coverage = 'whole' FROM corpus WHERE id = ?", .init(corpus.id)) != 0
        var next = 0
        try connection.query("SELECT first_position, tokens, token_ids, sha256 FROM token_block WHERE corpus_id = ? ORDER BY first_position", [.init(corpus.id)]) { row in
            let first = row.integer(0), tokens = row.integer(1)
            let here = "\(place) block at position \(first)"
            if isWhole || first < next || first > corpus.tokens { expect(first, next, "place of a block of tokens", at: here) }
            next = first &+ tokens
            row.withBlob(2) { bytes in
                counted("tokens", tokens)
                expect(row.text(3), hexadecimal(SHA256.digest(of: bytes)), "sha256 of a block of tokens", at: here)
                guard tokens >= 0, tokens.multipliedReportingOverflow(by: size) == (bytes.count, false) else {
                    return damage("bytes of a block of tokens", at: here, found: "\(bytes.count)", expected: "\(size) for each of \(tokens) tokens")
                }
                var largest = 0
                for at in 0..<tokens {
                    largest = max(largest, size == 2 ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * at, as: UInt16.self)))
                        : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * at, as: UInt32.self))))
                }
                if largest >= vocabulary { damage("token ids", at: here, found: "\(largest)", expected: "less than \(vocabulary)") }
            }
        }
        if isWhole || next > corpus.tokens { expect(next, corpus.tokens, "tokens in blocks", at: place) }
    }

    private func examineDocuments(of corpus: Corpus, _ place: String) throws {
        var next = 0, last: Int?, count = 0
        try connection.query("""
            SELECT first_position, document.tokens, ordinal, topic.corpus_id, source.corpus_id FROM document
            LEFT JOIN topic ON topic.id = topic_id LEFT JOIN source ON source.id = source_id
            WHERE document.corpus_id = ? ORDER BY first_position
            """, [.init(corpus.id)]) { row in
            let first = row.integer(0), here = "\(place) document \(row.integer(2))"
            expect(first, next, "place of a document", at: here)
            if row.integer(1) <= 0 { damage("tokens of a document", at: here, found: "\(row.integer(1))", expected: "1 or more") }
            expectConsecutive(row.integer(2), after: last, "order of documents", at: here)
            expect(row.optionalInteger(3), corpus.id, "topic of a document", at: here)
            expect(row.optionalInteger(4), corpus.id, "source of a document", at: here)
            (next, last, count) = (first &+ row.integer(1), row.integer(2), count + 1)
        }
        counted("documents", count)
        expect(next, corpus.tokens, "tokens in documents", at: place)
        expect(corpus.documents, count, "documents of a corpus", at: place)
    }

    private func examineTopics(of corpus: Corpus, _ place: String) throws {
        try connection.query("""
            SELECT topic.name, topic.documents, topic.tokens, count(d.ordinal), total(d.tokens) FROM topic
            LEFT JOIN document AS d ON d.corpus_id = topic.corpus_id AND d.topic_id = topic.id
            WHERE topic.corpus_id = ? GROUP BY topic.id ORDER BY topic.id
            """, [.init(corpus.id)]) { row in
            let here = "\(place) topic \(quoted(row.text(0)))"
            expect(row.integer(1), row.integer(3), "documents of a topic", at: here)
            expect(Double(row.integer(2)), row.real(4), "tokens of a topic", at: here)
            counted("topics", 1)
        }
    }
}
