import Diagnostics
import SQLite

/// One row of the view `feature_overview`.
public struct FeatureOverview: Sendable, Equatable {
    public let name: FeatureName
    public let label: String?
    public let status: FeatureStatus
    public let firings: Int
    /// Of the run.
    public let tokens: Int
    /// `firings` / `tokens`; `nil` before the first segment.
    public let density: Double?
    public let documents: Int
    public let maximum: Double
    public let meanWhenActive: Double?
    /// The token with most of the activation; `nil` for a dead feature or an unfinished run.
    public let topToken: String?
    /// The token whose logit it raises most.
    public let topLogitToken: String?
    /// Of the file's decoder row, before it was folded into the activations.
    public let decoderNorm: Double
    /// The factor from the file's own activations to the catalogue's.
    public let activationScale: Double
    public let encoderDecoderCosine: Double?
    /// Of the label; `nil` where there is none.
    public let labelStatus: LabelStatus?
    /// The label's newest score on its own feature, and by which method.
    public let labelScore: Double?
    public let labelScoreMethod: String?
}

/// What a list of features says of each: less than an overview, and quicker to find.
public struct FeatureBrief: Sendable, Equatable {
    public let label: String?
    /// `nil` before the first segment.
    public let density: Double?
    /// The token with most of the activation; `nil` for a dead feature or an unfinished run.
    public let topToken: String?
}

/// What can be said of a feature from how often it fired.
public enum FeatureStatus: String, Sendable, CaseIterable {
    case alive
    /// No firing in the tokens seen.
    case dead
    /// Fires on more than a tenth of all tokens.
    case dense
    /// Density below 10⁻⁶, on at least 10⁸ tokens (methods of Towards Monosemanticity, appendix).
    case ultralow
    /// Fewer than 10 firings: too few to tell an ordinary rare feature from an ultralow one.
    case insufficient

    /// Tokens from which on a density below 10⁻⁶ can be told: at it, a feature would have fired a hundred times.
    public static let tokensForUltralow = 100_000_000

    /// What the view `feature_overview` says of a feature that fired on `firings` of `tokens` tokens.
    public init(firings: Int, tokens: Int) {
        self = if tokens == 0 { .insufficient }
            else if firings == 0 { .dead }
            else if Double(firings) > Double(tokens) * 0.1 { .dense }
            else if Double(firings) < Double(tokens) * 1e-6, tokens >= Self.tokensForUltralow { .ultralow }
            else if firings < 10 { .insufficient }
            else { .alive }
    }
}

/// Orders in which features can be listed; each has the feature's index as its last word.
public enum FeatureOrder: String, Sendable, CaseIterable {
    case index, density, max, mean, documents, label, lift

    fileprivate var sql: String {
        switch self {
        case .index: "f.feature_index"
        case .density: "f.density DESC, f.firings DESC, f.feature_index"
        case .max: "f.maximum DESC, f.feature_index"
        case .mean: "f.mean_when_active DESC NULLS LAST, f.feature_index"
        case .documents: "f.documents DESC, f.feature_index"
        case .label: "f.label IS NULL, f.label, f.feature_index"
        case .lift: "t.lift DESC, f.feature_index"
        }
    }
}

private let overviewColumns = """
    f.feature_index, f.label, f.status, f.firings, f.tokens, f.density, f.documents, f.maximum, f.mean_when_active, f.top_token, f.top_logit_token, \
    f.decoder_norm, f.activation_scale, f.encoder_decoder_cosine, (SELECT l.status FROM label_current AS l WHERE l.feature_id = f.feature_id), \
    (SELECT s.value \(newestScore)), (SELECT s.method \(newestScore))
    """

/// Of the label that feature `f` goes by.
private let newestScore = """
    FROM feature_label AS c JOIN label_score AS s ON s.label_id = c.label_id WHERE c.feature_id = f.feature_id AND s.baseline IS NULL ORDER BY s.id DESC LIMIT 1
    """

extension Catalogue {
    public func overview(of feature: Int, in dictionary: FeatureDictionary) throws -> FeatureOverview {
        let row = try connection.first("SELECT \(overviewColumns) FROM feature_overview AS f WHERE f.feature_id = ?", .init(dictionary.featureID(feature))) { try overview($0, dictionary.name) }
        guard let row else {
            throw MonosemeError("dictionary \"\(dictionary.name)\" in \(quoted(path, limit: 400)) has not been run over any corpus", hint: "run monoseme ingest again with the same arguments")
        }
        return row
    }

    /// One for each of `features`, in their order, by one statement; of nothing but `nil` where the dictionary has not been run.
    public func briefs(of features: [Int], in dictionary: FeatureDictionary) throws -> [FeatureBrief] {
        if features.isEmpty { return [] }
        let query = "SELECT label, density, top_token FROM feature_overview WHERE feature_id = ?"
        if connection.keepsStatements {
            return try features.map { feature in
                try connection.first(query, .init(dictionary.featureID(feature))) { FeatureBrief(label: $0.optionalText(0), density: $0.optionalReal(1), topToken: $0.optionalText(2)) }
                    ?? FeatureBrief(label: nil, density: nil, topToken: nil)
            }
        }
        var statement = try Statement(query, on: connection)
        return try features.map { feature in
            statement.bind(dictionary.featureID(feature), at: 0)
            defer { statement.reset() }
            guard try statement.step() else { return FeatureBrief(label: nil, density: nil, topToken: nil) }
            return FeatureBrief(label: statement.optionalText(0), density: statement.optionalReal(1), topToken: statement.optionalText(2))
        }
    }

    /// Features of a dictionary in some order.
    ///
    /// - Parameters:
    ///   - topic: only those that fire on it (by topic id).
    ///   - limit: at most so many; `nil`: all.
    public func overviews(of dictionary: FeatureDictionary, order: FeatureOrder, status: FeatureStatus? = nil, topic: Int? = nil, limit: Int? = nil,
                          _ body: (FeatureOverview) throws -> Void) throws {
        precondition(order != .lift || topic != nil)
        var sql = "SELECT \(overviewColumns) FROM feature_overview AS f"
        var values: [SQLiteValue] = []
        if let topic {
            sql += " JOIN topic_rate AS t ON t.feature_id = f.feature_id AND t.run_id = f.run_id AND t.topic_id = ?"
            values.append(.init(topic))
        }
        sql += " WHERE f.feature_id >= ? AND f.feature_id < ?"
        values += [.init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))]
        if let status { sql += " AND f.status = ?"; values.append(.text(status.rawValue)) }
        sql += " ORDER BY \(order.sql) LIMIT ?"
        values.append(.init(limit ?? -1))
        try connection.query(sql, values) { try body(try overview($0, dictionary.name)) }
    }

    private func overview(_ row: borrowing Statement, _ dictionary: DictionaryName) throws -> FeatureOverview {
        FeatureOverview(
            name: FeatureName(dictionary: dictionary, index: row.integer(0)), label: row.optionalText(1), status: FeatureStatus(rawValue: row.text(2)) ?? .alive,
            firings: row.integer(3), tokens: row.integer(4), density: row.optionalReal(5), documents: row.integer(6), maximum: row.real(7),
            meanWhenActive: row.optionalReal(8), topToken: row.optionalText(9), topLogitToken: row.optionalText(10), decoderNorm: row.real(11),
            activationScale: row.real(12), encoderDecoderCosine: row.optionalReal(13),
            labelStatus: row.optionalText(14).flatMap { LabelStatus(rawValue: $0) }, labelScore: row.optionalReal(15), labelScoreMethod: row.optionalText(16))
    }
}
