import Diagnostics

/// A regular expression over text that need not be UTF-8, matched character by character (Unicode scalar by scalar).
///
/// The engine is Swift's own, `Regex`. It backtracks: some patterns take a time that doubles with each character, and it cannot be
/// interrupted. `RegexWorker` is for patterns of strangers.
struct TextRegex {
    private let regex: Regex<AnyRegexOutput>

    /// - Throws: `MonosemeError` that says what is wrong with the pattern, and where.
    init(_ pattern: String) throws {
        guard !pattern.isEmpty else { throw MonosemeError("the pattern is empty: it matches nothing", hint: "give a regular expression such as (?i)[a-f0-9]{8,}") }
        do { regex = try Regex(pattern).matchingSemantics(.unicodeScalar) } catch {
            throw MonosemeError("the pattern \(quoted(pattern, limit: 200)) is not a regular expression: \(error)\(TextRegex.place(of: error, in: pattern))",
                                hint: "the syntax is Swift's: that of PCRE and ICU without lookbehind, such as (?i)[a-f0-9]{8,}")
        }
    }

    /// The engine's errors keep the place to themselves; where its type has changed, the message does without.
    private static func place(of error: any Error, in pattern: String) -> String {
        guard let range = Mirror(reflecting: error).descendant("location", "range") as? Range<String.Index>, range.lowerBound >= pattern.startIndex, range.lowerBound <= pattern.endIndex else { return "" }
        let before = pattern.unicodeScalars.distance(from: pattern.startIndex, to: range.lowerBound)
        return range.lowerBound == pattern.endIndex ? ", at its end" : ", at character \(before + 1)"
    }

    /// The bytes that each match takes in, ascending; matches without any are left out. What is not UTF-8 is seen as U+FFFD.
    func matches(in bytes: [UInt8]) -> [Range<Int>] {
        let text = ScalarText(bytes)
        return text.string.ranges(of: regex).compactMap { match in
            let start = text.string.utf8.distance(from: text.string.startIndex, to: match.lowerBound)
            let length = text.string.utf8.distance(from: match.lowerBound, to: match.upperBound)
            return length > 0 ? text.offset(start)..<text.offset(start + length) : nil
        }
    }
}
