import CSQLite

/// A blob opened where it lies, for reading parts of it without the rest.
///
/// It closes when it goes, and holds the snapshot in which it was opened.
public final class Blob {
    private let handle: OpaquePointer
    private let connection: Connection

    /// - Throws: when there is no such row, or its column holds neither a blob nor text.
    public init(_ column: String, of table: String, row: Int, on connection: Connection) throws(SQLiteError) {
        var opened: OpaquePointer?
        guard sqlite3_blob_open(connection.handle, "main", table, column, Int64(row), 0, &opened) == SQLITE_OK, let opened else { throw SQLiteError(connection.handle, sql: nil) }
        handle = opened
        self.connection = connection
    }

    deinit { sqlite3_blob_close(handle) }

    /// Goes to another row of the same table and column: cheaper than a new one. After an error only `move` may be called.
    public func move(toRow row: Int) throws(SQLiteError) {
        guard sqlite3_blob_reopen(handle, Int64(row)) == SQLITE_OK else { throw SQLiteError(connection.handle, sql: nil) }
    }

    /// Its length in bytes.
    public var count: Int { Int(sqlite3_blob_bytes(handle)) }

    /// Fills `bytes` with what stands at `offset`.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(SQLiteError) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        guard let length = Int32(exactly: bytes.count), let place = Int32(exactly: offset) else { throw SQLiteError(code: SQLITE_TOOBIG, message: "a part of a blob is too large", sql: nil) }
        guard sqlite3_blob_read(handle, start, length, place) == SQLITE_OK else { throw SQLiteError(connection.handle, sql: nil) }
    }
}
