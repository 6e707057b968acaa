import CSQLite

// What SQLite asks of a virtual table, answered by a `TableFunction`. See sqlite.org/vtab.html.

extension Connection {
    /// Makes `function` part of this connection's SQL.
    ///
    /// It may be named in statements only, not in views and triggers, which may come from a stranger.
    public func register(_ function: any TableFunction) throws(SQLiteError) {
        precondition(function.parameters.count < 31)
        let box = Unmanaged.passRetained(FunctionBox(function))
        let code = sqlite3_create_module_v2(handle, function.name, module, box.toOpaque()) { Unmanaged<FunctionBox>.fromOpaque($0!).release() }
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "cannot register the table function \(function.name)", sql: nil) }
    }
}

private final class FunctionBox {
    let function: any TableFunction
    /// Not to be asked for anew at every column.
    let columnCount: Int
    init(_ function: any TableFunction) { (self.function, columnCount) = (function, function.columns.count) }

    /// The declaration SQLite wants: `CREATE TABLE x("feature" TEXT, …, "query" HIDDEN)`.
    var declaration: String {
        let columns = function.columns.map { "\"\($0.name)\" \($0.type)" } + function.parameters.map { "\"\($0.name)\" HIDDEN" }
        return "CREATE TABLE x(\(columns.joined(separator: ", ")))"
    }

    /// How it is called: `nearest(query, k [, dictionary])`.
    var usage: String {
        let required = function.parameters.filter(\.isRequired).map(\.name).joined(separator: ", ")
        let optional = function.parameters.filter { !$0.isRequired }.map { " [, \($0.name)" }.joined()
        return "\(function.name)(\(required)\(optional)\(String(repeating: "]", count: function.parameters.count { !$0.isRequired })))"
    }
}

/// A cursor's state: the call under way.
private final class Call {
    let box: FunctionBox
    var arguments: [SQLiteValue?] = []
    var rows: (any TableCursor)?
    var isAtEnd = true
    var row = 0

    init(_ box: FunctionBox) { self.box = box }

    func advance() throws {
        row += 1
        isAtEnd = try rows?.next() != true
    }
}

private func box(_ table: UnsafeMutablePointer<sqlite3_vtab>?) -> FunctionBox {
    table!.withMemoryRebound(to: csqlite_table.self, capacity: 1) { Unmanaged<FunctionBox>.fromOpaque($0.pointee.function).takeUnretainedValue() }
}

