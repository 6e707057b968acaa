import SQLite

/// The label of a feature's kin, as a suggestion for the feature, which has none of its own. It is not a label.
public struct LabelSuggestion: Sendable, Equatable {
    public let label: String
    /// Whose label it is.
    public let source: FeatureName
    /// `same` where all edges on the way are, else that of the one nearest to the feature that is not.
    public let kind: LineageKind
    /// The weakest on the way.
    public let tier: LineageTier
    /// The product over the way.
    public let confidence: Double
    /// Edges on the way.
    public let steps: Int
}

extension Catalogue {
    /// What the view `label_suggestion` says of one feature, the surest first.
    ///
    /// The view follows every label to where it leads; this goes the same ways backwards, from the feature, and costs what its kin does.
    public func labelSuggestions(for feature: FeatureName) throws -> [LabelSuggestion] { try labelSuggestions(for: [feature])[0] }

    /// The same of several.
    public func labelSuggestions(for features: [FeatureName]) throws -> [[LabelSuggestion]] {
        func has(_ table: String) throws -> Bool { try connection.first("SELECT 1 FROM \(table) LIMIT 1") { _ in true } ?? false }
        guard try has("feature_label"), try has("lineage_build") else { return features.map { _ in [] } }
        var statement = try Statement("""
            WITH RECURSIVE way (feature_id, is_down, kind, tier, confidence, steps) AS (
                SELECT ?, NULL, 'same', 'asserted', 1.0, 0
                UNION ALL
                SELECT e.parent_id, 1, iif(w.kind = 'same', e.kind, w.kind), iif(e.tier = 'asserted', w.tier, e.tier), w.confidence * min(1.0, max(0.0, e.confidence)), w.steps + 1
                FROM way AS w
                CROSS JOIN lineage_build AS b
                CROSS JOIN lineage_edge AS e ON e.build_id = b.id AND e.child_id = w.feature_id
                WHERE w.steps < 8 AND w.is_down IS NOT 0 AND e.tier <> 'candidate' AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = w.feature_id AND status = 'accepted')
                UNION ALL
                SELECT e.child_id, 0, w.kind, iif(e.tier = 'asserted', w.tier, e.tier), w.confidence * min(1.0, max(0.0, e.confidence)), w.steps + 1
                FROM way AS w
                CROSS JOIN lineage_edge AS e ON e.parent_id = w.feature_id
                WHERE w.steps < 8 AND w.is_down IS NOT 1 AND e.kind = 'same' AND e.tier <> 'candidate' AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = w.feature_id AND status = 'accepted')
                ORDER BY 5 DESC
                LIMIT 100000
            )
            SELECT l.label, l.feature, w.kind, w.tier, w.confidence, w.steps
            FROM (SELECT *, row_number() OVER (PARTITION BY feature_id ORDER BY confidence DESC, steps, kind, tier) AS place FROM way WHERE steps > 0) AS w
            JOIN feature_label AS c ON c.feature_id = w.feature_id AND c.status = 'accepted'
            JOIN label_current AS l ON l.feature_id = w.feature_id
            WHERE w.place = 1
            ORDER BY w.confidence DESC, w.steps, w.feature_id
            """, on: connection)
        return try features.map { name in
            let (dictionary, index) = try feature(name)
            statement.bind(dictionary.featureID(index), at: 0)
            defer { statement.reset() }
            var found: [LabelSuggestion] = []
            while try statement.step() {
                guard let kind = LineageKind(rawValue: statement.text(2)), let tier = LineageTier(rawValue: statement.text(3)) else { continue }
                found.append(LabelSuggestion(label: statement.text(0), source: try FeatureName(parsing: statement.text(1)), kind: kind, tier: tier, confidence: statement.real(4), steps: statement.integer(5)))
            }
            return found
        }
    }
}
