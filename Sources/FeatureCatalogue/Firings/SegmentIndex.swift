import Kernels

/// Firings of a block of tokens, token by token, as an encoder gives them.
///
/// Row r holds entries `offsets[r]..<offsets[r + 1]` of `features` and `values`, for the token at
/// `positionOfRow[r]` of the segment; `maskedRow` there leaves the row out (a BOS token, say).
public struct FiringBlock: Sendable {
    public static let maskedRow = UInt32.max
    public var offsets: [Int]
    public var features: [UInt32]
    public var values: [Float]
    public var positionOfRow: [UInt32]

    /// Firings of rows that are not masked.
    public var firings: Int { positionOfRow.indices.reduce(0) { positionOfRow[$1] == FiringBlock.maskedRow ? $0 : $0 + offsets[$1 + 1] - offsets[$1] } }

    public init(offsets: [Int], features: [UInt32], values: [Float], positionOfRow: [UInt32]) {
        precondition(offsets.count == positionOfRow.count + 1 && features.count == offsets.last! && values.count == features.count)
        self.offsets = offsets
        self.features = features
        self.values = values
        self.positionOfRow = positionOfRow
    }
}

/// The tokens of one segment and the documents they belong to.
public struct SegmentLayout: Sendable {
    /// A document, or the part of it that lies in this segment.
    public struct Part: Sendable {
        public let ordinal: Int
        /// Of the document, in the corpus.
        public let documentFirstPosition: Int
        /// In this segment.
        public let tokens: Int
        public let topic: String
        public let source: String
        public let line: Int?

        public init(ordinal: Int, documentFirstPosition: Int, tokens: Int, topic: String, source: String, line: Int?) {
            (self.ordinal, self.documentFirstPosition, self.tokens, self.topic, self.source, self.line) = (ordinal, documentFirstPosition, tokens, topic, source, line)
        }
    }

    public let ordinal: Int
    /// In the corpus.
    public let firstPosition: Int
    public var tokens: [Int32] = []
    public var parts: [Part] = []

    public init(ordinal: Int, firstPosition: Int) { (self.ordinal, self.firstPosition) = (ordinal, firstPosition) }
}

/// One segment turned from tokens × features to features × tokens: encoded posting lists and what is counted from them.
public struct SegmentIndex: Sendable {
    public struct Entry: Sendable {
        public let feature: Int
        /// Bytes in `lists`.
        public let list: Range<Int>
        public let statistics: ActivationStatistics
        /// (topic's place in `topics`, its tally)
        public let topics: [(topic: Int, tally: kernel_topic_tally)]
    }

    /// Topic names in order of first appearance.
    public private(set) var topics: [String] = []
    public private(set) var lists: [UInt8] = []
    /// Only features that fire, ascending.
    public private(set) var entries: [Entry] = []
    public private(set) var firings = 0
    public private(set) var checksum: UInt64 = 0

    /// - Parameters:
    ///   - lastPosition: each feature's last firing before this segment, for documents that began there (−1: none).
    ///   - keepTop: keep only that many of the strongest firings of each feature in the lists; the counts are of all.
    public init(_ blocks: [FiringBlock], of layout: SegmentLayout, features: Int, lastPosition: [Int], keepTop: Int?) {
        let (documentOf, topicOf, names) = SegmentIndex.documents(of: layout)
        topics = names
        let opensWithContinuation = layout.parts.first.map { $0.documentFirstPosition < layout.firstPosition } ?? false

        // Token-major to feature-major: count, then place. Blocks come in order of position, so lists ascend.
        var counts = [UInt32](repeating: 0, count: features)
        for block in blocks {
            kernel_count_firings(block.offsets, block.positionOfRow, block.positionOfRow.count, block.features, &counts)
        }
        firings = counts.reduce(0) { $0 + Int($1) }
        let lastCounted = opensWithContinuation ? layout.parts[0].documentFirstPosition : Int.max
        var lists = ListBuilder(counts: counts, documentOf: documentOf, topicOf: topicOf, topics: names.count, firstPosition: layout.firstPosition, keepTop: keepTop)
        // Where each row's firings go on: features ascend within a row, so slices of features take them in turn.
        var next = blocks.map { Array($0.offsets.dropLast()) }
        var feature = 0
        while feature < features {
            var end = feature, total = 0
            while end < features, end == feature || total + Int(counts[end]) <= SegmentIndex.sliceFirings { total += Int(counts[end]); end += 1 }
            var cursors = [UInt32](repeating: 0, count: end - feature)
            var start: UInt32 = 0
            for place in cursors.indices { cursors[place] = start; start += counts[feature + place] }
            let positions = [UInt32](unsafeUninitializedCapacity: total) { positions, initialized in
                initialized = total
                let values = [Float](unsafeUninitializedCapacity: total) { values, initialized in
                    initialized = total
                    for (place, block) in blocks.enumerated() {
                        kernel_scatter_firings(block.offsets, block.positionOfRow, block.positionOfRow.count, block.features, block.values, UInt32(feature), UInt32(end), &next[place],
                                               &cursors, positions.baseAddress, values.baseAddress)
                    }
                }
                lists.values = values
            }
            lists.positions = positions
            lists.append(feature..<end) { lastPosition[$0] >= lastCounted ? 0 : .max }
            feature = end
        }
        (self.lists, entries, checksum) = (lists.bytes, lists.entries, lists.checksum)
    }

