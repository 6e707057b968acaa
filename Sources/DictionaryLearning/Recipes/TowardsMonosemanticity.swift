/// Bricken et al. 2023, "Towards Monosemanticity", section "Problem setup" and appendix "Advice for training".
///
/// The paper sweeps its learning rate without giving it, and resamples at steps 25,000 to 100,000 of a longer run: here at
/// the quarter points of the run. Constants that were chosen by us say so.
public enum TowardsMonosemanticity: Recipe {
    public static let name = "towards-monosemanticity"
    public static let summary = "Bricken et al. 2023: L1, decoder rows of unit norm, dead features resampled"
    public static let reductions = (meanSquaredError: "mean over batch and width", sparsity: "L1 summed over features, mean over batch")

    public static let constants = [
        Constant("l1", .number(0.004), "λ of the L1 term, whose error is averaged over the width (paper: A/5)"),
        Constant("learning_rate", .number(0.001), "Adam's, constant (the paper gives none; ours, for short runs)"),
        Constant("adam_beta1", .number(0.9), in: 0...0.999999, "Adam's (its default)"),
        Constant("adam_beta2", .number(0.999), in: 0...0.999999, "Adam's (its default)"),
        Constant("adam_epsilon", .number(1e-8), in: 1e-30...1, "Adam's (its default)"),
        Constant("resample_at", .numbers([0.25, 0.5, 0.75]), in: 0...1, "Parts of the run after which dead features are resampled (paper: quarter points)"),
        Constant("dead_window", .number(0.125), in: 0...1, "Part of the run without a firing that makes a feature dead (paper: half the interval)"),
        Constant("resample_inputs", .number(819_200), in: 1...1e9, whole: true, "Inputs whose losses are compared for it, as far as the buffer has them (paper)"),
        Constant("resample_scale", .number(0.2), "Length of a resampled encoder row, in mean lengths of living ones (paper)"),
    ]

    public static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) -> Design {
        let steps = constants.numbers("resample_at").map { Int(($0 * Double(plan.steps)).rounded()) }.filter { $0 > 0 && $0 < plan.steps }
        let window = max(1, Int((constants.number("dead_window") * Double(plan.steps)).rounded()))
        return Design(
            activation: .relu, subtractsDecoderBias: true, start: .kaimingUniform, startsAtGeometricMedian: true, reduction: .mean,
            sparsity: .l1(byDecoderNorm: false), prefixes: [plan.features], deadAfter: window * plan.batchSize, keepsRowsOfUnitNorm: true,
            adam: constants.adam,
            resampling: Design.Resampling(steps: Array(Set(steps)).sorted(), inputs: constants.whole("resample_inputs"), encoderScale: constants.number("resample_scale")))
    }

    public static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule {
        Schedule(learningRate: constants.number("learning_rate"), sparsity: constants.number("l1"))
    }
}
