import CSQLite

// From Swift to SQLite: what a function or a column of a table function yields, and what it failed with.

/// Hands a value to the call that asked for it; SQLite keeps a copy.
func give(_ value: SQLiteValue, to context: OpaquePointer?) {
    switch value {
    case .null: sqlite3_result_null(context)
    case .integer(let n): sqlite3_result_int64(context, n)
    case .real(let r): sqlite3_result_double(context, r)
    case .text(var text):
        text.withUTF8 { bytes in
            guard let length = Int32(exactly: bytes.count) else { return sqlite3_result_error_code(context, SQLITE_TOOBIG) }
            sqlite3_result_text(context, bytes.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) } ?? UnsafePointer(bitPattern: 1)!, length, csqlite_transient())
        }
    case .blob(let bytes):
        bytes.withUnsafeBytes { raw in
            guard let length = Int32(exactly: raw.count) else { return sqlite3_result_error_code(context, SQLITE_TOOBIG) }
            if raw.isEmpty { sqlite3_result_zeroblob(context, 0) } else { sqlite3_result_blob(context, raw.baseAddress!, length, csqlite_transient()) }
        }
    }
}

/// Makes `error` the failure of the call that met it, in its own words.
func give(_ error: any Error, to context: OpaquePointer?) {
    let code = resultCode(of: error)
    // Hosts know an interruption by SQLite's own word for it.
    if code != SQLITE_INTERRUPT { sqlite3_result_error(context, "\(error)", -1) }
    if code != SQLITE_ERROR { sqlite3_result_error_code(context, code) }
}

/// The result code that an error stands for. An interruption stays one, so that the host knows that it was obeyed.
func resultCode(of error: any Error) -> Int32 {
    switch (error as? SQLiteError)?.kind {
    case .interrupted: SQLITE_INTERRUPT
    case .busy: SQLITE_BUSY
    case .denied: SQLITE_AUTH
    default: SQLITE_ERROR
    }
}
