@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

/// What a user sees of lineage, over `LineageWorld`: kinds and numbers are those of its arithmetic.
///
/// Seen to fail: a second parent not marked; a subtree drawn under both parents; candidates shown unasked; children in order of confidence;
/// a suggestion printed as a label; holes of one child instead of all.
@Suite struct LineageTests {
    @Test func `a family is drawn downwards, over all versions`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red"); try $0.label("L/2/1", "the second half") }) { ask in
            #expect(ask("lineage", "L/0/0") == (0, """
                T1
                """, ""))
        }
    }

    @Test func `a feature with two parents is shown under both and marked, what is below it once`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/1/3", "--tier", "candidate").output == """
                T2
                """)
        }
    }

    @Test func `ancestors are drawn above, and of what they have only what leads here`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/2/3").output == """
                T3
                """)
            #expect(ask("lineage", "L/2/3", "--depth", "1").output == """
                T4
                """)
        }
    }

    @Test func `children beyond -k are counted, what keeps most of the parent comes first`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/0/0", "-k", "1").output.split(separator: "\n").prefix(5).map { $0.prefix(25).trimmingCharacters(in: .whitespaces) } == [])
        }
    }

    @Test(arguments: [
        ("L/1/4", "N1"), ("L/0/2", "N2"), ("L/0/3", "N3"), ("L/1/5", "N4"), ("L/2/4", "N5"), ("L/2/9", "N6"),
    ]) func `a feature without edges says what it is`(feature: String, sentences: String) throws {
        try withLineage { ask in
            let answer = ask("lineage", feature)
            #expect(answer.status == 0 && answer.errors == "")
            let parts = answer.output.components(separatedBy: "\n\n")
            #expect(parts.count == 2 && parts[1] == sentences + "\n", "\(answer.output)")
        }
    }

    // MARK: Forms for programs

    @Test func `a graph for Graphviz and a flowchart for Mermaid`() throws {
        try withLineage(prepare: { try $0.label("L/0/1", "blue") }) { ask in
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--dot") == (0, """
                D1
                """, ""))
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--mermaid") == (0, """
                M1
                """, ""))
        }
    }

    @Test func `JSON has every member and edge of the family with all evidence`() throws {
        try withLineage { ask in
            let family = try JSON(parsing: ask("lineage", "L/1/3", "--tier", "candidate", "--json").output)
            #expect(family["feature"] == .string("L/1/3"))
            let features = try #require(family["features"]?.array), edges = try #require(family["edges"]?.array)
            #expect(features.map { "\($0["feature"]!.string!) \($0["relation"]!.string!)" } == ["L/0/0 ancestor", "L/0/1 ancestor", "L/1/3 self", "L/2/4 descendant"])
            #expect(edges.map { "\($0["parent"]!.string!) \($0["child"]!.string!) \($0["kind"]!.string!) \($0["tier"]!.string!)" }
                == ["L/0/0 L/1/3 merge-and asserted", "L/0/1 L/1/3 merge-and asserted", "L/1/3 L/2/4 merge-or candidate"])
            #expect(edges[1]["keep"]?.number == 100.0 / 1100 && edges[1]["firings_together"]?.integer == 100 && edges[1]["coverage"]?.number == 1)
            #expect(features[3]["topic"]?["topic"] == .string("red") && features[3]["topic"]?["share"]?.number == 0.5 && features[3]["parents"]?.array?.count == 2)
            // The rows of --csv and --jsonl are the view's.
            let view = QueryTests.monoseme(["sql", """
                SELECT parent, child, kind, tier, confidence, coverage, coverage_low, keep, mass_coverage, mass_coverage_low, mass_keep, masked_cosine, activation_correlation, decoder_cosine, containment, weight, share,
                    parent_firings, child_firings, firings_together FROM lineage WHERE 'L/1/3' IN (parent, child) ORDER BY child_dictionary, parent_id, child_id
                """, "--csv"], catalogue: ask.path).output
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--csv").output == view)
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--jsonl").output.split(separator: "\n").count == 3)
        }
    }

    @Test func `an export has edges, facts and suggestions, and a suggestion is no label`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red") }) { ask in
            let export = try JSON(parsing: ask("export", "L/1").output), schema = try JSON(parsing: String(contentsOf: repository.appending(path: "Sources/Publishing/Export.schema.json"), encoding: .utf8))
            #expect(violations(of: schema, by: export) == [])
            let feature = try #require(export["features"]?.array?[3])
            #expect(feature["label"]?.isNull == true)
            #expect(feature["label_suggestions"]?.array?.map { $0["label"]!.string! } == ["words of red"])
            #expect(feature["lineage"]?["parents"]?.array?.map { $0["parent"]!.string! } == ["L/0/0", "L/0/1"])
            #expect(feature["lineage"]?["children"]?.array?.map { $0["child"]!.string! } == ["L/2/4"])
            #expect(feature["lineage"]?["facts"]?.array?.map { $0["kind"]?.string } == [nil, "vanished"])
            // A schema that lets everything pass proves nothing.
            let broken = try JSON(parsing: ask("export", "L/1").output.replacingOccurrences(of: "\"merge-or\"", with: "\"cousin\""))
            #expect(violations(of: schema, by: broken) != [])
            let labelled = try JSON(parsing: ask("export", "L/0").output).object.map { _ in ask("show", "L/0/0", "--json").output }
            #expect(try JSON(parsing: try #require(labelled))["label_suggestions"]?.array?.isEmpty == true)
        }
    }

    @Test func `show has a section of lineage, and says of a suggestion that it is one`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red") }) { ask in
            let page = ask("show", "L/1/3", "--examples", "0").output
            #expect(page.hasPrefix("L/1/3  no label yet\nsuggested   words of red (from L/0/0, merge (and), 0.96)\n"), "\(page)")
            #expect(page.components(separatedBy: "\nLineage").last == """
                S1
                """)
            #expect(ask("show", "L/0/0", "--examples", "0").output.hasPrefix("L/0/0  words of red\nstatus "))
        }
    }

    // MARK: Numbers

    @Test func `the summary counts edges and fates, and ranks families`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "summary", "L/1", "L/2") == (0, """
                U1
                """, ""))
            #expect(ask("lineage", "summary", "L/0", "L/1", "--csv") == (0, """
                parent,children,union_coverage,explained,firings,top_token,label
                L/0/0,3,0.95,0.95,1000,red,
                L/0/1,2,1,1,1100,blue,

