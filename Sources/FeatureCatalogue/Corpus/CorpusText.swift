import Diagnostics
import SQLite

/// Reads windows of a corpus as tokens and text, with what it has read kept at hand.
public final class CorpusText {
    private let catalogue: Catalogue
    public let corpus: Corpus
    public let documents: DocumentTable
    private var spellings: [Int32: [UInt8]] = [:]
    /// By first position.
    private var blocks: [Int: (bytes: [UInt8], tokens: Int, width: Int)] = [:]
    /// First positions of the blocks, ascending.
    private let blockStarts: [Int]
    private static let blocksKept = 64

    public init(_ catalogue: Catalogue, corpus id: Int) throws {
        self.catalogue = catalogue
        corpus = try catalogue.corpus(id)
        documents = try catalogue.documentTable(of: id)
        blockStarts = try catalogue.connection.rows("SELECT first_position FROM token_block WHERE corpus_id = ? ORDER BY first_position", .init(id)) { $0.integer(0) }
    }

    /// The token and up to `window` on either side that lie in its document.
    public func window(around position: Int, _ window: Int) throws -> TokenWindow {
        let (document, bounds) = try place(of: position)
        let range = max(bounds.lowerBound, position - window)..<(bounds.upperBound - position > window ? position + window + 1 : bounds.upperBound)
        return try self.window(at: range, focus: position, document)
    }

    /// The same without spellings, for who has them.
    public func unspelledWindow(around position: Int, _ window: Int) throws -> TokenWindow {
        let (document, bounds) = try place(of: position)
        let range = max(bounds.lowerBound, position - window)..<(bounds.upperBound - position > window ? position + window + 1 : bounds.upperBound)
        return try self.window(at: range, focus: position, document, isSpelled: false)
    }

    /// The tokens at `range`, which lies within one document; the first is in focus.
    public func window(at range: Range<Int>) throws -> TokenWindow {
        let (document, bounds) = try place(of: range.lowerBound)
        precondition(!range.isEmpty && range.upperBound <= bounds.upperBound, "a window lies in one document")
        return try window(at: range, focus: range.lowerBound, document)
    }

    private func window(at range: Range<Int>, focus: Int, _ document: Int, isSpelled: Bool = true) throws -> TokenWindow {
        let ids = try tokens(at: range)
        guard ids.count == range.count else {
            throw MonosemeError("the tokens at positions \(range.lowerBound) to \(range.upperBound - 1) in \(quoted(catalogue.path, limit: 400)) are not all there", hint: "monoseme check lists all damage")
        }
        return TokenWindow(firstPosition: range.lowerBound, focus: focus - range.lowerBound, tokens: ids, spellings: isSpelled ? try ids.map { try bytes(of: $0) } : [], documentIndex: document)
    }

    /// The document that holds `position`, by its place in `documents`, and its positions.
    public func place(of position: Int) throws -> (document: Int, bounds: Range<Int>) {
        let document = documents.index(of: position)
        guard document < documents.count, case let (end, isTooFar) = documents.starts[document].addingReportingOverflow(documents.lengths[document]), !isTooFar,
              documents.starts[document] >= 0, position >= documents.starts[document], position < end
        else { throw MonosemeError("no document of corpus \(quoted(corpus.name)) in \(quoted(catalogue.path, limit: 400)) holds position \(position)", hint: "monoseme check lists all damage") }
        return (document, documents.starts[document]..<end)
    }

