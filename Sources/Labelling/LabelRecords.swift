import FeatureCatalogue
import Formats
import SQLite

// What the ledger already has of a command's work, so that nothing is entered twice.

extension Catalogue {
    /// The newest label of a feature that was made by this model, prompt and parameters from the evidence that stands.
    func explained(_ feature: Int, _ request: LabellingRequest) throws -> (id: Int, text: String, isUnknown: Bool)? {
        try connection.first("SELECT l.id, l.text, l.is_unknown FROM label AS l WHERE l.feature_id = ? AND \(isExplained) ORDER BY l.id DESC LIMIT 1",
                             .init(feature), .text(request.model), .text(request.explainParameters.text), .text(Explainer.template(contrastive: request.isContrastive).prompt.text)) {
            ($0.integer(0), $0.text(1), $0.integer(2) != 0)
        }
    }

    /// Features that a request is about, by index. Those that the same request has labelled before are among them, so that one that was stopped is gone on
    /// with, and one that had come to its end finds nothing to do.
    func selected(by request: LabellingRequest, in dictionary: FeatureDictionary) throws -> [Int] {
        switch request.selection {
        case .features(let features):
            for feature in features { _ = try self.feature(FeatureName(dictionary: dictionary.name, index: feature)) }
            return Set(features).sorted()
        case .status(let status, let limit):
            let isWanted = switch status {
            case .none: "NOT EXISTS (SELECT 1 FROM feature_label AS c WHERE c.feature_id = f.id)"
            case .draft, .stale: "EXISTS (SELECT 1 FROM label_current AS c WHERE c.feature_id = f.id AND c.status = '\(status.rawValue)')"
            }
            return try connection.rows("""
                SELECT f.feature_index FROM feature AS f
                WHERE f.dictionary_id = ? AND (\(isWanted) OR EXISTS (SELECT 1 FROM label AS l WHERE l.feature_id = f.id AND \(isExplained)))
                ORDER BY f.feature_index LIMIT ?
                """, .init(dictionary.id), .text(request.model), .text(request.explainParameters.text), .text(Explainer.template(contrastive: request.isContrastive).prompt.text), .init(limit ?? -1)) { $0.integer(0) }
        }
    }

    /// Of a label: model, parameters and prompt, in this order.
    private var isExplained: String {
        """
        l.method = 'explain' AND l.author_kind = 'model' AND l.author = ? AND json_remove(l.parameters, '$.request') = ? \
        AND l.prompt_id IN (SELECT id FROM prompt WHERE text = ?) AND l.basis_id IN (SELECT basis_id FROM label_basis_current)
        """
    }

    /// The label that a feature goes by.
    func currentLabel(of feature: Int) throws -> (id: Int, text: String)? {
        try connection.first("SELECT l.id, l.text FROM feature_label AS c JOIN label AS l ON l.id = c.label_id WHERE c.feature_id = ?", .init(feature)) { ($0.integer(0), $0.text(1)) }
    }

    /// Windows that a label was made from.
    func trainExamples(of label: Int) throws -> [LabelExample] {
        try connection.rows("SELECT first_position, tokens, kind, activation FROM label_example WHERE label_id = ? AND role = 'train' ORDER BY first_position", .init(label)) {
            LabelExample(firstPosition: $0.integer(0), tokens: $0.integer(1), role: .train, kind: $0.text(2), activation: $0.real(3))
        }
    }

    /// A score of this label by this method, judge, prompt and parameters, on this feature's examples from the evidence that stands.
    func score(of label: Int, on feature: Int, by method: ScoringMethod, _ baseline: ScoreBaseline?, _ request: LabellingRequest) throws -> LabellingReport.Score? {
        try connection.first("""
            SELECT s.value, s.low, s.high, count(j.score_id), coalesce(sum(CASE WHEN ? THEN j.verdict IS NULL ELSE j.detail ->> 'predicted' IS NULL END), 0)
            FROM label_score AS s JOIN prompt AS p ON p.id = s.prompt_id LEFT JOIN label_judgement AS j ON j.score_id = s.id
            WHERE s.id = (
                SELECT max(s.id) FROM label_score AS s JOIN prompt AS p ON p.id = s.prompt_id
                WHERE s.label_id = ? AND s.feature_id = ? AND s.method = ? AND s.baseline IS ? AND s.judge = ? AND s.parameters = ? AND p.text = ?
                    AND s.basis_id IN (SELECT basis_id FROM label_basis_current))
            GROUP BY s.id
            """, .init(method.isBinary ? 1 : 0), .init(label), .init(feature), .text(method.rawValue), .init(baseline?.rawValue), .text(request.model), .text(request.scoreParameters(method).text), .text(method.template.prompt.text)) { row in
            let low = row.optionalReal(1), high = row.optionalReal(2)
            let interval = low.flatMap { low in high.flatMap { low <= $0 ? low...$0 : nil } }
            return LabellingReport.Score(method: method, value: row.optionalReal(0), interval: interval, examples: row.integer(3), unanswered: row.integer(4))
        }
    }

    /// The hash that the ledger of calls knows a call by.
    func requestSHA256(of call: Int) throws -> String? { try connection.first("SELECT request_sha256 FROM model_call WHERE id = ?", .init(call)) { $0.text(0) } }
}
