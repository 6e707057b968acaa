import FeatureCatalogue
import LinearAlgebra

/// Measures the families of a lineage whose edges are there, and completes it.
struct FamilyStage {
    let lineage: Lineage
    let evidence: LineageSources
    let catalogue: Catalogue
    let threads: Int

    /// Products of two children held at once, over all families of a group: 512 MB. Each group reads all postings once.
    static let productsAtOnce = 1 << 26

    func run(now: () -> String, report: (Int) throws -> Void) throws {
        let children = try catalogue.families(of: lineage), keeps = try catalogue.keeps(of: lineage), statistics = try catalogue.statistics(of: evidence.coarse)
        var first = lineage.familiesDone
        while first < lineage.coarse.features {
            var families: [Family] = [], products = 0, end = first
            while end < lineage.coarse.features {
                let fitted = evidence.hasActivations ? fitted(children[end] ?? []) : []
                guard end == first || products + fitted.count * fitted.count <= FamilyStage.productsAtOnce else { break }
                products += fitted.count * fitted.count
                families.append(Family(parent: end, children: fitted))
                end += 1
            }
            if evidence.hasActivations { try measure(families.filter { !$0.children.isEmpty }) }
            try catalogue.store(families.map { described($0, children[$0.parent] ?? [], statistics[$0.parent].firings, keeps[$0.parent] ?? 0) }, from: first, to: end, of: lineage, at: now())
            first = end
            try report(end)
        }
    }

    private func fitted(_ children: [(child: Int, together: Int)]) -> [Int] {
        guard children.count > Family.fittedMaximum else { return children.map(\.child) }
        return children.sorted { ($1.together, $0.child) < ($0.together, $1.child) }.prefix(Family.fittedMaximum).map(\.child).sorted()
    }

    private func measure(_ families: [Family]) throws {
        guard let first = families.first, let last = families.last else { return }
        let coarse = try catalogue.segments(of: evidence.coarse), pool = Pool { Family.Workspace() }
        var known: [Int: IndexedSlice] = [:]
        for segment in try catalogue.segments(of: evidence.fine) {
            let overlapping = coarse.filter { $0.firstPosition < segment.firstPosition + segment.tokens && segment.firstPosition < $0.firstPosition + $0.tokens }
            known = known.filter { id, _ in overlapping.contains { $0.id == id } }
            for part in overlapping where known[part.id] == nil {
                known[part.id] = IndexedSlice(try catalogue.postings(of: first.parent..<last.parent + 1, in: part), features: lineage.coarse.features)
            }
            let parts = overlapping.map { known[$0.id]! }, fine = IndexedSlice(try catalogue.postings(of: 0..<lineage.fine.features, in: segment), features: lineage.fine.features)
            do {
                try forEachInParallel(families.count, threads: threads) { place in try pool.with { try families[place].add(parts, fine, $0) } }
            } catch let damage as DamagedPosting { throw catalogue.damaged(damage.feature, in: damage.segment) }
        }
    }

    private func described(_ family: Family, _ children: [(child: Int, together: Int)], _ firings: Int, _ keep: Double) -> MeasuredFamily {
        let isMeasured = evidence.hasActivations && firings > 0
        let union = isMeasured ? Double(family.united) / Double(firings) : nil, fit = isMeasured ? family.fit : nil
        var kind: LineageNode.Kind?
        if firings < LineageRule.firingsMinimum {
            kind = .noise
        } else if evidence.hasActivations, LineageRule.hasVanished(firings: firings, keep: keep, union: union) {
            kind = .vanished
        }
        return MeasuredFamily(
            feature: family.parent, kind: kind, children: children.count, unionCoverage: union, explained: fit?.explained,
            members: fit.map { fit in zip(family.children, zip(fit.weights, fit.shares)).map { MeasuredFamily.Member(child: $0, weight: $1.0, share: $1.1) } } ?? [])
    }
}
