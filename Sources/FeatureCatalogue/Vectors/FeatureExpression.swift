import Diagnostics

/// A sum of features with weights, as one writes it: `A/1/10 - A/1/11 + 0.5 * A/1/12`.
///
/// Grammar:
///
///     sum     = ["-"] product { ("+" | "-") product }
///     product = factor { "*" factor }            at most one factor is not a number
///     factor  = number | feature | "(" sum ")"
///
/// A feature's name may hold `+` and `-` itself, so these are operators only between spaces: `X-1/0/5` and `A/1-2/3` are names.
/// No name holds `*`, `(` or `)`; these need no spaces.
public struct FeatureExpression: Sendable, Equatable {
    public struct Term: Sendable, Equatable {
        public let weight: Double
        public let feature: FeatureName

        public init(weight: Double, feature: FeatureName) { (self.weight, self.feature) = (weight, feature) }
    }

    /// In the order in which they are written, brackets multiplied out; never empty, weights finite.
    public let terms: [Term]

    public init(_ feature: FeatureName) { terms = [Term(weight: 1, feature: feature)] }

    /// - Throws: `MonosemeError` that names the word that does not belong.
    public init(parsing text: String) throws {
        var reader = ExpressionReader(text)
        terms = try reader.whole()
    }
}

/// A part of an expression: a number, or features with weights.
private enum Value {
    case number(Double)
    case features([FeatureExpression.Term])

    func scaled(by factor: Double) -> Value {
        switch self {
        case .number(let number): .number(number * factor)
        case .features(let terms): .features(terms.map { .init(weight: $0.weight * factor, feature: $0.feature) })
        }
    }
}

private struct ExpressionReader {
    private let text: String
    private let words: [Substring]
    private var at = 0
    private var depth = 0

    /// Brackets within brackets, more than anybody means.
    private static let depthMaximum = 64

    init(_ text: String) {
        self.text = text
        var words: [Substring] = [], start: String.Index?
        for place in text.indices {
            let isSpace = text[place].isWhitespace, isSign = "*()".contains(text[place])
            if isSpace || isSign, let begun = start { words.append(text[begun..<place]); start = nil }
            if isSign { words.append(text[place...place]) } else if !isSpace, start == nil { start = place }
        }
        if let start { words.append(text[start...]) }
        self.words = words
    }

    private func problem(_ what: String, hint: String = "such as \"A/1/10 - A/1/11 + 0.5 * A/1/12\", with spaces around + and -") -> MonosemeError {
        MonosemeError("\(quoted(text, limit: 200)): \(what)", hint: hint)
    }

    mutating func whole() throws -> [FeatureExpression.Term] {
        let value = try sum()
        if at < words.count { throw problem(words[at] == ")" ? "a ) closes nothing" : "+, - or * is missing before \(quoted(words[at]))") }
        guard case .features(let terms) = value else { throw problem("it names no feature") }
        guard terms.allSatisfy(\.weight.isFinite) else { throw problem("a weight is too large") }
        return terms
    }

    private mutating func take(_ word: String) -> Bool {
        guard at < words.count, words[at] == word else { return false }
        at += 1
        return true
    }

    private mutating func sum() throws -> Value {
        var value = try take("-") ? product().scaled(by: -1) : product()
        while true {
            let sign: Double
            if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return value }
            switch (value, try product().scaled(by: sign)) {
            case (.number(let a), .number(let b)): value = .number(a + b)
            case (.features(let a), .features(let b)): value = .features(a + b)
            default: throw problem("a number stands where a feature belongs", hint: "a number is a weight: 0.5 * A/1/10")
            }
        }
    }

    private mutating func product() throws -> Value {
        var value = try factor()
        while take("*") {
            switch (value, try factor()) {
            case (let some, .number(let number)), (.number(let number), let some): value = some.scaled(by: number)
            default: throw problem("two features are multiplied", hint: "features can be added, subtracted and weighted by numbers")
            }
        }
        return value
    }

    private mutating func factor() throws -> Value {
        guard at < words.count else { throw problem(words.isEmpty ? "it is empty" : "it ends where a feature or a number should follow") }
        let word = String(words[at])
        at += 1
        if word == "(" {
            guard depth < Self.depthMaximum else { throw problem("more than \(Self.depthMaximum) brackets within one another") }
            depth += 1
            let value = try sum()
            depth -= 1
            guard take(")") else { throw problem(at < words.count ? "+, - or * is missing before \(quoted(words[at]))" : "a ) is missing") }
            return value
        }
        if let feature = FeatureName(word) { return .features([.init(weight: 1, feature: feature)]) }
        // Swift reads "inf", "nan" and hexadecimal as numbers as well.
        if word.utf8.allSatisfy({ "0123456789.+-eE".utf8.contains($0) }), let number = Double(word) {
            guard number.isFinite else { throw problem("\(quoted(word)) is too large") }
            return .number(number)
        }
        if ["+", "-", "*", ")"].contains(word) { throw problem("a feature or a number is missing before \(word)") }
        throw problem("\(quoted(word)) is neither a feature's name nor a number")
    }
}

extension Catalogue {
    /// The direction of an expression in the space of `target`: Σ weight · unit decoder row, of `target.width` numbers.
    ///
    /// - Returns: also the features of `target` that the expression names: a search for what is like a sum leaves its own
    ///   terms out, as is the custom with analogies between words.
    /// - Throws: for a feature that there is not, one of another model or hook point, one whose row is zero, and for terms
    ///   that cancel out.
    public func direction(of expression: FeatureExpression, in target: FeatureDictionary) throws -> (vector: [Float], named: Set<Int>) {
        var known: [DictionaryName: FeatureDictionary] = [target.name: target], named: Set<Int> = []
        try demandSoundShape(target)
        try demandVectors(target)
        var sum = [Double](repeating: 0, count: target.width)
        // A sum of weights of any size has a direction; scaled by the largest, it has one in floating point too.
        let largest = expression.terms.reduce(0) { max($0, abs($1.weight)) }
        guard largest > 0 else { throw MonosemeError("every weight is zero: the sum points nowhere") }
        var total = 0.0
        for term in expression.terms {
            let name = term.feature, dictionary = try known[name.dictionary] ?? self.dictionary(named: name.dictionary)
            known[name.dictionary] = dictionary
            try demand(name, in: dictionary)
            try demandSameSpace(dictionary, target)
            let row = try decoder(of: name.index, in: dictionary)
            guard row.count == sum.count else { throw damagedVectors(dictionary) }
            guard row.contains(where: { $0 != 0 }) else {
                throw MonosemeError("the decoder vector of \(name) is zero: it points nowhere", hint: "choose a feature that is not dead from the start")
            }
            let weight = term.weight / largest
            total += abs(weight)
            for place in sum.indices { sum[place] += weight * Double(row[place]) }
            if dictionary.id == target.id { named.insert(name.index) }
        }
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        // Rows are rounded to 2⁻²⁴ of themselves: what is left below that is the rounding's direction.
        guard length > 1e-6 * total else { throw MonosemeError("the terms cancel each other out: their sum points nowhere", hint: "leave one of them out") }
        return (sum.map { Float($0) }, named)
    }
}
