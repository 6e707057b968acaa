import Kernels
import Numerics

/// The encoder as the kernel wants it: panels of 32 features, each (width × 32), and what each feature adds and needs.
///
/// b_dec · W_enc is taken from the bias once, instead of b_dec from every token.
struct PackedEncoder: ~Copyable, Sendable {
    let width: Int
    let features: Int
    private let weights: Matrix  // (panels × width · 32)
    private let parameters: Matrix  // (4 × panels · 32): bias, threshold, gain, offset
    private let isGated: Bool

    private static let panelWidth = Int(ENCODE_FEATURES)
    var panels: Int { weights.rows }

    /// - Parameter rowFactors: what pre-activations are multiplied by before they are judged, for TopK with
    ///   `rescale_acts_by_decoder_norm`.
    init(_ source: borrowing Weights, _ configuration: SAEConfiguration, rowFactors: [Double]?, inputScale: Float) {
        width = configuration.width
        features = configuration.features
        isGated = configuration.architecture == .gated
        let panelWidth = Self.panelWidth
        let panels = (features + panelWidth - 1) / panelWidth
        weights = Matrix(rows: panels, columns: width * panelWidth)
        parameters = Matrix(rows: 4, columns: panels * panelWidth)

        var subtracted = [Double](repeating: 0, count: features)
        for k in 0..<width {
            let row = source.encoder.base + k * features
            if configuration.appliesDecoderBiasToInput { kernel_add_scaled_double(&subtracted, row, Double(source.decoderBias[k]), features) }
            for panel in 0..<panels {
                let first = panel * panelWidth, target = weights.base + panel * width * panelWidth + k * panelWidth
                target.update(from: row + first, count: min(panelWidth, features - first))
            }
        }
        if inputScale != 1 { for place in 0..<weights.count { weights.base[place] *= inputScale } }
        if let rowFactors {
            for panel in 0..<panels {
                for j in 0..<min(panelWidth, features - panel * panelWidth) {
                    let factor = Float(rowFactors[panel * panelWidth + j]), column = weights.base + panel * width * panelWidth + j
                    for k in 0..<width { column[k * panelWidth] *= factor }
                }
            }
        }

        let (bias, threshold) = (parameters.base, parameters.base + parameters.columns)
        let (gain, offset) = (parameters.base + 2 * parameters.columns, parameters.base + 3 * parameters.columns)
        for feature in 0..<parameters.columns {
            guard feature < features else { bias[feature] = -.infinity; continue }
            bias[feature] = Float((Double(source.encoderBias[feature]) - subtracted[feature]) * (rowFactors?[feature] ?? 1))
            threshold[feature] = source.threshold[feature]
            guard let magnitude = source.magnitude else { continue }
            gain[feature] = magnitude.gain[feature]
            offset[feature] = Float(Double(magnitude.bias[feature]) - subtracted[feature] * Double(magnitude.gain[feature]))
        }
    }

    func panel(_ index: Int) -> encode_panel {
        let first = parameters.base + index * Self.panelWidth, stride = parameters.columns
        return encode_panel(
            weights: weights.base + index * width * Self.panelWidth, bias: first, threshold: first + stride,
            gain: isGated ? first + 2 * stride : nil, offset: first + 3 * stride, feature: UInt32(index * Self.panelWidth))
    }

    /// The column of one feature (width).
    func copyColumn(_ feature: Int, into column: inout [Float]) {
        let start = weights.base + feature / Self.panelWidth * width * Self.panelWidth + feature % Self.panelWidth
        for k in 0..<width { column[k] = start[k * Self.panelWidth] }
    }
}
