import Diagnostics
import Kernels
import LinearAlgebra
public import Numerics

// Dead features start anew at inputs that the dictionary explains badly (Towards Monosemanticity, appendix).

extension Trainer {
    /// Before the next step so many random inputs are wanted by `resample`, or as many as there are; `nil` if none.
    public var inputsWantedForResampling: Int? {
        guard let resampling = design.resampling, resampling.steps.contains(stepsDone), resampledAt != stepsDone else { return nil }
        return resampling.inputs
    }

    /// Gives every dead feature the direction of an input, drawn in proportion to the square of its loss, a small encoder row, a bias
    /// of zero, and moments of zero. Returns how many there were.
    /// - Parameter inputs: random ones (any number × width).
    public func resample(from inputs: borrowing Matrix) throws -> Int {
        precondition(inputs.columns == plan.width)
        guard let resampling = design.resampling else { return 0 }
        resampledAt = stepsDone
        let dead = deadFeatures
        guard !dead.isEmpty, inputs.rows > 0 else { return 0 }
        // An input of zeros has no direction to give.
        let weights = try losses(of: inputs).enumerated().map { input, loss in kernel_squares(inputs.base + input * plan.width, plan.width) > 0 ? loss * loss : 0 }
        let chosen = draw(dead.count, by: weights)
        restart(dead, at: chosen, of: inputs, encoderScale: resampling.encoderScale)
        return chosen.count
    }

    /// Each of the `dead`, as far as there are as many `chosen` rows of `inputs`.
    func restart(_ dead: [Int], at chosen: [Int], of inputs: borrowing Matrix, encoderScale: Double) {
        let norm = aliveEncoderNorm(without: dead) * encoderScale
        for (feature, input) in zip(dead, chosen) { restart(feature, at: inputs.base + input * plan.width, encoderNorm: norm) }
        encoderIsLoaded = false
    }

    private func aliveEncoderNorm(without dead: [Int]) -> Double {
        var sum = 0.0, count = 0, next = 0
        for feature in 0..<plan.features {
            if next < dead.count && dead[next] == feature { next += 1; continue }
            sum += kernel_squares(parameters.encoder.value.base + feature * plan.width, plan.width).squareRoot()
            count += 1
        }
        return count > 0 ? sum / Double(count) : 1
    }

    private func restart(_ feature: Int, at input: UnsafePointer<Float>, encoderNorm: Double) {
        let width = plan.width, row = feature * width, decoder = parameters.decoder.value.base + row, encoder = parameters.encoder.value.base + row
        decoder.update(from: input, count: width)
        kernel_normalise(decoder, width)
        kernel_scale_and_shift(decoder, Float(encoderNorm), nil, encoder, width)
        parameters.encoderBias.value.base[feature] = 0
        parameters.encoder.forget(row, width)
        parameters.decoder.forget(row, width)
        parameters.encoderBias.forget(feature, 1)
        sinceFired.base[feature] = 0
        refresh(feature)
    }

    /// `count` different places, or as many as have a weight, each drawn with a chance in proportion to its weight.
    private func draw(_ count: Int, by weights: [Double]) -> [Int] {
        var sums: [Double] = [], sum = 0.0
        for weight in weights { sum += weight; sums.append(sum) }
        let possible = weights.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
        var chosen: [Int] = [], taken = Set<Int>()
        guard sum.isFinite, sum > 0 else { return [] }
        var misses = 0
        while chosen.count < min(count, possible) {
            let target = generator.uniform() * sum
            var place = sums.partitioningIndex { $0 > target }
            // Where few are left that weigh much, the next free one: else drawing could go on for ever.
            if taken.contains(place) || place == sums.count || weights[place] <= 0 {
                misses += 1
                guard misses > 100 else { continue }
                place = weights.indices.first { weights[$0] > 0 && !taken.contains($0) }!
            }
            misses = 0
            taken.insert(place)
            chosen.append(place)
        }
        return chosen
    }

    /// The loss of each input, as the recipe defines it, of a code that is kept as it fires.
    func losses(of inputs: borrowing Matrix) throws -> [Double] {
        let width = plan.width, workspace = workspace, lambda = recipe.schedule(constants, plan, step: stepsDone).sparsity
        var losses: [Double] = []
        losses.reserveCapacity(inputs.rows)
        encoderIsLoaded = false
        for first in stride(from: 0, to: inputs.rows, by: plan.batchSize) {
            let rows = min(plan.batchSize, inputs.rows - first)
            let part = Matrix(uninitializedRows: rows, columns: width), found = Matrix64(rows: 1, columns: rows)
            part.base.update(from: inputs.base + first * width, count: rows * width)
            _ = try load(part)
            try encode(rows: rows)
            let slabs = workspace.slabs.filter { $0.lowerBound < rows }
            try forEachInParallel(slabs.count, threads: threads) { place in
                let code = workspace.codes[place]
                for (at, input) in slabs[place].clamped(to: 0..<rows).enumerated() {
                    let row = workspace.residual.base + input * width, start = code.offsets.base[at], count = code.offsets.base[at + 1] - start
                    kernel_scale_and_shift(workspace.input.base + input * width, -1, nil, row, width)
                    if !design.subtractsDecoderBias { kernel_add_scaled(parameters.decoderBias.value.base, 1, row, width) }
                    kernel_decode(parameters.decoder.value.base, width, code.features.base + start, code.values.base + start, count, row)
                    var penalty = 0.0
                    if case .l1(let byNorm) = design.sparsity {
                        for entry in start..<start + count { penalty += Double(code.values.base[entry]) * (byNorm ? Double(decoderNorms.base[Int(code.features.base[entry])]) : 1) }
                    }
                    found.base[input] = kernel_squares(row, width) / (design.reduction == .mean ? Double(width) : 1) + lambda * penalty
                }
            }
            for row in 0..<rows { losses.append(found.base[row]) }
        }
        return losses
    }
}
