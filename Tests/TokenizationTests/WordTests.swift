import Foundation
import Glibc
import Kernels
import TestSupport
import Testing
import Tokenization

/// The definition of BPE: of all neighbours that merge, join those of least rank, the leftmost of them, until none do.
private func plainly(_ text: [String], _ ranks: [[String]: Int]) -> [String] {
    var symbols = text
    while let best = (0..<max(symbols.count - 1, 0)).compactMap({ i in ranks[[symbols[i], symbols[i + 1]]].map { ($0, i) } }).min(by: <) {
        symbols.replaceSubrange(best.1...(best.1 + 1), with: [symbols[best.1] + symbols[best.1 + 1]])
    }
    return symbols
}

private let ranks = [["a", "b"]: 0, ["b", "c"]: 1, ["ab", "c"]: 2, ["a", "a"]: 3, ["aa", "aa"]: 4]

@Suite struct WordTests {
    @Test func `words of every length merge as the definition says`() throws {
        let tokenizer = try Small().load()
        var random = Seeded(state: 7)
        for length in Array(0...70) + [127, 128, 300] {
            for _ in 0..<20 {
                let letters = (0..<length).map { _ in ["a", "a", "b", "c"].randomElement(using: &random)! }
                let tokens = tokenizer.encode(letters.joined()).map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) }
                #expect(tokens == plainly(letters, ranks))
            }
        }
    }

    @Test func `a word of a megabyte takes less than a second`() throws {
        let tokenizer = try Small().load()
        let text = String(repeating: "a", count: 1 << 20)
        let start = clock()
        let ids = tokenizer.encode(text)
        #expect(Double(clock() - start) / Double(CLOCKS_PER_SEC) < 1)
        #expect(ids == Array(repeating: 260, count: 1 << 18))
    }

    @Test func `more words than the cache holds are encoded all the same`() throws {
        let tokenizer = try Small().load()
        let encoder = tokenizer.makeEncoder()
        let words = (0..<100_000).map { String($0, radix: 2).replacing("0", with: "a").replacing("1", with: "b") + "zzzzzzz" }
        let text = words.joined(separator: "\n")
        let ids = encoder.encode(text)
        #expect(tokenizer.decode(ids) == text)
        #expect(encoder.encode(text) == ids)
        #expect(words.flatMap { tokenizer.encode($0) } == encoder.encode(text).filter { $0 != 10 })
    }

    @Test func `a word that is a token is taken whole only with ignore_merges`() throws {
        var small = Small()
        small.merges = "[]"
        #expect(try small.load().encode("abc") == [97, 98, 99])
        small.model += #","ignore_merges":true"#
        #expect(try small.load().encode("abc") == [258])
    }

    @Test func `every byte and every ill-formed sequence comes back`() throws {
        let tokenizer = try Small().load()
        for byte in UInt8.min...UInt8.max { #expect(tokenizer.bytes(of: Int32(byte)) == [byte]) }
        var random = Seeded(state: 11)
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
                [0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0x90, 0xa0, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random)!
            }
            // Foundation and the standard library repair by the same rule of Unicode §3.9.
            let ids = bytes.withUnsafeBytes { tokenizer.encode($0) }
            #expect(ids.flatMap(tokenizer.bytes(of:)) == Array(String(decoding: bytes, as: UTF8.self).utf8))
        }
    }

    @Test func `ill-formed sequences are counted`() throws {
        let encoder = try Small().load().makeEncoder()
        // Python: b"a\xffb\xe2\x82c\xed\xa0\x80".decode(errors="replace") holds 1 + 1 + 3 replacements.
        _ = [UInt8]([0x61, 0xff, 0x62, 0xe2, 0x82, 0x63, 0xed, 0xa0, 0x80]).withUnsafeBytes { encoder.encode($0) }
        #expect(encoder.replacementCount == 5)
    }
}

@Suite struct UnicodeTests {
    private struct Ranges: Decodable { let L, N, whitespace: [[UInt32]] }

    @Test func `letters, numbers and spaces are those of Unicode 16`() throws {
        _ = try Small().load() // expands the tables
        let ranges = try JSONDecoder().decode(Ranges.self, from: Data(contentsOf: URL(filePath: fixture("goldens/tokenizers/unicode-ranges.json"))))
        var expected = [UInt8](repeating: UInt8(UNICODE_OTHER), count: 0x110000)
        for (kind, list) in [(UNICODE_LETTER, ranges.L), (UNICODE_NUMBER, ranges.N), (UNICODE_SPACE, ranges.whitespace)] {
            for range in list { for scalar in range[0]...range[1] { expected[Int(scalar)] = UInt8(kind) } }
        }
        let wrong = (0..<0x110000).filter { kernel_unicode_class(UInt32($0)) & UInt8(UNICODE_KIND) != expected[$0] }
        #expect(wrong.isEmpty)
    }

    @Test(arguments: [
        ("e\u{301}", "\u{e9}"), ("q\u{315}\u{334}", "q\u{334}\u{315}"), ("\u{212b}", "\u{c5}"), ("\u{1100}\u{1161}\u{11a8}", "\u{ac01}"),
        ("\u{958}", "\u{915}\u{93c}"), ("a\u{323}\u{302}", "\u{1ead}"), ("\u{344}", "\u{308}\u{301}"), ("\u{301}e", "\u{301}e"),
        ("\u{1d15e}", "\u{1d157}\u{1d165}"), ("x\u{ac00}\u{11a8}y", "x\u{ac01}y"), ("\u{f900}", "\u{8c48}"), ("plain", "plain"),
        // Composed only since Unicode 13; the library's normalizer is older and leaves them apart.
        ("\u{11935}\u{11930}", "\u{11935}\u{11930}"),
    ])
    func `text is composed as the library composes it`(text: String, expected: String) throws {
        var small = Small()
        small.normalizer = #"{"type":"Sequence","normalizers":[{"type":"NFC"}]}"#
        let tokenizer = try small.load()
        #expect(tokenizer.encode(text).flatMap(tokenizer.bytes(of:)) == Array(expected.utf8))
    }

    @Test func `a hundred thousand marks are put in order`() throws {
        var small = Small()
        small.normalizer = #"{"type":"NFC"}"#
        let tokenizer = try small.load()
        let text = "q" + String(repeating: "\u{315}\u{334}", count: 50_000)
        let expected = "q" + String(repeating: "\u{334}", count: 50_000) + String(repeating: "\u{315}", count: 50_000)
        #expect(tokenizer.encode(text).flatMap(tokenizer.bytes(of:)) == Array(expected.utf8))
    }
}