    /// Firings turned around at once: with more (a dictionary that is far from sparse), features are taken in slices, so
    /// that memory does not double.
    static let sliceFirings = 1 << 22

    /// Each position's document and each document's topic, both counted within the segment.
    private static func documents(of layout: SegmentLayout) -> (documentOf: [UInt32], topicOf: [UInt32], topics: [String]) {
        var documentOf: [UInt32] = [], topicOf: [UInt32] = [], topics: [String] = []
        documentOf.reserveCapacity(layout.tokens.count)
        var places: [String: UInt32] = [:]
        for (document, part) in layout.parts.enumerated() {
            documentOf.append(contentsOf: repeatElement(UInt32(document), count: part.tokens))
            let place = places[part.topic] ?? UInt32(topics.count)
            if places.updateValue(place, forKey: part.topic) == nil { topics.append(part.topic) }
            topicOf.append(place)
        }
        return (documentOf, topicOf, topics)
    }
}

/// Encodes and tallies the lists of one segment, feature after feature.
private struct ListBuilder {
    private let counts: [UInt32]
    private let documentOf, topicOf: [UInt32]
    private let firstPosition: Int
    private let keepTop: Int?
    private var rounded: [Float]
    private var bins = [UInt32](repeating: 0, count: KERNEL_BINS)
    private var tallies: [kernel_topic_tally]

    /// The firings of a slice of features, end to end.
    var positions: [UInt32] = []
    var values: [Float] = []
    private(set) var bytes: [UInt8] = []
    private(set) var entries: [SegmentIndex.Entry] = []
    private(set) var checksum: UInt64 = 0

    init(counts: [UInt32], documentOf: [UInt32], topicOf: [UInt32], topics: Int, firstPosition: Int, keepTop: Int?) {
        (self.counts, self.documentOf, self.topicOf, self.firstPosition, self.keepTop) = (counts, documentOf, topicOf, firstPosition, keepTop)
        rounded = .init(repeating: 0, count: Int(counts.max() ?? 0))
        tallies = .init(repeating: kernel_topic_tally(), count: max(1, topics))
        entries.reserveCapacity(counts.count)
    }

    /// - Parameter counted: of a feature, the document that was counted in an earlier segment.
    mutating func append(_ features: Range<Int>, counted: (Int) -> UInt32) {
        var start = 0
        for feature in features where counts[feature] > 0 {
            let count = Int(counts[feature])
            append(feature, start..<start + count, counted(feature))
            start += count
        }
    }

    private mutating func append(_ feature: Int, _ range: Range<Int>, _ counted: UInt32) {
        let count = range.count
        var list = [UInt8](unsafeUninitializedCapacity: kernel_posting_bound(count)) { out, written in
            written = positions.withUnsafeBufferPointer { positions in
                values.withUnsafeBufferPointer { kernel_posting_encode(positions.baseAddress! + range.lowerBound, $0.baseAddress! + range.lowerBound, count, out.baseAddress!, &rounded) }
            }
        }
        for bin in bins.indices { bins[bin] = 0 }
        for topic in tallies.indices { tallies[topic] = kernel_topic_tally() }
        var tally = kernel_tally()
        positions.withUnsafeBufferPointer { positions in
            values.withUnsafeBufferPointer {
                kernel_tally_feature(positions.baseAddress! + range.lowerBound, $0.baseAddress! + range.lowerBound, rounded, count, documentOf, topicOf, counted, &tally, &tallies, &bins)
            }
        }
        if let keepTop, count > keepTop { list = encodeStrongest(keepTop, range) }
        var statistics = ActivationStatistics()
        statistics.firings = count
        statistics.documents = Int(tally.documents)
        statistics.sum = tally.sum
        statistics.sumOfSquares = tally.sum_of_squares
        statistics.maximum = tally.maximum
        statistics.maximumPosition = firstPosition + Int(tally.maximum_position)
        statistics.lastPosition = firstPosition + Int(positions[range.upperBound - 1])
        statistics.histogram = ActivationHistogram(bins: bins)
        entries.append(SegmentIndex.Entry(
            feature: feature, list: bytes.count..<bytes.count + list.count, statistics: statistics,
            topics: tallies.indices.compactMap { tallies[$0].firings > 0 ? (topic: $0, tally: tallies[$0]) : nil }))
        checksum = kernel_checksum(checksum, list, list.count)
        bytes.append(contentsOf: list)
    }

    /// The `keep` strongest of a list (as rounded; ties to the earlier), still in order of position.
    private func encodeStrongest(_ keep: Int, _ range: Range<Int>) -> [UInt8] {
        let chosen = (0..<range.count).sorted { rounded[$0] == rounded[$1] ? $0 < $1 : rounded[$0] > rounded[$1] }.prefix(keep).sorted()
        var scratch = [Float](repeating: 0, count: chosen.count)
        return [UInt8](unsafeUninitializedCapacity: kernel_posting_bound(chosen.count)) { out, written in
            written = kernel_posting_encode(chosen.map { positions[range.lowerBound + $0] }, chosen.map { values[range.lowerBound + $0] }, chosen.count, out.baseAddress!, &scratch)
        }
    }
}
