import Kernels
import Numerics
import Testing

@testable import SparseCoding

/// The bound of the screen where it is all but reached, and numbers at the ends of single precision.
@Suite struct EncodeBoundTests {
    static let panelWidth = Int(ENCODE_FEATURES)

    /// A token and an encoder vector whose residuals, left by 8-bit codes, line up with the other side, so that Cauchy and
    /// Schwarz's inequality is an equation: the screen falls short of the product by its whole bound.
    struct Aligned: CustomTestStringConvertible {
        let parameter: Int
        let x, w: [Float]
        let width: Int
        var testDescription: String { "\(parameter == Int(ENCODE_RESIDUAL) ? "the vector's residual" : "the token's residual"), width \(width)" }

        /// x is ±1, which codes hold exactly; w is a code's step times a whole number and 0.49 more in x's direction.
        init(vectorResidual width: Int) {
            var random = SeededGenerator(UInt64(width))
            (parameter, self.width) = (Int(ENCODE_RESIDUAL), width)
            let x = (0..<width).map { $0 == 0 ? Float(1) : $0 == 1 ? -1 : Bool.random(using: &random) ? 1 : -1 }
            // The first is the largest, and sets the step.
            w = (0..<width).map { $0 == 0 ? 127 : Float(Int.random(in: -20...20, using: &random)) + 0.49 * x[$0] }
            self.x = x
        }

        /// w is ±1, which codes hold exactly; x is a code's step times a whole number and 0.49 more in w's direction.
        init(tokenResidual width: Int) {
            var random = SeededGenerator(UInt64(width))
            (parameter, self.width) = (Int(ENCODE_LENGTH), width)
            let w = (0..<width).map { _ in Bool.random(using: &random) ? Float(1) : -1 }
            x = (0..<width).map { $0 == 0 ? 255 : Float(Int.random(in: 1...20, using: &random)) + 0.49 * w[$0] }
            self.w = w
        }
    }

    static let aligned = [64, 200, 512].flatMap { [Aligned(vectorResidual: $0), Aligned(tokenResidual: $0)] }

    @Test(arguments: aligned)
    func `a firing is found where the bound is all but reached, and would not be with a bound 1 percent tighter`(test: Aligned) throws {
        let product = EncodeKernelTests.product(test.x[...], test.w[...])
        // Just above its threshold, by much less than 1 % of the bound.
        let bias = -product + 1e-3, rows = (0..<Self.panelWidth).flatMap { _ in test.w }
        let numbers = [[Float]](repeating: [Float](repeating: 0, count: Self.panelWidth), count: 4)
        func firings(_ level: Int32, bound: Float) -> Int {
            EncodeKernelTests().run(level, test.x, 1, test.width, rows, [[Float](repeating: bias, count: Self.panelWidth)] + numbers.dropFirst(), isGated: false, 0) { parameters in
                for j in 0..<Self.panelWidth { parameters[test.parameter, j] *= bound }
            }.count
        }
        for level in 0...kernel_encode_best() { #expect(firings(level, bound: 1) == Self.panelWidth, "level \(level)") }
        if kernel_encode_best() >= 3 { #expect(firings(3, bound: 0.99) == 0, "the case is not tight") }
    }

    struct Extreme: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let x: @Sendable (Int) -> Float
        var w: Float = 1
        var bias: Float = 0
    }

    static let extremes = [
        Extreme(testDescription: "a token of zeros", x: { _ in 0 }),
        Extreme(testDescription: "a token of zeros and a positive bias", x: { _ in 0 }, bias: 1e-3),
        Extreme(testDescription: "one huge number", x: { $0 == 5 ? 1e30 : 0.01 * Float($0 % 7) }),
        Extreme(testDescription: "one huge negative number", x: { $0 == 5 ? -1e6 : 0.9 * Float($0 % 7) }, bias: 1e5),
        Extreme(testDescription: "nothing but huge numbers, with products beyond single precision", x: { $0 % 2 == 0 ? 3e38 : -3e38 }),
        Extreme(testDescription: "squares beyond single precision", x: { Float($0 % 5) * 1e20 }),
        Extreme(testDescription: "squares below single precision", x: { Float($0 % 5 - 1) * 1e-25 }),
        Extreme(testDescription: "subnormal numbers", x: { Float($0 % 5 - 1) * 0x1p-133 }),
        Extreme(testDescription: "products that are subnormal", x: { Float($0 % 5 - 1) * 1e-20 }, w: 1e-20),
        Extreme(testDescription: "subnormal vectors", x: { Float($0 % 5 - 1) }, w: 0x1p-133),
        Extreme(testDescription: "huge vectors", x: { Float($0 % 5 - 1) * 1e-3 }, w: 1e37),
        Extreme(testDescription: "the same number everywhere", x: { _ in 0.3 }),
        Extreme(testDescription: "the same negative number everywhere", x: { _ in -0.3 }),
    ]

    @Test(arguments: extremes, [1, 3, 64, 130])
    func `at the ends of single precision every level finds what float32 fires`(test: Extreme, width: Int) {
        var random = SeededGenerator(UInt64(width))
        let x = (0..<width).map(test.x), rows = random.floats(width * Self.panelWidth, test.w)
        let bias = [Float](repeating: test.bias, count: Self.panelWidth), zeros = [Float](repeating: 0, count: Self.panelWidth)
        let expected = (0..<Self.panelWidth).compactMap { j -> EncodeKernelTests.Firing? in
            let p = EncodeKernelTests.product(x[...], rows[j * width..<(j + 1) * width]) + test.bias
            return p > 0 ? .init(token: 0, feature: UInt32(64 + j), value: p) : nil
        }
        for level in 1..<max(1, kernel_encode_best() + 1) {
            #expect(EncodeKernelTests().run(level, x, 1, width, rows, [bias, zeros, zeros, zeros], isGated: false, 0) == expected, "level \(level)")
        }
    }
}
