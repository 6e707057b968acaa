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

/// US dollars as people write them: cents from one dollar on, three digits that count below.
public func dollars(_ amount: Double) -> String {
    guard amount.isFinite, abs(amount) < 1e15 else { return "$\(amount)" }
    if amount == 0 { return "$0" }
    var digits = 2, size = abs(amount)
    while size < 1, digits < 9 { (size, digits) = (size * 10, digits + 1) }
    let scale = digits == 2 ? 100.0 : (2..<digits).reduce(100.0) { scale, _ in scale * 10 }
    let units = (abs(amount) * scale).rounded(), whole = (units / scale).rounded(.down)
    let fraction = String(Int(units - whole * scale))
    return "\(amount < 0 ? "-" : "")$\(grouped(Int(whole))).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}

/// Digits in groups of three.
public func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    return (number < 0 ? "-" : "") + digits.enumerated().map { place, digit in (place > 0 && (digits.count - place) % 3 == 0 ? "," : "") + String(digit) }.joined()
}
