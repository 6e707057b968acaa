import Diagnostics
import Formats

/// The options of a `cfg.json`, whichever version of SAELens wrote it.
///
/// Version 6 nests what concerns the model in `metadata` and knows the activation from the architecture; before that
/// everything is flat and some keys had other names.
struct ConfigurationReader {
    let object: JSON.Object
    let metadata: JSON.Object
    let path: String
    let version: String?
    /// Written before version 6.
    let isFlat: Bool

    init(_ object: JSON.Object, path: String) throws {
        self.object = object
        self.path = path
        switch object["metadata"] {
        case nil, .null: metadata = JSON.Object()
        case .object(let nested): metadata = nested
        case let other?: throw Self.problem(path, "has metadata that is \(other.kind), not an object")
        }
        switch metadata["sae_lens_version"] ?? object["sae_lens_version"] {
        case nil, .null:
            version = nil
            isFlat = true
        case .string(let text):
            guard let major = Int(text.prefix { $0 != "." }), major >= 0 else {
                throw Self.problem(path, "has sae_lens_version \(quoted(text)), which is not a version number")
            }
            version = text
            isFlat = major < 6
        case let other?: throw Self.problem(path, "has sae_lens_version \(Self.text(other)), which is not a string")
        }
    }

    // MARK: Values by name

    /// The first of `names` that has a value; top level before metadata, `null` counts as absent.
    private func value(_ names: [String]) -> (name: String, value: JSON)? {
        for place in [object, metadata] {
            for name in names { if let value = place[name], !value.isNull { return (name, value) } }
        }
        return nil
    }

    func string(_ names: String...) throws -> String? {
        guard let (name, value) = value(names) else { return nil }
        guard let string = value.string else { throw mistyped(name, value, "a string") }
        return string
    }

    func bool(_ names: String...) throws -> Bool? {
        guard let (name, value) = value(names) else { return nil }
        guard let bool = value.bool else { throw mistyped(name, value, "true or false") }
        return bool
    }

    func integer(_ names: String...) throws -> Int? {
        guard let (name, value) = value(names) else { return nil }
        guard let integer = value.integer else { throw mistyped(name, value, "an integer") }
        return integer
    }

    /// A dimension: present and at least 1.
    func size(_ name: String) throws -> Int {
        guard let size = try integer(name) else { throw problem("does not say \(name)") }
        guard size >= 1, size <= Int(UInt32.max) else { throw problem("has \(name) \(size), which is out of range") }
        return size
    }

    func slice(_ name: String) throws -> [Int?]? {
        guard let (name, value) = value([name]) else { return nil }
        guard let elements = value.array, elements.allSatisfy({ $0.isNull || $0.integer != nil }) else {
            throw mistyped(name, value, "a list of integers")
        }
        let slice = elements.map(\.integer)
        return slice.allSatisfy { $0 == nil } ? nil : slice
    }

    // MARK: Options that decide the result

    /// What `architecture` (and, in flat files, the activation function) amounts to.
    func architecture(_ written: String) throws -> (SAEConfiguration.Architecture, k: Int?) {
        let activation = try string("activation_fn", "activation_fn_str")
        if let other = try string("activation_fn_str"), let activation, other != activation {
            throw problem("has both activation_fn \(quoted(activation)) and activation_fn_str \(quoted(other))")
        }
        guard [nil, "relu", "topk"].contains(activation) else {
            throw problem(
                "has activation_fn \(quoted(activation ?? "")), which is not supported", hint: "supported activations are relu and topk")
        }
        switch (written, activation) {
        case ("standard", nil), ("standard", "relu"): return (.standard, nil)
        case ("standard", "topk") where isFlat, ("topk", nil), ("topk", "topk"): return (.topK, try k())
        case ("jumprelu", nil), ("jumprelu", "relu"), ("batchtopk", nil), ("matryoshka_batchtopk", nil): return (.jumpReLU, nil)
        case ("gated", nil), ("gated", "relu"): return (.gated, nil)
        case ("standard", let other?), ("topk", let other?), ("jumprelu", let other?), ("gated", let other?), ("batchtopk", let other?),
            ("matryoshka_batchtopk", let other?):
            throw problem("has architecture \(quoted(written)) with activation_fn \(quoted(other)), which contradict each other")
        default:
            throw problem(
                "has architecture \(quoted(written)), which is not supported" + (Self.reasons[written].map { ": \($0)" } ?? ""),
                hint: "supported are standard, topk, batchtopk, matryoshka_batchtopk, jumprelu and gated")
        }
    }

