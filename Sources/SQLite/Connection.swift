import CSQLite

/// A connection to one database, used by one thread at a time.
public final class Connection {
    let handle: OpaquePointer
    private let owned: Bool
    /// Runs while a statement does; see `interruptWhen`.
    var watch: (@Sendable () -> Bool)?

    /// Whether statements of `query`, `rows` and `first` stay prepared, for who asks the same of row after row: preparing a view costs
    /// more than reading one row of it. Only of a connection of one's own: a host could not close one that holds statements.
    public var keepsStatements = false {
        didSet { if !keepsStatements { kept = [:] } }
    }
    /// Those not in use, by their text.
    private var kept: [String: KeptStatement] = [:]
    private static let keptMost = 128

    public enum Access: Sendable { case readOnly, readWrite, create, immutable }

    /// - Throws: `SQLiteError` when the file cannot be opened; nothing is read before the first statement.
    public init(path: String, access: Access) throws(SQLiteError) {
        var opened: OpaquePointer?
        var name = path
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        switch access {
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .immutable:
            flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            name = "file:" + Connection.escapedForURI(path) + "?immutable=1"
        }
        let code = sqlite3_open_v2(name, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message, sql: nil)
        }
        handle = opened
        owned = true
        sqlite3_busy_timeout(handle, 10_000)
    }

    /// Borrows the connection of the program that loaded us.
    public init(borrowing handle: OpaquePointer) {
        self.handle = handle
        owned = false
    }

    /// The same connection for what lives as long as it does, such as its functions: it is not kept open by them.
    public var borrowed: Connection { Connection(borrowing: handle) }

    /// The file of its main database; `nil` for one in memory.
    public var path: String? { sqlite3_db_filename(handle, "main").flatMap { $0.pointee == 0 ? nil : String(cString: $0) } }

    /// A number that changes with every change to the main database that this connection can see, its own included;
    /// `nil` while a transaction of its own writes, whose changes may yet be undone.
    public var state: (changes: Int, version: Int)? {
        get throws(SQLiteError) {
            guard sqlite3_txn_state(handle, "main") != SQLITE_TXN_WRITE else { return nil }
            return (Int(sqlite3_total_changes64(handle)), try integer("PRAGMA main.data_version") ?? 0)
        }
    }

    /// What ends this connection's running statements, for another thread to hold while the connection is open.
    public var interrupter: Interrupter { Interrupter(handle: handle) }

    deinit {
        kept = [:]
        if owned { sqlite3_close_v2(handle) }
    }

    /// Runs `body` with a statement that is prepared anew or was kept.
    private func withStatement<Result>(_ sql: String, _ values: [SQLiteValue], _ body: (KeptStatement) throws -> Result) throws -> Result {
        // Taken out while it is in use, so that a body that asks the same gets another. On the borrowed connection, or each would keep the other alive.
        let kept = try self.kept.removeValue(forKey: sql) ?? KeptStatement(Statement(sql, on: keepsStatements ? borrowed : self, isPersistent: keepsStatements))
        defer {
            if keepsStatements, self.kept.count < Connection.keptMost {
                kept.statement.reset()
                kept.statement.clear()
                self.kept[sql] = kept
            }
        }
        kept.statement.bind(values)
        return try body(kept)
    }

    private static func escapedForURI(_ path: String) -> String {
        path.utf8.map { byte in
            switch byte {
            // A byte of 0x80 or more is part of a character and means nothing alone.
            case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"), 0x80...: "%" + String(byte, radix: 16, uppercase: true)
            default: String(decoding: [byte], as: UTF8.self)
            }
        }.joined()
    }

    /// Runs every statement of `sql`.
    public func execute(_ sql: String) throws(SQLiteError) {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw SQLiteError(handle, sql: sql) }
    }

    /// Runs one statement with parameters, for its effect.
    public func run(_ sql: String, _ values: SQLiteValue...) throws(SQLiteError) {
        var statement = try Statement(sql, on: self)
        statement.bind(values)
        while try statement.step() {}
    }

    /// Calls `row` for each row of one query.
    public func query(_ sql: String, _ values: [SQLiteValue] = [], row: (borrowing Statement) throws -> Void) throws {
        try withStatement(sql, values) { kept in while try kept.statement.step() { try row(kept.statement) } }
    }

    /// Every row of one query, each made into a value.
    public func rows<Row>(_ sql: String, _ values: SQLiteValue..., make: (borrowing Statement) throws -> Row) throws -> [Row] {
        var rows: [Row] = []
        try query(sql, values) { rows.append(try make($0)) }
        return rows
    }

    /// The first row of one query, or `nil`.
    public func first<Row>(_ sql: String, _ values: SQLiteValue..., make: (borrowing Statement) throws -> Row) throws -> Row? {
        try withStatement(sql, values) { kept in try kept.statement.step() ? try make(kept.statement) : nil }
    }

    public func integer(_ sql: String, _ values: SQLiteValue...) throws(SQLiteError) -> Int? {
        var statement = try Statement(sql, on: self)
        statement.bind(values)
        return try statement.step() ? statement.optionalInteger(0) : nil
    }

    /// A statement that can be held and handed about.
    private final class KeptStatement {
        var statement: Statement
        init(_ statement: consuming Statement) { self.statement = statement }
    }

    public var lastInsertedRow: Int { Int(sqlite3_last_insert_rowid(handle)) }

    /// Runs `body` and keeps its changes only if it returns. Within another transaction they become part of that one, which an error must end.
    public func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        if sqlite3_get_autocommit(handle) == 0 { return try body() }
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // SQLite has rolled back by itself after a full disk or an I/O error; then this says there is nothing to undo.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Reads within one snapshot, so that an ingest that commits meanwhile cannot mix two states.
    public func snapshot<Result>(_ body: () throws -> Result) throws -> Result {
        try execute("BEGIN")
        defer { try? execute("ROLLBACK") }
        return try body()
    }

    /// Runs `body` with the main database's file read rather than mapped into memory, which is cheaper for megabytes that are looked
    /// at once: a mapped page costs a fault. Asked of the file itself, so that a guarded connection may, too; while a statement
    /// holds mapped pages, nothing changes. The setting comes back.
    public func withoutMapping<Result>(_ body: () throws -> Result) rethrows -> Result {
        var size: sqlite3_int64 = 0 // asked for; what it was comes back
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_MMAP_SIZE, &size)
        defer { sqlite3_file_control(handle, "main", SQLITE_FCNTL_MMAP_SIZE, &size) }
        return try body()
    }

    // MARK: Guarding queries that come from outside

    /// Functions that do more than compute: they load code, write files, or hand out addresses of this process.
    private static let dangerousFunctions = ["load_extension", "writefile", "fts3_tokenizer"]
    private static let harmlessPragmas = ["table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list", "function_list",
                                          "module_list", "pragma_list", "collation_list", "database_list", "compile_options"]

    /// Allows reading and nothing else: no writes, no ATTACH, no PRAGMA but the harmless ones, no extensions.
    ///
    /// Views of the file, which may be a stranger's, may use only functions that do nothing but compute.
    public func allowReadingOnly() {
        try? execute("PRAGMA trusted_schema = 0")
        // A table-valued function declares its columns by a CREATE TABLE that the authorizer would refuse; one that has
        // been named once on a connection has done so.
        let modules = (try? rows("SELECT name FROM pragma_module_list") { $0.text(0) }) ?? []
        for function in modules + Connection.harmlessPragmas.map({ "pragma_\($0)" }) { _ = try? Statement("SELECT 1 FROM \"\(function)\"", on: self) }
        // So does a full-text table of the file; no other module's tables in it are opened.
        if let table = try? first("SELECT name FROM sqlite_schema WHERE name = 'feature_text' AND sql LIKE 'CREATE VIRTUAL TABLE feature_text USING fts5 (%'", make: { $0.text(0) }) {
            _ = try? Statement("SELECT 1 FROM \(table)", on: self)
        }
        sqlite3_set_authorizer(handle, { _, action, first, second, _, _ in
            switch action {
            case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return SQLITE_OK
            case SQLITE_FUNCTION:
                guard let second else { return SQLITE_DENY }
                return Connection.dangerousFunctions.contains { sqlite3_stricmp(second, $0) == 0 } ? SQLITE_DENY : SQLITE_OK
            case SQLITE_PRAGMA:
                guard let first else { return SQLITE_DENY }
                if Connection.harmlessPragmas.contains(where: { sqlite3_stricmp(first, $0) == 0 }) { return SQLITE_OK }
                let readable = ["user_version", "application_id", "page_count", "page_size", "encoding", "freelist_count", "journal_mode", "schema_version", "data_version"]
                return second == nil && readable.contains { sqlite3_stricmp(first, $0) == 0 } ? SQLITE_OK : SQLITE_DENY
            default: return SQLITE_DENY
            }
        }, nil)
    }

    /// Asks `stop` every few thousand steps of the machine, and ends the statement as interrupted when it says yes.
    public func interruptWhen(_ stop: @escaping @Sendable () -> Bool) {
        watch = stop
        sqlite3_progress_handler(handle, 20_000, { context in
            let connection = Unmanaged<Connection>.fromOpaque(context!).takeUnretainedValue()
            return connection.watch?() == true ? 1 : 0
        }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Whether a table, view or index of this name exists.
    public func has(_ name: String) throws(SQLiteError) -> Bool { try integer("SELECT 1 FROM sqlite_schema WHERE name = ?", .text(name)) != nil }
}

/// Ends a connection's running statements as interrupted; those that have not begun are not touched.
public struct Interrupter: @unchecked Sendable {
    // sqlite3_interrupt is made to be called from any thread.
    let handle: OpaquePointer

    public func interrupt() { sqlite3_interrupt(handle) }
}
