import SQLite

extension Examination {
    /// Tags: that their blocks are what was written, and as many tokens and documents as their rows say.
    func examineTags() {
        stage("reading the tags")
        part("tags") {
            var known: Set<Int> = []
            for corpus in try connection.rows("SELECT id FROM corpus ORDER BY id", make: { $0.integer(0) }) {
                let length = max(0, try catalogue.corpus(corpus).tokens), documents = try catalogue.documentTable(of: corpus)
                for tag in try catalogue.tags(of: corpus) {
                    known.insert(tag.id)
                    counted("tags", 1)
                    // What satisfies it cannot be told from windows, and no bits came with them.
                    guard try connection.integer("SELECT coverage = 'whole' FROM corpus WHERE id = ?", .init(corpus)) != 0 else { continue }
                    part("blocks of a tag") { try examine(tag, length, documents) }
                }
            }
            for stray in try connection.rows("SELECT DISTINCT tag_id FROM tag_block", make: { $0.integer(0) }) where !known.contains(stray) {
                damage("tag of a block", at: "tag \(stray)", found: "no such tag", expected: "one")
            }
        }
    }

    private func examine(_ tag: Tag, _ length: Int, _ documents: DocumentTable) throws {
        let place = "tag \(tag.name)"
        var tokens = 0, documentsTagged = 0, last = -1
        try connection.query("SELECT first_position, bits, checksum FROM tag_block WHERE tag_id = ? ORDER BY first_position", [.init(tag.id)]) { row in
            let first = row.integer(0), bytes = row.blob(1), here = "\(place) block at position \(first)"
            guard first >= 0, first < length, first % tagBlockTokens == 0 else { return damage("place of a block of a tag", at: here, found: "\(first)", expected: "a multiple of \(tagBlockTokens) below \(length)") }
            if row.integer(2) != Int(bitPattern: UInt(tagChecksum(bytes, first))) { damage("checksum of a block of a tag", at: here, found: "other bytes", expected: "those of the checksum") }
            guard bytes.count == tagBlockBytes(first, length) else { return damage("bytes of a block of a tag", at: here, found: "\(bytes.count)", expected: "\(tagBlockBytes(first, length))") }
            var found = 0, beyond = 0
            for (at, byte) in bytes.enumerated() where byte != 0 {
                for bit in 0..<8 where byte >> UInt8(bit) & 1 != 0 {
                    let position = first + 8 * at + bit
                    guard position < length else { beyond += 1; continue }
                    found += 1
                    let document = documents.index(of: position)
                    documentsTagged += document == last ? 0 : 1
                    last = document
                }
            }
            if beyond > 0 { damage("tokens of a tag", at: here, found: "\(beyond) behind the corpus's last", expected: "none") }
            if found == 0 { damage("tokens of a block of a tag", at: here, found: "none", expected: "1 or more") }
            tokens += found
        }
        expect(tag.tokens, tokens, "tokens of a tag", at: place)
        expect(tag.documents, documentsTagged, "documents of a tag", at: place)
    }
}
