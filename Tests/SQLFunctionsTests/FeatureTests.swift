import FeatureCatalogue
import Foundation
import SQLFunctions
import SQLite
import TestSupport
import Testing

/// The functions that read a catalogue, against the planted one. feature_id is dictionary · 2³² + index: P/0 is dictionary 1.
@Suite struct FeatureTests {
    static let p = 1 << 32, s = 4 << 32

    @Test(arguments: [
        ("SELECT feature('P/0/2'), feature_name(feature('S/0/1')), feature(4294967297), feature(NULL)", [["\(p + 2)", "S/0/1", "\(p + 1)", "null"]]),
        ("SELECT decoder('P/0/0'), decoder(\(p + 3)), decoder(NULL)", [["x0000803f0000000000000000", "x000000000000000000000000", "null"]]),
        ("SELECT context(1, 12, 2), context(1, 0, 3), context(1, 80, 2), context(1, NULL, 2)", [[":;«<»=>", "«0»123", "null", "null"]]),
        // Rows (1, 0, 0), (0.6, 0.8, 0), (0.8, 0.6, 0) and zeros.
        ("SELECT feature, feature_id, round(cosine, 6), rank FROM nearest('P/0/0', 10)", [["P/0/2", "\(p + 2)", "0.8", "1"], ["P/0/1", "\(p + 1)", "0.6", "2"]]),
        ("SELECT feature, feature_id, round(cosine, 6), rank FROM nearest(\(p), 1)", [["P/0/2", "\(p + 2)", "0.8", "1"]]),
        ("SELECT feature, round(cosine, 6) FROM nearest('[0, 5, 0]', 9223372036854775807, 'P/0')", [["P/0/1", "0.8"], ["P/0/2", "0.6"], ["P/0/0", "0.0"]]),
        ("SELECT feature, round(cosine, 6) FROM nearest(decoder('P/0/1'), 2, 'P/0')", [["P/0/1", "1.0"], ["P/0/2", "0.96"]]),
        ("SELECT feature, round(cosine, 6) FROM nearest('P/0/2', 5, 'S/0')", [["S/0/1", "0.8"], ["S/0/0", "0.6"]]),
        ("SELECT feature FROM nearest('P/0/0', 10.0) WHERE cosine > 0.7", [["P/0/2"]]),
        ("SELECT count(*) FROM nearest('P/0/3')", [["0"]]),
        ("SELECT count(*) FROM nearest(NULL, 3)", [["0"]]),
        ("SELECT count(*), max(k), max(dictionary) FROM nearest('P/0/0', NULL, NULL)", [["2", "null", "null"]]),
        ("SELECT feature, round(cosine, 6), rank FROM neighbours('P/0/1', 1)", [["P/0/2", "0.96", "1"]]),
        // Forms and command lines bind numbers as text.
        ("SELECT feature FROM nearest('4294967296', '1')", [["P/0/2"]]),
        ("SELECT feature FROM neighbours('4294967297', ' 1 ')", [["P/0/2"]]),
        ("SELECT feature('4294967298'), feature_name('4294967298'), decoder('4294967296'), context('1', '12', '2')", [["\(p + 2)", "P/0/2", "x0000803f0000000000000000", ":;«<»=>"]]),
        ("SELECT count(*) FROM activations('4294967296')", [["9"]]),
        ("SELECT text FROM examples('4294967298', '1', '0')", [["«\u{7f}»"]]),
        ("SELECT feature FROM cofiring('4294967296', '5')", [["P/0/1"]]),
        ("SELECT f.feature, n.feature FROM feature_overview AS f, nearest(f.feature_id, 1) AS n WHERE f.dictionary = 'P/0' ORDER BY f.feature_index",
         [["P/0/0", "P/0/2"], ["P/0/1", "P/0/2"], ["P/0/2", "P/0/1"]]),
        ("SELECT a.feature, b.rank FROM nearest('P/0/0', 2) AS a JOIN nearest(a.feature, 1) AS b", [["P/0/2", "1"], ["P/0/1", "1"]]),
        // Fires on the first two tokens of documents 0 … 3 with 1 … 8, and on position 45 with 0.5.
        ("SELECT * FROM activations('P/0/0') WHERE position > 20", [["2", "21", "1", "21", "E", "6.0", "red", "1"], ["3", "30", "0", "30", "N", "7.0", "red", "1"],
                                                                     ["3", "31", "1", "31", "O", "8.0", "red", "1"], ["4", "45", "5", "45", "]", "0.5", "blue", "1"]]),
        ("SELECT count(*), sum(value), min(document), max(document) FROM activations('P/0/1')", [["80", "80.0", "0", "7"]]),
        ("SELECT count(*) FROM activations('P/0/3')", [["0"]]),
        ("SELECT topic, count(*) FROM activations('P/0/0') GROUP BY topic ORDER BY topic", [["blue", "1"], ["red", "8"]]),
        ("SELECT * FROM examples('P/0/2', 3, 2)", [["1", "3.0", "}~«\u{7f}»", "7", "79", "9", "blue", "1"]]),
        ("SELECT text FROM examples('P/0/2', 1, 0)", [["«\u{7f}»"]]),
        // 9 of 80, all on tokens of feature 1, which fires on all; 0 and 2 never meet.
        ("SELECT feature, feature_id, count, share, share_of_other, lift, correlation, rank FROM cofiring('P/0/0')", [["P/0/1", "\(p + 1)", "9", "1.0", "0.1125", "1.0", "0.0", "1"]]),
        ("SELECT feature, count, share, share_of_other FROM cofiring('P/0/1', 5)", [["P/0/0", "9", "0.1125", "1.0"], ["P/0/2", "1", "0.0125", "1.0"]]),
        ("SELECT count(*) FROM cofiring('P/0/3')", [["0"]]),
    ]) func `what is planted is found`(sql: String, expected: [[String]]) throws {
        #expect(try World.with { try $0.ask(sql) } == expected)
    }

