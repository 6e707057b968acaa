import Diagnostics
import Kernels
import LinearAlgebra
public import Numerics

// One optimiser step. Sketch for 512 → 4,096 at L0 50, batch 4,096, in numbers read per input: the encoder's screen multiplies
// 2.1 M codes of 8 bits (as fast as a quarter of as many floats); its 100 candidates, the decoding and the gradients of the code
// take 50 to 100 rows of 512 each, the gradients of encoder and decoder another 50 rows each, Adam 6 times 1,024 numbers
// (4.2 M parameters shared by the batch). A whole product alone is 2.1 M floats, and a dense step is five of them.

extension Trainer {
    /// One optimiser step on a batch (batch size × width).
    /// - Throws: `MonosemeError` when an input is not finite, or the loss is not, or explodes; nothing is changed then.
    public func step(_ batch: borrowing Matrix) throws -> StepReport {
        precondition(batch.rows == plan.batchSize && batch.columns == plan.width && stepsDone < plan.steps)
        let schedule = recipe.schedule(constants, plan, step: stepsDone)
        let (squares, spread) = try load(batch)
        guard squares.isFinite else { throw MonosemeError("a batch of step \(stepsDone + 1) holds a number that is not finite", hint: "check the activations for NaN and infinity") }

        let found = (lastFloor, leastKept)
        let pass = isDense ? try denseForward() : try sparseForward()
        let inputs = Double(plan.batchSize), scale = Double(inputScale) * Double(inputScale)
        let reconstruction = pass.squaredErrors.reduce(0, +) / Double(pass.squaredErrors.count) / inputs / (design.reduction == .mean ? Double(plan.width) : 1)
        do {
            try check(reconstruction, atMost: Trainer.explosion * max(firstLoss ?? reconstruction, spread * scale / inputs / (design.reduction == .mean ? Double(plan.width) : 1)))
        } catch {
            (lastFloor, leastKept) = found
            throw error
        }
        if firstLoss == nil { firstLoss = reconstruction }

        let l0 = Double(pass.firings) / inputs
        var auxiliary = 0.0
        // A feature that fires in this batch is not dead in it.
        if !isDense { countFirings(in: workspace.codes) }
        if let settings = design.auxiliary, !isDense { auxiliary = try auxiliaryForward(settings) }
        let penaltyOn = slope(of: design.sparsity, at: l0) * schedule.sparsity / inputs
        if case .jumpReLU(_, let bandwidth) = design.activation, !isDense { try finishThresholdGradients(penaltyOn: Float(penaltyOn), bandwidth: Float(bandwidth)) }
        let penalty = try isDense ? denseBackward(pass, schedule, penaltyOn: penaltyOn) : sparseBackward(pass, schedule)

        var report = StepReport()
        report.loss = reconstruction + auxiliary
        switch design.sparsity {
        case .none: break
        case .l1: report.loss += schedule.sparsity * penalty / inputs
        case .l0: report.loss += schedule.sparsity * l0
        case .l0Target(let target): report.loss += schedule.sparsity * (l0 / target - 1) * (l0 / target - 1)
        }
        report.meanSquaredError = pass.squaredErrors.last! / inputs / scale
        report.explainedVariance = spread > 0 ? 1 - pass.squaredErrors.last! / (spread * scale) : 0
        report.l0 = l0
        (report.learningRate, report.sparsityCoefficient) = (schedule.learningRate, schedule.sparsity)
        stepsDone += 1
        report.dead = deadFeatures.count
        averageThreshold()
        chooseDensity(l0)
        return report
    }

    /// A reconstruction error that many times the first one, or the inputs' own spread, is no longer training.
    static let explosion = 1000.0

    private func check(_ loss: Double, atMost limit: Double) throws {
        guard loss.isFinite, loss <= limit else {
            throw MonosemeError("the loss explodes: the reconstruction error of step \(stepsDone + 1) is \(loss), where it began at \(firstLoss ?? loss)", hint: "lower the learning rate")
        }
    }

    private func slope(of sparsity: Design.Sparsity, at l0: Double) -> Double {
        switch sparsity {
        case .l0: 1
        case .l0Target(let target): 2 * (l0 / target - 1) / target
        case .none, .l1: 0
        }
    }

    private func countFirings(in codes: [Code]) {
        workspace.fired.update(repeating: 0)
        for code in codes { for entry in 0..<code.count where code.values.base[entry] > 0 { workspace.fired[Int(code.features.base[entry])] += 1 } }
        countFirings()
    }

    /// Takes in what `workspace.fired` says of this batch.
    func countFirings() {
        for feature in 0..<plan.features { sinceFired.base[feature] = workspace.fired[feature] > 0 ? 0 : min(sinceFired.base[feature] + 1, 16_777_215) }
    }

    /// Features that have not fired for as long as the recipe says.
    var deadFeatures: [Int] {
        (0..<plan.features).filter { Double(sinceFired.base[$0]) * Double(plan.batchSize) >= Double(design.deadAfter) }
    }

    private func averageThreshold() {
        guard let average = design.thresholdAverage, let least = leastKept, stepsDone > average.firstStep else { return }
        thresholdMean = thresholdMean.map { Float(average.decay) * $0 + Float(1 - average.decay) * least } ?? least
    }

    /// Whole products while more than a sixteenth of the features fire: then they are cheaper than rows one by one.
    private func chooseDensity(_ l0: Double) {
        guard canBeDense else { return }
        let wasDense = isDense
        isDense = l0 > Double(plan.features) / (wasDense ? 16 : 12)
        if wasDense && !isDense { densePreactivations = nil }
        if isDense { encoderIsLoaded = false }
    }

    var canBeDense: Bool {
        switch design.activation {
        case .relu, .jumpReLU: true
        case .topK, .batchTopK: false
        }
    }
}

/// What a forward pass found.
struct Pass {
    /// Σ ‖x − x̂‖² over the batch, for each nested dictionary.
    var squaredErrors: [Double]
    var firings: Int
    /// Σ dL/dx̂ over the batch (width).
    var residualSum: [Double]
}
