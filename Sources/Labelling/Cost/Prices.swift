import Diagnostics
import Formats

/// What a language model's tokens cost, in US dollars a million.
public struct Price: Sendable, Equatable {
    public var input: Double
    public var output: Double
    /// For tokens of a prompt that the endpoint has at hand from an earlier call; `nil`: as the others.
    public var cachedInput: Double?

    public init(input: Double, output: Double, cachedInput: Double? = nil) { (self.input, self.output, self.cachedInput) = (input, output, cachedInput) }

    /// US dollars for a prompt of so many tokens, of which so many are cached, and an answer of so many.
    public func cost(promptTokens: Int, cachedTokens: Int = 0, completionTokens: Int) -> Double {
        let cached = min(max(cachedTokens, 0), promptTokens)
        return (Double(promptTokens - cached) * input + Double(cached) * (cachedInput ?? input) + Double(completionTokens) * output) / 1e6
    }
}

/// Prices by the models' names, from a JSON file: `{"gpt-x": {"input": 2.5, "output": 10, "cached_input": 1.25}}`, US dollars a million tokens.
public struct PriceTable: Sendable, Equatable {
    private var prices: [String: Price] = [:]
    private let name: String

    /// - Throws: `MonosemeError` that names the file, the model and what is wrong.
    public init(path: String) throws {
        let file = try MappedFile(path)
        guard file.bytes.count <= 1 << 24 else { throw MonosemeError("\(quoted(path, limit: 400)) has \(file.bytes.count) bytes: that is no table of prices") }
        try self.init(parsing: file.withBytes { Array($0) }, name: quoted(path, limit: 400))
    }

    /// - Parameter name: the file's, as messages show it.
    init(parsing bytes: [UInt8], name: String) throws {
        self.name = name
        let hint = #"a table of prices is {"MODEL": {"input": 2.5, "output": 10, "cached_input": 1.25}}, in US dollars a million tokens; cached_input may be left out"#
        let json: JSON
        do { json = try bytes.withUnsafeBytes { try JSON(parsing: $0, duplicateKeys: .refused) } } catch { throw MonosemeError("\(name) is not JSON: \(error)", hint: hint) }
        guard let models = json.object else { throw MonosemeError("\(name) holds \(json.kind), not an object of models", hint: hint) }
        for (model, value) in models.members {
            guard let fields = value.object else { throw MonosemeError("\(name): the price of \(quoted(model)) is \(value.kind), not an object", hint: hint) }
            for (key, value) in fields.members {
                guard ["input", "output", "cached_input"].contains(key) else { throw MonosemeError("\(name): the price of \(quoted(model)) has a field \(quoted(key))", hint: hint) }
                if key == "cached_input", value.isNull { continue }
                guard let number = value.number, 0...1e9 ~= number else { throw MonosemeError("\(name): \(key) of \(quoted(model)) is no price", hint: hint) }
            }
            guard let input = fields["input"]?.number, let output = fields["output"]?.number else {
                throw MonosemeError("\(name): the price of \(quoted(model)) has no \(fields["input"] == nil ? "input" : "output")", hint: hint)
            }
            prices[model] = Price(input: input, output: output, cachedInput: fields["cached_input"]?.number)
        }
    }

    /// - Throws: where the table does not know the model; names those that it knows.
    public func price(of model: String) throws -> Price {
        if let price = prices[model] { return price }
        let known = prices.keys.sorted().prefix(8).map { quoted($0) }.joined(separator: ", ")
        throw MonosemeError("\(name) has no price for the model \(quoted(model))", hint: prices.isEmpty ? "the table is empty" : "it has \(known)\(prices.count > 8 ? " and \(prices.count - 8) more" : "")")
    }
}

/// US dollars as people write them: cents from one dollar on, three digits that count below.
public func dollars(_ amount: Double) -> String {
    guard amount.isFinite, abs(amount) < 1e15 else { return "$\(amount)" }
    var digits = 2, size = abs(amount), scale = 100.0
    while size < 0.9995, size > 0, digits < 9 { (size, digits, scale) = (size * 10, digits + 1, scale * 10) }
    let units = (abs(amount) * scale).rounded()
    if units == 0 { return "$0" }
    let whole = (units / scale).rounded(.down), fraction = String(Int(units - whole * scale))
    return "\(amount < 0 ? "-" : "")$\(grouped(Int(whole))).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}

/// Digits in groups of three.
public func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    return (number < 0 ? "-" : "") + digits.enumerated().map { place, digit in (place > 0 && (digits.count - place) % 3 == 0 ? "," : "") + String(digit) }.joined()
}
