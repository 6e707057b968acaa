import Kernels

/// Memory that encoding works in: one per thread, kept from call to call.
public struct EncoderScratch: ~Copyable {
    // A tile of tokens, as the kernels read it.
    private var activations = Buffer<Float>()
    private var packed = Buffer<Float>()
    private var codes = Buffer<UInt8>()
    private var scalars = Buffer<Float>()
    private var singlePrecisionTiles = 0
    /// Which rows, and how they are normalised.
    package var rows = Buffer<UInt32>()
    package var shifts = Buffer<Float>()
    package var scales = Buffer<Float>()

    // Firings by panel, as the kernel writes them …
    private var streamTokens = Buffer<UInt32>()
    private var streamFeatures = Buffer<UInt32>()
    private var streamValues = Buffer<Float>()
    // … and by token.
    package var offsets = Buffer<Int>()
    package var features = Buffer<UInt32>()
    package var values = Buffer<Float>()

    // The k best of each token of a tile.
    var chosenFeatures = Buffer<UInt32>()
    var chosenValues = Buffer<Float>()
    var chosen: [Range<Int>] = []
    /// A value that nearly every token's k-th largest exceeds. It only saves time: with any other, or with one left
    /// from another SAE, the same features are chosen.
    var floor: Float?

    public init() {}

    /// Firings of the rows of `x` that the first `count` of `rows` name, from pre-activations above `floor`; they come to
    /// stand in `offsets`, `features` and `values`. `shifts` and `scales` are each row's normalisation.
    package mutating func run(_ encoder: borrowing PackedEncoder, _ x: UnsafePointer<Float>, count: Int, floor: Float, level: Int32) {
        let padded = (count + Int(ENCODE_TOKENS) - 1) / Int(ENCODE_TOKENS) * Int(ENCODE_TOKENS)
        let level = level >= 3 && encoder.hasColumns && (encoder.width > PackedEncoder.widestCodes || prefersSinglePrecision()) ? 2 : level
        activations.reserve(count * encoder.stride)
        scalars.reserve(4 * padded)
        if level >= 3 { codes.reserve(padded * ((encoder.width + 3) / 4 * 4)) } else { packed.reserve(padded * encoder.width) }
        var tokens = encode_tokens(
            count: count, width: encoder.width, stride: encoder.stride, rows: activations.base, packed: level >= 3 ? nil : packed.base,
            codes: level >= 3 ? codes.base : nil, scalars: scalars.base)
        kernel_encode_prepare(&tokens, x, rows.base, shifts.base, scales.base)

        var stream = encode_stream(token: nil, feature: nil, value: nil, count: 0)
        var candidates = 0
        let roomNeeded = count * Int(ENCODE_FEATURES) + 16
        for index in 0..<encoder.panels {
            streamTokens.reserve(stream.count + roomNeeded, keeping: stream.count)
            streamFeatures.reserve(stream.count + roomNeeded, keeping: stream.count)
            streamValues.reserve(stream.count + roomNeeded, keeping: stream.count)
            (stream.token, stream.feature, stream.value) = (streamTokens.base, streamFeatures.base, streamValues.base)
            var panel = encoder.panel(index)
            candidates += kernel_encode(level, &tokens, &panel, floor, &stream)
        }
        if level >= 3 && candidates - stream.count > count * encoder.features / 7 { singlePrecisionTiles = 31 }
        offsets.reserve(count + 1)
        features.reserve(stream.count)
        values.reserve(stream.count)
        offsets.base.withMemoryRebound(to: UInt.self, capacity: count + 1) {
            kernel_encode_collect(&stream, count, $0, features.base, values.base)
        }
    }

    /// Whether the screen on codes did not pay lately; it is tried again after some tiles.
    ///
    /// It saves three quarters of a product for each feature and costs a whole one, fetched from further away, for each
    /// candidate that does not fire. Of 512 numbers the two take 4 ns and some 26 ns, so it pays while fewer than a seventh of the
    /// features are let through in vain. (What fires is multiplied again after either screen.) The answer only saves time.
    private mutating func prefersSinglePrecision() -> Bool {
        guard singlePrecisionTiles > 0 else { return false }
        singlePrecisionTiles -= 1
        return true
    }
}

/// Plain memory that grows, aligned for the widest vectors.
package struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    package private(set) var base: UnsafeMutablePointer<Element>
    package private(set) var capacity = 0

    package init() { base = Self.allocate(1) }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
        UnsafeMutableRawPointer.allocate(byteCount: max(64, capacity * MemoryLayout<Element>.stride), alignment: 64)
            .bindMemory(to: Element.self, capacity: capacity)
    }

    /// Makes room for `count` elements and keeps the first `kept`; the rest is to be written before it is read.
    package mutating func reserve(_ count: Int, keeping kept: Int = 0) {
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
