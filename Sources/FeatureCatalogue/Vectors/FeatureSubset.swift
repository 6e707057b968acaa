/// Some features of a dictionary, by index.
public struct FeatureSubset: Sendable, Equatable {
    private let features: Int
    /// A bit for each feature.
    private(set) var words: [UInt64]
    /// How many there are.
    public private(set) var count = 0

    /// - Parameter features: how many the dictionary has; an index of that or more is never in the subset.
    public init(of features: Int) {
        self.features = features
        words = [UInt64](repeating: 0, count: (features + 63) / 64)
    }

    public mutating func insert(_ index: Int) {
        guard (0..<features).contains(index) else { return }
        let bit: UInt64 = 1 << UInt64(index % 64)
        if words[index / 64] & bit == 0 { count += 1 }
        words[index / 64] |= bit
    }

    /// In ascending order.
    public var indices: [Int] {
        words.indices.flatMap { word in (0..<64).compactMap { words[word] >> UInt64($0) & 1 == 1 ? 64 * word + $0 : nil } }
    }

    public func contains(_ index: Int) -> Bool { (0..<features).contains(index) && words[index / 64] >> UInt64(index % 64) & 1 == 1 }
}