                """, ""))
            let numbers = try JSON(parsing: ask("lineage", "summary", "L/0", "L/1", "--json").output)
            #expect(numbers["parent_features"]?.object?.members.filter { $0.1.integer != 0 }.map { "\($0.0) \($0.1.integer!)" } == ["same 1", "split 1", "vanished 1", "noise 1"])
            #expect(numbers["child_features"]?.object?.members.filter { $0.1.integer != 0 }.map { "\($0.0) \($0.1.integer!)" } == ["same 1", "split 2", "merged 1", "novel 3", "noise 1"])
        }
    }

    @Test func `holes are the tokens that no child covers, by who fires there`() throws {
        try withLineage { ask in
            // 850 ..< 900: 40 of L/1/6, of which 5 of L/1/7 too; nothing fires on ten.
            #expect(ask("lineage", "L/0/0", "--holes") == (0, """
                H1
                """, ""))
            // All but 400 ..< 420 of 400 ..< 850.
            #expect(ask("lineage", "L/1/1", "--holes").output.hasPrefix("L/1/1 fires on 450 tokens; on 430 (96 %) of them its only child in L/2, L/2/3, does not\n"))
            // Against its parent: 400 ..< 850 less 400 ..< 420.
            #expect(ask("lineage", "L/2/3", "--holes").output.hasPrefix("L/1/1 fires on 450 tokens; on 430 (96 %) of them L/2/3 does not\n"))
            #expect(ask("lineage", "L/0/2", "--holes").output.hasPrefix("L/0/2 fires on 500 tokens; it has no child in L/1, so that all of them are holes\n\nWho fires there in L/1\nfeature  holes  share  top token  label\nL/1/5       20  4.0 %  green      -\n"))
            #expect(ask("lineage", "L/1/2", "--holes") == (0, "L/1/2 fires on 1,000 tokens; on 0 (0 %) of them its only child in L/2, L/2/2, does not\n", ""))
            #expect(ask("lineage", "L/0/0", "--holes", "--csv").output.hasPrefix("feature,holes,share,top_token,label,sum\nL/1/6,40,0.8,green,,40\nL/1/7,5,0.1,green,,5\n"))
            let holes = try JSON(parsing: ask("lineage", "L/0/0", "--holes", "--json").output)
            #expect(holes["holes"]?.integer == 50 && holes["tokens"]?.integer == 1000 && holes["holes_of_features_listed"]?.integer == 40 && holes["covering"]?.array?.count == 3)
            #expect(holes["examples"]?.array?.map { $0["position"]!.integer! } == [850, 851, 852, 853, 854])
        }
    }

    // MARK: What cannot be answered

    @Test func `what is not there is said with what would make it`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path, world = try LineageWorld(at: path, unfinished: true), ask = LineageAsker(path: path, catalogue: world.catalogue)
            for (words, message) in [
                (["lineage", "L/1/3"], "monoseme: no lineage of L/1 has been built\n  hint: monoseme lineage build L/0 L/1 L/2\n"),
                (["lineage", "L/1/3", "--holes"], "monoseme: no lineage of L/1 has been built\n  hint: monoseme lineage build L/0 L/1 L/2\n"),
                (["lineage", "summary", "L/0", "L/1"], "monoseme: the lineage from L/0 to L/1 is not built\n  hint: monoseme lineage build L/0 L/1\n"),
                (["lineage", "build", "L/1", "L/2"], "monoseme: the ingest of L/2 is unfinished\n  hint: run the same monoseme ingest again: it goes on where it stopped\n"),
                (["lineage", "build", "L/1", "L/0"], "monoseme: a lineage leads from smaller versions to larger ones: L/1 has 8 features, L/0 behind it 4\n  hint: monoseme lineage build L/0 L/1\n"),
                (["lineage", "build", "L/2", "L/0", "L/1"], "monoseme: a lineage leads from smaller versions to larger ones: L/2 has 10 features, L/0 behind it 4\n  hint: monoseme lineage build L/0 L/1 L/2\n"),
                (["lineage", "build", "L/0", "L/9"], "monoseme: no dictionary \"L/9\" in \"\(path)\"\n  hint: there are L/0, L/1, L/2\n"),
                (["lineage", "L/9/1"], "monoseme: no dictionary \"L/9\" in \"\(path)\"\n  hint: there are L/0, L/1, L/2\n"),
                (["lineage", "L/0/4"], "monoseme: there is no feature \"L/0/4\": L/0 has 4 features\n  hint: feature indices run from 0 to 3\n"),
            ] {
                #expect(QueryTests.monoseme(words, catalogue: path) == (1, "", message))
            }
            for (words, message) in [
                (["lineage", "build", "L/0"], "monoseme: a lineage is between two versions, and only L/0 was named\n"), (["lineage", "build", "L/0", "L/1", "L/0"], "monoseme: L/0 was named twice\n"),
                (["lineage", "build"], "monoseme: missing argument DICT\n"), (["lineage", "L/0/1", "--tier", "sure"], "monoseme: --tier: found \"sure\", expected one of"), (["lineage", "L/0/1", "--rule", "x"], "monoseme: --rule goes with --holes\n"),
                (["lineage", "L/0/1", "--holes", "--dot"], "monoseme: --holes is no graph\n"), (["lineage", "L/0/1", "--dot", "--json"], "monoseme: --dot and --json exclude each other\n"), (["lineage"], "monoseme: missing argument FEATURE\n"),
                (["lineage", "L/0/1", "--depth", "-1"], "monoseme: --depth"), (["lineage", "L/0/1", "--depth", "9999"], "monoseme: --depth"),
            ] {
                let answer = QueryTests.monoseme(words, catalogue: path)
                #expect(answer.status == 2 && answer.output == "" && answer.errors.hasPrefix(message), "\(words): \(answer)")
            }
            // Of one size.
            try world.catalogue.connection.execute("UPDATE dictionary SET features = 8 WHERE name = 'L/0'")
            #expect(ask("lineage", "build", "L/0", "L/1").errors.hasPrefix("monoseme: L/0 and L/1 are of one size, 8 features: a lineage leads from a smaller version to a larger one\n"))
        }
    }

    @Test func `a lineage that is there already is left alone`() throws {
        try withLineage { ask in
            let again = try JSON(parsing: ask("lineage", "build", "L/0", "L/1", "L/2", "--json").output).array!
            #expect(again.map { $0["was_complete"]! } == [.bool(true), .bool(true)] && again.map { $0["asserted"]!.integer! } == [5, 3] && again.map { $0["likely"]!.integer! } == [0, 1])
            #expect(again.map { $0["candidate"]!.integer! } == [0, 3] && again.map { $0["novel"]!.integer! } == [3, 0] && again.map { $0["vanished"]!.integer! } == [1, 5] && again.map { $0["noise"]!.integer! } == [2, 6])
        }
    }

    @Test func `an unfinished lineage is used, and said to be that`() throws {
        try withLineage(prepare: { try $0.catalogue.connection.execute("UPDATE lineage_build SET is_complete = 0 WHERE id = 2") }) { ask in
            let answer = ask("lineage", "L/2/0")
            #expect(answer.status == 0 && answer.output.contains("└─ L/2/0 ◂") && answer.errors == "monoseme: the lineage from L/1 to L/2 is unfinished: monoseme lineage build L/1 L/2 goes on with it\n")
            #expect(ask("lineage", "summary", "L/1", "L/2").errors == "monoseme: the lineage from L/1 to L/2 is unfinished\n  hint: monoseme lineage build L/1 L/2\n")
        }
    }

    @Test func `where only the strongest firings were kept, what is missing is said, and candidates are all there is`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path, world = try LineageWorld(at: path, keepTop: 10), ask = LineageAsker(path: path, catalogue: world.catalogue)
            let built = ask("lineage", "build", "L/0", "L/1")
            #expect(built.status == 0 && built.errors.hasPrefix("monoseme: L/1 keeps only the 10 strongest firings of each feature: there is no evidence of activations."), "\(built)")
            let tree = ask("lineage", "L/1/0").output
            #expect(tree.contains("less sure: --tier candidate") && !tree.contains("├─") && !tree.contains("└─"), "\(tree)")
            #expect(ask("lineage", "L/1/0", "--tier", "candidate").output.contains("└─ L/1/0 ◂"))
            #expect(ask("lineage", "L/0/0", "--holes").errors.hasPrefix("monoseme: L/1 keeps only the 10 strongest firings of each feature"))
        }
    }

    // MARK: Hostile files

    @Test(.timeLimit(.minutes(1))) func `a loop in a damaged file ends`() throws {
        try withLineage(prepare: { world in
            // L/2/0 is made a parent of L/0/0, and everything a child of everything.
            try world.catalogue.connection.execute("""
                INSERT OR IGNORE INTO lineage_edge (build_id, child_id, parent_id, kind, tier, confidence, parent_firings, child_firings)
                SELECT 1, a.id, b.id, 'same', 'asserted', 1e300, -5, 9223372036854775807 FROM feature AS a, feature AS b
                """)
        }) { ask in
            for words in [["lineage", "L/0/0"], ["lineage", "L/1/3", "-k", "3"], ["lineage", "L/2/4", "--json"], ["lineage", "L/2/4", "--dot"], ["lineage", "L/0/1", "--holes"], ["show", "L/0/0"], ["export", "L/0"], ["lineage", "summary", "L/0", "L/1"]] {
                let answer = QueryTests.monoseme(words, catalogue: ask.path)
                #expect(answer.status == 0 || answer.errors.hasPrefix("monoseme: "), "\(words): \(answer)")
            }
            #expect(ask("lineage", "L/0/0", "-k", "2").output.contains("L/0/0 ◂"))
        }
    }

    /// Quotes, escapes, line breaks, other controls, directives of Mermaid, marks that join a quote, text from right to left and what turns the direction.
    static let hostile = "\"]\\\n\r\u{1b}[31m\u{7}%%{init: {}}%%`<b>--> \"\u{301} سلام\u{202e}\u{2028}#quot;\0x"

    @Test func `nothing in a label, a token or a topic gets out of its place`() throws {
        let label = Self.hostile.replacingOccurrences(of: "\0", with: "")
        try withLineage(spellings: [Self.hostile, "blue", "green"], topics: [label, "blue", "green"], prepare: { try $0.label("L/0/0", label) }) { ask in
            for form in ["--table", "--dot", "--mermaid"] {
                let answer = ask("lineage", "L/1/3", "--tier", "candidate", form)
                #expect(answer.status == 0)
                #expect(!answer.output.unicodeScalars.contains { ($0.value < 0x20 && $0 != "\n") || $0.value == 0x7f || [0x202e, 0x2028].contains($0.value) }, "\(answer.output)")
            }
            #expect(DotGrammar.problem(in: ask("lineage", "L/1/3", "--tier", "candidate", "--dot").output) == nil)
            #expect(MermaidGrammar.problem(in: ask("lineage", "L/1/3", "--tier", "candidate", "--mermaid").output) == nil)
            #expect(try JSON(parsing: ask("lineage", "L/1/3", "--json").output)["features"]?.array?[0]["label"] == .string(label.trimmingCharacters(in: .whitespaces)))
            // On a terminal, right-to-left text is kept apart.
            let terminal = Terminal(isTerminal: true, width: 120, hasColour: false, canRedraw: true)
            #expect(ask.on(terminal, "lineage", "L/0/0").contains("\u{2068}"))
        }
    }

    @Test(arguments: [80, 100, 140]) func `a terminal's lines are not longer than it is wide`(width: Int) throws {
        try withLineage(prepare: { try $0.label("L/0/0", String(repeating: "a long label ", count: 20)) }) { ask in
            let output = ask.on(Terminal(isTerminal: true, width: width, hasColour: false, canRedraw: true), "lineage", "L/0/0")
            let tree = output.components(separatedBy: "\n\n")[0]
            #expect(tree.split(separator: "\n").allSatisfy { displayWidth(of: $0) <= max(width, 86) }, "\(tree)")
        }
    }

    @Test func `Graphviz draws the graph, where it is installed`() throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/dot") else { return }
        let label = Self.hostile.replacingOccurrences(of: "\0", with: "")
        try withLineage(spellings: [Self.hostile, "blue", "green"], prepare: { try $0.label("L/0/0", label) }) { ask in
            try withTemporaryFolder { folder in
                let file = folder.appending(path: "family.dot"), process = Process(), errors = Pipe(), output = Pipe()
                try ask("lineage", "L/0/0", "--dot").output.write(to: file, atomically: true, encoding: .utf8)
                process.executableURL = URL(filePath: "/usr/bin/dot")
                process.arguments = ["-Tplain", file.path]
                (process.standardError, process.standardOutput) = (errors, output)
                try process.run()
                let graph = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                #expect(process.terminationStatus == 0)
                #expect(graph.split(separator: "\n").count { $0.hasPrefix("node ") } == 7 && graph.split(separator: "\n").count { $0.hasPrefix("edge ") } == 6, "\(graph)")
            }
        }
    }
}
