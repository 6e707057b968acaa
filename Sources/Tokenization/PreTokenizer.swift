import Diagnostics
import Formats
import Kernels

/// How text is cut into the words that merges may not cross.
struct PreTokenizer: Sendable {
    /// As in `kernel_bpe`.
    let pattern: UInt32
    let addsPrefixSpace: Bool

    init(_ json: JSON?) throws(MonosemeError) {
        let section = "pre_tokenizer"
        guard let json, !json.isNull else { throw Section.unsupported(section, "null") }
        let steps = try Self.flattened(json)
        switch (steps.first.map(\.type), steps.dropFirst().first.map(\.type), steps.count) {
        case ("ByteLevel", nil, 1):
            guard try Section.bool("use_regex", of: steps[0].json, in: section, default: true) else {
                throw Section.unsupported(section, "ByteLevel with use_regex false and no Split before it")
            }
            pattern = UInt32(KERNEL_WORDS_GPT2)
            addsPrefixSpace = try Section.bool("add_prefix_space", of: steps[0].json, in: section)
        case ("Split", "ByteLevel", 2):
            let byteLevel = steps[1].json
            guard try !Section.bool("use_regex", of: byteLevel, in: section, default: true) else {
                throw Section.unsupported(section, "Split followed by ByteLevel with use_regex true")
            }
            guard try !Section.bool("add_prefix_space", of: byteLevel, in: section) else {
                throw Section.unsupported(section, "Split followed by ByteLevel with add_prefix_space true")
            }
            pattern = try Self.pattern(ofSplit: steps[0].json)
            addsPrefixSpace = false
        default: throw Section.unsupported(section, steps.map(\.type).joined(separator: ", "))
        }
    }

    private static func flattened(_ json: JSON) throws(MonosemeError) -> [(type: String, json: JSON)] {
        let type = try Section.type(of: json, in: "pre_tokenizer")
        guard type == "Sequence" else { return [(type, json)] }
        var steps: [(type: String, json: JSON)] = []
        for step in try Section.array("pretokenizers", of: json, in: "pre_tokenizer") { steps += try flattened(step) }
        return steps
    }

    private static func pattern(ofSplit json: JSON) throws(MonosemeError) -> UInt32 {
        // The expressions match everything, so keeping the matches apart and keeping only the matches are the same.
        let behavior = try Section.string("behavior", of: json, in: "pre_tokenizer")
        let inverted = try Section.bool("invert", of: json, in: "pre_tokenizer")
        guard behavior == "Isolated" || behavior == "Removed" && inverted else {
            throw Section.unsupported("pre_tokenizer", "Split with behavior \(behavior)\(inverted ? ", inverted" : "")")
        }
        guard let text = json["pattern"]?["Regex"]?.string else {
            throw Section.unsupported("pre_tokenizer", "Split by a pattern that is not a Regex")
        }
        guard let pattern = pattern(of: text) else { throw Section.unsupported("pre_tokenizer", "Split by the Regex \(text)") }
        return pattern
    }

    /// The scanner for an expression, by its text: GPT-2's, or Llama 3's with the spellings and the two variations
    /// (single digits; contractions folded in ASCII only) that published tokenizers have.
    static func pattern(of expression: String) -> UInt32? {
        let ending = #"\s+(?!\S)|\s+"#
        if [#"'s|'t|'re|'ve|'m|'ll|'d"#, "'(?:[sdmt]|ll|ve|re)"].contains(where: {
            expression == $0 + #"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"# + ending
        }) { return UInt32(KERNEL_WORDS_GPT2) }

        var rest = expression[...]
        func take(_ spellings: [String: UInt32]) -> UInt32? {
            guard let (spelling, flags) = spellings.first(where: { rest.hasPrefix($0.key + "|") }) else { return nil }
            rest = rest.dropFirst(spelling.count + 1)
            return flags
        }
        let ascii = UInt32(KERNEL_WORDS_ASCII_FOLD)
        guard let fold = take([
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)": 0,
            "'(?i:[sdmt]|ll|ve|re)": 0,
            "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])": ascii,
        ]),
            take([#"[^\r\n\p{L}\p{N}]?\p{L}+"#: 0, #"[^\r\n\p{L}\p{N}]?+\p{L}+"#: 0, #"[^\r\n\p{L}\p{N}]?+\p{L}++"#: 0]) != nil,
            let digits = take([#"\p{N}{1,3}"#: 0, #"\p{N}"#: UInt32(KERNEL_WORDS_ONE_DIGIT)]),
            take([#" ?[^\s\p{L}\p{N}]+[\r\n]*"#: 0, #" ?[^\s\p{L}\p{N}]++[\r\n]*"#: 0]) != nil,
            take([#"\s*[\r\n]+"#: 0, #"\s*[\r\n]"#: 0]) != nil,
            rest == ending
        else { return nil }
        return UInt32(KERNEL_WORDS_LLAMA3) | fold | digits
    }
}
