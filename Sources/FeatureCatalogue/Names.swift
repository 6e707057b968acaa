import Diagnostics

/// The name of one dictionary version: `A/1` is version 1 of family A.
public struct DictionaryName: Hashable, Sendable, LosslessStringConvertible {
    public let family: String
    public let version: String

    /// `nil` unless `description` is two parts of letters, digits and `. _ - + :` with a slash between.
    public init?(_ description: String) {
        let parts = description.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ DictionaryName.isPart($0) }) else { return nil }
        family = String(parts[0])
        version = String(parts[1])
    }

    public var description: String { "\(family)/\(version)" }

    private static func isPart(_ part: Substring) -> Bool {
        !part.isEmpty && part.utf8.count <= 128 && part.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType != nil || "._-+:".unicodeScalars.contains($0)
        }
    }

    /// Reads a name given by a user.
    public init(parsing text: String) throws {
        guard let name = DictionaryName(text) else {
            throw MonosemeError("\(quoted(text)) is not a dictionary name", hint: "a dictionary version is named family/version, such as A/1, in letters, digits and . _ - + :")
        }
        self = name
    }
}

/// The name of one feature: `A/1/2357` is feature 2,357 of dictionary `A/1`.
public struct FeatureName: Hashable, Sendable, LosslessStringConvertible {
    public let dictionary: DictionaryName
    public let index: Int

    public init(dictionary: DictionaryName, index: Int) {
        self.dictionary = dictionary
        self.index = index
    }

    public init?(_ description: String) {
        guard let slash = description.lastIndex(of: "/"), let dictionary = DictionaryName(String(description[..<slash])) else { return nil }
        let digits = description[description.index(after: slash)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let index = Int(digits) else { return nil }
        self.init(dictionary: dictionary, index: index)
    }

    public var description: String { "\(dictionary)/\(index)" }

    /// Reads a name given by a user.
    public init(parsing text: String) throws {
        guard let name = FeatureName(text) else {
            throw MonosemeError("\(quoted(text)) is not a feature name", hint: "a feature is named dictionary/index, such as A/1/2357")
        }
        self = name
    }
}
