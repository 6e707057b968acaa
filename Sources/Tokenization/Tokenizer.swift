import Diagnostics
import Formats
import Kernels

/// A byte-level BPE tokenizer, read from Hugging Face's `tokenizer.json`, with the ids the `tokenizers` library gives.
///
/// What the file asks for is done or refused by name, never passed over, with one exception that `notices` reports:
/// `truncation` and `padding` are not applied, as transformers does not apply them either unless a call asks.
public final class Tokenizer: Sendable {
    /// SHA-256 of the file, in hexadecimal.
    public let sha256: String
    /// 1 + the largest id, added tokens included. A model's embedding may have more rows.
    public let vocabularySize: Int
    /// The id that begins a text: the one the file's template adds, else the first special token of `<|begin_of_text|>`,
    /// `<|endoftext|>`, `<s>` and `<bos>`; nil if there is none.
    public let beginningOfSequence: Int32?
    /// What the file asks for and encoding does not do, in sentences; mostly none.
    public let notices: [String]

    let normalizer: Normalizer
    let preTokenizer: PreTokenizer
    let postProcessor: PostProcessor
    let rawFinder, normalizedFinder: AddedTokenFinder?
    private let vocabulary: Vocabulary
    private let merges: Merges
    private let addedContents: [Int32: [UInt8]]
    /// The tokens that text can be, if a word that is one is taken whole (`ignore_merges`).
    private let wholeWords: Buffer<UInt32>?

    /// Reads a `tokenizer.json`, or the one in a folder.
    /// - Throws: `MonosemeError` naming the path, the place in the file, and what is wrong or not supported there.
    public init(path: String) throws {
        let path = kind(of: path) == .folder ? path + "/tokenizer.json" : path
        let file = try MappedFile(path)
        guard file.bytes.count < 1 << 30 else {
            throw MonosemeError("\(quoted(path, limit: 400)) has \(file.bytes.count) bytes, which is no tokenizer")
        }
        CharacterTables.prepare
        do throws(MonosemeError) {
            let text = try FileText(file.bytes)
            guard text.rest.object != nil else { throw MonosemeError("is \(text.rest.kind), not an object") }
            guard let model = text.rest["model"], model.object != nil else { throw MonosemeError("has no object \"model\"") }
            let ignoresMerges = try Self.check(model)
            guard let table = text.vocabulary else { throw MonosemeError("model.vocab is \(model["vocab"]?.kind ?? "missing"), not an object") }
            guard let list = text.merges else { throw MonosemeError("model.merges is \(model["merges"]?.kind ?? "missing"), not an array") }
            normalizer = try Normalizer(text.rest["normalizer"])
            preTokenizer = try PreTokenizer(text.rest["pre_tokenizer"])
            try Self.check(decoder: text.rest["decoder"] ?? .null)
            vocabulary = try Vocabulary(TableReader(file.bytes, table, name: "model.vocab"))
            merges = try Merges(TableReader(file.bytes, list, name: "model.merges"), vocabulary: vocabulary)
            let added = try AddedToken.read(text.rest["added_tokens"], vocabulary: vocabulary)
            vocabularySize = max(vocabulary.size, 1 + Int(added.map(\.id).max() ?? 0))
            postProcessor = try PostProcessor(text.rest["post_processor"], size: vocabularySize)
            addedContents = .init(uniqueKeysWithValues: added.map { ($0.id, $0.content) })
            let raw = added.filter { !$0.isNormalized }, normalized = added.filter(\.isNormalized)
            rawFinder = try AddedTokenFinder(raw, patterns: raw.map(\.content))
            normalizedFinder = try AddedTokenFinder(normalized, patterns: normalized.map { [normalizer] in normalizer.normalized($0.content) })
            beginningOfSequence = postProcessor.prefix.first ?? ["<|begin_of_text|>", "<|endoftext|>", "<s>", "<bos>"].lazy
                .compactMap { name in added.first { $0.isSpecial && $0.content == Array(name.utf8) }?.id }.first
            wholeWords = ignoresMerges ? Self.wholeWords(vocabulary) : nil
            notices = ["truncation", "padding"].filter { text.rest[$0]?.isNull == false }.map { "the tokenizer's \($0) is not applied" }
        } catch {
            throw MonosemeError("tokenizer \(quoted(path, limit: 400)): \(error.message)", hint: error.hint)
        }
        sha256 = hexadecimal(SHA256.digest(of: file.bytes))
    }

