/// What is trained and against which objective, for all steps of a run.
///
/// x is an input times its scale, x̄ what the encoder reads, f its code, x̂ = f · W_dec + b_dec, e = x − x̂.
public struct Design: Sendable {
    /// How pre-activations become a code.
    public enum Activation: Sendable, Equatable {
        case relu
        /// The k greatest of each input, those of them that are positive.
        case topK(Int)
        /// The k · batch greatest positive ones of the batch.
        case batchTopK(Int)
        /// What is above its feature's own trained threshold. Its gradient is estimated within `bandwidth` of it.
        case jumpReLU(initialThreshold: Double, bandwidth: Double)
    }

    /// What inputs are multiplied by, for the whole run; measured on its first inputs.
    public enum InputScale: Sendable, Equatable {
        case one
        /// So that the mean of ‖x‖ is √width.
        case meanNorm
        /// So that the mean of ‖x‖² is 1.
        case meanSquare
    }

    public enum Start: Sendable, Equatable {
        /// Encoder and decoder of their own, uniform within ±1/√fan-in (Kaiming with PyTorch's a = √5), then decoder rows of length 1.
        case kaimingUniform
        /// Decoder rows of random directions and this length; the encoder is their transpose.
        case tied(rowNorm: Double)
    }

    public enum Reduction: Sendable, Equatable { case mean, sum }

    /// What is added, times the schedule's λ. A mean over the batch.
    public enum Sparsity: Sendable, Equatable {
        case none
        /// Σ f, or Σ f · ‖d‖ of each feature's decoder row.
        case l1(byDecoderNorm: Bool)
        /// The number of features that fire.
        case l0
        /// (L0 / target − 1)².
        case l0Target(Double)
    }

    /// Dead features' share in what the others leave unexplained (Gao et al. 2024).
    public struct Auxiliary: Sendable, Equatable {
        public var k: Int
        public var coefficient: Double
    }

    /// Dead features start anew at inputs with a great loss (Towards Monosemanticity, appendix).
    public struct Resampling: Sendable, Equatable {
        /// Before which steps.
        public var steps: [Int]
        public var inputs: Int
        /// Times the mean length of living encoder rows.
        public var encoderScale: Double
    }

    /// The running mean that inference uses as its threshold (batch-topk).
    public struct ThresholdAverage: Sendable, Equatable {
        public var decay: Double
        public var firstStep: Int
    }

    public var activation: Activation
    public var inputScale = InputScale.one
    public var subtractsDecoderBias = false
    public var start: Start
    /// Else zero.
    public var startsAtGeometricMedian = false
    public var reduction: Reduction
    public var sparsity = Sparsity.none
    /// Ends of the nested dictionaries, the last of them all features; the loss is the mean over them.
    public var prefixes: [Int]
    public var auxiliary: Auxiliary?
    /// Inputs without a firing after which a feature counts as dead.
    public var deadAfter: Int
    public var keepsRowsOfUnitNorm = false
    public var gradientNormLimit: Double?
    public var adam: (beta1: Double, beta2: Double, epsilon: Double)
    public var resampling: Resampling?
    public var thresholdAverage: ThresholdAverage?
}
