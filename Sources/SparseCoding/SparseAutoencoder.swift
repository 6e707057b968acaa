import Diagnostics
import Formats
import Kernels
public import Numerics

/// A sparse autoencoder as SAELens saved it, brought to the catalogue's convention: decoder rows have length 1, and an
/// activation is the file's own times the length its row had.
///
/// Which features fire is decided in the file's own units; only what fires is then scaled, so TopK keeps the same k
/// as the original. A decoder row of zeros stays zero, and its feature's activations stay as they are. A
/// `finetuning_scaling_factor` counts as part of the decoder row, and so of its length.
///
/// Activations come in as SAELens feeds them: raw rows at `configuration.hookName`, heads side by side for `hook_z`.
/// Safe to use from several threads at once, each with its own `EncoderScratch`.
public final class SparseAutoencoder: Sendable {
    /// What decides whether a feature fires.
    public enum Activation: Sendable, Equatable {
        case relu
        /// The largest k pre-activations of a token, those of them that are positive.
        case topK(Int)
        /// What is strictly above the feature's own threshold.
        case jumpReLU
        /// What a gate lets through.
        case gated
    }

    public let configuration: SAEConfiguration
    public let activation: Activation
    /// Numbers per token.
    public let width: Int
    public let features: Int
    /// The length of each row of W_dec before it was brought to 1, in the input's units; 0 for a row of zeros.
    public let decoderNorms: [Float]
    /// The factor from the file's own activation to the catalogue's: `decoderNorms`, but 1 for a row of zeros and where
    /// `rescale_acts_by_decoder_norm` has already put the length into the activation.
    public let activationScales: [Float]
    /// Unit rows (features × width); rows of zeros stay zero.
    public let decoder: Matrix
    /// b_dec, which every reconstruction begins with (width).
    public let decoderBias: [Float]
    /// The type of W_enc's numbers in the file, such as "F32".
    public let weightsDType: String
    /// SHA-256 of `sae_weights.safetensors`, in hexadecimal.
    public let weightsSHA256: String

    let encoder: PackedEncoder

    /// Reads `cfg.json` and `sae_weights.safetensors` from `folder`.
    ///
    /// - Parameter inputScale: the factor √width / mean‖x‖ by which the training run multiplied its activations, for
    ///   an SAE that says `expected_average_only_in` and so was saved without it; 1 if that is known to be right.
    /// - Throws: `MonosemeError` naming the file, the option or tensor, and what was found there. Nothing is guessed: an
    ///   option or tensor that is not understood is an error.
    public init(folder: String, inputScale: Float? = nil) throws {
        let configurationPath = folder + "/cfg.json", weightsPath = folder + "/sae_weights.safetensors"
        for path in [configurationPath, weightsPath] where kind(of: path) == .missing {
            throw MonosemeError(
                "there is no \(quoted(path, limit: 400))", hint: "an SAE is a folder with cfg.json and sae_weights.safetensors, as SAELens saves it")
        }
        configuration = try SAEConfiguration(contentsOf: configurationPath)
        let scale = try Self.checked(inputScale: inputScale, configuration, path: configurationPath)
        let file = try SafetensorsFile(weightsPath)
        let weights = try Weights(file, configuration)

        width = configuration.width
        features = configuration.features
        activation =
            switch configuration.architecture {
            case .standard: .relu
            case .topK: .topK(configuration.k ?? configuration.features)
            case .jumpReLU: .jumpReLU
            case .gated: .gated
            }
        weightsSHA256 = file.sha256
        weightsDType = weights.dtype
        decoderBias = weights.decoderBias.map { $0 / scale }

        let ownNorms = Self.lengths(of: weights.decoder)
        if let feature = ownNorms.firstIndex(where: { !$0.isFinite }) {
            throw MonosemeError("\(quoted(weightsPath, limit: 400)): row \(feature) of W_dec is too long for single precision")
        }
        let rescales = configuration.rescalesByDecoderNorm
        encoder = PackedEncoder(weights, configuration, rowFactors: rescales ? ownNorms : nil, inputScale: scale)
        decoderNorms = ownNorms.map { Float($0 / Double(scale)) }
        activationScales = decoderNorms.map { $0 == 0 ? 1 : (rescales ? 1 / scale : $0) }
        decoder = Self.unitRows(of: weights.decoder, ownNorms)
    }

