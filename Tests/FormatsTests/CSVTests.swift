import Formats
import Testing

/// Expected values are RFC 4180's own examples and what Python's csv module reads. Mutations tried: doubled quotes kept double; line breaks
/// in quotes not counted.
struct CSVTests {
    private func records(_ bytes: [UInt8], limit: Int = 1000) throws(CSVError) -> [CSVRecord] {
        let result: Result<[CSVRecord], CSVError> = bytes.withUnsafeBytes { raw in
            var reader = CSVReader(raw, recordLimit: limit), all: [CSVRecord] = []
            do throws(CSVError) { while let record = try reader.next() { all.append(record) } } catch { return .failure(error) }
            return .success(all)
        }
        return try result.get()
    }

    @Test(arguments: [
        ("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", [["aaa", "bbb", "ccc"], ["zzz", "yyy", "xxx"]], [1, 2]),
        ("aaa,bbb,ccc\nzzz,yyy,xxx", [["aaa", "bbb", "ccc"], ["zzz", "yyy", "xxx"]], [1, 2]),
        ("\"aaa\",\"b \r\nbb\",\"ccc\"\r\nzzz,yyy,xxx", [["aaa", "b \r\nbb", "ccc"], ["zzz", "yyy", "xxx"]], [1, 3]),
        ("\"aaa\",\"b\"\"bb\",\"ccc\"", [["aaa", "b\"bb", "ccc"]], [1]),
        ("\u{feff}a,\n,b\n", [["a", ""], ["", "b"]], [1, 2]), ("\n\r\na\n\n\nb", [["a"], ["b"]], [3, 6]), ("", [], []), ("\n", [], []), ("\"\"", [[""]], [1]), (" a , b ", [[" a ", " b "]], [1]),
        ("\"\"\"\"", [["\""]], [1]), ("\"a,b\"", [["a,b"]], [1]), ("\"e\u{301}\"\"\u{301}\"", [["e\u{301}\"\u{301}"]], [1]),
    ]) func `records and their lines`(text: String, fields: [[String]], lines: [Int]) throws {
        let records = try records(Array(text.utf8))
        #expect(records.map(\.fields) == fields && records.map(\.line) == lines)
    }

    @Test(arguments: [
        ("a,b\"c\n", "a quote inside a field that does not begin with one", 1), ("a\n\"b\"c", "text behind the closing quote of a field", 2), ("a\nb,\"c\nd", "a field in quotes that does not end", 2),
        ("a\rb", "a carriage return that does not end the line", 1), ("x\n" + String(repeating: "a", count: 1001), "a record of more than 1000 bytes", 2),
        ("x\n\n\"" + String(repeating: "a\n", count: 600) + "\"", "a record of more than 1000 bytes, or a field in quotes that does not end", 3),
    ]) func `what is no CSV is refused, with its line`(text: String, problem: String, line: Int) {
        #expect(throws: CSVError(problem: problem, line: line)) { try records(Array(text.utf8)) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: CSVError(problem: "bytes that are not UTF-8", line: 2)) { try records(Array("a\n".utf8) + [0xff]) }
    }

    @Test func `what is quoted is read back`() throws {
        let pieces = ["\"", ",", "\n", "\r\n", "a", " ", "é", "\u{301}", "👩‍👧", "שלום", "\u{202e}"]
        var fields: [String] = []
        for a in pieces { for b in pieces { for c in pieces { fields.append(a + b + c) } } }
        let text = fields.map(quotedForCSV).joined(separator: ",")
        #expect(try records(Array(text.utf8), limit: 1 << 20).first?.fields.map { Array($0.utf8) } == fields.map { Array($0.utf8) })
    }
}
