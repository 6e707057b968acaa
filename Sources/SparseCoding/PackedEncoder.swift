import Kernels
import Numerics

/// The encoder as the kernels want it: panels of 32 features, each as rows, as columns and as 8-bit codes.
///
/// b_dec · W_enc is taken from the bias once, instead of b_dec from every token.
package struct PackedEncoder: ~Copyable, Sendable {
    let width: Int
    let features: Int
    /// `width` rounded up to whole vectors.
    let stride: Int
    private let rows: Matrix  // (panels · 32 × stride)
    private let columns: Matrix  // (panels × width · 32)
    private let parameters: Matrix  // (panels × ENCODE_PARAMETERS · 32)
    private let codes: Matrix  // bytes (panels × ⌈width / 4⌉ · 128), in a matrix of as many words
    private let isGated: Bool

    private static let panelWidth = Int(ENCODE_FEATURES)
    var panels: Int { columns.rows }
    /// Whether the single-precision screen can be used.
    var hasColumns: Bool { columns.columns > 0 }
    /// Beyond it a product of 8-bit codes could leave 32 bits.
    static let widestCodes = 66_000

    /// - Parameter rowFactors: what pre-activations are multiplied by before they are judged, for TopK with
    ///   `rescale_acts_by_decoder_norm`.
    init(_ source: borrowing Weights, _ configuration: SAEConfiguration, rowFactors: [Double]?, inputScale: Float) {
        width = configuration.width
        features = configuration.features
        stride = (width + 15) / 16 * 16
        isGated = configuration.architecture == .gated
        let panelWidth = Self.panelWidth
        let panels = (features + panelWidth - 1) / panelWidth
        rows = Matrix(rows: panels * panelWidth, columns: stride)
        columns = Matrix(rows: panels, columns: width * panelWidth)
        parameters = Matrix(rows: panels, columns: Int(ENCODE_PARAMETERS) * panelWidth)
        codes = Matrix(rows: panels, columns: (width + 3) / 4 * panelWidth)

        var subtracted = [Double](repeating: 0, count: features)
        let factors = (0..<features).map { Float(rowFactors?[$0] ?? 1) * inputScale }
        for k in 0..<width {
            let row = source.encoder.base + k * features
            if configuration.appliesDecoderBiasToInput { kernel_add_scaled_double(&subtracted, row, Double(source.decoderBias[k]), features) }
            for feature in 0..<features {
                let (panel, j) = (feature / panelWidth, feature % panelWidth), weight = row[feature] * factors[feature]
                rows.base[feature * stride + k] = weight
                columns.base[(panel * width + k) * panelWidth + j] = weight
            }
        }
        for feature in 0..<panels * panelWidth {
            let (panel, j) = (feature / panelWidth, feature % panelWidth), own = parameters.base + panel * parameters.columns
            kernel_encode_code(rows.base + feature * stride, width, Self.codes(codes, panel), own, UInt32(j))
            func set(_ name: Int, _ value: Double) { own[name * panelWidth + j] = Float(value) }
            guard feature < features else { set(ENCODE_BIAS, -.infinity); continue }
            set(ENCODE_BIAS, (Double(source.encoderBias[feature]) - subtracted[feature]) * (rowFactors?[feature] ?? 1))
            set(ENCODE_THRESHOLD, Double(source.threshold[feature]))
            guard let magnitude = source.magnitude else { continue }
            set(ENCODE_GAIN, Double(magnitude.gain[feature]))
            set(ENCODE_OFFSET, Double(magnitude.bias[feature]) - subtracted[feature] * Double(magnitude.gain[feature]))
        }
    }

    /// An encoder to be filled by `load`, and filled anew after each step of training.
    package init(width: Int, features: Int) {
        (self.width, self.features, stride, isGated) = (width, features, (width + 15) / 16 * 16, false)
        let panelWidth = Self.panelWidth
        let panels = (features + panelWidth - 1) / panelWidth
        rows = Matrix(rows: panels * panelWidth, columns: stride)
        columns = Matrix(rows: panels, columns: kernel_encode_best() >= 3 && width <= Self.widestCodes ? 0 : width * panelWidth)
        parameters = Matrix(rows: panels, columns: Int(ENCODE_PARAMETERS) * panelWidth)
        codes = Matrix(rows: panels, columns: (width + 3) / 4 * panelWidth)
        for feature in features..<panels * panelWidth {
            parameters.base[(feature / panelWidth) * parameters.columns + Int(ENCODE_BIAS) * panelWidth + feature % panelWidth] = -.infinity
        }
    }

    /// Takes the encoder vectors of `chosen` from `source` (features × width), with their biases and thresholds (features; `nil` is zero).
    ///
    /// Different features may be loaded from different threads; nobody may encode meanwhile.
    package func load(_ chosen: Range<Int>, from source: UnsafePointer<Float>, bias: UnsafePointer<Float>, thresholds: UnsafePointer<Float>?) {
        let panelWidth = Self.panelWidth
        for feature in chosen {
            let (panel, j) = (feature / panelWidth, feature % panelWidth), own = parameters.base + panel * parameters.columns, row = rows.base + feature * stride
            row.update(from: source + feature * width, count: width)
            kernel_encode_code(row, width, Self.codes(codes, panel), own, UInt32(j))
            own[Int(ENCODE_BIAS) * panelWidth + j] = bias[feature]
            own[Int(ENCODE_THRESHOLD) * panelWidth + j] = thresholds?[feature] ?? 0
            guard hasColumns else { continue }
            let column = columns.base + panel * columns.columns + j
            for k in 0..<width { column[k * panelWidth] = row[k] }
        }
    }

    func panel(_ index: Int) -> encode_panel {
        let next = (index + 1) % panels
        return encode_panel(
            rows: rows.base + index * Self.panelWidth * stride, weights: columns.base + index * columns.columns, codes: Self.codes(codes, index),
            parameters: parameters.base + index * parameters.columns, gated: isGated ? 1 : 0, feature: UInt32(index * Self.panelWidth),
            next_rows: rows.base + next * Self.panelWidth * stride, next_codes: Self.codes(codes, next))
    }

    private static func codes(_ codes: borrowing Matrix, _ panel: Int) -> UnsafeMutablePointer<Int8> {
        UnsafeMutableRawPointer(codes.base + panel * codes.columns).assumingMemoryBound(to: Int8.self)
    }

    /// The encoder vector of one feature (width).
    func row(_ feature: Int) -> UnsafePointer<Float> { UnsafePointer(rows.base + feature * stride) }
}
