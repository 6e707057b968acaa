import Diagnostics
import Formats
import Numerics
import Testing
@testable import DictionaryLearning

/// All that a later step depends on, by the bit.
struct Snapshot: Equatable {
    let names: [String]
    let bits: [[UInt32]]
    /// As a file would keep it.
    let counters: String

    init(_ trainer: Trainer) {
        names = trainer.tensors.map(\.name)
        bits = trainer.tensors.map { $0.elements.map(\.bitPattern) }
        var writer = JSONWriter()
        writer.value(trainer.counters)
        counters = writer.text
    }

    func restored(like trainer: Trainer, threads: Int) throws -> Trainer {
        try Trainer(recipe: trainer.recipe, constants: trainer.constants, plan: trainer.plan, threads: threads, restoring: JSON(parsing: counters)) { tensors in
            try #require(tensors.map(\.name) == names)
            for (tensor, bits) in zip(tensors, bits) { for (place, bit) in bits.enumerated() { tensor.elements[place] = Float(bitPattern: bit) } }
        }
    }
}

/// What inference gets of a trainer, by the bit.
struct TrainedBits: Equatable {
    let bits: [[UInt32]]

    init(_ trainer: Trainer) {
        let trained = trainer.trained()
        bits = [trained.encoder.floats.map(\.bitPattern), trained.encoderBias.map(\.bitPattern), trained.decoder.floats.map(\.bitPattern), trained.decoderBias.map(\.bitPattern),
                trained.threshold?.map(\.bitPattern) ?? []]
    }
}

