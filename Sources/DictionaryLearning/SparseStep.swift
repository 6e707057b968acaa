import Kernels
import LinearAlgebra
import Numerics

// Forward and backward on the entries of a sparse code.

extension Trainer {
    /// dL/dx̂ ÷ (x̂ − x) of one nested dictionary.
    var residualFactor: Float {
        Float(2 / (Double(plan.batchSize) * Double(design.prefixes.count) * (design.reduction == .mean ? Double(plan.width) : 1)))
    }

    var hasThresholds: Bool { if case .jumpReLU = design.activation { true } else { false } }

    /// Codes, reconstructions, and what each entry of the code means to the reconstruction error.
    func sparseForward() throws -> Pass {
        try encode(rows: plan.batchSize)
        let workspace = workspace, width = plan.width, groups = design.prefixes.count, hasThresholds = hasThresholds
        let sums = Matrix64(rows: workspace.slabs.count, columns: groups + 1 + width)
        try forEachInParallel(workspace.slabs.count, threads: threads) { place in
            let code = workspace.codes[place], inputs = workspace.slabs[place], row = sums.base + place * (groups + 1 + width)
            code.reserveGradients(hasThresholds: hasThresholds)
            if hasThresholds { row[groups] = Double(applyThresholds(code)) } else { row[groups] = Double(code.count) }
            for (at, input) in inputs.enumerated() {
                reconstruct(input, code, code.offsets.base[at]..<code.offsets.base[at + 1], errors: row)
                _ = kernel_square_and_add(workspace.residual.base + input * width, width, row + groups + 1)
            }
        }
        let total = sums.columnSums()
        return Pass(squaredErrors: Array(total[..<groups]), firings: Int(total[groups]), residualSum: Array(total[(groups + 1)...]))
    }

    /// Pre-activations become activations; `code.thresholds` marks with 1 those whose thresholds feel them. Returns how many fire.
    private func applyThresholds(_ code: Code) -> Int {
        guard case .jumpReLU(_, let bandwidth) = design.activation else { return code.count }
        let half = Float(bandwidth / 2)
        var firing = 0
        for place in 0..<code.count {
            let value = code.values.base[place], threshold = threshold(Int(code.features.base[place]))
            code.thresholds.base[place] = abs(value - threshold) < half ? 1 : 0
            if value > threshold { firing += 1 } else { code.values.base[place] = 0 }
        }
        return firing
    }

    /// The residual of one input in each nested dictionary, and the products of its active decoder rows with them.
    private func reconstruct(_ input: Int, _ code: Code, _ entries: Range<Int>, errors: UnsafeMutablePointer<Double>) {
        let workspace = workspace, width = plan.width, batch = plan.batchSize, decoder = parameters.decoder.value.base, factor = residualFactor
        let ends = design.prefixes, residual = workspace.residual.base
        // x̂ − x = Σ f d + b_dec − x, and x̄ is x or x − b_dec.
        let first = residual + input * width
        kernel_scale_and_shift(workspace.input.base + input * width, -1, nil, first, width)
        if !design.subtractsDecoderBias { kernel_add_scaled(parameters.decoderBias.value.base, 1, first, width) }
        var start = entries.lowerBound
        for group in ends.indices {
            let row = residual + (group * batch + input) * width
            if group > 0 { row.update(from: row - batch * width, count: width) }
            let end = endOfGroup(group, code, start..<entries.upperBound)
            kernel_decode(decoder, width, code.features.base + start, code.values.base + start, end - start, row)
            errors[group] += kernel_squares(row, width)
            start = end
        }
        let last = residual + ((ends.count - 1) * batch + input) * width
        if design.auxiliary != nil { (workspace.error.base + input * width).update(from: last, count: width) }
        var end = entries.upperBound
        for group in ends.indices.reversed() {
            let row = residual + (group * batch + input) * width
            kernel_scale_and_shift(row, factor, nil, row, width)
            if group < ends.count - 1 { kernel_add_scaled(row + batch * width, 1, row, width) }
            var start = end
            if group == 0 { start = entries.lowerBound } else { while start > entries.lowerBound, Int(code.features.base[start - 1]) >= ends[group - 1] { start -= 1 } }
            kernel_row_products(decoder, width, code.features.base + start, end - start, row, code.gradients.base + start)
            end = start
        }
    }

