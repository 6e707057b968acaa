import Assets
import Diagnostics
import SQLite

extension Examination {
    /// The text that is searched: that it says what the ledger and the runs say, and that its index says what it says.
    func examineText() {
        stage("reading the text that is searched")
        part("words of features") {
            for dictionary in try catalogue.dictionaries() where dictionary.hasSoundIDs {
                guard let run = try catalogue.runIfAny(of: dictionary), run.isComplete else { continue }
                guard try connection.integer("SELECT has_text FROM run WHERE id = ?", .init(run.id)) == 1 else {
                    damage("words of a run", at: dictionary.name.description, found: "none", expected: "as for every complete run; opening the catalogue to write writes them")
                    continue
                }
                try examineWords(of: run)
            }
            // Features of unfinished runs, and of none, have their labels.
            try connection.query("""
                SELECT c.feature_id, l.text, t.label FROM feature_label AS c JOIN label AS l ON l.id = c.label_id LEFT JOIN feature_text AS t ON t.rowid = c.feature_id
                WHERE t.label IS NOT l.text AND NOT EXISTS (SELECT 1 FROM run WHERE dictionary_id = c.feature_id >> 32 AND has_text)
                UNION ALL
                SELECT t.rowid, '', t.label FROM feature_text AS t LEFT JOIN feature_label AS c ON c.feature_id = t.rowid
                WHERE t.label <> '' AND c.feature_id IS NULL AND NOT EXISTS (SELECT 1 FROM run WHERE dictionary_id = t.rowid >> 32 AND has_text)
                """) { row in expectWords(row.optionalText(2) ?? "", row.text(1), "label", "feature \(row.integer(0))") }
            try connection.query("SELECT t.rowid FROM feature_text AS t LEFT JOIN feature AS f ON f.id = t.rowid WHERE f.id IS NULL") { row in
                damage("feature of words", at: "feature_text row \(row.integer(0))", found: "no such feature", expected: "one that is in the catalogue")
            }
        }
        part("index of words") { try examineWordIndex() }
    }

    private func examineWords(of run: Run) throws {
        var stored = try Statement("SELECT label, tokens, logits, topics, token_symbols, logit_symbols FROM feature_text WHERE rowid = ?", on: connection)
        try catalogue.forEachText(of: run) { feature, expected in
            stored.bind(feature, at: 0)
            defer { stored.reset() }
            var found = FeatureText()
            if try stored.step() {
                found = FeatureText(label: stored.text(0), tokens: stored.text(1), logits: stored.text(2), topics: stored.text(3), tokenSymbols: stored.text(4), logitSymbols: stored.text(5))
                counted("features with words", 1)
            }
            guard found != expected else { return }
            let place = "\(run.dictionary.name)/\(feature - run.dictionary.featureID(0))"
            expectWords(found.label, expected.label, "label", place)
            expectWords(found.tokens, expected.tokens, "tokens", place)
            expectWords(found.logits, expected.logits, "logits", place)
            expectWords(found.topics, expected.topics, "topics", place)
            expectWords(found.tokenSymbols, expected.tokenSymbols, "token_symbols", place)
            expectWords(found.logitSymbols, expected.logitSymbols, "logit_symbols", place)
        }
    }

    private func expectWords(_ found: String, _ expected: String, _ column: String, _ place: String) {
        if found != expected { damage("words of a feature", at: "\(place) \(column)", found: quoted(found, limit: 60), expected: quoted(expected, limit: 60)) }
    }

    /// FTS5 examines an index only where it may write, so it is given a copy, in a file that SQLite makes and takes away.
    private func examineWordIndex() throws {
        let copy = try Connection(path: "", access: .create)
        try copy.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384")
        try copy.execute(featureTextDefinition)
        try copy.transaction {
            for (table, columns) in [("data", 2), ("idx", 3), ("content", 7), ("docsize", 2), ("config", 2)] {
                try copy.execute("DELETE FROM feature_text_\(table)")
                var insert = try Statement("INSERT INTO feature_text_\(table) VALUES (\(repeatElement("?", count: columns).joined(separator: ", ")))", on: copy)
                try connection.query("SELECT * FROM feature_text_\(table)") { row in
                    guard row.columnCount == columns else { throw MonosemeError("feature_text_\(table) has \(row.columnCount) columns") }
                    insert.bind((0..<columns).map { row.value($0) })
                    try insert.run()
                }
            }
        }
        do { try copy.execute("INSERT INTO feature_text (feature_text) VALUES ('integrity-check')") } catch {
            damage("index of words", at: "feature_text", found: error.message, expected: "one that agrees with the words")
        }
    }
}

/// The statement that makes feature_text, out of the migration that does: a stranger's file may say another.
private var featureTextDefinition: String {
    let text = String(cString: migrations[13].sql), start = "CREATE VIRTUAL TABLE feature_text", end = "\n);"
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.firstIndex(where: { $0.hasPrefix(start) }), let last = lines[first...].firstIndex(of: end.dropFirst()) else { preconditionFailure("0014_search.sql makes feature_text") }
    return lines[first...last].joined(separator: "\n")
}
