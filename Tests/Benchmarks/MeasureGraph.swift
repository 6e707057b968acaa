import FeatureCatalogue
import Formats
import Glibc
import LinearAlgebra
import Numerics

/// A neighbour search of the rows of a dictionary in its own (`columns` nil) or another, and OpenBLAS on the same rows:
/// sgemm by blocks, and a selection of the k greatest by a threshold. One line of JSON; times are CPU seconds.
///
/// - Parameter peerRows: BLAS takes so many rows, evenly spaced, and its time is scaled up; among a dictionary's own rows also
///   halved, as if symmetry cost nothing.
func measureGraph(_ rows: consuming Matrix, among columns: consuming Matrix?, k: Int, threads: Int, peerRows: Int) throws -> String {
    try loadLinearAlgebra()
    let n = rows.rows, width = rows.columns
    let peer: Double, m: Int, isSelf: Bool
    switch columns {
    case .some(let other): (peer, m, isSelf) = (measureProductsAndSelection(rows, other, k: k, rows: peerRows), other.rows, false)
    case .none: (peer, m, isSelf) = (measureProductsAndSelection(rows, rows, k: k, rows: peerRows), n, true)
    }
    let start = Usage.now
    var found = 0, sum = 0.0
    forEachNearestList(of: rows, among: columns, k: k, threads: threads) { _, neighbours in
        found += neighbours.count
        sum += Double(neighbours.first?.cosine ?? 0)
    }
    let end = Usage.now
    let own = end.cpu - start.cpu, theirs = peer * Double(n) / Double(min(n, peerRows)) / (isSelf ? 2 : 1)
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "\(n) × \(m) neighbours, \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("width", width)
        writer.member("k", k)
        writer.member("cpu_s", own)
        writer.member("wall_s", end.wall - start.wall)
        writer.member("blas_cpu_s", theirs)
        writer.member("blas_over_ours", theirs / own)
        writer.member("neighbours", found)
        writer.member("mean_nearest_cosine", sum / Double(n))
        writer.member("peak_mb", end.memoryPeak / 1_000_000)
    }
    return writer.text
}

/// CPU seconds for some rows of a against all of b.
private func measureProductsAndSelection(_ a: borrowing Matrix, _ b: borrowing Matrix, k: Int, rows: Int) -> Double {
    let width = a.columns, block = 1024, columns = 4096, some = min(rows, a.rows)
    let sample = Matrix(uninitializedRows: some, columns: width), products = Matrix(uninitializedRows: block, columns: columns)
    for row in 0..<some { (sample.base + row * width).update(from: a.base + row * a.rows / some * width, count: width) }
    var lists = [GreatestList](repeating: GreatestList(k: k), count: some)
    let start = Usage.now.cpu
    for column in stride(from: 0, to: b.rows, by: columns) {
        for row in stride(from: 0, to: some, by: block) {
            let height = min(block, some - row), width = min(columns, b.rows - column)
            sgemm(m: height, n: width, k: a.columns, a: sample.base + row * a.columns, b: b.base + column * a.columns, transposeB: true, c: products.base)
            for i in 0..<height { lists[row + i].take(UnsafeBufferPointer(start: products.base + i * width, count: width), from: column) }
        }
    }
    return Usage.now.cpu - start
}

/// The k greatest of a stream: what passes a threshold is collected, and cut down to k now and then.
private struct GreatestList {
    let k: Int
    var candidates: [(value: Float, place: Int)] = []
    var threshold = -Float.infinity

    init(k: Int) { self.k = k }

    mutating func take(_ values: UnsafeBufferPointer<Float>, from first: Int) {
        var at = 0
        while at + 16 <= values.count {
            let lane = UnsafeRawPointer(values.baseAddress! + at).loadUnaligned(as: SIMD16<Float>.self)
            if any(lane .> threshold) { for i in 0..<16 where lane[i] > threshold { add(lane[i], first + at + i) } }
            at += 16
        }
        while at < values.count {
            if values[at] > threshold { add(values[at], first + at) }
            at += 1
        }
    }

    private mutating func add(_ value: Float, _ place: Int) {
        candidates.append((value, place))
        guard candidates.count >= 4 * k + 64 else { return }
        candidates.sort { $0.value > $1.value }
        candidates.removeLast(candidates.count - k)
        threshold = candidates[k - 1].value
    }
}
