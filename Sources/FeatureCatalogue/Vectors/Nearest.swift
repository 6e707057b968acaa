import Diagnostics
import Formats
import Kernels
import SQLite

/// A feature found by its direction.
public struct Neighbour: Sendable, Equatable {
    public let feature: Int
    /// Of the query with the unit decoder row.
    public let cosine: Float

    public init(feature: Int, cosine: Float) { (self.feature, self.cosine) = (feature, cosine) }
}

/// What a search looked at.
public struct SearchCost: Sendable, Equatable {
    /// Features whose compact codes were read; 0 where all vectors were multiplied instead.
    public var codesScanned = 0
    /// Features that the coarse codes could not rule out.
    public var candidates = 0
    /// Features whose float32 vectors were read and multiplied.
    public var reranked = 0
    /// Bytes of codes and vectors that were read.
    public var bytesTouched = 0
    /// The codes are missing or are not what their checksums say: all vectors were multiplied instead.
    public var codesAreDamaged = false

    public init() {}
}

extension Catalogue {
    /// The `k` features of `dictionary` whose decoder vectors point most nearly along `query`: exact, ties to the lower index.
    ///
    /// - Parameters:
    ///   - query: `dictionary.width` numbers of any length but zero.
    ///   - excluding: a feature to leave out (the one that was asked about).
    ///   - among: only these features; `nil` for all.
    /// - Throws: when the query's width is wrong, or it is zero or not finite. Features whose decoder row is zero are never found.
    public func nearest(to query: [Float], in dictionary: FeatureDictionary, k: Int, excluding: Int? = nil, among subset: FeatureSubset? = nil) throws -> [Neighbour] {
        var cost = SearchCost()
        return try nearest(to: query, in: dictionary, k: k, excluding: excluding, among: subset, cost: &cost)
    }

    /// The same, and what it took.
    ///
    /// A cosine is the inner product in double precision with the stored row, rounded to single: the same number on every
    /// machine and by every way. The codes (`VectorIndex`) rule out what cannot be among the k; where there are none, or they
    /// are damaged, or would rule out little, every row is multiplied.
    public func nearest(to query: [Float], in dictionary: FeatureDictionary, k: Int, excluding: Int?, among subset: FeatureSubset?, cost: inout SearchCost) throws -> [Neighbour] {
        try demandSoundShape(dictionary)
        try demandVectors(dictionary)
        let unit = try unit(query, for: dictionary)
        let wanted = Wanted(k: min(k, dictionary.features), excluding: excluding, subset: subset)
        guard wanted.k > 0 else { return [] }
        if let subset, subset.count <= max(4 * k.clamped(to: 0...dictionary.features), 256) {
            return try rank(subset.indices.filter { $0 != excluding }.map { (UInt32($0), nil) }, DecoderRows(of: dictionary, in: self), unit, wanted, &cost)
        }
        if wanted.k <= dictionary.features / 8, let found = try searchCodes(unit, dictionary, wanted, &cost) { return found }
        return try scan(unit, dictionary, wanted, &cost)
    }

    /// What to look for.
    private struct Wanted {
        let k: Int
        let excluding: Int?
        let subset: FeatureSubset?

        /// Whether a feature may be found, a bit each, by panels of 64; `nil` where all may.
        func allowed(of features: Int) -> [UInt64]? {
            guard excluding != nil || subset != nil else { return nil }
            let panels = (features + 63) / 64
            var words = subset.map { Array($0.words.prefix(panels)) } ?? [UInt64](repeating: .max, count: panels)
            words += repeatElement(0, count: panels - words.count)
            if let excluding, words.indices.contains(excluding / 64) { words[excluding / 64] &= ~(1 << UInt64(excluding % 64)) }
            return words
        }
    }

    /// The query at length 1. One that has it already, but for rounding, is taken as it is, so that a feature's search gives
    /// the very numbers that are computed for all features at once.
    private func unit(_ query: [Float], for dictionary: FeatureDictionary) throws -> [Float] {
        guard query.count == dictionary.width else {
            throw MonosemeError("the query vector has \(query.count) numbers; the decoder vectors of \(dictionary.name) have \(dictionary.width)", hint: "give a vector in the space of \(dictionary.hook)")
        }
        guard query.allSatisfy(\.isFinite) else { throw MonosemeError("the query vector holds a NaN or an infinity") }
        let length = kernel_dot_exact(query, query, query.count).squareRoot()
        guard length > 0 else { throw MonosemeError("the query vector is zero: it points nowhere", hint: "a feature whose decoder row is zero has no neighbours") }
        return abs(length - 1) <= 1e-6 ? query : query.map { Float(Double($0) / length) }
    }

