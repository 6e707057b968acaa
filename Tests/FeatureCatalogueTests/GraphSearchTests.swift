@testable import FeatureCatalogue
import Kernels
import Numerics
import Testing

/// Rows of one kind, made unit as an ingest does, and their cosines by the definition: products in double, summed in sixteen
/// sums of places of the same remainder, these in halves, rounded to single precision.
struct UnitRows: Sendable {
    var rows: [[Float]]

    init(_ kind: String, _ count: Int, width: Int, seed: UInt64) {
        var random = Seeded(seed)
        func noise() -> [Float] { (0..<width).map { _ in Float.random(in: -1...1, using: &random) } }
        var rows: [[Float]] = []
        for place in 0..<count {
            switch kind {
            case "clustered": rows.append(place % 8 == 0 ? noise() : zip(rows[place / 8 * 8], noise()).map { $0 + 0.6 * $1 })
            case "duplicated": rows.append(place % 5 == 0 || place < 5 ? noise() : rows[place / 5])
            case "all the same": rows.append(rows.first ?? noise())
            case "near ties": rows.append(place == 0 ? noise() : rows[0].enumerated().map { $1 * (1 + ($0 == place % width ? 1e-7 * Float(place % 7) : 0)) })
            case "spiky": rows.append((0..<width).map { $0 == place % width ? 1 : 0.01 * Float.random(in: -1...1, using: &random) })
            default: rows.append(noise())
            }
        }
        // Rows of zeros, in each kind.
        for place in [3, count / 2] where place < count && kind != "all the same" { rows[place] = rows[place].map { _ in 0 } }
        self.rows = rows.map { row in
            let length = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            return length > 0 ? row.map { Float(Double($0) / length) } : row
        }
    }

    var matrix: Matrix { Matrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 }) }
    func isZero(_ row: Int) -> Bool { rows[row].allSatisfy { $0 == 0 } }

    static func cosine(_ a: [Float], _ b: [Float]) -> Float {
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                var sums = [Double](repeating: 0, count: 16)
                sums.withUnsafeMutableBufferPointer { sums in
                    var axis = 0
                    while axis < a.count { sums[axis & 15] += Double(a[axis]) * Double(b[axis]); axis += 1 }
                    for half in [8, 4, 2, 1] { for place in 0..<half { sums[place] += sums[place + half] } }
                }
                return Float(sums[0])
            }
        }
    }

    /// All others that point somewhere, the nearest first.
    func neighbours(of row: Int, in query: UnitRows, isSelf: Bool) -> [Neighbour] {
        if query.isZero(row) { return [] }
        return rows.indices.filter { !isZero($0) && !(isSelf && $0 == row) }.map { Neighbour(feature: $0, cosine: UnitRows.cosine(query.rows[row], rows[$0])) }
            .sorted { $0.cosine == $1.cosine ? $0.feature < $1.feature : $0.cosine > $1.cosine }
    }
}

struct GraphSearchTests {
    struct World: CustomTestStringConvertible, Sendable {
        let kind: String, width: Int, count: Int
        var testDescription: String { "\(count) rows of \(width), \(kind)" }
    }

    static let worlds: [World] = [
        .init(kind: "clustered", width: 67, count: 210), .init(kind: "clustered", width: 512, count: 130), .init(kind: "isotropic", width: 3, count: 220), .init(kind: "isotropic", width: 67, count: 200),
        .init(kind: "isotropic", width: 1, count: 150), .init(kind: "duplicated", width: 16, count: 300), .init(kind: "all the same", width: 67, count: 250), .init(kind: "near ties", width: 67, count: 200),
        .init(kind: "spiky", width: 130, count: 150), .init(kind: "isotropic", width: 5, count: 2), .init(kind: "isotropic", width: 5, count: 1),
    ]

    private func lists(_ rows: UnitRows, among columns: UnitRows?, k: Int, threads: Int, level: Int32, stripeRows: Int? = nil) -> [[Neighbour]] {
        let search = GraphSearch(CodedRows(rows.matrix, threads: threads), among: columns.map { CodedRows($0.matrix, threads: threads) }, k: k, threads: threads, level: level, stripeRows: stripeRows)
        var found: [[Neighbour]] = []
        while search.step({ row, list in
            #expect(row == found.count)
            found.append(list)
        }) {}
        return found
    }

    @Test(arguments: worlds) func `the graph is that of a computation in double, for every k, kernel, stripe and number of threads`(world: World) throws {
        let rows = UnitRows(world.kind, world.count, width: world.width, seed: 1), others = UnitRows(world.kind, world.count + 50, width: world.width, seed: 2)
        for columns in [nil, others] {
            let expected = rows.rows.indices.map { (columns ?? rows).neighbours(of: $0, in: rows, isSelf: columns == nil) }
            for (k, threads, level, stripeRows) in [(1, 1, 2, nil), (10, 2, 2, 96), (10, 1, 1, nil), (10, 1, 0, 96), (37, 2, 1, nil), (1000, 1, 2, 96), (1000, 2, 2, nil)] as [(Int, Int, Int32, Int?)] {
                let found = lists(rows, among: columns, k: k, threads: threads, level: min(level, kernel_graph_best()), stripeRows: stripeRows)
                let differing = zip(found, expected).enumerated().filter { $1.0 != Array($1.1.prefix(k)) }.map(\.offset)
                #expect(differing == [] && found.count == expected.count, "k \(k), \(threads) threads, kernel \(level), rows \(differing.prefix(5))")
            }
        }
    }

    @Test(arguments: [0, 1, 2]) func `several portions of columns and threads that race for them change nothing`(trial: Int) throws {
        let rows = UnitRows(["clustered", "isotropic", "duplicated"][trial], 2700, width: 20, seed: 7), level = kernel_graph_best()
        let one = lists(rows, among: nil, k: 8, threads: 1, level: level), four = lists(rows, among: nil, k: 8, threads: 4, level: level, stripeRows: 192)
        #expect(one == four)
        for row in stride(from: 0, to: 2700, by: 173) { #expect(one[row] == Array(rows.neighbours(of: row, in: rows, isSelf: true).prefix(8)), "row \(row)") }
    }

    @Test func `every pair is counted once`() {
        for count in [1, 2, 95, 400] {
            let search = GraphSearch(CodedRows(UnitRows("isotropic", count, width: 4, seed: 1).matrix, threads: 1), among: nil, k: 1, threads: 1)
            #expect(search.pairs(0, count) == count * (count - 1) / 2)
            #expect(search.pairs(0, count / 2) + search.pairs(count / 2, count) == search.pairs(0, count))
        }
    }
}
