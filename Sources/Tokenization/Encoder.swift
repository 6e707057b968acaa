import Kernels

/// One thread's way to encode: a tokenizer and the words met so far.
///
/// Text repeats its words, so remembering their ids is most of the speed. Make one per thread and keep it; what it
/// remembers is bounded to a few megabytes and never changes a result.
public final class Encoder {
    public let tokenizer: Tokenizer
    /// How many ill-formed sequences have been read as U+FFFD so far.
    public private(set) var replacementCount = 0
    private let cache: OpaquePointer
    private var scratch: UnsafeMutableBufferPointer<Int32>

    init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
        cache = kernel_word_cache_create()
        scratch = .allocate(capacity: 4096)
    }

    deinit {
        kernel_word_cache_destroy(cache)
        scratch.deallocate()
    }

    /// The ids of a text; see `Tokenizer.encode`.
    public func encode(_ utf8: UnsafeRawBufferPointer, addSpecialTokens: Bool = false) -> [Int32] {
        var ids: [Int32] = addSpecialTokens ? tokenizer.postProcessor.prefix : []
        let text = utf8.assumingMemoryBound(to: UInt8.self)
        if let start = text.baseAddress, kernel_utf8_valid_prefix(start, text.count) == text.count {
            pieces(text, into: &ids)
        } else {
            repaired(text).withUnsafeBufferPointer { pieces($0, into: &ids) }
        }
        if addSpecialTokens { ids += tokenizer.postProcessor.suffix }
        return ids
    }

    /// The ids of a text; see `Tokenizer.encode`.
    public func encode(_ text: String, addSpecialTokens: Bool = false) -> [Int32] {
        var text = text
        return text.withUTF8 { encode(UnsafeRawBufferPointer($0), addSpecialTokens: addSpecialTokens) }
    }

    /// `text` with U+FFFD for each maximal subpart of an ill-formed sequence (Unicode 16, §3.9, as in the WHATWG's decoder).
    private func repaired(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard let start = text.baseAddress else { return [] }
        var out: [UInt8] = []
        out.reserveCapacity(text.count + text.count / 8)
        var at = 0
        while at < text.count {
            let valid = kernel_utf8_valid_prefix(start + at, text.count - at)
            out.append(contentsOf: text[at..<(at + valid)])
            at += valid
            guard at < text.count else { break }
            at += kernel_utf8_ill_formed(start + at, text.count - at)
            out += [0xef, 0xbf, 0xbd]
            replacementCount += 1
        }
        return out
    }

    private func pieces(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        guard let finder = tokenizer.rawFinder else { return normalize(text, into: &ids) }
        finder.split(text) { piece in
            switch piece {
            case .token(let token): ids.append(token.id)
            case .text(let text): normalize(text, into: &ids)
            }
        }
    }

    private func normalize(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        if let changed = tokenizer.normalizer.normalized(text) {
            changed.withUnsafeBufferPointer { normalizedPieces($0, into: &ids) }
        } else {
            normalizedPieces(text, into: &ids)
        }
    }

    private func normalizedPieces(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        guard let finder = tokenizer.normalizedFinder else { return words(text, into: &ids) }
        finder.split(text) { piece in
            switch piece {
            case .token(let token): ids.append(token.id)
            case .text(let text): words(text, into: &ids)
            }
        }
    }

    private func words(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        guard let start = text.baseAddress, !text.isEmpty else { return }
        if tokenizer.preTokenizer.addsPrefixSpace, text[0] != 0x20 {
            return ([0x20] + text).withUnsafeBufferPointer { merge($0.baseAddress!, $0.count, into: &ids) }
        }
        merge(start, text.count, into: &ids)
    }

    private func merge(_ text: UnsafePointer<UInt8>, _ count: Int, into ids: inout [Int32]) {
        tokenizer.withModel { model in
            var at = 0
            while at < count {
                var written = 0
                let stopped = kernel_bpe_encode(model, cache, text, at, count, scratch.baseAddress!, scratch.count, &written)
                ids.append(contentsOf: UnsafeBufferPointer(rebasing: scratch[..<written]))
                if stopped == at { // a word longer than the scratch: this is rare, and the rest of the text bounds it
                    scratch.deallocate()
                    scratch = .allocate(capacity: count - at)
                }
                at = stopped
            }
        }
    }
}
