import Diagnostics
import Formats
import Glibc
import Kernels
import Numerics

/// The tensors of one SAE, checked against its configuration: every one that is needed, and no other.
///
/// Names and shapes as SAELens writes them. The decoder already carries the finetuning scale, if there is one.
struct Weights: ~Copyable {
    let encoder: Matrix  // W_enc (width × features)
    let decoder: Matrix  // W_dec (features × width)
    let decoderBias: [Float]  // b_dec (width)
    /// b_enc, or b_gate of a gated SAE.
    let encoderBias: [Float]  // (features)
    /// For JumpReLU; of zeros otherwise.
    let threshold: [Float]  // (features)
    /// exp(r_mag) and b_mag of a gated SAE.
    let magnitude: (gain: [Float], bias: [Float])?
    let dtype: String

    init(_ file: SafetensorsFile, _ configuration: SAEConfiguration) throws {
        var reader = TensorReader(file: file, architecture: configuration.architectureAsWritten)
        let (width, features) = (configuration.width, configuration.features)
        let encoder = try reader.matrix("W_enc", [width, features])
        let decoder = try reader.matrix("W_dec", [features, width])
        let decoderBias = try reader.vector("b_dec", width)
        let isGated = configuration.architecture == .gated
        let encoderBias = try reader.vector(isGated ? "b_gate" : "b_enc", features)
        let magnitude = isGated ? try reader.magnitude(features) : nil
        let threshold = try reader.threshold(features, configuration)
        for (feature, factor) in try reader.finetuningScale(features, expected: configuration.hasFinetuningScale).enumerated() where factor != 1 {
            for column in 0..<width { decoder.base[feature * width + column] *= factor }
        }
        try reader.refuseOthers()

        self.dtype = file["W_enc"]?.dtype.rawValue ?? ""
        (self.decoderBias, self.encoderBias, self.threshold, self.magnitude) = (decoderBias, encoderBias, threshold, magnitude)
        self.encoder = encoder
        self.decoder = decoder
    }
}

private struct TensorReader {
    let file: SafetensorsFile
    let architecture: String
    var used: Set<String> = []

    init(file: SafetensorsFile, architecture: String) {
        self.file = file
        self.architecture = architecture
    }

    func problem(_ text: String, hint: String? = nil) -> MonosemeError {
        MonosemeError("\(quoted(file.path, limit: 400)): \(text)", hint: hint)
    }

    private mutating func tensor(_ name: String, _ shapes: [[Int]]) throws -> SafetensorsTensor {
        guard let tensor = file[name] else {
            throw problem(
                "tensor \(quoted(name)) is missing, which architecture \(quoted(architecture)) needs",
                hint: "the file holds " + (file.names.isEmpty ? "no tensors" : file.names.sorted().prefix(12).map { quoted($0) }.joined(separator: ", ")))
        }
        guard shapes.contains(tensor.shape) else {
            throw problem(
                "tensor \(quoted(name)) has shape \(tensor.shape) where cfg.json asks for \(shapes[0])",
                hint: "d_in and d_sae in cfg.json must be those of the tensors: do both files belong to the same run?")
        }
        guard [.f32, .f16, .bf16, .f64].contains(tensor.dtype) else {
            throw problem("tensor \(quoted(name)) holds \(tensor.dtype.rawValue) where F32, F16, BF16 or F64 is needed")
        }
        used.insert(name)
        return tensor
    }

    mutating func matrix(_ name: String, _ shape: [Int]) throws -> Matrix {
        let matrix = try tensor(name, [shape]).matrix()
        let place = kernel_first_not_finite(matrix.base, matrix.count)
        if place < matrix.count {
            throw problem("tensor \(quoted(name)) holds \(matrix.base[place]) at [\(place / shape[1]), \(place % shape[1])]")
        }
        return matrix
    }

    mutating func vector(_ name: String, _ count: Int) throws -> [Float] {
        let vector = try tensor(name, [[count]]).floats()
        if let place = vector.firstIndex(where: { !$0.isFinite }) { throw problem("tensor \(quoted(name)) holds \(vector[place]) at [\(place)]") }
        return vector
    }

    mutating func scalar(_ name: String) throws -> Float {
        let numbers = try tensor(name, [[], [1]]).floats()
        guard numbers.count == 1, numbers[0].isFinite else { throw problem("tensor \(quoted(name)) holds \(numbers)") }
        return numbers[0]
    }

    mutating func magnitude(_ features: Int) throws -> (gain: [Float], bias: [Float]) {
        let gain = try vector("r_mag", features).map(expf)
        if let place = gain.firstIndex(where: { !$0.isFinite }) {
            throw problem("tensor \"r_mag\" at [\(place)] has an exponential beyond single precision")
        }
        return (gain, try vector("b_mag", features))
    }

    mutating func threshold(_ features: Int, _ configuration: SAEConfiguration) throws -> [Float] {
        if configuration.hasSharedThreshold { return [Float](repeating: try scalar("topk_threshold"), count: features) }
        guard configuration.architecture == .jumpReLU else { return [Float](repeating: 0, count: features) }
        // Checkpoints of the training form hold the logarithm.
        let isLogarithm = file["threshold"] == nil && file["log_threshold"] != nil
        return isLogarithm ? try vector("log_threshold", features).map(expf) : try vector("threshold", features)
    }

    /// What the decoder multiplies each feature by: `finetuning_scaling_factor`, in versions 1 to 3 `scaling_factor`.
    /// Ones were written for years whether or not the scale was in use; anything else must be announced by cfg.json.
    mutating func finetuningScale(_ features: Int, expected: Bool) throws -> [Float] {
        let ones = [Float](repeating: 1, count: features)
        var scale: [Float]?
        for name in ["finetuning_scaling_factor", "scaling_factor"] where file[name] != nil {
            let factors = try vector(name, features)
            let isOne = factors.allSatisfy { abs($0 - 1) <= 1e-5 }
            if name == "scaling_factor" && isOne { continue }
            if !expected && !isOne {
                throw problem("tensor \(quoted(name)) is not all ones, but cfg.json does not set finetuning_scaling_factor")
            }
            if scale != nil { throw problem("both finetuning_scaling_factor and scaling_factor are given") }
            scale = factors
        }
        if expected && scale == nil && file["scaling_factor"] == nil {
            throw problem("tensor \"finetuning_scaling_factor\" is missing, but cfg.json sets finetuning_scaling_factor")
        }
        return scale ?? ones
    }

    func refuseOthers() throws {
        let others = file.names.filter { !used.contains($0) }.sorted()
        guard let first = others.first else { return }
        throw problem(
            "tensor \(quoted(first)) is not part of architecture \(quoted(architecture))"
                + (others.count > 1 ? ", nor are \(others.count - 1) others" : ""),
            hint: "a tensor that goes unused would change the result: is cfg.json's architecture the right one?")
    }
}
