import FeatureCatalogue
import Formats

/// The spellings of a corpus's tokens as JSON strings, each made once.
final class TokenSpellings {
    /// By token id; empty: not made yet.
    private var known: [[UInt8]] = []
    /// Ids beyond this are made anew each time: a stranger's file may hold any.
    private static let most: Int32 = 1 << 20

    /// The token as a JSON string, with what is not UTF-8 replaced.
    func json(_ token: Int32, _ bytes: [UInt8]) -> [UInt8] {
        guard token >= 0, token < TokenSpellings.most else { return TokenSpellings.make(bytes) }
        if token >= known.count { known.append(contentsOf: repeatElement([], count: Int(token) + 1 - known.count)) }
        if known[Int(token)].isEmpty { known[Int(token)] = TokenSpellings.make(bytes) }
        return known[Int(token)]
    }

    private static func make(_ bytes: [UInt8]) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(String(decoding: bytes, as: UTF8.self))
        return writer.bytes
    }
}
