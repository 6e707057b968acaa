import Foundation
import Kernels
import Testing

/// Counts that do and do not fill vectors of 4, 8 and 16.
private let counts = [1, 3, 4, 7, 8, 15, 16, 17, 31, 64, 100, 333]

private func isClose(_ a: Float, _ b: Double, _ tolerance: Double = 2e-6) -> Bool { abs(Double(a) - b) <= tolerance * max(1, abs(b)) }

/// A kernel and what it computes, in double precision.
struct ActivationKernel: Sendable, CustomTestStringConvertible {
    typealias Kernel = @Sendable (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int, Int) -> Void
    let testDescription: String
    let kernel: Kernel
    let plain: @Sendable (Double) -> Double
    init(_ name: String, _ kernel: @escaping Kernel, _ plain: @escaping @Sendable (Double) -> Double) { (testDescription, self.kernel, self.plain) = (name, kernel, plain) }
}

@Suite struct KernelTests {
    @Test(arguments: [
        ActivationKernel("relu", kernel_relu) { max($0, 0) },
        ActivationKernel("relu squared", kernel_relu_squared) { max($0, 0) * max($0, 0) },
        ActivationKernel("gelu", kernel_gelu) { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) },
        ActivationKernel("gelu by tanh", kernel_gelu_tanh) { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) },
        ActivationKernel("quick gelu", kernel_gelu_quick) { $0 / (1 + exp(-1.702 * $0)) },
        ActivationKernel("silu", kernel_silu) { $0 / (1 + exp(-$0)) },
    ])
    func `activation functions agree with double precision`(function: ActivationKernel) {
        let (name, kernel, plain) = (function.testDescription, function.kernel, function.plain)
        let values = stride(from: Float(-20), through: 20, by: 0.0137).map { $0 } + [0, -0.0, 1e-30, -1e-30, 300, -300, 1e10, -1e10]
        var found = values
        kernel(&found, nil, 1, values.count)
        for (x, y) in zip(values, found) { #expect(isClose(y, plain(Double(x)), 3e-7), "\(name)(\(x)) = \(y)") }

        for width in counts {
            var random = SeededGenerator(seed: 5)
            let x = random.floats(3 * width), bias = random.floats(width)
            var biased = x
            kernel(&biased, bias, 3, width)
            for i in x.indices { #expect(isClose(biased[i], plain(Double(x[i] + bias[i % width])))) }
        }
    }

    @Test(arguments: counts)
    func `layer norm agrees with its formula`(width: Int) {
        var random = SeededGenerator(seed: 6)
        let rows = 3, gain = random.floats(width), shift = random.floats(width)
        let x = random.floats(rows * width, in: 2...4)
        var found = [Float](repeating: .nan, count: rows * width)
        kernel_layer_norm(x, gain, shift, 1e-3, &found, rows, width)
        for row in 0..<rows {
            let values = x[(row * width)..<((row + 1) * width)].map(Double.init)
            let mean = values.reduce(0, +) / Double(width)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            for i in 0..<width {
                let expected = (values[i] - mean) / (variance + 1e-3).squareRoot() * Double(gain[i]) + Double(shift[i])
                #expect(isClose(found[row * width + i], expected, 1e-5))
            }
        }
    }

    @Test(arguments: counts)
    func `causal softmax keeps each row's own past`(rows: Int) {
        var random = SeededGenerator(seed: 7)
        let first = 5, columns = first + rows, stride = columns + 3
        let scores = random.floats(rows * stride, in: -30...30)
        var found = scores, sums = [Float](repeating: .nan, count: rows)
        kernel_causal_softmax(&found, stride, rows, columns, first, &sums)
        for row in 0..<rows {
            let seen = (0...(first + row)).map { Double(scores[row * stride + $0]) }
            let top = seen.max()!, total = seen.reduce(0) { $0 + exp($1 - top) }
            for column in 0..<columns {
                let expected = column < seen.count ? exp(seen[column] - top) / total : 0
                #expect(isClose(found[row * stride + column] * sums[row], expected))
            }
            for column in columns..<stride { #expect(found[row * stride + column] == scores[row * stride + column]) }
        }
    }

    @Test(arguments: counts)
    func `log-sum-exp over blocks is that of the whole`(columns: Int) {
        var random = SeededGenerator(seed: 8)
        let rows = 3, blocks = (0..<4).map { _ in random.floats(rows * columns, in: -40...60) }
        var maxima = [Float](repeating: -.infinity, count: rows), sums = [Double](repeating: 0, count: rows)
        for block in blocks { kernel_log_sum_exp(block, columns, rows, columns, &maxima, &sums) }
        for row in 0..<rows {
            let values = blocks.flatMap { $0[(row * columns)..<((row + 1) * columns)] }.map(Double.init)
            let expected = log(values.reduce(0) { $0 + exp($1 - values.max()!) }) + values.max()!
            #expect(abs(log(sums[row]) + Double(maxima[row]) - expected) < 1e-6)
        }
    }

    @Test func `rotary pairs turn by their angle and the rest stays`() {
        var random = SeededGenerator(seed: 9)
        let (rows, heads, width, half) = (5, 2, 10, 3), stride = 33
        let x = random.floats(rows * stride), angles = random.floats(rows * half, in: -3...3)
        var found = x
        kernel_rotary(&found, stride, angles.map { Float(cos(Double($0))) }, angles.map { Float(sin(Double($0))) }, rows, heads, width, half)
        for row in 0..<rows {
            for column in 0..<stride {
                let i = column % width, start = row * stride + column - i
                var expected = Double(x[row * stride + column])
                if column < heads * width, i < 2 * half {
                    let angle = Double(angles[row * half + i % half]), a = Double(x[start + i % half]), b = Double(x[start + i % half + half])
                    expected = i < half ? a * cos(angle) - b * sin(angle) : b * cos(angle) + a * sin(angle)
                }
                #expect(isClose(found[row * stride + column], expected))
            }
        }
    }

    @Test func `numbers that are not finite are counted`() {
        for count in counts {
            var random = SeededGenerator(seed: 10)
            var x = random.floats(count, in: -1e38...1e38)
            #expect(kernel_count_not_finite(x, count) == 0)
            x[count - 1] = .nan
            x[0] = count > 1 ? -.infinity : .nan
            #expect(kernel_count_not_finite(x, count) == min(2, count))
        }
    }

    @Test func `rows are scaled and sums added where they belong`() {
        var random = SeededGenerator(seed: 11)
        for width in counts {
            let x = random.floats(2 * (width + 1)), factors = random.floats(2)
            var found = x
            kernel_scale_rows(&found, width + 1, factors, 2, width)
            for i in x.indices { #expect(found[i] == (i % (width + 1) < width ? x[i] * factors[i / (width + 1)] : x[i])) }
            var sum = x
            kernel_add_bias(&sum, x, 2, width + 1)
            for i in x.indices { #expect(sum[i] == x[i] + x[i % (width + 1)]) }
        }
    }
}
