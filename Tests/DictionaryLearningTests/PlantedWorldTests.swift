import Foundation
import Formats
import Numerics
import TestSupport
import Testing
@testable import DictionaryLearning

/// What each recipe finds again of a world whose features are known, beside the same recipe in PyTorch (`world-h.json`).
@Suite struct PlantedWorldTests {
    struct Run: Sendable {
        let recipe: any Recipe.Type
        let features: Int
        let settings: [String: String]
        /// As the reference did: each run's recovered share, and its dead features.
        let recovered: [Double]
        let dead: [Double]
        var name: String { recipe.name }
    }

    struct Outcome: Sendable {
        var recovered: [Double] = []
        var dead: [Double] = []
    }

    static let golden: JSON = try! JSON(parsing: String(decoding: FileManager.default.contents(atPath: fixture("goldens/training/world-h.json"))!, as: UTF8.self))
    static let runs: [Run] = golden["recipes"]!.array!.map { run($0, resamples: true) }
    /// Without resampling, and with it.
    static let resampling: [Run] = golden["resampling"]!.array!.map { run($0, resamples: $0["resamples"]!.bool!) }

    private static func run(_ json: JSON, resamples: Bool) -> Run {
        var settings = settings(json["constants"]!)
        if !resamples { settings["resample_at"] = "none" }
        let own = json["runs"]!.array!
        return Run(recipe: try! recipe(named: json["recipe"]!.string!), features: json["features"]!.integer!, settings: settings,
                   recovered: own.map { $0["recovered"]!.number! }, dead: own.map { $0["dead"]!.number! })
    }

    /// Of every run, over three seeds; they share each seed's samples, and seeds their time.
    static let outcomes: [Outcome] = {
        let all = runs + resampling
        nonisolated(unsafe) var bySeed = [[(Double, Double)]](repeating: [], count: 3)
        let lock = NSLock()
        DispatchQueue.concurrentPerform(iterations: 3) { place in
            let found = train(all, seed: UInt64(place + 1))
            lock.withLock { bySeed[place] = found }
        }
        return all.indices.map { run in Outcome(recovered: bySeed.map { $0[run].0 }, dead: bySeed.map { $0[run].1 }) }
    }()

    private static func train(_ runs: [Run], seed: UInt64) -> [(Double, Double)] {
        let batchSize = golden["batch_size"]!.integer!, steps = golden["steps"]!.integer!
        var world = WorldH(seed: seed)
        let sample = world.samples(8192)
        let trainers = runs.map { run in
            let plan = TrainingPlan(width: WorldH.width, features: run.features, batchSize: batchSize, steps: steps, seed: seed)
            return try! Trainer(recipe: run.recipe, constants: RecipeConstants(run.recipe, plan, setting: run.settings), plan: plan, sample: sample)
        }
        var dead = [Double](repeating: 0, count: runs.count)
        for _ in 0..<steps {
            for trainer in trainers where trainer.inputsWantedForResampling != nil { _ = try! trainer.resample(from: world.samples(8192)) }
            let batch = world.samples(batchSize)
            for (place, trainer) in trainers.enumerated() { dead[place] = Double(try! trainer.step(batch).dead) }
        }
        return zip(trainers, dead).map { trainer, dead in
            let trained = trainer.trained(), rows = trained.decoder.floats
            return (world.recovered(by: stride(from: 0, to: rows.count, by: WorldH.width).map { Array(rows[$0..<$0 + WorldH.width]) }), dead)
        }
    }

    /// How far the mean of three runs of ours may be below the mean of three of the reference's, when both do the same: 2.68, above which Student's t
    /// with 12 degrees of freedom comes once in a hundred times, times √(2/3) of the deviation between seeds, pooled over the six recipes (2 degrees
    /// each).
    static let margin: Double = {
        let variances = runs.map { run in
            let mean = run.recovered.reduce(0, +) / 3
            return run.recovered.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 2
        }
        return 2.68 * (2.0 / 3 * variances.reduce(0, +) / Double(variances.count)).squareRoot()
    }()

    @Test(arguments: runs.indices) func `a recipe recovers as much of the planted world as the reference`(_ place: Int) {
        let run = Self.runs[place], ours = Self.outcomes[place].recovered, mean = ours.reduce(0, +) / 3, theirs = run.recovered.reduce(0, +) / 3
        #expect(Self.margin > 0.01 && Self.margin < 0.1)
        #expect(mean >= theirs - Self.margin, "\(run.name) recovers \(ours), the reference \(run.recovered)")
    }

    /// By at least half of what it spares the reference.
    @Test func `resampling lowers the number of dead features`() {
        let without = Self.outcomes[Self.runs.count], with = Self.outcomes[Self.runs.count + 1]
        #expect(zip(with.dead, without.dead).allSatisfy { $0 < $1 }, "with \(with.dead), without \(without.dead)")
        let spared = (without.dead.reduce(0, +) - with.dead.reduce(0, +)) / 3
        let reference = (Self.resampling[0].dead.reduce(0, +) - Self.resampling[1].dead.reduce(0, +)) / 3
        #expect(spared >= reference / 2, "with \(with.dead), without \(without.dead)")
        #expect(with.recovered.reduce(0, +) > without.recovered.reduce(0, +))
    }
}