    static let tagged: [(sql: String, rows: [[String]])] = [
        // Of 40 red tokens and 40 blue: 0 fires on 8 and 1, with 36 of 36.5; 1 on all; 2 on the last.
        ("SELECT feature, feature_id, firings, firings_tagged, documents, specificity, sensitivity, f1, enrichment, mass_specificity, rank FROM tagged('red', 'P/0')", [
            ["P/0/1", "4294967297", "80", "40", "4", "0.5", "1.0", "0.6666666666666666", "1.0", "0.5", "1"], ["P/0/0", "4294967296", "9", "8", "4", "0.8888888888888888", "0.2", "0.32653061224489793", "1.777777777777778", "0.9863013698630136", "2"],
            ["P/0/2", "4294967298", "1", "0", "0", "0.0", "0.0", "0.0", "0.0", "0.0", "3"],
        ]),
        ("SELECT feature, round(correlation, 9), round(binary_correlation, 9) FROM tagged('RED', 'P/0') WHERE rank < 3", [["P/0/1", "null", "null"], ["P/0/0", "0.289781436", "0.27691572"]]),
        ("SELECT count(*), min(position), max(position) FROM tag_positions('blue', 'P/0')", [["40", "40", "79"]]),
        ("SELECT * FROM tag_positions('red', 'P/0') LIMIT 2", [["0", "0", "0", "0", "0", "red", "1"], ["0", "1", "1", "1", "1", "red", "1"]]),
        ("SELECT count(*) FROM tagged(NULL, 'P/0')", [["0"]]), ("SELECT count(*) FROM tag_positions('red', NULL)", [["0"]]),
    ]

    @Test(arguments: tagged) func `how features mark a topic follows from arithmetic`(question: (sql: String, rows: [[String]])) throws {
        #expect(try World.with { try $0.ask(question.sql) } == question.rows)
    }

