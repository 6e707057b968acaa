import SQLite
import Testing

@Suite struct RowWriterTests {
    @Test(arguments: [0, 1, 99, 100, 101, 250])
    func `all rows are there once it has finished, and a conflict clause holds for each`(rows: Int) throws {
        let connection = try Connection(path: ":memory:", access: .create)
        try connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL)")
        for _ in 0..<2 {
            var writer = try RowWriter(into: "t (a, b, c)", columns: 3, "ON CONFLICT DO UPDATE SET c = c + excluded.c", on: connection)
            for row in 0..<rows { try writer.add(.init(row), .text("\(row)"), .real(0.5)) }
            try writer.finish()
            try writer.finish()
        }
        #expect(try connection.integer("SELECT count(*) FROM t WHERE b = CAST(a AS TEXT) AND c = 1") == rows)
        #expect(try connection.integer("SELECT count(*) FROM t") == rows)
    }

    @Test func `a row that breaks a constraint is an error`() throws {
        let connection = try Connection(path: ":memory:", access: .create)
        try connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        var writer = try RowWriter(into: "t (a)", columns: 1, on: connection)
        for _ in 0..<2 { try writer.add(7) }
        #expect(throws: SQLiteError.self) { try writer.finish() }
    }
}
