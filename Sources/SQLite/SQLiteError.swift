import CSQLite

/// What SQLite said, and the statement it said it about (never the bound values).
public struct SQLiteError: Error, Sendable, CustomStringConvertible {
    /// The extended result code; `& 0xff` is the primary one.
    public let code: Int32
    public let message: String
    public let sql: String?

    public init(code: Int32, message: String, sql: String?) {
        self.code = code
        self.message = message
        self.sql = sql
    }

    init(_ handle: OpaquePointer?, sql: String?) {
        self.init(code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)), sql: sql)
    }

    public var description: String { sql.map { "\(message) — in: \($0)" } ?? message }

    /// What kind of failure it was, for those who must tell the user what to do.
    public enum Kind: Sendable { case busy, readOnly, full, ioError, corrupt, notADatabase, cannotOpen, interrupted, constraint, tooBig, denied, other }

    public var kind: Kind {
        switch code & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED: .busy
        case SQLITE_READONLY: .readOnly
        case SQLITE_FULL: .full
        case SQLITE_IOERR: .ioError
        case SQLITE_CORRUPT: .corrupt
        case SQLITE_NOTADB: .notADatabase
        case SQLITE_CANTOPEN: .cannotOpen
        case SQLITE_INTERRUPT: .interrupted
        case SQLITE_CONSTRAINT: .constraint
        case SQLITE_TOOBIG: .tooBig
        case SQLITE_AUTH: .denied
        default: .other
        }
    }
}
