@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

/// Numbers of lineage, and what cannot be answered, over `LineageWorld`.
@Suite struct LineageAnswerTests {
    @Test func `the summary counts edges and fates, and ranks families`() throws {
        try withLineage { ask in
            #expect(ask("lineage", "summary", "L/1", "L/2") == (0, """
                Edges from L/1 to L/2
                kind        asserted  likely  candidate
                same               1       0          0  fires where its parent does and hardly anywhere else: the same feature again
                split              2       1          0  fires on a part of what its parent fires on
                absorbed?          0       0          2  points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell
                merge (or)         0       0          2  fires where one or another of its parents does
                overlap            0       0          1  related by the evidence, in none of the ways that have a name
                all                3       1          5

                Features
                          L/1  L/2
                same        1    1  found again in the other
                split       2    3  a parent that has split; a child of one parent
                merged      2    1  of several parents; a parent of such a child
                vanished    2    0  carried on by no feature of the larger one
                noise       1    5  fewer than 30 firings: not judged

                Families: 3
                parent  children  union  explained  firings  top token  label
                L/1/0          2  100 %      100 %      400  red        -
                L/1/2          1  100 %      100 %    1,000  blue       -
                L/1/1          1   27 %       27 %      450  red        -

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
            // All but 400 ..< 520 of 400 ..< 850.
            #expect(ask("lineage", "L/1/1", "--holes").output.hasPrefix("L/1/1 fires on 450 tokens; on 330 (73 %) of them its only child in L/2, L/2/3, does not\n"))
            // Against its parent: 400 ..< 850 less 400 ..< 520.
            #expect(ask("lineage", "L/2/3", "--holes").output.hasPrefix("L/1/1 fires on 450 tokens; on 330 (73 %) of them L/2/3 does not\n"))
            #expect(ask("lineage", "L/0/2", "--holes").output.hasPrefix("L/0/2 fires on 500 tokens; L/0/2 has no child in L/1, so that all of them are holes\n\nWho fires there in L/1\nfeature  holes  share  top token  label\nL/1/5       20  4.0 %  green      -\n"))
            #expect(ask("lineage", "L/1/2", "--holes") == (0, "L/1/2 fires on 1,000 tokens; on 0 (0 %) of them its only child in L/2, L/2/2, does not\n", ""))
            #expect(ask("lineage", "L/0/0", "--holes", "--csv").output.hasPrefix("feature,holes,share,top_token,label,sum\nL/1/6,40,0.8,green,,40\nL/1/7,5,0.1,green,,5\n"))
            // Against a topic, or a tag: 1000 ..< 2000, where only L/1/2 fires.
            #expect(ask("lineage", "L/0/0", "--holes", "--rule", "blue").output.hasPrefix("\"blue\" holds on 1,000 tokens; on 1,000 (100 %) of them none of L/0/0's 3 children in L/1 does\n\nWho fires there in L/1\nfeature  holes  share  top token  label\nL/1/2    1,000  100 %  blue       -\n"))
            #expect(ask("lineage", "L/0/0", "--holes", "--rule", "yellow") == (1, "", "monoseme: there is no topic \"yellow\" in corpus \"planted.jsonl\"\n  hint: its topics are blue, green, red\n"))
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
            #expect(counts("likely") == [0, 1])
            #expect(counts("candidate") == [0, 5])
            #expect(counts("novel") == [3, 0])
            #expect(counts("vanished") == [1, 2])
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
}
