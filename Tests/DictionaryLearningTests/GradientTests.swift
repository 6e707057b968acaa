import Foundation
import Numerics
import Testing
@testable import DictionaryLearning

/// The trainer's gradients against central differences of a plain loss in double precision.
@Suite struct GradientTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let recipe: any Recipe.Type
        let objective: PlainLoss.Objective
        let settings: [String: String]
        var dead = 0
        var isDense = false
        var testDescription: String { "\(name), \(isDense ? "dense" : "sparse")" }
    }

    static let cases: [Case] = [
        Case(name: "towards-monosemanticity", recipe: TowardsMonosemanticity.self, objective: .l1MeanOverWidth, settings: ["l1": "0.05"]),
        Case(name: "april-2024", recipe: April2024.self, objective: .l1TimesDecoderNorm, settings: ["l1": "0.3", "l1_warm_up": "0"]),
        Case(name: "april-2024 warming up", recipe: April2024.self, objective: .l1TimesDecoderNorm, settings: ["l1": "0.9", "l1_warm_up": "0.3"]),
        Case(name: "topk", recipe: TopK.self, objective: .topK, settings: ["k": "4"]),
        Case(name: "topk with AuxK", recipe: TopK.self, objective: .topK, settings: ["k": "4", "auxiliary_k": "3", "auxiliary_coefficient": "0.7"], dead: 9),
        Case(name: "topk with AuxK of all dead", recipe: TopK.self, objective: .topK, settings: ["k": "4", "auxiliary_k": "30"], dead: 6),
        Case(name: "batch-topk with AuxK", recipe: BatchTopK.self, objective: .batchTopK, settings: ["k": "4", "auxiliary_k": "3", "auxiliary_coefficient": "0.5"], dead: 9),
        Case(name: "matryoshka", recipe: Matryoshka.self, objective: .batchTopK, settings: ["k": "6", "prefixes": "3,9,18,40"]),
        Case(name: "matryoshka with AuxK", recipe: Matryoshka.self, objective: .batchTopK, settings: ["k": "6", "prefixes": "3,9,18,40", "auxiliary_k": "2", "auxiliary_coefficient": "0.5"], dead: 8),
        Case(name: "jumprelu", recipe: JumpReLU.self, objective: .l0, settings: ["sparsity": "0.2", "sparsity_warm_up": "0", "threshold": "0.3", "bandwidth": "0.4"]),
        Case(name: "jumprelu with a target", recipe: JumpReLU.self, objective: .l0Target(5), settings: ["sparsity": "0.6", "sparsity_warm_up": "3", "l0": "5", "threshold": "0.3", "bandwidth": "0.4"]),
    ].flatMap { one in
        var dense = one
        dense.isDense = true
        return one.recipe.name.contains("topk") || one.recipe.name == "matryoshka" ? [one] : [one, dense]
    }

    static let (width, features, batch) = (12, 40, 24)
    static let step = 1e-5
    /// Of a block's greatest gradient: single precision's, after sums over 24 inputs and 40 features.
    static let tolerance = 1e-5

    @Test(arguments: cases) func `the gradient is that of the loss`(_ test: Case) throws {
        let plan = TrainingPlan(width: Self.width, features: Self.features, batchSize: Self.batch, steps: 10, seed: 1)
        // Without a memory, Adam's first moment is the gradient itself; no norm is cut at so high a limit.
        var settings = test.settings
        settings["adam_beta1"] = "0"
        if test.recipe.constants.contains(where: { $0.name == "gradient_norm_limit" }) { settings["gradient_norm_limit"] = "1e30" }
        if test.recipe.constants.contains(where: { $0.name == "dead_after" }) { settings["dead_after"] = "1000" }
        let constants = try RecipeConstants(test.recipe, plan, setting: settings)
        let trainer = try Trainer(test.recipe, constants, plan, threads: 2, Workspace.Pieces(slabInputs: 5, blockFeatures: 7, denseFeatures: 11))
        var random = SeededGenerator(seed: 11)
        let batch = Matrix.normal(Self.batch, Self.width, &random), p = start(test, trainer, &random)
        trainer.isDense = test.isDense
        let report = try trainer.step(batch)

        var loss = PlainLoss(objective: test.objective, width: Self.width, features: Self.features, x: batch.floats.map { Double($0) }, sparsity: report.sparsityCoefficient)
        loss.prefixes = trainer.design.prefixes
        if case .number(let k)? = constants["k"] { loss.k = Int(k) }
        if let auxiliary = trainer.design.auxiliary { (loss.auxiliaryK, loss.auxiliaryCoefficient) = (auxiliary.k, auxiliary.coefficient) }
        let code = loss.code(p, loss.preactivations(p))
        loss.fixedErrors = loss.errors(p, code, upTo: Self.features)
        loss.dead = silent(test.dead).filter { feature in !(0..<Self.batch).contains { code[$0 * Self.features + feature] > 0 } }
        #expect(loss.dead.isEmpty == (test.dead == 0) && report.dead == loss.dead.count)
        #expect(abs(report.loss - loss.value(p)) <= 1e-6 * loss.value(p))

        // Nothing may begin or cease to fire between the two points of a difference.
        let pattern = code.map { $0 > 0 }
        func difference(_ parameter: WritableKeyPath<PlainLoss.Parameters, [Double]>, _ place: Int) -> Double {
            var above = p, below = p
            above[keyPath: parameter][place] += Self.step
            below[keyPath: parameter][place] -= Self.step
            #expect(loss.code(above, loss.preactivations(above)).map { $0 > 0 } == pattern && loss.code(below, loss.preactivations(below)).map { $0 > 0 } == pattern)
            return (loss.value(above) - loss.value(below)) / (2 * Self.step)
        }
        func expect(_ name: String, _ ours: [Float], _ places: [Int], _ theirs: [Double]) {
            let greatest = ours.reduce(0) { max($0, Double(abs($1))) }
            #expect(greatest > 0, "\(name) has no gradient at all")
            for (place, value) in zip(places, theirs) where abs(Double(ours[place]) - value) > Self.tolerance * greatest {
                Issue.record("the gradient of \(name)[\(place)] is \(ours[place]), by differences \(value)")
            }
        }
        let ours = Dictionary(uniqueKeysWithValues: trainer.moments), all = Self.features * Self.width
        expect("b_enc", ours["b_enc"]!, Array(0..<Self.features), (0..<Self.features).map { difference(\.encoderBias, $0) })
        expect("b_dec", ours["b_dec"]!, Array(0..<Self.width), (0..<Self.width).map { difference(\.decoderBias, $0) })
        let sample = (0..<60).map { _ in random.index(below: all) }
        expect("W_enc", ours["W_enc"]!, sample, sample.map { difference(\.encoder, $0) })
        // Whole rows, because a row's gradient loses what is parallel to the row.
        let rows = [0, 8, 17, 39] + silent(test.dead).prefix(2), places = rows.flatMap { $0 * Self.width..<($0 + 1) * Self.width }
        let gradients = rows.flatMap { row -> [Double] in
            let gradient = (0..<Self.width).map { difference(\.decoder, row * Self.width + $0) }
            guard trainer.design.keepsRowsOfUnitNorm else { return gradient }
            let own = Array(p.decoder[row * Self.width..<(row + 1) * Self.width])
            let along = zip(gradient, own).reduce(0) { $0 + $1.0 * $1.1 } / own.reduce(0) { $0 + $1 * $1 }
            return zip(gradient, own).map { $0 - along * $1 }
        }
        expect("W_dec", ours["W_dec"]!, places, gradients)
        if let threshold = ours["log_threshold"] { expect("log θ", threshold, Array(0..<Self.features), estimate(test, loss, p, constants)) }
    }

    /// The straight-through estimator of dL/d log θ, which is no derivative of the loss: with w = 1[|pre − θ| < ε/2 and pre > 0],
    /// f has −(θ/ε) w for θ and the count of firings −(1/ε) w.
    private func estimate(_ test: Case, _ loss: PlainLoss, _ p: PlainLoss.Parameters, _ constants: RecipeConstants) -> [Double] {
        let pre = loss.preactivations(p), code = loss.code(p, pre), errors = loss.errors(p, code, upTo: Self.features), n = Double(Self.batch)
        let bandwidth = constants.number("bandwidth"), l0 = Double(code.count { $0 > 0 }) / n
        var slope = loss.sparsity / n
        if case .l0Target(let target) = test.objective { slope *= 2 * (l0 / target - 1) / target }
        var gradient = [Double](repeating: 0, count: Self.features)
        for place in pre.indices {
            let (input, feature) = (place / Self.features, place % Self.features), threshold = exp(p.logThreshold[feature])
            guard abs(pre[place] - threshold) < bandwidth / 2, pre[place] > 0 else { continue }
            let product = (0..<Self.width).reduce(0) { $0 - 2 / n * errors[input * Self.width + $1] * p.decoder[feature * Self.width + $1] }
            gradient[feature] -= threshold * (product * threshold + slope) / bandwidth
        }
        return gradient
    }

    /// Spread over the dictionary, so that nested ones all have some.
    private func silent(_ count: Int) -> [Int] { (0..<count).map { 1 + 4 * $0 } }

    /// Parameters as after some training; the silent features' biases let them be positive, but seldom among the greatest.
    private func start(_ test: Case, _ trainer: Trainer, _ random: inout SeededGenerator) -> PlainLoss.Parameters {
        let p = trainer.parameters
        for feature in 0..<Self.features {
            let row = p.decoder.value.base + feature * Self.width
            for column in 0..<Self.width { row[column] = Float(random.normal()) }
            let own = trainer.design.keepsRowsOfUnitNorm ? 1 : 0.5 + random.uniform(), norm = Float(length(UnsafeBufferPointer(start: row, count: Self.width)) / own)
            for column in 0..<Self.width {
                row[column] /= norm
                p.encoder.value.base[feature * Self.width + column] = row[column] * 0.8 + Float(0.1 * random.normal())
            }
            p.encoderBias.value.base[feature] = Float(0.2 * random.normal() - 0.3)
        }
        for column in 0..<Self.width { p.decoderBias.value.base[column] = Float(0.1 * random.normal()) }
        for feature in silent(test.dead) {
            p.encoderBias.value.base[feature] -= 1
            trainer.sinceFired.base[feature] = 1000
        }
        if trainer.hasThresholds { for feature in 0..<Self.features { p.logThreshold.value.base[feature] = Float(log(0.3) + 0.2 * random.normal()) } }
        trainer.refreshAll()
        func wide(_ block: borrowing Parameters.Block) -> [Double] { block.value.floats.map { Double($0) } }
        return PlainLoss.Parameters(encoder: wide(p.encoder), decoder: wide(p.decoder), encoderBias: wide(p.encoderBias), decoderBias: wide(p.decoderBias), logThreshold: wide(p.logThreshold))
    }
}
