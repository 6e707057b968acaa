public import FeatureCatalogue

/// Everything the catalogue knows about one feature: what `show` prints and an export holds.
public struct FeatureReport: Sendable {
    public struct Example: Sendable {
        public let position: Int
        public let activation: Float
        public let window: TokenWindow
        /// The activation of each token of the window; 0 where the feature is silent.
        public let activations: [Float]
        public let document: Document
    }

    /// Firings whose activation lies nearest to one of eleven centres, evenly spaced from 0 to the maximum (the intervals of
    /// Towards Monosemanticity, appendix "Feature density and interpretability"), with a few drawn evenly at random.
    public struct Interval: Sendable {
        public let centre: Float
        public let firings: Int
        public let samples: [Example]
    }

    /// One of ten groups of equally many firings, by strength.
    public struct Quantile: Sendable {
        /// Activations in the group.
        public let lowest: Float
        public let highest: Float
        public let firings: Int
        public let samples: [Example]
    }

    public struct Token: Sendable {
        public let id: Int
        public let text: String
        public let firings: Int
        public let sum: Double
    }

    public struct Logit: Sendable {
        public let id: Int
        public let text: String
        public let value: Double
    }

    public struct Neuron: Sendable {
        public let index: Int
        public let value: Double
    }

    public struct Neighbour: Sendable {
        public let feature: FeatureName
        public let cosine: Float
        public let label: String?
        public let density: Double?
        public let topToken: String?
    }

    /// Its edges to smaller and to larger versions, and what is said of it by itself in each lineage.
    public struct Kin: Sendable {
        public var parents: [LineageEdge] = []
        public var children: [LineageEdge] = []
        public var facts: [(lineage: Lineage, node: LineageNode)] = []
    }

    public var overview: FeatureOverview
    public var dictionary: FeatureDictionary
    /// Whether every firing is kept, or the strongest only.
    public var keepTop: Int?
    /// The share of tokens on which it fires, as the source of an import states it.
    public var statedDensity: Double?
    public var statistics: ActivationStatistics
    public var labels: [Label]
    public var tokens: [Token]
    public var raisedLogits: [Logit]
    public var loweredLogits: [Logit]
    public var neuronsByWeight: [Neuron]
    public var neuronsByCorrelation: [Neuron]
    public var topics: [TopicRate]
    public var examples: [Example]
    public var intervals: [Interval]
    public var quantiles: [Quantile]
    public var neighbours: [Neighbour]
    public var lineage: Kin
    /// What the labels of its kin would make of it; empty for a feature that has a label.
    public var labelSuggestions: [LabelSuggestion]
    /// Of the label that the feature goes by, the newest of each method.
    public var labelScores: [NewestScore]

    /// The label that the feature goes by.
    public var label: Label? { labels.first(where: \.isCurrent) }
}

/// How much a report takes in.
public struct ReportScope: Sendable {
    public var examples = 10
    /// Tokens on either side of a firing.
    public var window = 12
    /// From each interval and each quantile.
    public var samples = 1
    public var neighbours = 5
    public var topics = 10
    /// Activations in the units of the autoencoder's file, instead of f·‖d‖ for unit decoder rows.
    public var isRaw = false

    public init() {}
}

/// Makes reports of the features of one run.
public final class Reporter {
    public let catalogue: Catalogue
    public let run: Run
    public let text: CorpusText
    /// Those of the dictionary.
    private let lineages: [Lineage]
    /// Whether the postings are those within some windows only, so that groups by strength cannot be counted from them.
    private let hasExamplesOnly: Bool
    private let documentNames: DocumentCache
    private let corpusTopics: [Topic]

    /// Where windows are to be without spellings of their own, what has them instead.
    var spellings: TokenSpellings?

    static let quantiles = 10

    public init(_ catalogue: Catalogue, _ run: Run) throws {
        (self.catalogue, self.run) = (catalogue, run)
        text = try CorpusText(catalogue, corpus: run.corpus)
        lineages = try catalogue.lineages().filter { $0.coarse.id == run.dictionary.id || $0.fine.id == run.dictionary.id }
        hasExamplesOnly = try catalogue.connection.integer("SELECT evidence = 'examples' FROM run WHERE id = ?", .init(run.id)) == 1
        documentNames = DocumentCache(catalogue, run.corpus)
        corpusTopics = try catalogue.topics(of: run.corpus)
    }

