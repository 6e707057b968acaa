import Diagnostics

/// Something a command takes: an `Option`, a `Flag`, an `Argument` or a choice between flags.
///
/// `invocation[parameter]` is its value, of the declared type.
protocol Parameter: Sendable {
    associatedtype Value: Sendable
    /// The name it goes by in messages, unique within a command: `--model`, `FEATURE`.
    var name: String { get }
    /// How it is written and described; several for a choice between flags.
    var forms: [ParameterForm] { get }
    /// The heading under which help lists it.
    var section: HelpSection { get }
    /// The value for what was found, or why there is none.
    func value(from found: [Occurrence], environment: Environment) throws -> Value
}

enum HelpSection: String, CaseIterable, Sendable {
    case arguments = "Arguments"
    case options = "Options"
    case output = "Output"
    case global = "Global options"
}

/// One way to write a parameter.
struct ParameterForm: Sendable {
    enum Intake: Sendable, Equatable {
        /// Only the name.
        case nothing
        /// The name and one value.
        case one
        /// The name and all values up to the next option.
        case several
        /// A value without a name.
        case positional(Multiplicity)
    }

    /// As they are typed, dashes included; an argument has none.
    let names: [String]
    let intake: Intake
    /// What stands for the value: `DIR`, `density|max|index`.
    let placeholder: String
    /// A command line without it is refused.
    let isRequired: Bool
    /// May be given more than once.
    let isRepeatable: Bool
    /// A clause without a full stop, with the default.
    let help: String

    var isPositional: Bool { if case .positional = intake { true } else { false } }
}

/// One appearance on the command line: the name as it was typed, and the value.
struct Occurrence: Sendable {
    let name: String
    let text: String
}

/// A named value: `--model DIR`, `-k N`, `--sae DIR` several times, `--corpus PATH…`.
struct Option<Value: ParameterValue>: Parameter {
    let names: [String]
    let placeholder: String
    let defaultValue: Value?
    /// The variable that provides the value where the command line does not.
    let variable: String?
    let intake: ParameterForm.Intake
    let isRequired: Bool
    let bounds: Bounds<Value.Scalar>?
    let help: String
    let section: HelpSection

    /// `names` are written as they are typed (`"--output", "-o"`), the first one is used in messages.
    ///
    /// A `T` without a default must be given; a `[T]` must be given if `isRequired` says so. `intake` `.several` lets one
    /// name take all values up to the next option.
    init(
        _ names: String..., value placeholder: String? = nil, default defaultValue: Value? = nil, variable: String? = nil,
        intake: ParameterForm.Intake = .one, isRequired: Bool = false, section: HelpSection = .options, help: String
    ) {
        self.init(names, placeholder, defaultValue, variable, intake, isRequired, nil, section, help)
    }

    /// The same, for values within `range`.
    init<Range: RangeExpression & Sendable>(
        _ names: String..., value placeholder: String? = nil, default defaultValue: Value? = nil, variable: String? = nil,
        intake: ParameterForm.Intake = .one, isRequired: Bool = false, section: HelpSection = .options, in range: Range, help: String
    ) where Range.Bound == Value.Scalar {
        self.init(names, placeholder, defaultValue, variable, intake, isRequired, Bounds(range), section, help)
    }

    private init(
        _ names: [String], _ placeholder: String?, _ defaultValue: Value?, _ variable: String?, _ intake: ParameterForm.Intake,
        _ isRequired: Bool, _ bounds: Bounds<Value.Scalar>?, _ section: HelpSection, _ help: String
    ) {
        precondition(!names.isEmpty, "an option needs a name")
        self.names = names
        self.placeholder = placeholder ?? (Value.Scalar.choices.isEmpty ? "VALUE" : Value.Scalar.choices.joined(separator: "|"))
        self.defaultValue = defaultValue
        self.variable = variable
        self.intake = intake
        self.isRequired = isRequired || (Value.multiplicity == .one && defaultValue == nil)
        self.bounds = bounds
        self.section = section
        self.help = help
    }

    var name: String { names[0] }

    var forms: [ParameterForm] {
        [ParameterForm(names: names, intake: intake, placeholder: placeholder, isRequired: isRequired,
              isRepeatable: Value.multiplicity == .many, help: help + remarks)]
    }

    /// What the declaration knows beyond the help text: bounds, repetition, default.
    private var remarks: String {
        var remarks: [String] = []
        if let bounds { remarks.append(bounds.words) }
        if !Value.Scalar.choices.isEmpty, !placeholder.contains("|") { remarks.append(Value.Scalar.choices.joined(separator: ", ")) }
        if Value.multiplicity == .many, intake == .one { remarks.append("may be repeated") }
        let text = defaultValue.map { $0.scalars.map(\.argument).joined(separator: " ") } ?? ""
        switch (variable, text.isEmpty) {
        case (let variable?, false): remarks.append("default: $\(variable), else \(text)")
        case (let variable?, true): remarks.append("default: $\(variable)")
        case (nil, false): remarks.append("default: \(text)")
        case (nil, true): break
        }
        return remarks.isEmpty ? "" : " (" + remarks.joined(separator: "; ") + ")"
    }

