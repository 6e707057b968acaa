import Kernels

/// Counts and moments of one feature's activations: a monoid, so segments merge in any grouping.
public struct ActivationStatistics: Sendable, Equatable {
    /// Tokens with an activation above zero.
    public var firings = 0
    /// Documents with at least one firing.
    public var documents = 0
    public var sum = 0.0
    public var sumOfSquares = 0.0
    public var maximum: Float = 0
    /// The first position that reaches the maximum.
    public var maximumPosition: Int?
    public var lastPosition: Int?
    public var histogram = ActivationHistogram()

    public init() {}

    /// Takes in the statistics of tokens that follow these.
    public mutating func append(_ next: ActivationStatistics) {
        guard next.firings > 0 else { return }
        firings += next.firings
        documents += next.documents
        sum += next.sum
        sumOfSquares += next.sumOfSquares
        if next.maximum > maximum { (maximum, maximumPosition) = (next.maximum, next.maximumPosition) }
        lastPosition = next.lastPosition
        histogram.add(next.histogram)
    }
}

/// How many firings fall in each quarter octave of activation: bin b holds 2^(b/4) ≤ v < 2^((b+1)/4).
///
/// Counted from values as the posting lists store them, so that a check can recount. As bytes: int8 first bin, then the
/// counts from there on as varints; empty without firings.
public struct ActivationHistogram: Sendable, Equatable {
    /// Bin of `counts[0]`, from −128 to 127.
    public var first = 0
    public var counts: [Int] = []

    public init() {}

    public init(first: Int, counts: [Int]) {
        self.first = first
        self.counts = counts
        trim()
    }

    /// From the kernel's array of all bins.
    init(bins: UnsafePointer<UInt32>) {
        self.init(first: -KERNEL_BIN_ZERO, counts: (0..<KERNEL_BINS).map { Int(bins[$0]) })
    }

    public init(of values: some Sequence<Float>) {
        var counts = [Int](repeating: 0, count: KERNEL_BINS)
        for value in values { counts[Int(kernel_bin(value))] += 1 }
        self.init(first: -KERNEL_BIN_ZERO, counts: counts)
    }

    private mutating func trim() {
        guard let low = counts.firstIndex(where: { $0 != 0 }), let high = counts.lastIndex(where: { $0 != 0 }) else { (first, counts) = (0, []); return }
        first += low
        counts = Array(counts[low...high])
    }

    public mutating func add(_ other: ActivationHistogram) {
        guard !other.counts.isEmpty else { return }
        guard !counts.isEmpty else { self = other; return }
        let low = min(first, other.first), high = max(first + counts.count, other.first + other.counts.count)
        if low < first || high > first + counts.count {
            counts = [Int](repeating: 0, count: first - low) + counts + [Int](repeating: 0, count: high - first - counts.count)
            first = low
        }
        for (offset, count) in other.counts.enumerated() { counts[other.first - first + offset] += count }
    }

    public var total: Int { counts.reduce(0, +) }

    public var bytes: [UInt8] {
        guard !counts.isEmpty else { return [] }
        var bytes = [UInt8(bitPattern: Int8(first))]
        for count in counts {
            var rest = count
            while rest >= 128 { bytes.append(UInt8(rest & 127 | 128)); rest >>= 7 }
            bytes.append(UInt8(rest))
        }
        return bytes
    }

    /// `nil` when the bytes are not a histogram.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard let head = bytes.first else { return }
        first = Int(Int8(bitPattern: head))
        var value = 0, shift = 0
        for byte in bytes.dropFirst() {
            guard shift <= 56 else { return nil }
            value |= Int(byte & 127) << shift
            shift += 7
            // More than can ever be counted, so that sums of what a damaged file holds stay within an Int.
            guard value < 1 << 48 else { return nil }
            if byte < 128 { counts.append(value); value = 0; shift = 0 }
        }
        guard shift == 0, first + counts.count <= 128 else { return nil }
    }
}

/// The number of tokens below which a rate cannot be told from zero: with 95 % confidence the density of a feature that
/// never fired in `tokens` tokens is below 3 / `tokens` (the rule of three).
public func densityBound(tokens: Int) -> Double { tokens > 0 ? min(1, 3 / Double(tokens)) : 1 }
