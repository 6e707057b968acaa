import Foundation
import IngestionSupport
import Testing
import TestSupport

@Suite struct NearTests {
    private func withCatalogue(_ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 20)
            try #require(try run(ingestion(), in: folder).status == 0)
            try body(folder)
        }
    }

    @Test func `an interrupted predicate ends at once and leaves the catalogue as it was`() throws {
        try withCatalogue { folder in
            let endless = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) > 0"
            let before = try Data(contentsOf: folder.appending(path: "catalogue.sqlite"))
            // A shell may have left interrupts ignored; `env` puts that right.
            let running = try Running(["--default-signal=INT", monoseme, "near", "T/0/1", "--where", endless], program: "/usr/bin/env", in: folder)
            Thread.sleep(forTimeInterval: 0.3)
            #expect(running.process.isRunning)
            Glibc.kill(running.process.processIdentifier, SIGINT)
            for _ in 0..<100 where running.process.isRunning { Thread.sleep(forTimeInterval: 0.1) }
            if running.process.isRunning { running.kill() }
            #expect(try running.outcome() == Outcome(status: 128 + SIGINT, errors: ""))
            #expect(try Data(contentsOf: folder.appending(path: "catalogue.sqlite")) == before)
            #expect(try run(["near", "T/0/1"], in: folder).status == 0)
        }
    }

    @Test func `a vector comes from standard input, and what is none is said by that name`() throws {
        try withCatalogue { folder in
            let row = TinyDictionary.random(seed: 2).decoder[32 * 5..<32 * 6].map { "\($0)" }.joined(separator: ",")
            let found = try shell("echo '[\(row)]' | $monoseme near --vector - --in T/0 -k 1 --csv | tail -1 | cut -d, -f1", in: folder)
            #expect(found == Outcome(status: 0, errors: "", output: "T/0/5\n"))
            let none = try shell("$monoseme near --vector - --in T/0 < /dev/null", in: folder)
            #expect(none == Outcome(status: 1, errors: """
                monoseme: standard input is empty
                  hint: give a JSON array of numbers, such as [0.1, -0.2], or NumPy's .npy of floats

                """))
        }
    }

    @Test func `a catalogue in a folder that may not be written is asked all the same`() throws {
        try withCatalogue { folder in
            let answer = try run(["near", "T/0/1", "-k", "2", "--where", "firings > 0"], in: folder)
            #expect(answer.status == 0)
            try #require(try shell("mkdir closed && cp catalogue.sqlite closed/ && chmod 500 closed && chmod 400 closed/catalogue.sqlite", in: folder).status == 0)
            defer { _ = try? shell("chmod 700 closed", in: folder) }
            #expect(try run(["near", "T/0/1", "-k", "2", "--where", "firings > 0", "--catalogue", "closed/catalogue.sqlite"], in: folder) == answer)
        }
    }
}
