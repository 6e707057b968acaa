import Assets
import FeatureCatalogue
import SQLite

extension Catalogue {
    /// Makes the file what the first `version` migrations make, rows and all, as an older version of the program leaves it.
    func rewind(to version: Int) throws {
        let old = try Connection(path: ":memory:", access: .create)
        for step in 0..<version { try old.execute(String(cString: migrations[step].sql)) }
        func names(_ type: String, _ connection: Connection) throws -> [String] {
            try connection.rows("SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE 'sqlite_%'", .text(type)) { $0.text(0) }
        }
        func columns(_ table: String, _ connection: Connection) throws -> [String] { try connection.rows("SELECT name FROM pragma_table_info(?)", .text(table)) { $0.text(0) } }
        try connection.execute("PRAGMA foreign_keys = 0")
        for kind in ["view", "trigger"] { for name in try names(kind, connection) { try connection.execute("DROP \(kind) \(name)") } }
        let known = try names("table", old)
        for table in try names("table", connection) where !known.contains(table) { try connection.execute("DROP TABLE IF EXISTS \(table)") }
        for table in known {
            let before = try columns(table, old), now = try columns(table, connection)
            guard before != now else { continue }
            // Rebuilt, not altered: a column that refers to another table cannot be dropped.
            let kept = before.joined(separator: ", ")
            try connection.execute("CREATE TEMP TABLE kept AS SELECT \(kept) FROM \(table); DROP TABLE \(table)")
            for sql in try old.rows("SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type DESC", .text(table), make: { $0.text(0) }) {
                try connection.execute(sql)
            }
            try connection.execute("INSERT INTO \(table) (\(kept)) SELECT \(kept) FROM temp.kept; DROP TABLE temp.kept")
        }
        for sql in try old.rows("SELECT sql FROM sqlite_schema WHERE type IN ('view', 'trigger')", make: { $0.text(0) }) { try connection.execute(sql) }
        try connection.execute("PRAGMA user_version = \(version)")
    }
}
