import Diagnostics
import Formats
import Kernels

/// A token that is found in text as it stands, before anything is cut or merged.
struct AddedToken: Sendable {
    let id: Int32
    let content: [UInt8]
    let isSpecial: Bool
    /// It is looked for after normalization, in its own normalized form.
    let isNormalized: Bool
    let isSingleWord: Bool
    let stripsLeft: Bool
    let stripsRight: Bool

    /// Longer content would make finding it slow, and no tokenizer has any.
    static let longestContent = 1024

    /// Reads the member `added_tokens`.
    ///
    /// The library gives ids afresh as it loads (the vocabulary's for what it holds, else the next free one) and only
    /// warns when the file says otherwise; such a file is refused here, since its ids cannot be meant.
    static func read(_ json: JSON?, vocabulary: Vocabulary) throws(MonosemeError) -> [AddedToken] {
        guard let json, !json.isNull else { return [] }
        guard let list = json.array else { throw MonosemeError("added_tokens is \(json.kind), not an array") }
        var tokens: [AddedToken] = []
        var seen: Set<[UInt8]> = []
        var largest: Int?
        for (index, item) in list.enumerated() {
            let place = "added_tokens[\(index)]"
            let content = Array(try Section.string("content", of: item, in: place).utf8)
            let name = quoted(String(decoding: content, as: UTF8.self))
            guard !content.isEmpty, content.count <= longestContent else {
                throw MonosemeError("\(place) has content of \(content.count) bytes, not of 1 to \(longestContent)")
            }
            guard seen.insert(content).inserted else { throw MonosemeError("\(place): the token \(name) stands twice") }
            let expected = vocabulary.find(content).map(Int.init) ?? largest.map { max($0 + 1, vocabulary.count) } ?? vocabulary.count
            guard let id = item["id"]?.integer, id == expected else {
                throw MonosemeError("\(place): the id of \(name) is \(item["id"]?.integer.map(String.init) ?? "no integer"), where \(expected) follows from the vocabulary",
                                    hint: "the tokenizers library would number it \(expected) whatever the file says; repair the file")
            }
            largest = max(largest ?? 0, id)
            tokens.append(AddedToken(
                id: Int32(id), content: content,
                isSpecial: try Section.bool("special", of: item, in: place),
                isNormalized: try Section.bool("normalized", of: item, in: place),
                isSingleWord: try Section.bool("single_word", of: item, in: place),
                stripsLeft: try Section.bool("lstrip", of: item, in: place),
                stripsRight: try Section.bool("rstrip", of: item, in: place)))
        }
        return tokens
    }
}

/// Finds added tokens in text: the leftmost first, the longest of those that begin together.
final class AddedTokenFinder: Sendable {
    private let tokens: [AddedToken]
    private let keys: Buffer<UInt64>
    private let nodes: Buffer<UInt32>
    private let ends: Buffer<Int32>
    private let first: Buffer<Bool>

    /// Nil when there is nothing to find.
    /// - Parameter patterns: what each of `tokens` looks like in the text.
    /// - Throws: for two that look alike once normalized: which of them the library finds is not determined.
    init?(_ tokens: [AddedToken], patterns: [[UInt8]]) throws(MonosemeError) {
        guard patterns.contains(where: { !$0.isEmpty }) else { return nil }
        self.tokens = tokens
        let most = 1 + patterns.reduce(0) { $0 + $1.count }
        keys = Buffer(repeating: 0, count: slots(for: most))
        nodes = Buffer(repeating: 0, count: keys.count)
        ends = Buffer(repeating: -1, count: most)
        first = Buffer(repeating: false, count: 256)
        var count: UInt32 = 1
        for (index, pattern) in patterns.enumerated() where !pattern.isEmpty {
            first.base[Int(pattern[0])] = true
            var node: UInt32 = 0
            for byte in pattern {
                let slot = Int(kernel_trie_slot(keys.base, UInt32(keys.count - 1), node, byte))
                if keys.base[slot] == 0 {
                    keys.base[slot] = (UInt64(node) << 8 | UInt64(byte)) + 1
                    nodes.base[slot] = count
                    count += 1
                }
                node = nodes.base[slot]
            }
            guard ends.base[Int(node)] < 0 else {
                let both = [ends.base[Int(node)], Int32(index)].map { quoted(String(decoding: tokens[Int($0)].content, as: UTF8.self)) }
                throw MonosemeError("added_tokens: \(both[0]) and \(both[1]) are the same after normalization")
            }
            ends.base[Int(node)] = Int32(index)
        }
    }

    enum Piece {
        case token(AddedToken)
        case text(UnsafeBufferPointer<UInt8>)
    }

    /// Hands `body` the pieces of well-formed `text` in order.
    func split(_ text: UnsafeBufferPointer<UInt8>, _ body: (Piece) -> Void) {
        guard let start = text.baseAddress else { return }
        var trie = kernel_trie(keys: keys.base, nodes: nodes.base, ends: ends.base, first: first.base, mask: UInt32(keys.count - 1))
        var from = 0, done = 0
        while true {
            var matchStart = 0, matchEnd = 0
            let found = kernel_trie_find(&trie, start, from, text.count, &matchStart, &matchEnd)
            guard found >= 0 else { break }
            from = matchEnd
            let token = tokens[Int(found)]
            if token.isSingleWord,
                matchStart > 0 && Self.classBefore(text, matchStart) & UInt8(UNICODE_WORD) != 0
                    || matchEnd < text.count && Self.classAfter(text, matchEnd).class & UInt8(UNICODE_WORD) != 0 { continue }
            if token.stripsLeft {
                // Space that the token before has taken stays with it, and with it a token made of nothing else.
                matchStart = max(matchStart, done)
                while matchStart > done, Self.isSpace(Self.classBefore(text, matchStart)) { matchStart = Self.scalarStart(text, before: matchStart) }
            }
            if token.stripsRight {
                while matchEnd < text.count, case let next = Self.classAfter(text, matchEnd), Self.isSpace(next.class) { matchEnd = next.end }
            }
            guard matchStart < matchEnd else { continue }
            if done < matchStart { body(.text(.init(rebasing: text[done..<matchStart]))) }
            body(.token(token))
            // After a token that took the space up to here, an added token made of space is found within it all the same
            // and sets this back: the library's way, kept because ids are compared with it.
            done = matchEnd
        }
        if done < text.count { body(.text(.init(rebasing: text[done...]))) }
    }

    private static func isSpace(_ bits: UInt8) -> Bool { bits & UInt8(UNICODE_KIND) == UInt8(UNICODE_SPACE) }

    private static func scalarStart(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
        var at = end - 1
        while at > 0, text[at] & 0xc0 == 0x80 { at -= 1 }
        return at
    }

    private static func classBefore(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> UInt8 {
        classAfter(text, scalarStart(text, before: end)).class
    }

    private static func classAfter(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> (class: UInt8, end: Int) {
        let lead = text[start]
        let count = min(lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4, text.count - start)
        var scalar = count == 1 ? UInt32(lead) : UInt32(lead) & (0x7f >> UInt32(count))
        for k in 1..<max(count, 1) { scalar = scalar << 6 | UInt32(text[start + k] & 63) }
        return (kernel_unicode_class(scalar), start + count)
    }
}
