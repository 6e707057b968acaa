public import Numerics

/// What one step found.
public struct StepReport: Sendable, Equatable {
    /// As the recipe defines it, in its own units.
    public var loss = 0.0
    /// ‖x − x̂‖² per input, summed over the width, in the units of the inputs as they came.
    public var meanSquaredError = 0.0
    /// 1 − Σ‖x − x̂‖² ÷ Σ‖x − mean x‖² over the batch.
    public var explainedVariance = 0.0
    /// Features that fire, per input.
    public var l0 = 0.0
    /// Features that have not fired for as long as the recipe says.
    public var dead = 0
    public var learningRate = 0.0
    /// λ.
    public var sparsityCoefficient = 0.0

    public init() {}
}

/// A dictionary as inference needs it: inputs are taken as they come, whatever they were scaled by in training.
public struct TrainedDictionary: ~Copyable {
    /// How SAELens calls what it is at inference: "standard", "topk" or "jumprelu".
    public var architecture: String
    public var k: Int?
    public var appliesDecoderBiasToInput: Bool
    public var encoder: Matrix  // W_enc (width × features)
    public var encoderBias: [Float]  // b_enc (features)
    public var decoder: Matrix  // W_dec (features × width)
    public var decoderBias: [Float]  // b_dec (width)
    /// For "jumprelu" (features).
    public var threshold: [Float]?
    /// What inputs were multiplied by in training.
    public var inputScale: Double
}

extension Trainer {
    /// The dictionary as it is now.
    public func trained() -> TrainedDictionary {
        // Made anew by the next dense step, if there is one; the copies below need room.
        densePreactivations = nil
        let (width, features) = (plan.width, plan.features), scale = inputScale
        let encoder = Matrix(uninitializedRows: width, columns: features), decoder = parameters.decoder.value.copy()
        for feature in 0..<features {
            for column in 0..<width { encoder.base[column * features + feature] = parameters.encoder.value.base[feature * width + column] * scale }
        }
        for place in 0..<decoder.count { decoder.base[place] /= scale }
        var trained = TrainedDictionary(
            architecture: "standard", appliesDecoderBiasToInput: design.subtractsDecoderBias, encoder: encoder, encoderBias: Array(parameters.encoderBias.value.elements),
            decoder: decoder, decoderBias: parameters.decoderBias.value.elements.map { $0 / scale }, inputScale: Double(scale))
        switch design.activation {
        case .relu: break
        case .topK(let k): (trained.architecture, trained.k) = ("topk", k)
        case .batchTopK:
            trained.architecture = "jumprelu"
            trained.threshold = [Float](repeating: thresholdMean ?? leastKept ?? 0, count: features)
        case .jumpReLU:
            trained.architecture = "jumprelu"
            trained.threshold = Array(thresholds.elements)
        }
        return trained
    }
}
