import CSQLite

/// The arguments of one call of a function, as SQLite hands them over.
public struct FunctionArguments: ~Copyable {
    let values: UnsafeMutablePointer<OpaquePointer?>?
    public let count: Int

    public func isNull(_ index: Int) -> Bool { sqlite3_value_type(values![index]) == SQLITE_NULL }
    public func integer(_ index: Int) -> Int { Int(sqlite3_value_int64(values![index])) }
    public func real(_ index: Int) -> Double { sqlite3_value_double(values![index]) }
    public func text(_ index: Int) -> String {
        guard let start = sqlite3_value_text(values![index]) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(sqlite3_value_bytes(values![index]))), as: UTF8.self)
    }
    public func withBlob<Result>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let start = sqlite3_value_blob(values![index])
        return try body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(values![index]))))
    }
    public func isBlob(_ index: Int) -> Bool { sqlite3_value_type(values![index]) == SQLITE_BLOB }
}

/// A function to be called from SQL; errors thrown become the statement's error.
public typealias ScalarFunction = (borrowing FunctionArguments) throws -> SQLiteValue

private final class FunctionBox {
    let body: ScalarFunction
    init(_ body: @escaping ScalarFunction) { self.body = body }
}

extension Connection {
    /// Registers a function of `arguments` values (−1 for any number) under `name`.
    ///
    /// `isDeterministic` lets SQLite compute it once for equal arguments within a statement.
    public func register(_ name: String, arguments: Int, isDeterministic: Bool = true, _ body: @escaping ScalarFunction) throws(SQLiteError) {
        let box = Unmanaged.passRetained(FunctionBox(body))
        let flags = SQLITE_UTF8 | (isDeterministic ? SQLITE_DETERMINISTIC : 0)
        let code = sqlite3_create_function_v2(
            handle, name, Int32(arguments), flags, box.toOpaque(),
            { context, count, values in
                let box = Unmanaged<FunctionBox>.fromOpaque(sqlite3_user_data(context)!).takeUnretainedValue()
                do {
                    switch try box.body(FunctionArguments(values: values, count: Int(count))) {
                    case .null: sqlite3_result_null(context)
                    case .integer(let n): sqlite3_result_int64(context, n)
                    case .real(let r): sqlite3_result_double(context, r)
                    case .text(var s): s.withUTF8 { bytes in
                        sqlite3_result_text(context, bytes.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) } ?? UnsafePointer(bitPattern: 1)!, Int32(bytes.count), csqlite_transient())
                    }
                    case .blob(let b): b.withUnsafeBytes { raw in
                        if raw.isEmpty { sqlite3_result_zeroblob(context, 0) } else { sqlite3_result_blob(context, raw.baseAddress!, Int32(raw.count), csqlite_transient()) }
                    }
                    }
                } catch {
                    sqlite3_result_error(context, "\(error)", -1)
                }
            }, nil, nil, { Unmanaged<FunctionBox>.fromOpaque($0!).release() })
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "cannot register the function \(name)", sql: nil) }
    }
}
