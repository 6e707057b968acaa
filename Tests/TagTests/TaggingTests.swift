@testable import Analyses
import Diagnostics
import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

// By hand, token by token. Mutations tried: a match that ends where a token begins takes that token in, too; one that begins where a token
// ends; only the first token of a match; a token's second match lost; documents joined; offsets of repaired text taken for those of the
// bytes; grapheme semantics; U+FFFD for each byte instead of each ill-formed stretch; a block's last code point left out; names compared
// with their hyphens; the name not compared with topics; an incomplete corpus tagged.

@Suite struct TaggingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let what: String
        let predicate: TokenPredicate
        let documents: [[[UInt8]]]
        let expected: [Int]
        var testDescription: String { what }

        init(_ what: String, _ predicate: TokenPredicate, _ documents: [[[UInt8]]], _ expected: [Int]) { (self.what, self.predicate, self.documents, self.expected) = (what, predicate, documents, expected) }
    }

    static func range(_ names: String...) -> TokenPredicate { .ranges(try! UnicodeRanges(parsing: names)) }
    /// ب is D8 A8, ا is D8 A7, 字 is E5 AD 97.
    static let cases: [Case] = [
        .init("a match takes in every token it touches", .regex("b+c"), [tokens("ab", "bb", "c", "d")], [0, 1, 2]),
        .init("and none that it only meets", .regex("bb"), [tokens("a", "b", "b", "c")], [1, 2]),
        .init("two matches in one token tag it once", .regex("x"), [tokens("xax", "b", "x")], [0, 2]),
        .init("a token that ends one match and begins another", .regex("[ab]{2}"), [tokens("a", "bxb", "a", "c")], [0, 1, 2]),
        .init("no match reaches into the next document", .regex("ab"), [tokens("a", "a"), tokens("b"), tokens("a", "b")], [3, 4]),
        .init("anchors are those of the document", .regex("^a|b$"), [tokens("a", "a", "b", "b"), tokens("b", "a")], [0, 3]),
        .init("matches without characters are none", .regex("x*"), [tokens("a", "x", "b")], [1]),
        .init("case counts unless told otherwise", .regex("abc"), [tokens("ABC", "abc")], [1]),
        .init("(?i)", .regex("(?i)abc"), [tokens("ABC", "abc")], [0, 1]),
        .init("scalars are matched, not graphemes", .regex("e"), [tokens("e\u{301}", "x", "\u{301}")], [0]),
        .init("a dot is one scalar", .regex("^.x"), [tokens("e", "\u{301}", "x"), tokens("e", "x")], [3, 4]),
        .init("a character spread over tokens counts for each", range("Arabic"), [[[0xd8], [0xa8], [0x61], [0xd8, 0xa7, 0x62]]], [0, 1, 3]),
        .init("of three", .regex("字"), [[[0x61, 0xe5], [0xad], [0x97, 0x61], [0x61]]], [0, 1, 2]),
        .init("a token that holds several characters", range("Hebrew"), [tokens("aאב", "b", "אa")], [0, 2]),
        .init("what is not UTF-8 shifts nothing", .regex("b"), [[[0xff, 0xfe], [0x62], [0xd8], [0x62, 0xff], [0x63]]], [1, 3]),
        .init("nor before a range", range("Arabic"), [[[0xe5, 0xad], [0xd8], [0xa8], [0xff], [0xd8, 0xa7]]], [1, 2, 4]),
        .init("and is U+FFFD for a pattern, one for each ill-formed stretch", .regex("^\u{fffd}{3}x"), [[[0xe5], [0xad, 0xff], [0xd8], [0x78], [0x79]]], [0, 1, 2, 3]),
        .init("but a character of no block", range("Specials"), [[[0xff], [0x61], [0xef, 0xbf], [0xbd]]], [2, 3]),
        .init("a character cut off by the document's end", range("Arabic"), [[[0x61], [0xd8]], [[0xa8]], [[0xd8, 0xa8]]], [3]),
        .init("a token without bytes is in no match", .regex("a+"), [[[0x61], [], [0x61]]], [0, 2]),
        .init("code points at the ends of a range", range("U+0062-u+0063", "u+65"), [tokens("a", "b", "c", "d", "e", "f")], [1, 2, 4]),
        .init("of four bytes", range("Emoticons"), [tokens("a", "😀", "🙏", "🚀")], [1, 2]),
    ]

    @Test(arguments: cases) func `a token satisfies a tag if one of its bytes is in a match`(each: Case) throws {
        try withTemporaryFolder { folder in
            let world = try TextCatalogue(each.documents, in: folder)
            let (tag, isNew) = try world.catalogue.tag(world.corpus, as: "t", each.predicate, timeLimit: nil, engine: "test", at: "now")
            let positions = try world.catalogue.positions(of: tag).positions
            #expect(isNew && positions == each.expected)
            let ends = each.documents.reduce(into: [0]) { $0.append($0.last! + $1.count) }
            #expect(tag.tokens == each.expected.count && tag.documents == Set(each.expected.map { position in ends.lastIndex { $0 <= position }! }).count)
            #expect(try world.catalogue.check().findings == [])
        }
    }

    @Test(arguments: [
        (["Arabic"], "Arabic"), (["hebrew", "ARABIC"], "Hebrew, Arabic"), (["latin 1 supplement"], "Latin-1 Supplement"), (["CJK_unified-ideographs"], "CJK Unified Ideographs"),
        (["U+0600-U+06ff"], "Arabic"), (["u+61", "U+0061-U+0061"], "U+0061"), (["U+1F600-U+1F601"], "U+1F600-U+1F601"), (["U+0-U+10FFFF"], "U+0000-U+10FFFF"),
    ]) func `blocks are known in any spelling, and ranges by their block`(names: [String], definition: String) throws { #expect(try UnicodeRanges(parsing: names).definition == definition) }

    @Test(arguments: [
        (["Arabicx"], "Unicode has no block \"Arabicx\""), ([""], "Unicode has no block \"\""), (["U+"], "\"U+\" is not a range of code points"), (["U+6-U+5"], "\"U+6-U+5\" is not a range of code points"),
        (["U+110000"], "\"U+110000\" is not a range of code points"), (["U+1-U+2-U+3"], "\"U+1-U+2-U+3\" is not a range of code points"), (["U+-5"], "\"U+-5\" is not a range of code points"),
        (["U+0000000000061"], "\"U+0000000000061\" is not a range of code points"), (["U+1-2"], "\"U+1-2\" is not a range of code points"),
    ]) func `what is no block and no range is refused`(names: [String], message: String) { #expect(refusal { _ = try UnicodeRanges(parsing: names) }?.message == message) }

    @Test func `a name that is part of some blocks' is answered with these`() {
        #expect(refusal { _ = try UnicodeRanges(parsing: ["hangul"]) }?.hint == "it has Hangul Jamo, Hangul Compatibility Jamo, Hangul Jamo Extended-A, Hangul Syllables, Hangul Jamo Extended-B")
    }

    @Test(arguments: [
        ("(a", "expected ')', at its end"), ("ab[z-a]", "character 'z' must compare less than or equal to 'a', at character 5"), ("x{3,1}", "range lower bound '3' must be less than or equal to upper bound '1', at character 1"),
        ("é*+*", "quantifier '*' must appear after expression, at character 4"), ("\\p{Foo}", "unknown character property 'Foo', at character 4"), ("(?<=a)b", "lookbehind is not currently supported, at character 1"),
    ]) func `a pattern that does not compile is refused with what and where`(pattern: String, problem: String) {
        #expect(refusal { _ = try TextRegex(pattern) }?.message == "the pattern \(quoted(pattern)) is not a regular expression: \(problem)")
    }

    @Test func `a tag is made once, and another of its name only when told`() throws {
        try withTemporaryFolder { folder in
            let world = try TextCatalogue([tokens("a", "b", "c"), tokens("x")], in: folder)
            func tag(_ name: String, _ predicate: TokenPredicate, replaces: Bool = false) throws -> (tag: FeatureCatalogue.Tag, isNew: Bool) {
                try world.catalogue.tag(world.corpus, as: name, predicate, replaces: replaces, timeLimit: nil, engine: "test", at: "now")
            }
            let first = try tag(" letters ", .regex("[ab]"))
            #expect(first.isNew && first.tag.name == "letters" && first.tag.tokens == 2)
            let again = try tag("Letters", .regex("[ab]"))
            #expect(again.tag == first.tag && !again.isNew)
            #expect(refusal { _ = try tag("LETTERS", .regex("[abc]")) } == MonosemeError("the tag \"letters\" is there already, with another definition: regex \"[ab]\"",
                                                                                      hint: "choose another name, or put the new one in its place with --replace"))
            #expect(refusal { _ = try tag("letters", Self.range("U+0061")) }?.message.hasPrefix("the tag \"letters\" is there already") == true)
            let second = try tag("LETTERS", .regex("[abc]"), replaces: true)
            let kept = try world.catalogue.tags(of: world.corpus.id)
            #expect(second.isNew && second.tag.tokens == 3 && kept == [second.tag])
            for name in ["two", "ONE", "Two "] { #expect(refusal { _ = try tag(name, .regex("a")) }?.message.contains("is a topic of the corpus") == true) }
            for name in ["", "  ", "a\u{7}b", String(repeating: "x", count: 129)] { #expect(refusal { _ = try tag(name, .regex("a")) } != nil) }
            #expect(refusal { _ = try tag("broken", .regex("(")) } != nil)
            #expect(refusal { _ = try tag("empty", .regex("")) }?.message == "the pattern is empty: it matches nothing")
            #expect(try world.catalogue.tags(of: world.corpus.id).count == 1)
        }
    }

    @Test func `a corpus that is not wholly read, or is damaged, is not tagged`() throws {
        try withTemporaryFolder { folder in
            let world = try TextCatalogue([tokens("a", "b", "c", "a", "b")], in: folder, isComplete: false)
            func tag(_ corpus: Corpus) throws { _ = try world.catalogue.tag(corpus, as: "t", .regex("a"), timeLimit: nil, engine: "test", at: "now") }
            #expect(refusal { try tag(world.corpus) }?.message == "the corpus \"text\" is not wholly read yet")
            try world.catalogue.complete(world.corpus, emptyDocuments: 0, malformedLines: 0)
            let corpus = try world.catalogue.corpus(world.corpus.id)
            for damage in ["DELETE FROM token_block WHERE first_position = 4", "UPDATE document SET tokens = 9"] {
                try world.catalogue.connection.execute(damage)
                #expect(refusal { try tag(corpus) }?.message.contains("damaged") == true)
            }
            #expect(try world.catalogue.tags(of: corpus.id) == [])
        }
    }

    @Test func `texts that are not UTF-8 keep their offsets, whatever is in them`() {
        var random = Seeded(state: 3)
        for _ in 0..<300 {
            // Bytes that often form characters, and often do not.
            let bytes = (0..<Int.random(in: 0..<30, using: &random)).map { _ in [0x61, 0xd8, 0xa8, 0xe5, 0xad, 0x97, 0xf0, 0x9f, 0x98, 0x80, 0xff, 0xed, 0xc0].randomElement(using: &random)! as UInt8 }
            let text = ScalarText(bytes), expected = String(decoding: bytes, as: UTF8.self)
            #expect(text.string.unicodeScalars.elementsEqual(expected.unicodeScalars))
            // Every character that is not a replacement stands at its own bytes.
            var offset = 0
            for scalar in text.string.unicodeScalars {
                let encoded = Array(String(scalar).utf8), start = text.offset(offset)
                if scalar != "\u{fffd}" { #expect(Array(bytes[start..<text.offset(offset + encoded.count)]) == encoded) }
                offset += encoded.count
            }
            #expect(text.offset(offset) == bytes.count)
        }
    }

    struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }
}

/// What `body` threw.
func refusal(_ body: () throws -> Void) -> MonosemeError? {
    do { try body() } catch { return error as? MonosemeError ?? MonosemeError("another error: \(error)") }
    return nil
}