    @Test(arguments: [
        ("nearest('P/0/4', 1)", "there is no feature \"P/0/4\": P/0 has 4 features\n  hint: feature indices run from 0 to 3"),
        ("nearest('P/7/4', 1)", "no dictionary \"P/7\" in FILE\n  hint: there are P/0, Q/0, R/0, S/0"),
        ("nearest('P/0/0', 0)", "nearest: k is 0\n  hint: k is the number of rows wanted, 1 or more"),
        ("nearest('P/0/0', -9223372036854775808)", "nearest: k is -9223372036854775808\n  hint: k is the number of rows wanted, 1 or more"),
        ("nearest('P/0/0', 'many')", "nearest: k is the text \"many\", not a whole number\n  hint: such as 10"),
        ("nearest('P/0/0', '')", "nearest: k is the text \"\", not a whole number\n  hint: such as 10"),
        ("nearest('P/0/0', '0')", "nearest: k is 0\n  hint: k is the number of rows wanted, 1 or more"),
        ("nearest('P/0/0', '2.5')", "nearest: k is the text \"2.5\", not a whole number\n  hint: such as 10"),
        ("nearest('P/0/0', '0x10')", "nearest: k is the text \"0x10\", not a whole number\n  hint: such as 10"),
        ("nearest('P/0/0', '1 2')", "nearest: k is the text \"1 2\", not a whole number\n  hint: such as 10"),
        ("nearest('P/0/0', '9223372036854775808')", "nearest: k is the text \"9223372036854775808\", not a whole number\n  hint: such as 10"),
        ("nearest('4294967300', 3)", "nearest: there is no feature with the feature_id 4294967300\n  hint: feature('A/1/2357') gives the feature_id of a name"),
        ("nearest('-1', 3)", "nearest: there is no feature with the feature_id -1\n  hint: feature('A/1/2357') gives the feature_id of a name"),
        ("nearest('99999999999999999999', 3)", "\"99999999999999999999\" is not a feature name\n  hint: a feature is named dictionary/index, such as A/1/2357"),
        ("nearest('P/0/0', 1e300)", "nearest: k is 1e+300, not a whole number\n  hint: such as 10"),
        ("nearest('P/0/0', 2.5)", "nearest: k is 2.5, not a whole number\n  hint: such as 10"),
        ("nearest('[1, 0, 0]', 3)", "nearest: a vector says nothing of where to look\n  hint: name a dictionary: nearest(vector, k, 'A/1')"),
        ("nearest('[1, 0]', 3, 'P/0')", "the query vector has 2 numbers; the decoder vectors of P/0 have 3\n  hint: give a vector in the space of blocks.0.mlp.hook_post"),
        ("nearest('[0, 0, 0]', 3, 'P/0')", "the query vector is zero: it points nowhere\n  hint: a feature whose decoder row is zero has no neighbours"),
        ("nearest(x'0000c07f0000000000000000', 3, 'P/0')", "nearest: the vector holds a NaN at element 0\n  hint: a vector's numbers are finite float32"),
        ("nearest(x'000080ff0000000000000000', 3, 'P/0')", "nearest: the vector holds an infinity at element 0\n  hint: a vector's numbers are finite float32"),
        ("nearest(2.5, 3)", "nearest: a feature is given by its name or its feature_id, not by 2.5\n  hint: such as nearest('A/1/2357')"),
        ("nearest(-1, 3)", "nearest: there is no feature with the feature_id -1\n  hint: feature('A/1/2357') gives the feature_id of a name"),
        ("nearest(9223372036854775807, 3)", "nearest: there is no feature with the feature_id 9223372036854775807\n  hint: feature('A/1/2357') gives the feature_id of a name"),
        ("nearest('P/0/0', 3, 7)", "nearest: a dictionary is given by its name, not by 7\n  hint: such as 'A/1'"),
        ("nearest('P/0/0'';DROP TABLE label;--', 3)", "\"P/0/0';DROP TABLE label;--\" is not a feature name\n  hint: a feature is named dictionary/index, such as A/1/2357"),
        ("nearest('P/0/0', 3, 'x'' OR 1=1')", "\"x' OR 1=1\" is not a dictionary name\n  hint: a dictionary version is named family/version, such as A/1, in letters, digits and . _ - + :"),
        ("nearest('P/0/0', 3, 'Q/0')", "P/0 and Q/0 belong to different models: the cosine of their decoder vectors means nothing\n  hint: compare features across models by what they fire on, not by direction"),
        ("nearest('P/0/0', 3, 'R/0')", "P/0 reads blocks.0.mlp.hook_post and R/0 reads blocks.0.hook_mlp_out: the cosine of their decoder vectors means nothing\n  hint: compare dictionaries of one hook point"),
        ("neighbours('[1, 0, 0]', 3, 'P/0')", "\"[1, 0, 0]\" is not a feature name\n  hint: a feature is named dictionary/index, such as A/1/2357"),
        ("activations('S/0/0')", "dictionary \"S/0\" in FILE has not been run over any corpus\n  hint: run monoseme ingest again with the same arguments"),
        ("examples('P/0/0', 1, -1)", "examples: window is -1\n  hint: window is the number of tokens shown on either side, 0 or more"),
        ("examples('P/0/0', 0)", "examples: n is 0\n  hint: n is the number of rows wanted, 1 or more"),
        ("tagged('green', 'P/0')", "there is no topic \"green\" in corpus \"planted.jsonl\"\n  hint: its topics are blue, red"),
        ("tagged(5, 'P/0')", "tagged: a tag is given by its name, not by 5\n  hint: such as tagged('base64-run', 'A/1')"),
        ("tagged('red')", "tagged was called without dictionary: the call is tagged(tag, dictionary)"),
        ("cofiring('P/0/0', 0)", "cofiring: k is 0\n  hint: k is the number of rows wanted, 1 or more"),
    ]) func `what cannot be asked is refused with the reason`(call: String, message: String) throws {
        try World.with { (world) throws in
            #expect(world.refusal("SELECT * FROM \(call)") == message.replacing("FILE", with: "\"\(world.path)\""))
            #expect(try world.ask("SELECT count(*) FROM label") == [["0"]])
        }
    }

