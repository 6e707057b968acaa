import Kernels
import LinearAlgebra
import Numerics

// Forward and backward by whole products, for codes that are still dense: five of them a step, and the rest in their caches.

extension Trainer {
    private var lower: UnsafeMutablePointer<Float>? { hasThresholds ? thresholds.base : nil }

    func denseForward() throws -> Pass {
        let workspace = workspace, (batch, width, features) = (plan.batchSize, plan.width, plan.features), blocks = workspace.denseBlocks, slabs = workspace.denseSlabs
        if densePreactivations == nil { densePreactivations = Shared(Matrix(uninitializedRows: batch, columns: features)) }
        let pre = Address(densePreactivations!.value.base), sums = Matrix64(rows: slabs.count, columns: 2 + width)
        try forEachInParallel(slabs.count, threads: threads) { place in
            let slab = slabs[place], row = sums.base + place * (2 + width), residual = workspace.residual.base
            for input in slab {
                kernel_scale_and_shift(workspace.input.base + input * width, -1, nil, residual + input * width, width)
                if !design.subtractsDecoderBias { kernel_add_scaled(parameters.decoderBias.value.base, 1, residual + input * width, width) }
            }
            workspace.blockScratches.with { scratch in
                scratch.code.reserve(slab.count * workspace.pieces.denseFeatures)
                for block in blocks {
                    let own = pre.base + slab.lowerBound * features + block.lowerBound
                    sgemm(m: slab.count, n: block.count, k: width, a: workspace.input.base + slab.lowerBound * width, b: parameters.encoder.value.base + block.lowerBound * width,
                          transposeB: true, c: own, ldc: features)
                    for at in 0..<slab.count {
                        row[0] += Double(kernel_dense_code(own + at * features, parameters.encoderBias.value.base + block.lowerBound, lower.map { $0 + block.lowerBound },
                                                           scratch.code.base + at * block.count, block.count))
                    }
                    sgemm(m: slab.count, n: width, k: block.count, a: scratch.code.base, b: parameters.decoder.value.base + block.lowerBound * width, beta: 1,
                          c: residual + slab.lowerBound * width)
                }
            }
            for input in slab {
                let error = residual + input * width
                row[1] += kernel_squares(error, width)
                kernel_scale_and_shift(error, residualFactor, nil, error, width)
                _ = kernel_square_and_add(error, width, row + 2)
            }
        }
        let total = sums.columnSums()
        return Pass(squaredErrors: [total[1]], firings: Int(total[0]), residualSum: Array(total[2...]))
    }

    /// Returns the penalty's sum, without λ.
    func denseBackward(_ pass: Pass, _ schedule: Schedule, penaltyOn: Double) throws -> Double {
        let workspace = workspace, (batch, width, features) = (plan.batchSize, plan.width, plan.features), blocks = workspace.denseBlocks
        let pre = Address(densePreactivations!.value.base), sums = BlockSums(blocks: blocks.count, width: width), step = adam(schedule)
        var bandwidth: Float = 0
        if case .jumpReLU(_, let width) = design.activation { bandwidth = Float(width) }
        let window = bandwidth
        try forEachInParallel(blocks.count, threads: threads) { b in
            let block = blocks[b], n = block.count
            workspace.blockScratches.with { scratch in
                scratch.code.reserve(batch * n)
                scratch.gradient.reserve(batch * n)
                scratch.encoderProduct.reserve(n * width)
                scratch.decoderProduct.reserve(n * width)
                sgemm(m: batch, n: n, k: width, a: workspace.residual.base, b: parameters.decoder.value.base + block.lowerBound * width, transposeB: true, c: scratch.gradient.base)
                var fired = [UInt32](repeating: 0, count: n)
                var activation = [Double](repeating: 0, count: n), bias = activation, threshold = activation
                let penalties = block.map { penalty($0, schedule) }
                let hasPenalty = if case .l1 = design.sparsity { true } else { false }
                penalties.withUnsafeBufferPointer { penalties in
                    var settings = dense_gradient(lower: lower.map { UnsafePointer($0 + block.lowerBound) }, penalty: hasPenalty ? penalties.baseAddress : nil, bandwidth: window, penalty_on: Float(penaltyOn))
                    for input in 0..<batch {
                        kernel_dense_gradient(&settings, pre.base + input * features + block.lowerBound, scratch.code.base + input * n, scratch.gradient.base + input * n, n, &fired, &activation, &bias, &threshold)
                    }
                }
                sgemm(m: n, n: width, k: batch, a: scratch.code.base, b: workspace.residual.base, transposeA: true, c: scratch.decoderProduct.base)
                sgemm(m: n, n: width, k: batch, a: scratch.gradient.base, b: workspace.input.base, transposeA: true, c: scratch.encoderProduct.base)
                for (at, feature) in block.enumerated() {
                    var gradient = FeatureGradient(encoder: scratch.encoderProduct.base + at * width, decoder: scratch.decoderProduct.base + at * width)
                    (gradient.bias, gradient.threshold, gradient.activation) = (bias[at], threshold[at], activation[at])
                    workspace.fired[feature] = fired[at]
                    finish(feature, gradient, in: b, sums, schedule, step)
                }
            }
        }
        countFirings()
        try apply(sums, pass, step)
        return sums.penalty
    }
}

/// A matrix held by reference.
final class Shared: Sendable {
    let value: Matrix
    init(_ value: consuming Matrix) { self.value = value }
}
