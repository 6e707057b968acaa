import Diagnostics
import FeatureCatalogue
import Formats
import SQLite

/// The tokens of some windows of a corpus, each at its position: what an export without firings tells of the text.
///
/// Memory: 4 bytes for each position of pages that a window lies in, at most for each of the corpus.
final class CorpusWindows {
    private let tokens: Int, vocabulary: Int
    private static let pageSize = 4096
    /// By position / `pageSize`; −1: not known.
    private var pages: [Int: [Int32]] = [:]

    init(tokens: Int, vocabulary: Int) { (self.tokens, self.vocabulary) = (tokens, vocabulary) }

    /// Adds a window.
    /// - Returns: what is wrong with it; `nil`: nothing.
    func add(_ ids: [Int], from first: Int) -> String? {
        guard first >= 0, ids.count <= tokens, first <= tokens - ids.count else { return "a window of \(ids.count) tokens at position \(first) in a corpus of \(tokens)" }
        for (place, id) in ids.enumerated() {
            guard id >= 0, id < vocabulary else { return "the token \(id) of a vocabulary of \(vocabulary)" }
            let position = first + place
            let known = set(position, Int32(truncatingIfNeeded: id))
            if known >= 0, Int(known) != id { return "two tokens at position \(position), \(known) and \(id)" }
        }
        return nil
    }

    /// Sets a token and returns what was there.
    private func set(_ position: Int, _ id: Int32) -> Int32 {
        let page = position / CorpusWindows.pageSize, at = position % CorpusWindows.pageSize
        return { (page: inout [Int32]) in
            let known = page[at]
            if known < 0 { page[at] = id }
            return known
        }(&pages[page, default: [Int32](repeating: -1, count: CorpusWindows.pageSize)])
    }

    /// Calls `body` with each stretch of known tokens, ascending, of a page at most.
    private func forEachStretch(_ body: (Int, ArraySlice<Int32>) throws -> Void) rethrows {
        for number in pages.keys.sorted() {
            let page = pages[number]!
            var at = 0
            while at < page.count {
                guard page[at] >= 0 else { at += 1; continue }
                let start = at
                while at < page.count, page[at] >= 0 { at += 1 }
                try body(number * CorpusWindows.pageSize + start, page[start..<at])
            }
        }
    }

    /// Writes the windows as blocks, together with those that are there.
    func write(to catalogue: Catalogue, corpus: Int, isNew: Bool) throws {
        if !isNew {
            try catalogue.connection.query("SELECT first_position, tokens FROM token_block WHERE corpus_id = ?", [.init(corpus)]) { row in
                let first = row.integer(0)
                if let problem = add(try catalogue.tokens(of: corpus, at: first..<first + row.integer(1)).map(Int.init), from: first) { throw contradiction(problem) }
            }
            try catalogue.connection.run("DELETE FROM token_block WHERE corpus_id = ?", .init(corpus))
        }
        var insert = try Statement("INSERT INTO token_block (corpus_id, first_position, tokens, token_ids, sha256) VALUES (?, ?, ?, ?, ?)", on: catalogue.connection)
        let isShort = vocabulary <= 65_536
        try forEachStretch { first, ids in
            let bytes: [UInt8] = isShort ? ids.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] } : ids.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } }
            try insert.run(.init(corpus), .init(first), .init(ids.count), .blob(bytes), .text(bytes.withUnsafeBytes { hexadecimal(SHA256.digest(of: $0)) }))
        }
    }

    /// Makes sure that a corpus that is all there has the same tokens.
    func compare(with catalogue: Catalogue, corpus: Int) throws {
        try forEachStretch { first, ids in
            if try catalogue.tokens(of: corpus, at: first..<first + ids.count) != Array(ids) { throw contradiction("the tokens from position \(first) on") }
        }
    }

    private func contradiction(_ what: String) -> MonosemeError { MonosemeError("the corpus in the catalogue is not that of what is imported: \(what)", hint: "import into another catalogue") }
}
