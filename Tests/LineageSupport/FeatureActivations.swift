import Numerics

/// What the features of one dictionary do on a row of tokens.
public struct FeatureActivations: Sendable {
    /// Token by token: `features` and `values` from `offsets[t]` up to `offsets[t + 1]`, features ascending, values above 0.
    public var offsets: [Int] = [0]
    public var features: [Int32] = []
    public var values: [Float] = []
    /// Unit rows (features × width).
    public let decoder: [[Float]]

    public init(decoder: [[Float]]) { self.decoder = decoder }

    public var tokens: Int { offsets.count - 1 }

    /// Adds a token.
    public mutating func append(_ firings: some Sequence<(feature: Int, value: Float)>) {
        for (feature, value) in firings {
            features.append(Int32(feature))
            values.append(value)
        }
        offsets.append(features.count)
    }

    /// Of one token.
    public subscript(token: Int) -> Range<Int> { offsets[token]..<offsets[token + 1] }

    /// Per feature, the tokens it fires on and with what, in order.
    public var byFeature: [[(token: Int32, value: Float)]] {
        var lists = [[(token: Int32, value: Float)]](repeating: [], count: decoder.count)
        for token in 0..<tokens { for place in self[token] { lists[Int(features[place])].append((Int32(token), values[place])) } }
        return lists
    }

    /// The same features on tokens in another order.
    public func shuffled(seed: UInt64) -> FeatureActivations {
        var random = SeededGenerator(seed: seed), order = Array(0..<tokens)
        order.shuffle(using: &random)
        var other = FeatureActivations(decoder: decoder)
        for token in order { other.append(self[token].map { (feature: Int(features[$0]), value: values[$0]) }) }
        return other
    }

    /// Features by other numbers: each of these becomes feature `places[it]`.
    public func renumbered(_ places: [Int]) -> FeatureActivations {
        var rows = decoder
        for (feature, place) in places.enumerated() { rows[place] = decoder[feature] }
        var other = FeatureActivations(decoder: rows)
        for token in 0..<tokens { other.append(self[token].map { (places[Int(features[$0])], values[$0]) }.sorted { $0.0 < $1.0 }.map { (feature: $0.0, value: $0.1) }) }
        return other
    }
}
