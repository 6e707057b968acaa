import DictionarySupport
import Formats
import Glibc
import Testing
@testable import benchmarks

@Suite struct BenchmarksTests {
    @Test func `the ingest benchmark runs on a tiny job and counts the same on one thread and on two`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        try write(.tiny, to: folder)
        let lines = try [1, 2].map { try JSON(parsing: try measureIngest(folder, catalogue: "\(folder)/\($0).sqlite", threads: $0, tokenLimit: nil)) }
        #expect(lines.map { $0["tokens"]?.integer } == [3_000, 3_000])
        #expect(try #require(lines[0]["firings"]?.integer) > 3_000)
        #expect(lines[0]["firings"] == lines[1]["firings"])
    }

    @Test(arguments: [false, true]) func `the benchmark of neighbour graphs runs, and finds them all`(isSelf: Bool) throws {
        let rows = GeneratedDictionary(.duplicated, features: 200, width: 32, seed: 1), others = GeneratedDictionary(.isotropic, features: 300, width: 32, seed: 2)
        let line = try JSON(parsing: measureGraph(rows.rows(), among: isSelf ? nil : others.rows(), k: 3, threads: 2, peerRows: 100))
        #expect(line["neighbours"]?.integer == 600)
        #expect(try #require(line["blas_cpu_s"]?.number) > 0)
        // Nearly every row has a twin in its own dictionary, and none in the other.
        let nearest = try #require(line["mean_nearest_cosine"]?.number)
        #expect(isSelf ? nearest > 0.95 : nearest < 0.8)
    }

    @Test func `the bound of dense products is a number`() throws {
        let line = try JSON(parsing: measureProducts(.tiny, seconds: 0.01))
        #expect(try #require(line["tokens_per_cpu_s"]?.number) > 0)
    }
}
