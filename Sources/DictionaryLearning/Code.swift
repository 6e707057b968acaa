import Kernels
import LinearAlgebra
import Numerics
import SparseCoding

// From inputs to a sparse code: what the encoder's screen lets through, and of that what the recipe keeps.

extension Trainer {
    /// Fills `workspace.input` with scaled and shifted inputs of `batch`, by slab, and returns the sums that the spread needs.
    func load(_ batch: borrowing Matrix) throws -> (squares: Double, spread: Double) {
        let (width, rows) = (plan.width, batch.rows), workspace = workspace, x = Address(batch.base), scale = inputScale
        let shift = design.subtractsDecoderBias ? Address(parameters.decoderBias.value.base) : nil
        let slabs = workspace.slabs.filter { $0.lowerBound < rows }
        let sums = Matrix64(rows: slabs.count, columns: width + 1)
        try forEachInParallel(slabs.count, threads: threads) { place in
            let row = sums.base + place * (width + 1)
            for input in slabs[place].clamped(to: 0..<rows) {
                row[width] += kernel_square_and_add(x.base + input * width, width, row)
                kernel_scale_and_shift(x.base + input * width, scale, shift?.base, workspace.input.base + input * width, width)
            }
        }
        let total = sums.columnSums()
        let squares = total[width]
        let spread = squares - total[..<width].reduce(0) { $0 + $1 * $1 } / Double(rows)
        // Of inputs that are all alike (a batch of one) only rounding would be left.
        return (squares, spread > 1e-12 * squares ? spread : 0)
    }

    /// The code of the first `rows` loaded inputs, in `workspace.codes`; pre-activations where the recipe needs some that do not fire.
    func encode(rows: Int) throws {
        if !encoderIsLoaded { try loadEncoder() }
        switch design.activation {
        case .relu, .jumpReLU: try encodeSlabs(rows, floor: 0)
        case .topK(let k): try encodeTopK(rows, k)
        case .batchTopK(let k): try encodeBatchTopK(rows, k * rows)
        }
    }

    func loadEncoder() throws {
        let workspace = workspace
        try forEachInParallel(workspace.blocks.count, threads: threads) { loadEncoder(workspace.blocks[$0]) }
        encoderIsLoaded = true
    }

    /// Shows `features` of the encoder to the screen as they are now.
    func loadEncoder(_ features: Range<Int>) {
        workspace.encoder.load(features, from: parameters.encoder.value.base, bias: parameters.encoderBias.value.base, thresholds: hasThresholds ? screenThresholds.base : nil)
    }

    /// θ of a feature.
    func threshold(_ feature: Int) -> Float { thresholds.base[feature] }

    /// Everything above `floor`.
    private func encodeSlabs(_ rows: Int, floor: Float, only first: Int? = nil) throws {
        let workspace = workspace, width = plan.width
        let slabs = workspace.slabs.filter { $0.lowerBound < rows }
        try forEachInParallel(first ?? slabs.count, threads: threads) { place in
            let inputs = slabs[place].clamped(to: 0..<rows), code = workspace.codes[place]
            workspace.encoderScratches.with { box in
                box.scratch.prepare(inputs.count) { UInt32($0) }
                box.scratch.run(workspace.encoder, workspace.input.base + inputs.lowerBound * width, count: inputs.count, floor: floor, level: kernel_encode_best())
                let count = box.scratch.offsets.base[inputs.count]
                code.begin(inputs: inputs.count, reserving: count)
                code.offsets.base.update(from: box.scratch.offsets.base, count: inputs.count + 1)
                code.features.base.update(from: box.scratch.features.base, count: count)
                code.values.base.update(from: box.scratch.values.base, count: count)
                code.count = count
            }
        }
    }

