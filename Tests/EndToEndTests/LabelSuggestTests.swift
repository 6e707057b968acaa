import Foundation
import SQLite
import Testing
import TestSupport

/// `monoseme label suggest` as a process, over the first tokens of the fixtures.
@Suite struct LabelSuggestTests {
    @Test(.timeLimit(.minutes(2))) func `drafts are proposed once, and every feature is accounted for`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let ingest = ["ingest", "--model", fixture("model-A"), "--sae", fixture("sae-A-0"), "--name", "A/0", "--corpus", fixture("corpus.jsonl"), "--limit-tokens", "20000", "--catalogue", path]
            var outcome = try run(ingest, in: folder)
            try #require(outcome.status == 0, "\(outcome)")
            func suggest(_ words: String...) throws -> Outcome { try run(["label", "suggest"] + words + ["--catalogue", path], in: folder) }
            let dry = try suggest("A/0", "--features", "0-300,301-511,7", "--dry-run", "--csv")
            #expect(dry.status == 0 && dry.output.hasPrefix("feature,label,rule,f1,f1_low,f1_high,precision,recall,firings,f1_chosen_on,true_positives,"), "\(dry)")
            let drafts = dry.output.split(separator: "\n").count - 1
            #expect(drafts > 5 && dry.errors.hasPrefix("monoseme: \(drafts) drafts, none of them kept\nmonoseme: no draft for \(512 - drafts) features: "), "\(dry.errors)")
            #expect(try suggest("A/0", "--omitted", "--csv").output.split(separator: "\n").count - 1 == 512 - drafts)
            outcome = try suggest("A/0", "--csv")
            #expect(outcome.errors.hasPrefix("monoseme: \(drafts) drafts were added\n"), "\(outcome.errors)")
            #expect(outcome.output.replacing(",added\n", with: ",\n") == dry.output)
            #expect(try suggest("A/0").errors.hasPrefix("monoseme: 0 drafts were added, \(drafts) were there already\n"))
            // Drafts by a program, with a rule and a score each; none where somebody has accepted a label.
            do {
                let reader = try Connection(path: path, access: .readOnly)
                #expect(try reader.rows("SELECT count(*), count(DISTINCT feature), count(rule), sum(status = 'draft' AND method = 'suggest' AND author_kind = 'program' AND author = 'monoseme') FROM label_history") { row in (0..<4).map { row.integer($0) } } == [[drafts, drafts, drafts, drafts]])
                #expect(try reader.rows("SELECT count(*), sum(s.value >= 0.5), count(DISTINCT label_id), sum(s.parameters ->> 'rule' = l.rule) FROM label_score_overview AS s JOIN label_history AS l USING (label_id)") { row in (0..<4).map { row.integer($0) } } == [[drafts, drafts, drafts, drafts]])
            }
            #expect(try run(["label", "rule", "A/0", "--all", "--save", "--catalogue", path], in: folder).errors == "monoseme: 0 labels and \(drafts) scores were added; 0 scores were there already, from the same evidence\n")
            #expect(try run(["check", "--catalogue", path], in: folder).output == "no problems\n")
            for (words, status, part) in [(["A/7"], 1, "no dictionary \"A/7\""), ([], 2, "missing argument DICT"), (["A/0", "--features", "9-3"], 2, "expected indices and ranges"), (["A/0", "--features", "512"], 1, "there is no feature \"A/0/512\""),
                                          (["A/0", "--min-f1", "2"], 2, "--min-f1")] as [([String], Int32, String)] {
                let outcome = try run(["label", "suggest"] + words + ["--catalogue", path], in: folder)
                #expect(outcome.status == status && outcome.output == "" && outcome.errors.contains(part), "\(words) \(outcome)")
            }
        }
    }
}
