import Glibc

/// Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood 2014), whose whole state is one number.
///
/// For everything that training draws: starting weights, the order of samples, inputs for dead features.
public struct SeededGenerator: RandomNumberGenerator, Sendable, Equatable {
    public var state: UInt64

    /// - Parameter stream: parts one seed into independent sequences, such as one for each dictionary of a run.
    public init(seed: UInt64, stream: UInt64 = 0) {
        state = seed
        if stream != 0 { state = next() ^ (stream &* 0xd1342543de82ef95) }
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e3779b97f4a7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58476d1ce4e5b9
        z = (z ^ (z >> 27)) &* 0x94d049bb133111eb
        return z ^ (z >> 31)
    }

    /// At least 0 and below 1, in steps of 2⁻⁵³.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A whole number from 0 up to `count`, without bias that could be seen: 64 bits times `count`, the upper half.
    public mutating func index(below count: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(count)).high) }

    /// Mean 0, variance 1 (Box and Muller's cosine).
    public mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }
}
