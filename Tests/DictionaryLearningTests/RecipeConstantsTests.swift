import Diagnostics
import Numerics
import Testing
@testable import DictionaryLearning

@Suite struct RecipeConstantsTests {
    static let plan = TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200, seed: 1)

    private func constants(_ recipe: String, _ settings: [String: String] = [:], _ plan: TrainingPlan = plan) throws -> RecipeConstants {
        try RecipeConstants(DictionaryLearning.recipe(named: recipe), plan, setting: settings)
    }

    @Test(arguments: [
        ("towards-monosemanticity", "l1", "0.25", ConstantValue.number(0.25)),
        ("towards-monosemanticity", "l1", "0", .number(0)),
        ("towards-monosemanticity", "l1", "2e-3", .number(0.002)),
        ("towards-monosemanticity", "resample_at", "0.1,0.9", .numbers([0.1, 0.9])),
        ("towards-monosemanticity", "resample_at", "1", .numbers([1])),
        ("towards-monosemanticity", "resample_at", "none", .numbers([])),
        ("towards-monosemanticity", "resample_inputs", "5", .number(5)),
        ("matryoshka", "prefixes", "4,16,64", .numbers([4, 16, 64])),
        ("jumprelu", "l0", "none", .none),
        ("jumprelu", "l0", "20", .number(20)),
        ("topk", "k", "64", .number(64)),
    ]) func `a setting is read`(_ recipe: String, _ name: String, _ text: String, _ value: ConstantValue) throws {
        let constants = try constants(recipe, [name: text])
        #expect(constants[name] == value)
        #expect(try DictionaryLearning.recipe(named: recipe).constants.map(\.name) == constants.all.map { $0.name })
    }

    @Test(arguments: [
        ("topk", "l1", "5", ["recipe topk has no constant \"l1\"", "towards-monosemanticity, april-2024"]),
        ("topk", "sparseness", "5", ["recipe topk has no constant \"sparseness\"", "its constants are k, auxiliary_k"]),
        ("topk", "k", "0", ["k is \"0\"", "a whole number of 1 to 1000000000"]),
        ("topk", "k", "2.5", ["k is \"2.5\"", "a whole number"]),
        ("topk", "k", "-3", ["k is \"-3\""]),
        ("topk", "k", "many", ["k is \"many\""]),
        ("topk", "k", "", ["k is \"\""]),
        ("topk", "k", "3,4", ["k is \"3,4\"", "takes one number"]),
        ("topk", "k", "none", ["k is \"none\""]),
        ("topk", "learning_rate", "-1", ["learning_rate is \"-1\"", "a number of 0 or more"]),
        ("topk", "learning_rate", "nan", ["learning_rate is \"nan\""]),
        ("topk", "learning_rate", "inf", ["learning_rate is \"inf\""]),
        ("topk", "learning_rate", "1e999", ["learning_rate is \"1e999\""]),
        ("topk", "adam_beta1", "1", ["adam_beta1 is \"1\"", "0 to 0.999999"]),
        ("towards-monosemanticity", "resample_at", "0.5,1.5", ["resample_at is \"0.5,1.5\"", "0 to 1"]),
        ("towards-monosemanticity", "resample_at", "0.5,,0.7", ["resample_at is \"0.5,,0.7\""]),
        ("towards-monosemanticity", "resample_at", "0.5,none", ["resample_at is"]),
        ("april-2024", "gradient_norm_limit", "0", ["gradient_norm_limit is \"0\""]),
        ("jumprelu", "bandwidth", "0", ["bandwidth is \"0\""]),
    ]) func `a setting that cannot be is refused, with what can`(_ recipe: String, _ name: String, _ text: String, _ parts: [String]) throws {
        let error = try #require(throws: MonosemeError.self) { try constants(recipe, [name: text]) }
        for part in parts { #expect(error.description.contains(part), "\(error)") }
    }

    @Test func `a recipe that does not exist is refused with those that do`() throws {
        let error = try #require(throws: MonosemeError.self) { try DictionaryLearning.recipe(named: "ghost") }
        #expect(error.message == "there is no recipe \"ghost\"")
        #expect(error.hint == "recipes are towards-monosemanticity, april-2024, topk, batch-topk, matryoshka, jumprelu")
    }

    /// By hand from the sources' formulas.
    @Test(arguments: [
        ("topk", "auxiliary_k", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200, seed: 1), 50.0),
        ("topk", "auxiliary_k", TrainingPlan(width: 1, features: 64, batchSize: 50, steps: 200, seed: 1), 1),
        ("topk", "learning_rate", TrainingPlan(width: 100, features: 16384, batchSize: 50, steps: 200, seed: 1), 2e-4),
        ("topk", "learning_rate", TrainingPlan(width: 100, features: 4096, batchSize: 50, steps: 200, seed: 1), 4e-4),
        ("topk", "dead_after", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200, seed: 1), 1000),
        ("topk", "dead_after", TrainingPlan(width: 100, features: 64, batchSize: 1, steps: 1, seed: 1), 1),
        ("topk", "dead_after", TrainingPlan(width: 100, features: 64, batchSize: 8192, steps: 1_000_000, seed: 1), 1e7),
        ("april-2024", "dead_after", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200, seed: 1), 1250),
        ("batch-topk", "threshold_start", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200, seed: 1), 20),
        ("batch-topk", "threshold_start", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 9, seed: 1), 0),
        ("batch-topk", "threshold_start", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 50_000, seed: 1), 1000),
        ("jumprelu", "sparsity_warm_up", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200, seed: 1), 20),
        ("jumprelu", "sparsity_warm_up", TrainingPlan(width: 100, features: 64, batchSize: 50, steps: 200_000, seed: 1), 10_000),
    ]) func `a constant follows from the sizes of the run`(_ recipe: String, _ name: String, _ plan: TrainingPlan, _ value: Double) throws {
        let found = try constants(recipe, [:], plan).number(name)
        #expect(abs(found - value) <= 1e-12 * value)
    }

    /// A value is written as it is read, so what a run records can be set again; and what a recipe begins with is allowed.
    @Test(arguments: recipes.map { $0.name }) func `recorded constants can be set again`(_ name: String) throws {
        let own = try constants(name)
        let again = try constants(name, Dictionary(uniqueKeysWithValues: own.all.map { ($0.name, $0.value.description) }))
        #expect(again == own)
    }

    @Test(arguments: [
        ("0.0625,0.125,0.25,0.5,1", [4, 8, 16, 32, 64]), ("0.5,1", [32, 64]), ("0.5", [32, 64]), ("4,16,64", [4, 16, 64]), ("4,16", [4, 16, 64]), ("3,0.5", [3, 32, 64]),
        ("64", [64]), ("none", [64]), ("1", [64]),
    ]) func `nested dictionaries end where they are told to`(_ text: String, _ ends: [Int]) throws {
        #expect(try Matryoshka.design(constants("matryoshka", ["prefixes": text]), Self.plan).prefixes == ends)
    }

    @Test(arguments: ["32,16", "16,16", "65", "0", "0,32", "0.001,1", "1,32", "7.5", "0.5,20,64"]) func `nested dictionaries that do not rise are refused`(_ text: String) throws {
        let error = try #require(throws: MonosemeError.self) { try Matryoshka.design(constants("matryoshka", ["prefixes": text]), Self.plan) }
        #expect(error.message.contains("nested dictionaries end at") && error.message.contains("of 64 features"))
    }

    @Test(arguments: ["topk", "batch-topk", "matryoshka"]) func `more kept than there are features are refused`(_ name: String) throws {
        let recipe = try DictionaryLearning.recipe(named: name)
        let error = try #require(throws: MonosemeError.self) { try recipe.design(constants(name, ["k": "65"]), Self.plan) }
        #expect(error.message == "k is 65, more than the 64 features of the dictionary")
        #expect(throws: Never.self) { try recipe.design(constants(name, ["k": "64"]), Self.plan) }
    }

    @Test(arguments: [
        (TrainingPlan(width: 0, features: 1, batchSize: 1, steps: 1, seed: 1), "the width is 0"), (TrainingPlan(width: 1, features: -1, batchSize: 1, steps: 1, seed: 1), "the number of features is -1"),
        (TrainingPlan(width: 1, features: 1, batchSize: 0, steps: 1, seed: 1), "the batch size is 0"), (TrainingPlan(width: 1, features: 1, batchSize: 1, steps: 0, seed: 1), "the number of steps is 0"),
        (TrainingPlan(width: 1, features: 1 << 25, batchSize: 1, steps: 1, seed: 1), "33554432 features"), (TrainingPlan(width: 1, features: 1, batchSize: 1 << 21, steps: 1, seed: 1), "batches of 2097152"),
    ]) func `sizes that cannot be are refused`(_ plan: TrainingPlan, _ part: String) throws {
        let error = try #require(throws: MonosemeError.self) { try Trainer(April2024.self, RecipeConstants(April2024.self, plan), plan, threads: 1, Workspace.Pieces()) }
        #expect(error.message.contains(part))
    }
}
