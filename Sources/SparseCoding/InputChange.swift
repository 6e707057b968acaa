import Kernels

/// What a normalising SAE does to one token: (x − shift) · scale before the encoder, r · outputScale + shift after the
/// decoder.
struct InputChange {
    var shift: Float = 0
    var scale: Float = 1
    var outputScale: Float = 1
    var isNone = true

    /// The change for the token at `x`, of `width` numbers.
    init(_ normalization: SAEConfiguration.Normalization, _ x: UnsafePointer<Float>, _ width: Int) {
        var mean = 0.0, squares = 0.0
        switch normalization {
        case .none, .expectedAverage: return
        case .layerNorm:
            kernel_row_moments(x, width, 1, &mean, &squares)
            // Unbiased, and 10⁻⁵ added to the deviation rather than the variance: the rule of OpenAI's GPT-2 SAEs.
            let deviation = (squares / Double(width - 1)).squareRoot()
            shift = Float(mean)
            scale = Float(1 / (deviation + 1e-5))
            outputScale = Float(deviation)
        case .constantNorm:
            kernel_row_moments(x, width, 0, &mean, &squares)
            guard squares > 0 else { return }
            let factor = (Double(width) / squares).squareRoot()
            scale = Float(factor)
            outputScale = Float(1 / factor)
        }
        isNone = false
    }
}