    /// The k greatest of each input.
    ///
    /// Only what is above a floor a little below the usual k-th greatest is ever written down; inputs with fewer than k above it are
    /// done again with a lower one, at last 0.
    private func encodeTopK(_ rows: Int, _ k: Int) throws {
        let workspace = workspace, width = plan.width, usual = lastFloor
        let slabs = workspace.slabs.filter { $0.lowerBound < rows }
        let floors = Matrix(rows: 1, columns: slabs.count)
        try forEachInParallel(slabs.count, threads: threads) { place in
            let inputs = slabs[place].clamped(to: 0..<rows), code = workspace.codes[place]
            var chosen = [Range<Int>](repeating: 0..<0, count: inputs.count), leasts = [Float](repeating: 0, count: inputs.count)
            var pending = Array(0..<inputs.count), steps = usual > 0 ? [0, usual / 4, usual] : [0]
            code.begin(inputs: inputs.count, reserving: inputs.count * k)
            workspace.encoderScratches.with { box in
                while !pending.isEmpty, let floor = steps.popLast() {
                    box.scratch.prepare(pending.count) { UInt32(pending[$0]) }
                    box.scratch.run(workspace.encoder, workspace.input.base + inputs.lowerBound * width, count: pending.count, floor: floor, level: kernel_encode_best())
                    var short: [Int] = []
                    for (row, input) in pending.enumerated() {
                        let start = box.scratch.offsets.base[row], count = box.scratch.offsets.base[row + 1] - start
                        if count < k && floor > 0 { short.append(input); continue }
                        let kept = kernel_keep_largest(box.scratch.features.base + start, box.scratch.values.base + start, count, k, &leasts[input])
                        code.reserve(code.count + kept)
                        (code.features.base + code.count).update(from: box.scratch.features.base + start, count: kept)
                        (code.values.base + code.count).update(from: box.scratch.values.base + start, count: kept)
                        chosen[input] = code.count..<code.count + kept
                        code.count += kept
                    }
                    pending = short
                }
            }
            code.arrange(chosen)
            leasts.sort()
            floors.base[place] = 0.9 * leasts[inputs.count / 32]
        }
        lastFloor = floors.elements.min()!
    }

    /// The `most` greatest of the batch; of equal ones the first.
    private func encodeBatchTopK(_ rows: Int, _ most: Int) throws {
        let slabs = workspace.slabs.filter { $0.lowerBound < rows }, codes = workspace.codes[..<slabs.count]
        func total() -> Int { codes.reduce(0) { $0 + $1.count } }
        if lastFloor <= 0 {
            // The first slab tells about where the others' greatest lie.
            try encodeSlabs(rows, floor: 0, only: 1)
            let likely = 2 * most * slabs[0].clamped(to: 0..<rows).count / rows
            if likely < codes[0].count { lastFloor = leastOf(codes[..<1], greatest: likely) }
        }
        try encodeSlabs(rows, floor: max(0, lastFloor))
        if total() < most && lastFloor > 0 { try encodeSlabs(rows, floor: 0) }
        guard total() > 0 else { leastKept = nil; lastFloor = 0; return }
        let least = leastOf(codes, greatest: min(most, total()))
        leastKept = least
        lastFloor = 0.8 * least
        guard total() > most else { return }
        var equal = most - codes.reduce(0) { $0 + $1.countAbove(least) }
        for (place, code) in codes.enumerated() { code.keep(above: least, equal: &equal, inputs: slabs[place].clamped(to: 0..<rows).count) }
    }

    /// The `count`-th greatest value of some codes, which have as many.
    private func leastOf(_ codes: ArraySlice<Code>, greatest count: Int) -> Float {
        let total = codes.reduce(0) { $0 + $1.count }
        var features = Buffer<UInt32>(), values = Buffer<Float>(), at = 0, least: Float = 0
        features.reserve(total)
        values.reserve(total)
        for code in codes {
            (values.base + at).update(from: code.values.base, count: code.count)
            (features.base + at).update(from: code.features.base, count: code.count)
            at += code.count
        }
        _ = kernel_keep_largest(features.base, values.base, total, count, &least)
        return least
    }

