import Diagnostics
import Foundation
import TestSupport
import Testing
import Tokenization

/// Ids of the tokenizers library, see Fixtures/README.md.
private struct Case: Decodable {
    let tokenizer: String
    let text: String?
    let bytes_base64: String?
    let add_special_tokens: Bool
    let ids: [Int32]
    var bytes: [UInt8] { text.map { Array($0.utf8) } ?? Array(Data(base64Encoded: bytes_base64!)!) }
}

private let cases: [Case] = {
    let lines = try! String(contentsOfFile: fixture("goldens/tokenizers/cases.jsonl"), encoding: .utf8).split(separator: "\n").filter { !$0.isEmpty }
    return lines.map { try! JSONDecoder().decode(Case.self, from: Data($0.utf8)) }
}()

private func golden(_ name: String) throws -> Tokenizer { try Tokenizer(path: fixture("goldens/tokenizers/\(name)")) }

@Suite struct GoldenTests {
    @Test(arguments: ["gpt-2", "gpt-neox", "llama-3", "qwen-2", "added-tokens"])
    func `ids are those of the tokenizers library`(name: String) throws {
        let tokenizer = try golden(name)
        let encoder = tokenizer.makeEncoder()
        let mine = cases.filter { $0.tokenizer == name }
        #expect(mine.count > 200)
        for item in mine {
            let kept = item.bytes.withUnsafeBytes { encoder.encode($0, addSpecialTokens: item.add_special_tokens) }
            let fresh = item.bytes.withUnsafeBytes { tokenizer.encode($0, addSpecialTokens: item.add_special_tokens) }
            #expect(kept == item.ids, "\(quoted(String(decoding: item.bytes, as: UTF8.self)))")
            #expect(fresh == kept)
        }
    }

    @Test(arguments: ["gpt-2", "llama-3"])
    func `without a normalizer the tokens' bytes are the text's`(name: String) throws {
        let tokenizer = try golden(name)
        for text in cases.filter({ $0.tokenizer == name }).compactMap(\.text) {
            let ids = tokenizer.encode(text)
            #expect(ids.flatMap(tokenizer.bytes(of:)) == Array(text.utf8))
            #expect(tokenizer.decode(ids) == text)
        }
    }

    @Test func `template, beginning and size are read from the file`() throws {
        let llama = try golden("llama-3"), gpt2 = try golden("gpt-2")
        #expect(llama.beginningOfSequence.map(llama.bytes(of:)) == Array("<|begin_of_text|>".utf8))
        #expect(gpt2.beginningOfSequence.map(gpt2.bytes(of:)) == Array("<|endoftext|>".utf8))
        #expect(llama.encode("", addSpecialTokens: true) == [try #require(llama.beginningOfSequence)])
        #expect(llama.bytes(of: Int32(llama.vocabularySize)).isEmpty)
        #expect(llama.bytes(of: -1).isEmpty)
        #expect(!llama.bytes(of: Int32(llama.vocabularySize - 1)).isEmpty)
    }

    @Test func `one tokenizer serves many threads`() async throws {
        let tokenizer = try golden("qwen-2")
        let texts = cases.filter { $0.tokenizer == "qwen-2" && !$0.add_special_tokens }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let encoder = tokenizer.makeEncoder()
                    return texts.allSatisfy { item in item.bytes.withUnsafeBytes { encoder.encode($0) } == item.ids }
                }
            }
            for await same in group { #expect(same) }
        }
    }
}
