import Foundation
import IngestionSupport
import SQLite
import Testing
import TestSupport

/// `monoseme lineage build` as a process, over the fixtures' A/0 and A/1: four transactions of fine features, and one of families.
///
/// Seen to fail: a build that begins anew after a kill.
@Suite(.serialized) struct LineageTests {
    private let times: Set<String> = ["lineage_build.started_at", "lineage_build.finished_at"]

    private func ingest(_ name: String, _ autoencoder: String, model: String = "model-A", tokens: Int = 15_000, _ more: [String] = [], in folder: URL) throws {
        let outcome = try run(["ingest", "--model", fixture(model), "--sae", fixture(autoencoder), "--name", name, "--corpus", fixture("corpus.jsonl"), "--limit-tokens", "\(tokens)", "--catalogue", "pristine.sqlite"] + more,
                              in: folder)
        try #require(outcome.status == 0, "\(outcome)")
    }

    @Test(.timeLimit(.minutes(3))) func `killed at any moment and run again, a lineage ends as if it had not been, on any number of threads`() throws {
        try withTemporaryFolder { folder in
            try ingest("A/0", "sae-A-0", in: folder)
            try ingest("A/1", "sae-A-1", in: folder)
            let pristine = folder.appending(path: "pristine.sqlite")
            func command(_ name: String, threads: Int = 1) -> [String] { ["lineage", "build", "A/0", "A/1", "--threads", "\(threads)", "--catalogue", name] }
            for name in ["whole.sqlite", "two.sqlite"] { try FileManager.default.copyItem(at: pristine, to: folder.appending(path: name)) }
            var whole = Outcome(status: 0, errors: "")
            let duration = try ContinuousClock().measure { whole = try run(command("whole.sqlite"), in: folder) }
            try #require(whole.status == 0, "\(whole)")
            let expected = try CatalogueRows(path: folder.appending(path: "whole.sqlite").path, leavingOut: times)
            #expect(expected.tables["lineage_feature"]?.count == 4096 + 512)
            #expect(try #require(expected.tables["lineage_edge"]?.count) > 500)
            #expect(try run(command("two.sqlite", threads: 2), in: folder).status == 0)
            #expect(try CatalogueRows(path: folder.appending(path: "two.sqlite").path, leavingOut: times).difference(from: expected) == [])

            var random = SeededRandom(5), kills = 0, resumed = 0
            while kills < 4 || (resumed == 0 && kills < 60) {
                let file = folder.appending(path: "killed.sqlite")
                for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file.path + ending) }
                try FileManager.default.copyItem(at: pristine, to: file)
                for _ in 0..<4 {
                    let running = try Running(command("killed.sqlite", threads: 1 + kills % 2), in: folder)
                    usleep(UInt32.random(in: 0...UInt32(duration / .microseconds(1)), using: &random))
                    running.kill()
                    if try running.outcome().status == 0 { break }
                    kills += 1
                    let connection = try Connection(path: file.path, access: .readWrite)
                    if try connection.integer("SELECT features_done FROM lineage_build WHERE NOT is_complete") ?? 0 > 0 { resumed += 1 }
                }
                let last = try run(command("killed.sqlite"), in: folder)
                #expect(last.status == 0, "\(last)")
                #expect(try CatalogueRows(path: file.path, leavingOut: times).difference(from: expected) == [])
                #expect(try run(["check", "--catalogue", "killed.sqlite"], in: folder).output == "no problems\n")
            }
            #expect(resumed > 0, "no kill came between two transactions")
        }
    }

    @Test func `where one kind of evidence is missing it is said what that costs, and where both are there is no lineage`() throws {
        try withTemporaryFolder { folder in
            try ingest("A/0", "sae-A-0", tokens: 3_000, in: folder)
            try ingest("B/1", "sae-B-1", model: "model-B", tokens: 3_000, in: folder)
            try ingest("C/1", "sae-A-1", tokens: 2_000, in: folder)
            try ingest("K/1", "sae-A-1", tokens: 3_000, ["--keep", "top:5"], in: folder)
            try ingest("D/1", "sae-B-1", model: "model-B", tokens: 2_000, in: folder)
            func ask(_ words: String...) throws -> Outcome { try run(words + ["--catalogue", "pristine.sqlite"], in: folder) }
            func edges(_ fine: String) throws -> [Int] {
                let connection = try Connection(path: folder.appending(path: "pristine.sqlite").path, access: .readOnly)
                return try connection.rows("""
                    SELECT count(*), count(firings_together), count(decoder_cosine), sum(tier <> 'candidate'), sum(kind <> 'overlap') FROM lineage WHERE parent_dictionary = 'A/0' AND child_dictionary = ?
                    """, .text(fine)) { row in (0..<5).map { row.integer($0) } }[0]
            }
            // Another model: tokens in common, and no direction; nothing is asserted.
            let other = try ask("lineage", "build", "A/0", "B/1")
            #expect(other.status == 0 && other.errors.contains("A/0 and B/1 belong to different models: the cosine of their decoder vectors means nothing") && other.errors.contains("cannot be found"), "\(other)")
            let byActivations = try edges("B/1")
            #expect(byActivations[0] > 0 && byActivations[1] == byActivations[0] && byActivations[2] == 0, "\(byActivations)")
            // Another corpus, or firings thrown away: directions, and no token in common; candidates of no kind.
            for (fine, reason) in [("C/1", "was run over"), ("K/1", "K/1 keeps only the 5 strongest firings of each feature")] {
                let outcome = try ask("lineage", "build", "A/0", fine)
                #expect(outcome.status == 0 && outcome.errors.contains(reason) && outcome.errors.contains("there is no evidence of activations"), "\(outcome)")
                let byDecoders = try edges(fine)
                #expect(byDecoders[0] > 0 && byDecoders[1] == 0 && byDecoders[2] == byDecoders[0] && byDecoders[3] == 0 && byDecoders[4] == 0, "\(fine): \(byDecoders)")
            }
            let neither = try ask("lineage", "build", "A/0", "D/1")
            #expect(neither.status == 1 && neither.errors.hasPrefix("monoseme: nothing connects A/0 and D/1: A/0 was run over") && neither.errors.contains("\n  hint: ingest both over one corpus"), "\(neither)")
            #expect(try ask("check").output == "no problems\n")
        }
    }
}