    public func report(on feature: Int, _ scope: ReportScope) throws -> FeatureReport {
        let dictionary = run.dictionary, connection = catalogue.connection, id = dictionary.featureID(feature)
        let overview = try catalogue.overview(of: feature, in: dictionary)
        let scale = scope.isRaw ? Float(1 / overview.activationScale) : 1
        var firings = try catalogue.firings(of: feature, in: run)
        if scope.isRaw { for place in firings.values.indices { firings.values[place] *= scale } }
        let activations = firings
        func example(_ place: Int) throws -> FeatureReport.Example {
            let window = try window(around: activations.positions[place], scope.window)
            return FeatureReport.Example(position: activations.positions[place], activation: activations.values[place], window: window,
                                         activations: activations.activations(at: window.firstPosition..<window.firstPosition + window.tokens.count),
                                         document: try documentNames.document(at: activations.positions[place], text.documents.starts[window.documentIndex]))
        }
        let name = FeatureName(dictionary: dictionary.name, index: feature), statistics = try catalogue.statistics(of: feature, in: run), labels = try catalogue.labels(of: name)
        return FeatureReport(
            overview: scope.isRaw ? overview.scaled(by: Double(scale)) : overview, dictionary: dictionary, keepTop: run.keepTop, statedDensity: try statedDensity(id),
            statistics: scope.isRaw ? statistics.scaled(by: Double(scale), histogramOf: firings.values) : statistics, labels: labels,
            tokens: try connection.rows("SELECT token, firings, sum FROM feature_token WHERE run_id = ? AND feature_id = ? ORDER BY rank", .init(run.id), .init(id)) {
                FeatureReport.Token(id: $0.integer(0), text: try spelling($0.integer(0)), firings: $0.integer(1), sum: $0.real(2))
            },
            raisedLogits: try logits("rank > 0 ORDER BY rank", id), loweredLogits: try logits("rank < 0 ORDER BY rank DESC", id),
            neuronsByWeight: try neurons("weight", id), neuronsByCorrelation: try neurons("correlation", id),
            topics: try catalogue.topicRates(of: feature, in: run, corpusTopics, total: statistics).prefix(scope.topics).map { scope.isRaw ? $0.scaled(by: Double(scale)) : $0 },
            examples: try examplePlaces(firings, id, scope.examples).map(example),
            intervals: try hasExamplesOnly ? storedGroups("interval", id, firings, scale, example).map { .init(centre: $0.low, firings: $0.firings, samples: $0.samples) } : intervals(firings, scope.samples, example),
            quantiles: try hasExamplesOnly ? storedGroups("quantile", id, firings, scale, example).map { .init(lowest: $0.low, highest: $0.high, firings: $0.firings, samples: $0.samples) }
                : quantiles(firings, scope.samples, example),
            neighbours: try scope.neighbours == 0 ? [] : neighbours(of: feature, scope.neighbours), lineage: try kin(of: name),
            labelSuggestions: try overview.label == nil ? catalogue.labelSuggestions(for: name) : [],
            labelScores: try labels.first(where: \.isCurrent).map { try catalogue.newestScores(of: $0.id) } ?? [])
    }

    private func window(around position: Int, _ width: Int) throws -> TokenWindow {
        if let spellings {
            let window = try text.unspelledWindow(around: position, width)
            if try spellings.learn(window.tokens, text) { return window }
        }
        return try text.window(around: position, width)
    }

    private func kin(of name: FeatureName) throws -> FeatureReport.Kin {
        guard !lineages.isEmpty else { return FeatureReport.Kin() }
        return FeatureReport.Kin(parents: try catalogue.parents(of: name), children: try catalogue.children(of: name), facts: try catalogue.lineageNodes(of: name, in: run.dictionary, among: lineages))
    }

    private func statedDensity(_ id: Int) throws -> Double? {
        try catalogue.connection.first("SELECT density FROM statistic WHERE run_id = ? AND feature_id = ?", .init(run.id), .init(id)) { $0.optionalReal(0) } ?? nil
    }

    /// Groups by strength as an import brought them.
    private func storedGroups(_ kind: String, _ id: Int, _ firings: PostingList, _ scale: Float, _ example: (Int) throws -> FeatureReport.Example) throws
        -> [(low: Float, high: Float, firings: Int, samples: [FeatureReport.Example])] {
        try catalogue.connection.rows("SELECT low, high, firings, position FROM feature_group WHERE run_id = ? AND feature_id = ? AND kind = ? ORDER BY ordinal",
                                      .init(run.id), .init(id), .text(kind)) { row in
            (Float(row.real(0)) * scale, Float(row.real(1)) * scale, row.integer(2), try row.optionalInteger(3).flatMap { firings.place(of: $0) }.map { [try example($0)] } ?? [])
        }
    }

