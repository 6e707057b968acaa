/// Anthropic, "Circuits Updates — April 2024", "Update on how we train SAEs".
public enum April2024: Recipe {
    public static let name = "april-2024"
    public static let summary = "Anthropic's update of April 2024: decoder norms inside the L1 term, no constraint on them"
    public static let reductions = (meanSquaredError: "sum over width, mean over batch", sparsity: "L1 of f times decoder norm, summed over features, mean over batch")

    public static let constants = [
        Constant("l1", .number(5), "λ of the L1 term, whose error is summed over the width of inputs scaled to a mean length of √width (update: 2 to 10)"),
        Constant("l1_warm_up", .number(0.05), in: 0...1, "Part of the run over which λ rises from 0 (update)"),
        Constant("learning_rate", .number(5e-5), "Adam's (update, for 200,000 steps; shorter runs want more)"),
        Constant("learning_rate_decay", .number(0.2), in: 0...1, "Last part of the run, over which the rate falls to 0 (update)"),
        Constant("gradient_norm_limit", .number(1), in: 1e-12...Double.greatestFiniteMagnitude, "Gradients of a greater norm are scaled to it (update)"),
        Constant("decoder_norm", .number(0.1), in: 1e-6...1e6, "Length of the decoder's rows at the start (ports of the update)"),
        Constant("adam_beta1", .number(0.9), in: 0...0.999999, "Adam's (update)"),
        Constant("adam_beta2", .number(0.999), in: 0...0.999999, "Adam's (update)"),
        Constant("adam_epsilon", .number(1e-8), in: 1e-30...1, "Adam's (its default)"),
        Constant("dead_after", { .number(Double(min(10_000_000, max(1, $0.samples / 8)))) }, "10,000,000, or an eighth of the run", in: 1...1e15, whole: true, "Inputs without a firing after which a feature is reported as dead"),
    ]

    public static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) -> Design {
        Design(activation: .relu, inputScale: .meanNorm, start: .tied(rowNorm: constants.number("decoder_norm")), reduction: .sum, sparsity: .l1(byDecoderNorm: true),
               prefixes: [plan.features], deadAfter: constants.whole("dead_after"), gradientNormLimit: constants.number("gradient_norm_limit"), adam: constants.adam)
    }

    public static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule {
        let steps = Double(plan.steps)
        return Schedule(learningRate: constants.number("learning_rate") * decay(step, of: plan.steps, over: constants.number("learning_rate_decay") * steps),
                        sparsity: constants.number("l1") * warmUp(step, over: constants.number("l1_warm_up") * steps))
    }
}
