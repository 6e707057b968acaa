import FeatureCatalogue
import Testing

// Mutations tried: no comma before what is not ASCII; the last bracket instead of the first.

@Suite struct LabelRuleTests {
    @Test(arguments: [
        .regex("[A-Z]{3}"), .regex(" & tokens:a"), .regex("a,b\\,c\\\\"), .regex("]"), .regex("[tokens:a]"), .tokens([" the"]), .tokens(["a", ",", "\\", "\\,", "a,b"]), .tokens(["\u{301}", ",\u{301}", "e"]),
        .tokens(["&", " & topic:x", "]", "[regex:", "\\x41"]), .tokens([.init([0xe5]), .init([0xad, 0x41]), .init([0]), "\n", "字"]), .after([":", " =", "\t"]), .topic("Base64"), .topic("R & D, Ltd. \\ & topic:x"),
        .range(["Arabic", "U+0061-U+007A"]), .all(of: [.regex("a & b"), .topic("Hex"), .tokens(["a", "b"]), .after(["x"])])!, .all(of: [.topic("b"), .topic("a")])!, .tokens([" a "]), .topic(" x "),
    ] as [LabelRule]) func `a rule reads as it was written`(rule: LabelRule) {
        #expect(LabelRule(rule.description) == rule && !rule.description.utf8.contains(0), "\(rule.description)")
        // Also at the end of a label's text, as long as white space at the ends of the text is not its own.
        #expect(LabelRule(in: "a label [\(rule.description)]") == rule)
    }

    @Test(arguments: [
        ("tokens:a\\,b,c", .tokens(["a,b", "c"])), ("tokens:\\xe5,\\xg0", .tokens([.init([0xe5]), "xg0"])), ("topic:R & D", .topic("R & D")), ("topic:a & tokens:b", .all([.topic("a"), .tokens(["b"])])),
        ("tokens:b & topic:a & topic:a", .all([.topic("a"), .tokens(["b"])])), ("regex:a & topic:b", .regex("a & topic:b")), ("topic:x & regex:a & topic:b", .all([.topic("x"), .regex("a & topic:b")])),
    ] as [(String, LabelRule)]) func `what a person may write`(text: String, rule: LabelRule) { #expect(LabelRule(text) == rule) }

    @Test(arguments: ["", "x", "regex", "regex:", "tokens:", "tokens:a,,b", "tokens:a,", "tokens:\\", "topic:", "topic:\\xff", "range:", "after:", "label:x", "Regex:a", "a\u{0}", "tokens:a\u{0}", "topic:a & topic:", "tokens: & topic:x", "topic:x & regex:"])
    func `what is no rule`(text: String) { #expect(LabelRule(text) == nil) }

    @Test(arguments: [
        ("acronyms [regex:[A-Z]{3}]", .regex("[A-Z]{3}")), ("[regex:[A-Z]{3}]", .regex("[A-Z]{3}")), ("see [1] [tokens:a]", .tokens(["a"])), ("x [regex: a] and [tokens:b]", .regex(" a] and [tokens:b")),
        ("x [tokens:] [tokens:a]", .tokens(["] [tokens:a"])), ("x [topic:] ] [tokens: ]", .topic("] ] [tokens: ")), ("x [regex:a] ", nil), ("x[regex:a]", nil), ("x [label:a]", nil), ("]", nil), ("", nil), ("[regex:]", nil), ("Base64\u{a0}[topic:Base64]", .topic("Base64")),
    ] as [(String, LabelRule?)]) func `a label's text carries a rule if it ends in one`(text: String, rule: LabelRule?) { #expect(LabelRule(in: text) == rule) }
}
