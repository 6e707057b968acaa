import Kernels

/// Memory that encoding works in: one per thread, kept from call to call.
public struct EncoderScratch: ~Copyable {
    var packed = Buffer<Float>()
    var rows = Buffer<UInt32>()
    var shifts = Buffer<Float>()
    var scales = Buffer<Float>()

    // Firings by panel, as the kernel writes them …
    private var streamTokens = Buffer<UInt32>()
    private var streamFeatures = Buffer<UInt32>()
    private var streamValues = Buffer<Float>()
    private var streamCount = 0
    // … and by token.
    var offsets = Buffer<Int>()
    var features = Buffer<UInt32>()
    var values = Buffer<Float>()

    // The k best of each token of a tile.
    var chosenFeatures = Buffer<UInt32>()
    var chosenValues = Buffer<Float>()
    var chosen: [Range<Int>] = []
    /// A value that nearly every token's k-th largest exceeds. It only saves time: with any other, or with one left
    /// from another SAE, the same features are chosen.
    var floor: Float?

    public init() {}

    /// The firings of the `tokens` packed tokens whose pre-activation is above `floor`, sorted into `offsets`,
    /// `features` and `values`.
    mutating func run(_ encoder: borrowing PackedEncoder, tokens: Int, floor: Float, level: Int32) {
        streamCount = 0
        let roomNeeded = tokens * Int(ENCODE_FEATURES) + 16
        for index in 0..<encoder.panels {
            streamTokens.reserve(streamCount + roomNeeded, keeping: streamCount)
            streamFeatures.reserve(streamCount + roomNeeded, keeping: streamCount)
            streamValues.reserve(streamCount + roomNeeded, keeping: streamCount)
            var stream = encode_stream(token: streamTokens.base, feature: streamFeatures.base, value: streamValues.base, count: streamCount)
            var panel = encoder.panel(index)
            kernel_encode(level, packed.base, tokens, encoder.width, &panel, floor, &stream)
            streamCount = stream.count
        }
        offsets.reserve(tokens + 1)
        features.reserve(streamCount)
        values.reserve(streamCount)
        var stream = encode_stream(token: streamTokens.base, feature: streamFeatures.base, value: streamValues.base, count: streamCount)
        offsets.base.withMemoryRebound(to: UInt.self, capacity: tokens + 1) {
            kernel_encode_collect(&stream, tokens, $0, features.base, values.base)
        }
    }
}

/// Plain memory that grows, aligned for the widest vectors.
struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var capacity = 0

    init() { base = Self.allocate(1) }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
        UnsafeMutableRawPointer.allocate(byteCount: max(64, capacity * MemoryLayout<Element>.stride), alignment: 64)
            .bindMemory(to: Element.self, capacity: capacity)
    }

    /// Makes room for `count` elements and keeps the first `kept`; the rest is to be written before it is read.
    mutating func reserve(_ count: Int, keeping kept: Int = 0) {
        if count <= capacity { return }
        let larger = max(count, capacity * 2)
        let new = Self.allocate(larger)
        new.update(from: base, count: kept)
        UnsafeMutableRawPointer(base).deallocate()
        base = new
        capacity = larger
    }

    deinit { UnsafeMutableRawPointer(base).deallocate() }
}
