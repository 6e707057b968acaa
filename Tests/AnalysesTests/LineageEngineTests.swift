import FeatureCatalogue
import LineageSupport
import Numerics
import Testing
@testable import Analyses

/// What the engine counts, against the same counted token by token in double precision, on dictionaries that were trained.
///
/// Red when a sum of `kernel_cofire_add` is left out, when `Judge.evidence` swaps parent and child, or when `Family.measure` forgets a child.
@Suite struct LineageEngineTests {
    static let world = try! TrainedWorld(
        HierarchicalWorld.Shape(roots: 6, children: 3, grandchildren: 2, isExclusive: false, width: 48), .init(recipe: "april-2024", settings: ["l1": "4", "learning_rate": "0.001"], sizes: [24, 96], steps: 600, tokens: 20_000), seed: 5)

    /// Posting lists keep 11 bits of an activation: each may be off by 2⁻¹² of itself, sums and their ratios by twice as much or less.
    static let rounding = 0x1p-11

    @Test(arguments: [1, 2]) func `evidence is that of all pairs counted one by one`(_ threads: Int) throws {
        let (p, c) = (Self.world.versions[0], Self.world.versions[1]), plain = PlainLineage(p, c)
        try withLineage([p, c], threads: threads) { built in
            for edge in built.edges {
                let (ours, theirs) = (edge.evidence, plain[edge.parent.index, edge.child.index])
                #expect([ours.parentFirings, ours.childFirings, ours.together, ours.tokens] == [theirs.parentFirings, theirs.childFirings, theirs.together, theirs.tokens])
                for path in [\LineageEvidence.massCoverage, \.massKeep, \.maskedCosine, \.activationCorrelation, \.containment] {
                    #expect(abs(ours[keyPath: path]! - theirs[keyPath: path]!) <= Self.rounding * max(1, abs(theirs[keyPath: path]!)), "\(edge.parent) \(edge.child) \(path)")
                }
                #expect(abs(ours.decoderCosine! - theirs.decoderCosine!) <= 1e-6)
                #expect(abs(edge.massCoverageLow! - theirs.massCoverageLow!) <= 2 * Self.rounding)
            }
            // Every pair that a tier names is there, and no other, but for parts of unions and what rounding decides.
            let near = { (a: LineageEvidence) in Set([0.999, 1.001].map { by in LineageRule.tier(LineageRuleTests.scaled(a, by)) }) }
            let named = Set(built.edges.map { LineageFamilies.Edge(parent: $0.parent.index, child: $0.child.index, kind: $0.tier.rawValue) })
            var compared = 0
            for parent in 0..<plain.coarse {
                for child in 0..<plain.fine {
                    let tier = LineageRule.tier(plain[parent, child])
                    guard near(plain[parent, child]) == [tier] else { continue }
                    compared += 1
                    let ours = built.edges.first { $0.parent.index == parent && $0.child.index == child }
                    #expect(ours?.tier == tier || tier == nil && ours?.kind == .mergeOr, "\(parent) \(child)")
                }
            }
            #expect(compared > 2000 && named.count > 60)
        }
    }

    @Test func `a family's union and least squares are those of its members' activations`() throws {
        let (p, c) = (Self.world.versions[0], Self.world.versions[1]), lists = (p.byFeature, c.byFeature)
        try withLineage([p, c]) { built in
            var fitted = 0
            for parent in 0..<built.coarse.features {
                let edges = built.edges.filter { $0.parent.index == parent && $0.tier > .candidate }, node = try #require(try built.node(built.coarse, parent))
                #expect(node.children == edges.count)
                guard !edges.isEmpty else { continue }
                let own = Dictionary(uniqueKeysWithValues: lists.0[parent].map { ($0.token, Double($0.value)) })
                let columns = edges.map { edge in Dictionary(uniqueKeysWithValues: lists.1[edge.child.index].filter { own[$0.token] != nil }.map { ($0.token, Double($0.value)) }) }
                let union = Set(columns.flatMap(\.keys)).count
                #expect(abs(node.unionCoverage! - Double(union) / Double(own.count)) <= 1e-12)
                guard edges.count <= 10 else { continue }
                let gram = columns.map { a in columns.map { b in a.reduce(0) { $0 + $1.value * (b[$1.key] ?? 0) } } }
                let plain = PlainLeastSquares(gram: gram, products: columns.map { $0.reduce(0) { $0 + $1.value * own[$1.key]! } }, squares: own.values.reduce(0) { $0 + $1 * $1 })
                #expect(abs(node.explained! - plain.explained) <= 4 * Self.rounding)
                for (edge, weight) in zip(edges, plain.weights) { #expect(abs(edge.weight! - weight) <= 100 * Self.rounding * max(1, weight), "\(edge.parent) \(edge.child)") }
                fitted += 1
            }
            #expect(fitted >= 10)
        }
    }

    @Test func `least squares with weights at least zero are the best of all choices of columns`() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            let rows = 12, n = 1 + random.index(below: 6)
            let x = (0..<rows).map { _ in (0..<n).map { _ in max(0, random.normal()) } }, y = x.map { row in max(0, row.reduce(0, +) - 1 + 2 * random.normal()) }
            let gram = (0..<n).map { i in (0..<n).map { j in x.reduce(0) { $0 + $1[i] * $1[j] } } }, products = (0..<n).map { i in zip(x, y).reduce(0) { $0 + $1.0[i] * $1.1 } }
            let squares = y.reduce(0) { $0 + $1 * $1 }
            let ours = NonNegativeLeastSquares(gram: gram.flatMap { $0 }, products: products, squares: squares), plain = PlainLeastSquares(gram: gram, products: products, squares: squares)
            for (a, b) in zip(ours.weights + [ours.explained], plain.weights + [plain.explained]) { #expect(abs(a - b) <= 1e-7 * max(1, b)) }
            for (a, b) in zip(ours.shares, plain.shares) { #expect(abs(a - b) <= 1e-6) }
        }
    }
}

extension LineageRuleTests {
    /// The same with every measure of activations and directions by so much larger or smaller.
    static func scaled(_ evidence: LineageEvidence, _ factor: Double) -> LineageEvidence {
        var other = evidence
        for path in [\LineageEvidence.massCoverage, \.maskedCosine, \.activationCorrelation, \.decoderCosine, \.containment] { other[keyPath: path] = evidence[keyPath: path].map { $0 * factor } }
        other.massKeep = evidence.massKeep.map { $0 / factor }
        return other
    }
}