    /// The token ids at `range`, cut to what the corpus holds.
    public func tokens(at range: Range<Int>) throws -> [Int32] {
        var ids: [Int32] = []
        var position = range.lowerBound
        while position < range.upperBound {
            var low = 0, high = blockStarts.count
            while low < high {
                let middle = (low + high) / 2
                if blockStarts[middle] <= position { low = middle + 1 } else { high = middle }
            }
            let place = low - 1
            guard place >= 0 else { break }
            let start = blockStarts[place]
            let block = try bytes(ofBlockAt: start)
            guard position - start < block.tokens else { break }
            let part = position - start..<min(block.tokens, range.upperBound - start)
            block.bytes.withUnsafeBytes { bytes in
                if block.width == 2 {
                    for at in part { ids.append(Int32(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * at, as: UInt16.self)))) }
                } else {
                    for at in part { ids.append(Int32(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * at, as: UInt32.self)))) }
                }
            }
            position += part.count
        }
        return ids
    }

    /// A block as it lies in the file: reading a window of it is cheaper than decoding all of it.
    private func bytes(ofBlockAt start: Int) throws -> (bytes: [UInt8], tokens: Int, width: Int) {
        if let known = blocks[start] { return known }
        let found = try catalogue.connection.first("SELECT token_ids, tokens FROM token_block WHERE corpus_id = ? AND first_position = ?", .init(corpus.id), .init(start)) { ($0.blob(0), $0.integer(1)) }
        guard let (bytes, tokens) = found, tokens > 0, bytes.count == 2 * tokens || bytes.count == 4 * tokens else {
            throw MonosemeError("the block of tokens at position \(start) in \(quoted(catalogue.path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
        }
        if blocks.count >= CorpusText.blocksKept { blocks.removeAll(keepingCapacity: true) }
        blocks[start] = (bytes, tokens, bytes.count / tokens)
        return blocks[start]!
    }

    /// The bytes of a token.
    public func bytes(of token: Int32) throws -> [UInt8] {
        if let known = spellings[token] { return known }
        let bytes = try catalogue.bytes(ofToken: Int(token), tokenizer: corpus.tokenizer)
        spellings[token] = bytes
        return bytes
    }
}

/// Some tokens in a row, one of them in focus.
public struct TokenWindow: Sendable, Equatable {
    public let firstPosition: Int
    /// Place of the focus in `tokens`.
    public let focus: Int
    public let tokens: [Int32]
    /// The bytes of each; a character may be spread over several. None in an unspelled window.
    public let spellings: [[UInt8]]
    /// In the corpus's document table.
    public let documentIndex: Int

    /// The text in pieces of whole characters: each token's, but one that ends within a character takes in those that finish it.
    /// `tokens` says which it is made of.
    public var pieces: [(text: String, tokens: Range<Int>)] {
        var pieces: [(text: String, tokens: Range<Int>)] = []
        var pending: [UInt8] = [], start = 0
        for (place, bytes) in spellings.enumerated() {
            pending += bytes
            let isLast = place == spellings.count - 1
            if isLast || !TokenWindow.endsWithinCharacter(pending) || place - start >= 3 {
                pieces.append((String(decoding: pending, as: UTF8.self), start..<place + 1))
                pending = []
                start = place + 1
            }
        }
        return pieces
    }

    public var text: String { String(decoding: spellings.joined(), as: UTF8.self) }

    /// Before the focus, the focus, and after it; a character that lies across an edge goes to the focus.
    public var parts: (before: String, focus: String, after: String) {
        let all = Array(spellings.joined())
        var low = spellings[..<focus].reduce(0) { $0 + $1.count }
        var high = low + spellings[focus].count
        while low > 0, low < all.count, all[low] & 0xc0 == 0x80 { low -= 1 }
        while high < all.count, all[high] & 0xc0 == 0x80 { high += 1 }
        func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        // The window may begin or end within a character, of which there is nothing to show.
        let start = min(low, all.firstIndex { $0 & 0xc0 != 0x80 } ?? 0)
        var end = all.count
        if high < end, TokenWindow.endsWithinCharacter(all) {
            repeat { end -= 1 } while end > high && all[end] & 0xc0 == 0x80
        }
        return (text(all[start..<low]), text(all[low..<high]), text(all[high..<end]))
    }

    private static func endsWithinCharacter(_ bytes: [UInt8]) -> Bool {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back
        }
        return false
    }
}
