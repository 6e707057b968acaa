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
/// printed or exported as a label; holes of one child instead of all; quotes let through in either
/// kind of graph; merged children counted as split; a wrong order let through.
@Suite struct LineageTests {
    @Test func `a family is drawn downwards, over all versions`() throws {
        try withLineage(prepare: { try $0.label("L/0/0", "words of red"); try $0.label("L/2/1", "the second half") }) { ask in
            #expect(ask("lineage", "L/0/0") == (0, """
                feature      kind                   conf.  coverage  keep  top tokens  topic      label, family
                L/0/0 ◂                                                    ‘red’       red 100 %  words of red · 3 children cover 95 %, explain 95 %
                ├─ L/1/1     split, asserted         0.98     100 %  45 %  ‘red’       red 100 %  ≈ words of red (from L/0/0, split, 0.98) · 1 child covers 27 %, explains 27 %
                │  └─ L/2/3  split, likely           0.96      57 %  27 %  ‘red’       red 100 %  ≈ words of red (from L/0/0, split, 0.94)
                ├─ L/1/0     split, asserted         0.99     100 %  40 %  ‘red’       red 100 %  ≈ words of red (from L/0/0, split, 0.99) · 2 children cover 100 %, explain 100 %
                │  ├─ L/2/0  split, asserted         0.99     100 %  50 %  ‘red’       red 100 %  ≈ words of red (from L/0/0, split, 0.98)
                │  └─ L/2/1  split, asserted         0.98     100 %  50 %  ‘red’       red 100 %  the second half
                └─ L/1/3     merge (and), asserted   0.96     100 %  10 %  ‘red’       red 100 %  ≈ words of red (from L/0/0, merge (and), 0.96) · ⇄ also under L/0/1

                split: fires on a part of what its parent fires on
                merge (and): fires where both of its parents do

                """, ""))
        }
    }

    @Test func `a feature with two parents is shown under both and marked, what is below it once`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/1/3", "--tier", "candidate").output == """
                feature      kind                   conf.  coverage   keep  top tokens     topic       label, family
                L/0/0                                                       ‘red’          red 100 %   3 children cover 95 %, explain 95 %
                └─ L/1/3 ◂   merge (and), asserted   0.96     100 %   10 %  ‘red’          red 100 %   ⇄ also under L/0/1
                   ├─ L/2/4  merge (or), candidate   0.95      50 %  100 %  ‘red’ ‘green’  red 50 %    ⇄ also under L/1/7
                   └─ L/2/2  absorbed?, candidate    0.97       0 %    0 %  ‘blue’         blue 100 %  ⇄ also under L/1/2
                L/0/1                                                       ‘blue’ ‘red’   blue 91 %   2 children cover 100 %, explain 100 %
                └─ L/1/3 ◂   merge (and), asserted   0.96     100 %  9.1 %  ‘red’          red 100 %   ⇄ also under L/0/0 · its children stand above

                absorbed?: points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell
                merge (and): fires where both of its parents do
                merge (or): fires where one or another of its parents does

                """)
        }
    }

    @Test func `ancestors are drawn above, and of what they have only what leads here`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "L/2/3").output == """
                feature        kind             conf.  coverage  keep  top tokens  topic      label, family
                L/0/0                                                  ‘red’       red 100 %  3 children cover 95 %, explain 95 %
                └─ L/1/1       split, asserted   0.98     100 %  45 %  ‘red’       red 100 %  1 child covers 27 %, explains 27 %
                   └─ L/2/3 ◂  split, likely     0.96      57 %  27 %  ‘red’       red 100 %

                split: fires on a part of what its parent fires on

                """)
            #expect(ask("lineage", "L/2/3", "--depth", "1").output == """
                feature     kind           conf.  coverage  keep  top tokens  topic      label, family
                L/1/1                                             ‘red’       red 100 %  1 child covers 27 %, explains 27 %
                └─ L/2/3 ◂  split, likely   0.96      57 %  27 %  ‘red’       red 100 %

                split: fires on a part of what its parent fires on

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
                    "L/1/3" -> "L/2/2" [label="absorbed? 0.97", style=dashed];
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
                    n2 -.->|"absorbed#63; 0.97"| n3
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
            #expect(edges.map { line($0, ["parent", "child", "kind", "tier"]) } == ["L/0/0 L/1/3 merge-and asserted", "L/0/1 L/1/3 merge-and asserted", "L/1/3 L/2/2 absorbed candidate", "L/1/3 L/2/4 merge-or candidate"])
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
            #expect(facts == ["none", "none"])
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
                child   L/2/2    absorbed?, candidate    0.97       0 %    0 %
                child   L/2/4    merge (or), candidate   0.95      50 %  100 %

                """)
            #expect(ask("show", "L/0/0", "--examples", "0").output.hasPrefix("L/0/0  words of red\nstatus "))
        }
    }
}
