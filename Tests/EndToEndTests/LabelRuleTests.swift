import Foundation
import IngestionSupport
import Testing
import TestSupport

/// `monoseme label rule` as a process.
@Suite struct LabelRuleTests {
    @Test(.timeLimit(.minutes(2))) func `rules are scored, saved once, and listed`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try { _ = try PlantedCatalogue(at: path) }()
            func rule(_ words: String...) throws -> Outcome { try run(["label", "rule"] + words + ["--catalogue", path], in: folder) }
            // Tokens spell letters from "0" on: position 0 is "0", 10 ":", 20 "D", 30 "N". Feature 0 fires on the first two of each red document and once on a blue one.
            let page = try rule("P/0/0", "--regex", "[01:;DENO]")
            // The intervals are those of numpy and scipy for (2, 2) four times, with (0, 1) for recall; (4, 4) and (0, 1) for F1.
            #expect(page.status == 0 && page.errors == "" && page.output == """
                P/0/0 against regex:[01:;DENO]
                precision    100 %  28 % to 100 %  (it fires on 8 of the 8 tokens where the rule holds)
                recall       89 %  38 % to 99 %  (the rule holds on 8 of the 9 tokens on which it fires)
                F1           0.941  0.555 to 0.995
                mass recall  99 %  of the summed activation is where the rule holds
                neither      71 of 80 tokens
                evidence     5 documents with one or the other; 95 % intervals by documents

                Misses, where it fires and the rule does not hold: 1 token, the strongest
                activation  topic  text
                     0.500  blue   XYZ[\\«]»^_`a

                """, "\(page)")
            #expect(try rule("P/0/0", "--tokens", "0,1", "--topic", "red", "--csv").output.hasPrefix("feature,rule,label,precision,"))
            let json = try rule("P/0/0", "--tokens", "0,1,2", "--json").output
            for part in [#""rule": "tokens:0,1,2""#, #""true_positives": 2"#, #""false_positives": 1"#, #""false_negatives": 7"#, #""text": "01«2»3456789""#] { #expect(json.contains(part), "\(json)") }
            // Kept once.
            #expect(try rule("P/0/0", "--regex", "[01:;DENO]", "--label", "first two of red", "--author", "Ada").errors == "monoseme: P/0/0 is now \"first two of red\"\nmonoseme: the score is kept with label 1\n")
            #expect(try rule("P/0/0", "--save").errors == "monoseme: label 1 has this score already, from the same evidence: nothing was added\n")
            // Many at once, all or none.
            let list = folder.appending(path: "rules.jsonl")
            try Data("{\"feature\":\"P/0/1\",\"rule\":\"topic:red\",\"label\":\"red\"}\n\n{\"feature\":\"P/0/2\",\"rule\":\"tokens:\\\\\\\\\"}\n".utf8).write(to: list)
            var outcome = try rule("--from", list.path, "--save")
            #expect(outcome.status == 1 && outcome.output == "" && outcome.errors.hasPrefix("monoseme: line 3: there is no label to keep the score with"), "\(outcome)")
            try Data("{\"feature\":\"P/0/1\",\"rule\":\"topic:red\",\"label\":\"red\"}\n{\"feature\":\"P/0/2\",\"rule\":\"tokens:\\u007f\",\"label\":\"the last token\"}\n".utf8).write(to: list)
            outcome = try rule("--from", list.path, "--save", "--author", "Ada", "--csv")
            #expect(outcome.status == 0 && outcome.errors == "monoseme: 2 labels and 2 scores were added; 0 scores were there already, from the same evidence\n" && outcome.output.split(separator: "\n").count == 3, "\(outcome)")
            #expect(try rule("--from", list.path, "--save", "--author", "Ada").errors == "monoseme: 0 labels and 0 scores were added; 2 scores were there already, from the same evidence\n")
            outcome = try rule("P/0", "--all", "--save", "--jsonl")
            #expect(outcome.errors == "monoseme: 0 labels and 0 scores were added; 3 scores were there already, from the same evidence\n" && outcome.output.contains("\"feature\":\"P/0/1\",\"rule\":\"topic:red\",\"label\":\"red\",\"precision\":1,"), "\(outcome)")
            #expect(try run(["check", "--catalogue", path], in: folder).output == "no problems\n")
            for (words, status, part) in [
                ([], 2, "nothing to score"), (["P/0"], 2, "\"P/0\" is no feature"), (["P/0/9", "--tokens", "0"], 1, "there is no feature \"P/0/9\""), (["P/0/3"], 1, "P/0/3 has no label that could carry a rule"),
                (["P/0/0", "--tokens", "a,"], 2, "is no list of tokens"), (["P/0/0", "--tokens", "xyz"], 1, "no token of the vocabulary is spelled \"xyz\""), (["P/0/0", "--regex", "("], 1, "is not a regular expression"),
                (["P/0/0", "--regex", "", "--topic", "red"], 2, "--regex is empty"), (["P/0/0", "--topic", "green"], 1, "green"), (["--all"], 2, "--all needs a dictionary"), (["P/0", "--all", "--regex", "a"], 2, "a rule does not go with --all"),
                (["P/0/0", "--from", "x"], 2, "FEATURE does not go with --from"), (["--from", "missing"], 1, "cannot read \"missing\""), (["P/0/1", "--tokens", "0", "--save"], 1, "there is no label to keep the score with: that of P/0/1, \"red\", does not carry this rule"),
                (["P/0/0", "--tokens", "0", "--label", " "], 1, "is empty"),
            ] as [([String], Int32, String)] {
                let outcome = try run(["label", "rule"] + words + ["--catalogue", path], in: folder)
                #expect(outcome.status == status && outcome.output == "" && outcome.errors.contains(part), "\(words) \(outcome)")
            }
            for (lines, part) in [
                ("{", "line 1: not JSON: "), ("{\"feature\":\"P/0/0\",\"rule\":\"tokens:0\"}\n{\"feature\":\"P/0/0\",\"rule\":\"tokens:1\"}", "line 2: P/0/0 is there already, in line 1"), ("[]", "line 1: an array, not an object"),
                ("{\"feature\":\"P/0/0\",\"rule\":\"x\"}", "line 1: \"x\" is no rule"), ("{\"feature\":\"P/0/9\",\"rule\":\"tokens:0\"}", "line 1: there is no feature"), ("{\"feature\":\"P/0/0\",\"rule\":\"tokens:0\",\"text\":\"a\"}", "line 1: the member \"text\" is none of"), ("\n", "holds no rules"),
            ] {
                try Data(lines.utf8).write(to: list)
                let outcome = try rule("--from", list.path)
                #expect(outcome.status == 1 && outcome.output == "" && outcome.errors.contains(part), "\(lines) \(outcome)")
            }
        }
    }
}
