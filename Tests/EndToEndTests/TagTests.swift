import Foundation
import SQLite
import Testing
import TestSupport

/// `monoseme topics tag` as a process, over the first tokens of the fixtures. Mutations tried: no time limit; a copy that is not ended; a
/// crash that is not noticed; a tag kept in spite of them.
@Suite struct TagTests {
    private func ingested(in folder: URL) throws -> URL {
        let path = folder.appending(path: "c.sqlite")
        let outcome = try run(["ingest", "--model", fixture("model-A"), "--sae", fixture("sae-A-0"), "--name", "A/0", "--corpus", fixture("corpus.jsonl"), "--limit-tokens", "4000", "--catalogue", path.path], in: folder)
        try #require(outcome.status == 0, "\(outcome)")
        return path
    }

    @Test(.timeLimit(.minutes(2))) func `patterns that take for ever or do not compile end soon, and leave the catalogue as it was`() throws {
        try withTemporaryFolder { folder in
            let path = try ingested(in: folder), before = try Data(contentsOf: path)
            func tag(_ words: String...) throws -> Outcome { try run(["topics", "tag"] + words + ["--as", "t", "--catalogue", path.path], in: folder) }
            for pattern in ["(\\w+\\s?)+$", "(.+)+\u{1}"] {
                var outcome = Outcome(status: 0, errors: "")
                let time = try ContinuousClock().measure { outcome = try tag("--regex", pattern, "--time-limit", "0.5") }
                #expect(outcome.status == 1 && outcome.output == "" && outcome.errors.contains(" takes too long: document 0 (\"") && outcome.errors.contains("corpus.jsonl\", line 1) was given up after 0.5 s\n  hint: "), "\(outcome)")
                #expect(time < .seconds(5))
            }
            for pattern in ["(a", "", String(repeating: "(", count: 20_000), "a{99999999999}", "[a"] {
                let outcome = try tag("--regex", pattern)
                #expect(outcome.status == 1 && outcome.errors.hasPrefix("monoseme: the pattern ") && outcome.errors.split(separator: "\n").count == 2, "\(outcome)")
            }
            #expect(try Data(contentsOf: path) == before)
            // And the same command answers when the pattern is a good one.
            let outcome = try tag("--regex", "[a-z]{4,}", "--csv")
            #expect(outcome.status == 0 && outcome.errors == "" && outcome.output.hasPrefix("tag,kind,definition,tokens,documents,engine,created_at\nt,regex,\"[a-z]{4,}\","), "\(outcome)")
            #expect(try tag("--regex", "[a-z]{4,}").errors == "monoseme: \"t\" was there already, with this definition\n")
            #expect(try run(["check", "--catalogue", path.path], in: folder).output == "no problems\n")
        }
    }

    @Test func `tags of several corpora need a dictionary, and mistakes are named`() throws {
        try withTemporaryFolder { folder in
            let path = try ingested(in: folder)
            func topics(_ words: String...) throws -> Outcome { try run(["topics"] + words + ["--catalogue", path.path], in: folder) }
            #expect(try topics("tag", "--range", "Basic Latin", "--as", "ascii", "--in", "A/0").status == 0)
            for (words, status, part) in [
                (["tag"], 2, "nothing to do"), (["tag", "--regex", "a"], 2, "the tag has no name"), (["tag", "--regex", "a", "--range", "Arabic", "--as", "x"], 2, "--regex and --range were given"),
                (["tag", "--list", "--as", "x"], 2, "--as goes with"), (["tag", "--remove", "nope"], 1, "there is no tag \"nope\""), (["tag", "--range", "Klingon", "--as", "x"], 1, "Unicode has no block \"Klingon\""),
                (["tag", "--regex", "a", "--as", "x", "--in", "Z/9"], 1, "no dictionary \"Z/9\""), (["--topic", "ascii", "--in", "A/0", "--by", "lift"], 2, "not ranked by lift"),
                (["--topic", "nope", "--in", "A/0"], 1, "its tags are ascii"), (["--disagreements"], 2, "--disagreements of what?"), (["--topic", "ascii", "--disagreements", "--in", "A/0"], 2, "--disagreements needs a feature"),
            ] as [([String], Int32, String)] {
                let outcome = try run(["topics"] + words + ["--catalogue", path.path], in: folder)
                #expect(outcome.status == status && outcome.output == "" && outcome.errors.contains(part), "\(words) \(outcome)")
            }
            #expect(try topics("tag", "--list", "--jsonl").output.hasPrefix("{\"tag\":\"ascii\",\"kind\":\"range\",\"definition\":\"Basic Latin\",\"tokens\":"))
            #expect(try topics("tag", "--remove", "ASCII").errors == "monoseme: the tag \"ascii\" is removed\n")
            #expect(try topics("tag", "--list", "--csv").output == "tag,kind,definition,tokens,documents,engine,created_at\n")
        }
    }
}
