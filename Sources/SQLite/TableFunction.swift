/// A function in SQL that yields a table: `SELECT … FROM nearest('A/1/2357', 10)`.
///
/// SQLite calls it an eponymous virtual table. Its parameters are hidden columns, so that arguments can come in
/// parentheses, by equality (`WHERE nearest.query = …`) or from another table of a join.
public protocol TableFunction {
    var name: String { get }
    /// What `SELECT *` shows.
    var columns: [TableColumn] { get }
    /// In the order of the parentheses.
    var parameters: [TableParameter] { get }
    /// Columns by which rows come sorted, each taken alone.
    var order: [TableOrder] { get }
    /// What the planner reckons with for one call: rows, and cost in units of a row read from a table.
    var estimate: (rows: Int, cost: Double) { get }

    /// Begins one call.
    /// - Parameter arguments: one for each parameter; `nil` where none was given.
    /// - Throws: what becomes the statement's error.
    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor
}

public struct TableColumn: Sendable, Equatable {
    public let name: String
    public let type: String

    public init(_ name: String, _ type: String) { (self.name, self.type) = (name, type) }
}

public struct TableParameter: Sendable, Equatable {
    public let name: String
    public let isRequired: Bool

    public init(_ name: String, isRequired: Bool = false) { (self.name, self.isRequired) = (name, isRequired) }
}

public struct TableOrder: Sendable, Equatable {
    public let column: Int
    public let isDescending: Bool

    public init(_ column: Int, isDescending: Bool = false) { (self.column, self.isDescending) = (column, isDescending) }
}

/// The rows of one call, one after another. Statements it holds end with it, at the latest when the statement is reset.
public protocol TableCursor: AnyObject {
    /// Goes to the next row, at first to the first; `false` when there is none.
    func next() throws -> Bool
    /// Goes back before the first row; `false` where it cannot, and the call is made anew.
    func rewind() -> Bool
    /// A value of the current row; only asked for columns that the statement uses.
    func value(_ column: Int) throws -> SQLiteValue
}

extension TableCursor {
    public func rewind() -> Bool { false }
}

/// Rows that are known from the beginning.
public final class TableRows<Row>: TableCursor {
    private let rows: [Row]
    private var at = -1
    private let column: (Row, Int) -> SQLiteValue

    public init(_ rows: [Row], column: @escaping (Row, Int) -> SQLiteValue) { (self.rows, self.column) = (rows, column) }

    public func next() -> Bool {
        at += 1
        return at < rows.count
    }

    public func rewind() -> Bool {
        at = -1
        return true
    }

    public func value(_ column: Int) -> SQLiteValue { rows.indices.contains(at) ? self.column(rows[at], column) : .null }
}
