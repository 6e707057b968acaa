import Diagnostics

/// The constants of one run: what was set, and the recipe's own values for the rest.
public struct RecipeConstants: Sendable, Equatable {
    /// In the recipe's order.
    public let all: [(name: String, value: ConstantValue)]

    public static func == (a: RecipeConstants, b: RecipeConstants) -> Bool { a.all.elementsEqual(b.all) { $0 == $1 } }

    /// - Parameter settings: values by name, as `ConstantValue.description` writes them.
    /// - Throws: `MonosemeError` for a name the recipe does not have, or a value that cannot be.
    public init(_ recipe: any Recipe.Type, _ plan: TrainingPlan, setting settings: [String: String] = [:]) throws {
        for name in settings.keys.sorted() where !recipe.constants.contains(where: { $0.name == name }) {
            let owners = recipes.filter { $0.constants.contains { $0.name == name } }.map { $0.name }
            throw MonosemeError(
                "recipe \(recipe.name) has no constant \(quoted(name))",
                hint: owners.isEmpty ? "its constants are " + recipe.constants.map(\.name).joined(separator: ", ") : "recipes that have it: " + owners.joined(separator: ", "))
        }
        all = try recipe.constants.map { constant in
            guard let text = settings[constant.name] else { return (constant.name, constant.initial(plan)) }
            return (constant.name, try RecipeConstants.value(text, of: constant, plan))
        }
    }

    private static func value(_ text: String, of constant: Constant, _ plan: TrainingPlan) throws -> ConstantValue {
        let isList = if case .numbers = constant.initial(plan) { true } else { false }
        if text == "none" {
            if isList { return .numbers([]) }
            if constant.initial(plan) == .none { return .none }
        }
        let numbers = try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let number = Double(part), number.isFinite, constant.range.contains(number), !constant.isWhole || number == number.rounded() else {
                let upper = constant.range.upperBound == .greatestFiniteMagnitude ? " or more" : " to \(ConstantValue.number(constant.range.upperBound))"
                throw MonosemeError("constant \(constant.name) is \(quoted(text)) where \(constant.isWhole ? "a whole number" : "a number") of \(ConstantValue.number(constant.range.lowerBound))\(upper) is needed",
                                    hint: constant.meaning)
            }
            return number
        }
        guard isList || numbers.count == 1 else { throw MonosemeError("constant \(constant.name) is \(quoted(text)), but takes one number", hint: constant.meaning) }
        return isList ? .numbers(numbers) : .number(numbers[0])
    }

    /// The number called `name`, which the recipe must have.
    func number(_ name: String) -> Double {
        guard case .number(let number)? = self[name] else { preconditionFailure("no number \(name)") }
        return number
    }

    /// The same where it may be `none`.
    func numberIfAny(_ name: String) -> Double? {
        if case .number(let number)? = self[name] { number } else { nil }
    }

    func whole(_ name: String) -> Int { Int(number(name)) }

    func numbers(_ name: String) -> [Double] {
        guard case .numbers(let numbers)? = self[name] else { preconditionFailure("no numbers \(name)") }
        return numbers
    }

    public subscript(name: String) -> ConstantValue? { all.first { $0.name == name }?.value }
}
