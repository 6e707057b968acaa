@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import SQLite
import TestSupport
import Testing

/// `monoseme search`, and searching by `monoseme sql`, over the fixtures' catalogue: A/1/7 is "a label, with a comma", A/1/1199 "Base64".
@Suite struct SearchCommandTests {
    private func ask(_ words: String...) -> (status: Int32, output: String, errors: String) { QueryTests.monoseme(words, catalogue: QueryTests.catalogue) }

    @Test func `what is found is shown with why`() throws {
        let rows = try #require(try JSON(parsing: ask("search", "label:base64", "--json").output).array)
        #expect(rows.count == 1 && rows[0]["feature"]?.string == "A/1/1199" && rows[0]["status"]?.string == "accepted" && rows[0]["match_column"]?.string == "label" && rows[0]["match"]?.string == "«Base64»")
        let overview = try #require(try JSON(parsing: ask("sql", "SELECT density, top_token FROM feature_overview WHERE feature = 'A/1/1199'", "--json").output).array?.first)
        #expect(rows[0]["density"] == overview["density"] && rows[0]["top_token"] == overview["top_token"])
        // The label goes before topics of that name, and both are found.
        let both = try #require(try JSON(parsing: ask("search", "base64", "--in", "A/1", "--json").output).array)
        #expect(both[0]["feature"]?.string == "A/1/1199" && both.count > 1 && both.dropFirst().contains { $0["topic"]?.string == "Base64" })
    }

    @Test func `a token without letters is found among the features that fire on it`() throws {
        let found = try Set(#require(try JSON(parsing: ask("search", "tokens:\",\"", "-k", "100000", "--json").output).array).map { $0["feature"]!.string! })
        let expected = try Set(#require(try JSON(parsing: ask("sql", """
            SELECT DISTINCT d.name || '/' || (ft.feature_id & 4294967295) AS feature FROM feature_token AS ft JOIN run AS r ON r.id = ft.run_id JOIN dictionary AS d ON d.id = r.dictionary_id
            JOIN corpus AS c ON c.id = r.corpus_id JOIN token AS t ON t.tokenizer_id = c.tokenizer_id AND t.token = ft.token WHERE trim(t.text, char(32, 10, 13, 9)) = ','
            """, "--json").output).array).map { $0["feature"]!.string! })
        #expect(found == expected && !found.isEmpty)
    }

    @Test(arguments: [
        (["search", "label:bas"], "monoseme: nothing was found; there are longer words that begin so: write a * behind a beginning, such as base6*\n"),
        (["search", "qqqqqqqq"], "monoseme: nothing was found; OR in place of spaces finds either word, and a * behind a beginning finds longer words\n"),
        (["search", "label:base64", "--in", "A/0"], "monoseme: nothing was found in A/0; in other dictionaries there is something\n"),
        (["search", "label:base64", "--status", "draft"], "monoseme: nothing was found that also satisfies the other options; without them there is something\n"),
    ]) func `where nothing is found, it says what may help`(words: [String], errors: String) {
        let found = QueryTests.monoseme(words + ["--json"], catalogue: QueryTests.catalogue)
        #expect(found.status == 0 && found.output == "[]\n" && found.errors == errors)
    }

    @Test(arguments: [
        (["search", "a AND"], 1, "monoseme: the query ends with \"AND\", and nothing follows\n  hint: say what should follow, or write it in double quotes to look for the word\n"),
        (["search", "foo:bar"], 1, "monoseme: the query names a column \"foo:\", and there is none\n  hint: the columns are label:, tokens:, logits:, topics:; to look for the words, write them in double quotes: \"foo:bar\"\n"),
        (["search", ""], 1, "monoseme: the query is empty\n  hint: such as: base64 OR hex, \"hex string\", base6*, tokens:the\n"),
        (["search", "a", "--topic", "nothing"], 1, nil), (["search", "a", "--in", "A/7"], 1, nil), (["search"], 2, nil), (["search", "a", "-k", "0"], 2, nil), (["search", "a", "--min-density", "0.5", "--max-density", "0.1"], 2, nil),
        (["search", "a", "--status", "none", "--min-score", "0.5"], 2, nil),
    ] as [([String], Int32, String?)]) func `what makes no sense is refused`(words: [String], status: Int32, errors: String?) {
        let found = QueryTests.monoseme(words, catalogue: QueryTests.catalogue)
        #expect(found.status == status && found.output == "")
        if let errors { #expect(found.errors == errors) }
    }

    @Test(arguments: [
        "SELECT count(*) AS n FROM feature_text WHERE feature_text MATCH 'base64'", "SELECT rowid, rank, bm25(feature_text) AS b, snippet(feature_text, 0, '[', ']', '…', 5) AS s, highlight(feature_text, 0, '[', ']') AS h FROM feature_text('label:base64') ORDER BY rank",
        "SELECT f.feature, f.label FROM feature_text('base64') AS t JOIN feature_overview AS f ON f.feature_id = t.rowid ORDER BY t.rank LIMIT 3", "SELECT count(*) AS n FROM feature_text WHERE label MATCH 'base*' AND rowid > 0",
    ]) func `the words can be searched by SQL, too`(query: String) throws {
        let found = ask("sql", query, "--json")
        #expect(found.status == 0, "\(found.errors)")
        #expect(try JSON(parsing: found.output).array?.isEmpty == false)
    }

    @Test(arguments: ["INSERT INTO feature_text (feature_text) VALUES ('optimize')", "UPDATE feature_text SET label = ''", "DELETE FROM feature_text", "CREATE VIRTUAL TABLE temp.v USING fts5vocab (main, feature_text, row)"])
    func `and by SQL nothing of them is changed`(query: String) {
        let found = ask("sql", query)
        #expect(found.status == 1 && found.errors.hasPrefix("monoseme: the query was refused"))
    }
}
