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
            kernel_count_firings(block.offsetsAsSizes, block.positionOfRow, block.positionOfRow.count, block.features, &counts)
        }
        var cursors = [UInt32](repeating: 0, count: features)
        var total = 0
        for feature in 0..<features { cursors[feature] = UInt32(total); total += Int(counts[feature]) }
        firings = total
        var positions = [UInt32](unsafeUninitializedCapacity: total) { $1 = total }
        var values = [Float](unsafeUninitializedCapacity: total) { $1 = total }
        for block in blocks {
            kernel_scatter_firings(block.offsetsAsSizes, block.positionOfRow, block.positionOfRow.count, block.features, block.values, &cursors, &positions, &values)
        }

        let longest = Int(counts.max() ?? 0)
        var rounded = [Float](repeating: 0, count: longest)
        var bins = [UInt32](repeating: 0, count: KERNEL_BINS)
        var tallies = [kernel_topic_tally](repeating: kernel_topic_tally(), count: max(1, names.count))
        lists = [UInt8](unsafeUninitializedCapacity: (0..<features).reduce(0) { $0 + (counts[$1] == 0 ? 0 : kernel_posting_bound(Int(counts[$1]))) }) { out, written in
            positions.withUnsafeBufferPointer { positions in values.withUnsafeBufferPointer { values in
                for feature in 0..<features where counts[feature] > 0 {
                    let count = Int(counts[feature]), start = Int(cursors[feature]) - count
                    let at = positions.baseAddress! + start, of = values.baseAddress! + start
                    var bytes = kernel_posting_encode(at, of, count, out.baseAddress! + written, &rounded)
                    for bin in bins.indices { bins[bin] = 0 }
                    for topic in tallies.indices { tallies[topic] = kernel_topic_tally() }
                    var tally = kernel_tally()
                    let counted: UInt32 = opensWithContinuation && lastPosition[feature] >= layout.parts[0].documentFirstPosition ? 0 : .max
                    kernel_tally_feature(at, of, rounded, count, documentOf, topicOf, counted, &tally, &tallies, &bins)
                    if let keepTop, count > keepTop {
                        bytes = SegmentIndex.encodeStrongest(keepTop, at, of, rounded, count, to: out.baseAddress! + written)
                    }
                    var statistics = ActivationStatistics()
                    statistics.firings = count
                    statistics.documents = Int(tally.documents)
                    statistics.sum = tally.sum
                    statistics.sumOfSquares = tally.sum_of_squares
                    statistics.maximum = tally.maximum
                    statistics.maximumPosition = layout.firstPosition + Int(tally.maximum_position)
                    statistics.lastPosition = layout.firstPosition + Int(at[count - 1])
                    statistics.histogram = ActivationHistogram(bins: bins)
                    entries.append(Entry(
                        feature: feature, list: written..<written + bytes, statistics: statistics,
                        topics: tallies.indices.compactMap { tallies[$0].firings > 0 ? (topic: $0, tally: tallies[$0]) : nil }))
                    checksum = kernel_checksum(checksum, out.baseAddress! + written, bytes)
                    written += bytes
                }
            } }
        }
    }

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

    /// The `keep` strongest of a list (as rounded; ties to the earlier), still in order of position.
    private static func encodeStrongest(
        _ keep: Int, _ positions: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>, _ rounded: [Float], _ count: Int, to out: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let chosen = (0..<count).sorted { rounded[$0] == rounded[$1] ? $0 < $1 : rounded[$0] > rounded[$1] }.prefix(keep).sorted()
        var scratch = [Float](repeating: 0, count: chosen.count)
        return kernel_posting_encode(chosen.map { positions[$0] }, chosen.map { values[$0] }, chosen.count, out, &scratch)
    }
}

extension FiringBlock {
    /// The same offsets under C's name for the type.
    fileprivate var offsetsAsSizes: [Int] { offsets }
}
