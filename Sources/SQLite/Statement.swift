import CSQLite

/// A value as SQLite stores it.
public enum SQLiteValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

extension SQLiteValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByNilLiteral {
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(_ value: (some BinaryInteger)?) { self = value.map { .integer(Int64($0)) } ?? .null }
    public init(_ value: Double?) { self = value.map { .real($0) } ?? .null }
    public init(_ value: Float?) { self = value.map { .real(Double($0)) } ?? .null }
    public init(_ value: String?) { self = value.map { .text($0) } ?? .null }
    public init(_ value: Bool) { self = .integer(value ? 1 : 0) }
}

/// One prepared statement: bind, step, read.
///
/// It cannot be copied, and its memory goes when it does. A span read from a row must be let go before the next
/// step: the compiler checks. Parameters and columns count from 0.
public struct Statement: ~Copyable {
    private let handle: OpaquePointer
    private let connection: Connection
    /// What of the text given was not part of the first statement.
    public let rest: String

    /// - Throws: `SQLiteError` when the text does not compile or holds no statement.
    public init(_ sql: String, on connection: Connection, isPersistent: Bool = false) throws(SQLiteError) {
        var prepared: OpaquePointer?
        var consumed = 0
        let code = sql.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v3(connection.handle, text.baseAddress, Int32(text.count), isPersistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0, &prepared, &tail)
                if let tail, let start = text.baseAddress { consumed = tail - start }
                return code
            }
        } ?? sqlite3_prepare_v2(connection.handle, sql, -1, &prepared, nil)
        guard code == SQLITE_OK else { throw SQLiteError(connection.handle, sql: sql) }
        guard let prepared else { throw SQLiteError(code: SQLITE_MISUSE, message: "no statement", sql: sql) }
        handle = prepared
        self.connection = connection
        rest = consumed > 0 ? String(decoding: Array(sql.utf8.dropFirst(consumed)), as: UTF8.self) : ""
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Binding

    public func bind(_ value: Int64, at index: Int) { sqlite3_bind_int64(handle, Int32(index + 1), value) }
    public func bind(_ value: Int, at index: Int) { sqlite3_bind_int64(handle, Int32(index + 1), Int64(value)) }
    public func bind(_ value: Double, at index: Int) { sqlite3_bind_double(handle, Int32(index + 1), value) }
    public func bind(_ value: String, at index: Int) {
        var value = value
        value.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                _ = sqlite3_bind_text64(handle, Int32(index + 1), text.baseAddress ?? UnsafePointer(bitPattern: 1)!, UInt64(text.count), csqlite_transient(), UInt8(SQLITE_UTF8))
            }
        }
    }
    public func bindNull(at index: Int) { sqlite3_bind_null(handle, Int32(index + 1)) }
    /// Binds bytes that stay where they are until the statement is stepped; nothing is copied.
    public func bind(borrowing bytes: UnsafeRawBufferPointer, at index: Int) {
        if let start = bytes.baseAddress, bytes.count > 0 {
            sqlite3_bind_blob64(handle, Int32(index + 1), start, UInt64(bytes.count), csqlite_static())
        } else {
            sqlite3_bind_zeroblob(handle, Int32(index + 1), 0)
        }
    }
    public func bind(_ bytes: [UInt8], at index: Int) {
        bytes.withUnsafeBytes { raw in
            if raw.isEmpty { _ = sqlite3_bind_zeroblob(handle, Int32(index + 1), 0) } else {
                _ = sqlite3_bind_blob64(handle, Int32(index + 1), raw.baseAddress!, UInt64(raw.count), csqlite_transient())
            }
        }
    }
    /// Binds UTF-8 as text.
    public func bind(text bytes: UnsafeRawBufferPointer, at index: Int) {
        _ = sqlite3_bind_text64(handle, Int32(index + 1), bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(bitPattern: 1)!, UInt64(bytes.count), csqlite_transient(), UInt8(SQLITE_UTF8))
    }
    public func bind(_ value: SQLiteValue, at index: Int) {
        switch value {
        case .null: bindNull(at: index)
        case .integer(let n): bind(n, at: index)
        case .real(let r): bind(r, at: index)
        case .text(let s): bind(s, at: index)
        case .blob(let b): bind(b, at: index)
        }
    }
    public func bind(_ values: [SQLiteValue]) { for (index, value) in values.enumerated() { bind(value, at: index) } }

    public var parameterCount: Int { Int(sqlite3_bind_parameter_count(handle)) }
    /// `:name`, `@name`, `$name`, or `nil` for a bare `?`.
    public func parameterName(_ index: Int) -> String? { sqlite3_bind_parameter_name(handle, Int32(index + 1)).map { String(cString: $0) } }

    // MARK: Stepping

    /// Goes to the next row; `false` when there is none, and the statement is ready to run again.
    public mutating func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        default:
            let error = SQLiteError(connection.handle, sql: String(cString: sqlite3_sql(handle)))
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs a statement that returns nothing of interest, with these parameters.
    public mutating func run(_ values: SQLiteValue...) throws(SQLiteError) {
        bind(values)
        while try step() {}
    }

    public mutating func run() throws(SQLiteError) { while try step() {} }

    public mutating func reset() { sqlite3_reset(handle) }

    /// Lets go of all values bound.
    public mutating func clear() { for index in 0..<parameterCount { bindNull(at: index) } }

    public var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }
    public var isExplain: Bool { sqlite3_stmt_isexplain(handle) != 0 }

    // MARK: Reading the row

    public var columnCount: Int { Int(sqlite3_column_count(handle)) }
    public func columnName(_ column: Int) -> String { sqlite3_column_name(handle, Int32(column)).map { String(cString: $0) } ?? "" }
    public func isNull(_ column: Int) -> Bool { sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL }
    public func integer(_ column: Int) -> Int { Int(sqlite3_column_int64(handle, Int32(column))) }
    public func real(_ column: Int) -> Double { sqlite3_column_double(handle, Int32(column)) }
    public func text(_ column: Int) -> String {
        guard let start = sqlite3_column_text(handle, Int32(column)) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, Int32(column)))), as: UTF8.self)
    }
    public func optionalInteger(_ column: Int) -> Int? { isNull(column) ? nil : integer(column) }
    public func optionalReal(_ column: Int) -> Double? { isNull(column) ? nil : real(column) }
    public func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }
    public func blob(_ column: Int) -> [UInt8] { withBlob(column) { Array($0) } }

    /// The bytes of a blob or text where SQLite holds them, for the time of `body`.
    public func withBlob<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let start = sqlite3_column_blob(handle, Int32(column))
        return try body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, Int32(column)))))
    }

    public func value(_ column: Int) -> SQLiteValue {
        switch sqlite3_column_type(handle, Int32(column)) {
        case SQLITE_INTEGER: .integer(Int64(integer(column)))
        case SQLITE_FLOAT: .real(real(column))
        case SQLITE_TEXT: .text(text(column))
        case SQLITE_BLOB: .blob(blob(column))
        default: .null
        }
    }
}
