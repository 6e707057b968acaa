@testable import FeatureCatalogue
import Foundation
import Kernels
import Testing

// A plain twin of the kernels: arithmetic in double, one firing at a time.

/// `value` in steps of a half (11 significant bits, none below 2⁻²⁴), ties to even, never zero.
private func nearestHalf(_ value: Double) -> Double {
    let step = value < 0x1p-14 ? 0x1p-24 : scalbn(1, Int(value.exponent) - 10)
    let steps = (value / step).rounded(.toNearestOrEven)
    return max(1, steps) * step
}

private func bytesOf(half value: Double) -> [UInt8] {
    let exponent = value < 0x1p-14 ? 0 : Int(value.exponent) + 15
    let mantissa = value < 0x1p-14 ? Int(value / 0x1p-24) : Int((value / scalbn(1, Int(value.exponent)) - 1) * 1024)
    let bits = exponent << 10 | mantissa
    return [UInt8(bits & 255), UInt8(bits >> 8)]
}

private func varint(_ number: Int) -> [UInt8] { number < 128 ? [UInt8(number)] : [UInt8(number & 127 | 128)] + varint(number >> 7) }

private func twin(_ positions: [UInt32], _ values: [Float]) -> (bytes: [UInt8], rounded: [Float]) {
    let largest = Double(values.max()!)
    let exponent = max(-112, (largest < 0x1p-126 ? -127 : Int(largest.exponent)) - 14)
    var bytes = [UInt8(bitPattern: Int8(exponent))] + varint(values.count)
    var last: UInt32 = 0
    for position in positions { bytes += varint(Int(position - last)); last = position }
    let halves = values.map { nearestHalf(scalbn(Double($0), -exponent)) }
    for half in halves { bytes += bytesOf(half: half) }
    return (bytes, halves.map { Float(scalbn($0, exponent)) })
}

private func encode(_ positions: [UInt32], _ values: [Float]) -> (bytes: [UInt8], rounded: [Float]) {
    var list = [UInt8](repeating: 0xaa, count: kernel_posting_bound(values.count)), rounded = [Float](repeating: 0, count: values.count)
    let count = kernel_posting_encode(positions, values, values.count, &list, &rounded)
    return (Array(list[..<count]), rounded)
}

private func decode(_ bytes: [UInt8]) -> (positions: [UInt32], values: [Float])? {
    let count = kernel_posting_count(bytes, bytes.count)
    guard count >= 0 else { return nil }
    var positions = [UInt32](repeating: 0, count: count), values = [Float](repeating: 0, count: count)
    return kernel_posting_decode(bytes, bytes.count, count, &positions, &values) == 0 ? (positions, values) : nil
}

struct PostingListTests {
    static let cases: [(name: String, positions: [UInt32], values: [Float])] = {
        var random = Seeded(3)
        func sparse(_ count: Int, step: ClosedRange<UInt32>) -> [UInt32] {
            var last: UInt32 = .random(in: 0...step.upperBound, using: &random)
            return (0..<count).map { $0 == 0 ? last : { last += .random(in: step, using: &random); return last }() }
        }
        func spread(_ count: Int, _ octaves: ClosedRange<Float>) -> [Float] { (0..<count).map { _ in exp2(Float.random(in: octaves, using: &random)) } }
        return [
            ("one at 0", [0], [1]), ("one far away", [.max], [1e-3]), ("two at the ends", [0, .max], [1, 2]),
            ("dense", (0..<3000).map { $0 }, spread(3000, -3...3)), ("sparse", sparse(500, step: 1...5_000_000), spread(500, -3...3)),
            ("steps of 127 to 129", sparse(400, step: 127...129), spread(400, 0...1)), ("127 firings", sparse(127, step: 1...9), spread(127, 0...1)),
            ("128 firings", sparse(128, step: 1...9), spread(128, 0...1)), ("16,384 firings", sparse(16_384, step: 1...9), spread(16_384, -4...1)),
            ("huge range", sparse(1000, step: 1...99), spread(1000, -140...127)), ("large", [1, 2, 3], [3e38, 0x1.ffcp127, 1e30]),
            ("denormals", [1, 5, 9], [Float.leastNonzeroMagnitude, 0x1p-138, 0x1.8p-130]), ("denormals beside one", [1, 5], [Float.leastNonzeroMagnitude, 1]),
            ("rounds up to a power of two", [4, 5], [0x1.fffp0, 0x1.ffep0]), ("ties", [0, 1, 2, 3], [1 + 0x1p-11, 1 + 0x3p-11, 1 + 0x1.00002p-11, 1 + 0x0.ffffep-11]),
        ]
    }()