    /// Why some architectures of SAELens are refused.
    private static let reasons = [
        "abstopk": "it keeps negative activations, and a firing here is a positive number",
        "matching_pursuit": "its encoder is a search, not a product",
        "temporal": "its activations depend on other tokens",
        "transcoder": "it predicts another layer's activations",
        "skip_transcoder": "it predicts another layer's activations",
        "jumprelu_transcoder": "it predicts another layer's activations",
        "jumprelu_skip_transcoder": "it predicts another layer's activations",
    ]

    private func k() throws -> Int {
        let arguments: JSON.Object
        switch value(["activation_fn_kwargs"])?.value {
        case nil: arguments = JSON.Object()
        case .object(let given): arguments = given
        case let other?: throw mistyped("activation_fn_kwargs", other, "an object")
        }
        if let signed = arguments["signed"], !signed.isNull, signed != .bool(false) {
            throw problem("has activation_fn_kwargs signed \(Self.text(signed)), which is not supported")
        }
        var k = try integer("k")
        if let given = arguments["k"], !given.isNull {
            guard let other = given.integer else { throw mistyped("activation_fn_kwargs k", given, "an integer") }
            if let k, k != other { throw problem("has both k \(k) and activation_fn_kwargs k \(other)") }
            k = other
        }
        guard let k else { throw problem("is TopK but does not say k") }
        guard k >= 1 else { throw problem("has k \(k), which is out of range") }
        return k
    }

    func normalization() throws -> SAEConfiguration.Normalization {
        switch value(["normalize_activations"])?.value {
        case nil, .bool(false): return .none
        case .bool(true): return .expectedAverage
        case let value?:
            guard let text = value.string, let normalization = SAEConfiguration.Normalization(rawValue: text) else {
                throw problem(
                    "has normalize_activations \(Self.text(value)), which is not supported",
                    hint: "supported are none, layer_norm, constant_norm_rescale and expected_average_only_in")
            }
            return normalization
        }
    }

    func reshape(hookName: String?) throws -> SAEConfiguration.Reshape {
        guard let text = try string("reshape_activations") else {
            return isFlat && (hookName?.contains("hook_z") ?? false) ? .hookZ : .none
        }
        guard let reshape = SAEConfiguration.Reshape(rawValue: text) else {
            throw problem("has reshape_activations \(quoted(text)), which is not supported", hint: "supported are none and hook_z")
        }
        return reshape
    }

    func dtype() throws -> String? {
        guard let text = try string("dtype") else { return nil }
        let name = text.hasPrefix("torch.") ? String(text.dropFirst(6)) : text
        guard ["float32", "float64", "float16", "bfloat16"].contains(name) else {
            throw problem("has dtype \(quoted(text)), which is not supported", hint: "supported are float32, float64, float16 and bfloat16")
        }
        return name
    }

    // MARK: Messages

    func problem(_ text: String, hint: String? = nil) -> MonosemeError { Self.problem(path, text, hint: hint) }

    static func problem(_ path: String, _ text: String, hint: String? = nil) -> MonosemeError {
        MonosemeError("\(quoted(path, limit: 400)) \(text)", hint: hint)
    }

    private func mistyped(_ name: String, _ value: JSON, _ wanted: String) -> MonosemeError {
        problem("has \(name) \(Self.text(value)), which is not \(wanted)")
    }

    /// A value as it may be repeated in a message.
    private static func text(_ value: JSON) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .bool(let bool): "\(bool)"
        case .unsigned(let number): "\(number)"
        case .negative(let number): "\(number)"
        case .real(let number): "\(number)"
        case .null, .array, .object: "(\(value.kind))"
        }
    }
}