    /// The model's switches that change what BPE does; the value is `ignore_merges`.
    private static func check(_ model: JSON) throws(MonosemeError) -> Bool {
        // Files older than the member `type` are told apart by what else they hold.
        let type = model["type"] ?? (model["merges"] == nil ? .null : .string("BPE"))
        guard type == .string("BPE") else { throw Section.unsupported("model", "type \(type.string ?? type.kind)") }
        if let dropout = model["dropout"], !dropout.isNull, dropout.number != 0 {
            throw Section.unsupported("model", "dropout \(dropout.number.map { "\($0)" } ?? dropout.kind)")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = model[key], !affix.isNull, affix.string != "" { throw Section.unsupported("model", "\(key) \(affix.string ?? affix.kind)") }
        }
        if let unknown = model["unk_token"], !unknown.isNull, unknown.string == nil { throw MonosemeError("model.unk_token is \(unknown.kind), not a string") }
        // Unknown characters cannot occur where each byte has a token, so these two change nothing.
        for key in ["fuse_unk", "byte_fallback"] { _ = try Section.bool(key, of: model, in: "model", default: false) }
        return try Section.bool("ignore_merges", of: model, in: "model", default: false)
    }

    private static func check(decoder: JSON) throws(MonosemeError) {
        if decoder.isNull { return }
        switch try Section.type(of: decoder, in: "decoder") {
        case "ByteLevel": break
        case "Sequence": for step in try Section.array("decoders", of: decoder, in: "decoder") { try check(decoder: step) }
        case let type: throw Section.unsupported("decoder", type)
        }
    }

    private static func wholeWords(_ vocabulary: Vocabulary) -> Buffer<UInt32> {
        let table = Buffer<UInt32>(repeating: 0, count: slots(for: vocabulary.count))
        var set = kernel_strings(bytes: vocabulary.bytes.base, offsets: vocabulary.offsets.base, slots: table.base, mask: UInt32(table.count - 1))
        for place in 0..<vocabulary.count where vocabulary.isByteLevel.base[place] { _ = kernel_strings_insert(&set, UInt32(place)) }
        return table
    }

    /// A way to encode many texts on one thread.
    public func makeEncoder() -> Encoder { Encoder(self) }

    /// The ids of a text. Special tokens that stand in it are recognised, as the library does.
    ///
    /// Ill-formed UTF-8 is read with U+FFFD for each maximal ill-formed subpart, which is Python's `errors="replace"`.
    /// - Parameter addSpecialTokens: whether the file's template (a beginning of sequence, say) is put around the ids.
    public func encode(_ utf8: UnsafeRawBufferPointer, addSpecialTokens: Bool = false) -> [Int32] {
        makeEncoder().encode(utf8, addSpecialTokens: addSpecialTokens)
    }

    /// The ids of a text. Special tokens that stand in it are recognised, as the library does.
    public func encode(_ text: String, addSpecialTokens: Bool = false) -> [Int32] {
        makeEncoder().encode(text, addSpecialTokens: addSpecialTokens)
    }

    /// The bytes a token stands for, perhaps part of a character; an added token's content; none for an id not in use.
    public func bytes(of id: Int32) -> [UInt8] { addedContents[id] ?? Array(vocabulary.decoded(id)) }

    /// The text of the tokens' bytes together, with U+FFFD where they are not UTF-8.
    public func decode(_ ids: some Sequence<Int32>) -> String {
        var text: [UInt8] = []
        for id in ids {
            if let content = addedContents[id] { text += content } else { text.append(contentsOf: vocabulary.decoded(id)) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    func withModel(_ body: (UnsafePointer<kernel_bpe>) -> Void) {
        withExtendedLifetime((vocabulary, merges, wholeWords)) {
            var set = kernel_strings(
                bytes: vocabulary.bytes.base, offsets: vocabulary.offsets.base, slots: wholeWords?.base, mask: UInt32((wholeWords?.count ?? 1) - 1))
            withUnsafePointer(to: &set) { set in
                var model = kernel_bpe(
                    byte_ids: vocabulary.byteIDs.base, merges: merges.table.base, merge_mask: merges.mask, pattern: preTokenizer.pattern,
                    words: wholeWords == nil ? nil : set, word_ids: vocabulary.ids.base)
                withUnsafePointer(to: &model, body)
            }
        }
    }
}
