import Kernels
import Testing

/// The kernels of the encoder against loops of the plainest kind.
@Suite struct EncodeKernelTests {
    struct Size: CustomTestStringConvertible {
        let tokens, width: Int
        let isGated: Bool
        var testDescription: String { "\(tokens) tokens × \(width)\(isGated ? ", gated" : "")" }
    }

    static let sizes = [(1, 1), (5, 3), (11, 16), (12, 17), (13, 64), (24, 31), (50, 100), (25, 512)]
        .flatMap { [Size(tokens: $0.0, width: $0.1, isGated: false), Size(tokens: $0.0, width: $0.1, isGated: true)] }

    @Test(arguments: sizes)
    func `every level writes what one chain of fused multiply-adds gives`(size: Size) {
        var random = SeededGenerator(UInt64(size.tokens * 1000 + size.width))
        let (tokens, width, panelWidth) = (size.tokens, size.width, Int(ENCODE_FEATURES))
        let x = random.floats(tokens * width), weights = random.floats(width * panelWidth)
        let bias = random.floats(panelWidth, 0.5), threshold = random.floats(panelWidth, 0.5)
        let gain = random.floats(panelWidth, 2), offset = random.floats(panelWidth, 0.5)
        let floor: Float = 0.05

        var expected: [(token: UInt32, feature: UInt32, value: Float)] = []
        for token in 0..<tokens {
            for j in 0..<panelWidth {
                var product: Float = 0
                for k in 0..<width { product.addProduct(x[token * width + k], weights[k * panelWidth + j]) }
                let pre = product + bias[j]
                guard pre > threshold[j], pre > floor else { continue }
                let value = size.isGated ? offset[j].addingProduct(product, gain[j]) : pre
                if value > 0 { expected.append((UInt32(token), UInt32(64 + j), value)) }
            }
        }

        for level in 0...kernel_encode_best() {
            let found = run(level, x, tokens, width, weights, bias, threshold, floor, size.isGated ? gain : nil, offset)
            // Without fused multiply-add the plain loop may round otherwise; which features fire is the same here.
            #expect(found.map(\.token) == expected.map(\.token))
            #expect(found.map(\.feature) == expected.map(\.feature))
            if level > 0 { #expect(found.map(\.value) == expected.map(\.value)) }
            for (a, b) in zip(found, expected) { #expect(abs(a.value - b.value) <= 2e-5) }
        }
    }

    func run(
        _ level: Int32, _ x: [Float], _ tokens: Int, _ width: Int, _ weights: [Float], _ bias: [Float], _ threshold: [Float], _ floor: Float,
        _ gain: [Float]?, _ offset: [Float]
    ) -> [(token: UInt32, feature: UInt32, value: Float)] {
        let group = Int(ENCODE_TOKENS), room = tokens * Int(ENCODE_FEATURES) + 16
        let packed = UnsafeMutablePointer<Float>.allocate(capacity: (tokens + group) * width)
        let aligned = UnsafeMutableRawPointer.allocate(byteCount: weights.count * 4, alignment: 64).bindMemory(to: Float.self, capacity: weights.count)
        aligned.update(from: weights, count: weights.count)
        let token = UnsafeMutablePointer<UInt32>.allocate(capacity: room), feature = UnsafeMutablePointer<UInt32>.allocate(capacity: room)
        let value = UnsafeMutablePointer<Float>.allocate(capacity: room)
        defer { packed.deallocate(); aligned.deallocate(); token.deallocate(); feature.deallocate(); value.deallocate() }
        kernel_encode_pack(x, (0..<tokens).map(UInt32.init), tokens, width, [Float](repeating: 0, count: tokens), [Float](repeating: 1, count: tokens), packed)
        var stream = encode_stream(token: token, feature: feature, value: value, count: 0)
        bias.withUnsafeBufferPointer { bias in
            threshold.withUnsafeBufferPointer { threshold in
                offset.withUnsafeBufferPointer { offset in
                    (gain ?? []).withUnsafeBufferPointer { gains in
                        var panel = encode_panel(
                            weights: aligned, bias: bias.baseAddress, threshold: threshold.baseAddress, gain: gain == nil ? nil : gains.baseAddress,
                            offset: offset.baseAddress, feature: 64)
                        kernel_encode(level, packed, tokens, width, &panel, floor, &stream)
                    }
                }
            }
        }
        return (0..<stream.count).map { (token[$0], feature[$0], value[$0]) }
    }

    @Test(arguments: [(1, 1), (16, 1), (16, 16), (17, 4), (100, 33), (1000, 32), (5, 9)])
    func `the k largest stay in order, and of equal ones the first`(count: Int, k: Int) {
        var random = SeededGenerator(UInt64(count + k))
        // Few distinct values, so that the k-th largest is usually tied.
        let values = (0..<count).map { _ in Float(Int.random(in: 1...(count / 4 + 2), using: &random)) * 0.37 }
        let order = (0..<count).sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
        let expected = order.prefix(k).sorted()

        var features = (0..<UInt32(count)).map { $0 }, kept = values, least: Float = -1
        let n = kernel_keep_largest(&features, &kept, count, k, &least)
        #expect(features.prefix(n).map(Int.init) == expected)
        #expect(Array(kept.prefix(n)) == expected.map { values[$0] })
        #expect(least == (count < k ? 0 : values[order[k - 1]]))
    }

    @Test(arguments: [0, 1, 15, 16, 17, 255, 256, 257, 1000])
    func `the first number that is not finite is found`(count: Int) {
        let x = [Float](repeating: -.greatestFiniteMagnitude, count: count)
        #expect(kernel_first_not_finite(x, count) == count)
        for place in stride(from: 0, to: count, by: 7) {
            var broken = x
            broken[place] = place % 2 == 0 ? .nan : -.infinity
            broken[count - 1] = .nan
            #expect(kernel_first_not_finite(broken, count) == place)
        }
    }

    @Test(arguments: [0, 1, 3, 4, 5, 8, 11])
    func `decoding adds each firing's row`(count: Int) {
        var random = SeededGenerator(UInt64(count))
        let (rows, width) = (20, 37)
        let decoder = random.floats(rows * width), values = random.floats(count)
        let features = (0..<count).map { _ in UInt32.random(in: 0..<UInt32(rows), using: &random) }
        var out = random.floats(width)
        let expected = (0..<width).map { i in
            (0..<count).reduce(Double(out[i])) { $0 + Double(values[$1]) * Double(decoder[Int(features[$1]) * width + i]) }
        }
        kernel_decode(decoder, width, features, values, count, &out)
        for i in 0..<width { #expect(abs(Double(out[i]) - expected[i]) < 1e-6) }
    }
}
