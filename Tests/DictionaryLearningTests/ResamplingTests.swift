import Foundation
import Formats
import Numerics
import TestSupport
import Testing
@testable import DictionaryLearning

@Suite struct ResamplingTests {
    @Test func `dead features start anew at the given inputs as in PyTorch`() throws {
        let file = try SafetensorsFile(fixture("goldens/training/resampling.safetensors")), json = GoldenStepTests.golden["resampling"]!
        let trainer = try Trainer(golden: json, threads: 2, Workspace.Pieces(slabInputs: 5, blockFeatures: 7, denseFeatures: 11))
        try trainer.set(file, "before")
        for tensor in trainer.tensors {
            guard let names = ["encoder": "W_enc", "decoder": "W_dec", "encoder_bias": "b_enc", "decoder_bias": "b_dec"][tensor.name.split(separator: ".")[0].description],
                  let moment = tensor.name.split(separator: ".").last?.split(separator: "_").first, tensor.name.contains(".") else { continue }
            for (place, value) in try #require(file["moments.\(names).\(moment)"]).floats().enumerated() { tensor.elements[place] = value }
        }
        trainer.stepsDone = json["steps_done"]!.integer!
        let dead = try #require(file["dead"]).integers().map { Int($0) }, picked = try #require(file["picked"]).integers().map { Int($0) }
        for feature in dead { trainer.sinceFired.base[feature] = 3 }
        #expect(trainer.deadFeatures == dead)
        #expect(trainer.inputsWantedForResampling == 819_200)
        let width = trainer.plan.width, inputs = try #require(file["inputs"]), rows = Matrix(rows: inputs.shape[0], columns: width, try inputs.floats())
        let losses = try trainer.losses(of: rows), expectedLosses = try #require(file["losses"]).floats()
        #expect(distance(losses.map { Float($0) }, expectedLosses) <= 1e-6)

        trainer.restart(dead, at: picked, of: rows, encoderScale: trainer.design.resampling!.encoderScale)
        func expect(_ moment: String) throws {
            for (name, ours) in trainer.named {
                let apart = distance(ours, try #require(file["\(moment).\(name)"]).floats())
                #expect(apart <= 1e-6, "\(name) is \(apart) from PyTorch's, \(moment)")
            }
        }
        try expect("resampled")
        #expect(trainer.deadFeatures.isEmpty && dead.allSatisfy { trainer.sinceFired.base[$0] == 0 })
        for tensor in trainer.tensors where tensor.name.hasSuffix("moment") && tensor.name != "decoder_bias.first_moment" && tensor.name != "decoder_bias.second_moment" {
            let columns = tensor.elements.count / trainer.plan.features
            for feature in 0..<trainer.plan.features {
                let isClear = tensor.elements[feature * columns..<(feature + 1) * columns].allSatisfy { $0 == 0 }
                if dead.contains(feature) { #expect(isClear, "\(tensor.name) of feature \(feature)") }
            }
        }
        _ = try trainer.step(Matrix(rows: trainer.plan.batchSize, columns: width, try #require(file["batch"]).floats()))
        try expect("after")
    }

    /// Nothing fires, b_dec is zero, so an input's loss is the mean of its squares.
    private func silentTrainer(features: Int, dead: [Int]) throws -> Trainer {
        let plan = TrainingPlan(width: 8, features: features, batchSize: 4, steps: 8, seed: 5)
        let trainer = try Trainer(TowardsMonosemanticity.self, RecipeConstants(TowardsMonosemanticity.self, plan), plan, threads: 1, Workspace.Pieces())
        var random = SeededGenerator(seed: 3)
        for tensor in trainer.tensors where !tensor.name.hasPrefix("decoder_bias") { for place in tensor.elements.indices { tensor.elements[place] = Float(abs(random.normal())) } }
        for feature in 0..<features {
            trainer.parameters.encoderBias.value.base[feature] = -1000
            trainer.sinceFired.base[feature] = dead.contains(feature) ? 100 : 0
        }
        return trainer
    }

    /// χ² of 4,000 draws from inputs along the axes, whose losses are planted.
    @Test func `inputs are drawn in proportion to the square of their loss`() throws {
        let trainer = try silentTrainer(features: 6, dead: [4]), losses = [1.0, 2, 3, 4, 0, 6]
        let inputs = Matrix(rows: losses.count, columns: 8)
        for (place, loss) in losses.enumerated() { inputs[place, place] = Float((8 * loss).squareRoot()) }
        for (found, loss) in zip(try trainer.losses(of: inputs), losses) { #expect(abs(found - loss) < 1e-5) }
        var counts = [Double](repeating: 0, count: losses.count)
        for _ in 0..<4000 {
            // As before the draw: a feature that fires would change the losses.
            (trainer.sinceFired.base[4], trainer.parameters.encoderBias.value[0, 4]) = (100, -1000)
            #expect(try trainer.resample(from: inputs) == 1)
            let axis = (0..<8).filter { trainer.parameters.decoder.value[4, $0] != 0 }
            try #require(axis.count == 1)
            counts[axis[0]] += 1
        }
        let total = losses.reduce(0) { $0 + $1 * $1 }
        let statistic = zip(counts, losses).reduce(0) { sum, one in
            let expected = 4000 * one.1 * one.1 / total
            return expected == 0 ? sum : sum + (one.0 - expected) * (one.0 - expected) / expected
        }
        #expect(counts[4] == 0)
        // Of 4 degrees of freedom; more comes by chance once in ten thousand.
        #expect(statistic < 23.5, "\(counts)")
    }

    @Test(arguments: [(dead: [1, 2, 5], inputs: 5), ([0, 3, 7, 8, 9, 10], 6), ([0, 3, 7, 8, 9, 10], 4)])
    func `each dead feature gets an input of its own, and the others keep everything`(_ dead: [Int], _ count: Int) throws {
        let trainer = try silentTrainer(features: 12, dead: dead), inputs = Matrix(rows: count, columns: 8)
        // One input outweighs the others by far.
        for place in 0..<count { inputs[place, place] = place == 2 ? 1000 : 1 }
        let before = trainer.tensors.map { Array($0.elements) }
        let living = (0..<12).filter { !dead.contains($0) }
        let lengths = living.map { feature in length((0..<8).map { trainer.parameters.encoder.value[feature, $0] }) }, meanNorm = lengths.reduce(0, +) / Double(living.count)
        #expect(try trainer.resample(from: inputs) == min(dead.count, count))
        let resampled = Array(dead.prefix(count))
        for (tensor, was) in zip(trainer.tensors, before) {
            let columns = tensor.name.hasPrefix("decoder_bias") ? nil : tensor.elements.count / 12
            for place in was.indices where columns.map({ !resampled.contains(place / $0) }) ?? true { #expect(tensor.elements[place] == was[place], "\(tensor.name)[\(place)]") }
        }
        var axes = Set<Int>()
        for feature in resampled {
            let axis = try #require((0..<8).first { trainer.parameters.decoder.value[feature, $0] == 1 })
            axes.insert(axis)
            for column in 0..<8 {
                #expect(trainer.parameters.decoder.value[feature, column] == (column == axis ? 1 : 0))
                #expect(abs(Double(trainer.parameters.encoder.value[feature, column]) - (column == axis ? 0.2 * meanNorm : 0)) < 1e-6)
            }
            #expect(trainer.parameters.encoderBias.value[0, feature] == 0 && trainer.sinceFired.base[feature] == 0)
        }
        #expect(axes.count == resampled.count)
    }

    @Test func `an input of zeros, which has no direction, is never taken`() throws {
        let trainer = try silentTrainer(features: 4, dead: [1, 2]), inputs = Matrix(rows: 3, columns: 8)
        inputs[1, 6] = 0.01
        // So that the zeros have a loss, and a great one.
        trainer.parameters.decoderBias.value[0, 0] = 10
        #expect(try trainer.resample(from: inputs) == 1)
        #expect(trainer.parameters.decoder.value[1, 6] == 1)
    }

    @Test func `resampling is wanted once at each of its steps`() throws {
        let trainer = try silentTrainer(features: 4, dead: []), batch = Matrix(rows: 4, columns: 8, (0..<32).map { Float($0 % 5) })
        var wanted: [Int] = []
        for step in 0..<8 {
            if trainer.inputsWantedForResampling != nil {
                wanted.append(step)
                _ = try trainer.resample(from: batch)
                #expect(trainer.inputsWantedForResampling == nil)
            }
            _ = try trainer.step(batch)
        }
        #expect(wanted == [2, 4, 6])
    }
}