    /// The code of dead features, whose encoder rows are gathered in `rows` (features of `dead` × width): the k greatest positive
    /// pre-activations of each input, in `workspace.auxiliaryCodes`.
    func encodeDead(_ dead: [Int], k: Int, rows count: Int) throws {
        let workspace = workspace, width = plan.width
        let rows = Matrix(uninitializedRows: dead.count, columns: width), bias = parameters.encoderBias.value.base
        for (place, feature) in dead.enumerated() { (rows.base + place * width).update(from: parameters.encoder.value.base + feature * width, count: width) }
        let gathered = Address(rows.base), biases = Address(bias)
        let slabs = workspace.slabs.filter { $0.lowerBound < count }
        try forEachInParallel(slabs.count, threads: threads) { place in
            let inputs = slabs[place].clamped(to: 0..<count), code = workspace.auxiliaryCodes[place]
            let product = Matrix(uninitializedRows: inputs.count, columns: dead.count)
            sgemm(m: inputs.count, n: dead.count, k: width, a: workspace.input.base + inputs.lowerBound * width, b: gathered.base, transposeB: true, c: product.base)
            code.begin(inputs: inputs.count, reserving: inputs.count * min(k, dead.count))
            for input in 0..<inputs.count {
                let row = product.base + input * dead.count, start = code.count
                code.reserve(start + dead.count)
                for (place, feature) in dead.enumerated() {
                    let value = row[place] + biases.base[feature]
                    guard value > 0 else { continue }
                    code.features.base[code.count] = UInt32(feature)
                    code.values.base[code.count] = value
                    code.count += 1
                }
                var least: Float = 0
                code.count = start + kernel_keep_largest(code.features.base + start, code.values.base + start, code.count - start, k, &least)
                code.offsets.base[input + 1] = code.count
            }
        }
    }
}

extension Code {
    /// Puts the entries in order of input, given where each input's stand.
    func arrange(_ chosen: [Range<Int>]) {
        let isInOrder = zip(chosen, chosen.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }
        if !isInOrder {
            var sortedFeatures = Buffer<UInt32>(), sortedValues = Buffer<Float>(), at = 0
            sortedFeatures.reserve(count)
            sortedValues.reserve(count)
            for range in chosen {
                (sortedFeatures.base + at).update(from: features.base + range.lowerBound, count: range.count)
                (sortedValues.base + at).update(from: values.base + range.lowerBound, count: range.count)
                at += range.count
            }
            features.base.update(from: sortedFeatures.base, count: count)
            values.base.update(from: sortedValues.base, count: count)
        }
        var end = 0
        for (input, range) in chosen.enumerated() { end += range.count; offsets.base[input + 1] = end }
    }

    func countAbove(_ least: Float) -> Int {
        var above = 0
        for place in 0..<count where values.base[place] > least { above += 1 }
        return above
    }

    /// Keeps what is above `least`, and of what equals it the first `equal`, which are taken off.
    func keep(above least: Float, equal: inout Int, inputs: Int) {
        var kept = 0, place = 0
        for input in 0..<inputs {
            let end = offsets.base[input + 1]
            while place < end {
                let value = values.base[place]
                if value > least || (value == least && equal > 0) {
                    if value == least { equal -= 1 }
                    features.base[kept] = features.base[place]
                    values.base[kept] = value
                    kept += 1
                }
                place += 1
            }
            offsets.base[input + 1] = kept
        }
        count = kept
    }
}

extension EncoderScratch {
    /// Names the rows to be encoded, as they are.
    mutating func prepare(_ count: Int, _ row: (Int) -> UInt32) {
        rows.reserve(count)
        shifts.reserve(count)
        scales.reserve(count)
        for place in 0..<count {
            rows.base[place] = row(place)
            shifts.base[place] = 0
            scales.base[place] = 1
        }
    }
}

/// A pointer that threads may share; who writes where is settled by the work's pieces.
struct Address<Element>: @unchecked Sendable {
    let base: UnsafeMutablePointer<Element>
    init(_ base: UnsafeMutablePointer<Element>) { self.base = base }
}

/// Sums in double precision, one row a piece of work.
final class Matrix64: @unchecked Sendable {
    let base: UnsafeMutablePointer<Double>
    let rows: Int
    let columns: Int

    init(rows: Int, columns: Int) {
        (self.rows, self.columns) = (rows, columns)
        base = .allocate(capacity: max(1, rows * columns))
        base.initialize(repeating: 0, count: max(1, rows * columns))
    }

    deinit { base.deallocate() }

    /// The rows' sum, in their order.
    func columnSums() -> [Double] {
        var sums = [Double](repeating: 0, count: columns)
        for row in 0..<rows { for column in 0..<columns { sums[column] += base[row * columns + column] } }
        return sums
    }
}
