@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

/// The commands on labels, as they are typed, over the planted catalogue P/0.
@Suite struct LabelTests {
    private func with<Result>(_ body: (String) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            _ = try PlantedCatalogue(at: path)
            return try body(path)
        }
    }

    /// What was said and answered, without times of day.
    @discardableResult
    private func label(_ path: String, _ words: String..., status: Int32 = 0) -> String {
        let answer = QueryTests.monoseme(["label"] + words, catalogue: path)
        #expect(answer.status == status, "\(words): \(answer)")
        return (answer.output + answer.errors).replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, with: "T")
    }

    @Test func `a label is added, proposed, accepted and rejected, and all of it is history`() throws {
        try with { path in
            #expect(label(path, "add", "P/0/0", " red ", "--author", "ada") == "monoseme: P/0/0 is now \"red\" (label 1)\n")
            #expect(label(path, "add", "P/0/0", "red words [tokens:0,1]", "--author", "ben", "--draft") ==
                "monoseme: \"red words [tokens:0,1]\" is a draft for P/0/0 (label 2); monoseme label accept 2 puts it in the place of the label that was accepted\n")
            #expect(label(path, "accept", "P/0/0", "--author", "cyd", status: 1) ==
                "monoseme: P/0/0 goes by \"red\" (1), and there is a newer draft, \"red words [tokens:0,1]\" (2)\n  hint: say which is meant by its number: monoseme label accept 2\n")
            #expect(label(path, "accept", "2", "--author", "cyd", "--reason", "it is so") == "monoseme: label 2, \"red words [tokens:0,1]\", is accepted: P/0/0 goes by it\n")
            #expect(label(path, "reject", "P/0/0", "--author", "ada") == "monoseme: label 2, \"red words [tokens:0,1]\", is rejected: P/0/0 goes by \"red\" (label 1)\n")
            #expect(label(path, "history", "P/0/0").split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") } == [
                "id label status author method time decisions",
                "2 red words [tokens:0,1] rejected ben hand T accepted by cyd at T (it is so); rejected by ada at T",
                "• 1 red accepted ada hand T -",
            ])
            #expect(label(path, "history", "P/0/3").hasSuffix("monoseme: P/0/3 has never had a label; monoseme label add P/0/3 TEXT gives it one\n"))
            let json = try JSON(parsing: QueryTests.monoseme(["label", "history", "P/0/0", "--json"], catalogue: path).output).array!
            #expect(json[0]["rule"] == .string("tokens:0,1") && json[0]["supersedes"] == .unsigned(1) && json[1]["is_current"] == .bool(true) && json[0]["label_id"] == .unsigned(2))
            #expect(label(path, "reject", "1", "--author", "ada") == "monoseme: label 1, \"red\", is rejected: P/0/0 goes by no label now\n")
        }
    }

    @Test func `a rule that can never be scored is refused, and one that is there already is named`() throws {
        try with { path in
            let problem = "the pattern \"(\" is not a regular expression: expected ')', at its end"
            #expect(label(path, "add", "P/0/0", "brackets [regex:(] ", status: 1).hasPrefix("monoseme: \(problem)\n  hint: "))
            #expect(label(path, "add", "P/0/0", "brackets", "--rule", "regex:(", status: 1).hasPrefix("monoseme: \(problem)\n  hint: "))
            let file = path + ".csv"
            try Data("feature,label\nP/0/1,blue\nP/0/2,brackets [regex:(]\n".utf8).write(to: URL(filePath: file))
            let said = label(path, "import", file, status: 1)
            #expect(said.hasPrefix("monoseme: line 3: \(problem)\n  hint: ") && said.hasSuffix("; nothing was entered\n"))
            let catalogue = try Catalogue(path: path, for: .writing)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM label") == 0)
            _ = try catalogue.addLabel("brackets [regex:(]", to: FeatureName(parsing: "P/0/3"), author: "ada", at: "t")
            #expect(label(path, "rule", "P/0", "--all", status: 1) ==
                "monoseme: P/0/3: \(problem)\n  hint: monoseme label reject 1 takes the label out, monoseme label rule P/0/3 --label TEXT gives it another rule\n")
        }
    }

    @Test func `what came from elsewhere as examples goes out and comes in again, and says of topics that it cannot tell`() throws {
        try withTemporaryFolder { folder in
            let (first, second) = (folder.appending(path: "a.sqlite").path, folder.appending(path: "b.sqlite").path), name = "model-a/0-towards-512"
            func run(_ path: String, _ words: String..., status: Int32 = 0) -> String {
                let answer = QueryTests.monoseme(words, catalogue: path)
                #expect(answer.status == status, "\(words): \(answer)")
                return answer.errors
            }
            _ = run(first, "import", fixture("neuronpedia"))
            for words in [["--matrix", name], ["--topic", "corpus.jsonl", "--in", name], ["\(name)/0", "--counterexamples"]] {
                let answer = QueryTests.monoseme(["topics"] + words, catalogue: first)
                #expect(answer.status == 1 && answer.output.isEmpty && answer.errors.contains("it has the firings of its example windows only"), "\(words): \(answer)")
            }
            let (out, again) = (folder.appending(path: "out.jsonl").path, folder.appending(path: "again.jsonl").path)
            _ = run(first, "export", name, "--format", "jsonl", "-o", out)
            _ = run(second, "import", out)
            _ = run(second, "check")
            _ = run(second, "export", name, "--format", "jsonl", "-o", again)
            #expect(FileManager.default.contentsEqual(atPath: out, andPath: again))
        }
    }

    @Test func `shown and listed, a label says what it is worth`() throws {
        try with { path in
            label(path, "add", "P/0/0", "red", "--draft", "--author", "ada")
            label(path, "add", "P/0/1", "all", "--author", "ada")
            do {
                let catalogue = try Catalogue(path: path, for: .writing)
                for (id, name, value) in [(1, "P/0/0", 0.94), (2, "P/0/1", 1.0)] {
                    var score = LabelScoreEntry(label: id, feature: FeatureName(name)!, method: "rule")
                    (score.value, score.interval) = (value, 0.9...1)
                    _ = try catalogue.addScore(score, author: "x", at: "t")
                }
            }
            let page = QueryTests.monoseme(["show", "P/0/0"], catalogue: path).output
            #expect(page.hasPrefix("P/0/0  red (draft)\n") && page.contains("\nscores      rule 0.94 (0.90 – 1.00)\n"), "\(page)")
            #expect(QueryTests.monoseme(["show", "P/0/1"], catalogue: path).output.hasPrefix("P/0/1  all\n"))
            let shown = try JSON(parsing: QueryTests.monoseme(["show", "P/0/0", "--json"], catalogue: path).output)
            #expect(shown["label_status"] == .string("draft") && shown["label_scores"]?.array?[0]["value"] == .real(0.94))
            let features = QueryTests.monoseme(["features", "P/0"], catalogue: path).output
            #expect(features.contains("red (draft, rule 0.94)") && features.contains("all (rule 1.00)"))
            let rows = try JSON(parsing: QueryTests.monoseme(["features", "P/0", "--json"], catalogue: path).output).array!
            #expect(rows[0]["label"] == .string("red") && rows[0]["label_status"] == .string("draft") && rows[0]["label_score"] == .real(0.94) && rows[0]["label_score_method"] == .string("rule"))
            #expect(rows[2]["label_status"]?.isNull == true)
            #expect(QueryTests.monoseme(["label", "list", "P/0", "--csv", "--status", "draft"], catalogue: path).output.replacing(/\d{4}-[^,]*Z/, with: "T") ==
                "label_id,feature,label,status,author,method,score,score_method,created_at,author_kind,rule,is_current\n1,P/0/0,red,draft,ada,hand,0.94,rule,T,person,,true\n")
        }
    }

    @Test func `what is exported is imported, and text that would reorder the screen is shown by its numbers`() throws {
        try with { path in
            try with { other in
                label(path, "add", "P/0/0", "\u{202e}der\u{202c} אדום \u{2066}x", "--author", "ada")
                label(path, "add", "P/0/2", "two\nlines, \"quoted\"", "--author", "ada")
                #expect(QueryTests.monoseme(["label", "list"], catalogue: path).output.contains(#"\u{202e}der\u{202c} אדום \u{2066}x"#))
                for format in ["jsonl", "csv"] {
                    let text = QueryTests.monoseme(["label", "export", "P/0", "--format", format], catalogue: path).output
                    #expect(text.contains("\u{202e}der\u{202c} אדום \u{2066}x"))
                    let file = other + "." + format
                    try Data(text.utf8).write(to: URL(filePath: file))
                    #expect(label(other, "import", file) == (format == "jsonl" ? "monoseme: 2 labels added to 2 features\n" : "monoseme: 0 labels added to 2 features; 2 labels were there already\n"))
                    #expect(QueryTests.monoseme(["label", "export", "P/0", "--format", format], catalogue: other).output == text)
                }
                let file = other + ".bad"
                try Data("feature,label\n0,x\n9,y\n".utf8).write(to: URL(filePath: file))
                #expect(label(other, "import", file, "--in", "P/0", status: 1) == "monoseme: line 3: there is no feature \"P/0/9\": P/0 has 4 features\n  hint: feature indices run from 0 to 3; nothing was entered\n")
                #expect(label(other, "import", other + ".none", status: 1).hasSuffix(".none\": No such file or directory\n"))
            }
        }
    }

    @Test(arguments: [
        (["label"], "monoseme: \"label\" alone is no command\n  hint: there are label add, "), (["label", "A/1/7", "text"], "monoseme: unknown command \"label A/1/7\"\n  hint: there are label add, "),
        (["label", "imporrt"], "monoseme: unknown command \"label imporrt\"\n  hint: did you mean label import? There are label add, "), (["label", "--help"], "monoseme: \"label\" alone is no command\n"),
        (["label", "add", "A/1/7", "x", "--rule", "glob:*"], "monoseme: --rule: found \"glob:*\", expected regex:PATTERN, tokens:A,B or topic:NAME\n"),
        (["label", "accept"], "monoseme: missing argument LABEL\n"), (["label", "reject", "seven"], "monoseme: LABEL: found \"seven\", expected the number of a label, or a feature's name, such as A/1/2357\n"),
        (["label", "list", "--status", "none", "--author", "x"], "monoseme: --status none lists features without a label\n"),
    ]) func `a command line that makes no sense is explained`(words: [String], message: String) throws {
        try with { path in
            let answer = QueryTests.monoseme(words, catalogue: path)
            #expect(answer.status == 2 && answer.errors.hasPrefix(message), "\(answer)")
        }
    }
}