    private func spelling(_ token: Int) throws -> String { String(decoding: try text.bytes(of: Int32(token)), as: UTF8.self) }

    private func logits(_ clause: String, _ id: Int) throws -> [FeatureReport.Logit] {
        try catalogue.connection.rows("SELECT token, value FROM feature_logit WHERE feature_id = ? AND \(clause)", .init(id)) {
            FeatureReport.Logit(id: $0.integer(0), text: try spelling($0.integer(0)), value: $0.real(1))
        }
    }

    private func neurons(_ basis: String, _ id: Int) throws -> [FeatureReport.Neuron] {
        try catalogue.connection.rows("SELECT neuron, value FROM feature_neuron WHERE run_id = ? AND feature_id = ? AND basis = ? ORDER BY rank", .init(run.id), .init(id), .text(basis)) {
            FeatureReport.Neuron(index: $0.integer(0), value: $0.real(1))
        }
    }

    private func neighbours(of feature: Int, _ k: Int) throws -> [FeatureReport.Neighbour] {
        // Without vectors, what a graph holds.
        if run.dictionary.width == 0 {
            let stored = try catalogue.connection.rows("""
                SELECT neighbour_id & 4294967295, cosine FROM feature_neighbour
                WHERE feature_id = ?1 AND graph_id = (SELECT id FROM neighbour_graph WHERE dictionary_id = ?2 AND target_id = ?2 AND is_complete ORDER BY k DESC LIMIT 1) AND rank <= ?3 ORDER BY rank
                """, .init(run.dictionary.featureID(feature)), .init(run.dictionary.id), .init(k)) { Neighbour(feature: $0.integer(0), cosine: Float($0.real(1))) }
            return try catalogue.describe(stored, in: run.dictionary)
        }
        let query = try catalogue.decoder(of: feature, in: run.dictionary)
        guard query.contains(where: { $0 != 0 }) else { return [] }
        return try catalogue.describe(try catalogue.nearest(to: query, in: run.dictionary, k: k, excluding: feature), in: run.dictionary)
    }

    // MARK: Examples

    /// Places in `firings` of the examples: those chosen at the end of the ingest, or, for more, chosen anew by the same rules.
    private func examplePlaces(_ firings: PostingList, _ id: Int, _ count: Int) throws -> [Int] {
        let chosen = try catalogue.connection.rows("SELECT position FROM feature_example WHERE run_id = ? AND feature_id = ? ORDER BY rank", .init(run.id), .init(id)) {
            $0.integer(0)
        }.compactMap { firings.place(of: $0) }
        if hasExamplesOnly || run.isComplete && (count <= chosen.count || chosen.count < examplesKept) { return Array(chosen.prefix(count)) }
        return try firings.distinctExamples(count, in: text)
    }

    private func intervals(_ firings: PostingList, _ samples: Int, _ example: (Int) throws -> FeatureReport.Example) throws -> [FeatureReport.Interval] {
        guard let maximum = firings.values.max() else { return [] }
        var counts = [Int](repeating: 0, count: activationIntervals), drawn = [Draw](repeating: Draw(samples), count: activationIntervals)
        for place in 0..<firings.count {
            let interval = activationInterval(of: firings.values[place], maximum: maximum)
            counts[interval] += 1
            drawn[interval].offer(place, at: firings.positions[place])
        }
        return try (0..<activationIntervals).map { interval in
            FeatureReport.Interval(centre: intervalCentre(interval, maximum: maximum), firings: counts[interval], samples: try drawn[interval].places.map(example))
        }
    }

    private func quantiles(_ firings: PostingList, _ samples: Int, _ example: (Int) throws -> FeatureReport.Example) throws -> [FeatureReport.Quantile] {
        let order = Reporter.orderByValue(firings.values)
        let groups = min(Reporter.quantiles, order.count)
        return try (0..<groups).map { group in
            let start = group * order.count / groups, end = (group + 1) * order.count / groups
            var drawn = Draw(samples)
            for place in start..<end { drawn.offer(Int(order[place]), at: firings.positions[Int(order[place])]) }
            return FeatureReport.Quantile(lowest: firings.values[Int(order[start])], highest: firings.values[Int(order[end - 1])], firings: end - start,
                                          samples: try drawn.places.map(example))
        }
    }