    @Test(arguments: [
        "SELECT n.rank, f.density FROM nearest('P/0/0', 2) AS n JOIN feature_overview AS f USING (feature_id) ORDER BY n.rank",
        "SELECT n.rank, f.density FROM nearest('P/0/0', 2) AS n JOIN feature_overview AS f USING (feature_id)",
        "SELECT n.rank, f.* FROM feature_overview AS f JOIN nearest('P/0/0', 2) AS n ON n.feature_id = f.feature_id",
        "SELECT n.rank, t.topic, f.label FROM nearest('P/0/0', 2) AS n JOIN feature_overview AS f USING (feature_id) JOIN topic_rate AS t USING (feature_id)",
        "SELECT n.rank, e.position FROM nearest('P/0/0', 2) AS n JOIN example AS e ON e.feature_id = n.feature_id WHERE e.rank = 1",
    ], ["", "ANALYZE"]) func `a join of nearest with a view searches once and looks features up by id, without hints`(sql: String, statistics: String) throws {
        let plan = try World.with { world in
            try world.connection.execute(statistics)
            return try world.ask("EXPLAIN QUERY PLAN \(sql)").map { $0[3] }
        }
        // A finished catalogue knows how large its tables are.
        if statistics == "ANALYZE" { #expect(plan.first == "SCAN n VIRTUAL TABLE INDEX 3:query=? AND k=?") }
        // Nothing that has a row for each feature is read from end to end.
        #expect(!plan.dropFirst().contains { line in ["SCAN f", "SCAN s", "SCAN e", "SCAN ft"].contains { line == $0 || line.hasPrefix($0 + " ") } }, "\(plan)")
    }

    @Test func `firings that are kept for a join are looked up by position`() throws {
        let join = """
            WITH a AS MATERIALIZED (SELECT position FROM activations('P/0/0')), b AS MATERIALIZED (SELECT position, value FROM activations('P/0/1'))
            SELECT count(*), sum(b.value) FROM a JOIN b USING (position)
            """
        try World.with { (world) throws in
            let plan = try world.ask("EXPLAIN QUERY PLAN \(join)").map { $0[3] }
            #expect(plan.contains { $0.hasPrefix("SEARCH") && $0.contains("AUTOMATIC COVERING INDEX (position=?)") }, "\(plan)")
            #expect(try world.ask(join) == [["9", "9.0"]])
        }
    }

    @Test(arguments: [
        ("SELECT count(*) FROM example", "run_id=?"),
        ("SELECT * FROM example", "run_id=?"),
        ("SELECT * FROM example WHERE dictionary = 'P/0' AND rank = 1", "run_id=?"),
        ("SELECT * FROM example WHERE feature_id = 4294967298", "run_id=? AND feature_id=?"),
        ("SELECT * FROM example WHERE feature_id = 4294967298 AND rank = 1", "run_id=? AND feature_id=? AND rank=?"),
    ], [true, false]) func `examples are read in the order they lie in, whatever the planner knows of sizes`(query: (sql: String, key: String), hasStatistics: Bool) throws {
        let plan = try World.with { (world) throws in
            // What ANALYZE says of the fixtures' corpus and dictionaries, where a plan of the planner's own is a product of five tables.
            if hasStatistics {
                try world.connection.execute("""
                    ANALYZE; DELETE FROM sqlite_stat1;
                    INSERT INTO sqlite_stat1 VALUES ('feature_example', 'feature_example', '88398 44199 20 1'), ('feature', NULL, '4608'), ('dictionary', 'sqlite_autoindex_dictionary_1', '2 1'),
                    ('run', 'sqlite_autoindex_run_1', '2 1'), ('topic', 'sqlite_autoindex_topic_1', '20 20 1'), ('document', 'document', '814 814 1'), ('source', 'sqlite_autoindex_source_1', '1 1 1');
                    ANALYZE sqlite_schema
                    """)
            }
            return try world.ask("EXPLAIN QUERY PLAN \(query.sql)").map { $0[3] }.filter { $0.contains("SCAN") || $0.contains("SEARCH") }
        }
        #expect(plan.map { $0.split(separator: " ")[1] } == ["d", "r", "e", "f", "doc", "document", "t", "source"])
        #expect(plan.count == 8 && plan[2] == "SEARCH e USING PRIMARY KEY (\(query.key))", "\(plan)")
    }

    @Test func `the view of examples holds the rows it held before it was given an order`() throws {
        let migration = try String(contentsOf: repository.appending(path: "Migrations/0005_views.sql"), encoding: .utf8)
        let former = try #require(migration.split(separator: ";").first { $0.contains("CREATE VIEW example AS") })
        try World.with { (world) throws in
            try world.connection.execute(String(former).replacing("CREATE VIEW example", with: "CREATE TEMP VIEW former"))
            for (here, there) in [("example", "former"), ("former", "example")] { #expect(try world.ask("SELECT * FROM \(here) EXCEPT SELECT * FROM \(there)") == []) }
            let counts = try world.ask("SELECT (SELECT count(*) FROM example), (SELECT count(*) FROM former), count(*) FROM feature_example")[0]
            #expect(Set(counts).count == 1 && counts[0] != "0")
            #expect(try world.ask("SELECT name, type FROM pragma_table_info('example')") == world.ask("SELECT name, type FROM pragma_table_info('former')"))
        }
    }

    @Test func `lists of which only the strongest firings were kept are not counted`() throws {
        try World.with { (world) throws in
            try world.connection.execute("UPDATE run SET keep_top = 5")
            #expect(world.refusal("SELECT * FROM cofiring('P/0/0')") == "P/0 keeps only the 5 strongest firings of each feature: what fires together cannot be counted from these\n  hint: ingest it again without --keep top")
        }
    }

    @Test func `a corpus that grows while a connection stays open is seen`() throws {
        try World.with { (world) throws in
            let reader = try Connection(path: world.path, access: .readOnly)
            try registerFunctions(on: reader)
            #expect(try reader.first("SELECT context(1, 79, 1)") { $0.text(0) } == "~«\u{7f}»")
            try world.connection.execute("UPDATE token SET bytes = x'21' WHERE token = 79")
            #expect(try reader.first("SELECT context(1, 79, 1)") { $0.text(0) } == "~«!»")
        }
    }

    @Test func `an answer under way sees the state it began in, whatever is written meanwhile`() throws {
        try World.with { (world) throws in
            let reader = try Connection(path: world.path, access: .readOnly)
            try registerFunctions(on: reader)
            var statement = try Statement("SELECT position, token_text FROM activations('P/0/1')", on: reader)
            var rows = 0
            while try statement.step() {
                if rows == 3 { try world.connection.execute("DELETE FROM posting; UPDATE token SET bytes = x'21', text = '!'; DELETE FROM document") }
                let (position, text) = (statement.integer(0), statement.text(1))
                #expect(position == rows && text == String(UnicodeScalar(UInt8(0x30 + rows))))
                rows += 1
            }
            #expect(rows == 80)
            #expect(try reader.integer("SELECT count(*) FROM activations('P/0/1')") == 0)
        }
    }

    @Test(arguments: [
        "UPDATE dictionary SET features = 9223372036854775807", "UPDATE segment SET first_position = 9223372036854775807", "UPDATE segment SET tokens = -1", "UPDATE document SET tokens = -5",
        "UPDATE document SET first_position = first_position + 9223372036854775000", "DELETE FROM document", "DELETE FROM token_block", "DELETE FROM token", "UPDATE corpus SET tokens = 9223372036854775807",
        "UPDATE posting SET list = x'00ffffffff7f'", "UPDATE posting SET list = x''", "UPDATE decoder_block SET rows = 9223372036854775807", "UPDATE decoder_block SET vectors = x'00'",
        "UPDATE feature_example SET position = 9223372036854775807", "UPDATE feature_example SET position = -9223372036854775808", "DELETE FROM topic", "UPDATE statistic SET firings = -9223372036854775808",
        "UPDATE run SET tokens = -1", "DELETE FROM statistic", "UPDATE code_block SET codes = zeroblob(length(codes))",
    ]) func `a damaged catalogue is refused or answered, and ends no process`(damage: String) throws {
        try World.with { (world) throws in
            try world.connection.execute("PRAGMA foreign_keys = 0; \(damage)")
            for call in ["nearest('P/0/0')", "nearest('[1, 2, 3]', 9, 'P/0')", "nearest('P/0/9223372036854775806')", "activations('P/0/1')", "examples('P/0/2')", "cofiring('P/0/0')", "tagged('red', 'P/0')", "tag_positions('blue', 'P/0')"] { _ = world.refusal("SELECT * FROM \(call)") }
            for call in ["context(1, 79, 3)", "context(1, 9223372036854775806, 3)", "decoder('P/0/3')", "feature_name(4294967295)", "decoder('P/0/99999999999')"] { _ = world.refusal("SELECT \(call)") }
        }
    }

    @Test(arguments: ["", "CREATE TABLE song (name TEXT)"]) func `a database that is no catalogue takes the functions, and they say what is wrong`(schema: String) throws {
        let connection = try Connection(path: ":memory:", access: .create)
        try connection.execute(schema)
        try registerFunctions(on: connection)
        let message = schema.isEmpty ? "\":memory:\" is empty: it holds no catalogue" : "\":memory:\" is an SQLite database, but not a Monoseme catalogue"
        for sql in ["SELECT decoder('P/0/0')", "SELECT feature, feature_id, round(cosine, 6), rank FROM nearest('P/0/0')", "SELECT * FROM activations('P/0/0')"] {
            #expect { try connection.query(sql) { _ in } } throws: { ($0 as? SQLiteError)?.message == message + "\n  hint: open a catalogue as the connection's main database; attached ones are not looked at" }
        }
    }
}
