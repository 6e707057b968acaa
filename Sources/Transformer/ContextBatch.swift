/// Contexts laid end to end, to be run together; each is attended on its own, from position 0.
public struct ContextBatch: Sendable, Equatable {
    /// The token ids of all contexts.
    public var tokens: [Int32]
    /// How many tokens each context has; their sum is `tokens.count`.
    public var lengths: [Int]

    public init(tokens: [Int32] = [], lengths: [Int] = []) {
        self.tokens = tokens
        self.lengths = lengths
    }

    public init(_ contexts: some Sequence<some Collection<Int32>>) {
        self.init()
        for context in contexts { append(context) }
    }

    public mutating func append(_ context: some Collection<Int32>) {
        tokens.append(contentsOf: context)
        lengths.append(context.count)
    }

    /// How many positions have a next token in their context.
    public var predictionCount: Int { lengths.reduce(0) { $0 + max(0, $1 - 1) } }
}