    func value(from found: [Occurrence], environment: Environment) throws -> Value {
        var found = found
        if found.isEmpty, let variable, let text = environment[variable] {
            found = [Occurrence(name: "$" + variable, text: text)]
        }
        if Value.multiplicity != .many, found.count > 1 {
            throw UsageError(
                "\(found[0].name) is given twice, as \(quoted(found[0].text)) and as \(quoted(found[1].text))", hint: "it takes one value")
        }
        let scalars = try found.map { try scalar($0, bounds) as Value.Scalar }
        if !scalars.isEmpty { return Value(scalars: scalars) }
        if let defaultValue { return defaultValue }
        if isRequired { throw UsageError("missing option \(name) \(placeholder)") }
        return Value(scalars: [])
    }
}

/// A value without a name: the feature of `monoseme show A/1/2357`.
///
/// `Argument<T>` must be given, `Argument<T?>` may be, `Argument<[T]>` takes all that is left.
struct Argument<Value: ParameterValue>: Parameter {
    /// In capitals, as help shows it: `FEATURE`.
    let name: String
    let isRequired: Bool
    let help: String

    init(_ name: String, isRequired: Bool = false, help: String) {
        self.name = name
        self.isRequired = isRequired || Value.multiplicity == .one
        self.help = help
    }

    var section: HelpSection { .arguments }

    var forms: [ParameterForm] {
        [ParameterForm(names: [], intake: .positional(Value.multiplicity), placeholder: name, isRequired: isRequired,
              isRepeatable: Value.multiplicity == .many, help: help)]
    }

    func value(from found: [Occurrence], environment: Environment) throws -> Value {
        if found.isEmpty, isRequired { throw UsageError("missing argument \(name)") }
        return Value(scalars: try found.map { try scalar($0, nil) as Value.Scalar })
    }
}

/// Something to switch on: `--strict`.
struct Flag: Parameter {
    let names: [String]
    let section: HelpSection
    let help: String

    init(_ names: String..., section: HelpSection = .options, help: String) {
        precondition(!names.isEmpty, "a flag needs a name")
        self.names = names
        self.section = section
        self.help = help
    }

    var name: String { names[0] }

    var forms: [ParameterForm] { [ParameterForm(names: names, intake: .nothing, placeholder: "", isRequired: false, isRepeatable: true, help: help)] }

    func value(from found: [Occurrence], environment: Environment) -> Bool { !found.isEmpty }
}

/// Flags of which at most one is given, each for a value: `--table`, `--json`, `--jsonl`, `--csv`.
struct FlagChoice<Value: Sendable>: Parameter {
    struct Case: Sendable {
        let name: String
        let value: Value
        let help: String
    }

    let cases: [Case]
    let defaultValue: Value
    let section: HelpSection

    init(default defaultValue: Value, section: HelpSection = .options, _ cases: [(name: String, value: Value, help: String)]) {
        precondition(!cases.isEmpty, "a choice needs cases")
        self.cases = cases.map(Case.init)
        self.defaultValue = defaultValue
        self.section = section
    }

    var name: String { cases[0].name }

    var forms: [ParameterForm] {
        cases.map { ParameterForm(names: [$0.name], intake: .nothing, placeholder: "", isRequired: false, isRepeatable: true, help: $0.help) }
    }

    func value(from found: [Occurrence], environment: Environment) throws -> Value {
        guard let first = found.first, let chosen = cases.first(where: { $0.name == first.name }) else { return defaultValue }
        if let other = found.first(where: { $0.name != first.name }) {
            throw UsageError("\(first.name) and \(other.name) exclude each other", hint: "keep one of them")
        }
        return chosen.value
    }
}

/// The value in an occurrence, or what was expected instead.
private func scalar<Scalar: ArgumentValue>(_ occurrence: Occurrence, _ bounds: Bounds<Scalar>?) throws -> Scalar {
    let expectation = Scalar.expectation + (bounds.map { ", " + $0.words } ?? "")
    guard let value = Scalar(argument: occurrence.text), bounds?.contains(value) ?? true else {
        let near = nearest(to: occurrence.text, among: Scalar.choices)
        throw UsageError("\(occurrence.name): found \(quoted(occurrence.text)), expected \(expectation)", hint: near.map { "did you mean \($0)?" })
    }
    return value
}
