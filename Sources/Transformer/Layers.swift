import Kernels
import LinearAlgebra
import Numerics

/// A matrix of weights that layers share; vectors are one row.
final class Weight: Sendable {
    let matrix: Matrix
    init(_ matrix: consuming Matrix) { self.matrix = matrix }

    var base: UnsafeMutablePointer<Float> { matrix.base }
    var isFinite: Bool { kernel_count_not_finite(matrix.base, matrix.count) == 0 }
}

/// x · W + b.
struct Linear: Sendable {
    let weight: Weight
    /// Whether `weight` is (outputs × inputs), as most families store it, and not (inputs × outputs).
    let isOutputMajor: Bool
    let bias: Weight?

    var inputs: Int { isOutputMajor ? weight.matrix.columns : weight.matrix.rows }
    var outputs: Int { isOutputMajor ? weight.matrix.rows : weight.matrix.columns }

    /// x (rows × inputs) · W → out (rows × outputs), on top of what is there if `adding`; the bias is the caller's.
    func multiply(_ x: UnsafePointer<Float>, rows: Int, adding: Bool = false, into out: UnsafeMutablePointer<Float>) {
        sgemm(
            m: rows, n: outputs, k: inputs, a: x, b: weight.base, transposeB: isOutputMajor, beta: adding ? 1 : 0, c: out)
    }

    func addBias(to out: UnsafeMutablePointer<Float>, rows: Int) {
        if let bias { kernel_add_bias(out, bias.base, rows, outputs) }
    }
}

/// Centres and scales each row, then applies gain and shift (Ba et al., 2016).
struct LayerNorm: Sendable {
    let gain: Weight
    let shift: Weight
    let epsilon: Float

    /// x (rows × width) → out (rows × width).
    func apply(_ x: UnsafePointer<Float>, rows: Int, into out: UnsafeMutablePointer<Float>) {
        kernel_layer_norm(x, gain.base, shift.base, epsilon, out, rows, gain.matrix.columns)
    }
}

/// A neuron's activation function.
enum Activation: Sendable {
    case relu, reluSquared, gelu, geluTanh, geluQuick, silu

    /// The names that transformers gives them; several are one function.
    static let names: [String: Activation] = [
        "relu": .relu, "relu2": .reluSquared, "gelu": .gelu, "gelu_python": .gelu, "gelu_new": .geluTanh, "gelu_fast": .geluTanh,
        "gelu_pytorch_tanh": .geluTanh, "quick_gelu": .geluQuick, "silu": .silu, "swish": .silu,
    ]

    init?(_ name: String) {
        guard let known = Self.names[name] else { return nil }
        self = known
    }

    /// x (rows × width) = f(x + bias), in place.
    func apply(to x: UnsafeMutablePointer<Float>, bias: Weight?, rows: Int, width: Int) {
        let bias = bias.map { UnsafePointer($0.base) }
        switch self {
        case .relu: kernel_relu(x, bias, rows, width)
        case .reluSquared: kernel_relu_squared(x, bias, rows, width)
        case .gelu: kernel_gelu(x, bias, rows, width)
        case .geluTanh: kernel_gelu_tanh(x, bias, rows, width)
        case .geluQuick: kernel_gelu_quick(x, bias, rows, width)
        case .silu: kernel_silu(x, bias, rows, width)
        }
    }
}
