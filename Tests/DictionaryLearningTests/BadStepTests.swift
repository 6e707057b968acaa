import Diagnostics
import Numerics
import Testing
@testable import DictionaryLearning

/// A step that fails leaves everything as it was, so that a checkpoint taken then is one of the step before.
@Suite struct BadStepTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let recipe: any Recipe.Type
        let isDense: Bool
        var testDescription: String { "\(recipe.name), \(isDense ? "dense" : "sparse")" }
    }

    static let cases = recipes.flatMap { recipe in recipe.constants.contains { $0.name == "k" } ? [Case(recipe: recipe, isDense: false)] : [false, true].map { Case(recipe: recipe, isDense: $0) } }

    private func trainer(_ test: Case, _ settings: [String: String] = [:]) throws -> (Trainer, SeededGenerator) {
        let plan = TrainingPlan(width: 10, features: 40, batchSize: 20, steps: 200, seed: 3)
        var random = SeededGenerator(seed: 8), settings = settings
        if test.recipe.constants.contains(where: { $0.name == "k" }) { settings["k"] = "4" }
        let trainer = try Trainer(recipe: test.recipe, constants: RecipeConstants(test.recipe, plan, setting: settings), plan: plan, sample: Matrix.normal(60, 10, &random), threads: 2)
        return (trainer, random)
    }

    @Test(arguments: cases) func `an input that is not finite stops training and changes nothing`(_ test: Case) throws {
        for bad in [Float.nan, .infinity, -.infinity] {
            var (trainer, random) = try trainer(test)
            for _ in 0..<3 {
                trainer.isDense = test.isDense
                _ = try trainer.step(.normal(20, 10, &random))
            }
            trainer.isDense = test.isDense
            let (before, inference) = (Snapshot(trainer), TrainedBits(trainer)), batch = Matrix.normal(20, 10, &random)
            let value = batch[13, 7]
            batch[13, 7] = bad
            let error = #expect(throws: MonosemeError.self) { try trainer.step(batch) }
            #expect(error?.message == "a batch of step 4 holds a number that is not finite")
            #expect(Snapshot(trainer) == before && TrainedBits(trainer) == inference)
            // And it goes on as one that never met it.
            let other = try before.restored(like: trainer, threads: 1)
            batch[13, 7] = value
            #expect(try trainer.step(batch) == other.step(batch))
            #expect(Snapshot(trainer) == Snapshot(other))
        }
    }

    @Test(arguments: cases) func `an exploding loss stops training at the step before`(_ test: Case) throws {
        var (trainer, random) = try trainer(test, ["learning_rate": "1e6"])
        var before = Snapshot(trainer), inference = TrainedBits(trainer), failure: MonosemeError?
        for _ in 0..<10 where failure == nil {
            trainer.isDense = test.isDense
            (before, inference) = (Snapshot(trainer), TrainedBits(trainer))
            do { _ = try trainer.step(.normal(20, 10, &random)) } catch let error as MonosemeError { failure = error }
        }
        #expect(failure?.message.contains("the loss explodes") == true && failure?.hint == "lower the learning rate")
        #expect(trainer.stepsDone >= 1)
        #expect(Snapshot(trainer) == before && TrainedBits(trainer) == inference)
    }

    @Test func `first inputs that are not finite or all zero are refused`() throws {
        let plan = TrainingPlan(width: 3, features: 5, batchSize: 2, steps: 4, seed: 3), constants = try RecipeConstants(April2024.self, plan)
        for (values, part) in [([1, 2, 3, .nan, 5, 6], "input 1 of the first 2"), ([0, 0, 0, 0, 0, 0], "all zero")] as [([Float], String)] {
            let error = try #require(throws: MonosemeError.self) { try Trainer(recipe: April2024.self, constants: constants, plan: plan, sample: Matrix(rows: 2, columns: 3, values)) }
            #expect(error.message.contains(part))
        }
    }

    @Test(arguments: [1, 4]) func `inputs that are all alike have no variance to explain`(_ batchSize: Int) throws {
        let plan = TrainingPlan(width: 48, features: 2, batchSize: batchSize, steps: 20, seed: 3), constants = try RecipeConstants(TowardsMonosemanticity.self, plan)
        var random = SeededGenerator(seed: 8)
        let trainer = try Trainer(recipe: TowardsMonosemanticity.self, constants: constants, plan: plan, sample: .normal(60, 48, &random))
        for _ in 0..<20 {
            let input = Matrix.normal(1, 48, &random)
            let batch = Matrix(rows: batchSize, columns: 48, (0..<batchSize).flatMap { _ in input.floats })
            #expect(try trainer.step(batch).explainedVariance == 0)
        }
    }
}
