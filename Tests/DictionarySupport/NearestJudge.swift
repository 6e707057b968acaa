public import FeatureCatalogue
public import Numerics

/// What is nearest to one query, the best first, as an outside witness has it.
public struct ExpectedNeighbours: Sendable {
    public var features: [Int]
    public var cosines: [Double]

    public init(features: [Int], cosines: [Double]) { (self.features, self.cosines) = (features, cosines) }

    /// The same without the features in `gone`.
    public func without(_ gone: Set<Int>) -> ExpectedNeighbours {
        let places = features.indices.filter { !gone.contains(features[$0]) }
        return ExpectedNeighbours(features: places.map { features[$0] }, cosines: places.map { cosines[$0] })
    }
}

/// Holds answers of a search against those of a witness.
///
/// Two computations round differently, so features whose cosines differ by 1e-6 or less may stand in any order, and the last
/// places may go to any of them; but equal rows have equal cosines, and come by index.
public struct NearestJudge: ~Copyable {
    public let rows: Matrix // (features × width)
    /// For each feature those of the same row with lower indices.
    private var earlierTwins: [Int: [Int]] = [:]

    public init(_ rows: consuming Matrix) {
        self.rows = rows
        var seen: [[UInt32]: [Int]] = [:]
        for feature in 0..<self.rows.rows {
            let bits = (0..<self.rows.columns).map { self.rows.base[feature * self.rows.columns + $0].bitPattern }
            if let twins = seen[bits] { earlierTwins[feature] = twins }
            seen[bits, default: []].append(feature)
        }
    }

    /// The cosine of a unit row and a query, in double.
    public func cosine(_ feature: Int, _ query: [Float]) -> Double {
        var product = 0.0, squares = 0.0
        for axis in 0..<rows.columns {
            product += Double(rows.base[feature * rows.columns + axis]) * Double(query[axis])
            squares += Double(query[axis]) * Double(query[axis])
        }
        return product / squares.squareRoot()
    }

    /// What is wrong with an answer, or `nil`.
    ///
    /// - Parameter gone: features that were excluded from the search.
    public func fault(in found: [Neighbour], to query: [Float], k: Int, expected: ExpectedNeighbours, gone: Set<Int> = []) -> String? {
        guard found.count == min(k, expected.features.count) else { return "\(found.count) features, not \(min(k, expected.features.count))" }
        var before = Set<Int>()
        for (place, neighbour) in found.enumerated() {
            let feature = neighbour.feature, own = cosine(feature, query)
            if gone.contains(feature) { return "place \(place): the excluded feature \(feature)" }
            if abs(own - expected.cosines[place]) > 1e-6 { return "place \(place): \(feature) at \(own), not \(expected.features[place]) at \(expected.cosines[place])" }
            if abs(own - Double(neighbour.cosine)) > 1e-6 { return "place \(place): \(feature) has the cosine \(own), not \(neighbour.cosine)" }
            if place > 0, neighbour.cosine > found[place - 1].cosine { return "place \(place): a greater cosine than before" }
            if let twin = earlierTwins[feature]?.first(where: { !gone.contains($0) && !before.contains($0) }) { return "place \(place): \(feature) comes before \(twin), which has the same row" }
            if !before.insert(feature).inserted { return "place \(place): \(feature) a second time" }
        }
        return nil
    }
}
