import Diagnostics

/// Gao et al. 2024, "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093), section 2 and appendix A; the auxiliary
/// loss is normalised as in dictionary_learning.
public enum TopK: Recipe {
    public static let name = "topk"
    public static let summary = "Gao et al. 2024: the k greatest of each input, dead features explain the rest (AuxK)"
    public static let reductions = (meanSquaredError: "sum over width, mean over batch", sparsity: "none: k per input")
    public static let constants = Constant.topK

    public static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) throws -> Design {
        Design(constants, plan, keeping: .topK(try k(constants, plan)))
    }

    public static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule {
        Schedule(learningRate: constants.number("learning_rate"))
    }

    static func k(_ constants: RecipeConstants, _ plan: TrainingPlan) throws -> Int {
        let k = constants.whole("k")
        guard k <= plan.features else { throw MonosemeError("k is \(k), more than the \(plan.features) features of the dictionary", hint: "give a smaller --k") }
        return k
    }
}
