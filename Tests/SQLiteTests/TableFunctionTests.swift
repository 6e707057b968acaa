@testable import SQLite
import Testing

/// `counting(start [, step])`: start, start + step … ten numbers, and their squares.
private struct Counting: TableFunction {
    final class Rows: TableCursor {
        var left = 10, value: Int
        let step: Int
        init(_ start: Int, _ step: Int) { (value, self.step) = (start - step, step) }
        func next() throws -> Bool {
            if value == 665 { throw Wrong(place: "next") }
            value += step
            left -= 1
            return left >= 0
        }
        func value(_ column: Int) throws -> SQLiteValue {
            if value == 777 { throw Wrong(place: "value") }
            return .init(column == 0 ? value : value * value)
        }
    }
    struct Wrong: Error, CustomStringConvertible { let place: String; var description: String { "wrong in \(place)" } }

    let name = "counting"
    let columns = [TableColumn("n", "INTEGER"), TableColumn("square", "INTEGER")]
    let parameters = [TableParameter("start", isRequired: true), TableParameter("step")]
    let order = [TableOrder(0)]
    let estimate = (rows: 10, cost: 1000.0)
    /// The last cursor handed out, if anybody still holds it.
    let last = Last()
    final class Last { weak var rows: Rows? }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        guard case .integer(let start)? = arguments[0] else { throw Wrong(place: "open") }
        var step = 1
        if case .integer(let given)? = arguments[1] { step = Int(given) }
        let rows = Rows(Int(start), step)
        last.rows = rows
        return rows
    }
}

struct TableFunctionTests {
    private func connection(_ function: Counting = Counting()) throws -> Connection {
        let connection = try memory()
        try connection.register(function)
        try connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one'), (4, 'four'), (9, 'nine')")
        return connection
    }

    @Test(arguments: [
        ("SELECT * FROM counting(3) LIMIT 2", [["3", "9"], ["4", "16"]]),
        ("SELECT n, start, step FROM counting(3, 2) LIMIT 2", [["3", "3", "2"], ["5", "3", "2"]]),
        ("SELECT n, step FROM counting(3) LIMIT 1", [["3", "null"]]),
        ("SELECT n FROM counting WHERE start = 5 AND step = 3 AND n > 10 LIMIT 1", [["11"]]),
        ("SELECT n FROM counting(1) WHERE n = 2 OR square = 16", [["2"], ["4"]]),
        ("SELECT count(*) FROM counting WHERE start IN (1, 100)", [["20"]]),
        ("SELECT b, n FROM t JOIN counting(t.a) WHERE n = a + 1 ORDER BY n DESC", [["nine", "10"], ["four", "5"], ["one", "2"]]),
        ("SELECT b, n FROM counting(4) JOIN t ON t.a = n", [["four", "4"], ["nine", "9"]]),
        ("SELECT x.n, y.n FROM counting(1) AS x, counting(x.square) AS y WHERE x.n = 3 LIMIT 2", [["3", "9"], ["3", "10"]]),
        ("SELECT b FROM t WHERE EXISTS (SELECT 1 FROM counting(t.a) WHERE n = 12)", [["four"], ["nine"]]),
        ("SELECT n FROM counting(1) ORDER BY n DESC LIMIT 1", [["10"]]),
        ("SELECT rowid FROM counting(7) LIMIT 1", [["1"]]),
        ("SELECT t.b, c.n FROM t LEFT JOIN counting(100) AS c ON c.n = t.a LIMIT 1", [["one", "null"]]),
    ]) func `arguments come in parentheses, by equality and from joins`(sql: String, expected: [[String]]) throws {
        let rows = try connection().rows(sql) { row in (0..<row.columnCount).map { row.isNull($0) ? "null" : row.text($0) } }
        #expect(rows == expected)
    }

    @Test(arguments: [
        ("SELECT * FROM counting", "counting was called without start: the call is counting(start [, step])"),
        ("SELECT * FROM counting WHERE start > 3", "counting was called without start: the call is counting(start [, step])"),
        ("SELECT * FROM counting('x')", "wrong in open"),
        ("SELECT * FROM counting(665, 1)", "wrong in next"),
        ("SELECT square FROM counting(777)", "wrong in value"),
        ("SELECT * FROM counting(1, 2, 3)", "too many arguments on counting() - max 2"),
        // Each would have to come before the other.
        ("SELECT * FROM counting(y.n) AS x, counting(x.n) AS y", "no query solution"),
        ("INSERT INTO counting VALUES (1, 2)", "table counting may not be modified"),
        ("SELECT * FROM stranger", "unsafe use of virtual table \"counting\""),
    ]) func `what cannot be answered says why`(sql: String, message: String) throws {
        let connection = try connection()
        try connection.execute("CREATE VIEW stranger AS SELECT * FROM counting(1)")
        // A row before the failing one may come out.
        #expect(failure { try connection.query(sql) { _ in } }?.message == message)
        #expect(try connection.integer("SELECT n FROM counting(1)") == 1)
    }