    /// Places in order of their values, the weakest first, equal ones as they stand. Values are positive, so that they compare as their bits do, which are
    /// sorted eleven at a time: a feature may fire millions of times.
    private static func orderByValue(_ values: [Float]) -> [UInt32] {
        let count = values.count, digits = 2048
        guard count > 256 else { return values.indices.sorted { values[$0] == values[$1] ? $0 < $1 : values[$0] < values[$1] }.map { UInt32($0) } }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * count) { keys in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: 3 * digits) { starts in
                var (from, to) = (keys.baseAddress!, keys.baseAddress! + count)
                let starts = starts.baseAddress!
                starts.initialize(repeating: 0, count: 3 * digits)
                for place in 0..<count {
                    let bits = values[place].bitPattern
                    from[place] = UInt64(bits) << 32 | UInt64(truncatingIfNeeded: place)
                    starts[Int(bits & 2047)] &+= 1
                    starts[digits &+ Int(bits >> 11 & 2047)] &+= 1
                    starts[2 &* digits &+ Int(bits >> 22)] &+= 1
                }
                for digit in 0..<3 {
                    let starts = starts + digit * digits, shift = UInt64(32 + 11 * digit)
                    var sum: Int32 = 0
                    for bin in 0..<digits { (starts[bin], sum) = (sum, sum &+ starts[bin]) }
                    for place in 0..<count {
                        let key = from[place], bin = Int(truncatingIfNeeded: key >> shift & 2047)
                        to[Int(starts[bin])] = key
                        starts[bin] &+= 1
                    }
                    (from, to) = (to, from)
                }
                return [UInt32](unsafeUninitializedCapacity: count) { order, initialized in
                    for place in 0..<count { order[place] = UInt32(truncatingIfNeeded: from[place]) }
                    initialized = count
                }
            }
        }
    }

    /// The members with the smallest hash of their position: as good as drawn at random, and the same every time.
    private struct Draw {
        let count: Int
        private var best: [(hash: UInt64, place: Int)] = []
        /// What a hash must be below of to get in.
        private var limit: UInt64

        init(_ count: Int) { (self.count, limit) = (count, count > 0 ? .max : 0) }

        var places: [Int] { best.map(\.place) }

        mutating func offer(_ place: Int, at position: Int) {
            let hash = Reporter.hash(UInt64(position))
            guard hash < limit || (best.count < count && hash == .max) else { return }
            best.insert((hash, place), at: best.firstIndex { $0.hash > hash } ?? best.count)
            if best.count > count { best.removeLast() }
            if best.count == count { limit = best[count - 1].hash }
        }
    }

    /// A fixed permutation of the 64-bit numbers that leaves no pattern of the input visible (the finaliser of SplitMix64).
    static func hash(_ x: UInt64) -> UInt64 {
        var z = x &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

extension Catalogue {
    /// Neighbours with what a reader wants to know of them.
    public func describe(_ neighbours: [Neighbour], in dictionary: FeatureDictionary) throws -> [FeatureReport.Neighbour] {
        zip(neighbours, try briefs(of: neighbours.map(\.feature), in: dictionary)).map { FeatureReport.Neighbour($0, $1, in: dictionary) }
    }
}

extension FeatureReport.Neighbour {
    init(_ neighbour: Neighbour, _ brief: FeatureBrief, in dictionary: FeatureDictionary) {
        self.init(feature: FeatureName(dictionary: dictionary.name, index: neighbour.feature), cosine: neighbour.cosine, label: brief.label, density: brief.density, topToken: brief.topToken)
    }
}

/// Documents by their first position, each looked up once.
private final class DocumentCache {
    private let catalogue: Catalogue, corpus: Int
    private var known: [Int: Document] = [:]

    init(_ catalogue: Catalogue, _ corpus: Int) { (self.catalogue, self.corpus) = (catalogue, corpus) }

    func document(at position: Int, _ start: Int) throws -> Document {
        if let document = known[start] { return document }
        let document = try catalogue.document(at: position, of: corpus)!
        known[start] = document
        return document
    }
}

extension PostingList {
    /// The place of a position, if the feature fires there.
    public func place(of position: Int) -> Int? {
        let place = firstPlace(from: position)
        return place < count && positions[place] == position ? place : nil
    }

    /// The activation at each position of a range, 0 where the feature is silent.
    public func activations(at range: Range<Int>) -> [Float] {
        var all = [Float](repeating: 0, count: range.count)
        var place = firstPlace(from: range.lowerBound)
        while place < count, positions[place] < range.upperBound { all[positions[place] - range.lowerBound] = values[place]; place += 1 }
        return all
    }

    private func firstPlace(from position: Int) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if positions[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
