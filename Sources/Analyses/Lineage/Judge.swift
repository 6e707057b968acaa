import FeatureCatalogue
import Kernels
import LinearAlgebra
import Numerics

/// Judges fine features by what they have in common with every coarse one.
final class Judge: @unchecked Sendable {
    private let lineage: Lineage
    private let evidence: LineageSources
    private let catalogue: Catalogue
    private let threads: Int
    /// `nil` without evidence of activations.
    private let coarse: CoarseFirings?
    /// The coarse features that are not noise, ascending; of each and of every fine feature, its firings and mean when active.
    private let parents, parentFirings, fineFirings: [Int]
    private let parentMeans, fineMeans: [Double]
    /// Of all fine features with the parents; `nil` without decoder evidence.
    private let decoders: DecoderCosines?
    /// Pairs of parents, one of which lies within the other: the places of both in one number.
    private let nested: Set<UInt64>
    private let pool: Pool<Cofirings.Workspace>

    init(_ lineage: Lineage, _ evidence: LineageSources, _ catalogue: Catalogue, threads: Int) throws {
        (self.lineage, self.evidence, self.catalogue, self.threads) = (lineage, evidence, catalogue, threads)
        let statistics = try catalogue.statistics(of: evidence.coarse), fine = try catalogue.statistics(of: evidence.fine)
        let coarse = evidence.hasActivations ? try CoarseFirings(of: evidence.coarse, in: catalogue, threads: threads) : nil
        let parents = statistics.indices.filter { statistics[$0].firings >= LineageRule.firingsMinimum }
        (self.coarse, self.parents) = (coarse, parents)
        parentFirings = parents.map { statistics[$0].firings }
        parentMeans = parents.map { statistics[$0].sum / Double(statistics[$0].firings) }
        fineFirings = fine.map(\.firings)
        fineMeans = fine.map { $0.sum / Double(max(1, $0.firings)) }
        decoders = evidence.hasDecoders
            ? try DecoderCosines(of: catalogue.decoderRows(of: lineage.coarse, parents), with: catalogue.decoderRows(of: lineage.fine, nil), threads: threads) : nil
        let pool = Pool { Cofirings.Workspace(parents: parents.count) }
        self.pool = pool
        nested = try coarse.map { try Judge.nestedPairs(of: $0, evidence.coarse, catalogue, pool, threads) } ?? []
    }

    /// Fine features to judge at once.
    var featuresAtOnce: Int { decoders?.rowsAtOnce ?? 1024 * threads }

    func judge(_ features: Range<Int>) throws -> [JudgedFeature] {
        nonisolated(unsafe) let cosines = try decoders?.block(features)
        let cofirings = try coarse.map { try Cofirings(of: features, in: evidence.fine, $0, catalogue) }
        let judged = Slots<JudgedFeature>(features.count)
        let chunk = 16
        do {
            try forEachInParallel((features.count + chunk - 1) / chunk, threads: threads) { part in
                try pool.with { work in
                    for place in part * chunk..<min(features.count, (part + 1) * chunk) {
                        judged[place] = try judge(features.lowerBound + place, cosines.map { $0 + place * parents.count }, cofirings, work)
                    }
                }
            }
        } catch let damage as DamagedPosting { throw catalogue.damaged(damage.feature, in: damage.segment) }
        return features.indices.map { judged[$0 - features.lowerBound]! }
    }

    private func judge(_ feature: Int, _ cosines: UnsafePointer<Float>?, _ cofirings: Cofirings?, _ work: Cofirings.Workspace) throws -> JudgedFeature {
        let firings = fineFirings[feature]
        guard firings >= LineageRule.firingsMinimum, !parents.isEmpty else {
            return JudgedFeature(feature: feature, verdict: LineageRule.Verdict(edges: [], kind: firings < LineageRule.firingsMinimum ? .noise : .novel), bestCoverage: nil, bestCosine: nil)
        }
        var bestCosine: Float = 0
        var near: [UInt32] = []
        if let cosines, let decoders {
            let scan = decoders.scan(cosines, threshold: Float(LineageRule.cosineCarried), work.found.baseAddress!)
            (near, bestCosine) = (Array(scan.found), scan.greatest)
        }
        func cosine(_ parent: Int) -> Double? { cosines.map { Double(min(1, max(-1, $0[parent]))) } }
        guard let cofirings, let coarse else {
            let candidates = near.map { LineageRule.Parent(feature: parents[Int($0)], evidence: decoderEvidence(Int($0), feature, cosine(Int($0))!)) }
            let verdict = LineageRule.judge(childFirings: firings, parents: candidates, bestCoverage: nil, bestCosine: Double(bestCosine), isNested: { _, _ in false }, joint: { _, _ in 0 })
            return JudgedFeature(feature: feature, verdict: verdict, bestCoverage: nil, bestCosine: Double(bestCosine))
        }
        let child = try cofirings.child(feature, wanted: near[...], floor: Judge.floor, work)
        guard child.firings == firings else { throw catalogue.contradicted(feature, in: evidence.fine) }
        var places: [Int] = [], candidates: [LineageRule.Parent] = []
        for pair in child.pairs {
            let evidence = Judge.evidence(pair, child, coarse, cosine: cosine(pair.parent), containment: cosine(pair.parent).map { $0 * fineMeans[feature] / parentMeans[pair.parent] })
            guard LineageRule.tier(evidence) != nil || LineageRule.couldMerge(evidence) else { continue }
            places.append(pair.parent)
            candidates.append(LineageRule.Parent(feature: parents[pair.parent], evidence: evidence))
        }
        let verdict = try judge(feature, child.sum, candidates, places, child.bestCoverage, cosines == nil ? nil : Double(bestCosine), cofirings, work)
        return JudgedFeature(feature: feature, verdict: verdict, bestCoverage: child.bestCoverage, bestCosine: cosines == nil ? nil : Double(bestCosine))
    }

