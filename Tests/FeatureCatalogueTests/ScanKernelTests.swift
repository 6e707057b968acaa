import Kernels
import Testing

/// The pass over posting lists, in the small.
@Suite struct ScanKernelTests {
    @Test func `a scan tallies each document, over lists too, and names what exceeds the threshold`() {
        let documentOf: [UInt32] = [4, 4, 4, 6, 6, 9]
        var documents = [kernel_document_tally](repeating: kernel_document_tally(document: 4, firings: 7, maximum: 2.5), count: 8), count = 1
        var places = [UInt32](repeating: .max, count: 4)
        let found = kernel_scan_firings([0, 2, 3, 5], [1, 3, 2, 2], 4, documentOf, 2, &documents, &count, &places)
        #expect(count == 3)
        #expect(documents[..<3].map(\.document) == [4, 6, 9])
        #expect(documents[..<3].map(\.firings) == [9, 1, 1])
        #expect(documents[..<3].map(\.maximum) == [3, 2, 2])
        #expect(places[..<found] == [1])
    }

    @Test func `a scan says what its plain twin says`() {
        var random = Seeded(5), mine: [kernel_document_tally] = .init(repeating: kernel_document_tally(), count: 300), count = 0
        // By document: how often, and the largest value.
        var twin: [UInt32: (firings: UInt32, maximum: Float)] = [:], start: UInt32 = 0
        for _ in 0..<5 {
            let documentOf = (0..<1_000).map { start + UInt32($0 / 20) }
            let positions = (0..<1_000 as Range<UInt32>).filter { _ in Int.random(in: 0..<6, using: &random) == 0 }, values = positions.map { _ in Float.random(in: 0.1...9, using: &random) }
            var places = [UInt32](repeating: 0, count: positions.count)
            let found = kernel_scan_firings(positions, values, positions.count, documentOf, 5, &mine, &count, &places)
            #expect(places[..<found].map(Int.init) == values.indices.filter { values[$0] > 5 })
            for (position, value) in zip(positions, values) {
                let old = twin[documentOf[Int(position)]] ?? (0, 0)
                twin[documentOf[Int(position)]] = (old.firings + 1, max(old.maximum, value))
            }
            start += 49 // the next list begins in the document where this one ends
        }
        #expect(mine[..<count].map(\.document) == twin.keys.sorted())
        #expect(mine[..<count].allSatisfy { twin[$0.document]! == ($0.firings, $0.maximum) })
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
