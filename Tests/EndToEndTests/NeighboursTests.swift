import Foundation
import IngestionSupport
import SQLite
import Testing
import TestSupport

/// `monoseme neighbours` as a process: over the 4,096 features of a fixture, in three transactions.
@Suite(.serialized) struct NeighboursTests {
    private let times: Set<String> = ["neighbour_graph.started_at", "neighbour_graph.finished_at"]

    private func ingested(in folder: URL) throws -> URL {
        let path = folder.appending(path: "pristine.sqlite")
        let outcome = try run(["ingest", "--model", fixture("model-A"), "--sae", fixture("sae-A-1"), "--name", "A/1", "--corpus", fixture("corpus.jsonl"), "--limit-tokens", "500", "--catalogue", path.path], in: folder)
        try #require(outcome.status == 0, "\(outcome)")
        return path
    }

    @Test(.timeLimit(.minutes(3))) func `killed at any moment and run again, a graph ends as if it had not been`() throws {
        try withTemporaryFolder { folder in
            let pristine = try ingested(in: folder)
            func command(_ name: String) -> [String] { ["neighbours", "A/1", "-k", "7", "--threads", "1", "--catalogue", name] }
            try FileManager.default.copyItem(at: pristine, to: folder.appending(path: "whole.sqlite"))
            var whole = Outcome(status: 0, errors: "")
            let duration = try ContinuousClock().measure { whole = try run(command("whole.sqlite"), in: folder) }
            try #require(whole.status == 0, "\(whole)")
            let expected = try CatalogueRows(path: folder.appending(path: "whole.sqlite").path, leavingOut: times)
            #expect(expected.tables["feature_neighbour"]?.count == 4096 * 7)

            var random = SeededRandom(3), kills = 0, resumed = 0
            while kills < 4 || (resumed == 0 && kills < 60) {
                let file = folder.appending(path: "killed.sqlite")
                for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file.path + ending) }
                try FileManager.default.copyItem(at: pristine, to: file)
                for _ in 0..<4 {
                    let running = try Running(command("killed.sqlite"), in: folder)
                    usleep(UInt32.random(in: 0...UInt32(duration / .microseconds(1)), using: &random))
                    running.kill()
                    if try running.outcome().status == 0 { break }
                    kills += 1
                    let connection = try Connection(path: file.path, access: .readWrite)
                    if try connection.has("neighbour_graph"), try connection.integer("SELECT features_done FROM neighbour_graph WHERE NOT is_complete") ?? 0 > 0 { resumed += 1 }
                }
                let last = try run(command("killed.sqlite"), in: folder)
                #expect(last.status == 0, "\(last)")
                #expect(try CatalogueRows(path: file.path, leavingOut: times).difference(from: expected) == [])
                #expect(try run(["check", "--catalogue", "killed.sqlite"], in: folder).output == "no problems\n")
            }
            #expect(resumed > 0, "no kill came between two transactions")
        }
    }

    @Test func `a second call finds the graph there, threads change nothing, and the mistakes one can make are said`() throws {
        try withTemporaryFolder { folder in
            let pristine = try ingested(in: folder)
            func ask(_ words: String...) throws -> Outcome { try run(words + ["--catalogue", pristine.path], in: folder) }
            let first = try ask("neighbours", "A/1", "-k", "3", "--threads", "2", "--json")
            #expect(first.status == 0 && first.errors.isEmpty && first.output.contains("\"neighbours\": 3") && first.output.contains("\"pairs\": 8386560"), "\(first)")
            let second = try ask("neighbours", "A/1", "-k", "2")
            #expect(second.status == 0 && second.errors == "monoseme: A/1 among A/1: the 3 nearest features are there already; nothing was done\n", "\(second)")
            // Cosines and order are those of the search for one feature, which knows nothing of the graph.
            func list(_ outcome: Outcome) throws -> [String] {
                let rows = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
                return try rows.map { "\(try #require($0["feature"])) \(Float(truncating: try #require($0["cosine"] as? NSNumber)))" }
            }
            let near = try list(ask("near", "A/1/2357", "-k", "3", "--json"))
            #expect(near.count == 3)
            #expect(try list(ask("sql", "SELECT neighbour AS feature, cosine FROM neighbour WHERE feature = 'A/1/2357' ORDER BY rank", "--json")) == near)
            for (words, status, message) in [
                (["neighbours", "A/7"], 1, "monoseme: no dictionary \"A/7\" in"), (["neighbours", "A/1", "--in", "A/7"], 1, "monoseme: no dictionary \"A/7\" in"), (["neighbours", "A/1", "-k", "0"], 2, "monoseme: -k"),
                (["neighbours", "A/1", "-k", "-3"], 2, "monoseme: "), (["neighbours", "A/1", "-k", "99999999999999999999"], 2, "monoseme: -k"), (["neighbours", "A/1", "--threads", "0"], 2, "monoseme: --threads"), (["neighbours"], 2, "monoseme: "),
                (["neighbours", "A/1/5"], 2, "monoseme: "),
            ] as [([String], Int32, String)] {
                let outcome = try run(words + ["--catalogue", pristine.path], in: folder)
                #expect(outcome.status == status && outcome.errors.hasPrefix(message) && outcome.output.isEmpty, "\(words): \(outcome)")
            }
        }
    }
}
