@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

/// Files, names and texts that mean harm, and graphs that other programs must read.
@Suite struct HostileLineageTests {
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
                #expect(graph.split(separator: "\n").count { $0.hasPrefix("node ") } == 7 && graph.split(separator: "\n").count { $0.hasPrefix("edge ") } == 6, "\(graph)")
            }
        }
    }
}
