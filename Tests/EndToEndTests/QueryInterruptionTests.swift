import Foundation
import Glibc
import TestSupport
import Testing

/// Ctrl-C while `monoseme sql` is at work.
@Suite struct QueryInterruptionTests {
    static let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"

    @Test(arguments: [
        // Before the first row, between rows, and within a function that reads on its own.
        "\(numbers) SELECT count(*) FROM n", "\(numbers) SELECT i FROM n", "\(numbers) SELECT n.i, c.count FROM n, cofiring('T/0/' || (n.i % 48), 3) AS c",
    ], ["--csv", "--jsonl"]) func `Ctrl-C ends a query with one line and status 130`(query: String, format: String) throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 5)
            #expect(try run(ingestion(), in: folder).status == 0)
            let asked = try Running(["sql", query, format], in: folder)
            // The first rows, or time enough for a process to be at work.
            Thread.sleep(forTimeInterval: 0.3)
            kill(asked.process.processIdentifier, SIGINT)
            let outcome = try asked.outcome()
            #expect(outcome.status == 130 && outcome.errors == "monoseme: interrupted\n", "\(outcome.errors)")
            #expect(outcome.output.isEmpty || outcome.output.hasSuffix("\n"))
        }
    }

    @Test func `a query from standard input whose reader has gone ends quietly`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 2)
            #expect(try run(ingestion(), in: folder).status == 0)
            let outcome = try shell("echo \"\(QueryInterruptionTests.numbers) SELECT i FROM n\" | $monoseme sql - --jsonl | head -1; echo ${PIPESTATUS[1]}", in: folder)
            #expect(outcome.output == "{\"i\":1}\n0\n" && outcome.errors == "")
        }
    }
}
