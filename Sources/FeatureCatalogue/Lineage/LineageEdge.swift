import Diagnostics
import SQLite

/// What a fine feature is to a coarse one.
public enum LineageKind: String, Sendable, CaseIterable {
    /// They fire on the same tokens.
    case same
    /// The child fires where the parent does, on a part of it.
    case split
    /// The child carries the parent's direction, and the parent is silent where it fires: a candidate, for without a predicate absorption cannot be told from kinship.
    case absorbed
    /// The child fires where two parents meet, neither of which lies within the other.
    case mergeAnd = "merge-and"
    /// The child fires where one or the other of several parents does.
    case mergeOr = "merge-or"
    /// They belong together by their evidence, and none of these describes how.
    case overlap
}

/// How far an edge can be relied on.
public enum LineageTier: String, Sendable, CaseIterable, Comparable {
    /// Towards Monosemanticity's own rule, or evidence of one sort alone.
    case candidate
    case likely
    case asserted

    public static func < (a: LineageTier, b: LineageTier) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// A coarse feature and a fine one that belong together.
public struct LineageEdge: Sendable, Equatable {
    public let parent, child: FeatureName
    public let kind: LineageKind
    public let tier: LineageTier
    /// The probability that the parent's meaning holds the child's.
    public let confidence: Double
    public let evidence: LineageEvidence
    /// The lower end of the interval of the coverage by mass.
    public let massCoverageLow: Double?
    /// In the non-negative least squares of the family, and what the fit loses without this child; `nil` for candidates.
    public let weight, share: Double?
}

/// What is said of one feature by itself in the lineage between two versions.
public struct LineageNode: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// A fine feature that no coarse one explains.
        case novel
        /// A coarse feature that no fine one carries on.
        case vanished
        /// Fires too rarely to be judged.
        case noise
    }

    public let feature: FeatureName
    public let kind: Kind?
    /// Of a fine feature: the greatest P(p | c) and the greatest decoder cosine among all coarse ones.
    public let bestCoverage, bestCosine: Double?
    /// Of a coarse feature: its edges above candidate; of its firings, those on which a child fires; and what non-negative least squares on the
    /// children's activations explain of its summed squared activation.
    public let children: Int?
    public let unionCoverage, explained: Double?
}

extension Catalogue {
    /// A feature's edges to the versions above it (smaller dictionaries), the surest first.
    public func parents(of feature: FeatureName) throws -> [LineageEdge] {
        let (dictionary, index) = try self.feature(feature)
        return try edges("child_id = ? AND build_id IN (SELECT id FROM lineage_build WHERE fine_id = ?)", .init(dictionary.featureID(index)), .init(dictionary.id))
    }

    /// A feature's edges to the versions below it (larger dictionaries), the surest first.
    public func children(of feature: FeatureName) throws -> [LineageEdge] {
        let (dictionary, index) = try self.feature(feature)
        return try edges("parent_id = ? AND build_id IN (SELECT id FROM lineage_build WHERE coarse_id = ?)", .init(dictionary.featureID(index)), .init(dictionary.id))
    }

    /// All edges of a lineage, in order of child and parent.
    public func edges(of lineage: Lineage) throws -> [LineageEdge] {
        try edges("build_id = ?", .init(lineage.id), order: "child_id, parent_id")
    }

    private func edges(_ condition: String, _ values: SQLiteValue..., order: String = "tier = 'candidate', confidence DESC, child_id, parent_id") throws -> [LineageEdge] {
        var edges: [LineageEdge] = []
        try connection.query("\(edgeQuery) WHERE \(condition) ORDER BY \(order)", values) { row in if let edge = try LineageEdge(row) { edges.append(edge) } }
        return edges
    }

    /// What is said of a feature by itself, once for each lineage it is in.
    public func lineageNodes(of feature: FeatureName) throws -> [(lineage: Lineage, node: LineageNode)] {
        let (dictionary, index) = try self.feature(feature)
        return try lineageNodes(of: FeatureName(dictionary: dictionary.name, index: index), in: dictionary, among: lineages())
    }

    /// The same, for who asks it of feature after feature: of these lineages, as far as they are the dictionary's.
    public func lineageNodes(of feature: FeatureName, in dictionary: FeatureDictionary, among lineages: [Lineage]) throws -> [(lineage: Lineage, node: LineageNode)] {
        let index = feature.index
        var nodes: [(lineage: Lineage, node: LineageNode)] = []
        for lineage in lineages where lineage.coarse.id == dictionary.id || lineage.fine.id == dictionary.id {
            try connection.query("SELECT kind, best_coverage, best_cosine, children, union_coverage, explained FROM lineage_feature WHERE build_id = ? AND feature_id = ?",
                                 [.init(lineage.id), .init(dictionary.featureID(index))]) { row in
                nodes.append((lineage, LineageNode(
                    feature: feature, kind: row.optionalText(0).flatMap(LineageNode.Kind.init), bestCoverage: row.optionalReal(1), bestCosine: row.optionalReal(2),
                    children: row.optionalInteger(3), unionCoverage: row.optionalReal(4), explained: row.optionalReal(5))))
            }
        }
        return nodes
    }
}

/// Rows that `LineageEdge.init(_:)` reads.
let edgeQuery = """
    SELECT parent, child, kind, tier, confidence, parent_firings, child_firings, r.tokens, firings_together, mass_coverage, mass_keep, masked_cosine,
        activation_correlation, decoder_cosine, containment, weight, share, mass_coverage_low, parent_id, child_id
    FROM lineage LEFT JOIN run AS r ON r.dictionary_id = child_id >> 32
    """

extension LineageEdge {
    /// Reads a row of `edgeQuery`; `nil` where the file holds a kind or a tier that there is not.
    init?(_ row: borrowing Statement) throws {
        guard let kind = LineageKind(rawValue: row.text(2)), let tier = LineageTier(rawValue: row.text(3)) else { return nil }
        let together = row.optionalInteger(8)
        self.init(
            parent: try FeatureName(parsing: row.text(0)), child: try FeatureName(parsing: row.text(1)), kind: kind, tier: tier, confidence: row.real(4),
            evidence: LineageEvidence(
                parentFirings: row.integer(5), childFirings: row.integer(6), tokens: together == nil ? nil : row.optionalInteger(7), together: together,
                massCoverage: row.optionalReal(9), massKeep: row.optionalReal(10), maskedCosine: row.optionalReal(11), activationCorrelation: row.optionalReal(12),
                decoderCosine: row.optionalReal(13), containment: row.optionalReal(14)),
            massCoverageLow: row.optionalReal(17), weight: row.optionalReal(15), share: row.optionalReal(16))
    }
}
