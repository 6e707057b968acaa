import Analyses
import FeatureCatalogue
import Foundation
import LineageSupport
import Numerics
import Testing

/// Lineages of activations written straight into a catalogue: what is wrong here is the catalogue's fault, and so nothing may be.
///
/// Red, for instance, when `Judge` takes one parent's keep for its coverage (`massCoverage: … parent_sum`), when `nestedPairs` finds none, when `isMerged`
/// stays empty in `LineageRule.judge`, or when `kernel_cofire_add` leaves out a token.
@Suite struct PlantedLineageTests {
    static let families = LineageFamilies()

    @Test func `every kind is found, all of it and nothing else`() throws {
        let families = Self.families
        try withLineage([families.coarse, families.fine]) { built in
            #expect(built.planted == families.edges)
            for kind in LineageKind.allCases where kind != .overlap { #expect(families.edges.count { $0.kind == kind.rawValue } >= 3, "\(kind) is planted") }
            let fineNovel = try built.features(built.fine, .novel)
            #expect(fineNovel == families.novel)
            let fineNoise = try built.features(built.fine, .noise)
            #expect(fineNoise == families.noiseFine)
            let coarseVanished = try built.features(built.coarse, .vanished)
            #expect(coarseVanished == families.vanished)
            let coarseNoise = try built.features(built.coarse, .noise)
            #expect(coarseNoise == families.noiseCoarse)
            // Absorption cannot be told from kinship without a predicate, and no part of a union holds the whole.
            for edge in built.edges { #expect(edge.tier == ([.absorbed, .mergeOr].contains(edge.kind) ? .candidate : .asserted), "\(edge.parent) \(edge.child) \(edge.kind)") }
        }
    }

    @Test func `other numbers for the features change nothing but the numbers`() throws {
        let families = Self.families
        var random = SeededGenerator(seed: 7)
        let a = families.coarse.decoder.indices.shuffled(using: &random), b = families.fine.decoder.indices.shuffled(using: &random)
        try withLineage([families.coarse.renumbered(a), families.fine.renumbered(b)]) { built in
            #expect(built.planted == Set(families.edges.map { .init(parent: a[$0.parent], child: b[$0.child], kind: $0.kind) }))
            let fineNovel = try built.features(built.fine, .novel)
            #expect(fineNovel == Set(families.novel.map { b[$0] }))
            let coarseVanished = try built.features(built.coarse, .vanished)
            #expect(coarseVanished == Set(families.vanished.map { a[$0] }))
        }
    }

    @Test func `tokens in another order leave no edge of activations`() throws {
        let families = Self.families, shuffled = families.fine.shuffled(seed: 3)
        try withLineage([families.coarse, shuffled], hooks: ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"]) { built in
            #expect(built.edges == [])
            #expect(built.warnings.count == 1)
        }
        // Decoder rows are the same as before: they alone make candidates.
        try withLineage([families.coarse, shuffled]) { built in #expect(built.edges.allSatisfy { $0.tier == .candidate && $0.kind == .absorbed }) }
    }

    @Test func `a whole hierarchy is found again from its roots and children`() throws {
        let shape = HierarchicalWorld.Shape(roots: 8, children: 4, grandchildren: 2, width: 64)
        var world = HierarchicalWorld(shape, seed: 1), on: [[Int32]] = []
        _ = world.inputs(60_000, nodes: &on)
        // Roots, children and flat nodes; the fine version has all nodes.
        let nodes = (0..<shape.nodes).filter { !(40..<104).contains($0) }
        let coarse = planted(nodes, on, world), fine = planted(Array(0..<shape.nodes), on, world)
        try withLineage([coarse, fine]) { built in
            #expect(on.allSatisfy { $0.count >= 100 })
            let truth = nodes.indices.flatMap { parent in
                (0..<shape.nodes).filter { shape.holds(nodes[parent], $0) }.map { LineageFamilies.Edge(parent: parent, child: $0, kind: $0 == nodes[parent] ? "same" : "split") }
            }
            #expect(built.planted.symmetricDifference(truth).sorted { ($0.child, $0.parent) < ($1.child, $1.parent) } == [])
            #expect(built.edges.filter { $0.tier != .asserted } == [])
        }
    }

    /// Activations of nodes with their states as decoder rows.
    private func planted(_ nodes: [Int], _ on: [[Int32]], _ world: HierarchicalWorld) -> FeatureActivations {
        var at = [[(feature: Int, value: Float)]](repeating: [], count: 60_000)
        for (feature, node) in nodes.enumerated() { for token in on[node] { at[Int(token)].append((feature, 1 + Float(token % 8) / 8)) } }
        var activations = FeatureActivations(decoder: nodes.map { world.state($0) })
        for one in at { activations.append(one) }
        return activations
    }

    /// Of 1,000 firings of a child, 499 or 500 on its parent's tokens, or where two parents meet.
    @Test(arguments: [(499, "absorbed", "split"), (500, "split", "merge-and")]) func `kinds flip exactly at thresholds in a catalogue too`(_ shared: Int, _ single: String, _ double: String) throws {
        func row(_ numbers: Float...) -> [Float] { numbers.map { $0 / numbers.reduce(0) { $0 + $1 * $1 }.squareRoot() } }
        var coarse = FeatureActivations(decoder: [row(1, 0, 0, 0, 0), row(0, 1, 0, 0, 0), row(0, 0, 1, 0, 0)])
        var fine = FeatureActivations(decoder: [row(1, 0, 0, 0.5, 0), row(0, 1, 1, 0, 0), row(0, 0, 0, 0, 1), row(0, 0, 0, 0, 1)])
        for token in 0..<20_000 {
            // Feature 0 has its parent on 499 or 500 of its tokens, feature 1 each of two on some 750, and both on 499 or 500. Each parent fires elsewhere too.
            let isFirst = 0..<shared ~= token || 5000..<6500 ~= token
            let isSecond = 2000..<2750 ~= token || 3000..<4000 ~= token, isThird = 2000..<2000 + shared ~= token || 2750..<3000 ~= token || 4000..<5000 ~= token
            coarse.append([isFirst, isSecond, isThird].enumerated().filter { $0.element }.map { (feature: $0.offset, value: 1) })
            fine.append([0..<1000 ~= token, 2000..<3000 ~= token].enumerated().filter { $0.element }.map { (feature: $0.offset, value: 1) })
        }
        try withLineage([coarse, fine]) { built in
            #expect(built.planted == [.init(parent: 0, child: 0, kind: single), .init(parent: 1, child: 1, kind: double), .init(parent: 2, child: 1, kind: double)])
        }
    }
}
