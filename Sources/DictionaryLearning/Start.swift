import Diagnostics
import Glibc
import Kernels
import Numerics

// Where training begins.

extension Trainer {
    func begin(with sample: borrowing Matrix) throws {
        inputScale = try scale(of: sample)
        let width = plan.width, features = plan.features, encoder = parameters.encoder.value.base, decoder = parameters.decoder.value.base
        switch design.start {
        case .kaimingUniform:
            let bound = 1 / Double(width).squareRoot()
            for place in 0..<features * width { encoder[place] = Float((2 * generator.uniform() - 1) * bound) }
            for place in 0..<features * width { decoder[place] = Float(2 * generator.uniform() - 1) }
            for feature in 0..<features { kernel_normalise(decoder + feature * width, width) }
        case .tied(let norm):
            for feature in 0..<features {
                let row = decoder + feature * width
                for column in 0..<width { row[column] = Float(generator.normal()) }
                kernel_normalise(row, width)
                if norm != 1 { kernel_scale_and_shift(row, Float(norm), nil, row, width) }
            }
            encoder.update(from: decoder, count: features * width)
        }
        if case .jumpReLU(let threshold, _) = design.activation { parameters.logThreshold.value.elements.update(repeating: Float(log(threshold))) }
        if design.startsAtGeometricMedian {
            let rows = min(sample.rows, Trainer.medianRows)
            let median = geometricMedian(of: UnsafeBufferPointer(start: sample.base, count: rows * width), width: width)
            for column in 0..<width { parameters.decoderBias.value.base[column] = Float(median[column] * Double(inputScale)) }
        }
        refreshAll()
    }

    /// Of so many inputs the median is as good as of all.
    static let medianRows = 8192

    private func scale(of sample: borrowing Matrix) throws -> Float {
        var norms = 0.0, squares = 0.0
        for row in 0..<sample.rows {
            let square = kernel_squares(sample.base + row * sample.columns, sample.columns)
            guard square.isFinite else { throw MonosemeError("input \(row) of the first \(sample.rows) is not finite", hint: "check the activations for NaN and infinity") }
            squares += square
            norms += square.squareRoot()
        }
        guard squares > 0 else { throw MonosemeError("the first \(sample.rows) inputs are all zero", hint: "is the hook point the right one?") }
        let rows = Double(sample.rows)
        return switch design.inputScale {
        case .one: 1
        case .meanNorm: Float(Double(sample.columns).squareRoot() / (norms / rows))
        case .meanSquare: Float(1 / (squares / rows).squareRoot())
        }
    }
}

/// The point with the least sum of distances to the rows of `rows` (… × width): Weiszfeld's iteration from the mean, until it moves by
/// less than 10⁻⁵ of its length, or 100 times.
func geometricMedian(of rows: UnsafeBufferPointer<Float>, width: Int, iterations: Int = 100, tolerance: Double = 1e-5) -> [Double] {
    let count = rows.count / width
    var median = [Double](repeating: 0, count: width)
    for row in 0..<count { for column in 0..<width { median[column] += Double(rows[row * width + column]) / Double(count) } }
    var difference = [Float](repeating: 0, count: width), sums = median
    for _ in 0..<iterations {
        let center = median.map { Float($0) }
        for column in 0..<width { sums[column] = 0 }
        var weights = 0.0
        for row in 0..<count {
            let x = rows.baseAddress! + row * width
            kernel_scale_and_shift(x, 1, center, &difference, width)
            // A row at the very point pulls nowhere.
            let distance = kernel_squares(difference, width).squareRoot()
            guard distance > 1e-12 else { continue }
            weights += 1 / distance
            kernel_add_scaled_double(&sums, x, 1 / distance, width)
        }
        guard weights > 0 else { return median }
        var moved = 0.0, length = 0.0
        for column in 0..<width {
            let next = sums[column] / weights
            moved += (next - median[column]) * (next - median[column])
            length += next * next
            median[column] = next
        }
        if moved <= tolerance * tolerance * length { break }
    }
    return median
}
