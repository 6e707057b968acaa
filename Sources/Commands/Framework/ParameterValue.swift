import Diagnostics

/// One value as it is written on the command line: a number, a name, one of several words.
///
/// A type that is `LosslessStringConvertible`, or an enum of strings that is `CaseIterable`, only has to say what is expected.
protocol ArgumentValue: ParameterValue where Scalar == Self {
    init?(argument: String)
    /// What a value looks like, for the message about one that does not: "a whole number".
    static var expectation: String { get }
    /// The words to choose from, where there are few.
    static var choices: [String] { get }
    /// The value as one would type it.
    var argument: String { get }
}

/// What a parameter yields. The type says how often it may be given: `T` once, `T?` at most once, `[T]` any number of times.
protocol ParameterValue: Sendable {
    associatedtype Scalar: ArgumentValue
    static var multiplicity: Multiplicity { get }
    /// The value for a checked number of scalars.
    init(scalars: [Scalar])
    /// The scalars of a default, for help.
    var scalars: [Scalar] { get }
}

enum Multiplicity: Sendable { case one, optional, many }

extension ArgumentValue {
    static var choices: [String] { [] }
    static var multiplicity: Multiplicity { .one }
    init(scalars: [Self]) { self = scalars[0] }
    var scalars: [Self] { [self] }
}

extension Optional: ParameterValue where Wrapped: ArgumentValue {
    static var multiplicity: Multiplicity { .optional }
    init(scalars: [Wrapped]) { self = scalars.first }
    var scalars: [Wrapped] { map { [$0] } ?? [] }
}

extension Array: ParameterValue where Element: ArgumentValue {
    static var multiplicity: Multiplicity { .many }
    init(scalars: [Element]) { self = scalars }
    var scalars: [Element] { self }
}

extension ArgumentValue where Self: LosslessStringConvertible {
    init?(argument: String) { self.init(argument) }
    var argument: String { description }
}

extension ArgumentValue where Self: RawRepresentable<String> & CaseIterable {
    init?(argument: String) { self.init(rawValue: argument) }
    static var expectation: String { "one of " + choices.joined(separator: ", ") }
    static var choices: [String] { allCases.map(\.rawValue) }
    var argument: String { rawValue }
}

extension String: ArgumentValue {
    static var expectation: String { "a text" }
}

extension Int: ArgumentValue {
    static var expectation: String { "a whole number" }
}

extension Double: ArgumentValue {
    static var expectation: String { "a number" }
    init?(argument: String) {
        guard let value = Double(argument), value.isFinite else { return nil }
        self = value
    }
    var argument: String {
        let text = description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

/// The values a parameter allows, and the same in words.
struct Bounds<Scalar: ArgumentValue>: Sendable {
    let words: String
    let contains: @Sendable (Scalar) -> Bool

    init<Range: RangeExpression & Sendable>(_ range: Range) where Range.Bound == Scalar {
        contains = { range.contains($0) }
        words = switch range {
        case let r as ClosedRange<Scalar>: "\(r.lowerBound.argument) to \(r.upperBound.argument)"
        case let r as PartialRangeFrom<Scalar>: "\(r.lowerBound.argument) or more"
        case let r as PartialRangeThrough<Scalar>: "\(r.upperBound.argument) or less"
        case let r as PartialRangeUpTo<Scalar>: "less than \(r.upperBound.argument)"
        case let r as Swift.Range<Scalar>: "\(r.lowerBound.argument) or more, less than \(r.upperBound.argument)"
        default: "\(range)"
        }
    }
}
