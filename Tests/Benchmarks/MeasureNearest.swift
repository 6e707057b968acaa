import FeatureCatalogue
import Formats
import Glibc
import Numerics

/// Single queries through the library, on one thread, warm: median CPU time, and what the search looked at. One line of JSON.
///
/// - Parameters:
///   - path: a catalogue by `writeCatalogue`; its name without the ending stands for the data.
///   - limit: how many of the queries.
///   - answers: a file for the features found, little-endian int32 (queries × k), for others to judge.
func measureNearest(_ path: String, k: Int, queries: borrowing Matrix, limit: Int, answers: String? = nil) throws -> String {
    let catalogue = try Catalogue(path: path, for: .reading), dictionary = try catalogue.dictionary(named: DictionaryName(parsing: "A/0"))
    var total = SearchCost(), milliseconds: [Double] = [], found: [Int32] = []
    let count = min(limit, queries.rows)
    for query in 0..<count {
        let vector = (0..<queries.columns).map { queries[query, $0] }
        // Pages, caches and whatever the first searches set up.
        if query == 0 { for _ in 1...3 { _ = try catalogue.nearest(to: vector, in: dictionary, k: k) } }
        var cost = SearchCost()
        let start = Usage.now.cpu
        let neighbours = try catalogue.nearest(to: vector, in: dictionary, k: k, excluding: nil, among: nil, cost: &cost)
        milliseconds.append((Usage.now.cpu - start) * 1000)
        found += neighbours.map { Int32($0.feature) }
        total.codesScanned += cost.codesScanned
        total.candidates += cost.candidates
        total.reranked += cost.reranked
        total.bytesTouched += cost.bytesTouched
    }
    if let answers, let file = fopen(answers, "w") {
        fwrite(found, 4, found.count, file)
        fclose(file)
    }
    let name = path.split(separator: "/").last.map { String($0.split(separator: ".")[0]) }
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("data", name)
        writer.member("what", "monoseme")
        writer.member("job", "warm")
        writer.member("queries", count)
        writer.member("k", k)
        writer.member("cpu_ms", milliseconds.sorted()[count / 2])
        writer.member("codes_scanned", total.codesScanned / count)
        writer.member("candidates", total.candidates / count)
        writer.member("reranked", total.reranked / count)
        writer.member("touched_mb", Double(total.bytesTouched) / Double(count) / 1e6)
        writer.member("peak_mb", Usage.now.memoryPeak / 1_000_000)
    }
    return writer.text
}
