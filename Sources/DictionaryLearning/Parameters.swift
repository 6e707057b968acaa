import Numerics

/// What is trained: one block of numbers each, with Adam's two moments beside it.
///
/// The encoder is kept by feature, as the decoder is, because nearly everything that is done to it is done feature by feature.
final class Parameters: @unchecked Sendable {
    /// A parameter and its moments.
    struct Block: ~Copyable {
        let value: Matrix
        /// Running means of the gradient and of its square.
        let first: Matrix
        let second: Matrix

        init(rows: Int, columns: Int) {
            value = Matrix(rows: rows, columns: columns)
            first = Matrix(rows: rows, columns: columns)
            second = Matrix(rows: rows, columns: columns)
        }

        /// Forgets what Adam knows about `count` numbers from `start`.
        func forget(_ start: Int, _ count: Int) {
            (first.base + start).update(repeating: 0, count: count)
            (second.base + start).update(repeating: 0, count: count)
        }
    }

    let encoder: Block  // W_encᵀ (features × width)
    let decoder: Block  // W_dec (features × width)
    let encoderBias: Block  // b_enc (1 × features)
    let decoderBias: Block  // b_dec (1 × width)
    /// Of JumpReLU; without columns otherwise.
    let logThreshold: Block  // log θ (1 × features)

    init(width: Int, features: Int, hasThreshold: Bool) {
        encoder = Block(rows: features, columns: width)
        decoder = Block(rows: features, columns: width)
        encoderBias = Block(rows: 1, columns: features)
        decoderBias = Block(rows: 1, columns: width)
        logThreshold = Block(rows: 1, columns: hasThreshold ? features : 0)
    }
}

/// A block of numbers of a trainer, as a checkpoint keeps it; a view, valid while the trainer lives.
public struct CheckpointTensor {
    public let name: String
    public let shape: [Int]
    public let elements: UnsafeMutableBufferPointer<Float>

    init(_ name: String, _ matrix: borrowing Matrix) {
        self.name = name
        shape = [matrix.rows, matrix.columns]
        elements = matrix.elements
    }
}
