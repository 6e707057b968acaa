import FeatureCatalogue
import Formats
import Glibc
import Ingestion
import LinearAlgebra
import Numerics

/// What the process has used so far.
struct Usage {
    var cpu = 0.0, wall = 0.0
    /// Bytes.
    var memoryPeak = 0

    static var now: Usage {
        var usage = rusage(), time = timespec()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        clock_gettime(CLOCK_MONOTONIC, &time)
        func seconds(_ t: timeval) -> Double { Double(t.tv_sec) + Double(t.tv_usec) / 1e6 }
        return Usage(cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime), wall: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9, memoryPeak: usage.ru_maxrss * 1024)
    }
}

/// Ingests a job as `monoseme ingest` would, all included: loading, reading text, summing up. One line of JSON.
func measureIngest(_ folder: String, catalogue: String, threads: Int, tokenLimit: Int?) throws -> String {
    for ending in ["", "-wal", "-shm"] { unlink(catalogue + ending) }
    let start = Usage.now
    var corpus = CorpusOptions(paths: [folder + "/corpus.jsonl"])
    corpus.tokenLimit = tokenLimit
    var request = IngestionRequest(modelFolder: folder + "/model", autoencoders: [(folder + "/sae", try DictionaryName(parsing: "A/1"))], corpus: corpus, catalogue: catalogue)
    request.threads = threads
    // Where the segments end and the summing up begins.
    var segmentsDone: Usage?
    let summary = try ingest(request, report: { if case .summarising = $0.stage { segmentsDone = .now } })
    let end = Usage.now
    // Pages of the index, as SQLite counts them.
    let connection = try Catalogue(path: catalogue, for: .reading).connection
    let index = try connection.integer("SELECT sum(pgsize) FROM dbstat WHERE name = 'posting'") ?? 0
    let features = try connection.integer("SELECT count(*) FROM feature") ?? 0

    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "ingest, \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("features", features)
        writer.member("tokens", summary.tokens)
        writer.member("cpu_s", end.cpu - start.cpu)
        writer.member("wall_s", end.wall - start.wall)
        writer.member("segments_cpu_s", segmentsDone.map { $0.cpu - start.cpu })
        writer.member("segments_wall_s", segmentsDone.map { $0.wall - start.wall })
        writer.member("firings", summary.firings)
        writer.member("peak_mb", end.memoryPeak / 1_000_000)
        writer.member("bytes_per_firing", Double(index) / Double(max(1, summary.firings)))
        writer.member("catalogue_bytes", summary.bytesOnDisk)
    }
    return writer.text
}

/// What BLAS alone takes for the dense products of a token's way to its firings: the bound of an ingest that computes them all.
func measureProducts(_ job: Job, seconds: Double) -> String {
    // (name, rows at a time, k, n, products a token of that shape)
    let rows = min(1024, job.context * 4), headWidth = job.width / job.heads
    let shapes = [
        ("encode", rows, job.neurons, job.features, 1.0), ("queries, keys, values", rows, job.width, 3 * job.width, 1), ("attention out", rows, job.width, job.width, 1),
        ("neurons", rows, job.width, job.neurons, 1),
        // Half of the square of scores is needed: two products of 64 queries by half the keys for each head.
        ("scores", 64, headWidth, job.context / 2, Double(job.heads)), ("mixing", 64, job.context / 2, headWidth, Double(job.heads)),
    ]
    var microseconds = 0.0, encodeRate = 0.0
    for (name, m, k, n, times) in shapes {
        var random = Random(2)
        let a = Matrix(rows: m, columns: k, (0..<m * k).map { _ in Float.random(in: -1...1, using: &random) })
        let b = Matrix(rows: k, columns: n, (0..<k * n).map { _ in Float.random(in: -1...1, using: &random) })
        let c = Matrix(rows: m, columns: n)
        func run() { sgemm(m: m, n: n, k: k, a: a.base, b: b.base, c: c.base) }
        run()
        // The best of several stretches: a bound should not suffer from what else the machine does.
        var best = Double.infinity
        for _ in 0..<5 {
            let start = Usage.now.cpu
            var done = 0
            repeat { for _ in 0..<4 { run() }; done += 4 } while Usage.now.cpu - start < seconds / 5
            best = min(best, (Usage.now.cpu - start) / Double(done))
        }
        microseconds += best / Double(m) * times * 1e6
        if name == "encode" { encodeRate = 2 * Double(m * k * n) / best / 1e9 }
        _ = (a[0, 0], b[0, 0], c[0, 0])
    }
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "dense products alone, 1 thread")
        writer.member("features", job.features)
        writer.member("tokens_per_cpu_s", 1e6 / microseconds)
        writer.member("encode_gflop_per_cpu_s", encodeRate)
    }
    return writer.text
}
