/// Bussmann, Leask and Nanda 2024, "BatchTopK Sparse Autoencoders" (arXiv 2412.06410): TopK over the batch, with a threshold
/// for inference, so that inputs share their k.
public enum BatchTopK: Recipe {
    public static let name = "batch-topk"
    public static let summary = "Bussmann et al. 2024: the k · batch greatest of each batch, AuxK; a threshold for inference"
    public static let reductions = TopK.reductions
    public static let constants = Constant.topK + Constant.thresholdAverage

    public static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) throws -> Design {
        var design = Design(constants, plan, keeping: .batchTopK(try TopK.k(constants, plan)))
        design.thresholdAverage = Design.ThresholdAverage(decay: constants.number("threshold_decay"), firstStep: constants.whole("threshold_start"))
        return design
    }

    public static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule { TopK.schedule(constants, plan, step: step) }
}
