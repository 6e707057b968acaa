import Glibc

/// The thresholds by which a fine feature's place under the coarse ones is judged, and how sure that is.
///
/// An *edge* says that the coarse feature's meaning holds the fine one's: that it is the same node of the hierarchy or one above. How well these rules
/// do, and where their numbers come from, is in Fixtures/README.md, "Lineage".
public enum LineageRule {
    /// Changed with any number here or in `LineageConfidence`: lineages of other versions are built anew.
    public static let version = 3

    /// Features that fire less often are noise; pairs that fire together less often have no evidence of activations. Without this floor one
    /// coincidence of two rare features makes an edge.
    public static let firingsMinimum = 30
    public static let togetherMinimum = 5
    /// All of what follows is by mass, each firing weighed by its activation, where not said otherwise.
    ///
    /// What coverage must have above chance, of what chance leaves: a parent that fires on half of all tokens covers half of everything.
    static let excessMinimum = 0.35
    static let coverageAsserted = 0.9
    static let coverageLowLikely = 0.5
    /// Above candidate, decoders must agree: a dense parent fires weakly on much that it does not stand for.
    static let cosineLikely = 0.45
    static let cosineAsserted = 0.5
    /// And the child must lie within the parent by so much more than the parent within the child; otherwise it may well be the child that is the wider.
    /// Two that rise and fall together are the same, and need not.
    static let leadLikely = 0.2
    static let correlationSame = 0.7
    static let coverageSame = 0.7
    static let keepSame = 0.7
    /// And the decoder rows, where they can be compared, must not say otherwise: in a dictionary where many features fire on every token, a rare
    /// child lies within several coarse features that happen to be on together.
    static let cosineFloor = 0.25
    /// Decoder evidence by itself: the child carries the parent's direction, with its strength. So do many siblings.
    public static let cosineCarried = 0.6
    static let containmentCarried = 0.75
    /// And the parent keeps no more than this: it is silent where the child fires, and does not lie within it.
    static let keepCarried = 0.3
    /// Towards Monosemanticity draws an edge from here on.
    public static let maskedCosineCandidate = 0.4
    /// The same where decoder vectors are all there is.
    static let cosineCandidate = 0.7
    /// merge-and: the part of the child's firings on which both parents fire. Parents one of which lies within the other to this part do not count.
    static let jointAnd = 0.5
    public static let nested = 0.7
    /// merge-or: what the parents cover together, each at least and at most alone, how much of each the child keeps, and how much they may overlap.
    static let unionOr = 0.8
    public static let shareOr = 0.2 ... 0.8
    static let keepOr = 0.5
    static let jointOr = 0.2
    /// novel: no parent covers as much or points as nearly the same way.
    static let coverageNovel = 0.3
    static let cosineNovel = 0.5
    /// vanished: no child keeps as much, and all together less than this.
    static let keepVanished = 0.1
    static let unionVanished = 0.5

    /// Whether tokens in common say anything.
    public static func hasActivations(_ evidence: LineageEvidence) -> Bool {
        (evidence.decoderCosine ?? 1) >= cosineFloor && min(evidence.parentFirings, evidence.childFirings) >= firingsMinimum && (evidence.together ?? 0) >= togetherMinimum && (evidence.excessCoverage ?? 0) >= excessMinimum
    }

    private static func isCarried(_ evidence: LineageEvidence) -> Bool {
        guard let cosine = evidence.decoderCosine, let containment = evidence.containment else { return false }
        return min(evidence.parentFirings, evidence.childFirings) >= firingsMinimum && cosine >= cosineCarried && containment >= containmentCarried && (evidence.massKeep ?? 0) <= keepCarried
    }

    /// Whether it is the child that lies within the parent.
    private static func isWithin(_ evidence: LineageEvidence) -> Bool {
        guard let coverage = evidence.massCoverage, let keep = evidence.massKeep, (evidence.massCoverageLow ?? 0) >= coverageLowLikely else { return false }
        return coverage >= keep + leadLikely || (evidence.activationCorrelation ?? 0) >= correlationSame
    }

    /// `nil`: no edge. Without decoder evidence, an edge is one tier lower than its activations alone would put it.
    public static func tier(_ evidence: LineageEvidence) -> LineageTier? {
        guard min(evidence.parentFirings, evidence.childFirings) >= firingsMinimum else { return nil }
        guard evidence.tokens != nil else {
            guard let cosine = evidence.decoderCosine else { return nil }
            return isCarried(evidence) || cosine >= cosineCandidate ? .candidate : nil
        }
        guard hasActivations(evidence) else { return isCarried(evidence) ? .candidate : nil }
        guard isWithin(evidence) else {
            return isCarried(evidence) || (evidence.massCoverageLow ?? 0) >= coverageLowLikely || (evidence.maskedCosine ?? 0) >= maskedCosineCandidate ? .candidate : nil
        }
        let isAsserted = (evidence.massCoverage ?? 0) >= coverageAsserted
        guard let cosine = evidence.decoderCosine else { return isAsserted ? .likely : .candidate }
        guard cosine >= cosineLikely else { return .candidate }
        return isAsserted && cosine >= cosineAsserted ? .asserted : .likely
    }

