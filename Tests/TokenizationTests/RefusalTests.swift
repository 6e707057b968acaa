import Diagnostics
import Foundation
import TestSupport
import Testing
import Tokenization

private func small(_ change: (inout Small) -> Void) -> Small {
    var small = Small()
    change(&small)
    return small
}

private let split = #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"PATTERN"},"behavior":"Isolated","invert":false},"# +
    #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}"#

@Suite struct RefusalTests {
    @Test(arguments: [
        (small { $0.vocabulary = "{}" }, "model.vocab is empty"),
        (small { $0.vocabulary = "[]" }, "model.vocab is an array, not an object"),
        (small { $0.vocabulary = "[[\"a\",-1.5]]" }, "model.vocab is an array, not an object"),
        (small { $0.vocabulary = #"{"a":0,"b":0}"# }, "model.vocab: the id 0 is given twice, the second time to \"b\""),
        (small { $0.vocabulary = #"{"a":0,"a":1}"# }, "model.vocab: the token \"a\" stands twice"),
        (small { $0.vocabulary = #"{"a":-1}"# }, "the id of \"a\" is not a whole number"),
        (small { $0.vocabulary = #"{"a":1.5}"# }, "the id of \"a\" is not a whole number"),
        (small { $0.vocabulary = #"{"a":1e3}"# }, "the id of \"a\" is not a whole number"),
        (small { $0.vocabulary = #"{"a":01}"# }, "the id of \"a\" is not a whole number"),
        (small { $0.vocabulary = #"{"a":2147483648}"# }, "the id of \"a\" is larger than 4194303"),
        (small { $0.vocabulary = #"{"a":99999999999999999999999999}"# }, "the id of \"a\" is larger than 4194303"),
        (small { $0.vocabulary = #"{"a":0,}"# }, "model.vocab: expected a string"),
        (small { $0.vocabulary = #"{"a":0 "b":1}"# }, "model.vocab: expected ',' or '}'"),
        (small { $0.vocabulary = #"{"\ud800":0}"# }, "model.vocab: a lone surrogate"),
        (small { $0.vocabulary = Small.vocabulary(Array(Small.alphabet.dropLast(20))) }, "model.vocab has no token for the byte 0xec"),
        (small { $0.merges = #"["a b","a zz"]"# }, "model.merges[1] names the token \"zz\", which model.vocab lacks"),
        (small { $0.merges = #"["b a"]"# }, "model.merges[0] names the token \"ba\", which model.vocab lacks"),
        (small { $0.merges = #"[["a","b"],["a","b","c"]]"# }, "model.merges: expected ']'"),
        (small { $0.merges = #"["a  b"]"# }, "model.merges[0] is \"a  b\", not two tokens with one space between"),
        (small { $0.merges = #"["ab"]"# }, "model.merges[0] is \"ab\""),
        (small { $0.merges = "{}" }, "model.merges is an object, not an array"),
        (small { $0.model = #""type":"WordPiece""# }, "model: \"type WordPiece\" is not supported"),
        (small { $0.model = #""type":"Unigram""# }, "model: \"type Unigram\" is not supported"),
        (small { $0.model += #","dropout":0.1"# }, "is not JSON: duplicate key \"dropout\""),
        (small { $0.model = #""type":"BPE","dropout":0.1"# }, "model: \"dropout 0.1\" is not supported"),
        (small { $0.model = #""type":"BPE","end_of_word_suffix":"</w>""# }, "model: \"end_of_word_suffix </w>\" is not supported"),
        (small { $0.model = #""type":"BPE","continuing_subword_prefix":"@@""# }, "model: \"continuing_subword_prefix @@\" is not supported"),
        (small { $0.preTokenizer = "null" }, "pre_tokenizer: \"null\" is not supported"),
        (small { $0.preTokenizer = #"{"type":"Metaspace"}"# }, "pre_tokenizer: \"Metaspace\" is not supported"),
        (small { $0.preTokenizer = split.replacing("PATTERN", with: "[a-z]+") }, "pre_tokenizer: \"Split by the Regex [a-z]+\" is not supported"),
        (small { $0.preTokenizer = split.replacing("Isolated", with: "MergedWithNext") }, "Split with behavior MergedWithNext"),
        (small { $0.preTokenizer = #"{"type":"ByteLevel","trim_offsets":true}"# }, "pre_tokenizer.add_prefix_space is missing, not a boolean"),
        (small { $0.normalizer = #"{"type":"NFKC"}"# }, "normalizer: \"NFKC\" is not supported"),
        (small { $0.normalizer = #"{"type":"Sequence","normalizers":[{"type":"Lowercase"}]}"# }, "normalizer: \"Lowercase\" is not supported"),
        (small { $0.normalizer = #"{"type":"Replace","pattern":{"Regex":"x"},"content":""}"# }, "Replace with a pattern other than a plain string"),
        (small { $0.postProcessor = #"{"type":"BertProcessing"}"# }, "post_processor: \"BertProcessing\" is not supported"),
        (small { $0.postProcessor = #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[261]}}}"# },
         "the template's token \"x\" has an id that is not one of the 261 of the vocabulary"),
        (small { $0.decoder = #"{"type":"WordPiece"}"# }, "decoder: \"WordPiece\" is not supported"),
        (small { $0.added = "[\(Small.addedToken("300", "<x>"))]" }, "added_tokens[0]: the id of \"<x>\" is 300, where 261 follows from the vocabulary"),
        (small { $0.added = "[\(Small.addedToken("-1", "<x>"))]" }, "added_tokens[0]: the id of \"<x>\" is -1"),
        (small { $0.added = "[\(Small.addedToken("4294967557", "<x>"))]" }, "added_tokens[0]: the id of \"<x>\" is 4294967557"),
        (small { $0.added = "[\(Small.addedToken("261", "<x>")),\(Small.addedToken("261", "<x>"))]" }, "added_tokens[1]: the token \"<x>\" stands twice"),
        (small { $0.added = "[\(Small.addedToken("261", "<x>")),\(Small.addedToken("261", "<y>"))]" }, "added_tokens[1]: the id of \"<y>\" is 261, where 262 follows"),
        (small { $0.added = "[\(Small.addedToken("261", ""))]" }, "added_tokens[0] has content of 0 bytes"),
        (small { $0.added = #"[{"id":261,"content":"<x>"}]"# }, "added_tokens[0].special is missing, not a boolean"),
    ])
    func `a file that cannot be honoured is refused by name`(small: Small, problem: String) {
        let error = #expect(throws: MonosemeError.self) { try small.load() }
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
        #expect(error?.message.hasPrefix("tokenizer \"/") == true)
    }

    @Test func `added tokens that look alike after normalization are refused`() {
        let tokens = [Small.addedToken("261", "<e\u{301}>", normalized: true), Small.addedToken("262", "<\u{e9}>", normalized: true)]
        let twins = small { $0.normalizer = #"{"type":"NFC"}"#; $0.added = "[\(tokens.joined(separator: ","))]" }
        let error = #expect(throws: MonosemeError.self) { try twins.load() }
        #expect(error?.message.hasSuffix("are the same after normalization") == true)
    }

    @Test func `truncation and padding are not applied, and that is said`() throws {
        let tokenizer = try small { $0.truncation = #"{"max_length":1}"#; $0.padding = "{}" }.load()
        #expect(tokenizer.notices == ["the tokenizer's truncation is not applied", "the tokenizer's padding is not applied"])
        #expect(tokenizer.encode("xy").count == 2)
        #expect(try Small().load().notices.isEmpty)
    }

    @Test func `older files are read`() throws {
        // No model type, a version line before the merges, "#version" as GPT-2's merges.txt has it.
        let old = small { $0.model = #""dropout":0.0"#; $0.merges = "[\"#version: 0.2\",\"a b\"]" }
        #expect(try old.load().encode("abc") == [256, 99])
        #expect(try small { $0.merges = #"[["a","b"]]"# }.load().encode("abc") == [256, 99])
    }

    @Test func `a missing file is named`() {
        let error = #expect(throws: MonosemeError.self) { try Tokenizer(path: "/nonexistent/tokenizer.json") }
        #expect(error?.message.contains("/nonexistent/tokenizer.json") == true)
    }

    @Test func `a damaged file loads or throws`() throws {
        let intact = Array(small {
            $0.added = "[\(Small.addedToken("261", "<x>", special: true)),\(Small.addedToken("262", "  ", normalized: true))]"
            $0.normalizer = #"{"type":"Sequence","normalizers":[{"type":"NFC"}]}"#
            $0.preTokenizer = split.replacing("PATTERN", with: #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"#)
            $0.postProcessor = #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[261]}}}"#
        }.text.utf8)
        #expect(try Small.load(Data(intact)).encode("a<x>", addSpecialTokens: true) == [261, 97, 261])
        var random = Seeded(state: 3)
        var loaded = 0
        let marks = Array("\"\\{}[],:0129-.eu ".utf8)
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "tokenizer.json")
            for _ in 0..<2000 {
                var bytes = intact
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<6, using: &random) {
                    case 0: bytes[place] = .random(in: 0...255, using: &random)
                    case 1: bytes[place] = marks.randomElement(using: &random)!
                    case 2: bytes.remove(at: place)
                    case 3: bytes.insert(marks.randomElement(using: &random)!, at: place)
                    case 4: bytes.removeSubrange(place..<min(place + Int.random(in: 1...200, using: &random), bytes.count))
                    default:
                        let end = min(place + Int.random(in: 1...200, using: &random), bytes.count)
                        bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0..<bytes.count, using: &random))
                    }
                    if bytes.isEmpty { break }
                }
                try Data(bytes).write(to: file)
                do {
                    let tokenizer = try Tokenizer(path: folder.path)
                    _ = tokenizer.decode(tokenizer.encode("abc <x>  it's 12\n e\u{301}", addSpecialTokens: true))
                    loaded += 1
                } catch is MonosemeError {}
            }
            for length in stride(from: 0, to: intact.count, by: 37) {
                try Data(intact[..<length]).write(to: file)
                #expect(throws: MonosemeError.self) { try Tokenizer(path: folder.path) }
            }
        }
        #expect(loaded > 0 && loaded < 2000)
    }
}