    @Test(arguments: cases.indices) func `a list is what the plain twin writes, and reads back as what was rounded`(place: Int) throws {
        let (name, positions, values) = PostingListTests.cases[place]
        let list = encode(positions, values), plain = twin(positions, values)
        #expect(list.bytes == plain.bytes, "\(name)")
        #expect(list.rounded == plain.rounded, "\(name)")
        let back = try #require(decode(list.bytes), "\(name)")
        #expect(back.positions == positions)
        #expect(back.values == list.rounded)
        #expect(back.values.allSatisfy { $0 > 0 })
        let largest = values.max()!
        guard largest > 0x1p-97 else { return }
        // What PostingList.swift promises.
        for (value, stored) in zip(values, back.values) where value > largest * 0x1p-28 { #expect(abs(stored - value) <= value * 0x1p-11) }
    }

    @Test func `random lists agree with the twin`() {
        var random = Seeded(4)
        for _ in 0..<400 {
            var position = UInt32.random(in: 0..<200, using: &random)
            let count = Int.random(in: 1...60, using: &random)
            let positions = (0..<count).map { _ in position += .random(in: 1...300, using: &random); return position }
            let values = (0..<count).map { _ in Float(bitPattern: .random(in: 1..<0x7f80_0000, using: &random)) }
            let list = encode(positions, values), plain = twin(positions, values)
            #expect(list.bytes == plain.bytes && list.rounded == plain.rounded)
            #expect(decode(list.bytes)?.values == list.rounded)
        }
    }

    @Test func `rounding to halves is to the nearest, ties to even`() {
        // Every half of one binade and of the subnormals, and between each two the middle and its neighbours.
        // The first firing fixes the scale at 1, so that the others are stored as they are.
        let anchor: Float = 0x1p14
        var values: [Float] = []
        for step in 0..<1024 {
            for half in [1 + Float(step) * 0x1p-10, Float(step + 1) * 0x1p-24] {
                let next = half < 0x1p-13 ? half + 0x1p-24 : half + 0x1p-10, middle = (half + next) / 2
                values += [half, middle.nextDown, middle, middle.nextUp]
            }
        }
        let rounded = encode((0...UInt32(values.count)).map { $0 }, [anchor] + values).rounded.dropFirst()
        for (value, stored) in zip(values, rounded) { #expect(Double(stored) == nearestHalf(Double(value))) }
    }

    @Test func `bytes that are no list are refused, and none crashes`() {
        var random = Seeded(5)
        var accepted = 0
        for trial in 0..<20_000 {
            var bytes: [UInt8]
            if trial % 2 == 0 {
                bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in Bool.random(using: &random) ? .random(in: 0...255, using: &random) : .random(in: 0...3, using: &random) }
            } else {
                bytes = encode([3, 9, 200], [1, 2, 3]).bytes
                for _ in 0..<Int.random(in: 1...3, using: &random) { bytes[.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random) }
                if Bool.random(using: &random) { bytes.removeLast(.random(in: 0..<bytes.count, using: &random)) }
            }
            // In memory of exactly this size, so that a read beyond is seen where the checker of addresses is on.
            guard let list = decode(bytes) else { continue }
            accepted += 1
            #expect(zip(list.positions, list.positions.dropFirst()).allSatisfy { $0 < $1 })
            #expect(list.values.allSatisfy { $0 > 0 && $0.isFinite })
        }
        #expect(accepted > 100)
    }

    @Test(arguments: [
        [], [0], [0, 0x80], [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0, 0xff, 0xff, 0xff, 0xff, 0x7f], // heads
        [0, 1], [0, 1, 5], [0, 1, 5, 0], [0, 1, 5, 0, 0x3c, 0], // too short, too long
        [0, 2, 5, 0, 0, 0x3c, 0, 0x3c], // a position twice
        [0, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 0x3c, 0, 0x3c], // beyond 32 bits
        [0, 1, 5, 0, 0], [0, 1, 5, 0, 0x7c], [0, 1, 5, 0, 0xbc], // zero, infinite, negative
        [114, 1, 5, 0, 0x3c], [0x8f, 1, 5, 0, 0x3c], // exponents out of range
    ] as [[UInt8]]) func `each way a list can be wrong is refused`(bytes: [UInt8]) { #expect(decode(bytes) == nil) }

    @Test func `a bin is the floor of four times the binary logarithm`() {
        for quarter in -127...127 {
            // The edges 2^(q/4) are irrational but for each fourth, so a float lies on either side of them.
            let edge = exp2(Double(quarter) / 4)
            var low = Float(edge)
            while Double(low) >= edge { low = low.nextDown }
            #expect(Int(kernel_bin(low)) == quarter - 1 + 128, "below 2^(\(quarter)/4)")
            #expect(Int(kernel_bin(low.nextUp)) == quarter + 128, "at 2^(\(quarter)/4)")
        }
        for (value, bin) in [(Float.leastNonzeroMagnitude, 0), (0x1p-40, 0), (0x1p-32, 0), (1, 128), (0x1p32, 255), (.greatestFiniteMagnitude, 255)] as [(Float, UInt32)] {
            #expect(kernel_bin(value) == bin)
        }
    }

    @Test func `a histogram's bytes come back, and bytes that are none are refused`() {
        var random = Seeded(6)
        for _ in 0..<300 {
            let histogram = ActivationHistogram(first: .random(in: -128...0, using: &random), counts: (0..<Int.random(in: 0...128, using: &random)).map { _ in .random(in: 0...1000, using: &random) })
            #expect(histogram.bytes.withUnsafeBytes { ActivationHistogram(bytes: $0) } == histogram)
        }
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if let histogram = bytes.withUnsafeBytes({ ActivationHistogram(bytes: $0) }) {
                var sum = histogram
                sum.add(histogram)
                #expect(sum.total == 2 * histogram.total)
            }
        }
        for bytes in [[0, 0x80], [127, 1, 1], [0] + [UInt8](repeating: 0xff, count: 9) + [1], [0] + [UInt8](repeating: 0xff, count: 7) + [1]] as [[UInt8]] {
            #expect(bytes.withUnsafeBytes { ActivationHistogram(bytes: $0) } == nil, "\(bytes)")
        }
    }

    @Test func `statistics merge in any grouping`() {
        func statistics(_ values: [(Int, Float)]) -> ActivationStatistics {
            var s = ActivationStatistics()
            for (position, value) in values {
                var one = ActivationStatistics()
                (one.firings, one.documents, one.sum, one.sumOfSquares, one.maximum, one.maximumPosition, one.lastPosition) = (1, 1, Double(value), Double(value * value), value, position, position)
                one.histogram = ActivationHistogram(of: [value])
                s.append(one)
            }
            return s
        }
        let all: [(Int, Float)] = [(3, 1), (8, 4), (9, 0.5), (12, 4), (40, 2)]
        for cut in 0...5 {
            var merged = statistics(Array(all[..<cut]))
            merged.append(statistics(Array(all[cut...])))
            #expect(merged == statistics(all))
        }
        let whole = statistics(all)
        #expect((whole.firings, whole.sum, whole.sumOfSquares, whole.maximum, whole.maximumPosition, whole.lastPosition) == (5, 11.5, 37.25, 4, 8, 40))
        #expect((whole.histogram.first, whole.histogram.counts) == (-4, [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2]))
    }
}
