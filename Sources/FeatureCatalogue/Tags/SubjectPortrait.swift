import SQLite

/// Firings of one strength: of the activations, those nearest to one of eleven centres, and how many are on marked tokens.
public struct SubjectInterval: Sendable, Equatable {
    public let centre: Float
    public let firings: Int
    public let firingsMarked: Int

    /// P(c | f in the interval); `nil` where the feature does not fire in it.
    public var specificity: Double? { firings > 0 ? Double(firingsMarked) / Double(firings) : nil }
}

/// Where a feature and a mark disagree.
public struct SubjectDisagreements: Sendable, Equatable {
    /// Firings on tokens that are not marked, and the strongest of them, ties by position.
    public let firingsUnmarked: Int
    public let strongestUnmarked: [(position: Int, activation: Float)]
    /// Marked tokens on which the feature is silent, and some of them, evenly spread.
    public let holes: Int
    public let someHoles: [Int]
    /// Which other features fire in the holes, most often first.
    public let othersInHoles: [FiringCount]

    public static func == (a: SubjectDisagreements, b: SubjectDisagreements) -> Bool {
        a.firingsUnmarked == b.firingsUnmarked && a.holes == b.holes && a.someHoles == b.someHoles && a.othersInHoles == b.othersInHoles
            && a.strongestUnmarked.elementsEqual(b.strongestUnmarked, by: ==)
    }
}

extension PostingList {
    /// Of how many of the firings of each strength the token is marked; eleven intervals, evenly spaced from 0 to the maximum (Towards
    /// Monosemanticity, appendix "Feature density and interpretability").
    public func intervals(against marks: PositionSet) -> [SubjectInterval] {
        guard let maximum = values.max() else { return [] }
        var firings = [Int](repeating: 0, count: activationIntervals), marked = firings
        for (position, value) in zip(positions, values) {
            let interval = activationInterval(of: value, maximum: maximum)
            firings[interval] += 1
            marked[interval] += marks.contains(position) ? 1 : 0
        }
        return firings.indices.map { SubjectInterval(centre: intervalCentre($0, maximum: maximum), firings: firings[$0], firingsMarked: marked[$0]) }
    }
}

extension Catalogue {
    /// Where a feature fires and the tokens are not marked, and the other way round.
    /// - Parameter limit: at most so many rows of each kind.
    /// - Throws: where the run kept only the strongest firings.
    public func disagreements(of feature: Int, with marks: PositionSet, in run: Run, limit: Int) throws -> SubjectDisagreements {
        try demandEveryFiring(of: run)
        let firings = try firings(of: feature, in: run)
        let unmarked = firings.positions.indices.filter { !marks.contains(firings.positions[$0]) }
        let strongest = unmarked.sorted { firings.values[$0] != firings.values[$1] ? firings.values[$0] > firings.values[$1] : $0 < $1 }.prefix(limit)
        var holes = marks
        holes.subtract(PositionSet(firings.positions, length: marks.length))
        holes.removeAll(from: run.tokens)
        let count = holes.count, rows = min(limit, count)
        // The middle ones of as many equal parts.
        var wanted = (0..<rows).map { (2 * $0 + 1) * count / (2 * rows) }[...], some: [Int] = [], place = 0
        holes.forEach(in: 0..<holes.length) { position in
            if place == wanted.first { some.append(position); wanted.removeFirst() }
            place += 1
        }
        return SubjectDisagreements(firingsUnmarked: unmarked.count, strongestUnmarked: strongest.map { (firings.positions[$0], firings.values[$0]) }, holes: count, someHoles: some,
                                    othersInHoles: count == 0 ? [] : try firingCounts(at: holes, in: run).filter { $0.feature != feature })
    }
}
