import Foundation
import IngestionSupport
import SQLite
import Testing
import TestSupport

/// What a person can do to an ingest that is under way. One after the other: they measure time and want both cores.
@Suite(.serialized) struct InterruptionTests {
    /// Kills `arguments` at random moments until `kills` have hit a running process, then lets each catalogue be finished.
    private func killAgainAndAgain(_ arguments: (String) -> [String], in folder: URL, kills wanted: Int, seed: UInt64) throws {
        let clock = ContinuousClock()
        var whole = Outcome(status: 0, errors: "")
        let duration = try clock.measure { whole = try run(arguments("whole.sqlite"), in: folder) }
        try #require(whole.status == 0, "\(whole)")
        let expected = try CatalogueRows(path: folder.appending(path: "whole.sqlite").path)

        var random = SeededRandom(seed), kills = 0, catalogues = 0, resumed = 0
        while kills < wanted {
            catalogues += 1
            let name = "killed\(catalogues).sqlite", path = folder.appending(path: name).path
            // At most so often: the last run of each catalogue is left alone, so that every one is finished.
            for _ in 0..<8 {
                let running = try Running(arguments(name), in: folder)
                usleep(UInt32.random(in: 0...UInt32(duration / .microseconds(1) * 1.1), using: &random))
                running.kill()
                let outcome = try running.outcome()
                if outcome.status == 0 { break }
                #expect(outcome.status == 128 + SIGKILL, "\(outcome)")
                kills += 1
                if hasUnfinishedSegments(path) { resumed += 1 }
            }
            let last = try run(arguments(name), in: folder)
            #expect(last.status == 0, "\(last)")
            #expect(try CatalogueRows(path: path).difference(from: expected) == [], "catalogue \(catalogues) of seed \(seed)")
            #expect(try complaints(about: path) == [])
            for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) }
        }
        #expect(resumed > 0, "no kill came between two segments")
    }

    /// Whether a kill left a run with some of its segments: what the next run goes on from.
    private func hasUnfinishedSegments(_ path: String) -> Bool {
        guard let connection = try? Connection(path: path, access: .readWrite) else { return false }
        return (try? connection.integer("SELECT count(*) FROM segment JOIN run ON run.id = run_id WHERE NOT is_complete")).flatMap { $0 }.map { $0 > 0 } ?? false
    }

    @Test(.timeLimit(.minutes(5))) func `killed at twenty moments, an ingest of real text ends as if it had not been`() throws {
        try withTemporaryFolder { folder in
            try killAgainAndAgain({ catalogue in
                ["ingest", "--model", fixture("model-A"), "--sae", fixture("sae-A-0"), "--name", "A/0", "--corpus", fixture("corpus.jsonl"), "--limit-tokens", "140000", "--catalogue", catalogue]
            }, in: folder, kills: 20, seed: 1)
        }
    }

    @Test(.timeLimit(.minutes(5))) func `killed at forty more moments, an ingest that mostly writes ends as if it had not been`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 2_000)
            try killAgainAndAgain({ ingestion(into: $0) }, in: folder, kills: 40, seed: 2)
        }
    }

    @Test func `readers find a sound state at any time`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 3_000)
            let running = try Running(ingestion(), in: folder), path = folder.appending(path: "catalogue.sqlite").path
            var states: Set<Int> = []
            while running.process.isRunning {
                guard FileManager.default.fileExists(atPath: path), let connection = try? Connection(path: path, access: .readOnly),
                      try connection.integer("PRAGMA user_version") ?? 0 >= 3 else { continue }
                #expect(try complaints(about: path) == [])
                states.insert(try connection.integer("SELECT coalesce(sum(tokens), 0) FROM run") ?? 0)
            }
            let outcome = try running.outcome()
            #expect(outcome.status == 0, "\(outcome)")
            #expect(states.count > 2, "the readers saw \(states.sorted())")
        }
    }

    @Test func `of two ingests at once the second is told, and the first is not disturbed`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 20)
            let input = Pipe(), path = folder.appending(path: "catalogue.sqlite").path
            let first = try Running(ingestion(corpus: "-"), in: folder, input: input) // waits for its corpus, the catalogue in its hand
            while ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int ?? 0) == 0, first.process.isRunning { usleep(1000) }
            #expect(try run(ingestion(), in: folder) == Outcome(status: 1, errors: """
                monoseme: another ingest is writing "catalogue.sqlite"
                  hint: wait for it to end, or use another file with --catalogue FILE

                """))
            try input.fileHandleForWriting.write(contentsOf: Data(contentsOf: folder.appending(path: "corpus.jsonl")))
            try input.fileHandleForWriting.close()
            #expect(try first.outcome().status == 0)
            #expect(try complaints(about: path) == [])
        }
    }

    /// Two ways to run out of room: a limit on the size of files, and (for root, where mounting is allowed) a small disk.
    @Test func `a limit on file size ends with a clear message, and the catalogue goes on from there`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 1_500)
            #expect(try run(ingestion(into: "whole.sqlite"), in: folder).status == 0)
            let whole = try CatalogueRows(path: folder.appending(path: "whole.sqlite").path)
            let size = try #require(try FileManager.default.attributesOfItem(atPath: folder.appending(path: "whole.sqlite").path)[.size] as? Int)
            let line = ingestion(into: "$catalogue").joined(separator: " ")
            for part in [0.02, 0.2, 0.45, 0.7, 0.95] {
                let name = "limited-\(part).sqlite", path = folder.appending(path: name).path
                let outcome = try shell("catalogue=\(name); ulimit -f \(Int(Double(size) * part) / 1024); exec env --default-signal=XFSZ $monoseme \(line)", in: folder)
                #expect(outcome.status == 1 && outcome.output.isEmpty)
                #expect(outcome.errors == """
                    monoseme: reading or writing "\(name)" failed: disk I/O error; what came before is safe
                      hint: check the disk and run the same command again: it goes on where it stopped

                    """, "at \(part)")
                #expect(try complaintsIfAny(about: path) == [])
                #expect(try run(ingestion(into: name), in: folder).status == 0)
                #expect(try CatalogueRows(path: path).difference(from: whole) == [], "at \(part)")
            }
        }
    }

    private static let canMount: Bool = (try? withTemporaryFolder { folder in
        try shell("mkdir disk && mount -t tmpfs -o size=64k none disk && umount disk", in: folder).status == 0
    }) ?? false

    @Test(.enabled(if: canMount, "mounting a small disk takes root")) func `a full disk ends with a clear message, and the catalogue goes on from there`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 1_500)
            #expect(try run(ingestion(into: "whole.sqlite"), in: folder).status == 0)
            let whole = try CatalogueRows(path: folder.appending(path: "whole.sqlite").path)
            let size = try #require(try FileManager.default.attributesOfItem(atPath: folder.appending(path: "whole.sqlite").path)[.size] as? Int)
            try FileManager.default.createDirectory(at: folder.appending(path: "disk"), withIntermediateDirectories: false)
            for part in [0.02, 0.2, 0.5, 0.9, 1.02, 1.1] {
                try #require(try shell("mount -t tmpfs -o size=\(Int(Double(size) * part) / 4096 * 4)k none disk", in: folder).status == 0)
                defer { _ = try? shell("umount disk", in: folder) }
                let outcome = try run(ingestion(into: "disk/c.sqlite"), in: folder)
                #expect(outcome == Outcome(status: 1, errors: """
                    monoseme: the disk is full; nothing of the last step was kept, what came before is safe in "disk/c.sqlite"
                      hint: make room and run the same command again: it goes on where it stopped

                    """), "at \(part)")
                #expect(try complaintsIfAny(about: folder.appending(path: "disk/c.sqlite").path) == [])
                try #require(try shell("mount -o remount,size=1g disk", in: folder).status == 0)
                #expect(try run(ingestion(into: "disk/c.sqlite"), in: folder).status == 0)
                #expect(try CatalogueRows(path: folder.appending(path: "disk/c.sqlite").path).difference(from: whole) == [], "at \(part)")
            }
        }
    }

    /// Nothing to complain of where not even the tables were made.
    private func complaintsIfAny(about path: String) throws -> [String] {
        let connection = try Connection(path: path, access: .readWrite)
        return try connection.has("run") && connection.has("statistic") ? complaints(about: path) : []
    }

    @Test func `a reader that goes away is no error`() throws {
        try withTemporaryFolder { folder in
            let outcome = try shell("exec 3> >(true); sleep 0.2; $monoseme ingest --help >&3; echo $?; $monoseme --help >&3; echo $?", in: folder)
            #expect(outcome == Outcome(status: 0, errors: "", output: "0\n0\n"))
        }
    }
}
