@testable import FeatureCatalogue
import Kernels
import Numerics
import Testing

/// The twin of each kernel, and the bound where it is all but reached.
struct GraphKernelTests {
    static let levels = Array(0...kernel_graph_best())

    @Test(arguments: levels, [64, 128, 192, 512]) func `products of codes are those of plain sums, also at the ends of their range`(level: Int32, padded: Int) throws {
        var random = Seeded(UInt64(padded))
        for kind in 0..<3 {
            // Random; all the greatest, so that 16 bits would overflow; and the greatest against the least.
            func code(_ side: Int) -> Int { kind == 0 ? Int.random(in: -127...127, using: &random) : kind == 1 ? 127 : side == 0 ? 127 : -127 }
            let rows = (0..<12).map { _ in (0..<padded).map { _ in code(0) } }, columns = (0..<32).map { _ in (0..<padded).map { _ in code(1) } }
            let panel = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 * padded, alignment: 64)
            defer { panel.deallocate() }
            var group = [Int8](repeating: 0, count: 12 * padded), starts = [Int32](repeating: 0, count: 12)
            for axis in 0..<padded {
                for (place, row) in rows.enumerated() { group[axis / 4 * 48 + place * 4 + axis % 4] = Int8(row[axis]) }
                for (place, column) in columns.enumerated() { panel[axis / 4 * 128 + place * 4 + axis % 4] = UInt8(column[axis] + 128) }
            }
            for (place, row) in rows.enumerated() { starts[place] = Int32(-128 * row.reduce(0, +)) }
            var products = [Int32](repeating: 0, count: 12 * 32)
            kernel_graph_products(level, group, starts, panel.baseAddress!.assumingMemoryBound(to: UInt8.self), padded, &products)
            #expect(products == rows.flatMap { row in columns.map { column in Int32(zip(row, column).reduce(0) { $0 + $1.0 * $1.1 }) } })
        }
    }

    /// A row whose coordinates, rotated, are `rotated`: signs and Walsh–Hadamard undone, in double.
    private func unrotated(_ rotated: [Double]) -> [Float] {
        let n = rotated.count
        var values = rotated, half = 1
        while half < n {
            for start in stride(from: 0, to: n, by: 2 * half) {
                for i in start..<start + half { (values[i], values[i + half]) = (values[i] + values[i + half], values[i] - values[i + half]) }
            }
            half *= 2
        }
        return (0..<n).map { axis in
            // The first coordinate of a rotated axis has that axis's sign.
            var unit = [Float](repeating: 0, count: n), image = unit
            unit[axis] = 1
            kernel_rotate(unit, n, &image)
            return Float(values[axis] / Double(n).squareRoot() * (image[0] < 0 ? -1 : 1))
        }
    }

    /// x, −x, w, −w, such that x's code leaves almost nothing but a multiple of w: the codes say that x is nearer to −w,
    /// by nearly as much as the bound allows, and it is nearer to w by 2·10⁻⁵.
    private func adversaries() -> (x: [Float], w: [Float]) {
        let n = 512
        var random = Seeded(5)
        let signs: [Double] = (0..<n).map { $0 == 0 || Bool.random(using: &random) ? 1 : -1 }
        // Whole numbers along w that sum up to −229; the remaining 229.3 are spread as fractions that no code can hold.
        var along: [Double] = (0..<n).map { $0 == 0 ? 127 : $0 % 2 == 0 ? 60 : -60 }
        for place in [1, 3, 5, 7] { along[place] = -120 }
        along[9] = -116
        precondition(along.reduce(0, +) == -229)
        let x = (0..<n).map { signs[$0] * ($0 == 0 ? along[0] : along[$0] + 229.3 / Double(n - 1)) }
        let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return (unrotated(x.map { $0 / length }), unrotated(signs.map { $0 / Double(n).squareRoot() }))
    }

    private func lists(_ rows: [[Float]], among columns: [[Float]]?) -> [[Int]] {
        func matrix(_ rows: [[Float]]) -> Matrix { Matrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 }) }
        var found: [[Int]] = []
        if let columns { forEachNearestList(of: matrix(rows), among: matrix(columns), k: 1, threads: 1) { found.append($1.map(\.feature)) } } else {
            forEachNearestList(of: matrix(rows), among: nil, k: 1, threads: 1) { found.append($1.map(\.feature)) }
        }
        return found
    }

    @Test func `the bound is all but reached, and held`() throws {
        let (x, w) = adversaries()
        let coded = CodedRows(Matrix(rows: 2, columns: 512, x + w), threads: 1), side = coded.side
        func codes(_ row: Int) -> [Double] { (0..<512).map { Double(side.panels[$0 / 4 * 128 + row * 4 + $0 % 4]) - 128 } }
        let estimate = Double(side.steps[0] * side.steps[1]) * zip(codes(0), codes(1)).reduce(0) { $0 + $1.0 * $1.1 }
        let truth = zip(x, w).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        coded.scaleErrors(by: coded.lengthMaximum)
        let reached = abs(truth - estimate) / Double(side.errors[0] + side.errors[1])
        #expect(0.995 < reached && reached <= 1, "\(reached)")
    }

    /// With a bound one in a hundred tighter each of these answers is the wrong one.
    @Test func `neighbours that the codes misplace by the whole bound are found`() throws {
        let (x, w) = adversaries(), minusX = x.map { -$0 }, minusW = w.map { -$0 }
        #expect(lists([x], among: [minusW, w]) == [[1]])
        #expect(lists([w], among: [minusX, x]) == [[1]])
        #expect(lists([minusW, x, w], among: nil)[1] == [2])
        #expect(lists([w, minusX, x], among: nil)[0] == [2])
    }
}
