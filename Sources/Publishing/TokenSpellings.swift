import FeatureCatalogue
import Formats

/// The spellings of a corpus's tokens as JSON strings, each made once.
final class TokenSpellings {
    /// A token's spelling as a JSON string in `quoted`, and as it is in `raw`.
    private struct Spelling {
        var start = 0, end = 0
        var rawStart = 0, rawEnd = 0
        /// Whether its bytes are whole characters, so that a text of such tokens is their spellings one after the other.
        var isWhole = false
        /// A JSON string has two quotes.
        var isKnown: Bool { end > start }
    }

    private var quoted: [UInt8] = [], raw: [UInt8] = []
    /// By id.
    private var known: [Spelling] = []
    /// Ids beyond this are made anew each time: a stranger's file may hold any.
    private static let most: Int32 = 1 << 20

    /// Makes what is missing of some tokens' spellings.
    ///
    /// - Returns: `false` where one has an id that is not kept: their window must have its own spellings.
    func learn(_ tokens: [Int32], _ text: CorpusText) throws -> Bool {
        for token in tokens {
            guard token >= 0, token < TokenSpellings.most else { return false }
            if Int(token) >= known.count || !known[Int(token)].isKnown { learn(Int(token), try text.bytes(of: token)) }
        }
        return true
    }

    private func learn(_ token: Int, _ bytes: [UInt8]) {
        if token >= known.count { known.append(contentsOf: repeatElement(Spelling(), count: token + 1 - known.count)) }
        var spelling = Spelling(start: quoted.count, rawStart: raw.count)
        quoted += TokenSpellings.make(bytes)
        raw += bytes
        (spelling.end, spelling.rawEnd) = (quoted.count, raw.count)
        spelling.isWhole = String(validating: bytes, as: UTF8.self) != nil
        known[token] = spelling
    }

    /// Adds the tokens of a window to `out` as a JSON array of strings, with what is not UTF-8 replaced.
    func append(_ window: TokenWindow, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "["))
        if window.spellings.isEmpty {
            join(window.tokens, separator: UInt8(ascii: ","), to: &out) { ($0.start, $0.end) }
        } else {
            for (place, bytes) in window.spellings.enumerated() {
                if place > 0 { out.append(UInt8(ascii: ",")) }
                out += TokenSpellings.make(bytes)
            }
        }
        out.append(UInt8(ascii: "]"))
    }

    /// Adds the text of a window to `out` as a JSON string, with what is not UTF-8 replaced.
    func appendText(_ window: TokenWindow, to out: inout [UInt8]) {
        guard window.spellings.isEmpty else { out += TokenSpellings.make(Array(window.spellings.joined())); return }
        if window.tokens.allSatisfy({ known[Int($0)].isWhole }) {
            out.append(UInt8(ascii: "\""))
            join(window.tokens, separator: nil, to: &out) { ($0.start + 1, $0.end - 1) }
            out.append(UInt8(ascii: "\""))
        } else {
            out += TokenSpellings.make(window.tokens.flatMap { raw[known[Int($0)].rawStart..<known[Int($0)].rawEnd] })
        }
    }

    /// Adds a part of each token's JSON string to `out`.
    private func join(_ tokens: [Int32], separator: UInt8?, to out: inout [UInt8], part: (Spelling) -> (start: Int, end: Int)) {
        let length = tokens.reduce(0) { sum, token in let part = part(known[Int(token)]); return sum + part.end - part.start + 1 }
        // In a room of its own, and then at once: adding to an array piece by piece costs more than the bytes.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length) { room in
            quoted.withUnsafeBufferPointer { quoted in
                var count = 0
                for (place, token) in tokens.enumerated() {
                    if place > 0, let separator { room[count] = separator; count += 1 }
                    let (start, end) = part(known[Int(token)])
                    for byte in start..<end { room[count + byte - start] = quoted[byte] }
                    count += end - start
                }
                out.append(contentsOf: UnsafeBufferPointer(rebasing: room[..<count]))
            }
        }
    }

    private static func make(_ bytes: [UInt8]) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(String(decoding: bytes, as: UTF8.self))
        return writer.bytes
    }
}
