import Testing
@testable import FeatureCatalogue

/// Where kinds and tiers flip, to the last digit. The numbers are Fixtures/README.md's, "Lineage".
///
/// Red when a `>=` of `LineageRule` becomes `>`, or any of its numbers changes.
@Suite struct LineageRuleTests {
    /// A child that lies well within its parent and points the same way.
    static func evidence(_ change: (inout LineageEvidence) -> Void = { _ in }) -> LineageEvidence {
        var evidence = LineageEvidence(
            parentFirings: 10_000, childFirings: 10_000, tokens: 1_000_000, together: 9000, massCoverage: 0.9, massKeep: 0.3, effectiveFirings: 1e9, maskedCosine: 0.9, activationCorrelation: 0.5,
            decoderCosine: 0.9, containment: 1)
        change(&evidence)
        return evidence
    }

    struct Flip: Sendable, CustomTestStringConvertible {
        let name: String
        let below, at: LineageEvidence
        /// Kind and tier, or nothing.
        let saysBelow, saysAt: String
        var testDescription: String { name }

        init(_ name: String, _ below: Double, _ at: Double, _ saysBelow: String, _ saysAt: String, _ change: (inout LineageEvidence, Double) -> Void) {
            self.name = name
            self.below = evidence { change(&$0, below) }
            self.at = evidence { change(&$0, at) }
            (self.saysBelow, self.saysAt) = (saysBelow, saysAt)
        }
    }

    static let flips: [Flip] = [
        Flip("coverage of an asserted edge", 0.8999, 0.9, "split likely", "split asserted") { $0.massCoverage = $1 },
        // Wilson's lower end at 10,000 firings: .49990 of .5097, .50000018 of .5098.
        Flip("lower end of the coverage of a likely edge", 0.5097, 0.5098, "overlap candidate", "split likely") { ($0.massCoverage, $0.effectiveFirings, $0.decoderCosine) = ($1, 10_000, 0.55) },
        Flip("coverage between absorbed and split", 0.4999, 0.5, "absorbed candidate", "split candidate") { ($0.massCoverage, $0.effectiveFirings) = ($1, 10_000) },
        Flip("keep of the same", 0.6999, 0.7, "split asserted", "same asserted") { ($0.massKeep, $0.activationCorrelation) = ($1, 0.9) },
        Flip("coverage of the same", 0.6999, 0.7, "overlap likely", "same likely") { ($0.massCoverage, $0.massKeep, $0.activationCorrelation, $0.decoderCosine) = ($1, 0.8, 0.9, 0.55) },
        Flip("decoders of a likely edge", 0.4499, 0.45, "split candidate", "split likely") { $0.decoderCosine = $1 },
        Flip("decoders of an asserted edge", 0.4999, 0.5, "split likely", "split asserted") { $0.decoderCosine = $1 },
        Flip("decoders of any edge", 0.2499, 0.25, "", "split candidate") { $0.decoderCosine = $1 },
        Flip("lead of the coverage over the keep", -0.5501, -0.55, "split candidate", "split likely") { ($0.massCoverage, $0.massKeep, $0.activationCorrelation) = (0.75, -$1, 0.1) },
        Flip("correlation of what needs no lead", 0.6999, 0.7, "same candidate", "same likely") { ($0.massCoverage, $0.massKeep, $0.activationCorrelation) = (0.75, 0.75, $1) },
        // Of a parent on half of all tokens: (.675 − .5) / .5 = .35.
        Flip("coverage above chance", 0.6749, 0.675, "", "split likely") { ($0.parentFirings, $0.massCoverage, $0.decoderCosine) = (500_000, $1, 0.55) },
        Flip("firings of the child", 29, 30, "", "split asserted") { $0.childFirings = Int($1) },
        Flip("firings of the parent", 29, 30, "", "split asserted") { $0.parentFirings = Int($1) },
        Flip("firings together", 4, 5, "", "split asserted") { ($0.together, $0.containment) = (Int($1), 0.5) },
        Flip("masked cosine of the paper's rule", 0.3999, 0.4, "", "overlap candidate") { ($0.massCoverage, $0.effectiveFirings, $0.decoderCosine, $0.maskedCosine) = (0.45, 10_000, 0.55, $1) },
        Flip("direction that the child carries", 0.5999, 0.6, "", "absorbed candidate") { ($0.together, $0.massCoverage, $0.decoderCosine) = (0, 0, $1) },
        Flip("strength it carries it with", 0.7499, 0.75, "", "absorbed candidate") { ($0.together, $0.massCoverage, $0.containment) = (0, 0, $1) },
        Flip("what a parent keeps of an absorbed child at most", -0.3001, -0.3, "", "absorbed candidate") { ($0.together, $0.massCoverage, $0.massKeep) = (0, 0, -$1) },
        Flip("decoders alone", 0.6999, 0.7, "", "overlap candidate") { ($0.tokens, $0.together, $0.massCoverage, $0.decoderCosine, $0.containment) = (nil, nil, nil, $1, 0.5) },
        Flip("activations alone", 0.8999, 0.9, "split candidate", "split likely") { ($0.massCoverage, $0.decoderCosine, $0.containment) = ($1, nil, nil) },
    ]