private func call(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Call {
    cursor!.withMemoryRebound(to: csqlite_cursor.self, capacity: 1) { Unmanaged<Call>.fromOpaque($0.pointee.state).takeUnretainedValue() }
}

/// `text` in memory that SQLite frees; `nil` where there is none.
private func sqliteString(_ text: String) -> UnsafeMutablePointer<CChar>? {
    let bytes = text.utf8.count
    guard let memory = sqlite3_malloc64(UInt64(bytes + 1)) else { return nil }
    let start = memory.bindMemory(to: CChar.self, capacity: bytes + 1)
    for (place, byte) in text.utf8.enumerated() { start[place] = CChar(bitPattern: byte) }
    start[bytes] = 0
    return start
}

private func fail(_ table: UnsafeMutablePointer<sqlite3_vtab>, _ error: any Error) -> Int32 {
    let code = resultCode(of: error)
    sqlite3_free(table.pointee.zErrMsg)
    table.pointee.zErrMsg = code == SQLITE_INTERRUPT ? nil : sqliteString("\(error)")
    return code
}

/// One for all table functions and all connections; SQLite reads it as long as any is open.
nonisolated(unsafe) private let module: UnsafePointer<sqlite3_module> = {
    let module = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    module.initialize(to: sqlite3_module())
    module.pointee.iVersion = 1
    // No xCreate: the table exists by its name alone.
    module.pointee.xConnect = { database, context, _, _, result, message in
        let box = Unmanaged<FunctionBox>.fromOpaque(context!).takeUnretainedValue()
        let code = sqlite3_declare_vtab(database, box.declaration)
        guard code == SQLITE_OK else { return code }
        _ = csqlite_vtab_is_direct_only(database)
        guard let memory = sqlite3_malloc64(UInt64(MemoryLayout<csqlite_table>.size)) else { return SQLITE_NOMEM }
        let table = memory.bindMemory(to: csqlite_table.self, capacity: 1)
        table.initialize(to: csqlite_table(base: sqlite3_vtab(), function: Unmanaged.passRetained(box).toOpaque()))
        result!.pointee = UnsafeMutableRawPointer(table).assumingMemoryBound(to: sqlite3_vtab.self)
        return SQLITE_OK
    }
    module.pointee.xDisconnect = { table in
        Unmanaged.passUnretained(box(table)).release()
        sqlite3_free(table)
        return SQLITE_OK
    }
    module.pointee.xBestIndex = { table, info in choosePlan(box(table), &info!.pointee) }
    module.pointee.xOpen = { table, result in
        guard let memory = sqlite3_malloc64(UInt64(MemoryLayout<csqlite_cursor>.size)) else { return SQLITE_NOMEM }
        let cursor = memory.bindMemory(to: csqlite_cursor.self, capacity: 1)
        cursor.initialize(to: csqlite_cursor(base: sqlite3_vtab_cursor(), state: Unmanaged.passRetained(Call(box(table))).toOpaque()))
        result!.pointee = UnsafeMutableRawPointer(cursor).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
        return SQLITE_OK
    }
    module.pointee.xClose = { cursor in
        Unmanaged.passUnretained(call(cursor)).release()
        sqlite3_free(cursor)
        return SQLITE_OK
    }
    module.pointee.xFilter = { cursor, plan, _, count, values in
        let call = call(cursor), parameters = call.box.function.parameters
        call.row = 0
        call.isAtEnd = true
        var arguments: [SQLiteValue?] = parameters.map { _ in nil }
        var next = 0
        for place in parameters.indices where plan & 1 << Int32(place) != 0 && next < Int(count) {
            arguments[place] = SQLiteValue(values![next])
            next += 1
        }
        do {
            // The inner side of a join asks again for each row of the outer; a statement sees one state, so an answer stays right.
            if arguments == call.arguments, let rows = call.rows, rows.rewind() {
                try call.advance()
                return SQLITE_OK
            }
            (call.rows, call.arguments) = (nil, arguments)
            if let missing = parameters.indices.first(where: { parameters[$0].isRequired && arguments[$0] == nil }) {
                throw SQLiteError(code: SQLITE_ERROR, message: "\(call.box.function.name) was called without \(parameters[missing].name): the call is \(call.box.usage)", sql: nil)
            }
            call.rows = try call.box.function.open(arguments)
            try call.advance()
            return SQLITE_OK
        } catch {
            call.rows = nil
            return fail(cursor!.pointee.pVtab, error)
        }
    }
    module.pointee.xNext = { cursor in
        let call = call(cursor)
        do {
            try call.advance()
            return SQLITE_OK
        } catch {
            (call.rows, call.isAtEnd) = (nil, true)
            return fail(cursor!.pointee.pVtab, error)
        }
    }
    module.pointee.xEof = { cursor in call(cursor).isAtEnd ? 1 : 0 }
    module.pointee.xColumn = { cursor, context, column in
        let call = call(cursor), column = Int(column), visible = call.box.columnCount
        guard column < visible else {
            give(call.arguments[column - visible] ?? .null, to: context)
            return SQLITE_OK
        }
        do { give(try call.rows?.value(column) ?? .null, to: context) } catch { give(error, to: context) }
        return SQLITE_OK
    }
    module.pointee.xRowid = { cursor, row in
        row!.pointee = Int64(call(cursor).row)
        return SQLITE_OK
    }
    return UnsafePointer(module)
}()

/// xBestIndex: takes every parameter that is given by equality; the plan is the set of those, one bit each.
///
/// A plan in which a parameter is given but not known yet, because the table it comes from stands behind ours, is
/// refused. Where a required one is given nowhere no other plan could help: that call is let through, at a price that
/// no other plan exceeds, and fails with a message that says what is missing.
private func choosePlan(_ box: FunctionBox, _ info: inout sqlite3_index_info) -> Int32 {
    let function = box.function, visible = box.columnCount
    let constraints = UnsafeBufferPointer(start: info.aConstraint, count: Int(info.nConstraint))
    var taken: [Int?] = function.parameters.map { _ in nil }
    for (place, constraint) in constraints.enumerated() {
        let parameter = Int(constraint.iColumn) - visible
        guard parameter >= 0, Int32(constraint.op) == SQLITE_INDEX_CONSTRAINT_EQ else { continue }
        guard constraint.usable != 0 else { return SQLITE_CONSTRAINT }
        if taken[parameter] == nil { taken[parameter] = place }
    }
    var arguments: Int32 = 0
    for (parameter, place) in taken.enumerated() {
        guard let place else { continue }
        arguments += 1
        info.aConstraintUsage[place].argvIndex = arguments
        info.aConstraintUsage[place].omit = 1
        info.idxNum |= 1 << Int32(parameter)
    }
    let given = function.parameters.indices.filter { taken[$0] != nil }.map { "\(function.parameters[$0].name)=?" }
    info.idxStr = sqliteString(given.joined(separator: " AND "))
    info.needToFreeIdxStr = 1
    let isComplete = function.parameters.indices.allSatisfy { !function.parameters[$0].isRequired || taken[$0] != nil }
    info.estimatedCost = isComplete ? function.estimate.cost : 1e99
    info.estimatedRows = Int64(function.estimate.rows)
    if info.nOrderBy == 1, function.order.contains(where: { $0.column == Int(info.aOrderBy[0].iColumn) && $0.isDescending == (info.aOrderBy[0].desc != 0) }) {
        info.orderByConsumed = 1
    }
    return SQLITE_OK
}
