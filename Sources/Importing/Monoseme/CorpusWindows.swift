import Diagnostics
import FeatureCatalogue
import Formats
import SQLite

/// The tokens of some windows of a corpus, each at its position: what an export without firings tells of the text.
///
/// Memory: 4 bytes for each position of pages that a window lies in. Pages are small, so that a file of windows far apart takes but a few times its own size.
final class CorpusWindows {
    private let tokens: Int, vocabulary: Int
    private static let pageSize = 256, tokensPerBlock = 65_536
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

    /// Calls `body` with each stretch of known tokens, ascending, a block's worth at most.
    private func forEachStretch(_ body: (Int, [Int32]) throws -> Void) rethrows {
        var first = 0, stretch: [Int32] = []
        func flush() throws {
            if !stretch.isEmpty { try body(first, stretch) }
            stretch.removeAll(keepingCapacity: true)
        }
        for number in pages.keys.sorted() {
            for (at, id) in pages[number]!.enumerated() where id >= 0 {
                let position = number * CorpusWindows.pageSize + at
                if position != first + stretch.count || stretch.count == CorpusWindows.tokensPerBlock { try flush() }
                if stretch.isEmpty { first = position }
                stretch.append(id)
            }
        }
        try flush()
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
            if try catalogue.tokens(of: corpus, at: first..<first + ids.count) != ids { throw contradiction("the tokens from position \(first) on") }
        }
    }

    private func contradiction(_ what: String) -> MonosemeError { MonosemeError("the corpus in the catalogue is not that of what is imported: \(what)", hint: "import into another catalogue") }
}