    private func endOfGroup(_ group: Int, _ code: Code, _ entries: Range<Int>) -> Int {
        if group == design.prefixes.count - 1 { return entries.upperBound }
        var end = entries.lowerBound
        while end < entries.upperBound, Int(code.features.base[end]) < design.prefixes[group] { end += 1 }
        return end
    }

    /// The straight-through estimate of dL/dθ, and no gradient for what does not fire.
    func finishThresholdGradients(penaltyOn: Float, bandwidth: Float) throws {
        let workspace = workspace
        try forEachInParallel(workspace.slabs.count, threads: threads) { place in
            let code = workspace.codes[place]
            for entry in 0..<code.count {
                let product = code.gradients.base[entry], threshold = threshold(Int(code.features.base[entry]))
                if code.thresholds.base[entry] > 0 { code.thresholds.base[entry] = -(product * threshold + penaltyOn) / bandwidth }
                if code.values.base[entry] == 0 { code.gradients.base[entry] = 0 }
            }
        }
    }

    /// Dead features explain what the others leave over; returns the loss of it.
    func auxiliaryForward(_ settings: Design.Auxiliary) throws -> Double {
        let dead = deadFeatures, workspace = workspace, width = plan.width
        hasAuxiliaryCode = false
        guard !dead.isEmpty, settings.k > 0, settings.coefficient > 0 else { return 0 }
        let sums = Matrix64(rows: workspace.slabs.count, columns: width + 1)
        try forEachInParallel(workspace.slabs.count, threads: threads) { place in
            let row = sums.base + place * (width + 1)
            for input in workspace.slabs[place] { row[width] += kernel_square_and_add(workspace.error.base + input * width, width, row) }
        }
        let total = sums.columnSums(), spread = total[width] - total[..<width].reduce(0) { $0 + $1 * $1 } / Double(plan.batchSize)
        // What is left of errors that are all alike is rounding.
        guard spread > 1e-12 * total[width] else { return 0 }

        try encodeDead(dead, k: settings.k, rows: plan.batchSize)
        let factor = Float(2 * settings.coefficient / spread), errors = Matrix64(rows: workspace.slabs.count, columns: 1)
        try forEachInParallel(workspace.slabs.count, threads: threads) { place in
            let code = workspace.auxiliaryCodes[place]
            code.reserveGradients(hasThresholds: false)
            for (at, input) in workspace.slabs[place].enumerated() {
                let start = code.offsets.base[at], count = code.offsets.base[at + 1] - start, row = workspace.auxiliaryResidual.base + input * width
                row.update(from: workspace.error.base + input * width, count: width)
                kernel_decode(parameters.decoder.value.base, width, code.features.base + start, code.values.base + start, count, row)
                errors.base[place] += kernel_squares(row, width)
                kernel_scale_and_shift(row, factor, nil, row, width)
                kernel_row_products(parameters.decoder.value.base, width, code.features.base + start, count, row, code.gradients.base + start)
            }
        }
        hasAuxiliaryCode = true
        return settings.coefficient * errors.columnSums()[0] / spread
    }

