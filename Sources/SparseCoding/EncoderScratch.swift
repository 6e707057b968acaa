import Kernels

/// Memory that encoding works in: one per thread, kept from call to call.
public struct EncoderScratch: ~Copyable {
    var packed = Buffer<Float>()
    var rows = Buffer<UInt32>()
    var shifts = Buffer<Float>()
    var scales = Buffer<Float>()
    private var lists = TokenLists()
    /// Whether the tile at hand is to be listed, and whether what was made ready last is.
    var listsTokens = false
    private var isListed = false

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

    /// Makes the first `tokens` of `rows` ready for `run`, each as (x − shift) · scale.
    mutating func pack(_ x: UnsafePointer<Float>, tokens: Int, width: Int) {
        isListed = false
        let group = Int(ENCODE_TOKENS)
        packed.reserve((tokens + group - 1) / group * group * width)
        kernel_encode_pack(x, rows.base, tokens, width, shifts.base, scales.base, packed.base)
    }

    /// The same for tokens that are taken as they are and consist mostly of zeros; `run` must be at level 2.
    mutating func list(_ x: UnsafePointer<Float>, tokens: Int, width: Int) {
        isListed = true
        lists.fill(x, rows.base, tokens: tokens, width: width)
    }

    /// The firings of the `tokens` packed tokens whose pre-activation is above `floor`, sorted into `offsets`,
    /// `features` and `values`.
    mutating func run(_ encoder: borrowing PackedEncoder, tokens: Int, floor: Float, level: Int32) {
        streamCount = 0
        let step = isListed ? 2 : 1
        let roomNeeded = step * tokens * Int(ENCODE_FEATURES) + 16
        for index in stride(from: 0, to: encoder.panels, by: step) {
            streamTokens.reserve(streamCount + roomNeeded, keeping: streamCount)
            streamFeatures.reserve(streamCount + roomNeeded, keeping: streamCount)
            streamValues.reserve(streamCount + roomNeeded, keeping: streamCount)
            var stream = encode_stream(token: streamTokens.base, feature: streamFeatures.base, value: streamValues.base, count: streamCount)
            var panel = encoder.panel(index)
            if isListed {
                lists.encode(tokens, encoder, index, floor, &stream)
            } else {
                kernel_encode(level, packed.base, tokens, encoder.width, &panel, floor, &stream)
            }
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

/// What is not zero in a tile of tokens, and the sums made of it.
private struct TokenLists: ~Copyable {
    private var order = Buffer<UInt32>()
    private var starts = Buffer<UInt32>()
    private var offsets = Buffer<UInt16>()
    private var values = Buffer<Float>()
    private var counts = Buffer<UInt8>()
    private var sums = Buffer<Float>()

    init() {}

    private var memory: encode_lists { encode_lists(order: order.base, starts: starts.base, offsets: offsets.base, values: values.base) }

    mutating func fill(_ x: UnsafePointer<Float>, _ rows: UnsafePointer<UInt32>, tokens: Int, width: Int) {
        let block = Int(LISTED_ROWS), group = Int(LISTED_TOKENS)
        let blocks = (width + block - 1) / block, groups = (tokens + group - 1) / group
        order.reserve(blocks * groups * group)
        starts.reserve(blocks * groups + 1)
        // As much as lists without a zero would take; memory that is never written costs nothing.
        offsets.reserve(blocks * block * groups * group)
        values.reserve(blocks * block * groups * group)
        counts.reserve(tokens)
        sums.reserve((tokens + 1) * 2 * Int(ENCODE_FEATURES))
        var lists = memory
        kernel_encode_list(x, rows, tokens, width, counts.base, &lists)
    }

    func encode(_ tokens: Int, _ encoder: borrowing PackedEncoder, _ index: Int, _ floor: Float, _ stream: inout encode_stream) {
        var lists = memory, panel = encoder.panel(index)
        guard index + 1 < encoder.panels else {
            return kernel_encode_listed(&lists, tokens, encoder.width, &panel, nil, floor, sums.base, &stream)
        }
        var next = encoder.panel(index + 1)
        kernel_encode_listed(&lists, tokens, encoder.width, &panel, &next, floor, sums.base, &stream)
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
