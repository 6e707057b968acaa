import Diagnostics

/// Bussmann et al. 2025, "Learning multi-level features with Matryoshka sparse autoencoders" (arXiv 2503.17547): batch-topk whose
/// first features must do without the later ones, which orders a dictionary from coarse to fine.
public enum Matryoshka: Recipe {
    public static let name = "matryoshka"
    public static let summary = "Bussmann et al. 2025: batch-topk with nested dictionaries, coarse features first"
    public static let reductions = (meanSquaredError: "sum over width, mean over batch and nested dictionaries", sparsity: TopK.reductions.sparsity)
    public static let constants = BatchTopK.constants + [
        Constant("prefixes", { plan in .numbers([0.0625, 0.125, 0.25, 0.5, 1].filter { ($0 * Double(plan.features)).rounded() >= 1 }) }, "0.0625,0.125,0.25,0.5,1", in: 0...1e9,
                 "Where nested dictionaries end: parts of all features (up to 1), or counts (ours: halves down to a sixteenth)"),
    ]

    public static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) throws -> Design {
        let given = constants.numbers("prefixes")
        guard given.allSatisfy({ $0 <= 1 || $0 == $0.rounded() }) else {
            throw MonosemeError("nested dictionaries end at \(ConstantValue.numbers(given)) of \(plan.features) features, which are not whole", hint: "set prefixes to parts up to 1, such as 0.25,0.5,1, or to counts")
        }
        var ends = given.map { $0 <= 1 ? Int((($0 * Double(plan.features)).rounded())) : Int($0) }
        if ends.last != plan.features { ends.append(plan.features) }
        guard ends[0] >= 1, zip(ends, ends.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw MonosemeError("nested dictionaries end at \(ends.map(String.init).joined(separator: ", ")) of \(plan.features) features, which does not rise", hint: "set prefixes to rising parts, such as 0.25,0.5,1")
        }
        var design = try BatchTopK.design(constants, plan)
        design.prefixes = ends
        return design
    }

    public static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule { TopK.schedule(constants, plan, step: step) }
}
