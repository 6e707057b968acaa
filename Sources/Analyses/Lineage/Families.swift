import FeatureCatalogue
import LinearAlgebra

/// A coarse feature and its children: how much of it they carry on.
struct Family {
    let parent: PostingList
    /// Positions ascending in each.
    let children: [PostingList]

    /// Children in the least squares, at most: those that fire most often with the parent.
    static let fittedMaximum = 1024

    struct Measure {
        /// Of the parent's firings, those on which a child fires.
        let union: Double
        let fit: NonNegativeLeastSquares
    }

    /// - Parameter places: one a token of the corpus, all −1, and so again afterwards.
    func measure(_ places: UnsafeMutableBufferPointer<Int32>) -> Measure {
        for (place, position) in parent.positions.enumerated() where places.indices.contains(position) { places[position] = Int32(place) }
        defer { for position in parent.positions where places.indices.contains(position) { places[position] = -1 } }
        // The children's firings within the parent's, gathered by the parent's.
        var starts = [Int](repeating: 0, count: parent.count + 1)
        forEachShared(places) { place, _, _ in starts[place + 1] += 1 }
        let union = starts.count { $0 > 0 }
        for place in 0..<parent.count { starts[place + 1] += starts[place] }
        var cursors = starts
        let total = starts[parent.count], n = children.count
        var members = [Int32](repeating: 0, count: total), values = [Float](repeating: 0, count: total)
        forEachShared(places) { place, child, value in
            members[cursors[place]] = Int32(child)
            values[cursors[place]] = value
            cursors[place] += 1
        }
        var gram = [Double](repeating: 0, count: n * n), products = [Double](repeating: 0, count: n)
        var squares = 0.0
        gram.withUnsafeMutableBufferPointer { gram in
            for place in 0..<parent.count {
                let own = Double(parent.values[place]), range = starts[place]..<starts[place + 1]
                squares += own * own
                for a in range {
                    let row = Int(members[a]), value = Double(values[a])
                    products[row] += value * own
                    for b in range { gram[row * n + Int(members[b])] += value * Double(values[b]) }
                }
            }
        }
        return Measure(union: parent.isEmpty ? 0 : Double(union) / Double(parent.count), fit: NonNegativeLeastSquares(gram: gram, products: products, squares: squares))
    }

    private func forEachShared(_ places: UnsafeMutableBufferPointer<Int32>, _ body: (Int, Int, Float) -> Void) {
        for (child, list) in children.enumerated() {
            for at in list.positions.indices where places.indices.contains(list.positions[at]) && places[list.positions[at]] >= 0 {
                body(Int(places[list.positions[at]]), child, list.values[at])
            }
        }
    }
}

/// One a token, for `Family.measure`.
final class TokenPlaces: @unchecked Sendable {
    let places: UnsafeMutableBufferPointer<Int32>

    init(tokens: Int) {
        places = .allocate(capacity: max(1, tokens))
        places.initialize(repeating: -1)
    }

    deinit { places.deallocate() }
}

/// Measures the families of a lineage whose edges are there, and completes it.
struct FamilyStage {
    let lineage: Lineage
    let evidence: LineageSources
    let catalogue: Catalogue
    let threads: Int

    /// Firings read before they are measured and stored: 12 bytes each.
    static let firingsAtOnce = 1 << 24

    func run(now: () -> String, report: (Int) throws -> Void) throws {
        let children = try catalogue.families(of: lineage), statistics = try catalogue.statistics(of: evidence.coarse)
        let fine = try catalogue.statistics(of: evidence.fine)
        let pool = Pool { [tokens = evidence.coarse.tokens, hasActivations = evidence.hasActivations] in TokenPlaces(tokens: hasActivations ? tokens : 0) }
        var first = lineage.familiesDone
        while first < lineage.coarse.features {
            var waiting: [(members: [Int], family: Family)] = [], firings = 0, end = first
            while end < lineage.coarse.features, end == first || firings < FamilyStage.firingsAtOnce {
                let members = evidence.hasActivations ? (children[end] ?? []).sorted { ($1.together, $0.child) < ($0.together, $1.child) }.prefix(Family.fittedMaximum).map(\.child).sorted() : []
                firings += members.reduce(statistics[end].firings) { $0 + fine[$1].firings }
                waiting.append((members, members.isEmpty ? Family(parent: PostingList(), children: []) : Family(
                    parent: try catalogue.firings(of: end, in: evidence.coarse), children: try members.map { try catalogue.firings(of: $0, in: evidence.fine) })))
                end += 1
            }
            let measures = Slots<Family.Measure>(waiting.count), families = waiting
            try forEachInParallel(waiting.count, threads: threads) { place in
                guard !families[place].members.isEmpty else { return }
                measures[place] = pool.with { families[place].family.measure($0.places) }
            }
            try catalogue.store(waiting.indices.map { place in
                let feature = first + place, known = children[feature] ?? [], measure = measures[place]
                return MeasuredFamily(
                    feature: feature, kind: kind(statistics[feature].firings, known.compactMap(\.keep), measure?.union), children: known.count,
                    unionCoverage: evidence.hasActivations && statistics[feature].firings > 0 ? measure?.union ?? 0 : nil,
                    explained: evidence.hasActivations && statistics[feature].firings > 0 ? measure?.fit.explained ?? 0 : nil,
                    members: measure.map { zip(waiting[place].members, zip($0.fit.weights, $0.fit.shares)).map { MeasuredFamily.Member(child: $0, weight: $1.0, share: $1.1) } } ?? [])
            }, from: first, to: end, of: lineage, at: now())
            first = end
            try report(end)
        }
    }

    private func kind(_ firings: Int, _ keeps: [Double], _ union: Double?) -> LineageNode.Kind? {
        if firings < LineageRule.firingsMinimum { return .noise }
        return evidence.hasActivations && LineageRule.hasVanished(firings: firings, keeps: keeps, union: union) ? .vanished : nil
    }
}
