/// The firings of some tokens, token by token, features ascending within a token.
///
/// Token t's firings stand at `offsets[t] ..< offsets[t + 1]` of `features` and `values`. A value is the activation
/// times its decoder row's norm, and positive.
public struct Firings: Sendable, Equatable {
    public var offsets: [Int] = [0]
    public var features: [UInt32] = []
    public var values: [Float] = []

    public init() {}

    public var tokens: Int { offsets.count - 1 }
    public var count: Int { features.count }

    /// Where the firings of `token` stand.
    public subscript(token: Int) -> Range<Int> { offsets[token]..<offsets[token + 1] }

    /// Forgets all tokens and keeps the memory.
    public mutating func removeAll() {
        offsets.removeAll(keepingCapacity: true)
        offsets.append(0)
        features.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }

    /// Adds one token.
    mutating func append(_ newFeatures: UnsafeBufferPointer<UInt32>, _ newValues: UnsafeBufferPointer<Float>) {
        features.append(contentsOf: newFeatures)
        values.append(contentsOf: newValues)
        offsets.append(features.count)
    }
}
