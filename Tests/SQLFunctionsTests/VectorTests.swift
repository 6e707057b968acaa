import SQLFunctions
import SQLite
import Testing

/// Vector arithmetic, on a connection without a catalogue. Blobs: 1.0 is 0000803f, 2.0 is 00000040, 0.5 is 0000003f.
@Suite struct VectorTests {
    private func value(_ sql: String) throws -> SQLiteValue? {
        let connection = try Connection(path: ":memory:", access: .create)
        try registerFunctions(on: connection)
        return try connection.first(sql) { $0.value(0) }
    }

    @Test(arguments: [
        ("SELECT hex(vector('[1, 2, 0.5]'))", .text("0000803F000000400000003F")),
        ("SELECT vector(x'0000803f')", .blob([0, 0, 0x80, 0x3f])),
        ("SELECT vector_to_json(vector('[1, -2.5, 1e-3]'))", .text("[1,-2.5,0.001]")),
        ("SELECT vector_to_json(' [ 0.1 ] ')", .text("[0.1]")),
        ("SELECT vector_norm('[3, 4]')", .real(5)),
        ("SELECT vector_dot('[1, 2, 3]', '[4, 5, 6]')", .real(32)),
        // 3 · 4 + 4 · 3 = 24 of 25
        ("SELECT vector_cosine('[3, 4]', '[4, 3]')", .real(0.96)),
        ("SELECT vector_cosine('[1e-30, 0]', '[1e30, 0]')", .real(1)),
        ("SELECT vector_to_json(vector_add('[1, 2]', '[0.5, -2]'))", .text("[1.5,0]")),
        ("SELECT vector_to_json(vector_sub('[1, 2]', '[0.5, -2]'))", .text("[0.5,4]")),
        ("SELECT vector_to_json(vector_scale('[1, 2]', -2))", .text("[-2,-4]")),
        ("SELECT vector_to_json(vector_scale('[1, 2]', 0.25))", .text("[0.25,0.5]")),
        ("SELECT vector(NULL)", .null), ("SELECT vector_dot(NULL, '[1]')", .null), ("SELECT vector_scale('[1]', NULL)", .null), ("SELECT vector_to_json(NULL)", .null),
    ] as [(String, SQLiteValue)]) func `vectors are computed with as arithmetic says`(sql: String, expected: SQLiteValue) throws { #expect(try value(sql) == expected) }

    @Test(arguments: [
        ("vector('[1, 2')", "vector: \"[1, 2\" is not a JSON array: unexpected end at byte 5\n  hint: give numbers in brackets, such as '[0.1, -0.2]'"),
        ("vector('{}')", "vector: the JSON holds an object, not an array\n  hint: give numbers in brackets, such as '[0.1, -0.2]'"),
        ("vector('[1, \"2\"]')", "vector: element 1 of the vector is a string, not a number\n  hint: give numbers in brackets, such as '[0.1, -0.2]'"),
        ("vector('[]')", "vector: the vector is empty\n  hint: a vector has at least one number"),
        ("vector(x'')", "vector: the vector is empty\n  hint: a vector has at least one number"),
        ("vector(x'000080')", "vector: a blob of 3 bytes is no vector\n  hint: a vector is 4 bytes a number: little-endian float32"),
        ("vector(x'0000803f0000c07f')", "vector: the vector holds a NaN at element 1\n  hint: a vector's numbers are finite float32"),
        ("vector(x'0000807f')", "vector: the vector holds an infinity at element 0\n  hint: a vector's numbers are finite float32"),
        ("vector('[1e39]')", "vector: the vector holds an infinity at element 0\n  hint: a vector's numbers are finite float32"),
        ("vector(7)", "vector: a vector is a blob of float32 or a JSON array, not 7\n  hint: such as vector('[0.1, -0.2]')"),
        ("vector_dot('[1]', '[1, 2]')", "vector_dot: the vectors have 1 and 2 numbers\n  hint: both must be of one space"),
        ("vector_cosine('[0, 0]', '[1, 2]')", "vector_cosine: a vector is zero: it points nowhere\n  hint: leave out zero vectors with vector_norm(v) > 0"),
        ("vector_add('[3e38]', '[3e38]')", "vector_add: a number of the result is too large for float32\n  hint: scale the vectors down first"),
        ("vector_scale('[1]', 'two')", "vector_scale: the factor is the text \"two\", not a number\n  hint: such as vector_scale(v, 0.5)"),
    ]) func `what is no vector is refused`(call: String, message: String) throws {
        #expect { _ = try value("SELECT \(call)") } throws: { ($0 as? SQLiteError)?.message == message }
    }

    @Test func `views may compute with vectors, and with nothing that reads the catalogue`() throws {
        let connection = try Connection(path: ":memory:", access: .create)
        try registerFunctions(on: connection)
        try connection.execute("""
            PRAGMA trusted_schema = 0; CREATE VIEW pure AS SELECT vector_norm('[3, 4]');
            CREATE VIEW reading AS SELECT decoder('P/0/0'); CREATE VIEW searching AS SELECT * FROM nearest('P/0/0')
            """)
        #expect(try connection.first("SELECT * FROM pure") { $0.real(0) } == 5)
        for (view, message) in [("reading", "unsafe use of decoder()"), ("searching", "unsafe use of virtual table \"nearest\"")] {
            #expect { try connection.query("SELECT * FROM \(view)") { _ in } } throws: { ($0 as? SQLiteError)?.message == message }
        }
    }
}
