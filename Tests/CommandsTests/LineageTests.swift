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
/// Seen to fail: a second parent not marked; a subtree drawn under both parents; candidates shown unasked; children in order of confidence; a suggestion
/// printed or exported as a label; holes of one child instead of all, with the children among those who fire there; quotes let through in either
/// kind of graph; merged children counted as split; a wrong order let through.
@Suite struct LineageTests {
    @Test func `a family is drawn downwards, over all versions`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red"); try $0.label("L/2/1", "the second half") }) { ask in
            #expect(ask("lineage", "L/0/0") == (0, """
                feature      kind                   conf.  coverage   keep  top tokens  topic       label, family
                L/0/0 ◂                                                     ‘red’       red 100 %   words of red · 3 children cover 95 %, explain 95 %
                ├─ L/1/1     split, asserted         0.98     100 %   45 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.98) · 1 child covers 4.4 %, explains 4.4 % · vanished in L/2
                │  └─ L/2/3  split, likely           0.96      50 %  4.4 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.94) · ⇄ also under L/1/7
                ├─ L/1/0     split, asserted         0.99     100 %   40 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.99) · 2 children cover 100 %, explain 100 %
                │  ├─ L/2/0  split, asserted         0.99     100 %   50 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, split, 0.98)
                │  └─ L/2/1  split, asserted         0.98     100 %   50 %  ‘red’       red 100 %   the second half
                └─ L/1/3     merge (and), asserted   0.96     100 %   10 %  ‘red’       red 100 %   ≈ words of red (from L/0/0, merge (and), 0.96) · ⇄ also under L/0/1 · 1 child covers 0 %, explains 0 % · vanished in L/2
                   └─ L/2/2  absorbed?, likely       0.97       0 %    0 %  ‘blue’      blue 100 %  ≈ words of red (from L/0/0, absorbed?, 0.93) · ⇄ also under L/1/2

                split: fires on a part of what its parent fires on
                absorbed?: points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell
                merge (and): fires where both of its parents do

                """, ""))
        }
    }

    @Test func `a feature with two parents is shown under both and marked, what is below it once`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/1/3", "--tier", "candidate").output == """
                feature      kind                   conf.  coverage   keep  top tokens     topic       label, family
                L/0/0                                                       ‘red’          red 100 %   3 children cover 95 %, explain 95 %
                └─ L/1/3 ◂   merge (and), asserted   0.96     100 %   10 %  ‘red’          red 100 %   ⇄ also under L/0/1 · 1 child covers 0 %, explains 0 %
                   ├─ L/2/4  merge (or), candidate   0.95      50 %  100 %  ‘red’ ‘green’  red 50 %    ⇄ also under L/1/7
                   └─ L/2/2  absorbed?, likely       0.97       0 %    0 %  ‘blue’         blue 100 %  ⇄ also under L/1/2
                L/0/1                                                       ‘blue’ ‘red’   blue 91 %   2 children cover 100 %, explain 100 %
                └─ L/1/3 ◂   merge (and), asserted   0.96     100 %  9.1 %  ‘red’          red 100 %   ⇄ also under L/0/0 · its children stand above

                L/1/3 has vanished: no feature of L/2 carries it on; children together fire on 0 % of what it fires on

                absorbed?: points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell
                merge (and): fires where both of its parents do
                merge (or): fires where one or another of its parents does

                """)
        }
    }

    @Test func `ancestors are drawn above, and of what they have only what leads here`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/2/3").output == """
                feature        kind               conf.  coverage   keep  top tokens     topic      label, family
                L/0/0                                                     ‘red’          red 100 %  3 children cover 95 %, explain 95 %
                └─ L/1/1       split, asserted     0.98     100 %   45 %  ‘red’          red 100 %  1 child covers 4.4 %, explains 4.4 % · vanished in L/2
                   └─ L/2/3 ◂  split, likely       0.96      50 %  4.4 %  ‘red’          red 100 %  ⇄ also under L/1/7
                L/1/7                                                     ‘green’ ‘red’             novel · 1 child covers 0 %, explains 0 % · vanished in L/2
                └─ L/2/3 ◂     absorbed?, likely   0.96       0 %    0 %  ‘red’          red 100 %  ⇄ also under L/1/1

                split: fires on a part of what its parent fires on
                absorbed?: points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell

                """)
            #expect(ask("lineage", "L/2/3", "--depth", "1").output == """
                feature     kind               conf.  coverage   keep  top tokens     topic      label, family
                L/1/1                                                  ‘red’          red 100 %  1 child covers 4.4 %, explains 4.4 % · vanished in L/2
                └─ L/2/3 ◂  split, likely       0.96      50 %  4.4 %  ‘red’          red 100 %  ⇄ also under L/1/7
                L/1/7                                                  ‘green’ ‘red’             novel · 1 child covers 0 %, explains 0 % · vanished in L/2
                └─ L/2/3 ◂  absorbed?, likely   0.96       0 %    0 %  ‘red’          red 100 %  ⇄ also under L/1/1

                split: fires on a part of what its parent fires on
                absorbed?: points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell

                """)
        }
    }

    @Test func `children beyond -k are counted, what keeps most of the parent comes first`() throws {
        try withLineage { ask in
            let names: [String] = ask("lineage", "L/0/0", "-k", "1").output.split(separator: "\n").prefix(5).map { $0.prefix(12).trimmingCharacters(in: .whitespaces) }
            #expect(names == ["feature", "L/0/0 ◂", "├─ L/1/1", "│  └─ L/2/3", "└─ … 2 more"])
        }
    }

    @Test(arguments: [
        ("L/1/4", """
            L/1/4 is novel: no feature of L/0 explains it (the best covers 0 % of its firings above chance; the nearest decoder vector is at a cosine of 0.00)
            L/1/4 has vanished: no feature of L/2 carries it on; children together fire on 0 % of what it fires on
            """),
        ("L/0/2", "L/0/2 has vanished: no feature of L/1 carries it on; children together fire on 0 % of what it fires on"),
        ("L/0/3", "L/0/3 is noise to L/1: it fires 12 times in 4,000 tokens, and 30 firings are needed to tell what it is"),
        ("L/1/5", """
            L/1/5 is noise to L/0: it fires 20 times in 4,000 tokens, and 30 firings are needed to tell what it is
            L/1/5 is noise to L/2: it fires 20 times in 4,000 tokens, and 30 firings are needed to tell what it is
            """),
        ("L/2/4", "L/2/4 has no parent in L/1 that is likely or surer (the best covers 49 % of its firings above chance; the nearest decoder vector is at a cosine of 0.60); there are 2 that are less sure: --tier candidate"),
        ("L/2/9", "L/2/9 is noise to L/1: it never fires in 4,000 tokens, and 30 firings are needed to tell what it is"),
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
                digraph lineage {
                    node [shape=box];
                    "L/0/0" [label="L/0/0\\n‘red’\\nred 100 %"];
                    "L/0/1" [label="L/0/1\\nblue\\n‘blue’ ‘red’\\nblue 91 %"];
                    "L/1/3" [label="L/1/3\\n≈ blue (from L/0/1, merge (and), 0.96)\\n‘red’\\nred 100 %", penwidth=2];
                    "L/2/2" [label="L/2/2\\n≈ blue (from L/0/1, same, 0.94)\\n‘blue’\\nblue 100 %"];
                    "L/2/4" [label="L/2/4\\n‘red’ ‘green’\\nred 50 %"];
                    "L/0/0" -> "L/1/3" [label="merge (and) 0.96", style=bold];
                    "L/0/1" -> "L/1/3" [label="merge (and) 0.96", style=bold];
                    "L/1/3" -> "L/2/2" [label="absorbed? 0.97", style=solid];
                    "L/1/3" -> "L/2/4" [label="merge (or) 0.95", style=dashed];
                }

                """, ""))
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--mermaid") == (0, """
                flowchart TD
                    n0["L/0/0<br/>‘red’<br/>red 100 #37;"]
                    n1["L/0/1<br/>blue<br/>‘blue’ ‘red’<br/>blue 91 #37;"]
                    n2["L/1/3<br/>≈ blue #40;from L/0/1, merge #40;and#41;, 0.96#41;<br/>‘red’<br/>red 100 #37;"]
                    n3["L/2/2<br/>≈ blue #40;from L/0/1, same, 0.94#41;<br/>‘blue’<br/>blue 100 #37;"]
                    n4["L/2/4<br/>‘red’ ‘green’<br/>red 50 #37;"]
                    n0 ==>|"merge #40;and#41; 0.96"| n2
                    n1 ==>|"merge #40;and#41; 0.96"| n2
                    n2 -->|"absorbed#63; 0.97"| n3
                    n2 -.->|"merge #40;or#41; 0.95"| n4
                    style n2 stroke-width:3px

                """, ""))
        }
    }

    @Test func `JSON has every member and edge of the family with all evidence`() throws {
        try withLineage { ask in
            let family = try JSON(parsing: ask("lineage", "L/1/3", "--tier", "candidate", "--json").output)
            #expect(family["feature"] == .string("L/1/3"))
            let features = try #require(family["features"]?.array), edges = try #require(family["edges"]?.array)
            func line(_ object: JSON, _ members: [String]) -> String { members.map { object[$0]?.string ?? "none" }.joined(separator: " ") }
            #expect(features.map { line($0, ["feature", "relation"]) } == ["L/0/0 ancestor", "L/0/1 ancestor", "L/1/3 self", "L/2/2 descendant", "L/2/4 descendant"])
            #expect(edges.map { line($0, ["parent", "child", "kind", "tier"]) } == ["L/0/0 L/1/3 merge-and asserted", "L/0/1 L/1/3 merge-and asserted", "L/1/3 L/2/2 absorbed likely", "L/1/3 L/2/4 merge-or candidate"])
            #expect(edges[1]["keep"]?.number == 100.0 / 1100 && edges[1]["firings_together"]?.integer == 100 && edges[1]["coverage"]?.number == 1)
            #expect(features[4]["topic"]?["topic"] == .string("red") && features[4]["topic"]?["share"]?.number == 0.5 && features[4]["parents"]?.array?.count == 2)
            // The rows of --csv and --jsonl are the view's.
            let view = QueryTests.monoseme(["sql", """
                SELECT parent, child, kind, tier, confidence, coverage, coverage_low, keep, mass_coverage, mass_coverage_low, mass_keep, masked_cosine, activation_correlation, decoder_cosine, containment, weight, share,
                    parent_firings, child_firings, firings_together FROM lineage WHERE 'L/1/3' IN (parent, child) ORDER BY child_dictionary, parent_id, child_id
                """, "--csv"], catalogue: ask.path).output
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--csv").output == view)
            #expect(ask("lineage", "L/1/3", "--tier", "candidate", "--jsonl").output.split(separator: "\n").count == 4)
        }
    }

    @Test func `an export has edges, facts and suggestions, and a suggestion is no label`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red") }) { ask in
            let export = try JSON(parsing: ask("export", "L/1").output), schema = try JSON(parsing: String(contentsOf: repository.appending(path: "Sources/Publishing/Export.schema.json"), encoding: .utf8))
            #expect(violations(of: schema, by: export) == [])
            let feature = try #require(export["features"]?.array?[3])
            #expect(feature["label"]?.isNull == true)
            func texts(_ list: JSON?, _ member: String) -> [String] { (list?.array ?? []).map { $0[member]?.string ?? "none" } }
            #expect(texts(feature["label_suggestions"], "label") == ["words of red"])
            #expect(texts(feature["lineage"]?["parents"], "parent") == ["L/0/0", "L/0/1"])
            #expect(texts(feature["lineage"]?["children"], "child") == ["L/2/2", "L/2/4"])
            let facts: [String] = try #require(feature["lineage"]?["facts"]?.array).map { $0["kind"]?.string ?? "none" }
            #expect(facts == ["none", "vanished"])
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

                        feature  kind                   conf.  coverage   keep
                parent  L/0/0    merge (and), asserted   0.96     100 %   10 %
                parent  L/0/1    merge (and), asserted   0.96     100 %  9.1 %
                child   L/2/2    absorbed?, likely       0.97       0 %    0 %
                child   L/2/4    merge (or), candidate   0.95      50 %  100 %
                L/1/3 has vanished: no feature of L/2 carries it on; children together fire on 0 % of what it fires on

                """)
            #expect(ask("show", "L/0/0", "--examples", "0").output.hasPrefix("L/0/0  words of red\nstatus "))
        }
    }

    // MARK: Numbers

    @Test func `the summary counts edges and fates, and ranks families`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "summary", "L/1", "L/2") == (0, """
                Edges from L/1 to L/2
                kind        asserted  likely  candidate
                same               1       0          0  fires where its parent does and hardly anywhere else: the same feature again
                split              2       1          0  fires on a part of what its parent fires on
                absorbed?          0       2          0  points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell
                merge (or)         0       0          2  fires where one or another of its parents does
                overlap            0       0          1  related by the evidence, in none of the ways that have a name
                all                3       3          3

                Features
                          L/1  L/2
                same        1    1  found again in the other
                split       1    3  a parent that has split; a child of one parent
                merged      0    1  of several parents; a parent of such a child
                vanished    5    0  carried on by no feature of the larger one
                noise       1    5  fewer than 30 firings: not judged

                Families: 5
                parent  children  union  explained  firings  top token  label
                L/1/0          2  100 %      100 %      400  red        -
                L/1/2          1  100 %      100 %    1,000  blue       -
                L/1/1          1  4.4 %      4.4 %      450  red        -
                L/1/3          1    0 %        0 %      100  red        -
                L/1/7          1    0 %        0 %      105  green      -

                """, ""))
            #expect(ask("lineage", "summary", "L/0", "L/1", "--csv") == (0, """
                parent,children,union_coverage,explained,firings,top_token,label
                L/0/0,3,0.95,0.95,1000,red,
                L/0/1,2,1,1,1100,blue,

                """, ""))
            let numbers = try JSON(parsing: ask("lineage", "summary", "L/0", "L/1", "--json").output)
            func fates(_ side: String) -> [String] { LineageOverview.Fate.allCases.compactMap { fate in (numbers[side]?[fate.rawValue]?.integer).flatMap { $0 == 0 ? nil : "\(fate.rawValue) \($0)" } } }
            #expect(fates("parent_features") == ["same 1", "split 1", "vanished 1", "noise 1"])
            #expect(fates("child_features") == ["same 1", "split 2", "merged 1", "novel 3", "noise 1"])
        }
    }

    @Test func `a child that is split from one parent and merged of two is counted as merged, a parent of both as split`() throws {
        // L/1/3 of L/0/0 is a split now, of L/0/1 it is a merge still.
        try withLineage(prepare: { try $0.catalogue.connection.execute("UPDATE lineage_edge SET kind = 'split' WHERE build_id = 1 AND child_id & 255 = 3 AND parent_id & 255 = 0; UPDATE lineage_edge SET kind = 'split' WHERE build_id = 1 AND kind = 'same'") }) { ask in
            let numbers = try JSON(parsing: ask("lineage", "summary", "L/0", "L/1", "--json").output)
            #expect(numbers["child_features"]?["merged"]?.integer == 1)
            #expect(numbers["child_features"]?["split"]?.integer == 3)
            #expect(numbers["parent_features"]?["merged"]?.integer == 0)
            #expect(numbers["parent_features"]?["split"]?.integer == 2)
        }
    }

    @Test func `holes are the tokens that no child covers, by who fires there`() throws {
        try withLineage { ask in
            // 850 ..< 900: 40 of L/1/6, of which 5 of L/1/7 too; nothing fires on ten.
            #expect(ask("lineage", "L/0/0", "--holes") == (0, """
                L/0/0 fires on 1,000 tokens; on 50 (5.0 %) of them none of its 3 children in L/1 does

                Who fires there in L/1
                feature  holes  share  top token  label
                L/1/6       40   80 %  green      -
                L/1/7        5   10 %  green      -
                on 80 % of the holes one of these fires

                Some of the holes
                activation  topic  context
                      1.00  red    redredredredredredredredredredredred«red»redredredredredredredredredredredred
                      1.00  red    redredredredredredredredredredredred«red»redredredredredredredredredredredred
                      1.00  red    redredredredredredredredredredredred«red»redredredredredredredredredredredred
                      1.00  red    redredredredredredredredredredredred«red»redredredredredredredredredredredred
                      1.00  red    redredredredredredredredredredredred«red»redredredredredredredredredredredred

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
            let places: [Int] = try #require(holes["examples"]?.array).map { $0["position"]?.integer ?? -1 }
            #expect(places == [850, 851, 852, 853, 854])
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
            #expect(again.map { $0["was_complete"]?.bool } == [true, true])
            func counts(_ column: String) -> [Int] { again.map { $0[column]?.integer ?? -1 } }
            #expect(counts("asserted") == [5, 3])
            #expect(counts("likely") == [0, 3])
            #expect(counts("candidate") == [0, 3])
            #expect(counts("novel") == [3, 0])
            #expect(counts("vanished") == [1, 5])
            #expect(counts("noise") == [2, 6])
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
            let first = try JSON(parsing: ask("lineage", "L/1/3", "--json").output)["features"]?.array?[0]
            #expect(first?["label"]?.string == label)
            // On a terminal, right-to-left text is kept apart.
            let terminal = Terminal(isTerminal: true, width: 400, hasColour: false, canRedraw: true)
            #expect(ask.on(terminal, "lineage", "L/0/0").contains("\u{2068}"))
        }
    }

    @Test(arguments: [80, 100, 140]) func `a terminal's lines are not longer than it is wide`(width: Int) throws {
        try withLineage(prepare: { try $0.label("L/0/0", String(repeating: "a long label ", count: 20)) }) { ask in
            let output = ask.on(Terminal(isTerminal: true, width: width, hasColour: false, canRedraw: true), "lineage", "L/0/0")
            let tree = output.components(separatedBy: "\n\n")[0]
            #expect(tree.split(separator: "\n").allSatisfy { displayWidth(of: $0) <= width }, "\(tree)")
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
                #expect(graph.split(separator: "\n").count { $0.hasPrefix("node ") } == 8 && graph.split(separator: "\n").count { $0.hasPrefix("edge ") } == 7, "\(graph)")
            }
        }
    }
}
