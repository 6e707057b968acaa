import Diagnostics

/// The sizes of a run, which a recipe's constants may depend on.
public struct TrainingPlan: Sendable, Equatable {
    /// Numbers per activation vector.
    public var width: Int
    public var features: Int
    /// Vectors in one optimiser step.
    public var batchSize: Int
    /// Optimiser steps in the whole run.
    public var steps: Int
    public var seed: UInt64

    public init(width: Int, features: Int, batchSize: Int, steps: Int, seed: UInt64) {
        (self.width, self.features, self.batchSize, self.steps, self.seed) = (width, features, batchSize, steps, seed)
    }

    public var samples: Int { batchSize * steps }
}

/// A way to train a dictionary: its constants, and what they make of objective, start and schedule.
///
/// One file a recipe; it says what is to be computed, and `Trainer` computes it. A new one is written into `recipes`.
public protocol Recipe: Sendable {
    /// As `--recipe` takes it.
    static var name: String { get }
    /// One line: what it is and where it comes from.
    static var summary: String { get }
    static var constants: [Constant] { get }
    /// How the loss adds up, in words, without which its coefficients mean nothing.
    static var reductions: (meanSquaredError: String, sparsity: String) { get }

    /// What stays the same throughout the run.
    /// - Throws: `MonosemeError` for constants that do not go together, or not with the sizes.
    static func design(_ constants: RecipeConstants, _ plan: TrainingPlan) throws -> Design
    /// What changes from step to step; `step` counts from 0.
    static func schedule(_ constants: RecipeConstants, _ plan: TrainingPlan, step: Int) -> Schedule
}

/// The recipes there are, in the order they are listed.
public let recipes: [any Recipe.Type] = [TowardsMonosemanticity.self, April2024.self, TopK.self, BatchTopK.self, Matryoshka.self, JumpReLU.self]

/// - Throws: `MonosemeError` listing the recipes when there is none of that name.
public func recipe(named name: String) throws -> any Recipe.Type {
    guard let recipe = recipes.first(where: { $0.name == name }) else {
        throw MonosemeError("there is no recipe \(quoted(name))", hint: "recipes are " + recipes.map { $0.name }.joined(separator: ", "))
    }
    return recipe
}

/// What changes from step to step.
public struct Schedule: Sendable, Equatable {
    /// Adam's.
    public var learningRate: Double
    /// λ, the factor of the sparsity term; 0 where there is none.
    public var sparsity: Double

    public init(learningRate: Double, sparsity: Double = 0) { (self.learningRate, self.sparsity) = (learningRate, sparsity) }
}

/// Rises from 0 to 1 over the first `steps`, reaching 1 with the last of them.
func warmUp(_ step: Int, over steps: Double) -> Double { steps <= 0 ? 1 : min(1, Double(step + 1) / steps) }

/// 1, then falling in a straight line over the last `steps` of `total`, so that the step after the last would have 0.
func decay(_ step: Int, of total: Int, over steps: Double) -> Double { steps <= 0 ? 1 : min(1, Double(total - step) / steps) }
