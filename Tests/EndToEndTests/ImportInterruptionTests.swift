import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

@Suite struct ImportInterruptionTests {
    /// A source of 4,000 examples, so many that the program is killed in the midst of them.
    private func writeSource(to folder: URL) throws {
        var features = "", examples = ""
        for feature in 0..<40 {
            features += #"{"modelId":"m","layer":"0-s","index":"\#(feature)","frac_nonzero":0.01}"# + "\n"
            for example in 0..<100 {
                let tokens = (0..<60).map { "\"t\((feature * 7 + example * 13 + $0 * 31) % 997)\"" }.joined(separator: ",")
                let values = (0..<60).map { $0 % 7 == example % 7 ? "1.5" : "0.0" }.joined(separator: ",")
                examples += #"{"modelId":"m","layer":"0-s","index":"\#(feature)","tokens":[\#(tokens)],"values":[\#(values)]}"# + "\n"
            }
        }
        for (part, text) in [("features", features), ("activations", examples)] {
            try FileManager.default.createDirectory(at: folder.appending(path: part), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: folder.appending(path: "\(part)/batch-0.jsonl"))
        }
    }

    @Test func `an import that is killed leaves the catalogue as it was, and the same command does it all`() throws {
        try withTemporaryFolder { folder in
            try writeSource(to: folder.appending(path: "source"))
            let import_ = ["import", "source", "--name", "I/0", "--catalogue"]
            let whole = try run(import_ + ["whole.sqlite"], in: folder)
            #expect(whole.status == 0 && whole.errors.hasPrefix("monoseme: I/0: 40 features, 4,000 examples, 0 labels, 0 scores\n"), "\(whole)")
            var killed = 0
            for delay in [20_000, 40_000, 60_000, 90_000, 130_000] as [UInt32] {
                let running = try Running(import_ + ["c.sqlite"], in: folder)
                usleep(delay)
                running.kill()
                let outcome = try running.outcome()
                if outcome.status == 0 { break } // it was quicker
                killed += 1
                guard FileManager.default.fileExists(atPath: folder.appending(path: "c.sqlite").path), let connection = try? Connection(path: folder.appending(path: "c.sqlite").path, access: .readWrite),
                      try connection.has("import_source") else { continue }
                let counts = try ["dictionary", "tokenizer", "corpus", "feature", "segment", "posting", "import_source"].map { try connection.integer("SELECT count(*) FROM \($0)") }
                // Nothing, or, where it was killed at its very end, all.
                #expect([[0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 40, 1, 40, 1]].contains(counts), "\(counts)")
                if counts[0] == 1 { break }
            }
            #expect(killed > 0)
            if try run(["show", "I/0/0", "--catalogue", "c.sqlite"], in: folder).status != 0 { #expect(try run(import_ + ["c.sqlite"], in: folder).status == 0) }
            #expect(try run(["check", "--catalogue", "c.sqlite"], in: folder).status == 0)
            let rows = try ["whole", "c"].map { try CatalogueRows(path: folder.appending(path: "\($0).sqlite").path, leavingOut: ["tokenizer.id"]) }
            #expect(rows[0].difference(from: rows[1]) == [])
        }
    }
}