    /// Gradients by feature, and the update. Returns the penalty's sum, without λ.
    func sparseBackward(_ pass: Pass, _ schedule: Schedule) throws -> Double {
        let workspace = workspace, blocks = workspace.blocks, hasThresholds = hasThresholds
        let sums = BlockSums(blocks: blocks.count, width: plan.width), step = adam(schedule)
        let codes = [workspace.codes] + (hasAuxiliaryCode ? [workspace.auxiliaryCodes] : [])
        try forEachInParallel(workspace.slabs.count, threads: threads) { place in
            let slab = workspace.slabs[place]
            for codes in codes {
                let code = codes[place]
                code.starts.reserve(slab.count * (blocks.count + 1))
                kernel_block_starts(code.offsets.base, code.features.base, slab.count, workspace.blockEnds, blocks.count, code.starts.base)
            }
            let code = codes[0][place]
            guard case .l1 = design.sparsity else { return }
            for entry in 0..<code.count { code.gradients.base[entry] += penalty(Int(code.features.base[entry]), schedule) }
        }
        try forEachInParallel(blocks.count, threads: threads) { b in
            let block = blocks[b], first = block.lowerBound
            workspace.blockScratches.with { scratch in
                var lists: [[UInt32]] = []
                var total = 0
                for codes in codes {
                    for j in 0...block.count { scratch.counts[j] = 0 }
                    for (place, slab) in workspace.slabs.enumerated() {
                        var view = codes[place].slab(slab, hasThresholds: false)
                        kernel_block_counts(&view, blocks.count, b, UInt32(first), &scratch.counts)
                    }
                    var starts = [UInt32](repeating: UInt32(total), count: block.count + 1)
                    for j in 0..<block.count { starts[j + 1] = starts[j] + scratch.counts[j] }
                    total = Int(starts[block.count])
                    lists.append(starts)
                }
                scratch.inputs.reserve(total)
                scratch.values.reserve(total)
                scratch.gradients.reserve(total)
                if hasThresholds { scratch.thresholds.reserve(total) }
                for (starts, codes) in zip(lists, codes) {
                    for j in 0..<block.count { scratch.next[j] = starts[j] }
                    for (place, slab) in workspace.slabs.enumerated() {
                        var view = codes[place].slab(slab, hasThresholds: hasThresholds)
                        kernel_block_lists(&view, blocks.count, b, UInt32(first), &scratch.next, scratch.inputs.base, scratch.values.base, scratch.gradients.base,
                                           hasThresholds ? scratch.thresholds.base : nil)
                    }
                }
                for feature in block { addUp(feature, in: b, scratch, lists.map { Int($0[feature - first])..<Int($0[feature - first + 1]) }, sums, schedule, step) }
            }
        }
        try apply(sums, pass, step)
        return sums.penalty
    }

    /// The gradient of one feature from its lists: the code's, and the auxiliary code's if there is one.
    private func addUp(_ feature: Int, in block: Int, _ scratch: BlockScratch, _ lists: [Range<Int>], _ sums: BlockSums, _ schedule: Schedule, _ step: adam_step) {
        let width = plan.width, group = workspace.groups[block], decoder = scratch.decoderGradient.base, encoder = scratch.encoderGradient.base
        decoder.update(repeating: 0, count: width)
        encoder.update(repeating: 0, count: width)
        var gradient = FeatureGradient(encoder: encoder, decoder: decoder)
        for (place, list) in lists.enumerated() where !list.isEmpty {
            let residual = place == 0 ? workspace.residual.base + group * plan.batchSize * width : workspace.auxiliaryResidual.base
            let inputs = scratch.inputs.base + list.lowerBound
            kernel_decode(residual, width, inputs, scratch.values.base + list.lowerBound, list.count, decoder)
            kernel_decode(workspace.input.base, width, inputs, scratch.gradients.base + list.lowerBound, list.count, encoder)
            for entry in list { gradient.bias += Double(scratch.gradients.base[entry]) }
            guard place == 0 else { continue }
            for entry in list { gradient.activation += Double(scratch.values.base[entry]) }
            if hasThresholds { for entry in list { gradient.threshold += Double(scratch.thresholds.base[entry]) } }
        }
        finish(feature, gradient, in: block, sums, schedule, step)
    }
}
