@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import SQLite
import TestSupport
import Testing

/// `monoseme sql` and the page that describes it, over the fixtures' catalogue.
@Suite struct SQLTests {
    private func ask(_ words: String...) -> (status: Int32, output: String, errors: String) { QueryTests.monoseme(["sql"] + words, catalogue: QueryTests.catalogue) }

    /// Each ```sql block of SQL.md, and the ```text block that follows it.
    static let examples: [(query: String, answer: String)] = {
        let page = try! String(contentsOf: repository.appending(path: "SQL.md"), encoding: .utf8)
        return page.components(separatedBy: "```sql\n").dropFirst().map { part in
            let pieces = part.components(separatedBy: "```")
            return (pieces[0], pieces.count > 2 && pieces[1] == "\n" && pieces[2].hasPrefix("text\n") ? String(pieces[2].dropFirst(5)) : "no answer follows")
        }
    }()

    @Test(arguments: examples) func `the page's examples answer as it says`(query: String, answer: String) {
        let found = ask(query)
        #expect(found.status == 0 && found.output == answer, "\(found.errors)")
    }

    @Test func `the page names every view, function and column there is`() throws {
        let page = try String(contentsOf: repository.appending(path: "SQL.md"), encoding: .utf8)
        #expect(SQLTests.examples.count >= 20)
        let views = try JSON(parsing: ask("SELECT v.name AS view, group_concat('`' || c.name || '`', ', ') AS columns FROM sqlite_schema AS v, pragma_table_info(v.name) AS c WHERE v.type = 'view' GROUP BY v.name", "--json").output).array!
        #expect(views.count >= 9)
        for view in views {
            #expect(page.contains(view["view"]!.string!))
            // The list of columns may be broken over lines.
            #expect(page.replacingOccurrences(of: "\n", with: " ").contains(view["columns"]!.string! + "."), "\(view)")
        }
        let functions = ["nearest", "neighbours", "activations", "examples", "cofiring", "tagged", "tag_positions"]
        for function in functions {
            #expect(page.contains("### \(function)("))
            let section = page.components(separatedBy: "### \(function)(")[1].components(separatedBy: "\n##")[0]
            for column in try JSON(parsing: ask("SELECT name FROM pragma_table_xinfo('\(function)')", "--json").output).array! where function != "neighbours" {
                #expect(section.contains(column["name"]!.string!), "\(function): \(column)")
            }
        }
        // Those that a plain SQLite does not have.
        let known = try memoryFunctions()
        for function in try JSON(parsing: ask("SELECT DISTINCT name FROM pragma_function_list", "--json").output).array!.map({ $0["name"]!.string! }) where !known.contains(function) {
            #expect(page.contains("`\(function)("), "\(function)")
        }
    }

    private func memoryFunctions() throws -> Set<String> {
        Set(try Connection(path: ":memory:", access: .create).rows("SELECT name FROM pragma_function_list") { $0.text(0) })
    }

    static let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"

    @Test(arguments: [
        ("1", .integer(1)), ("-7", .integer(-7)), ("9223372036854775808", .real(9223372036854775808)), ("0.5", .real(0.5)), ("1e3", .real(1000)), ("NULL", .null), ("null", .null),
        ("'1'", .text("1")), ("'it''s'", .text("it's")), ("'it's'", .text("'it's'")), ("x'00fF'", .blob([0, 255])), ("x'0'", .text("x'0'")), ("x'0g'", .text("x'0g'")), ("x''", .blob([])),
        ("A/1/7", .text("A/1/7")), ("", .text("")), ("nan", .text("nan")), ("inf", .text("inf")), ("0x10", .text("0x10")), ("'", .text("'")), ("''", .text("")), ("1e999", .text("1e999")),
    ] as [(String, SQLiteValue)]) func `a parameter's value is read as SQL would, or is the text`(text: String, value: SQLiteValue) {
        #expect(SQLiteValue(literal: text) == value)
    }

    @Test func `parameters are bound by name, whichever sign they carry`() {
        let answer = ask("SELECT :a + 1 AS a, @b AS b, $c AS c, typeof(:d) AS d", "--param", "a=41", "--param", "b='41'", "--param", ":c=x=y", "--param", "d=NULL", "--jsonl")
        #expect(answer == (0, "{\"a\":42,\"b\":\"41\",\"c\":\"x=y\",\"d\":\"null\"}\n", ""))
        // A value is never SQL.
        #expect(ask("SELECT count(*) AS n FROM feature_overview WHERE feature = :f", "--param", "f=' OR 1=1 --", "--csv") == (0, "n\n0\n", ""))
    }

