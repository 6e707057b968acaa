public import Formats

/// What a recipe's constant holds.
public enum ConstantValue: Sendable, Equatable, CustomStringConvertible {
    case number(Double)
    case numbers([Double])
    /// Not in use, where a constant may be.
    case none

    /// As it is given with `--set name=value` and read back: `0.004`, `0.25,0.5,0.75`, `none`.
    public var description: String {
        switch self {
        case .number(let number): text(of: number)
        case .numbers(let numbers): numbers.map(text(of:)).joined(separator: ",")
        case .none: "none"
        }
    }

    public var json: JSON {
        switch self {
        case .number(let number): .real(number)
        case .numbers(let numbers): .array(numbers.map { .real($0) })
        case .none: .null
        }
    }
}

private func text(of number: Double) -> String {
    if let whole = Int(exactly: number) { return String(whole) }
    return "\(number)"
}

/// One constant of a recipe: an option of the trainer, and recorded with what it trained.
public struct Constant: Sendable {
    /// In snake case, as in the output.
    public let name: String
    /// Its value unless it is set; it may depend on the sizes of the run.
    public let initial: @Sendable (TrainingPlan) -> ConstantValue
    /// `initial` in words: `0.004`, `width / 2`.
    public let initialText: String
    /// One line: what it does, and the source of its value.
    public let meaning: String
    /// What is allowed, both ends included.
    public let range: ClosedRange<Double>
    public let isWhole: Bool

    public init(_ name: String, _ initial: ConstantValue, in range: ClosedRange<Double> = 0...Double.greatestFiniteMagnitude, whole: Bool = false, _ meaning: String) {
        self.init(name, { _ in initial }, "\(initial)", in: range, whole: whole, meaning)
    }

    public init(_ name: String, _ initial: @escaping @Sendable (TrainingPlan) -> ConstantValue, _ initialText: String, in range: ClosedRange<Double> = 0...Double.greatestFiniteMagnitude,
                whole: Bool = false, _ meaning: String) {
        (self.name, self.initial, self.initialText, self.meaning, self.range, self.isWhole) = (name, initial, initialText, meaning, range, whole)
    }
}
