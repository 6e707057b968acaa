import Diagnostics
import Kernels
public import Numerics

extension SparseAutoencoder {
    /// Appends to `firings` every firing of the tokens of `x` (tokens × width).
    ///
    /// A token's firings are the same, bit for bit, in whatever block it comes, and on every processor with fused
    /// multiply-add. Speed: the matrix product itself is what takes the time; see `kernel_encode`.
    /// - Throws: `MonosemeError` naming the row, when `x` holds a NaN or an infinity; `firings` is then as it was.
    public func encode(_ x: borrowing Matrix, into firings: inout Firings, scratch: inout EncoderScratch) throws {
        try encode(x, into: &firings, scratch: &scratch, level: kernel_encode_best())
    }

    /// Every firing of the tokens of `x` (tokens × width).
    public func encode(_ x: borrowing Matrix) throws -> Firings {
        var firings = Firings()
        var scratch = EncoderScratch()
        try encode(x, into: &firings, scratch: &scratch)
        return firings
    }

    func encode(_ x: borrowing Matrix, into firings: inout Firings, scratch: inout EncoderScratch, level: Int32) throws {
        precondition(x.columns == width, "an SAE of width \(width) was given activations of width \(x.columns)")
        let bad = kernel_first_not_finite(x.base, x.count)
        guard bad == x.count else {
            throw MonosemeError(
                "activation \(bad % width) of row \(bad / width) is \(x.base[bad])",
                hint: "the model's weights may be damaged, or its activations too large for single precision")
        }
        var first = 0
        while first < x.rows {
            let isExploring = if case .topK = activation { scratch.floor == nil } else { false }
            let tokens = min(isExploring ? Int(ENCODE_TOKENS) : tileTokens, x.rows - first)
            scratch.rows.reserve(tokens)
            for token in 0..<tokens { scratch.rows.base[token] = UInt32(first + token) }
            if case .topK(let k) = activation {
                encodeTopK(k, x, tokens: tokens, into: &firings, &scratch, level)
            } else {
                run(x, tokens: tokens, floor: 0, &scratch, level)
                scale(scratch.features.base, scratch.values.base, scratch.offsets.base[tokens])
                for token in 0..<tokens {
                    let (start, end) = (scratch.offsets.base[token], scratch.offsets.base[token + 1])
                    firings.append(
                        .init(start: scratch.features.base + start, count: end - start), .init(start: scratch.values.base + start, count: end - start))
                }
            }
            first += tokens
        }
    }

    /// Tokens that are multiplied with one panel after the other.
    ///
    /// Of 512 numbers 264, which stay in half of a second-level cache of 1 MB: candidates' rows come from there. Each tile fetches the
    /// whole encoder, 5 bytes a weight; where that is more than a third-level cache may hold, 768, so that memory is read less often.
    private var tileTokens: Int {
        let group = Int(ENCODE_TOKENS), numbers = 5 * width * features <= 1 << 24 ? 140_000 : 400_000
        return min(max(numbers / width / group, 1), 64) * group
    }

    /// The firings of the rows of `x` that the first `tokens` of `scratch.rows` name.
    private func run(_ x: borrowing Matrix, tokens: Int, floor: Float, _ scratch: inout EncoderScratch, _ level: Int32) {
        scratch.shifts.reserve(tokens)
        scratch.scales.reserve(tokens)
        for token in 0..<tokens {
            let change = InputChange(configuration.normalization, x.base + Int(scratch.rows.base[token]) * width, width)
            scratch.shifts.base[token] = change.shift
            scratch.scales.base[token] = change.scale
        }
        scratch.run(encoder, x.base, count: tokens, floor: floor, level: level)
    }

    private func scale(_ features: UnsafePointer<UInt32>, _ values: UnsafeMutablePointer<Float>, _ count: Int) {
        activationScales.withUnsafeBufferPointer { kernel_scale_firings(features, values, count, $0.baseAddress) }
    }

    /// The k largest of each of the `tokens` rows that `scratch.rows` names.
    ///
    /// Only pre-activations above a floor a little below the usual k-th largest are ever written down. A token with
    /// fewer than k above it is done again with a lower floor, at last 0, where all that could be chosen are seen.
    private func encodeTopK(_ k: Int, _ x: borrowing Matrix, tokens: Int, into firings: inout Firings, _ scratch: inout EncoderScratch, _ level: Int32) {
        let usual = scratch.floor ?? 0
        var floors = [0, usual / 4, usual]
        var pending = Array(0..<tokens)
        var total = 0
        var leasts = [Float](repeating: 0, count: tokens)
        let firstRow = scratch.rows.base[0]
        scratch.chosen = [Range<Int>](repeating: 0..<0, count: tokens)
        while !pending.isEmpty, let floor = floors.popLast() {
            for (place, token) in pending.enumerated() { scratch.rows.base[place] = firstRow + UInt32(token) }
            run(x, tokens: pending.count, floor: floor, &scratch, level)
            var short: [Int] = []
            for (place, token) in pending.enumerated() {
                let start = scratch.offsets.base[place], count = scratch.offsets.base[place + 1] - start
                if count < k && floor > 0 { short.append(token); continue }
                let (features, values) = (scratch.features.base + start, scratch.values.base + start)
                let kept = kernel_keep_largest(features, values, count, k, &leasts[token])
                scratch.chosenFeatures.reserve(total + kept, keeping: total)
                scratch.chosenValues.reserve(total + kept, keeping: total)
                (scratch.chosenFeatures.base + total).update(from: features, count: kept)
                (scratch.chosenValues.base + total).update(from: values, count: kept)
                scratch.chosen[token] = total..<total + kept
                total += kept
            }
            pending = short
        }
        scale(scratch.chosenFeatures.base, scratch.chosenValues.base, total)
        for range in scratch.chosen {
            firings.append(
                .init(start: scratch.chosenFeatures.base + range.lowerBound, count: range.count),
                .init(start: scratch.chosenValues.base + range.lowerBound, count: range.count))
        }
        leasts.sort()
        scratch.floor = min(0.9 * leasts[tokens / 32], .greatestFiniteMagnitude)
    }
}
