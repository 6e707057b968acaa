import Analyses
@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import TestSupport
import Testing

/// The query commands over a catalogue of the fixtures: the first 40,000 tokens, A/0 and A/1.
@Suite struct QueryTests {
    static let catalogue: String = {
        let path = FileManager.default.temporaryDirectory.appending(path: "monoseme-queries-\(ProcessInfo.processInfo.processIdentifier).sqlite").path
        let made = monoseme(["ingest", "--model", fixture("model-A"), "--sae", fixture("sae-A-0"), "--name", "A/0", "--sae", fixture("sae-A-1"), "--name", "A/1",
                             "--corpus", fixture("corpus.jsonl"), "--limit-tokens", "40000"], catalogue: path)
        precondition(made.status == 0, made.errors)
        let graph = monoseme(["neighbours", "A/0", "--in", "A/1", "-k", "3"], catalogue: path)
        precondition(graph.status == 0, graph.errors)
        let lineage = monoseme(["lineage", "build", "A/0", "A/1"], catalogue: path)
        precondition(lineage.status == 0, lineage.errors)
        for (feature, label) in [("A/1/7", "a label, with a comma"), ("A/1/1199", "Base64")] {
            let labelled = monoseme(["label", "add", feature, label, "--author", "ada"], catalogue: path)
            precondition(labelled.status == 0, labelled.errors)
        }
        let ruled = monoseme(["label", "rule", "A/1/1024", "--tokens", "\":", "--label", "end of a key in JSON", "--author", "ada", "--save"], catalogue: path)
        precondition(ruled.status == 0, ruled.errors)
        // In this process: a copy of one with many threads is not to be trusted.
        let tagged = try! Catalogue(path: path, for: .writing), corpus = try! tagged.corpus(1)
        let tags: [(String, TokenPredicate)] = [("base64-run", .regex("[A-Za-z0-9+/]{40,}={0,2}")), ("hebrew-script", .ranges(try! UnicodeRanges(parsing: ["Hebrew"])))]
        for (name, predicate) in tags { _ = try! tagged.tag(corpus, as: name, predicate, timeLimit: nil, engine: "test", at: "2026-01-01T00:00:00Z") }
        // All tests share it, so none can remove it.
        atexit { for suffix in ["", "-wal", "-shm"] { unlink(QueryTests.catalogue + suffix) } }
        return path
    }()

    static func monoseme(_ words: [String], catalogue: String) -> (status: Int32, output: String, errors: String) {
        let output = Output.memory(), errors = Output.memory()
        let status = program.run(words + ["--catalogue", catalogue], environment: Environment([:]), output: output, errors: errors, terminal: .plain, errorTerminal: .plain)
        return (status, output.text, errors.text)
    }

    private func ask(_ words: String...) -> (status: Int32, output: String, errors: String) { QueryTests.monoseme(words, catalogue: QueryTests.catalogue) }

