@testable import Commands
import Testing

private let window = Terminal(isTerminal: true, width: 80, hasColour: false, canRedraw: true)
private let coloured = Terminal(isTerminal: true, width: 80, hasColour: true, canRedraw: true)

private func written(_ table: Table, _ format: OutputFormat = .table, terminal: Terminal = .plain) throws -> String {
    let output = Output.memory()
    try table.write(to: output, format: format, terminal: terminal)
    return output.text
}

private func terminal(width: Int) -> Terminal { Terminal(isTerminal: true, width: width, hasColour: false, canRedraw: true) }

@Suite struct TableTests {
    /// Every kind of cell, and text that could do harm.
    static let table = Table(
        [Column("feature"), Column("tokens fired", key: "active"), Column("density", key: "density"), Column("dead"), Column("label"),
         Column("histogram", key: "histogram"), Column("bar", audience: .people), Column("id", audience: .programs)],
        rows: [
            [.text("A/1/0"), .integer(1_048_576), .real(0.000021, .percent), .boolean(false), .text("a \"quoted\", text"), .series([0, 1, 2.5]), .text("█▌"), .integer(7, .plain)],
            [.text("A/1/12"), .integer(-3), .real(.nan, .percent), .boolean(true), .text("two\nlines"), .series([]), .text(""), .missing],
            [.text("A/1/2"), .missing, .missing, .missing, .text(" the"), .series([4]), .missing, .integer(12_345, .plain)],
        ])

