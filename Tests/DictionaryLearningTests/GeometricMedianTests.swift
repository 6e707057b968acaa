import Formats
import TestSupport
import Testing
@testable import DictionaryLearning

@Suite struct GeometricMedianTests {
    @Test(arguments: ["plain", "outliers", "repeated"]) func `the geometric median is where the distances' sum is least`(_ name: String) throws {
        let file = try SafetensorsFile(fixture("goldens/training/geometric-median.safetensors"))
        let points = try #require(file["\(name).points"]), rows = try points.floats(), expected = try doubles(#require(file["\(name).median"])), width = points.shape[1]
        func apart(_ median: [Double]) -> Double {
            let difference = zip(median, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }, length = expected.reduce(0) { $0 + $1 * $1 }
            return (difference / length).squareRoot()
        }
        let used = rows.withUnsafeBufferPointer { geometricMedian(of: $0, width: width) }
        // Where it stops, it moves by 10⁻⁵ of its length a round, in a series that shrinks slowly.
        #expect(apart(used) <= 1e-4)
        #expect(sum(of: rows, to: used) <= sum(of: rows, to: expected) * (1 + 1e-7))
        let exact = rows.withUnsafeBufferPointer { geometricMedian(of: $0, width: width, iterations: 10_000, tolerance: 0) }
        #expect(apart(exact) <= 1e-6)
    }

    @Test(arguments: [[[3, -1]], [[3, -1], [3, -1], [3, -1]], [[3, -1], [3, -1], [3, -1], [100, 7]], [[0, 0], [2, 0], [0, 2], [-2, 0], [0, -2]].map { [$0[0] + 3, $0[1] - 1] }] as [[[Float]]])
    func `a point that outweighs the others is the median`(_ points: [[Float]]) {
        let median = points.flatMap { $0 }.withUnsafeBufferPointer { geometricMedian(of: $0, width: 2) }
        #expect(abs(median[0] - 3) < 1e-3 && abs(median[1] + 1) < 1e-3)
    }

    private func sum(of rows: [Float], to point: [Double]) -> Double {
        var sum = 0.0
        for row in stride(from: 0, to: rows.count, by: point.count) {
            var square = 0.0
            for column in point.indices { square += (Double(rows[row + column]) - point[column]) * (Double(rows[row + column]) - point[column]) }
            sum += square.squareRoot()
        }
        return sum
    }

    private func doubles(_ tensor: SafetensorsTensor) -> [Double] {
        (0..<tensor.count).map { Double(bitPattern: UInt64(littleEndian: tensor.bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self))) }
    }
}