    @Test func `the program's declarations agree with one another`() { #expect(program.faults() == []) }

    @Test(arguments: program.declarations.map(\.name)) func `what may be repeated is marked once`(command: String) { #expect(!ask(command, "--help").output.contains("……")) }

    @Test(arguments: [
        ["dictionaries"], ["features", "A/1"], ["features", "A/1", "--status", "dead", "--limit", "0"], ["features", "A/1", "--topic", "Base64", "--sort", "lift"],
        ["near", "A/1/7", "-k", "3"], ["near", "A/0/1", "--in", "A/1"], ["near", "A/1/7", "-k", "100000"],
        ["topics", "--in", "A/0"], ["topics", "tag", "--list"], ["topics", "--topic", "hebrew-script", "--in", "A/1", "--by", "mass"], ["label", "history", "A/1/7"], ["label", "list"], ["label", "list", "A/0", "--status", "none", "--limit", "0"], ["sql", "SELECT 1 AS one, NULL AS absent, 'a,b' AS text, x'00ff' AS blob"],
    ])
    func `every query answers in four forms that agree`(words: [String]) throws {
        let table = QueryTests.monoseme(words, catalogue: QueryTests.catalogue)
        #expect(table.status == 0 && table.errors == "" && !table.output.isEmpty)
        let rows = try #require(try JSON(parsing: QueryTests.monoseme(words + ["--json"], catalogue: QueryTests.catalogue).output).array)
        let lines = QueryTests.monoseme(words + ["--jsonl"], catalogue: QueryTests.catalogue).output.split(separator: "\n")
        let parsed = try lines.map { try JSON(parsing: String($0)) }
        #expect(parsed == rows)
        let csv = QueryTests.monoseme(words + ["--csv"], catalogue: QueryTests.catalogue).output
        #expect(csv.hasPrefix(rows.first?.object?.members.map(\.key).joined(separator: ",") ?? ""))
        // The table has a line for each row under its titles.
        #expect(table.output.split(separator: "\n").count == rows.count + 1)
    }

    @Test func `numbers of a feature are those in the tables`() throws {
        let rows = try JSON(parsing: ask("sql", "SELECT feature, firings, documents, maximum FROM feature_overview WHERE dictionary = 'A/1' ORDER BY firings DESC, feature_index LIMIT 3", "--json").output)
        let listed = try JSON(parsing: ask("features", "A/1", "--sort", "density", "--limit", "3", "--json").output)
        for place in 0..<3 {
            for key in ["feature", "firings", "documents"] { #expect(rows.array?[place][key] == listed.array?[place][key]) }
        }
        let name = rows.array![0]["feature"]!.string!
        let shown = try JSON(parsing: ask("show", name, "--json").output)
        #expect(shown["statistics"]?["firings"] == rows.array![0]["firings"])
        #expect(shown["statistics"]?["histogram"]?["counts"]?.array?.compactMap(\.integer).reduce(0, +) == rows.array![0]["firings"]?.integer)
        #expect(shown["intervals"]?.array?.compactMap { $0["firings"]?.integer }.reduce(0, +) == rows.array![0]["firings"]?.integer)
    }

    @Test func `a page shows each part of what is known`() {
        let feature = try! JSON(parsing: ask("features", "A/1", "--sort", "max", "--limit", "1", "--json").output).array![0]["feature"]!.string!
        let page = ask("show", feature).output
        for part in ["status", "density", "Activations", "Tokens and logits", "raises", "neurons", "Topics", "Top examples", "intervals", "tenths", "Nearest features", "«"] { #expect(page.contains(part), "\(part)") }
    }

    @Test(arguments: ["SELECT value FROM json_each('[1, 2]')", "SELECT name FROM pragma_table_info('feature') LIMIT 2", "PRAGMA table_info(feature)"])
    func `table-valued functions and harmless pragmas may be asked`(query: String) { #expect(ask("sql", query).status == 0) }

    @Test func `a context shows the firing between marks`() throws {
        let rows = try JSON(parsing: ask("sql", "SELECT context(1, 5, 2) AS text, context(1, 99999999, 2) AS beyond", "--json").output)
        #expect(rows.array?[0]["text"]?.string?.contains("«") == true)
        #expect(rows.array?[0]["beyond"] == .null)
    }

    @Test(arguments: [
        (["show", "A/7/1"], "monoseme: no dictionary \"A/7\" in \"FILE\"\n  hint: there are A/0, A/1\n"),
        (["show", "A/1/4096"], "monoseme: there is no feature \"A/1/4096\": A/1 has 4096 features\n  hint: feature indices run from 0 to 4095\n"),
        (["topics", "--topic", "cheese", "--in", "A/1"], nil),
        (["near", "--vector", "/nowhere.npy", "--in", "A/1"], "monoseme: cannot open \"/nowhere.npy\": No such file or directory\n"),
        (["sql", "DELETE FROM label"], "monoseme: the query was refused: not authorized\n  hint: monoseme sql only reads; labels are added with monoseme label add\n"),
        (["sql", "ATTACH '/tmp/x' AS x"], "monoseme: the query was refused: not authorized\n  hint: monoseme sql only reads; labels are added with monoseme label add\n"),
        (["sql", "PRAGMA journal_mode = DELETE"], "monoseme: the query was refused: not authorized\n  hint: monoseme sql only reads; labels are added with monoseme label add\n"),
        (["sql", "SELECT 1; SELECT 2"], "monoseme: more than one statement was given\n  hint: run them one at a time\n"),
        (["sql", "SELECT missing"], nil),
        (["label", "add", "A/1/7", "   "], "monoseme: the label for A/1/7 is empty\n  hint: say what the feature means in a few words\n"),
        (["export", "B/1"], "monoseme: no dictionary \"B/1\" in \"FILE\"\n  hint: there are A/0, A/1\n"),
    ] as [([String], String?)])
    func `a question without an answer says why, and exits with 1`(words: [String], message: String?) {
        let answer = QueryTests.monoseme(words, catalogue: QueryTests.catalogue)
        #expect(answer.status == 1 && answer.output == "")
        if let message { #expect(answer.errors == message.replacingOccurrences(of: "FILE", with: QueryTests.catalogue)) } else { #expect(answer.errors.hasPrefix("monoseme: ") && answer.errors.contains("hint: ")) }
    }

    @Test(arguments: [["show", "A/1"], ["near", "A/1/7", "-k", "0"], ["features", "A/1", "--sort", "beauty"], ["features", "A/1", "--sort", "lift"], ["near"], ["topics", "--topic", "x"], ["shwo"]])
    func `a command line that makes no sense exits with 2`(words: [String]) {
        let answer = QueryTests.monoseme(words, catalogue: QueryTests.catalogue)
        #expect(answer.status == 2 && answer.output == "" && answer.errors.hasPrefix("monoseme: "))
    }

    @Test(arguments: [
        ("[1, 2]", "the query vector has 2 numbers"), ("{}", "holds an object, not an array"), ("[\"a\"]", "element 0 is a string, not a number"), ("hello", "is neither .npy nor JSON"),
        ("[\(Array(repeating: "0", count: 512).joined(separator: ","))]", "the query vector is zero"),
    ])
    func `a vector that is none is refused`(text: String, problem: String) throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "v.json")
            try text.write(to: file, atomically: true, encoding: .utf8)
            let answer = ask("near", "--vector", file.path, "--in", "A/1")
            #expect(answer.status == 1 && answer.errors.contains(problem), "\(answer.errors)")
        }
    }

    @Test func `a decoder row given as a vector finds its own feature`() throws {
        try withTemporaryFolder { folder in
            let weights = try SafetensorsFile(fixture("sae-A-1/sae_weights.safetensors"))
            let row = try Array(weights["W_dec"]!.floats()[7 * 512..<8 * 512])
            let file = folder.appending(path: "v.json")
            try "[\(row.map { "\($0)" }.joined(separator: ","))]".write(to: file, atomically: true, encoding: .utf8)
            let found = try JSON(parsing: ask("near", "--vector", file.path, "--in", "A/1", "-k", "1", "--json").output)
            #expect(found.array?[0]["feature"] == .string("A/1/7"))
            #expect(abs(found.array![0]["cosine"]!.number! - 1) < 1e-5)
        }
    }

    @Test func `the README lists every command`() throws {
        let readme = try String(contentsOf: repository.appending(path: "README.md"), encoding: .utf8)
        #expect(readme.contains(program.commandTable()))
    }
}
