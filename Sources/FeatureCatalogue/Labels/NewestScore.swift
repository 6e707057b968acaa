import SQLite

/// What a label was last found to be worth, by one method, on its own feature: a row of the view `label_score_overview`.
public struct NewestScore: Sendable, Equatable {
    public let method: String
    /// The model that judged; `nil`: counted.
    public let judge: String?
    /// F1, balanced accuracy or correlation; `nil`: undefined.
    public let value: Double?
    /// Of the 95 % interval.
    public let low: Double?
    public let high: Double?
    /// Made from other weights or over another corpus than the dictionary version has now.
    public let isStale: Bool
}

extension Catalogue {
    /// The newest score of each method; baselines are none.
    public func newestScores(of label: Int) throws -> [NewestScore] {
        try connection.rows("""
            SELECT s.method, s.judge, s.value, s.low, s.high, s.is_stale FROM label_score_overview AS s
            WHERE s.label_id = ?1 AND s.score_id IN (SELECT max(id) FROM label_score WHERE label_id = ?1 AND baseline IS NULL GROUP BY method) ORDER BY s.method
            """, .init(label)) { row in
            NewestScore(method: row.text(0), judge: row.optionalText(1), value: row.optionalReal(2), low: row.optionalReal(3), high: row.optionalReal(4), isStale: row.integer(5) != 0)
        }
    }
}
