import SQLite

/// Which labels a list holds.
public enum LabelFilter: String, Sendable, CaseIterable {
    /// Those that wait for a decision: drafts that their feature goes by, and newer ones beside an accepted label.
    case draft
    /// Accepted, and the one that its feature goes by.
    case accepted
    /// All that were rejected.
    case rejected
    /// Those that a feature goes by although its dictionary version has been ingested anew since.
    case stale
    /// Features that go by no label.
    case missing = "none"
}

/// A label in a list, or a feature without one.
public struct ListedLabel: Sendable, Equatable {
    public let feature: FeatureName
    /// `nil`: the feature goes by none.
    public let label: Label?
    /// Its newest score on its own feature, and by which method.
    public let score: Double?
    public let scoreMethod: String?
}

extension Catalogue {
    /// Labels in order of their features: those that features go by, or those of a filter.
    /// - Parameters:
    ///   - dictionary: `nil`: of all.
    ///   - limit: at most so many; `nil`: all.
    public func forEachLabel(in dictionary: FeatureDictionary?, _ filter: LabelFilter? = nil, method: String? = nil, author: String? = nil, limit: Int? = nil, _ body: (ListedLabel) throws -> Void) throws {
        let range: [SQLiteValue] = [.init(dictionary?.featureID(0) ?? 0), .init(dictionary.map { $0.featureID($0.features) } ?? .max)]
        if filter == .missing {
            return try connection.query("""
                SELECT d.name || '/' || f.feature_index FROM feature AS f JOIN dictionary AS d ON d.id = f.dictionary_id
                WHERE f.id >= ?1 AND f.id < ?2 AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = f.id) ORDER BY f.id LIMIT ?3
                """, range + [.init(limit ?? -1)]) { try body(ListedLabel(feature: try FeatureName(parsing: $0.text(0)), label: nil, score: nil, scoreMethod: nil)) }
        }
        let condition = switch filter {
        case nil, .missing: "h.is_current"
        case .draft: "h.status = 'draft' AND NOT h.is_unknown AND NOT EXISTS (SELECT 1 FROM feature_label AS c WHERE c.feature_id = h.feature_id AND c.label_id > h.label_id)"
        case .accepted: "h.status = 'accepted' AND h.is_current"
        case .rejected: "h.status = 'rejected'"
        case .stale: "h.status = 'stale' AND h.is_current"
        }
        let newest = "FROM label_score AS s WHERE s.label_id = h.label_id AND s.baseline IS NULL ORDER BY s.id DESC LIMIT 1"
        try connection.query("""
            SELECT \(labelColumns), (SELECT s.value \(newest)), (SELECT s.method \(newest)) FROM label_history AS h
            WHERE h.feature_id >= ?1 AND h.feature_id < ?2 AND \(condition) AND (?3 IS NULL OR h.method = ?3) AND (?4 IS NULL OR h.author = ?4)
            ORDER BY h.feature_id, h.label_id LIMIT ?5
            """, range + [.init(method), .init(author), .init(limit ?? -1)]) { row in
            let label = try label(row)
            try body(ListedLabel(feature: label.feature, label: label, score: row.optionalReal(17), scoreMethod: row.optionalText(18)))
        }
    }
}
