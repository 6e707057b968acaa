/// Inserts rows many at a time: one statement of a hundred rows takes half the time of a hundred statements.
///
/// Rows that were added are in the database after `finish()`, and some of them before.
public struct RowWriter: ~Copyable {
    private let head, tail: String
    private let connection: Connection
    private let columns: Int
    private var full: Statement
    private var values: [SQLiteValue] = []

    private static let rows = 100

    /// - Parameters:
    ///   - table: with its columns, such as "t (a, b)".
    ///   - verb: "INSERT" or "INSERT OR REPLACE".
    ///   - tail: what follows the rows, such as a conflict clause.
    public init(_ verb: String = "INSERT", into table: String, columns: Int, _ tail: String = "", on connection: Connection) throws(SQLiteError) {
        head = "\(verb) INTO \(table) VALUES "
        (self.tail, self.columns, self.connection) = (tail, columns, connection)
        full = try RowWriter.statement(head, RowWriter.rows, columns, tail, connection)
        values.reserveCapacity(RowWriter.rows * columns)
    }

    private static func statement(_ head: String, _ rows: Int, _ columns: Int, _ tail: String, _ connection: Connection) throws(SQLiteError) -> Statement {
        let row = "(" + repeatElement("?", count: columns).joined(separator: ", ") + ")"
        return try Statement(head + repeatElement(row, count: rows).joined(separator: ", ") + " " + tail, on: connection)
    }

    /// Adds one row, of as many values as there are columns.
    public mutating func add(_ row: SQLiteValue...) throws(SQLiteError) {
        precondition(row.count == columns, "a row of \(row.count) values for \(columns) columns")
        for value in row { try append(value) }
    }

    /// Adds the next value of a row: without the array that `add` makes, for where rows are many.
    public mutating func append(_ value: SQLiteValue) throws(SQLiteError) {
        values.append(value)
        guard values.count == RowWriter.rows * columns else { return }
        full.bind(values)
        try full.run()
        values.removeAll(keepingCapacity: true)
    }

    /// Writes what is left.
    public mutating func finish() throws(SQLiteError) {
        guard !values.isEmpty else { return }
        precondition(values.count % columns == 0, "the last row is not complete")
        var rest = try RowWriter.statement(head, values.count / columns, columns, tail, connection)
        rest.bind(values)
        try rest.run()
        values.removeAll(keepingCapacity: true)
    }
}
