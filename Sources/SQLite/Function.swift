import CSQLite

/// The arguments of one call of a function, as SQLite hands them over.
public struct FunctionArguments: ~Copyable {
    let values: UnsafeMutablePointer<OpaquePointer?>?
    public let count: Int

    public func isNull(_ index: Int) -> Bool { sqlite3_value_type(values![index]) == SQLITE_NULL }
    public func value(_ index: Int) -> SQLiteValue { SQLiteValue(values![index]) }
}

extension SQLiteValue {
    init(_ value: OpaquePointer?) {
        switch sqlite3_value_type(value) {
        case SQLITE_INTEGER: self = .integer(sqlite3_value_int64(value))
        case SQLITE_FLOAT: self = .real(sqlite3_value_double(value))
        case SQLITE_TEXT:
            let start = sqlite3_value_text(value)
            self = .text(String(decoding: UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value))), as: UTF8.self))
        case SQLITE_BLOB:
            let start = sqlite3_value_blob(value)
            self = .blob([UInt8](UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))))
        default: self = .null
        }
    }
}

/// A function to be called from SQL; errors thrown become the statement's error.
public typealias ScalarFunction = (borrowing FunctionArguments) throws -> SQLiteValue

/// From where a function may be called.
public enum FunctionReach: Sendable {
    /// Everywhere: it computes from its arguments and does nothing else.
    case anywhere
    /// From the statement itself, not from views, triggers or other parts of a schema, which may come from a stranger.
    case statementsOnly
}

private final class FunctionBox {
    let body: ScalarFunction
    init(_ body: @escaping ScalarFunction) { self.body = body }
}

extension Connection {
    /// Registers a function of `arguments` values (−1 for any number) under `name`.
    ///
    /// `isDeterministic`: equal arguments give equal values within a statement, and SQLite may compute it once for all of them.
    public func register(_ name: String, arguments: Int, reach: FunctionReach = .statementsOnly, isDeterministic: Bool = true, _ body: @escaping ScalarFunction) throws(SQLiteError) {
        let box = Unmanaged.passRetained(FunctionBox(body))
        let flags = SQLITE_UTF8 | (isDeterministic ? SQLITE_DETERMINISTIC : 0) | (reach == .anywhere ? SQLITE_INNOCUOUS : SQLITE_DIRECTONLY)
        let code = sqlite3_create_function_v2(
            handle, name, Int32(arguments), flags, box.toOpaque(),
            { context, count, values in
                let box = Unmanaged<FunctionBox>.fromOpaque(sqlite3_user_data(context)!).takeUnretainedValue()
                do { give(try box.body(FunctionArguments(values: values, count: Int(count))), to: context) } catch { give(error, to: context) }
            }, nil, nil, { Unmanaged<FunctionBox>.fromOpaque($0!).release() })
        // SQLite has let go of the box by itself where it refuses.
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "cannot register the function \(name)", sql: nil) }
    }
}
