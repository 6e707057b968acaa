import CSQLite
import Foundation
@testable import SQLite
import TestSupport
import Testing

/// What `body` threw, in SQLite's words.
func failure(_ body: () throws -> Void) -> SQLiteError? {
    do { try body() } catch { return error as? SQLiteError }
    return nil
}

func memory() throws -> Connection { try Connection(path: ":memory:", access: .create) }

struct StatementTests {
    static let values: [SQLiteValue] = [
        .null, .integer(0), .integer(.max), .integer(.min), .real(0.1), .real(-.infinity), .real(.leastNonzeroMagnitude), .text(""), .text("a\u{0}b"), .text("naïve 日本 🧬"),
        .blob([]), .blob([0]), .blob([0xff, 0x00, 0xfe]), .blob([UInt8](repeating: 7, count: 100_000)),
    ]

    @Test(arguments: values) func `a bound value comes back as it was`(value: SQLiteValue) throws {
        #expect(try memory().first("SELECT ?", value) { $0.value(0) } == value)
    }

    @Test func `a typed column is read as its type`() throws {
        try memory().query("SELECT 7, 2.5, 'x', x'0102', NULL") { row in
            let count = row.columnCount, name = row.columnName(1)
            let values = (row.integer(0), row.real(1), row.text(2), row.blob(3), row.isNull(4))
            let missing = (row.optionalInteger(4), row.optionalReal(4), row.optionalText(4))
            let sizes = [row.withBlob(3) { $0.count }, row.withBlob(4) { $0.count }]
            #expect(count == 5)
            #expect(name == "2.5")
            #expect(values == (7, 2.5, "x", [1, 2], true))
            #expect(missing == (nil, nil, nil))
            #expect(sizes == [2, 0])
        }
    }

    @Test func `borrowed bytes and empty ones are stored`() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t (b BLOB) STRICT")
        var insert = try Statement("INSERT INTO t VALUES (?)", on: connection)
        for bytes in [[1, 2, 3], []] as [[UInt8]] {
            try bytes.withUnsafeBytes { insert.bind(borrowing: $0, at: 0); try insert.run() }
        }
        #expect(try connection.rows("SELECT b FROM t ORDER BY rowid") { $0.value(0) } == [.blob([1, 2, 3]), .blob([])])
    }

    @Test func `a statement runs again with other values`() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t (a INTEGER) STRICT")
        var insert = try Statement("INSERT INTO t VALUES (?)", on: connection)
        for value in 0..<5 { try insert.run(.init(value)) }
        #expect(try connection.integer("SELECT sum(a) FROM t") == 10)
        #expect(connection.lastInsertedRow == 5)
        var select = try Statement("SELECT a FROM t ORDER BY a", on: connection)
        var seen: [Int] = []
        for _ in 0..<2 {
            if try select.step() { seen.append(select.integer(0)) }
            select.reset()
        }
        #expect(seen == [0, 0])
    }

    @Test(arguments: [("SELECT 1; SELECT 2", " SELECT 2"), ("SELECT 1", ""), ("SELECT 1; ", " "), ("SELECT 'ü'; x", " x")])
    func `what follows the first statement is handed back`(sql: String, rest: String) throws {
        let statement = try Statement(sql, on: memory()), found = statement.rest
        #expect(found == rest)
    }

    @Test func `parameters have names and statements say whether they write`() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t (a)")
        let statement = try Statement("SELECT :a, ?, @b", on: connection)
        let insert = try Statement("INSERT INTO t VALUES (1)", on: connection), explain = try Statement("EXPLAIN SELECT 1", on: connection)
        // Taken out first: what cannot be copied cannot stand in an expectation.
        let count = statement.parameterCount, names = [statement.parameterName(0), statement.parameterName(1), statement.parameterName(2)]
        let facts = [statement.isReadOnly, insert.isReadOnly, statement.isExplain, explain.isExplain]
        #expect(count == 3)
        #expect(names == [":a", nil, "@b"])
        #expect(facts == [true, false, false, true])
    }

    @Test(arguments: ["", " -- nothing", ";"]) func `text without a statement is an error`(sql: String) {
        #expect(failure { _ = try Statement(sql, on: memory()) }?.message == "no statement")
    }

    @Test func `errors name the statement and never the values`() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t (a INTEGER UNIQUE) STRICT")
        try connection.run("INSERT INTO t VALUES (?)", .integer(424_242))
        let twice = failure { try connection.run("INSERT INTO t VALUES (?)", .integer(424_242)) }
        #expect(twice?.description == "UNIQUE constraint failed: t.a — in: INSERT INTO t VALUES (?)")
        #expect(twice?.kind == .constraint)
        let wrong = failure { try connection.run("INSERT INTO t VALUES (?)", .text("hunter2")) }
        #expect(wrong?.description == "cannot store TEXT value in INTEGER column t.a — in: INSERT INTO t VALUES (?)")
        #expect(failure { try connection.execute("SELEC 1") }?.description == #"near "SELEC": syntax error — in: SELEC 1"#)
        #expect(failure { try connection.query("SELECT missing") { _ in } }?.description == "no such column: missing — in: SELECT missing")
    }

    @Test func `what a row's reader throws comes through`() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) { try memory().query("SELECT 1") { _ in throw Stop() } }
    }
}