    private static func checked(inputScale: Float?, _ configuration: SAEConfiguration, path: String) throws -> Float {
        guard configuration.normalization == .expectedAverage else {
            guard inputScale == nil else {
                throw MonosemeError(
                    "an input scale was given, but \(quoted(path, limit: 400)) has normalize_activations \(quoted(configuration.normalization.rawValue))",
                    hint: "leave the input scale out: this SAE takes activations as they are")
            }
            return 1
        }
        guard let inputScale else {
            throw MonosemeError(
                "\(quoted(path, limit: 400)) has normalize_activations \"expected_average_only_in\", so it expects activations multiplied by a factor that it does not hold",
                hint: "give the input scale with --input-scale: sqrt(d_in) / mean norm of the training activations, or save the SAE again with the factor folded in")
        }
        guard inputScale.isNormal, inputScale > 0 else { throw MonosemeError("the input scale \(inputScale) is not a positive number") }
        return inputScale
    }

    private static func lengths(of matrix: borrowing Matrix) -> [Double] {
        var lengths: [Double] = []
        lengths.reserveCapacity(matrix.rows)
        for row in 0..<matrix.rows {
            var mean = 0.0, squares = 0.0
            kernel_row_moments(matrix.base + row * matrix.columns, matrix.columns, 0, &mean, &squares)
            let length = squares.squareRoot()
            lengths.append(Float(length).isFinite ? (Float(length) == 0 ? 0 : length) : .infinity)
        }
        return lengths
    }

    private static func unitRows(of matrix: borrowing Matrix, _ lengths: [Double]) -> Matrix {
        let unit = Matrix(rows: matrix.rows, columns: matrix.columns)
        for row in 0..<matrix.rows where lengths[row] > 0 {
            let from = matrix.base + row * matrix.columns, to = unit.base + row * matrix.columns
            for column in 0..<matrix.columns { to[column] = Float(Double(from[column]) / lengths[row]) }
        }
        return unit
    }

    /// The cosine between each feature's encoder column and decoder row; 0 where either is zero.
    public func encoderDecoderCosines() -> [Float] {
        (0..<features).map { feature in
            let column = encoder.row(feature)
            var mean = 0.0, squares = 0.0
            kernel_row_moments(column, width, 0, &mean, &squares)
            let inner = kernel_dot(column, decoder.base + feature * width, width)
            return squares > 0 ? Float(Double(inner) / squares.squareRoot()) : 0
        }
    }

    /// The activations that `firings` stand for, in the input's own units (tokens × width).
    ///
    /// - Parameter x: the activations that were encoded (tokens × width): normalising SAEs put back what they took away.
    public func reconstruct(_ firings: borrowing Firings, of x: borrowing Matrix) -> Matrix {
        precondition(x.rows == firings.tokens && x.columns == width)
        precondition(firings.features.allSatisfy { $0 < UInt32(features) })
        let output = Matrix(uninitializedRows: x.rows, columns: width)
        for token in 0..<x.rows {
            let row = output.base + token * width, range = firings[token]
            for column in 0..<width { row[column] = decoderBias[column] }
            firings.features.withUnsafeBufferPointer { features in
                firings.values.withUnsafeBufferPointer { values in
                    guard let features = features.baseAddress, let values = values.baseAddress else { return }
                    kernel_decode(decoder.base, width, features + range.lowerBound, values + range.lowerBound, range.count, row)
                }
            }
            let change = InputChange(configuration.normalization, x.base + token * width, width)
            if change.isNone { continue }
            for column in 0..<width { row[column] = row[column] * change.outputScale + change.shift }
        }
        return output
    }
}
