import FeatureCatalogue
import Formats

/// The spellings of a corpus's tokens as JSON strings, each made once.
final class TokenSpellings {
    private var bytes: [UInt8] = []
    /// Where in `bytes` each token's is, by id; empty: not made yet.
    private var places: [Range<Int>] = []
    /// Ids beyond this are made anew each time: a stranger's file may hold any.
    private static let most: Int32 = 1 << 20

    /// Adds the tokens of a window to `out` as a JSON array of strings, with what is not UTF-8 replaced.
    func append(_ window: TokenWindow, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "["))
        for place in window.tokens.indices {
            if place > 0 { out.append(UInt8(ascii: ",")) }
            let token = window.tokens[place]
            guard token >= 0, token < TokenSpellings.most else { out += TokenSpellings.make(window.spellings[place]); continue }
            if token >= places.count { places.append(contentsOf: repeatElement(0..<0, count: Int(token) + 1 - places.count)) }
            if places[Int(token)].isEmpty {
                let start = bytes.count
                bytes += TokenSpellings.make(window.spellings[place])
                places[Int(token)] = start..<bytes.count
            }
            let range = places[Int(token)]
            bytes.withUnsafeBufferPointer { out.append(contentsOf: UnsafeBufferPointer(rebasing: $0[range])) }
        }
        out.append(UInt8(ascii: "]"))
    }

    private static func make(_ bytes: [UInt8]) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(String(decoding: bytes, as: UTF8.self))
        return writer.bytes
    }
}
