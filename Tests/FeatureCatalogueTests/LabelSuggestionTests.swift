@testable import FeatureCatalogue
import Numerics
import SQLite
import TestSupport
import Testing

/// Labels of kin: the view and the walk back from one feature against ways that are enumerated one by one.
///
/// Seen to fail: with downward steps allowed after upward ones, with all kinds followed upwards, with candidates followed, with labelled features passed through, with the
/// least instead of the greatest confidence.
struct LabelSuggestionTests {
    struct Edge { let build, parent, child: Int; let kind: LineageKind, tier: LineageTier; let confidence: Double }

    /// Dictionaries A/0, A/1, A/2 of 6, 7 and 8 features, without runs, and edges as given: parent and child are feature ids.
    private func catalogue(_ edges: [Edge], labelled: [Int]) throws -> Catalogue {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting), connection = catalogue.connection
        try connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: 2) { [UInt8(0x61 + $0)] }
            let model = try catalogue.register(ModelDescription(name: "m", architecture: "gpt2", layers: 1, width: 4, mlpWidth: 4, vocabulary: 2, contextLength: 8, weightsSHA256: "w"), tokenizer: tokenizer)
            for (version, count) in [6, 7, 8].enumerated() {
                let decoder = Matrix(rows: count, columns: 4)
                for row in 0..<count { decoder.base[4 * row] = 1 }
                _ = try catalogue.register(DictionaryDescription(name: DictionaryName("A/\(version)")!, hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: "\(version)"), model: model,
                                           decoder: decoder, norms: [Float](repeating: 1, count: count), scales: [Float](repeating: 1, count: count), encoderDecoderCosines: [Float](repeating: 1, count: count))
            }
            for (id, pair) in [(1, 2), (2, 3), (1, 3)].enumerated() {
                try connection.run("INSERT INTO lineage_build (id, coarse_id, fine_id, has_decoder_evidence, rules, is_complete, engine, started_at) VALUES (?, ?, ?, 1, 1, 1, 'test', '')", .init(id + 1), .init(pair.0), .init(pair.1))
            }
            for edge in edges {
                try connection.run("INSERT INTO lineage_edge (build_id, child_id, parent_id, kind, tier, confidence, parent_firings, child_firings) VALUES (?, ?, ?, ?, ?, ?, 100, 100)", .init(edge.build), .init(edge.child),
                                   .init(edge.parent), .text(edge.kind.rawValue), .text(edge.tier.rawValue), .real(edge.confidence))
            }
            for id in labelled { try connection.run("INSERT INTO label (feature_id, text, author, created_at) VALUES (?, ?, 'ada', '')", .init(id), .text("label of \(id >> 32).\(id & 0xff)")) }
        }
        return catalogue
    }

    private static func random(_ seed: UInt64) -> (edges: [Edge], labelled: [Int]) {
        var state = seed
        func next(_ limit: Int) -> Int {
            state = state &* 6364136223846793005 &+ 1442695040888963407
            return Int((state >> 33) % UInt64(limit))
        }
        let sizes = [1: 6, 2: 7, 3: 8]
        var edges: [Edge] = []
        for (id, (coarse, fine)) in [(1, 2), (2, 3), (1, 3)].enumerated() {
            for parent in 0..<sizes[coarse]! {
                for child in 0..<sizes[fine]! where next(4) == 0 {
                    // Powers of two: products are exact in any order.
                    edges.append(Edge(build: id + 1, parent: coarse << 32 + parent, child: fine << 32 + child, kind: [.same, .same, .split, .overlap][next(4)], tier: [.asserted, .likely, .candidate][next(3)],
                                      confidence: [1, 0.5, 0.25][next(3)]))
                }
            }
        }
        let all = sizes.flatMap { dictionary, count in (0..<count).map { dictionary << 32 + $0 } }.sorted()
        return (edges, all.filter { _ in next(4) == 0 })
    }

    /// Every way from a label, by recursion: down any edge, or up those of kind same.
    private func witness(_ edges: [Edge], _ labelled: Set<Int>) -> [String: (confidence: Double, steps: Int)] {
        var best: [String: (Double, Int)] = [:]
        func go(_ at: Int, _ source: Int, _ isDown: Bool?, _ confidence: Double, _ steps: Int) {
            if steps > 0 {
                if labelled.contains(at) { return }
                let key = "\(at) from \(source)"
                if best[key].map({ ($0.0, -$0.1) < (confidence, -steps) }) ?? true { best[key] = (confidence, steps) }
            }
            for edge in edges where edge.tier != .candidate {
                if edge.parent == at, isDown != false { go(edge.child, source, true, confidence * edge.confidence, steps + 1) }
                if edge.child == at, edge.kind == .same, isDown != true { go(edge.parent, source, false, confidence * edge.confidence, steps + 1) }
            }
        }
        for source in labelled { go(source, source, nil, 1, 0) }
        return best
    }

    @Test(arguments: UInt64(1)...20) func `view and walk give what the enumeration of all ways gives`(seed: UInt64) throws {
        let (edges, labelled) = Self.random(seed), expected = witness(edges, Set(labelled)).mapValues { "\($0.confidence) in \($0.steps)" }
        let catalogue = try catalogue(edges, labelled: labelled)
        var seen: [String: String] = [:]
        try catalogue.connection.query("SELECT feature_id, source_id, confidence, steps FROM label_suggestion") { seen["\($0.integer(0)) from \($0.integer(1))"] = "\($0.real(2)) in \($0.integer(3))" }
        #expect(seen == expected)
        var walked: [String: String] = [:]
        for dictionary in try catalogue.dictionaries() {
            for index in 0..<dictionary.features {
                let name = FeatureName(dictionary: dictionary.name, index: index), suggestions = try catalogue.labelSuggestions(for: name)
                #expect(suggestions.map(\.confidence) == suggestions.map(\.confidence).sorted(by: >))
                for suggestion in suggestions {
                    let source = try catalogue.feature(suggestion.source)
                    walked["\(dictionary.featureID(index)) from \(source.dictionary.featureID(source.index))"] = "\(suggestion.confidence) in \(suggestion.steps)"
                    // Kind and tier too are the view's.
                    let row: [String]? = try catalogue.connection.first("SELECT kind, tier, label, feature, source FROM label_suggestion WHERE feature_id = ? AND source = ?", .init(dictionary.featureID(index)), .text(suggestion.source.description)) { [$0.text(0), $0.text(1), $0.text(2), $0.text(3), $0.text(4)] }
                    #expect(row == [suggestion.kind.rawValue, suggestion.tier.rawValue, suggestion.label, name.description, suggestion.source.description])
                }
            }
        }
        #expect(walked == expected)
    }

    @Test func `kinds and tiers are those of the way`() throws {
        func id(_ dictionary: Int, _ feature: Int) -> Int { dictionary << 32 + feature }
        let edges = [
            Edge(build: 1, parent: id(1, 0), child: id(2, 0), kind: .split, tier: .asserted, confidence: 0.5), Edge(build: 2, parent: id(2, 0), child: id(3, 0), kind: .same, tier: .likely, confidence: 0.5),
            Edge(build: 2, parent: id(2, 0), child: id(3, 1), kind: .mergeAnd, tier: .asserted, confidence: 1), Edge(build: 1, parent: id(1, 1), child: id(2, 1), kind: .same, tier: .asserted, confidence: 1),
            Edge(build: 1, parent: id(1, 1), child: id(2, 2), kind: .absorbed, tier: .candidate, confidence: 1),
        ]
        let catalogue = try catalogue(edges, labelled: [id(1, 0), id(2, 1)])
        let rows: [String] = try catalogue.connection.rows("SELECT feature, source, kind, tier, confidence, steps FROM label_suggestion ORDER BY feature, source") { "\($0.text(0)) \($0.text(1)) \($0.text(2)) \($0.text(3)) \($0.real(4)) \($0.integer(5))" }
        #expect(rows == [
            "A/0/1 A/1/1 same asserted 1.0 1", // up along same
            "A/1/0 A/0/0 split asserted 0.5 1", "A/2/0 A/0/0 split likely 0.25 2", "A/2/1 A/0/0 merge-and asserted 0.5 2",
        ])
    }

    @Test func `a loop in a damaged file ends`() throws {
        func id(_ dictionary: Int, _ feature: Int) -> Int { dictionary << 32 + feature }
        let catalogue = try catalogue([
            Edge(build: 1, parent: id(1, 0), child: id(2, 0), kind: .same, tier: .asserted, confidence: 0.5), Edge(build: 2, parent: id(2, 0), child: id(1, 1), kind: .same, tier: .asserted, confidence: 0.5),
            Edge(build: 3, parent: id(1, 1), child: id(2, 0), kind: .same, tier: .asserted, confidence: 7e300),
        ], labelled: [id(1, 0)])
        let rows: [String] = try catalogue.connection.rows("SELECT feature, confidence FROM label_suggestion ORDER BY feature") { "\($0.text(0)) \($0.real(1))" }
        #expect(rows == ["A/0/1 0.25", "A/1/0 0.5"])
        #expect(try catalogue.labelSuggestions(for: FeatureName("A/0/1")!).map(\.confidence) == [0.25])
        #expect(try catalogue.family(of: FeatureName("A/0/1")!).members.map(\.feature.description) == ["A/0/0", "A/0/1", "A/1/0"])
    }
}