@Suite struct DeterminismTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let recipe: any Recipe.Type
        var settings: [String: String] = [:]
        var testDescription: String { recipe.name }
    }

    /// Learning so fast that codes that begin dense end sparse.
    static let cases = [
        Case(recipe: TowardsMonosemanticity.self, settings: ["l1": "5", "learning_rate": "0.1", "dead_window": "0.09"]),
        Case(recipe: April2024.self, settings: ["l1": "40", "learning_rate": "0.02"]),
        Case(recipe: TopK.self, settings: ["k": "5", "learning_rate": "0.02", "dead_after": "700"]),
        Case(recipe: BatchTopK.self, settings: ["k": "5", "learning_rate": "0.02", "dead_after": "700"]),
        // Nested dictionaries that share panels of the encoder.
        Case(recipe: Matryoshka.self, settings: ["k": "6", "learning_rate": "0.02", "dead_after": "700", "prefixes": "13,71,130,1"]),
        Case(recipe: JumpReLU.self, settings: ["sparsity": "3", "sparsity_warm_up": "0", "learning_rate": "0.05", "threshold": "0.1", "bandwidth": "0.2"]),
        Case(recipe: BatchTopK.self, settings: ["k": "5", "learning_rate": "0.02", "threshold_start": "1000"]),
    ]
    static let steps = 12

    /// Mixtures of a few directions and some noise.
    private func batch(_ random: inout SeededGenerator, _ rows: Int, _ width: Int) -> Matrix {
        var directions = SeededGenerator(seed: 21)
        let planted = Matrix.normal(30, width, &directions), batch = Matrix.normal(rows, width, &random)
        for row in 0..<rows {
            for column in 0..<width { batch.base[row * width + column] *= 0.1 }
            for direction in 0..<30 where random.uniform() < 0.1 { for column in 0..<width { batch.base[row * width + column] += planted[direction, column] } }
        }
        return batch
    }

    private func plan(_ features: Int, _ batch: Int, _ width: Int) -> TrainingPlan { TrainingPlan(width: width, features: features, batchSize: batch, steps: Self.steps, seed: 4) }

    /// In a process of its own: here other tests keep all the threads there are, and a trainer's pieces would be done one after the other.
    @Test func `any number of threads gives the same bits`() async {
        await #expect(processExitsWith: .success) { for test in DeterminismTests.cases { try DeterminismTests().expectSameBits(test) } }
    }

    private func expectSameBits(_ test: Case) throws {
        // 6 slabs, 5 blocks, and 4 and 2 of them for whole products; enough work in each that threads are at it at the same time.
        let plan = plan(1100, 1500, 48), constants = try RecipeConstants(test.recipe, plan, setting: test.settings)
        var states: [[Snapshot]] = [], reports: [[StepReport]] = [], switches: [[Bool]] = [], restarted: [Int] = []
        for threads in 1...3 {
            var random = SeededGenerator(seed: 2)
            let trainer = try Trainer(recipe: test.recipe, constants: constants, plan: plan, sample: batch(&random, 1500, 48), threads: threads)
            #expect(trainer.workspace.slabs.count >= 6 && trainer.workspace.blocks.count >= 5 && trainer.workspace.denseBlocks.count >= 2 && trainer.workspace.denseSlabs.count >= 4)
            var own: [Snapshot] = [], seen: [StepReport] = [], dense: [Bool] = []
            for _ in 0..<Self.steps {
                if trainer.inputsWantedForResampling != nil { restarted.append(try trainer.resample(from: batch(&random, 1500, 48))) }
                dense.append(trainer.isDense)
                seen.append(try trainer.step(batch(&random, 1500, 48)))
                own.append(Snapshot(trainer))
            }
            states.append(own)
            reports.append(seen)
            switches.append(dense)
        }
        // Sums in double precision, whose order would not always be seen in the parameters.
        #expect(reports[1] == reports[0] && reports[2] == reports[0], "\(test)")
        for step in 0..<Self.steps {
            #expect(states[1][step] == states[0][step], "\(test): two threads, step \(step + 1)")
            #expect(states[2][step] == states[0][step], "\(test): three threads, step \(step + 1)")
        }
        if test.recipe.name == "towards-monosemanticity" { #expect(restarted.count == 9 && restarted.reduce(0, +) > 0) }
        if canBeDense(test.recipe) { #expect(Set(switches[0]) == [true, false], "\(switches[0])") }
    }

    @Test(arguments: cases) func `a trainer that is restored goes on as if nothing had been`(_ test: Case) throws {
        let plan = plan(300, 300, 24), constants = try RecipeConstants(test.recipe, plan, setting: test.settings)
        var random = SeededGenerator(seed: 2)
        let sample = batch(&random, 300, 24)
        var batches: [[Float]] = []
        for _ in 0..<Self.steps { batches.append(batch(&random, 300, 24).floats) }
        func resample(_ trainer: Trainer) throws {
            if trainer.inputsWantedForResampling != nil { _ = try trainer.resample(from: sample) }
        }
        func step(_ trainer: Trainer) throws -> StepReport { try trainer.step(Matrix(rows: 300, columns: 24, batches[trainer.stepsDone])) }

        let whole = try Trainer(recipe: test.recipe, constants: constants, plan: plan, sample: sample, threads: 2)
        // Before each step: as it was left, and after resampling; then the end.
        var left: [Snapshot] = [], resampled: [Snapshot] = [], dense: [Bool] = [], reports: [StepReport] = []
        for _ in 0..<Self.steps {
            left.append(Snapshot(whole))
            try resample(whole)
            resampled.append(Snapshot(whole))
            dense.append(whole.isDense)
            reports.append(try step(whole))
        }
        left.append(Snapshot(whole))
        for at in 0...Self.steps {
            for snapshot in [left[at]] + (at < Self.steps ? [resampled[at]] : []) {
                let restored = try snapshot.restored(like: whole, threads: 1)
                #expect(Snapshot(restored) == snapshot)
                while restored.stepsDone < Self.steps {
                    try resample(restored)
                    #expect(try step(restored) == reports[restored.stepsDone - 1])
                }
                #expect(Snapshot(restored) == left[Self.steps], "from step \(at)")
                #expect(TrainedBits(restored) == TrainedBits(whole), "from step \(at)")
            }
        }
        if test.recipe.name == "towards-monosemanticity" { #expect(zip(left, resampled).count { $0 != $1 } == 3 && zip(left, resampled).contains { $0.bits != $1.bits }) }
        if canBeDense(test.recipe) { #expect(Set(dense) == [true, false], "\(dense)") }
    }

    private func canBeDense(_ recipe: any Recipe.Type) -> Bool { !recipe.constants.contains { $0.name == "k" } }

    @Test(arguments: ["steps_done", "generator", "is_dense", "input_scale", "threshold_mean", "least_kept"]) func `counters that are not a trainer's are refused`(_ missing: String) throws {
        let plan = plan(10, 4, 3), constants = try RecipeConstants(BatchTopK.self, plan, setting: ["k": "2"])
        var random = SeededGenerator(seed: 2)
        let trainer = try Trainer(recipe: BatchTopK.self, constants: constants, plan: plan, sample: batch(&random, 4, 3))
        let counters = JSON.Object(trainer.counters.object!.members.filter { $0.key != missing })
        #expect(throws: MonosemeError.self) { try Trainer(recipe: BatchTopK.self, constants: constants, plan: plan, restoring: .object(counters)) { _ in } }
    }
}
