import Kernels
import Testing

/// The pass over posting lists, in the small.
@Suite struct ScanKernelTests {
    @Test func `a scan keeps each document's largest value, over lists too, and names what exceeds the threshold`() {
        let documentOf: [UInt32] = [4, 4, 4, 6, 6, 9]
        var maxima = [kernel_maximum](repeating: kernel_maximum(document: 4, value: 2.5), count: 8), count = 1
        var places = [UInt32](repeating: .max, count: 4)
        let found = kernel_scan_firings([0, 2, 3, 5], [1, 3, 2, 2], 4, documentOf, 2, &maxima, &count, &places)
        #expect(count == 3)
        #expect(maxima[..<3].map(\.document) == [4, 6, 9])
        #expect(maxima[..<3].map(\.value) == [3, 2, 2])
        #expect(places[..<found] == [1])
    }

    @Test(arguments: [0, 1, 2, 300, 5_000])
    func `values are put in order from the largest down, equal ones as they stand`(count: Int) {
        var random = SystemRandomNumberGenerator()
        var values = (0..<count).map { _ in Float.random(in: 0...1, using: &random) * Float(sign: .plus, exponent: Int.random(in: -140...120, using: &random), significand: 1) }
        // Every third value comes twice, and some are the extremes.
        for place in stride(from: 1, to: count, by: 3) { values[place] = values[place / 2] }
        for (place, value) in [Float.greatestFiniteMagnitude, .leastNonzeroMagnitude, .leastNormalMagnitude].enumerated() where place < count { values[count - 1 - place] = value }
        var order = [UInt32](repeating: .max, count: count)
        kernel_order_descending(values, count, &order)
        #expect(order.map(Int.init) == values.indices.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 })
    }
}
