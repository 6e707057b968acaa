import DictionarySupport
import Formats
import Foundation
import Glibc
import Numerics
import Testing
@testable import benchmarks

@Suite struct BenchmarksTests {
    @Test func `the ingest benchmark runs on a tiny job and counts the same on one thread and on two`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(.tiny, to: folder)
        let lines = try [1, 2].map { try JSON(parsing: try measureIngest(folder, catalogue: "\(folder)/\($0).sqlite", threads: $0, tokenLimit: nil)) }
        #expect(lines.map { $0["tokens"]?.integer } == [3_000, 3_000])
        #expect(try #require(lines[0]["firings"]?.integer) > 3_000)
        #expect(lines[0]["firings"] == lines[1]["firings"])
    }

    @Test func `the benchmark of imports runs on a tiny dump, and brings in what its generator wrote`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try writeDump(to: folder + "/dump", features: 3)
        let line = try JSON(parsing: measureImport(folder + "/dump", catalogue: folder + "/c.sqlite", threads: 2))
        #expect([line["features"], line["example_rows"], line["labels"]].map { $0?.integer } == [3, 135, 3])
    }

    @Test func `the benchmark of streamed activations runs on a tiny job`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(.tiny, to: folder)
        let line = try JSON(parsing: measureStream("\(folder)/model", corpus: "\(folder)/corpus.jsonl", hook: "blocks.0.mlp.hook_post", threads: 2, rows: 5_000))
        #expect(line["rows"]?.integer == 8_192)
        #expect(try #require(line["model_alone_rows_per_cpu_second"]?.number) > 0)
    }

    @Test func `firings differ from decisions in double precision only within rounding of a threshold, and the benchmark counts them`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(.tiny, to: folder)
        let line = try JSON(parsing: try measureRounding(folder, tokens: 1_600))
        #expect(line["tokens"]?.integer == 1_600)
        #expect(line["decisions"]?.integer == 1_600 * 64)
        // Half the tokens are among those that thresholds were set by: each feature's lies on one of their pre-activations.
        #expect(try #require(line["within_rounding_of_the_threshold"]?.integer) >= 10)
        #expect(try #require(line["disagreements"]?.integer) >= 1)
        #expect(line["disagreements_outside"]?.integer == 0)
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

    @Test func `the benchmark of training goes on from the state it wrote, and two threads find what one does`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func rows() -> Matrix { GeneratedDictionary(.clustered, features: 300, width: 16, seed: 1).rows() }
        var job = TrainingJob(features: 64, batchSize: 100, warmUpSteps: 0, steps: 3, threads: 1, recipe: "towards-monosemanticity", settings: ["l1=0.01"])
        let whole = try JSON(parsing: job.measure(rows()))
        #expect(whole["start"]?.string == "new")
        #expect(whole["samples"]?.integer == 300)
        #expect(try #require(whole["samples_per_cpu_s"]?.number) > 0)

        // Three batches are all rows: after them the first comes again, so that states at multiples of three go on as if never left.
        let state = "\(folder)/state"
        #expect(try JSON(parsing: job.writeTrainingState(rows(), to: state))["steps"]?.integer == 3)
        // Weights and Adam's two moments of encoder, decoder and both biases, and how long each feature has been silent.
        #expect(try FileManager.default.attributesOfItem(atPath: state)[.size] as? Int == 4 * (3 * (2 * 64 * 16 + 64 + 16) + 64))
        job.start = state
        job.threads = 2
        let resumed = try JSON(parsing: job.measure(rows()))
        #expect(resumed["start"]?.string == "trained")
        (job.start, job.steps, job.threads) = (nil, 6, 1)
        #expect(try JSON(parsing: job.measure(rows()))["loss"] == resumed["loss"])
    }

    @Test func `the bound of dense products is a number`() throws {
        let line = try JSON(parsing: measureProducts(.tiny, seconds: 0.01))
        #expect(try #require(line["tokens_per_cpu_s"]?.number) > 0)
    }

    @Test(arguments: ["clustered", "isotropic"]) func `the nearest benchmark runs on a small dictionary and finds what its products say`(kind: String) throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try writeDictionaries(to: folder, sizes: [600], width: 64)
        let data = "\(folder)/\(kind)-600"
        try writeCatalogue(of: data + ".f32", to: data + ".sqlite", width: 64)
        let line = try JSON(parsing: try measureNearest(data + ".sqlite", k: 3, queries: readRows(data + ".q.f32", width: 64), limit: 20, answers: data + ".answers"))
        #expect(line["data"]?.string == "\(kind)-600")
        #expect(line["queries"]?.integer == 20)
        #expect(try #require(line["cpu_ms"]?.number) > 0)
        #expect(try #require(line["reranked"]?.integer) >= 3)

        let rows = try readRows(data + ".f32", width: 64), queries = try readRows(data + ".q.f32", width: 64)
        #expect(rows.rows == 600 && queries.rows == 256)
        let file = try #require(fopen(data + ".answers", "r"))
        defer { fclose(file) }
        var answers = [Int32](repeating: -1, count: 60)
        #expect(fread(&answers, 4, 60, file) == 60)
        for query in 0..<20 {
            let cosines = (0..<600).map { row in (0..<64).reduce(0.0) { $0 + Double(rows[row, $1]) * Double(queries[query, $1]) } }
            #expect(answers[3 * query..<3 * query + 3].map(Int.init) == Array(cosines.indices.sorted { cosines[$0] > cosines[$1] }.prefix(3)))
        }
    }

    @Test func `the benchmarks of lineage run on generated firings, and two threads find what one does`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/catalogue.sqlite"
        try writeFirings(to: path, tokens: 3_000, coarse: 40, fine: 160, width: 32, segmentTokens: 1_024)
        let products = try [1, 2].map { try JSON(parsing: measureCofirings(path, of: "X/0", and: "X/1", threads: $0)) }
        // Every fine feature fires with some coarse ones on every token: some 25 · 20 pairs a token, less what rare features have.
        #expect(try #require(products[0]["together"]?.integer) > 3_000 * 200)
        for key in ["pairs", "together", "product"] { #expect(products[0][key] == products[1][key]) }
        let line = try JSON(parsing: measureLineage(path, from: "X/0", to: "X/1", threads: 2))
        #expect(line["was_complete"]?.bool == false)
        #expect(try JSON(parsing: measureLineage(path, from: "X/0", to: "X/1", threads: 1))["was_complete"]?.bool == true)
        let cosines = try JSON(parsing: measureCosines(columns: 100, rows: 300, width: 16, threads: 2))
        #expect(try #require(cosines["greatest"]?.number) > 0.6)
        #expect(try #require(cosines["share"]?.number) > 0)
    }

    @Test func `the benchmark of searches runs on generated labels, and finds what is in them`() throws {
        var pattern = Array("/tmp/monoseme-benchmark-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&pattern)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/labels.sqlite"
        let line = try JSON(parsing: writeLabels(to: path, features: 800))
        #expect(try #require(line["label_us"]?.number) > 0 && line["index_bytes"]?.integer ?? 0 > 10_000)
        // Feature 7 alone ends in it, and three in ten have the other, of which 20 are asked for.
        #expect(try JSON(parsing: measureSearch(path, "label:base64", repeats: 2))["hits"]?.integer == 1)
        #expect(try JSON(parsing: measureSearch(path, "the", repeats: 1))["hits"]?.integer == 20)
        #expect(try #require(try JSON(parsing: measureProgram("true", repeats: 3, ["true"]))["wall_ms"]?.number) > 0)
    }
}
