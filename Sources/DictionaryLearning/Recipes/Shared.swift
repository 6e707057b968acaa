// What several recipes have in common.

extension RecipeConstants {
    var adam: (beta1: Double, beta2: Double, epsilon: Double) { (number("adam_beta1"), number("adam_beta2"), number("adam_epsilon")) }
}

extension Constant {
    static let adamDefaults = [
        Constant("adam_beta1", .number(0.9), in: 0...0.999999, "Adam's (its default)"),
        Constant("adam_beta2", .number(0.999), in: 0...0.999999, "Adam's (its default)"),
        Constant("adam_epsilon", .number(1e-8), in: 1e-30...1, "Adam's (its default)"),
    ]

    /// Beyond the sources' count where a run is too short ever to reach it.
    static let deadAfter = Constant(
        "dead_after", { .number(Double(min(10_000_000, max(1, $0.samples / 10)))) }, "10,000,000, or a tenth of the run", in: 1...1e15, whole: true,
        "Inputs without a firing after which a feature counts as dead (Gao et al. 2024: 10,000,000)")

    /// TopK with AuxK, as Gao et al. 2024 (arXiv 2406.04093) train it.
    static let topK = [
        Constant("k", .number(32), in: 1...1e9, whole: true, "Features kept per input (Gao et al. 2024)"),
        Constant("auxiliary_k", { .number(Double(max(1, $0.width / 2))) }, "width / 2", in: 0...1e9, whole: true, "Dead features that explain the rest of each input (Gao et al. 2024)"),
        Constant("auxiliary_coefficient", .number(1.0 / 32), "Factor of their loss (Gao et al. 2024: 1/32)"),
        Constant.deadAfter,
        Constant("learning_rate", { .number(2e-4 / (Double($0.features) / 16384).squareRoot()) }, "2e-4 / √(features / 16,384)", "Adam's, constant (Gao et al. 2024)"),
        Constant("gradient_norm_limit", .number(1), in: 1e-12...Double.greatestFiniteMagnitude, "Gradients of a greater norm are scaled to it (Gao et al. 2024)"),
    ] + adamDefaults

    static let thresholdAverage = [
        Constant("threshold_decay", .number(0.999), in: 0...1, "Of the running mean that becomes the threshold of inference (dictionary_learning)"),
        Constant("threshold_start", { .number(Double(min(1000, $0.steps / 10))) }, "1,000, or a tenth of the run", in: 0...1e15, whole: true, "The step it begins at (dictionary_learning)"),
    ]
}

extension Design {
    /// The common part of `topk`, `batch-topk` and `matryoshka`.
    init(_ constants: RecipeConstants, _ plan: TrainingPlan, keeping activation: Activation, prefixes: [Int]? = nil) {
        self.init(activation: activation, inputScale: .meanSquare, subtractsDecoderBias: true, start: .tied(rowNorm: 1), startsAtGeometricMedian: true, reduction: .sum,
                  prefixes: prefixes ?? [plan.features], auxiliary: Auxiliary(k: constants.whole("auxiliary_k"), coefficient: constants.number("auxiliary_coefficient")),
                  deadAfter: constants.whole("dead_after"), keepsRowsOfUnitNorm: true, gradientNormLimit: constants.number("gradient_norm_limit"), adam: constants.adam)
    }
}
