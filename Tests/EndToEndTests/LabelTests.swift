import Foundation
import IngestionSupport
import SQLite
import Testing
import TestSupport

/// Labels as a person and a script meet them: the program as a process.
@Suite struct LabelTests {
    private func count(_ path: String, _ table: String = "label") throws -> Int { try Connection(path: path, access: .readWrite).integer("SELECT count(*) FROM \(table)") ?? 0 }

    @Test(.timeLimit(.minutes(2))) func `an import killed at any moment has added all labels or none`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            _ = try PlantedCatalogue(at: path)
            let pristine = try Data(contentsOf: URL(filePath: path)), labels = 20_000
            let text = (0..<labels).map { "{\"feature\": \"P/0/\($0 % 4)\", \"label\": \"label \($0)\", \"status\": \"\($0 < 40 ? "rejected" : "accepted")\", \"author\": \"a\", \"created_at\": \"2026-01-01\"}\n" }.joined()
            try Data(text.utf8).write(to: folder.appending(path: "labels.jsonl"))
            var whole = Outcome(status: 0, errors: "")
            let duration = try ContinuousClock().measure { whole = try run(["label", "import", "labels.jsonl", "--catalogue", path], in: folder) }
            #expect(whole.errors == "monoseme: 20,000 labels added to 4 features\n")
            var random = SeededRandom(5), outcomes: Set<Int> = [], killed = 0
            while killed < 8 {
                for ending in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) }
                try pristine.write(to: URL(filePath: path))
                let running = try Running(["label", "import", "labels.jsonl", "--catalogue", path], in: folder)
                usleep(UInt32.random(in: 0...UInt32(duration / .microseconds(1)), using: &random))
                running.kill()
                if try running.outcome().status == 128 + SIGKILL { killed += 1 }
                let found = try count(path)
                outcomes.insert(found)
                #expect(found == 0 || found == labels)
                #expect(try count(path, "label_event") == (found == 0 ? 0 : 40) && count(path, "feature_label") == (found == 0 ? 0 : 4))
                #expect(try complaints(about: path) == [])
            }
            #expect(outcomes.contains(0))
            #expect(try run(["label", "import", "labels.jsonl", "--catalogue", path], in: folder).status == 0)
            #expect(try count(path) == labels)
        }
    }

    @Test func `labels go through a pipe from one catalogue into another`() throws {
        try withTemporaryFolder { folder in
            for name in ["one.sqlite", "two.sqlite"] { _ = try PlantedCatalogue(at: folder.appending(path: name).path) }
            let outcome = try shell("""
                export MONOSEME_CATALOGUE=one.sqlite USER=ada
                printf 'feature,label\\r\\n0,"red, mostly"\\r\\n1,all\\r\\n' | $monoseme label import --in P/0 && $monoseme label export P/0 | $monoseme label import --catalogue two.sqlite - &&
                $monoseme label export P/0 --catalogue two.sqlite --format csv | cut -d, -f1-5
                """, in: folder)
            #expect(outcome == Outcome(status: 0, errors: "monoseme: 2 labels added to 2 features\nmonoseme: 2 labels added to 2 features\n", output: """
                feature,label,author,author_kind,method
                P/0/0,"red, mostly",ada,person
                P/0/1,all,ada,person,hand

                """))
        }
    }

    @Test func `ingested anew, a dictionary says which labels to look at again`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 40)
            try Data(randomCorpus(documents: 30, seed: 9).utf8).write(to: folder.appending(path: "other.jsonl"))
            try #require(try run(ingestion(), in: folder).status == 0)
            try #require(try run(["label", "add", "T/0/3", "e", "--author", "ada"], in: folder).status == 0)
            let refused = try run(ingestion(corpus: "other.jsonl"), in: folder)
            #expect(refused.status == 1 && refused.errors.contains("or put it in the place of what is there with --replace"), "\(refused)")
            let outcome = try run(ingestion(corpus: "other.jsonl", ["--replace"]), in: folder)
            #expect(outcome.status == 0 && outcome.errors.hasSuffix("monoseme: T/0 replaced: 1 label is stale (monoseme label list --status stale)\n"), "\(outcome)")
            #expect(try run(["label", "list", "--status", "stale", "--csv"], in: folder).output.split(separator: "\n")[1].hasPrefix("1,T/0/3,e,stale,ada,hand,"))
            #expect(try run(["check"], in: folder).output == "no problems\n")
        }
    }
}