    /// Searches by codes; `nil` where there are none that can be trusted.
    private func searchCodes(_ unit: [Float], _ dictionary: FeatureDictionary, _ wanted: Wanted, _ cost: inout SearchCost) throws -> [Neighbour]? {
        guard CodeLayout(dictionary) != nil else { return nil }
        do {
            let index = try vectorIndex(of: dictionary)
            return try index.search { try searchCodes(index, unit, dictionary, wanted, &cost) }
        } catch is VectorIndex.Damage {
            vectorIndexes.removeAll { $0.dictionary == dictionary.id }
            cost = SearchCost()
            cost.codesAreDamaged = true
            return nil
        }
    }

    /// Its codes; made once and kept.
    func vectorIndex(of dictionary: FeatureDictionary) throws -> VectorIndex {
        if let known = vectorIndexes.first(where: { $0.dictionary == dictionary.id }) { return known.index }
        let index = try VectorIndex(of: dictionary, in: self)
        // Codes held in memory take a byte a number: not those of every dictionary ever asked.
        while vectorIndexes.count >= 16 || vectorIndexes.reduce(0, { $0 + $1.index.heldBytes }) > 1 << 28 { vectorIndexes.removeFirst() }
        vectorIndexes.append((dictionary.id, index))
        return index
    }

    private func searchCodes(_ index: VectorIndex, _ unit: [Float], _ dictionary: FeatureDictionary, _ wanted: Wanted, _ cost: inout SearchCost) throws -> [Neighbour] {
        let layout = index.layout, level = kernel_code_best_level()
        let codes = Storage<Int8>(kernel_rotated(layout.width))
        var query = code_query()
        kernel_code_query(unit, layout.width, codes.base, &query)

        // One: all rows by their high halves, and those that look best.
        let products = index.products, upper = index.upper, candidates = index.candidates
        let likely = wanted.k + max(wanted.k / 4, 16), capacity = 2 * likely + 2 * CodeLayout.panelRows
        let bestEstimates = Storage<Float>(capacity), bestRows = Storage<UInt32>(capacity)
        var best = code_best(estimates: bestEstimates.base, rows: bestRows.base, count: 0, wanted: likely, capacity: capacity, threshold: -.infinity)
        let allowed = wanted.allowed(of: dictionary.features)
        if allowed != nil { upper.update(repeating: -.infinity, count: layout.panels * CodeLayout.panelRows) }
        try index.forEachPanels(isWanted: { panels in allowed.map { words in panels.contains { words[$0] != 0 } } ?? true }) { panels, count, first in
            kernel_code_scan(level, &query, panels, count, first, allowed, products, upper, &best)
            cost.codesScanned += min(count * CodeLayout.panelRows, dictionary.features - first)
            cost.bytesTouched += count * layout.panelBytes
        }
        kernel_code_shrink(&best)

        // Two: the best of those by all eight bits are multiplied. The k-th of them is a bound for the k-th of all.
        let seeds = (0..<best.count).map { best.rows[$0] }.sorted()
        var threshold = -Float.greatestFiniteMagnitude
        if seeds.count >= wanted.k {
            let fine = try seeds.withUnsafeBufferPointer { try FineBounds($0, index, level, query, products, &cost) }
            let strongest = seeds.indices.sorted { fine.estimates.base[$0] > fine.estimates.base[$1] }.prefix(wanted.k)
            var own = SearchCost() // they are candidates, too, and counted there
            let ranked = try rank(strongest.map { (seeds[$0], fine.sums.base[$0]) }, index.rows, unit, wanted, &own)
            // Rounding a cosine to single precision moves it by less.
            threshold = ranked[wanted.k - 1].cosine - 1e-7
        }

        // Three: whatever could reach that, by its coarse bound, then by its fine one.
        let count = kernel_code_select(upper, dictionary.features, threshold, candidates)
        cost.candidates += count
        let fine = try FineBounds(.init(start: candidates, count: count), index, level, query, products, &cost)
        let left = (0..<count).compactMap { fine.estimates.base[$0] + fine.errors.base[$0] >= threshold ? (candidates[$0], fine.sums.base[$0]) : nil }
        return try rank(left, index.rows, unit, wanted, &cost)
    }

