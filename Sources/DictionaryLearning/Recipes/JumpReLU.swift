/// Rajamanoharan et al. 2024, "Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders"
/// (arXiv 2407.14435), with the straight-through estimator of its section 3.
public enum JumpReLU: Recipe {
    public static let name = "jumprelu"
    public static let summary = "Rajamanoharan et al. 2024: L0 penalty, thresholds trained through a straight-through estimator"
    public static let reductions = (meanSquaredError: "sum over width, mean over batch", sparsity: "firings per input, mean over batch; with l0 its squared relative distance from that")

    public static let constants = [
        Constant("sparsity", .number(0.002), "λ of the L0 penalty on inputs of mean square 1 (ours; the paper sweeps it)"),
        Constant("l0", .none, in: 1e-3...1e9, "Firings per input to aim at: the penalty is then λ · (L0 / l0 − 1)²"),
        Constant("sparsity_warm_up", { .number(Double(min(10_000, $0.steps / 10))) }, "10,000, or a tenth of the run", in: 0...1e15, whole: true, "Steps over which λ rises from 0 (paper)"),
        Constant("threshold", .number(0.001), in: 1e-12...1e6, "Every feature's at the start (paper)"),
        Constant("bandwidth", .number(0.001), in: 1e-12...1e6, "Of the estimator's window (paper)"),
        Constant("learning_rate", .number(7e-5), "Adam's, constant (paper)"),
        Constant("adam_beta1", .number(0), in: 0...0.999999, "Adam's (paper)"),
        Constant("adam_beta2", .number(0.999), in: 0...0.999999, "Adam's (paper)"),
        Constant("adam_epsilon", .number(1e-8), in: 1e-30...1, "Adam's (its default)"),
        Constant.deadAfter,
    ]

    public static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) -> Design {
        Design(activation: .jumpReLU(initialThreshold: constants.number("threshold"), bandwidth: constants.number("bandwidth")), inputScale: .meanSquare,
               start: .tied(rowNorm: 1), reduction: .sum, sparsity: constants.numberIfAny("l0").map { .l0Target($0) } ?? .l0, prefixes: [plan.features],
               deadAfter: constants.whole("dead_after"), keepsRowsOfUnitNorm: true, adam: constants.adam)
    }

    public static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule {
        Schedule(learningRate: constants.number("learning_rate"), sparsity: constants.number("sparsity") * warmUp(step, over: constants.number("sparsity_warm_up")))
    }
}
