import Analyses
import FeatureCatalogue
import Formats
import Glibc
import LinearAlgebra
import Numerics

/// Builds the lineage between two versions of a catalogue, in a copy of it that is gone afterwards. One line of JSON; times are of the wall.
func measureLineage(_ catalogue: String, from coarse: String, to fine: String, threads: Int) throws -> String {
    let store = try Catalogue(path: catalogue, for: .writing)
    let names = try (DictionaryName(parsing: coarse), DictionaryName(parsing: fine))
    let (a, b) = (try store.dictionary(named: names.0), try store.dictionary(named: names.1))
    let start = Usage.now
    var judged = start, features = 0
    let summary = try store.buildLineage(from: a, to: b, threads: threads, engine: "benchmark", now: { "2026-01-01T00:00:00Z" }, warn: { _ in }) { progress in
        if progress.featuresDone > features { (features, judged) = (progress.featuresDone, Usage.now) }
    }
    let end = Usage.now
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "lineage from \(coarse) to \(fine), \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("was_complete", summary.wasComplete)
        writer.member("wall_s", end.wall - start.wall)
        writer.member("cpu_s", end.cpu - start.cpu)
        writer.member("judging_wall_s", judged.wall - start.wall)
        writer.member("judging_cpu_s", judged.cpu - start.cpu)
        writer.member("peak_mb", end.memoryPeak / 1_000_000)
    }
    return writer.text
}

/// The sparse product alone: what every feature of one version has in common with every one of another. One line of JSON.
func measureCofirings(_ catalogue: String, of coarse: String, and fine: String, threads: Int) throws -> String {
    let store = try Catalogue(path: catalogue, for: .reading)
    let runs = try (store.run(of: DictionaryName(parsing: coarse)), store.run(of: DictionaryName(parsing: fine)))
    let start = Usage.now
    let product = try CofiringProduct(of: runs.0, and: runs.1, in: store, threads: threads)
    let loaded = Usage.now
    var pairs = 0, together = 0, sum = 0.0
    try product.forEachFeature(in: store) { _, found in
        pairs += found.count
        for pair in found { together += pair.together; sum += pair.product }
    }
    let end = Usage.now
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "co-firings of \(coarse) and \(fine), \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("read_wall_s", loaded.wall - start.wall)
        writer.member("product_wall_s", end.wall - loaded.wall)
        writer.member("product_cpu_s", end.cpu - loaded.cpu)
        writer.member("pairs", pairs)
        writer.member("together", together)
        writer.member("product", sum)
        writer.member("peak_mb", end.memoryPeak / 1_000_000)
    }
    return writer.text
}

/// Cosines of all rows with all columns, each row looked through, and the bare products beside them on the same blocks. One line of JSON.
func measureCosines(columns: Int, rows: Int, width: Int, threads: Int) throws -> String {
    @Sendable func random(_ count: Int, _ seed: UInt64) -> Matrix {
        var random = SeededGenerator(seed: seed, stream: 1)
        let matrix = Matrix(uninitializedRows: count, columns: width)
        for i in 0..<matrix.count { matrix.base[i] = Float(random.uniform() - 0.5) * 3.4 / Float(width).squareRoot() }
        return matrix
    }
    let cosines = try DecoderCosines(of: random(columns, 1), with: random(rows, 2), threads: threads)
    var found = 0, greatest: Float = 0
    let start = Usage.now
    for first in stride(from: 0, to: rows, by: cosines.rowsAtOnce) {
        let range = first..<min(rows, first + cosines.rowsAtOnce), block = try cosines.block(range)
        nonisolated(unsafe) let rows = block, scans = UnsafeMutableBufferPointer<(Int, Float)>.allocate(capacity: range.count)
        defer { scans.deallocate() }
        try forEachInParallel((range.count + 63) / 64, threads: threads) { part in
            var places = [UInt32](repeating: 0, count: columns)
            for row in part * 64..<min(range.count, part * 64 + 64) {
                let scan = cosines.scan(rows + row * columns, threshold: 0.6, &places)
                scans[row] = (scan.found.count, scan.greatest)
            }
        }
        for scan in scans { found += scan.0; greatest = max(greatest, scan.1) }
    }
    let middle = Usage.now
    // The machine's own rate: a product of a good shape, again and again, on as many threads, as many operations in all.
    let n = 2048, operations = 2.0 * Double(rows) * Double(columns) * Double(width), one = 2 * Double(n) * Double(n) * Double(width)
    let times = max(1, Int(operations / one)), peer = Usage.now
    try forEachInParallel(threads, threads: threads) { thread in
        let a = random(n, UInt64(3 + thread)), b = random(n, UInt64(4 + thread)), c = Matrix(uninitializedRows: n, columns: n)
        for _ in 0..<max(1, times / threads) { sgemm(m: n, n: n, k: width, a: a.base, b: b.base, transposeB: true, c: c.base) }
    }
    let end = Usage.now
    let own = operations / (middle.cpu - start.cpu) / 1e9, best = Double(max(1, times / threads) * threads) * one / (end.cpu - peer.cpu) / 1e9
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "cosines of \(columns) × \(rows) × \(width), \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("wall_s", middle.wall - start.wall)
        writer.member("gigaflops_per_cpu_second", own)
        writer.member("sgemm_gigaflops", best)
        writer.member("share", own / best)
        writer.member("found", found)
        writer.member("greatest", Double(greatest))
    }
    return writer.text
}