    /// - Parameter places: of the candidates among the parents.
    private func judge(
        _ feature: Int, _ childMass: Double, _ candidates: [LineageRule.Parent], _ places: [Int], _ bestCoverage: Double, _ bestCosine: Double?, _ cofirings: Cofirings, _ work: Cofirings.Workspace
    ) throws -> LineageRule.Verdict {
        // Only parents that a merge may be made of are counted two by two: the 64 that fire most with the child.
        let merging = candidates.indices.filter { LineageRule.mayMerge(candidates[$0].evidence) }
            .sorted { (candidates[$1].evidence.together!, $0) < (candidates[$0].evidence.together!, $1) }.prefix(64)
        let joint = merging.count > 1 ? try cofirings.joint(feature, merging.map { places[$0] }, work) : []
        var slots = [Int](repeating: -1, count: candidates.count)
        for (slot, candidate) in merging.enumerated() { slots[candidate] = slot }
        return LineageRule.judge(
            childFirings: fineFirings[feature], parents: candidates, bestCoverage: bestCoverage, bestCosine: bestCosine,
            isNested: { nested.contains(Judge.key(places[$0], places[$1])) },
            joint: { a, b in slots[a] < 0 || slots[b] < 0 || joint.isEmpty ? 0 : joint[slots[a] * merging.count + slots[b]] / childMass })
    }

    private func decoderEvidence(_ parent: Int, _ feature: Int, _ cosine: Double) -> LineageEvidence {
        LineageEvidence(parentFirings: parentFirings[parent], childFirings: fineFirings[feature], decoderCosine: cosine, containment: cosine * fineMeans[feature] / parentMeans[parent])
    }

    /// What a pair must have in common to be looked at: an edge of any tier and a part in a merge have at least this.
    private static let floor = kernel_cofire_floor(
        together: Double(LineageRule.togetherMinimum), coverage: LineageRule.shareOr.lowerBound, masked_cosine2: LineageRule.maskedCosineCandidate * LineageRule.maskedCosineCandidate)

    private static func evidence(_ pair: Cofirings.Pair, _ child: Cofirings.Child, _ coarse: CoarseFirings, cosine: Double?, containment: Double?) -> LineageEvidence {
        let sums = pair.sums, p = pair.parent, n = Double(coarse.tokens)
        let denominator = min(coarse.squares[p] * sums.child_squares, sums.parent_squares * child.squares).squareRoot()
        let (parentMean, childMean) = (coarse.sums[p] / n, child.sum / n)
        let spread = ((coarse.squares[p] / n - parentMean * parentMean) * (child.squares / n - childMean * childMean)).squareRoot()
        return LineageEvidence(
            parentFirings: coarse.firings[p], childFirings: child.firings, tokens: coarse.tokens, together: Int(sums.together), massCoverage: child.sum > 0 ? sums.child_sum / child.sum : 0,
            massKeep: coarse.sums[p] > 0 ? sums.parent_sum / coarse.sums[p] : 0, effectiveFirings: child.squares > 0 ? child.sum * child.sum / child.squares : 0,
            maskedCosine: denominator > 0 ? sums.product / denominator : 0, activationCorrelation: spread > 0 ? (sums.product / n - parentMean * childMean) / spread : 0,
            decoderCosine: cosine, containment: containment)
    }

    private static func key(_ a: Int, _ b: Int) -> UInt64 { UInt64(min(a, b)) << 32 | UInt64(max(a, b)) }

    /// Which parents lie within others: the same product, of the coarse version with itself.
    private static func nestedPairs(of coarse: CoarseFirings, _ run: Run, _ catalogue: Catalogue, _ pool: Pool<Cofirings.Workspace>, _ threads: Int) throws -> Set<UInt64> {
        var nested: Set<UInt64> = []
        let floor = kernel_cofire_floor(together: Double(LineageRule.togetherMinimum), coverage: LineageRule.nested, masked_cosine2: 4)
        for start in stride(from: 0, to: coarse.parents.count, by: 4096) {
            let group = start..<min(coarse.parents.count, start + 4096)
            let cofirings = try Cofirings(of: coarse.parents[group.lowerBound]..<coarse.parents[group.upperBound - 1] + 1, in: run, coarse, catalogue)
            let found = Slots<[UInt64]>(group.count)
            do {
                try forEachInParallel(group.count, threads: threads) { place in
                    found[place] = try pool.with { work in
                        try cofirings.child(coarse.parents[start + place], wanted: [], floor: floor, work).pairs.filter { $0.parent != start + place }.map { key(start + place, $0.parent) }
                    }
                }
            } catch let damage as DamagedPosting { throw catalogue.damaged(damage.feature, in: damage.segment) }
            for place in 0..<group.count { nested.formUnion(found[place]!) }
        }
        return nested
    }
}

extension Catalogue {
    /// Unit decoder rows of some features, or of all: (features × width).
    func decoderRows(of dictionary: FeatureDictionary, _ features: [Int]?) throws -> Matrix {
        let rows = Matrix(uninitializedRows: features?.count ?? dictionary.features, columns: dictionary.width)
        var next = 0
        try forEachDecoderBlock(of: dictionary) { first, floats in
            let end = first + floats.count / dictionary.width
            while next < rows.rows, case let feature = features?[next] ?? next, feature < end {
                (rows.base + next * dictionary.width).update(from: floats.baseAddress! + (feature - first) * dictionary.width, count: dictionary.width)
                next += 1
            }
        }
        return rows
    }
}