struct TransactionTests {
    @Test func `a transaction that throws leaves nothing`() throws {
        struct Stop: Error {}
        let connection = try memory()
        try connection.execute("CREATE TABLE t (a)")
        #expect(throws: Stop.self) {
            try connection.transaction {
                try connection.execute("INSERT INTO t VALUES (1)")
                throw Stop()
            }
        }
        #expect(try connection.integer("SELECT count(*) FROM t") == 0)
        #expect(try connection.transaction { try connection.execute("INSERT INTO t VALUES (2)"); return 5 } == 5)
        #expect(try connection.integer("SELECT a FROM t") == 2)
    }

    @Test func `a snapshot keeps to one state and ends`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "t.sqlite").path
            let writer = try Connection(path: path, access: .create)
            try writer.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
            let reader = try Connection(path: path, access: .readOnly)
            let seen = try reader.snapshot {
                let before = try reader.integer("SELECT count(*) FROM t")
                try writer.execute("INSERT INTO t VALUES (1)")
                return [before, try reader.integer("SELECT count(*) FROM t")]
            }
            #expect(seen == [0, 0])
            #expect(try reader.integer("SELECT count(*) FROM t") == 1)
        }
    }

    @Test func `a full disk is told apart and rolls back`() throws {
        try withTemporaryFolder { folder in
            let connection = try Connection(path: folder.appending(path: "t.sqlite").path, access: .create)
            try connection.execute("CREATE TABLE t (a); PRAGMA max_page_count = 3")
            let full = failure { try connection.transaction { for _ in 0..<100 { try connection.run("INSERT INTO t VALUES (zeroblob(3000))") } } }
            #expect(full?.kind == .full)
            #expect(try connection.integer("SELECT count(*) FROM t") == 0)
            #expect(failure { try connection.transaction { try connection.run("INSERT INTO t VALUES (1)") } } == nil)
        }
    }

    @Test func `a reader cannot write`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "t.sqlite").path
            try Connection(path: path, access: .create).execute("CREATE TABLE t (a)")
            for access in [Connection.Access.readOnly, .immutable] {
                #expect(failure { try Connection(path: path, access: access).execute("INSERT INTO t VALUES (1)") }?.kind == .readOnly)
            }
            #expect(failure { _ = try Connection(path: folder.appending(path: "none").path, access: .readWrite) }?.kind == .cannotOpen)
        }
    }

    @Test(arguments: ["t.sqlite", "a b%41?c#d.sqlite", "Zürich 日本.sqlite"]) func `an immutable file is found by any name`(name: String) throws {
        try withTemporaryFolder { folder in
            let path = folder.path + "/" + name
            try Connection(path: path, access: .create).execute("CREATE TABLE t (a)")
            #expect(try Connection(path: path, access: .immutable).has("t"))
        }
    }

    @Test func `a statement is interrupted when asked`() throws {
        let connection = try memory()
        connection.interruptWhen { true }
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        #expect(failure { try connection.query(endless) { _ in } }?.kind == .interrupted)
    }
}