    /// Multiplies the vectors of some features and ranks them. Each comes with the checksum of the vector that was coded, where
    /// there is one.
    private func rank(_ features: [(feature: UInt32, sum: UInt32?)], _ rows: DecoderRows, _ unit: [Float], _ wanted: Wanted, _ cost: inout SearchCost) throws -> [Neighbour] {
        var best = BestNeighbours(wanted.k)
        for (feature, sum) in features {
            try rows.withRow(Int(feature), sum: sum) { row in
                if let cosine = try cosine(unit, row, of: rows.dictionary) { best.add(Neighbour(feature: Int(feature), cosine: cosine)) }
            }
        }
        cost.reranked += features.count
        cost.bytesTouched += 4 * unit.count * features.count
        return best.sorted()
    }

    /// `nil` for a row of zeros.
    private func cosine(_ unit: [Float], _ row: UnsafePointer<Float>, of dictionary: FeatureDictionary) throws -> Float? {
        let cosine = Float(kernel_dot_exact(unit, row, unit.count))
        // A row that is not of length 1, or holds a NaN.
        guard abs(cosine) <= 1 + Float(unitTolerance) else { throw damagedVectors(dictionary) }
        return cosine == 0 && kernel_dot_exact(row, row, unit.count) == 0 ? nil : cosine
    }

    /// Multiplies every vector.
    private func scan(_ unit: [Float], _ dictionary: FeatureDictionary, _ wanted: Wanted, _ cost: inout SearchCost) throws -> [Neighbour] {
        var best = BestNeighbours(wanted.k)
        try forEachDecoderBlock(of: dictionary) { first, rows in
            for place in 0..<rows.count / max(1, dictionary.width) {
                let index = first + place, row = rows.baseAddress! + place * dictionary.width
                if index == wanted.excluding || wanted.subset.map({ !$0.contains(index) }) ?? false { continue }
                cost.reranked += 1
                cost.bytesTouched += 4 * dictionary.width
                if let cosine = try cosine(unit, row, of: dictionary) { best.add(Neighbour(feature: index, cosine: cosine)) }
            }
        }
        return best.sorted()
    }

    /// Cosines between dictionaries of different models or hook points compare nothing: refused, with the reason.
    public func demandSameSpace(_ a: FeatureDictionary, _ b: FeatureDictionary) throws {
        guard a.model == b.model else {
            throw MonosemeError("\(a.name) and \(b.name) belong to different models: the cosine of their decoder vectors means nothing",
                                hint: "compare features across models by what they fire on, not by direction")
        }
        guard a.hook == b.hook else {
            throw MonosemeError("\(a.name) reads \(a.hook) and \(b.name) reads \(b.hook): the cosine of their decoder vectors means nothing",
                                hint: "compare dictionaries of one hook point")
        }
    }
}

/// The k best of many neighbours, at a cost that does not grow with k.
private struct BestNeighbours {
    private let k: Int
    private var kept: [Neighbour] = []
    /// Below it none is wanted any more.
    private var least = -Float.infinity

    init(_ k: Int) { self.k = k }

    mutating func add(_ neighbour: Neighbour) {
        if neighbour.cosine < least { return }
        kept.append(neighbour)
        if kept.count >= 2 * k + 64 {
            prune()
            least = kept[k - 1].cosine
        }
    }

    private mutating func prune() {
        kept.sort { $0.cosine == $1.cosine ? $0.feature < $1.feature : $0.cosine > $1.cosine }
        kept.removeSubrange(min(k, kept.count)...)
    }

    mutating func sorted() -> [Neighbour] {
        prune()
        return kept
    }
}

/// What all eight bits say of some rows: estimates of their cosines, how far off they may be, their vectors' checksums.
private struct FineBounds {
    let estimates: Storage<Float>, errors: Storage<Float>, sums: Storage<UInt32>

    init(_ rows: UnsafeBufferPointer<UInt32>, _ index: VectorIndex, _ level: Int32, _ query: code_query, _ products: UnsafePointer<Int32>, _ cost: inout SearchCost) throws {
        (estimates, errors, sums) = (Storage(rows.count), Storage(rows.count), Storage(rows.count))
        try index.withLowHalves(of: rows) { low, isGathered in
            withUnsafePointer(to: query) { kernel_code_refine(level, $0, low, isGathered ? 1 : 0, rows.baseAddress, rows.count, products, estimates.base, errors.base, sums.base) }
        }
        cost.bytesTouched += rows.count * index.layout.rowBytes
    }
}

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int { Swift.min(Swift.max(self, range.lowerBound), range.upperBound) }
}