    /// The kind of an edge as far as it can be told without the child's other parents.
    static func kind(_ evidence: LineageEvidence) -> LineageKind {
        guard hasActivations(evidence), let coverage = evidence.massCoverage, let keep = evidence.massKeep else { return evidence.tokens != nil && isCarried(evidence) ? .absorbed : .overlap }
        if coverage >= coverageSame, keep >= keepSame { return .same }
        if keep < keepSame, evidence.massCoverageLow! >= coverageLowLikely || coverage >= coverageLowLikely && isCarried(evidence) { return .split }
        return coverage < coverageLowLikely && isCarried(evidence) ? .absorbed : .overlap
    }

    /// One coarse feature as a child's possible parent.
    public struct Parent: Sendable {
        public let feature: Int
        public let evidence: LineageEvidence

        public init(feature: Int, evidence: LineageEvidence) { (self.feature, self.evidence) = (feature, evidence) }
    }

    /// What is said of one fine feature.
    public struct Verdict: Sendable {
        public struct Edge: Sendable {
            public let parent: Parent
            public let kind: LineageKind
            public let tier: LineageTier
        }

        public var edges: [Edge]
        public var kind: LineageNode.Kind?

        public init(edges: [Edge], kind: LineageNode.Kind?) { (self.edges, self.kind) = (edges, kind) }
    }

    /// Judges a fine feature.
    ///
    /// - Parameters:
    ///   - parents: every coarse feature that could have an edge by `tier` or take part in a merge (`couldMerge`).
    ///   - bestCoverage, bestCosine: of all coarse features that are not noise.
    ///   - isNested: whether one of two coarse features (by their places in `parents`) lies within the other.
    ///   - joint: of the child's mass, the part on tokens where both parents fire.
    public static func judge(
        childFirings: Int, parents: [Parent], bestCoverage: Double?, bestCosine: Double?, isNested: (Int, Int) -> Bool, joint: (Int, Int) -> Double
    ) -> Verdict {
        guard childFirings >= firingsMinimum else { return Verdict(edges: [], kind: .noise) }
        let tiers = parents.map { tier($0.evidence) }
        var kinds = parents.map { kind($0.evidence) }
        // A merge is of parents that are each likely at least: one that is not would make a riddle of the other's kind.
        let covering = parents.indices.filter { kinds[$0] != .same && (tiers[$0] ?? .candidate) > .candidate && hasActivations(parents[$0].evidence) && parents[$0].evidence.massCoverageLow! >= coverageLowLikely }
        var isMerged = Set<Int>()
        for (at, a) in covering.enumerated() {
            for b in covering[(at + 1)...] where !isNested(a, b) && joint(a, b) >= jointAnd { isMerged.formUnion([a, b]) }
        }
        for place in isMerged { kinds[place] = .mergeAnd }
        let united = union(parents, excluding: isMerged, kinds, joint)
        for place in united { kinds[place] = .mergeOr }
        var edges: [Verdict.Edge] = []
        for place in parents.indices {
            guard let tier = tiers[place] ?? (united.contains(place) ? .candidate : nil) else { continue }
            edges.append(Verdict.Edge(parent: parents[place], kind: kinds[place], tier: tier))
        }
        let isNovel = !edges.contains { $0.tier > .candidate || $0.kind == .mergeOr } && (bestCoverage ?? 0) < coverageNovel && (bestCosine ?? 0) < cosineNovel
        // Without activations a low cosine is all that is known, and without vectors a low coverage.
        return Verdict(edges: edges, kind: isNovel ? .novel : nil)
    }

    /// Whether a pair could take part in a merge-or, though it be no edge by itself.
    public static func couldMerge(_ evidence: LineageEvidence) -> Bool {
        guard min(evidence.parentFirings, evidence.childFirings) >= firingsMinimum, (evidence.together ?? 0) >= togetherMinimum, let coverage = evidence.massCoverage, let keep = evidence.massKeep else { return false }
        return shareOr.contains(coverage) && keep >= keepOr
    }

    /// Whether a pair must be counted together with other parents: it could be part of either merge.
    public static func mayMerge(_ evidence: LineageEvidence) -> Bool {
        couldMerge(evidence) || hasActivations(evidence) && evidence.massCoverageLow! >= coverageLowLikely
    }

    /// The parents whose union the child is: the largest first, each that overlaps little with those before.
    private static func union(_ parents: [Parent], excluding: Set<Int>, _ kinds: [LineageKind], _ joint: (Int, Int) -> Double) -> Set<Int> {
        let able = parents.indices.filter { !excluding.contains($0) && kinds[$0] != .same && couldMerge(parents[$0].evidence) }
            .sorted { (parents[$0].evidence.together!, parents[$1].feature) > (parents[$1].evidence.together!, parents[$0].feature) }
        var chosen: [Int] = [], covered = 0.0
        for place in able {
            let overlap = chosen.reduce(0.0) { $0 + joint($1, place) }
            guard overlap < jointOr else { continue }
            chosen.append(place)
            covered += parents[place].evidence.massCoverage! - overlap
        }
        return chosen.count >= 2 && covered >= unionOr ? Set(chosen) : []
    }

    /// Whether a coarse feature has gone.
    /// - Parameters:
    ///   - keep: the most that any child keeps of it, of whatever tier: what may be carried on has not gone.
    ///   - union: of its firings, those on which a child above candidate fires.
    public static func hasVanished(firings: Int, keep: Double, union: Double?) -> Bool {
        firings >= firingsMinimum && keep < keepVanished && (union ?? 0) < unionVanished
    }
}