    @Test(arguments: [
        ("SELECT * FROM counting(3)", ["SCAN counting VIRTUAL TABLE INDEX 1:start=?"]),
        ("SELECT * FROM counting(3, 4)", ["SCAN counting VIRTUAL TABLE INDEX 3:start=? AND step=?"]),
        ("SELECT * FROM counting(3) ORDER BY n", ["SCAN counting VIRTUAL TABLE INDEX 1:start=?"]),
        ("SELECT * FROM counting(3) ORDER BY n DESC", ["SCAN counting VIRTUAL TABLE INDEX 1:start=?", "USE TEMP B-TREE FOR ORDER BY"]),
        ("SELECT * FROM t JOIN counting(3) AS c ON c.n = t.a", ["SCAN c VIRTUAL TABLE INDEX 1:start=?", "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"]),
        ("SELECT * FROM t, counting(t.a)", ["SCAN t", "SCAN counting VIRTUAL TABLE INDEX 1:start=?"]),
    ]) func `a plan reads well and uses what is known`(sql: String, plan: [String]) throws {
        #expect(try connection().rows("EXPLAIN QUERY PLAN \(sql)") { $0.text(3) } == plan)
    }

    @Test func `a cursor goes when its statement is reset, fails or ends, and the function with its connection`() throws {
        weak var witness: Counting.Last?
        do {
            let function = Counting(), connection = try connection(function)
            witness = function.last
            var statement = try Statement("SELECT n FROM counting(1)", on: connection)
            #expect(try statement.step())
            #expect(function.last.rows != nil)
            statement.reset()
            #expect(function.last.rows == nil)
            #expect(failure { try connection.query("SELECT n FROM counting(665)") { _ in } } != nil)
            #expect(function.last.rows == nil)
            #expect(try statement.step())
        }
        #expect(witness == nil)
    }

    @Test func `the inner side of a join asks once for the same arguments, and again for others`() throws {
        final class Calls { var count = 0 }
        struct Known: TableFunction {
            let calls = Calls()
            let name = "known", columns = [TableColumn("n", "INTEGER")], parameters = [TableParameter("start", isRequired: true)], order: [TableOrder] = [], estimate = (rows: 2, cost: 1e6)
            func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
                calls.count += 1
                guard case .integer(let start)? = arguments[0] else { return TableRows([Int64]()) { n, _ in .integer(n) } }
                return TableRows([start, start + 1]) { n, _ in .integer(n) }
            }
        }
        let function = Known(), connection = try connection()
        try connection.register(function)
        #expect(try connection.rows("SELECT t.a, n FROM t CROSS JOIN known(7)") { [$0.integer(0), $0.integer(1)] } == [[1, 7], [1, 8], [4, 7], [4, 8], [9, 7], [9, 8]])
        #expect(function.calls.count == 1)
        #expect(try connection.integer("SELECT sum(n) FROM t CROSS JOIN known(t.a)") == 1 + 2 + 4 + 5 + 9 + 10)
        #expect(function.calls.count == 4)
    }

    @Test func `an interruption within a function is the statement's, in SQLite's words`() throws {
        struct Endless: TableFunction {
            let connection: Connection
            let name = "endless", columns = [TableColumn("n", "INTEGER")], parameters: [TableParameter] = [], order: [TableOrder] = [], estimate = (rows: 1, cost: 1.0)
            func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
                TableRows(try connection.rows("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n") { $0.integer(0) }) { n, _ in .init(n) }
            }
        }
        let connection = try memory()
        try connection.register(Endless(connection: connection.borrowed))
        connection.interruptWhen { true }
        let error = failure { try connection.query("SELECT * FROM endless") { _ in } }
        #expect(error?.kind == .interrupted && error?.message == "interrupted")
    }

    @Test func `a guarded connection may call a function that nothing has called before`() throws {
        let connection = try connection()
        connection.allowReadingOnly()
        #expect(try connection.integer("SELECT sum(n) FROM counting(1)") == 55)
    }

    @Test func `the state of a database changes with every change, and is unknown while one is under way`() throws {
        let connection = try connection()
        func state() throws -> [Int]? { try connection.state.map { [$0.changes, $0.version] } }
        let before = try state()
        #expect(try state() == before && before != nil)
        try connection.execute("BEGIN; INSERT INTO t VALUES (100, 'x')")
        #expect(try state() == nil)
        try connection.execute("COMMIT")
        #expect(try state() != before)
    }
}
