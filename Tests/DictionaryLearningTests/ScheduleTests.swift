import Testing
@testable import DictionaryLearning

@Suite struct ScheduleTests {
    struct Corner: Sendable {
        let recipe: any Recipe.Type
        var settings: [String: String] = [:]
        let step: Int
        let learningRate: Double
        let sparsity: Double
    }

    /// Of 100 steps, by hand.
    @Test(arguments: [
        // λ rises over the first 5 steps and reaches 1 with the last of them; the rate falls over the last 20, to a 20th in the last.
        Corner(recipe: April2024.self, step: 0, learningRate: 5e-5, sparsity: 1),
        Corner(recipe: April2024.self, step: 3, learningRate: 5e-5, sparsity: 4),
        Corner(recipe: April2024.self, step: 4, learningRate: 5e-5, sparsity: 5),
        Corner(recipe: April2024.self, step: 5, learningRate: 5e-5, sparsity: 5),
        Corner(recipe: April2024.self, step: 80, learningRate: 5e-5, sparsity: 5),
        Corner(recipe: April2024.self, step: 81, learningRate: 5e-5 * 19 / 20, sparsity: 5),
        Corner(recipe: April2024.self, step: 99, learningRate: 5e-5 / 20, sparsity: 5),
        Corner(recipe: April2024.self, settings: ["l1_warm_up": "0", "learning_rate_decay": "0"], step: 0, learningRate: 5e-5, sparsity: 5),
        Corner(recipe: April2024.self, settings: ["l1_warm_up": "0", "learning_rate_decay": "0"], step: 99, learningRate: 5e-5, sparsity: 5),
        Corner(recipe: April2024.self, settings: ["l1_warm_up": "1", "learning_rate_decay": "1"], step: 0, learningRate: 5e-5, sparsity: 0.05),
        Corner(recipe: April2024.self, settings: ["l1_warm_up": "1", "learning_rate_decay": "1"], step: 99, learningRate: 5e-7, sparsity: 5),
        Corner(recipe: April2024.self, settings: ["l1_warm_up": "0.001"], step: 0, learningRate: 5e-5, sparsity: 5),
        Corner(recipe: JumpReLU.self, step: 0, learningRate: 7e-5, sparsity: 0.0002),
        Corner(recipe: JumpReLU.self, step: 9, learningRate: 7e-5, sparsity: 0.002),
        Corner(recipe: JumpReLU.self, step: 99, learningRate: 7e-5, sparsity: 0.002),
        Corner(recipe: JumpReLU.self, settings: ["sparsity_warm_up": "0"], step: 0, learningRate: 7e-5, sparsity: 0.002),
        Corner(recipe: TowardsMonosemanticity.self, step: 0, learningRate: 0.001, sparsity: 0.004),
        Corner(recipe: TowardsMonosemanticity.self, step: 99, learningRate: 0.001, sparsity: 0.004),
        Corner(recipe: TopK.self, step: 0, learningRate: 4e-4, sparsity: 0),
        Corner(recipe: BatchTopK.self, step: 99, learningRate: 4e-4, sparsity: 0),
        Corner(recipe: Matryoshka.self, step: 50, learningRate: 4e-4, sparsity: 0),
    ]) func `rate and λ at the corners of their schedules`(_ corner: Corner) throws {
        let plan = TrainingPlan(width: 16, features: 4096, batchSize: 32, steps: 100, seed: 1)
        let found = corner.recipe.schedule(try RecipeConstants(corner.recipe, plan, setting: corner.settings), plan, step: corner.step)
        #expect(abs(found.learningRate - corner.learningRate) <= 1e-12 * corner.learningRate)
        #expect(abs(found.sparsity - corner.sparsity) <= 1e-12 * corner.sparsity)
    }

    @Test(arguments: [
        (100, "0.25,0.5,0.75", [25, 50, 75]), (100, "0,0.001,0.999,1", []), (100, "0.5,0.501,0.25", [25, 50]), (3, "0.25,0.5,0.75", [1, 2]), (1, "0.5", []), (100, "none", []),
    ]) func `resampling comes between the first step and the last`(_ steps: Int, _ at: String, _ expected: [Int]) throws {
        let plan = TrainingPlan(width: 16, features: 64, batchSize: 32, steps: steps, seed: 1)
        let design = TowardsMonosemanticity.design(try RecipeConstants(TowardsMonosemanticity.self, plan, setting: ["resample_at": at]), plan)
        #expect(design.resampling?.steps == expected)
        #expect(design.deadAfter == 32 * max(1, (steps + 4) / 8))
    }
}
