/// A set of token positions of one corpus: those on which a feature fires, or that satisfy a tag. One bit for each token.
public struct PositionSet: Sendable, Equatable {
    /// Positions it can hold: 0 to `length` − 1.
    public let length: Int
    /// Position p is bit p % 64 of word p / 64; bits from `length` on are 0.
    public private(set) var words: [UInt64]

    public init(length: Int) {
        self.length = length
        words = [UInt64](repeating: 0, count: (length + 63) / 64)
    }

    /// Positions that are not of the corpus are left out.
    public init(_ positions: some Sequence<Int>, length: Int) {
        self.init(length: length)
        for position in positions where position >= 0 && position < length { insert(position) }
    }

    /// - Parameter words: as `words`; bits from `length` on are cleared.
    init(words: [UInt64], length: Int) {
        precondition(words.count == (length + 63) / 64)
        (self.words, self.length) = (words, length)
        if length % 64 != 0 { self.words[words.count - 1] &= 1 << UInt64(length % 64) &- 1 }
    }

    public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    public func contains(_ position: Int) -> Bool { position >= 0 && position < length && words[position / 64] >> UInt64(position % 64) & 1 != 0 }

    public mutating func insert(_ position: Int) {
        precondition(position >= 0 && position < length)
        words[position / 64] |= 1 << UInt64(position % 64)
    }

    /// Takes out the positions from `first` on.
    public mutating func removeAll(from first: Int) {
        guard first < length else { return }
        for place in words.indices.reversed() where 64 * place + 63 >= first { words[place] = 64 * place >= first ? 0 : words[place] & (1 << UInt64(first % 64) &- 1) }
    }

    /// How many of its positions lie in `range`.
    public func count(in range: Range<Int>) -> Int {
        var count = 0
        forEachWord(in: range) { count += $1.nonzeroBitCount }
        return count
    }

    /// Its positions in `range`, ascending.
    public func forEach(in range: Range<Int>, _ body: (Int) throws -> Void) rethrows {
        try forEachWord(in: range) { place, word in
            var rest = word
            while rest != 0 {
                try body(64 * place + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
    }

    /// All its positions, ascending.
    public var positions: [Int] {
        var all: [Int] = []
        forEach(in: 0..<length) { all.append($0) }
        return all
    }

    private func forEachWord(in range: Range<Int>, _ body: (Int, UInt64) throws -> Void) rethrows {
        let range = range.clamped(to: 0..<length)
        guard !range.isEmpty else { return }
        let first = range.lowerBound / 64, last = (range.upperBound - 1) / 64
        for place in first...last where words[place] != 0 {
            var word = words[place]
            if place == first { word &= .max << UInt64(range.lowerBound % 64) }
            if place == last { word &= .max >> UInt64(63 - (range.upperBound - 1) % 64) }
            if word != 0 { try body(place, word) }
        }
    }

    // MARK: Sets of one corpus

    public mutating func formUnion(_ other: PositionSet) { combine(other) { $0 |= $1 } }
    public mutating func formIntersection(_ other: PositionSet) { combine(other) { $0 &= $1 } }
    public mutating func subtract(_ other: PositionSet) { combine(other) { $0 &= ~$1 } }

    private mutating func combine(_ other: PositionSet, _ body: (inout UInt64, UInt64) -> Void) {
        precondition(length == other.length, "sets over \(length) and \(other.length) tokens")
        for place in words.indices { body(&words[place], other.words[place]) }
    }
}