    @Test func `people see aligned columns`() throws {
        #expect(try written(Self.table) == """
            feature  tokens fired   density  dead  label             histogram  bar
            A/1/0       1,048,576  0.0021 %  no    a "quoted", text   ▃█        █▌
            A/1/12             -3       NaN  yes   two⏎lines
            A/1/2               -         -  -      the              █          -

            """)
    }

    @Test func `JSON is one array of objects with unrounded numbers`() throws {
        #expect(try written(Self.table, .json) == #"""
            [
            {"feature":"A/1/0","active":1048576,"density":2.1e-05,"dead":false,"label":"a \"quoted\", text","histogram":[0,1,2.5],"id":7},
            {"feature":"A/1/12","active":-3,"density":null,"dead":true,"label":"two\nlines","histogram":[],"id":null},
            {"feature":"A/1/2","active":null,"density":null,"dead":null,"label":" the","histogram":[4],"id":12345}
            ]

            """#)
    }

    @Test func `JSON Lines are the same objects`() throws {
        #expect(try written(Self.table, .jsonl) == #"""
            {"feature":"A/1/0","active":1048576,"density":2.1e-05,"dead":false,"label":"a \"quoted\", text","histogram":[0,1,2.5],"id":7}
            {"feature":"A/1/12","active":-3,"density":null,"dead":true,"label":"two\nlines","histogram":[],"id":null}
            {"feature":"A/1/2","active":null,"density":null,"dead":null,"label":" the","histogram":[4],"id":12345}

            """#)
    }

    @Test func `CSV is quoted where it must be`() throws {
        #expect(try written(Self.table, .csv) == #"""
            feature,active,density,dead,label,histogram,id
            A/1/0,1048576,2.1e-05,false,"a ""quoted"", text","[0,1,2.5]",7
            A/1/12,-3,,true,"two
            lines",[],
            A/1/2,,,," the",[4],12345

            """#)
    }

    @Test(arguments: [
        ("plain", "plain"), ("", "\"\""), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\nb", "\"a\nb\""), ("a\r\nb", "\"a\r\nb\""),
        ("\u{301}", "\u{301}"), ("\"\u{301}", "\"\"\"\u{301}\""), ("a;b\tc", "a;b\tc"), ("trailing ", "\"trailing \""),
    ])
    func `CSV fields follow RFC 4180`(text: String, field: String) throws {
        #expect(try written(Table([Column("x")], rows: [[.text(text)]]), .csv) == "x\n" + field + "\n")
    }

    @Test(arguments: [(.table, "a  b\n"), (.json, "[]\n"), (.jsonl, ""), (.csv, "a,b\n")] as [(OutputFormat, String)])
    func `a table without rows is still a document`(format: OutputFormat, text: String) throws {
        #expect(try written(Table([Column("a"), Column("b")]), format) == text)
    }

    @Test func `keys that occur twice are numbered`() throws {
        #expect(try written(Table([Column("n"), Column("n"), Column("n")], rows: [[.integer(1), .integer(2), .integer(3)]]), .jsonl) == #"{"n":1,"n_2":2,"n_3":3}"# + "\n")
    }

    @Test func `a float keeps its own decimals`() throws {
        #expect(try written(Table([Column("x")], rows: [[Cell(Float(0.1))], [Cell(Float?.none)]]), .csv) == "x\n0.1\n\n")
    }

    @Test func `wide characters take two columns`() throws {
        let table = Table([Column("token"), Column("n")], rows: [
            [.text("漢字"), .integer(1)], [.text("한국"), .integer(20)], [.text("👩‍👩‍👧"), .integer(3)], [.text("🇩🇪é"), .integer(4)], [.text("e\u{301}x"), .integer(5)],
        ])
        #expect(try written(table) == """
            token   n
            漢字    1
            한국   20
            👩‍👩‍👧      3
            🇩🇪é     4
            e\u{301}x      5

            """)
    }

    @Test func `text from right to left is isolated on a terminal and left alone in a pipe`() throws {
        let table = Table([Column("token"), Column("n")], rows: [[.text("שלום"), .integer(1)], [.text("latin"), .integer(2)]])
        #expect(try written(table, terminal: window) == "token  n\n\u{2068}שלום\u{2069}   1\nlatin  2\n")
        #expect(try written(table) == "token  n\nשלום   1\nlatin  2\n")
    }

    @Test func `flexible columns give way`() throws {
        let table = Table([Column("feature"), Column("context", isFlexible: true), Column("act")], rows: [
            [.text("A/1/0"), .excerpt(Excerpt(before: "it was the best of ", focus: "times", after: ", it was the worst of times")), .real(1.5, .fixed(1))],
            [.text("A/1/1"), .excerpt(Excerpt(before: "", focus: "It", after: " was")), .real(12, .fixed(1))],
        ])
        let narrow = try written(table, terminal: terminal(width: 40))
        #expect(narrow == """
            feature  context                     act
            A/1/0    …best of «times», it was…   1.5
            A/1/1    «It» was                   12.0

            """)
        #expect(try written(table, terminal: coloured).split(separator: "\n")[1]
            == "A/1/0    it was the best of \u{1b}[1;33mtimes\u{1b}[0m, it was the worst of times   1.5")
        // Nothing gives way below eight columns, and what cannot give way is written whole.
        #expect(try written(table, terminal: terminal(width: 5)).split(separator: "\n")[2] == "A/1/1    «It» was  12.0")
    }

    @Test func `a file or a pipe has no width, and gets every cell whole`() throws {
        let long = String(repeating: "0123456789", count: 50)
        let table = Table([Column("feature_id", isFlexible: true), Column("text", isFlexible: true), Column("mean", isFlexible: true)], rows: [
            [.integer(4_294_967_297, .plain), .text("it was the best of times, it was the worst of times, it was the age of «wisdom»"), .real(0.5)],
            [.integer(4_294_967_298, .plain), .excerpt(Excerpt(before: "it was the best of times, it was the worst of times, ", focus: "it", after: " was the age of wisdom")), .missing],
        ])
        #expect(try written(table) == """
            feature_id  text                                                                               mean
            4294967297  it was the best of times, it was the worst of times, it was the age of «wisdom»  0.5000
            4294967298  it was the best of times, it was the worst of times, «it» was the age of wisdom       -

            """)
        #expect(try written(table, terminal: terminal(width: 80)).split(separator: "\n").allSatisfy { displayWidth(of: $0) <= 80 })
        // One long text does not fill every other row with as many spaces.
        #expect(try written(Table([Column("a"), Column("b")], rows: [[.text(long), .text("x")], [.text("y"), .text("z")]]))
            == "a" + spaces(401) + "b\n" + long + "  x\ny" + spaces(401) + "z\n")
        var facts = Facts()
        facts.append("label", .text(long))
        let output = Output.memory()
        try facts.write(to: output, format: .table, terminal: .plain)
        #expect(output.text == "label  \(long)\n")
    }

    @Test(arguments: [(0.5, "0.5"), (-0.0, "0"), (100, "100"), (1234.5, "1,234.5"), (999_999.96, "1,000,000"), (-1234567.0, "-1,234,567"), (1e15, "1.00000e+15"), (-0.000021, "-0.000021"), (.infinity, "∞")] as [(Double, String)])
    func `a real number is written with six digits at most and no zeros behind them`(value: Double, text: String) { #expect(NumberFormat.atMost(6).text(value) == text) }

    @Test func `facts are lines for people and an object for programs`() throws {
        var facts = Facts()
        facts.append("feature", .text("A/1/2357"))
        facts.append("fires on", key: "density", .real(0.0123, .percent))
        facts.append("raw", audience: .programs, .integer(5))
        facts.append("label", .missing)
        func text(_ format: OutputFormat) throws -> String {
            let output = Output.memory()
            try facts.write(to: output, format: format, terminal: .plain)
            return output.text
        }
        #expect(try text(.table) == "feature   A/1/2357\nfires on  1.2 %\nlabel     -\n")
        #expect(try text(.json) == "{\n  \"feature\": \"A/1/2357\",\n  \"density\": 0.0123,\n  \"raw\": 5,\n  \"label\": null\n}\n")
        #expect(try text(.jsonl) == #"{"feature":"A/1/2357","density":0.0123,"raw":5,"label":null}"# + "\n")
        #expect(try text(.csv) == "feature,density,raw,label\nA/1/2357,0.0123,5,\n")
    }

    @Test func `a command prints in the format that was asked for`() {
        #expect(transcript("sample f --model m --sae a -k 2").output == """
            feature  score     tokens
            A/1/0    0.333          0
            A/1/1    0.250  1,048,576

            """)
        #expect(transcript("sample f --model m --sae a -k 2 --table") == transcript("sample f --model m --sae a -k 2"))
        #expect(transcript("sample f --model m --sae a --table --csv").errors.contains("--table and --csv exclude each other"))
        #expect(transcript("sample f --model m --sae a -k 1 --jsonl").output == #"{"feature":"A/1/0","score":0.3333333333333333,"tokens":0}"# + "\n")
    }
}