    @Test(arguments: [
        (["SELECT :a"], 1, "monoseme: the query has the parameter :a, and no value for it\n  hint: give it with --param a=VALUE\n"),
        (["SELECT ?"], 1, "monoseme: the query has a parameter without a name\n  hint: write :name in place of ?, and give the value with --param name=value\n"),
        (["SELECT :a", "--param", "a=1", "--param", "b=1"], 1, "monoseme: the query has no parameter :b\n  hint: it has :a\n"),
        (["SELECT 1", "--param", "b"], 2, "monoseme: --param takes NAME=VALUE, not \"b\"\n  hint: such as --param k=10; see `monoseme sql --help`\n"),
        ([], 2, "monoseme: no query given\n  hint: give a SELECT statement, - to read it from standard input, or --file FILE; see `monoseme sql --help`\n"),
        (["SELECT 1", "--file", "x"], 2, "monoseme: a query and --file were given\n  hint: ask one of them; see `monoseme sql --help`\n"),
        (["--file", "/nowhere.sql"], 1, "monoseme: cannot open \"/nowhere.sql\": No such file or directory\n"),
        (["SELECT * FROM nearest('A/1/1', 0)"], 1, "monoseme: the query failed: nearest: k is 0\n  hint: k is the number of rows wanted, 1 or more\n"),
        (["SELECT x"], 1, "monoseme: the query failed: no such column: x\n  hint: list the views with: monoseme sql \"SELECT name FROM sqlite_schema WHERE type = 'view'\"\n"),
        ([" ; "], 1, "monoseme: the query failed: no statement\n  hint: SQL.md describes the views and functions\n"),
        ([numbers + " SELECT count(*) FROM n", "--timeout", "0.05"], 1, "monoseme: the query took longer than 0.05 s and was stopped\n  hint: give it more time with --timeout, or ask for less\n"),
        (["SELECT count(*) FROM feature AS f, cofiring(f.id, 1)", "--timeout", "0.05"], 1, "monoseme: the query took longer than 0.05 s and was stopped\n  hint: give it more time with --timeout, or ask for less\n"),
    ] as [([String], Int32, String)]) func `what cannot be asked says why`(words: [String], status: Int32, message: String) {
        let answer = QueryTests.monoseme(["sql"] + words, catalogue: QueryTests.catalogue)
        #expect(answer == (status, "", message))
    }

    @Test func `a statement comes from a file, with comments and semicolons behind it`() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "query.sql")
            try "-- what is one?\nSELECT 1 AS one;\n; -- it is this\n".write(to: file, atomically: true, encoding: .utf8)
            #expect(ask("--file", file.path, "--csv") == (0, "one\n1\n", ""))
        }
    }

    @Test func `a statement with a NUL character is refused, not cut there`() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "query.sql")
            try "SELECT 1 AS one\0, 2 AS two".write(to: file, atomically: true, encoding: .utf8)
            #expect(ask("--file", file.path) == (1, "", "monoseme: the query holds a NUL character, its byte 16\n  hint: write char(0) in its place, or x'00' in a blob\n"))
        }
    }

    @Test(arguments: [("--json", "[\n{\"v\":1},\n{\"v\":2}\n]\n"), ("--jsonl", "{\"v\":1}\n{\"v\":2}\n"), ("--csv", "v\n1\n2\n"), ("--table", "v\n1\n2\n")])
    func `an answer that fails on its way is a whole document of the rows before`(format: String, output: String) {
        // The third row overflows.
        let answer = ask("SELECT iif(column1 < 3, column1, abs(-9223372036854775807 - (column1 - 2))) AS v FROM (VALUES (1), (2), (3))", format)
        #expect(answer == (1, output, "monoseme: the query failed: integer overflow\n  hint: SQL.md describes the views and functions\n"))
    }

    @Test func `an endless answer ends at the limit and says so`() {
        let more = "monoseme: stopped after 3 rows, as --limit-rows says; there are more\n"
        #expect(ask(SQLTests.numbers + " SELECT i FROM n", "--limit-rows", "3", "--jsonl") == (0, "{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n", more))
        #expect(ask(SQLTests.numbers + " SELECT i FROM n", "--limit-rows", "3", "--json") == (0, "[\n{\"i\":1},\n{\"i\":2},\n{\"i\":3}\n]\n", more))
        #expect(ask("VALUES (1), (2), (3)", "--limit-rows", "3", "--csv") == (0, "column1\n1\n2\n3\n", ""))
    }

    @Test func `a long table fits its columns to the first rows and prints the others as they come`() {
        let lines = ask(SQLTests.numbers + " SELECT i, 'r' || i AS name FROM n", "--limit-rows", "10001").output.split(separator: "\n")
        #expect(lines.count == 10_002)
        #expect(lines[0] == "   i  name" && lines[1] == "   1  r1" && lines[1000] == "1000  r1000" && lines[10_001] == "10001  r10001")
    }

    @Test func `a large blob is shown to people in part and given to programs whole`() {
        #expect(ask("SELECT zeroblob(100) AS b").output.contains("…"))
        #expect(ask("SELECT zeroblob(100) AS b", "--csv").output == "b\n" + String(repeating: "00", count: 100) + "\n")
    }

    @Test func `what fires together is what a join of all firings says`() throws {
        let join = """
            SELECT b.id AS feature_id, count(*) AS count FROM activations('A/0/28') AS a
            JOIN (SELECT f.id, x.position FROM feature AS f JOIN activations(f.id) AS x WHERE f.id < feature('A/1/0') AND f.id % 40 = 3) AS b USING (position) GROUP BY b.id ORDER BY 1
            """
        let counted = ask("SELECT feature_id, count FROM cofiring('A/0/28', 100000) WHERE feature_id % 40 = 3 ORDER BY 1", "--csv").output
        #expect(counted == ask(join, "--csv").output && counted.split(separator: "\n").count > 5)
    }
}
