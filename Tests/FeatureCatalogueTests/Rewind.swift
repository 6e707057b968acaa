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
        for view in try names("view", connection) { try connection.execute("DROP VIEW \(view)") }
        let known = try names("table", old)
        for table in try names("table", connection) where !known.contains(table) { try connection.execute("DROP TABLE \(table)") }
        for table in known {
            let columns = (before: try columns(table, old), now: try columns(table, connection))
            for column in columns.now where !columns.before.contains(column) { try connection.execute("ALTER TABLE \(table) DROP COLUMN \(column)") }
        }
        for sql in try old.rows("SELECT sql FROM sqlite_schema WHERE type = 'view'", make: { $0.text(0) }) { try connection.execute(sql) }
        try connection.execute("PRAGMA user_version = \(version)")
    }
}
