import Diagnostics

// Which sizes can be trained, and what memory they take: told before any of it is taken.

extension Trainer {
    static let mostFeatures = 1 << 24
    static let mostInputs = 1 << 20

    /// - Throws: `MonosemeError` for a plan whose sizes are below 1 or beyond what is counted with.
    public static func check(_ plan: TrainingPlan) throws {
        for (name, size) in [("width", plan.width), ("number of features", plan.features), ("batch size", plan.batchSize), ("number of steps", plan.steps)] where size < 1 {
            throw MonosemeError("the \(name) is \(size)", hint: "it must be 1 or more")
        }
        guard plan.features <= mostFeatures, plan.batchSize <= mostInputs else {
            throw MonosemeError("\(plan.features) features with batches of \(plan.batchSize) are more than can be trained", hint: "the most are \(mostFeatures) features and batches of \(mostInputs)")
        }
    }

    /// Bytes that a trainer takes at least, from its first step on: a floating-point number, since sizes that nobody can train exceed whole ones.
    public static func memory(_ plan: TrainingPlan, _ design: Design) -> Double {
        let (batch, width, features) = (Double(plan.batchSize), Double(plan.width), Double(plan.features))
        // Encoder and decoder with Adam's moments, the encoder as its kernels read it, and gradients that wait for their common norm.
        var perWeight: Double = 6 * 4 + 4 + 1
        if design.gradientNormLimit != nil { perWeight += 2 * 4 }
        var perInput = Double(1 + design.prefixes.count)
        if design.auxiliary != nil { perInput += 2 }
        // A code that is still dense is kept whole.
        var dense = batch * features
        switch design.activation {
        case .relu, .jumpReLU: break
        case .topK, .batchTopK: dense = 0
        }
        return features * width * perWeight + 4 * (batch * width * perInput + dense)
    }
}