struct AuthorizerTests {
    static let allowed = [
        "SELECT * FROM t", "SELECT count(*), upper(a) FROM t", "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT * FROM n",
        "SELECT name FROM sqlite_schema", "PRAGMA table_info(t)", "PRAGMA user_version", "PRAGMA journal_mode", "SELECT json_extract('{}', '$')",
        "EXPLAIN SELECT * FROM t", "VALUES (1)",
    ]
    static let denied = [
        "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t", "DROP TABLE t", "CREATE TABLE u (a)", "CREATE TEMP TABLE u (a)", "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END", "CREATE INDEX i ON t (a)", "ALTER TABLE t RENAME TO u", "ATTACH ':memory:' AS m", "ATTACH '/tmp/x' AS m", "DETACH main",
        "VACUUM", "VACUUM INTO '/tmp/x'", "REINDEX", "ANALYZE", "PRAGMA user_version = 9", "PRAGMA journal_mode = DELETE", "PRAGMA writable_schema = 1", "PRAGMA query_only = 0",
        "PRAGMA temp_store_directory = '/tmp'", "PRAGMA mmap_size = 0", "PRAGMA wal_checkpoint", "BEGIN", "SAVEPOINT s", "SELECT load_extension('x')", "SELECT writefile('x', 'y')",
        "SELECT fts3_tokenizer('simple')", "SELECT hex(FTS3_Tokenizer('simple'))", "SELECT fts3_tokenizer('simple', x'0000000000000000')",
        "CREATE VIRTUAL TABLE v USING fts5 (a)", "REPLACE INTO t VALUES (1)", "WITH n AS (SELECT 1) INSERT INTO t SELECT * FROM n",
    ]

    private func guarded() throws -> Connection {
        let connection = try memory()
        try connection.execute("CREATE TABLE t (a); CREATE INDEX t_a ON t (a)")
        try connection.register("writefile", arguments: 2) { _ in 1 }
        connection.allowReadingOnly()
        return connection
    }

    @Test(arguments: [false, true]) func `the file is not mapped for a while, and then as it was`(isGuarded: Bool) throws {
        try withTemporaryFolder { folder in
            let connection = try Connection(path: folder.appending(path: "t.sqlite").path, access: .create)
            try connection.execute("CREATE TABLE t (a); PRAGMA mmap_size = 1048576")
            if isGuarded { connection.allowReadingOnly() }
            func mapped() -> Int64 {
                var size: sqlite3_int64 = -1
                sqlite3_file_control(connection.handle, "main", SQLITE_FCNTL_MMAP_SIZE, &size)
                return size
            }
            #expect(connection.withoutMapping { mapped() } == 0)
            #expect(mapped() == 1_048_576)
        }
    }

    @Test(arguments: allowed) func `reading is allowed`(sql: String) throws { try guarded().query(sql) { _ in } }

    @Test(arguments: denied) func `everything else is denied`(sql: String) throws {
        let connection = try guarded()
        let error = failure { try connection.query(sql) { _ in } }
        // SQLite has no function load_extension where loading was never switched on, and says so its own way.
        #expect(error?.kind == .denied || error?.message.contains("authorized") == true || error?.message.contains("not within") == true, "\(String(describing: error))")
        #expect(try connection.integer("SELECT count(*) FROM t") == 0)
    }
}

struct FunctionTests {
    @Test func `a function gets its arguments and gives its value`() throws {
        let connection = try memory()
        try connection.register("describe", arguments: -1) { arguments in
            .text((0..<arguments.count).map { place in
                switch arguments.value(place) {
                case .null: arguments.isNull(place) ? "null" : "?"
                case .integer(let n): "\(n)"
                case .real(let r): "\(r)"
                case .text(let text): text
                case .blob(let bytes): "blob \(bytes.count)"
                }
            }.joined(separator: ","))
        }
        #expect(try connection.first("SELECT describe(1, NULL, 'é', x'0102', 2.5)") { $0.text(0) } == "1,null,é,blob 2,2.5")
        #expect(try connection.first("SELECT describe()") { $0.value(0) } == .text(""))
    }

    @Test(arguments: StatementTests.values.filter { $0 != .real(-.infinity) }) func `a function gives back any value`(value: SQLiteValue) throws {
        let connection = try memory()
        try connection.register("give", arguments: 0) { _ in value }
        #expect(try connection.first("SELECT give()") { $0.value(0) } == value)
    }

    @Test func `an error of a function is the statement's error, and the function goes when its connection does`() throws {
        struct Wrong: Error, CustomStringConvertible { var description: String { "no feature A/9" } }
        final class Witness {}
        weak var witness: Witness?
        do {
            let connection = try memory(), held = Witness()
            witness = held
            try connection.register("bad", arguments: 1) { _ in _ = held; throw Wrong() }
            #expect(failure { try connection.query("SELECT bad(?)", [.text("secret")]) { _ in } }?.description == "no feature A/9 — in: SELECT bad(?)")
        }
        #expect(witness == nil)
    }
}
