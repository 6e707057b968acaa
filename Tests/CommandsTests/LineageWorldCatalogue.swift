@testable import Commands
import FeatureCatalogue
import Foundation
import IngestionSupport
import TestSupport
import Testing

/// Runs `body` with the catalogue of `LineageWorld`, its lineages built by the command, and every confidence set to a number that no fit changes:
/// 0.99 less a hundredth for each unit of the child's index.
func withLineage(spellings: [String] = ["red", "blue", "green"], topics: [String] = ["red", "blue", "green"], prepare: (LineageWorld) throws -> Void = { _ in }, _ body: (LineageAsker) throws -> Void) throws {
    try withTemporaryFolder { folder in
        let path = folder.appending(path: "c.sqlite").path, world = try LineageWorld(at: path, spellings: spellings, topics: topics), asker = LineageAsker(path: path, catalogue: world.catalogue)
        let built = asker("lineage", "build", "L/0", "L/1", "L/2")
        try #require(built.status == 0, "\(built.errors)")
        try world.catalogue.connection.execute("UPDATE lineage_edge SET confidence = 0.99 - 0.01 * (child_id & 255)")
        try prepare(world)
        try body(asker)
    }
}

/// Asks a catalogue by command line.
struct LineageAsker {
    let path: String
    let catalogue: Catalogue

    func callAsFunction(_ words: String...) -> (status: Int32, output: String, errors: String) { QueryTests.monoseme(words, catalogue: path) }
    func on(_ terminal: Terminal, _ words: String...) -> String {
        let output = Output.memory(), errors = Output.memory()
        _ = program.run(words + ["--catalogue", path], environment: Environment([:]), output: output, errors: errors, terminal: terminal, errorTerminal: .plain)
        return output.text
    }
}
