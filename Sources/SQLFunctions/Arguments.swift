import Diagnostics
import FeatureCatalogue
import SQLite

/// What the planner is told of functions that should be called once, their few answers being looked up elsewhere.
///
/// Less than the truth, on purpose: SQLite keeps only a few beginnings of a plan at each step, the cheapest ones, and would
/// drop the best one if it knew the price. Few rows make every plan that calls the function later look dearer.
let onceOutermost = (rows: 1, cost: 10.0)

// What the functions make of their arguments. NULL is `nil`, as everywhere in SQL; all else that does not fit is refused.

/// A whole number, also where it is written 10.0, or as text: web forms bind every parameter as text.
func integer(_ value: SQLiteValue?, _ name: String, of function: String) throws -> Int? {
    switch value ?? .null {
    case .null: return nil
    case .integer(let n): return Int(n)
    case .real(let r) where Int(exactly: r) != nil: return Int(exactly: r)
    case .text(let text) where decimal(text) != nil: return decimal(text)
    case let other: throw MonosemeError("\(function): \(name) is \(words(other)), not a whole number", hint: "such as 10")
    }
}

/// The whole number that `text` is in decimal digits, spaces around it left out; `nil` for all other text.
private func decimal(_ text: String) -> Int? {
    let spaces: Set<UInt8> = [0x20, 0x09, 0x0a, 0x0d]
    let digits = text.utf8.drop { spaces.contains($0) }.reversed().drop { spaces.contains($0) }.reversed()
    return Int(String(decoding: digits, as: UTF8.self))
}

/// A number of rows: 1 or more.
func rowCount(_ value: SQLiteValue?, _ name: String, of function: String, default standard: Int) throws -> Int {
    let count = try integer(value, name, of: function) ?? standard
    guard count > 0 else { throw MonosemeError("\(function): \(name) is \(count)", hint: "\(name) is the number of rows wanted, 1 or more") }
    return count
}

/// Tokens on either side: at least 0, and no more than are of use to anybody.
func window(_ value: SQLiteValue?, of function: String) throws -> Int? {
    guard let window = try integer(value, "window", of: function) else { return nil }
    guard window >= 0 else { throw MonosemeError("\(function): window is \(window)", hint: "window is the number of tokens shown on either side, 0 or more") }
    return min(window, 1000)
}

/// A value in the words of a message: what was found in place of what should be there.
func words(_ value: SQLiteValue) -> String {
    switch value {
    case .null: "NULL"
    case .integer(let n): "\(n)"
    case .real(let r): "\(r)"
    case .text(let text): "the text \(quoted(text))"
    case .blob(let bytes): "a blob of \(bytes.count) bytes"
    }
}

extension Catalogue {
    /// A feature by its name or its feature_id, which no name can be mistaken for; `nil` for NULL.
    func feature(_ value: SQLiteValue?, for function: String) throws -> (dictionary: FeatureDictionary, index: Int)? {
        let found: (dictionary: FeatureDictionary, index: Int)
        switch value ?? .null {
        case .null: return nil
        case .text(let text):
            if let id = decimal(text) { found = try feature(id: id, for: function) } else { found = try feature(try FeatureName(parsing: text)) }
        case .integer(let id): found = try feature(id: Int(id), for: function)
        case let other: throw MonosemeError("\(function): a feature is given by its name or its feature_id, not by \(words(other))", hint: "such as \(function)('A/1/2357')")
        }
        try demandSoundShape(found.dictionary)
        return found
    }

    private func feature(id: Int, for function: String) throws -> (dictionary: FeatureDictionary, index: Int) {
        guard id >= 0, let dictionary = try dictionary(id: id >> 32), id & 0xffff_ffff < dictionary.features else {
            throw MonosemeError("\(function): there is no feature with the feature_id \(id)", hint: "feature('A/1/2357') gives the feature_id of a name")
        }
        return (dictionary, id & 0xffff_ffff)
    }

    /// A dictionary version by its name; `nil` for NULL.
    func dictionary(_ value: SQLiteValue?, for function: String) throws -> FeatureDictionary? {
        switch value ?? .null {
        case .null: return nil
        case .text(let name):
            return try dictionary(named: try DictionaryName(parsing: name))
        case let other: throw MonosemeError("\(function): a dictionary is given by its name, not by \(words(other))", hint: "such as 'A/1'")
        }
    }
}
