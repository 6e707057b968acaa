import Foundation
import Formats
import Numerics
import TestSupport
import Testing
@testable import DictionaryLearning

/// Three steps of each recipe against PyTorch's autograd (`Fixtures/making/recipes.py`), which shares nothing with the trainer.
@Suite struct GoldenStepTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let json: JSON
        /// By whole products, or on what fires.
        let isDense: Bool
        var testDescription: String { "\(name), \(isDense ? "dense" : "sparse")" }
    }

    static let golden: JSON = {
        let data = FileManager.default.contents(atPath: fixture("goldens/training/cases.json"))!
        return try! JSON(parsing: String(decoding: data, as: UTF8.self))
    }()
    static let cases: [Case] = golden["steps"]!.array!.flatMap { json in
        let name = json["name"]!.string!, canBeDense = ["towards-monosemanticity", "april-2024", "jumprelu"].contains(json["recipe"]!.string!)
        return (canBeDense ? [true, false] : [false]).map { Case(name: name, json: json, isDense: $0) }
    }

    /// Slabs and blocks that do not divide the sizes, so that every piece has neighbours.
    static let pieces = [Workspace.Pieces(slabInputs: 5, blockFeatures: 7, denseFeatures: 11), Workspace.Pieces()]

    @Test(arguments: cases) func `three steps are those of PyTorch`(_ test: Case) throws {
        let json = test.json, file = try SafetensorsFile(fixture("goldens/training/\(test.name).safetensors"))
        for pieces in Self.pieces {
            let trainer = try Trainer(golden: json, threads: 2, pieces)
            trainer.inputScale = Float(json["input_scale"]!.number!)
            try trainer.set(file, "initial")
            for (feature, samples) in try file["samples_since_fired"]!.integers().enumerated() { trainer.sinceFired.base[feature] = Float(samples) / Float(trainer.plan.batchSize) }
            let width = trainer.plan.width, batches = try #require(file["batches"]).floats(), size = trainer.plan.batchSize * width
            for (number, expected) in json["expected"]!.array!.enumerated() {
                (trainer.isDense, trainer.encoderIsLoaded) = (test.isDense, trainer.encoderIsLoaded && !test.isDense)
                let report = try trainer.step(Matrix(rows: trainer.plan.batchSize, columns: width, batches[number * size..<(number + 1) * size]))
                #expect(near(report.loss, expected["loss"]!.number!))
                #expect(near(report.meanSquaredError, expected["mean_squared_error"]!.number!))
                #expect(near(report.explainedVariance, expected["explained_variance"]!.number!))
                #expect(report.l0 == expected["l0"]!.number!)
                #expect(near(report.learningRate, expected["learning_rate"]!.number!))
                #expect(near(report.sparsityCoefficient, expected["sparsity_coefficient"]!.number!))
                #expect(Double(report.dead) == expected["dead"]!.number!)
                if let threshold = expected["threshold"]?.number { #expect(near(Double(trainer.thresholdMean ?? -1), threshold)) } else { #expect(trainer.thresholdMean == nil) }
                for (name, ours) in trainer.named {
                    let theirs = try #require(file["after.\(number + 1).\(name)"]).floats()
                    let apart = distance(ours, theirs)
                    #expect(apart <= Self.tolerance, "\(name) after step \(number + 1) is \(apart) from PyTorch's")
                }
                guard number == 0 else { continue }
                // The first moments are the first gradient times 1 − β₁, unless the gradient was clipped.
                let clip = json["constants"]!["gradient_norm_limit"]?.number.map { min(1, $0 / (expected["gradient_norm"]!.number! + 1e-6)) } ?? 1
                for (name, moment) in trainer.moments {
                    var theirs = try #require(file["gradient.\(name)"]).floats()
                    if name == "W_dec" && trainer.design.keepsRowsOfUnitNorm { withoutParallel(&theirs, to: try #require(file["initial.W_dec"]).floats(), width) }
                    let factor = Float(clip * (1 - trainer.design.adam.beta1))
                    let apart = distance(moment, theirs.map { $0 * factor })
                    #expect(apart <= Self.tolerance, "the gradient of \(name) is \(apart) from PyTorch's")
                }
            }
        }
    }

    static let tolerance = 1e-5

    private func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= Self.tolerance * max(1e-3, abs(b)) }

    /// Takes each row's component along the other's row away.
    private func withoutParallel(_ gradient: inout [Float], to rows: [Float], _ width: Int) {
        for row in stride(from: 0, to: rows.count, by: width) {
            let along = (row..<row + width).reduce(0) { $0 + Double(gradient[$1]) * Double(rows[$1]) }, square = (row..<row + width).reduce(0) { $0 + Double(rows[$1]) * Double(rows[$1]) }
            for place in row..<row + width { gradient[place] -= Float(along / square * Double(rows[place])) }
        }
    }
}
