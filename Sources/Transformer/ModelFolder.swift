import Diagnostics
import Formats
import Glibc
import LinearAlgebra

/// Loads the model in a folder as Hugging Face lays it out: config.json and safetensors weights.
/// - Throws: `MonosemeError` naming the architecture, option or tensor that is missing, unknown or out of range.
public func loadLanguageModel(folder: String) throws -> any LanguageModel {
    try loadLinearAlgebra()
    let folder = try ModelFolder(folder)
    guard let architecture = folder.configuration["model_type"]?.string else {
        throw folder.problem("model_type is missing", hint: "supported architectures: \(supported)")
    }
    guard let load = architectures[architecture] else {
        throw folder.problem("architecture \(quoted(architecture)) is not supported", hint: "supported architectures: \(supported)")
    }
    return try load(folder)
}

private let architectures: [String: @Sendable (ModelFolder) throws -> any LanguageModel] = [
    "gpt2": { try PreNormDecoder(gpt2: $0) },
    "gpt_neox": { try PreNormDecoder(gptNeoX: $0) },
]
private var supported: String { architectures.keys.sorted().joined(separator: ", ") }

/// A model's config.json and weights, read with checks: what comes out is in range, finite and of the right shape.
struct ModelFolder {
    let name: String
    let configuration: JSON
    let weights: SafetensorsFolder
    private let path: String

    init(_ path: String) throws {
        self.path = path
        guard let real = realpath(path, nil) else { throw MonosemeError("there is no folder \(quoted(path, limit: 400))") }
        defer { free(real) }
        name = String(cString: real).split(separator: "/").last.map(String.init) ?? "/"
        let file = try MappedFile("\(path)/config.json")
        do {
            configuration = try file.withBytes { try JSON(parsing: $0) }
        } catch {
            throw MonosemeError("\(quoted(file.path, limit: 400)) is not valid JSON: \(error)")
        }
        guard configuration.object != nil else { throw MonosemeError("\(quoted(file.path, limit: 400)) holds \(configuration.kind), not an object") }
        weights = try SafetensorsFolder(folder: path)
    }

    func problem(_ text: String, hint: String? = nil) -> MonosemeError { MonosemeError("model \(quoted(path, limit: 400)): \(text)", hint: hint) }

    // MARK: config.json

    /// The value of the first of `keys` that is there and not null.
    private func value(_ keys: [String]) -> (key: String, value: JSON)? {
        for key in keys { if let value = configuration[key], !value.isNull { return (key, value) } }
        return nil
    }

    /// A whole number of 1 … `maximum`; `keys` are its names, old and new.
    func size(_ keys: String..., default fallback: Int? = nil, maximum: Int = 1 << 24) throws -> Int {
        guard let (key, value) = value(keys) else {
            if let fallback { return fallback }
            throw problem("config.json lacks \(keys[0])")
        }
        guard let size = value.integer, size >= 1, size <= maximum else {
            throw problem("\(key) is \(Self.describe(value)), not a whole number of 1 … \(maximum)")
        }
        return size
    }

    func number(_ keys: String..., default fallback: Double, in range: ClosedRange<Double>) throws -> Double {
        guard let (key, value) = value(keys) else { return fallback }
        guard let number = value.number, range.contains(number) else {
            throw problem("\(key) is \(Self.describe(value)), not a number of \(range.lowerBound) … \(range.upperBound)")
        }
        return number
    }

    func flag(_ key: String, default fallback: Bool) throws -> Bool {
        guard let (_, value) = value([key]) else { return fallback }
        guard let flag = value.bool else { throw problem("\(key) is \(Self.describe(value)), not true or false") }
        return flag
    }

    func activation(_ key: String, default fallback: Activation) throws -> Activation {
        guard let (_, value) = value([key]) else { return fallback }
        guard let name = value.string, let activation = Activation(name) else {
            throw problem("\(key) \(Self.describe(value)) is not supported", hint: "supported: \(Activation.names.keys.sorted().joined(separator: ", "))")
        }
        return activation
    }

    /// `rope_parameters` of transformers 5, or `rope_scaling` of 4 and before; kinds other than plain and linear are refused.
    func rotaryParameters() throws -> (members: JSON, factor: Double) {
        guard let (key, value) = value(["rope_parameters", "rope_scaling"]) else { return (.object(.init()), 1) }
        guard value.object != nil else { throw problem("\(key) is \(value.kind), not an object") }
        let kind = value["rope_type"] ?? value["type"] ?? .string("default")
        switch kind.string {
        case "default": return (value, 1)
        case "linear":
            guard let factor = value["factor"]?.number, factor >= 1, factor <= 1e6 else {
                throw problem("\(key) has the factor \(value["factor"].map(Self.describe) ?? "missing"), not a number of 1 … 1e6")
            }
            return (value, factor)
        default: throw problem("\(key) of kind \(Self.describe(kind)) is not supported", hint: "supported: default, linear")
        }
    }

    private static func describe(_ value: JSON) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .bool(let flag): "\(flag)"
        case .unsigned(let number): "\(number)"
        case .negative(let number): "\(number)"
        case .real(let number): "\(number)"
        default: value.kind
        }
    }

    // MARK: weights

    /// The first of `prefixes` under which `name` is stored.
    func prefix(of name: String, among prefixes: [String]) throws -> String {
        guard let prefix = prefixes.first(where: { weights[$0 + name] != nil }) else { throw missing(prefixes[0] + name) }
        return prefix
    }

    /// A tensor of exactly this shape with finite numbers.
    func tensor(_ name: String, _ shape: [Int]) throws -> Weight {
        guard let tensor = weights[name] else { throw missing(name) }
        guard tensor.shape == shape else {
            throw problem("tensor \(quoted(name)) has shape \(tensor.shape) where config.json makes it \(shape)")
        }
        guard [.f16, .bf16, .f32, .f64].contains(tensor.dtype) else {
            throw problem("tensor \(quoted(name)) holds \(tensor.dtype.rawValue), which is not supported", hint: "quantised weights must be converted to F32, F16 or BF16")
        }
        let weight: Weight
        do { weight = Weight(try tensor.matrix()) } catch let error as MonosemeError { throw problem(error.message, hint: error.hint) }
        guard weight.isFinite else { throw problem("tensor \(quoted(name)) holds NaN or infinite numbers", hint: "the training run or the copy failed: use other weights") }
        return weight
    }

    private func missing(_ name: String) -> MonosemeError {
        problem("tensor \(quoted(name)) is missing", hint: "the weights do not belong to this config.json, or are of a variant without it")
    }
}
