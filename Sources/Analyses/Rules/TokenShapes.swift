import Diagnostics
import FeatureCatalogue

/// A predicate that many features may share, with the words for it: a shape of text, a script, a tag.
struct SharedPredicate {
    let rule: LabelRule
    let words: String
}

/// Shapes of text that features tend to be about, with the words for each. A shape whose pattern is one ASCII character or another is asked of each token of the
/// vocabulary by itself, which comes to the same and costs next to nothing; the others are matched in the text.
private let shapes: [(words: String, pattern: String, isOfOneCharacter: Bool)] = [
    ("digits", "[0-9]", true),
    ("capital letters", "[A-Z]", true),
    ("lower-case letters", "[a-z]", true),
    ("Latin letters", "[A-Za-z]", true),
    ("punctuation", "[!-/:-@\\[-`{-~]", true),
    ("brackets", "[()\\[\\]{}]", true),
    ("opening brackets", "[(\\[{]", true),
    ("closing brackets", "[)\\]}]", true),
    ("quotation marks", "[\"'`]", true),
    ("operators", "[-+*/=<>%^|&]", true),
    ("line breaks", "\\n", true),
    ("spaces and line breaks", "[ \\t\\r\\n]", true),
    ("runs of spaces", "[ \\t]{2,}", false),
    ("indentation", "(?m)^[ \\t]+", false),
    ("beginnings of lines", "(?m)^[^\\n]", false),
    ("ends of lines", "(?m)[^\\n]$", false),
    ("words in capitals", "\\b[A-Z]{2,}\\b", false),
    ("capitalised words", "\\b[A-Z][a-z]+\\b", false),
    ("decimal fractions", "[0-9]+\\.[0-9]+", false),
    ("long numbers", "[0-9]{5,}", false),
    ("years", "\\b(?:1[5-9]|20)[0-9]{2}\\b", false),
    ("dates", "\\b[0-9]{4}-[0-9]{2}-[0-9]{2}\\b", false),
    ("times of day", "\\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\\b", false),
    ("hexadecimal runs", "\\b(?:0x)?[0-9a-fA-F]{8,}\\b", false),
    ("base64 runs", "[A-Za-z0-9+/]{40,}={0,2}", false),
    ("runs of DNA letters", "[ACGTN]{12,}", false),
    ("UUIDs", "\\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\\b", false),
    ("URLs", "https?://[^\\s\"'<>]+", false),
    ("e-mail addresses", "[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+", false),
    ("file paths", "(?:/[A-Za-z0-9._-]+){2,}", false),
    ("names with underscores", "\\b[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+\\b", false),
    ("names in camel case", "\\b[a-z]+(?:[A-Z][a-z0-9]+)+\\b", false),
    ("quoted strings", "\"[^\"\\n]*\"", false),
    ("keys of objects", "\"[^\"\\n]*\"(?=\\s*:)", false),
    ("tags of markup", "</?[A-Za-z][^<>\\n]*>", false),
    ("LaTeX commands", "\\\\[A-Za-z]+", false),
    ("comments", "(?m)(?:#|//)[^\\n]*$", false),
]

/// Scripts and kinds of characters, by the blocks of Unicode that they lie in; of those, a rule names the ones that the corpus has. Other blocks go by their names.
private let scripts: [(words: String, blocks: [String])] = [
    ("Arabic script", ["Arabic", "Arabic Supplement", "Arabic Extended-A", "Arabic Extended-B", "Arabic Presentation Forms-A", "Arabic Presentation Forms-B"]),
    ("Hebrew script", ["Hebrew", "Alphabetic Presentation Forms"]),
    ("Cyrillic script", ["Cyrillic", "Cyrillic Supplement", "Cyrillic Extended-A", "Cyrillic Extended-B", "Cyrillic Extended-C"]),
    ("Greek script", ["Greek and Coptic", "Greek Extended"]),
    ("Chinese characters", ["CJK Unified Ideographs", "CJK Unified Ideographs Extension A", "CJK Compatibility Ideographs"]),
    ("Japanese kana", ["Hiragana", "Katakana", "Katakana Phonetic Extensions"]),
    ("Korean script", ["Hangul Syllables", "Hangul Jamo", "Hangul Compatibility Jamo"]),
    ("accented Latin letters", ["Latin-1 Supplement", "Latin Extended-A", "Latin Extended-B", "Latin Extended Additional"]),
    ("East Asian punctuation", ["CJK Symbols and Punctuation", "Halfwidth and Fullwidth Forms"]),
    ("typographic punctuation", ["General Punctuation"]),
    ("mathematical symbols", ["Mathematical Operators", "Supplemental Mathematical Operators", "Miscellaneous Mathematical Symbols-A", "Miscellaneous Mathematical Symbols-B"]),
    ("boxes and blocks", ["Box Drawing", "Block Elements"]),
    ("emoji", ["Emoticons", "Miscellaneous Symbols and Pictographs", "Transport and Map Symbols", "Supplemental Symbols and Pictographs"]),
]

extension RuleEvaluator {
    /// The predicates that features of this corpus may share, evaluated: shapes, scripts and tags that hold for some tokens, and not for all.
    /// - Parameter tags: of the corpus.
    func sharedPredicates(tags: [Tag], report: (TaggingProgress) -> Void) throws -> [SharedPredicate] {
        var predicates: [SharedPredicate] = []
        let (count, ids) = try allSpellings()
        for shape in shapes {
            let rule = LabelRule.regex(shape.pattern)
            if shape.isOfOneCharacter, known[rule] == nil {
                let regex = try TextRegex(shape.pattern)
                var set = PositionSet(length: length)
                for (spelling, all) in ids where !regex.matches(in: spelling.bytes).isEmpty { for id in all { try forEachPosition(of: id) { set.insert($0) } } }
                known[rule] = set
            }
            predicates.append(SharedPredicate(rule: rule, words: shape.words))
        }
        precondition(count > 0 || length == 0)
        var present = try blocksPresent()
        for script in scripts {
            let blocks = script.blocks.filter(present.contains)
            present.subtract(blocks)
            if !blocks.isEmpty { predicates.append(SharedPredicate(rule: .range(blocks), words: script.words)) }
        }
        predicates += present.sorted().map { SharedPredicate(rule: .range([$0]), words: "characters of \($0)") }
        predicates.append(SharedPredicate(rule: .range(["U+0080-U+10FFFF"]), words: "characters beyond ASCII"))
        predicates += tags.map { SharedPredicate(rule: .topic($0.name), words: $0.name) }
        try prepare(predicates.map(\.rule), report: report)
        return try predicates.filter { predicate in
            let held = try positions(of: predicate.rule).count
            return held > 0 && held < length
        }
    }

    /// The blocks of Unicode beyond ASCII that characters of the corpus lie in.
    private func blocksPresent() throws -> Set<String> {
        var present: Set<String> = [], known: ClosedRange<UInt32> = 0...0x7f
        for (start, tokens) in zip(text.documents.starts, text.documents.lengths) {
            let bytes = try text.tokens(at: start..<start + tokens).flatMap { try text.bytes(of: $0) }
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars where scalar.value > 0x7f && !known.contains(scalar.value) && scalar != "\u{fffd}" {
                guard let block = UnicodeRanges.block(of: scalar) else { continue }
                known = block.codePoints
                present.insert(block.name)
            }
        }
        return present
    }
}
