import Foundation
import TestSupport
import Testing

/// What programs make of it that others have written; where a machine lacks one, its test is left out.
@Suite struct ProgramTests {
    private func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process(), pipe = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let words = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: words, as: UTF8.self)
    }

    private static let shell = "/usr/bin/sqlite3", python = "/usr/bin/python3"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: shell))) func `the sqlite3 shell loads it by the name of the file`() throws {
        try withCatalogue { (path) throws in
            let query = "SELECT n.feature, round(n.cosine, 6), f.firings FROM nearest('P/0/1', 2) AS n JOIN feature_overview AS f USING (feature_id)"
            #expect(try run(ProgramTests.shell, [path, ".load \(library.dropLast(3))", query]) == "P/0/2|0.96|1\nP/0/0|0.6|9\n")
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: python))) func `Python loads it, in threads, and closes in the middle`() throws {
        let script = """
            import sqlite3, sys, threading
            def connect():
                c = sqlite3.connect(sys.argv[1])
                c.enable_load_extension(True)
                c.load_extension(sys.argv[2])
                return c
            def work():
                for i in range(10):
                    c = connect()
                    rows = c.execute("SELECT * FROM activations('P/0/1'), nearest('P/0/0')")
                    assert rows.fetchone()[1] == 0
                    c.close()
            threads = [threading.Thread(target=work) for _ in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            c = connect()
            print(c.execute("SELECT feature, round(cosine, 6) FROM nearest(?, 1, 'P/0')", (c.execute("SELECT decoder('P/0/1')").fetchone()[0],)).fetchall())
            try: c.execute("SELECT * FROM nearest('P/0/99')").fetchall()
            except sqlite3.OperationalError as error: print(str(error).split(chr(10))[0])
            """
        try withCatalogue { (path) throws in
            #expect(try run(ProgramTests.python, ["-c", script, path, library]) == "[('P/0/1', 1.0)]\nthere is no feature \"P/0/99\": P/0 has 4 features\n")
        }
    }
}
