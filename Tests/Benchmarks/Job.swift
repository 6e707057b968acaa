/// The size of a benchmark's model, dictionary and corpus; the weights are random, but cost what trained ones would.
struct Job {
    var vocabulary = 8192
    var width = 128
    var heads = 4
    var neurons = 512
    var features = 4096
    var context = 256
    /// Corpus tokens, rounded up to whole contexts.
    var tokens = 1_048_576
    /// Features' densities are spread evenly in their logarithm over this range: the default gives L0 ≈ 33 of 4,096.
    var densities = 1e-4...5e-2
    /// Tokens that thresholds are set by.
    var calibrationTokens = 16_320

    static let full = Job()
    /// The same job in a second, to see that it runs.
    static let tiny = Job(vocabulary: 600, width: 16, heads: 2, neurons: 32, features: 64, context: 16, tokens: 3_000, densities: 1e-2...0.2, calibrationTokens: 1_500)
    /// Eight times the features at much the same L0: where screening has most to save.
    static let wide = Job(features: 32_768, densities: 1e-5...6e-3)
    /// As many features as neurons: where it has least.
    static let narrow = Job(features: 512)
    /// L0 ≈ 430: what a badly trained dictionary, or a very wide one, asks of memory.
    static let dense = Job(densities: 1e-2...0.4)
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers everywhere.
struct Random: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func job(_ name: String?) -> Job {
    switch name {
    case "tiny": .tiny
    case "dense": .dense
    case "wide": .wide
    case "narrow": .narrow
    default: .full
    }
}
