import Foundation
import TestSupport
import Tokenization

/// A tokenizer of the 256 bytes and a few merges, written part by part so that each part can be spoilt.
struct Small {
    var version = #""1.0""#
    var added = "[]"
    var normalizer = "null"
    var preTokenizer = #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#
    var postProcessor = "null"
    var decoder = #"{"type":"ByteLevel"}"#
    var truncation = "null"
    var padding = "null"
    var model = #""type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false"#
    var vocabulary = Small.vocabulary
    var merges = #"["a b","b c","ab c","a a","aa aa"]"#

    /// Ids 0…255 in byte order, then ab, bc, abc, aa, aaaa.
    static let alphabet: [String] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte in
            let isPlain = (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || byte >= 0xae
            defer { if !isPlain { next += 1 } }
            return String(Character(Unicode.Scalar(isPlain ? UInt32(byte) : next)!))
        }
    }()
    static func vocabulary(_ tokens: [String]) -> String {
        "{" + tokens.enumerated().map { "\"" + $1.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\":\($0)" }.joined(separator: ",") + "}"
    }
    static let vocabulary = vocabulary(alphabet + ["ab", "bc", "abc", "aa", "aaaa"])

    var text: String {
        #"{"version":\#(version),"truncation":\#(truncation),"padding":\#(padding),"added_tokens":\#(added),"normalizer":\#(normalizer),"pre_tokenizer":\#(preTokenizer),"# +
            #""post_processor":\#(postProcessor),"decoder":\#(decoder),"model":{\#(model),"vocab":\#(vocabulary),"merges":\#(merges)}}"#
    }

    func load() throws -> Tokenizer { try Small.load(Data(text.utf8)) }

    static func load(_ bytes: Data) throws -> Tokenizer {
        try withTemporaryFolder { folder in
            try bytes.write(to: folder.appending(path: "tokenizer.json"))
            return try Tokenizer(path: folder.path)
        }
    }

    static func addedToken(_ id: String, _ content: String, special: Bool = false, normalized: Bool = false) -> String {
        #"{"id":\#(id),"content":"\#(content)","single_word":false,"lstrip":false,"rstrip":false,"normalized":\#(normalized),"special":\#(special)}"#
    }
}

/// SplitMix64: the same numbers on every machine.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e3779b97f4a7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58476d1ce4e5b9
        z = (z ^ z >> 27) &* 0x94d049bb133111eb
        return z ^ z >> 31
    }
}
