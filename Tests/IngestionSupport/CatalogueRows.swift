import SQLite

/// Every row of every table of a catalogue, as text, in order of the rows themselves; recorded times are left out.
public struct CatalogueRows: Equatable {
    public var tables: [String: [String]] = [:]

    /// - Parameter leavingOut: columns that are not compared, such as "run.started_at".
    public init(path: String, leavingOut: Set<String> = []) throws {
        let connection = try Connection(path: path, access: .readOnly)
        let times: Set<String> = ["run.started_at", "run.finished_at", "segment.finished_at", "label.created_at"]
        let names = try connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'feature_text\\_%' ESCAPE '\\' ORDER BY name") { $0.text(0) }
        for name in names + ["sqlite_stat1"] where try connection.has(name) {
            let columns = try connection.rows("SELECT name FROM pragma_table_info(?)", .text(name)) { $0.text(0) }
                .filter { !times.union(leavingOut).contains("\(name).\($0)") }
            // quote() writes reals with all their digits and blobs in hexadecimal.
            let row = columns.map { "quote(\"\($0)\")" }.joined(separator: " || ' ' || ")
            tables[name] = try connection.rows("SELECT \(row) FROM \"\(name)\" ORDER BY 1") { $0.text(0) }
        }
    }

    /// The tables in which two catalogues differ, with the first rows of each side that the other has not.
    public func difference(from other: CatalogueRows) -> [String] {
        Set(tables.keys).union(other.tables.keys).sorted().compactMap { name in
            let mine = tables[name] ?? [], theirs = other.tables[name] ?? []
            guard mine != theirs else { return nil }
            let here = Set(mine).subtracting(theirs).sorted().prefix(2), there = Set(theirs).subtracting(mine).sorted().prefix(2)
            return "\(name): \(mine.count) rows and \(theirs.count); only here \(here.map { $0.prefix(200) }), only there \(there.map { $0.prefix(200) })"
        }
    }
}

/// What must hold in every state of a catalogue, also in the middle of an ingest; the answers are complaints.
public func complaints(about path: String) throws -> [String] {
    let connection = try Connection(path: path, access: .readOnly)
    return try connection.snapshot {
        var found = try connection.rows("PRAGMA integrity_check") { $0.text(0) }.filter { $0 != "ok" }
        found += try connection.rows("PRAGMA foreign_key_check") { "row \($0.integer(1)) of \($0.text(0)) refers to nothing" }
        let rules = [
            ("run.firings is the sum of its segments'", "SELECT count(*) FROM run WHERE firings <> (SELECT coalesce(sum(firings), 0) FROM segment WHERE run_id = run.id)"),
            ("run.tokens is the sum of its segments'", "SELECT count(*) FROM run WHERE tokens <> (SELECT coalesce(sum(tokens), 0) FROM segment WHERE run_id = run.id)"),
            ("run.firings is the sum of its statistics'", "SELECT count(*) FROM run WHERE firings <> (SELECT coalesce(sum(firings), 0) FROM statistic WHERE run_id = run.id)"),
            ("statistics are the sums of their topics", "SELECT count(*) FROM statistic AS s WHERE firings <> (SELECT coalesce(sum(firings), 0) FROM feature_topic AS t WHERE t.run_id = s.run_id AND t.feature_id = s.feature_id)"),
            ("corpus.tokens is the sum of its blocks'", "SELECT count(*) FROM corpus WHERE tokens <> (SELECT coalesce(sum(tokens), 0) FROM token_block WHERE corpus_id = corpus.id)"),
            ("corpus.tokens is the sum of its documents'", "SELECT count(*) FROM corpus WHERE tokens <> (SELECT coalesce(sum(tokens), 0) FROM document WHERE corpus_id = corpus.id)"),
            ("corpus.documents counts them", "SELECT count(*) FROM corpus WHERE documents <> (SELECT count(*) FROM document WHERE corpus_id = corpus.id)"),
            ("topic.tokens is the sum of its documents'", "SELECT count(*) FROM topic WHERE tokens <> (SELECT coalesce(sum(tokens), 0) FROM document WHERE topic_id = topic.id)"),
            ("topic.documents counts them", "SELECT count(*) FROM topic WHERE documents <> (SELECT count(*) FROM document WHERE topic_id = topic.id)"),
        ]
        for (rule, sql) in rules where try connection.integer(sql) != 0 { found.append("not so: \(rule)") }
        return found
    }
}
