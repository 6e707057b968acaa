import Kernels
import Numerics
import Testing

@testable import SparseCoding

/// The kernels of the encoder against loops of the plainest kind.
@Suite struct EncodeKernelTests {
    struct Size: CustomTestStringConvertible {
        let tokens, width: Int
        let isGated: Bool
        var testDescription: String { "\(tokens) tokens × \(width)\(isGated ? ", gated" : "")" }
    }

    static let sizes = [(1, 1), (5, 3), (11, 16), (12, 17), (13, 64), (24, 31), (50, 100), (25, 512)]
        .flatMap { [Size(tokens: $0.0, width: $0.1, isGated: false), Size(tokens: $0.0, width: $0.1, isGated: true)] }

    /// The order of summation that defines an activation: four accumulators of 16 lanes in turn, then halves.
    static func product(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Float {
        var lanes = [Float](repeating: 0, count: 64)
        for (k, (x, y)) in zip(a, b).enumerated() { lanes[k % 64].addProduct(x, y) }
        for i in 0..<16 {
            let first = lanes[i] + lanes[i + 16], second = lanes[i + 32] + lanes[i + 48]
            lanes[i] = first + second
        }
        for half in [8, 4, 2, 1] { for i in 0..<half { lanes[i] += lanes[i + half] } }
        return lanes[0]
    }

    @Test(arguments: sizes, [Float(0.05), 1.2])
    func `every level writes the firings of the plain loop`(size: Size, floor: Float) {
        var random = SeededGenerator(UInt64(size.tokens * 1000 + size.width))
        let (tokens, width, panelWidth) = (size.tokens, size.width, Int(ENCODE_FEATURES))
        let x = random.floats(tokens * width), rows = random.floats(width * panelWidth)
        let bias = random.floats(panelWidth, 0.5), threshold = random.floats(panelWidth, 0.5)
        let gain = random.floats(panelWidth, 2), offset = random.floats(panelWidth, 0.5)

        var expected: [Firing] = []
        for token in 0..<tokens {
            for j in 0..<panelWidth {
                let product = Self.product(x[token * width..<(token + 1) * width], rows[j * width..<(j + 1) * width])
                let pre = product + bias[j]
                guard pre > threshold[j], pre > floor else { continue }
                let value = size.isGated ? offset[j].addingProduct(product, gain[j]) : pre
                if value > 0 { expected.append(Firing(token: UInt32(token), feature: UInt32(64 + j), value: value)) }
            }
        }
        for level in 0...kernel_encode_best() {
            let found = run(level, x, tokens, width, rows, [bias, threshold, gain, offset], isGated: size.isGated, floor)
            // Without fused multiply-add the plain loop may round otherwise; which features fire is the same here.
            if level > 0 { #expect(found == expected, "level \(level)") }
            #expect(found.map(\.feature) == expected.map(\.feature) && found.map(\.token) == expected.map(\.token))
            for (a, b) in zip(found, expected) { #expect(abs(a.value - b.value) <= 2e-5) }
        }
    }

    struct Firing: Hashable {
        let token, feature: UInt32
        let value: Float
    }

    /// The firings of one panel. `alter` may change its parameters (ENCODE_PARAMETERS × ENCODE_FEATURES) first.
    func run(
        _ level: Int32, _ x: [Float], _ count: Int, _ width: Int, _ rows: [Float], _ numbers: [[Float]], isGated: Bool, _ floor: Float,
        alter: (borrowing Matrix) -> Void = { _ in }
    ) -> [Firing] {
        let group = Int(ENCODE_TOKENS), panelWidth = Int(ENCODE_FEATURES), room = count * panelWidth + 16
        let padded = (count + group - 1) / group * group, stride = (width + 15) / 16 * 16, quads = (width + 3) / 4
        let panelRows = Matrix(rows: panelWidth, columns: stride), columns = Matrix(rows: width, columns: panelWidth)
        let parameters = Matrix(rows: Int(ENCODE_PARAMETERS), columns: panelWidth)
        let codes = UnsafeMutableRawPointer.allocate(byteCount: quads * 4 * panelWidth, alignment: 64).bindMemory(to: Int8.self, capacity: quads * 4 * panelWidth)
        codes.initialize(repeating: 0, count: quads * 4 * panelWidth)
        for j in 0..<panelWidth {
            for k in 0..<width { panelRows[j, k] = rows[j * width + k]; columns[k, j] = rows[j * width + k] }
            for (name, values) in zip([ENCODE_BIAS, ENCODE_THRESHOLD, ENCODE_GAIN, ENCODE_OFFSET], numbers) { parameters[name, j] = values[j] }
            kernel_encode_code(panelRows.base + j * stride, width, codes, parameters.base, UInt32(j))
        }
        alter(parameters)
        let activations = Matrix(rows: count, columns: stride), packed = Matrix(rows: padded, columns: width), scalars = Matrix(rows: 4, columns: padded)
        let tokenCodes = UnsafeMutablePointer<UInt8>.allocate(capacity: padded * quads * 4)
        let token = UnsafeMutablePointer<UInt32>.allocate(capacity: room), feature = UnsafeMutablePointer<UInt32>.allocate(capacity: room)
        let value = UnsafeMutablePointer<Float>.allocate(capacity: room)
        defer { codes.deallocate(); tokenCodes.deallocate(); token.deallocate(); feature.deallocate(); value.deallocate() }
        var tokens = encode_tokens(
            count: count, width: width, stride: stride, rows: activations.base, packed: packed.base, codes: tokenCodes, scalars: scalars.base)
        kernel_encode_prepare(
            &tokens, x, (0..<count).map(UInt32.init), [Float](repeating: 0, count: count), [Float](repeating: 1, count: count))
        var panel = encode_panel(
            rows: panelRows.base, weights: columns.base, codes: codes, parameters: parameters.base, gated: isGated ? 1 : 0, feature: 64,
            next_rows: nil, next_codes: nil)
        var stream = encode_stream(token: token, feature: feature, value: value, count: 0)
        let candidates = kernel_encode(level, &tokens, &panel, floor, &stream)
        #expect(candidates >= stream.count)
        return (0..<stream.count).map { Firing(token: token[$0], feature: feature[$0], value: value[$0]) }
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

    @Test(arguments: [1, 2, 3, 4, 16, 17, 100, 1001, 8192])
    func `the median is the middle of the sorted numbers, or the mean of the middle two`(count: Int) {
        var random = SeededGenerator(UInt64(count))
        let kinds: [[Float]] = [
            random.floats(count), random.floats(count, 1e-30), (0..<count).map { _ in Float(Int.random(in: -2...2, using: &random)) },
            [Float](repeating: -0.25, count: count), (0..<count).map { $0 % 2 == 0 ? -.infinity : 3 }, (0..<count).map { $0 % 2 == 0 ? -0.0 : 0.0 },
        ]
        for x in kinds {
            let sorted = x.sorted()
            #expect(kernel_median(x, count) == (count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2))
        }
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
