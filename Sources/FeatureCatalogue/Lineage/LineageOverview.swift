import SQLite

/// What has become of the features of two versions, in numbers.
public struct LineageOverview: Sendable {
    /// What a feature is: the first of these that holds.
    public enum Fate: String, Sendable, CaseIterable {
        case same, split, merged, absorbed, overlap, novel, vanished, noise
        /// Edges of tier candidate, and nothing surer.
        case candidate
        /// No edge, and not far enough from all for a name.
        case unclear
    }

    /// A coarse feature and its children.
    public struct Family: Sendable {
        public let parent: FeatureName
        public let children: Int
        public let unionCoverage, explained: Double?
        public let firings: Int
        public let label, topToken: String?
    }

    public let lineage: Lineage
    public let edges: [LineageKind: [LineageTier: Int]]
    /// How many features of the smaller and of the larger version have each fate.
    public let coarse, fine: [Fate: Int]
    /// Those with most children first, then those that they explain best.
    public let families: [Family]
    /// Families there are.
    public let familyCount: Int
}

extension Catalogue {
    /// - Parameter families: at most so many.
    public func overview(of lineage: Lineage, families limit: Int) throws -> LineageOverview {
        var edges: [LineageKind: [LineageTier: Int]] = [:]
        var parents: [Int: LineageOverview.Fate] = [:], children: [Int: LineageOverview.Fate] = [:]
        try connection.query("SELECT parent_id, child_id, kind, tier FROM lineage_edge WHERE build_id = ?", [.init(lineage.id)]) { row in
            guard let kind = LineageKind(rawValue: row.text(2)), let tier = LineageTier(rawValue: row.text(3)) else { return }
            edges[kind, default: [:]][tier, default: 0] += 1
            let fate = LineageOverview.Fate(kind, tier)
            // A child with two parents has merged, whatever else it is; a parent with children of its own has split.
            func better(_ known: LineageOverview.Fate?, _ order: [LineageOverview.Fate]) -> LineageOverview.Fate {
                known.map { order.firstIndex(of: $0)! <= order.firstIndex(of: fate)! ? $0 : fate } ?? fate
            }
            parents[row.integer(0)] = better(parents[row.integer(0)], [.same, .split, .merged, .absorbed, .overlap, .candidate])
            children[row.integer(1)] = better(children[row.integer(1)], [.same, .merged, .split, .absorbed, .overlap, .candidate])
        }
        var coarse: [LineageOverview.Fate: Int] = [:], fine: [LineageOverview.Fate: Int] = [:]
        try connection.query("SELECT feature_id, kind FROM lineage_feature WHERE build_id = ?", [.init(lineage.id)]) { row in
            let id = row.integer(0), named = row.optionalText(1).flatMap(LineageOverview.Fate.init)
            if id >> 32 == lineage.coarse.id { coarse[named ?? parents[id] ?? .unclear, default: 0] += 1 } else { fine[named ?? children[id] ?? .unclear, default: 0] += 1 }
        }
        let families = try connection.rows("""
            SELECT n.feature_id & 4294967295, n.children, n.union_coverage, n.explained, f.firings, f.label, f.top_token
            FROM (SELECT * FROM lineage_feature WHERE build_id = ? AND children > 0 ORDER BY children DESC, explained DESC, feature_id LIMIT ?) AS n
            JOIN feature_overview AS f USING (feature_id)
            ORDER BY n.children DESC, n.explained DESC, n.feature_id
            """, .init(lineage.id), .init(limit)) { row in
            LineageOverview.Family(parent: FeatureName(dictionary: lineage.coarse.name, index: row.integer(0)), children: row.integer(1), unionCoverage: row.optionalReal(2), explained: row.optionalReal(3),
                                   firings: row.integer(4), label: row.optionalText(5), topToken: row.optionalText(6))
        }
        let count = try connection.integer("SELECT count(*) FROM lineage_feature WHERE build_id = ? AND children > 0", .init(lineage.id)) ?? 0
        return LineageOverview(lineage: lineage, edges: edges, coarse: coarse, fine: fine, families: families, familyCount: count)
    }
}

extension LineageOverview.Fate {
    /// What an edge makes of the features at its ends. A merge-or is one by all its parents together, however weak each alone.
    init(_ kind: LineageKind, _ tier: LineageTier) {
        self = switch kind {
        case .mergeOr: .merged
        case _ where tier == .candidate: .candidate
        case .same: .same
        case .split: .split
        case .mergeAnd: .merged
        case .absorbed: .absorbed
        case .overlap: .overlap
        }
    }
}
