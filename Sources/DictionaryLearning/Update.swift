import Glibc
import Kernels
import LinearAlgebra
import Numerics

// From a feature's gradient to its new vectors.

/// The gradient of one feature's parameters.
struct FeatureGradient {
    let encoder: UnsafeMutablePointer<Float>  // (width)
    let decoder: UnsafeMutablePointer<Float>  // (width)
    var bias = 0.0
    /// dL/dθ.
    var threshold = 0.0
    /// Σ f over the batch.
    var activation = 0.0

    init(encoder: UnsafeMutablePointer<Float>, decoder: UnsafeMutablePointer<Float>) { (self.encoder, self.decoder) = (encoder, decoder) }
}

/// What blocks of features add up to.
final class BlockSums: @unchecked Sendable {
    private let values: Matrix64
    private let width: Int

    init(blocks: Int, width: Int) {
        self.width = width
        values = Matrix64(rows: blocks, columns: width + 2)
    }

    /// − Σ dL/d b_enc · encoder row: what b_dec feels through the encoder (width).
    func decoderBias(_ block: Int) -> UnsafeMutablePointer<Double> { values.base + block * (width + 2) }
    func addSquares(_ block: Int, _ squares: Double) { values.base[block * (width + 2) + width] += squares }
    func addPenalty(_ block: Int, _ penalty: Double) { values.base[block * (width + 2) + width + 1] += penalty }

    var decoderBias: [Double] { Array(values.columnSums()[..<width]) }
    var squares: Double { values.columnSums()[width] }
    var penalty: Double { values.columnSums()[width + 1] }
}

extension Trainer {
    func adam(_ schedule: Schedule) -> adam_step {
        let (beta1, beta2, epsilon) = design.adam, t = Double(stepsDone + 1)
        return adam_step(scale: 1, rest1: Float(1 - beta1), rest2: Float(1 - beta2), beta2: Float(beta2), rate: Float(schedule.learningRate / (1 - pow(beta1, t))),
                         root: Float(1 / (1 - pow(beta2, t)).squareRoot()), epsilon: Float(epsilon))
    }

    /// dL/df of the L1 term for a feature that fires.
    func penalty(_ feature: Int, _ schedule: Schedule) -> Float {
        guard case .l1(let byNorm) = design.sparsity else { return 0 }
        return Float(schedule.sparsity / Double(plan.batchSize)) * (byNorm ? decoderNorms.base[feature] : 1)
    }

    /// Completes a feature's gradient, then updates it, or keeps the gradient until the norm of all is known.
    func finish(_ feature: Int, _ gradient: FeatureGradient, in block: Int, _ sums: BlockSums, _ schedule: Schedule, _ step: adam_step) {
        let width = plan.width, decoder = parameters.decoder.value.base + feature * width, encoder = parameters.encoder.value.base + feature * width
        if case .l1(let byNorm) = design.sparsity {
            sums.addPenalty(block, gradient.activation * (byNorm ? Double(decoderNorms.base[feature]) : 1))
            let norm = Double(decoderNorms.base[feature])
            if byNorm && norm > 0 { kernel_add_scaled(decoder, Float(schedule.sparsity / Double(plan.batchSize) * gradient.activation / norm), gradient.decoder, width) }
        }
        if design.subtractsDecoderBias && gradient.bias != 0 { kernel_add_scaled_double(sums.decoderBias(block), encoder, -gradient.bias, width) }
        if design.keepsRowsOfUnitNorm {
            let square = kernel_squares(decoder, width)
            if square > 0 { kernel_add_scaled(decoder, -Float(Double(kernel_dot(gradient.decoder, decoder, width)) / square), gradient.decoder, width) }
        }
        let bias = Float(gradient.bias), logThreshold = hasThresholds ? Float(gradient.threshold * Double(threshold(feature))) : 0
        guard design.gradientNormLimit != nil else { return update(feature, gradient.encoder, gradient.decoder, bias, logThreshold, step) }
        (workspace.encoderGradient.base + feature * width).update(from: gradient.encoder, count: width)
        (workspace.decoderGradient.base + feature * width).update(from: gradient.decoder, count: width)
        workspace.encoderBiasGradient.base[feature] = bias
        workspace.logThresholdGradient.base[feature] = logThreshold
        sums.addSquares(block, kernel_squares(gradient.encoder, width) + kernel_squares(gradient.decoder, width) + Double(bias) * Double(bias) + Double(logThreshold) * Double(logThreshold))
    }

    /// The rest of the step, once every feature has its gradient: features that waited for the norm, and b_dec.
    func apply(_ sums: BlockSums, _ pass: Pass, _ step: adam_step) throws {
        var step = step
        let width = plan.width, workspace = workspace
        let gradient = zip(pass.residualSum, sums.decoderBias).map { Float($0 + $1) }
        if let limit = design.gradientNormLimit {
            let norm = (sums.squares + gradient.reduce(0) { $0 + Double($1) * Double($1) }).squareRoot()
            step.scale = Float(min(1, limit / (norm + 1e-6)))
            let scaled = step
            try forEachInParallel(workspace.blocks.count, threads: threads) { b in
                for feature in workspace.blocks[b] {
                    update(feature, workspace.encoderGradient.base + feature * width, workspace.decoderGradient.base + feature * width,
                           workspace.encoderBiasGradient.base[feature], workspace.logThresholdGradient.base[feature], scaled)
                }
            }
        }
        kernel_adam(parameters.decoderBias.value.base, gradient, parameters.decoderBias.first.base, parameters.decoderBias.second.base, width, &step)
    }

    private func update(_ feature: Int, _ encoderGradient: UnsafePointer<Float>, _ decoderGradient: UnsafePointer<Float>, _ bias: Float, _ logThreshold: Float, _ step: adam_step) {
        var step = step, bias = bias, logThreshold = logThreshold
        let width = plan.width, row = feature * width
        func move(_ block: borrowing Parameters.Block, _ at: Int, _ gradient: UnsafePointer<Float>, _ count: Int) {
            kernel_adam(block.value.base + at, gradient, block.first.base + at, block.second.base + at, count, &step)
        }
        move(parameters.encoder, row, encoderGradient, width)
        move(parameters.decoder, row, decoderGradient, width)
        move(parameters.encoderBias, feature, &bias, 1)
        if hasThresholds { move(parameters.logThreshold, feature, &logThreshold, 1) }
        if design.keepsRowsOfUnitNorm { kernel_normalise(parameters.decoder.value.base + row, width) }
        refresh(feature)
        if !isDense { loadEncoder(feature..<feature + 1) }
    }

    /// What is derived from a feature's parameters and kept beside them.
    func refresh(_ feature: Int) {
        if case .jumpReLU(_, let bandwidth) = design.activation {
            thresholds.base[feature] = exp(parameters.logThreshold.value.base[feature])
            screenThresholds.base[feature] = max(0, thresholds.base[feature] - Float(bandwidth / 2))
        }
        if case .l1(byDecoderNorm: true) = design.sparsity {
            decoderNorms.base[feature] = Float(kernel_squares(parameters.decoder.value.base + feature * plan.width, plan.width).squareRoot())
        }
    }

    func refreshAll() { for feature in 0..<plan.features { refresh(feature) } }
}
