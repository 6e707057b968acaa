import Diagnostics
import Formats
import Kernels
import SQLite

/// A feature found by its direction.
public struct Neighbour: Sendable, Equatable {
    public let feature: Int
    /// Of the query with the unit decoder row.
    public let cosine: Float
}

/// What a search looked at.
public struct SearchCost: Sendable, Equatable {
    /// Codes whose bounds were computed; with a subset, only those of its features count.
    public var codesScanned = 0
    /// Features that the coarse codes could not rule out.
    public var candidates = 0
    /// Features whose float32 vectors were read and multiplied.
    public var reranked = 0
    /// Bytes of codes and vectors that were read.
    public var bytesTouched = 0

    public init() {}
}

/// Some features of a dictionary, by index.
public struct FeatureSubset: Sendable, Equatable {
    private var words: [UInt64]
    /// How many there are.
    public private(set) var count = 0

    /// - Parameter features: how many the dictionary has; an index of that or more is never in the subset.
    public init(of features: Int) { words = [UInt64](repeating: 0, count: (features + 63) / 64) }

    public mutating func insert(_ index: Int) {
        guard index >= 0, index / 64 < words.count else { return }
        let bit: UInt64 = 1 << UInt64(index % 64)
        if words[index / 64] & bit == 0 { count += 1 }
        words[index / 64] |= bit
    }

    public func contains(_ index: Int) -> Bool { index >= 0 && index / 64 < words.count && words[index / 64] >> UInt64(index % 64) & 1 == 1 }
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
    public func nearest(to query: [Float], in dictionary: FeatureDictionary, k: Int, excluding: Int?, among subset: FeatureSubset?, cost: inout SearchCost) throws -> [Neighbour] {
        guard query.count == dictionary.width else {
            throw MonosemeError("the query vector has \(query.count) numbers; the decoder vectors of \(dictionary.name) have \(dictionary.width)", hint: "give a vector in the space of \(dictionary.hook)")
        }
        guard query.allSatisfy(\.isFinite) else { throw MonosemeError("the query vector holds a NaN or an infinity") }
        let length = query.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        guard length > 0 else { throw MonosemeError("the query vector is zero: it points nowhere", hint: "a feature whose decoder row is zero has no neighbours") }
        let unit = query.map { Float(Double($0) / length) }
        guard k > 0 else { return [] }
        let norms = try zeroRows(of: dictionary)
        var best: [Neighbour] = []
        let limit = min(k, dictionary.features)
        best.reserveCapacity(limit + 1)
        try forEachDecoderBlock(of: dictionary) { first, rows in
            for row in 0..<rows.count / max(1, dictionary.width) {
                let index = first + row
                if let subset, !subset.contains(index) { continue }
                cost.reranked += 1
                cost.bytesTouched += 4 * dictionary.width
                let cosine = kernel_dot(unit, rows.baseAddress! + row * dictionary.width, dictionary.width)
                if best.count == limit, cosine <= best[limit - 1].cosine { continue }
                if index == excluding || norms.contains(index) { continue }
                // Kept sorted; features come in ascending order, so an equal cosine goes behind.
                var low = 0, high = best.count
                while low < high {
                    let middle = (low + high) / 2
                    if best[middle].cosine >= cosine { low = middle + 1 } else { high = middle }
                }
                best.insert(Neighbour(feature: index, cosine: cosine), at: low)
                if best.count > limit { best.removeLast() }
            }
        }
        return best
    }

    private func zeroRows(of dictionary: FeatureDictionary) throws -> Set<Int> {
        Set(try connection.rows("SELECT feature_index FROM feature WHERE id >= ? AND id < ? AND decoder_norm = 0",
                                .init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))) { $0.integer(0) })
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
