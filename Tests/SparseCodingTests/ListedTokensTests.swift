import Kernels
import Testing

@Suite struct ListedTokensTests {
    /// (tokens, width, panels, one number in how many is not zero): groups and blocks that are not full, a panel without
    /// a partner, rows of nothing but zeros.
    @Test(arguments: [(1, 1, 1, 1), (6, 64, 2, 3), (7, 65, 3, 3), (13, 130, 2, 50), (40, 200, 5, 2), (5, 64, 2, 1_000)])
    func `listing what is not zero changes no bit of what fires`(tokens: Int, width: Int, panels: Int, every: Int) {
        guard kernel_encode_best() >= 2 else { return }
        var state: UInt32 = 1
        func next() -> UInt32 { state = state &* 1_664_525 &+ 1_013_904_223; return state >> 8 }
        func number() -> Float { Float(next()) / Float(1 << 23) - 1 }
        func aligned(_ count: Int) -> UnsafeMutablePointer<Float> {
            UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64).bindMemory(to: Float.self, capacity: max(16, count))
        }
        let x = aligned(tokens * width), weights = aligned(panels * width * 32), packed = aligned((tokens + 11) / 12 * 12 * width), sums = aligned((tokens + 1) * 64)
        defer { for memory in [x, weights, packed, sums] { UnsafeMutableRawPointer(memory).deallocate() } }
        for place in 0..<tokens * width { x[place] = next() % UInt32(every) == 0 ? number() : 0 }
        for place in 0..<panels * width * 32 { weights[place] = number() }
        let bias = (0..<32).map { _ in number() }, threshold = (0..<32).map { _ in number() }
        let rows = (0..<UInt32(tokens)).reversed().map { $0 }

        func encode(_ body: (inout encode_stream, (Int) -> encode_panel) -> Void) -> [[UInt32]] {
            let room = panels * 32 * tokens + 64
            var token = [UInt32](repeating: 0, count: room), feature = token, value = [Float](repeating: 0, count: room), count = 0
            bias.withUnsafeBufferPointer { bias in threshold.withUnsafeBufferPointer { threshold in
                token.withUnsafeMutableBufferPointer { token in feature.withUnsafeMutableBufferPointer { feature in value.withUnsafeMutableBufferPointer { value in
                    var stream = encode_stream(token: token.baseAddress, feature: feature.baseAddress, value: value.baseAddress, count: 0)
                    body(&stream) { encode_panel(weights: weights + $0 * width * 32, bias: bias.baseAddress, threshold: threshold.baseAddress, gain: nil, offset: nil, feature: UInt32($0 * 32)) }
                    count = stream.count
                } } }
            } }
            return (0..<count).map { [token[$0], feature[$0], value[$0].bitPattern] }.sorted { $0.lexicographicallyPrecedes($1) }
        }
        let full = encode { stream, panel in
            kernel_encode_pack(x, rows, tokens, width, [Float](repeating: 0, count: tokens), [Float](repeating: 1, count: tokens), packed)
            for index in 0..<panels { var panel = panel(index); kernel_encode(2, packed, tokens, width, &panel, 0, &stream) }
        }
        let blocks = (width + 63) / 64, groups = (tokens + 5) / 6
        var order = [UInt32](repeating: 0, count: blocks * groups * 6), starts = [UInt32](repeating: 0, count: blocks * groups + 1)
        var offsets = [UInt16](repeating: 0, count: blocks * 64 * groups * 6), values = [Float](repeating: 0, count: blocks * 64 * groups * 6)
        var counts = [UInt8](repeating: 0, count: tokens)
        let listed = order.withUnsafeMutableBufferPointer { order in starts.withUnsafeMutableBufferPointer { starts in
            offsets.withUnsafeMutableBufferPointer { offsets in values.withUnsafeMutableBufferPointer { values in
                var lists = encode_lists(order: order.baseAddress, starts: starts.baseAddress, offsets: offsets.baseAddress, values: values.baseAddress)
                kernel_encode_list(x, rows, tokens, width, &counts, &lists)
                return encode { stream, panel in
                    for index in stride(from: 0, to: panels, by: 2) {
                        var first = panel(index)
                        if index + 1 < panels {
                            var second = panel(index + 1)
                            kernel_encode_listed(&lists, tokens, width, &first, &second, 0, sums, &stream)
                        } else { kernel_encode_listed(&lists, tokens, width, &first, nil, 0, sums, &stream) }
                    }
                }
            } }
        } }
        #expect(listed == full)
    }
}
