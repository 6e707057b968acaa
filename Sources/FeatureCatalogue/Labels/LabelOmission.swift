import SQLite

/// A feature that was to be labelled or scored and was not: a row of `label_omission`.
public struct LabelOmission: Sendable, Equatable {
    public let feature: FeatureName
    /// `explain`, `detection`, `fuzzing`, `simulation`.
    public let purpose: String
    public let reason: String
}

extension Catalogue {
    /// Notes why a feature was left out; the same said again changes nothing.
    public func omit(_ feature: FeatureName, from purpose: String, because reason: String, at time: String) throws {
        let (dictionary, index) = try self.feature(feature)
        try connection.transaction {
            try connection.run("""
                INSERT INTO label_omission (feature_id, purpose, reason, basis_id, created_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (feature_id, purpose) DO UPDATE SET reason = excluded.reason, basis_id = excluded.basis_id, created_at = excluded.created_at
                WHERE reason <> excluded.reason OR basis_id IS NOT excluded.basis_id
                """, .init(dictionary.featureID(index)), .text(purpose), .text(reason), .init(try labelBasis(of: dictionary)), .text(time))
        }
    }

    /// The feature is left out no longer.
    public func admit(_ feature: FeatureName, to purpose: String) throws {
        let (dictionary, index) = try self.feature(feature)
        try connection.run("DELETE FROM label_omission WHERE feature_id = ? AND purpose = ?", .init(dictionary.featureID(index)), .text(purpose))
    }

    /// Of a dictionary, by feature and purpose.
    public func omissions(of dictionary: FeatureDictionary) throws -> [LabelOmission] {
        try connection.rows("SELECT feature_id & 4294967295, purpose, reason FROM label_omission WHERE feature_id >= ? AND feature_id < ? ORDER BY feature_id, purpose",
                            .init(dictionary.featureID(0)), .init(dictionary.featureID(1 << 32))) {
            LabelOmission(feature: FeatureName(dictionary: dictionary.name, index: $0.integer(0)), purpose: $0.text(1), reason: $0.text(2))
        }
    }
}