    private func say(_ evidence: LineageEvidence) -> String {
        let verdict = LineageRule.judge(childFirings: evidence.childFirings, parents: [.init(feature: 0, evidence: evidence)], bestCoverage: 1, bestCosine: 1, isNested: { _, _ in false }, joint: { _, _ in 0 })
        #expect((verdict.kind == .noise) == (evidence.childFirings < 30))
        return verdict.edges.map { "\($0.kind.rawValue) \($0.tier.rawValue)" }.joined()
    }

    @Test(arguments: flips) func `an edge flips exactly at a threshold`(_ flip: Flip) {
        #expect([say(flip.below), say(flip.at)] == [flip.saysBelow, flip.saysAt])
    }

    struct Merge: Sendable, CustomTestStringConvertible {
        let name: String
        /// Per parent: coverage and keep.
        var parents = [(0.5, 1.0), (0.5, 1.0)]
        var joint = 0.0
        var isNested = false
        let kinds: [String]
        var testDescription: String { name }
    }

    static let merges: [Merge] = [
        Merge(name: "half of the child where both are on", parents: [(1, 0.2), (1, 0.2)], joint: 0.5, kinds: ["merge-and", "merge-and"]),
        Merge(name: "less", parents: [(1, 0.2), (1, 0.2)], joint: 0.4999, kinds: ["split", "split"]),
        Merge(name: "one within the other", parents: [(1, 0.2), (1, 0.2)], joint: 0.5, isNested: true, kinds: ["split", "split"]),
        Merge(name: "one that is the same", parents: [(1, 1), (1, 0.2)], joint: 1, kinds: ["same", "split"]),
        Merge(name: "four fifths covered together", parents: [(0.4, 1), (0.4, 1)], kinds: ["merge-or", "merge-or"]),
        Merge(name: "not quite", parents: [(0.4, 1), (0.3999, 1)], kinds: ["overlap", "overlap"]),
        Merge(name: "little overlap", parents: [(0.5, 1), (0.5, 1)], joint: 0.1999, kinds: ["merge-or", "merge-or"]),
        Merge(name: "too much", parents: [(0.5, 1), (0.5, 1)], joint: 0.2, kinds: ["overlap", "overlap"]),
        Merge(name: "a fifth", parents: [(0.79, 0.6), (0.2, 1)], kinds: ["merge-or", "merge-or"]),
        Merge(name: "less than a fifth", parents: [(0.79, 0.6), (0.1999, 1)], kinds: ["split", ""]),
        Merge(name: "four fifths in one", parents: [(0.8, 0.6), (0.2, 1)], kinds: ["merge-or", "merge-or"]),
        Merge(name: "more than four fifths in one", parents: [(0.8001, 0.6), (0.2, 1)], kinds: ["split", ""]),
        Merge(name: "half kept of each", parents: [(0.5, 0.5), (0.5, 1)], kinds: ["merge-or", "merge-or"]),
        Merge(name: "less kept", parents: [(0.5, 0.4999), (0.5, 1)], kinds: ["overlap", "overlap"]),
    ]

    @Test(arguments: merges) func `parents are merged exactly at thresholds`(_ merge: Merge) {
        // Not carried, so that halves are no splits.
        let parents = merge.parents.enumerated().map { place, parent in
            LineageRule.Parent(feature: place, evidence: Self.evidence { ($0.massCoverage, $0.massKeep, $0.effectiveFirings, $0.decoderCosine) = (parent.0, parent.1, 10_000, 0.55) })
        }
        let verdict = LineageRule.judge(childFirings: 10_000, parents: parents, bestCoverage: 1, bestCosine: 1, isNested: { _, _ in merge.isNested }, joint: { _, _ in merge.joint })
        #expect(merge.kinds.indices.map { place in verdict.edges.first { $0.parent.feature == place }?.kind.rawValue ?? "" } == merge.kinds)
    }

    @Test func `a feature is novel below two thresholds, and vanished below two`() {
        func isNovel(_ coverage: Double?, _ cosine: Double?) -> Bool {
            LineageRule.judge(childFirings: 30, parents: [], bestCoverage: coverage, bestCosine: cosine, isNested: { _, _ in false }, joint: { _, _ in 0 }).kind == .novel
        }
        #expect([isNovel(0.2999, 0.4999), isNovel(0.3, 0.4999), isNovel(0.2999, 0.5), isNovel(nil, 0.4999), isNovel(0.2999, nil)] == [true, false, false, true, true])
        func hasVanished(_ firings: Int, _ keep: Double, _ union: Double?) -> Bool { LineageRule.hasVanished(firings: firings, keep: keep, union: union) }
        #expect([hasVanished(30, 0.0999, 0.4999), hasVanished(29, 0, 0), hasVanished(30, 0.1, 0.4999), hasVanished(30, 0.0999, 0.5), hasVanished(30, 0, nil)] == [true, false, false, false, true])
    }
}
