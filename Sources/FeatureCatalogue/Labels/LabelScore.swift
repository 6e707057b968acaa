import Diagnostics
import SQLite

/// What a label was held against instead of its own feature, to know what chance and the judge's good will are worth.
public enum ScoreBaseline: String, Sendable, CaseIterable {
    /// Another feature's label, judged on this feature's examples.
    case randomLabel = "random-label"
    /// This feature's label, judged on the examples of another feature.
    case shuffledFeature = "shuffled-feature"
}

/// One example of a score, and what the judge made of it.
public struct LabelJudgement: Sendable, Equatable {
    /// Of the window; `nil` for a score that came without a corpus.
    public var firstPosition: Int?
    /// Detection: the feature fires in the window. Fuzzing: the marks are its own.
    public var isTrue: Bool
    /// `nil`: no usable answer, or no question of yes and no.
    public var verdict: Bool?
    public var probability: Double?
    /// JSON.
    public var detail: String?
    public var call: Int?

    public init(firstPosition: Int?, isTrue: Bool, verdict: Bool?, probability: Double? = nil, detail: String? = nil, call: Int? = nil) {
        (self.firstPosition, self.isTrue, self.verdict, self.probability, self.detail, self.call) = (firstPosition, isTrue, verdict, probability, detail, call)
    }
}

/// A label judged once: a row of `label_score`, to be entered.
public struct LabelScoreEntry: Sendable {
    public struct Counts: Sendable, Equatable {
        public var truePositives, falsePositives, falseNegatives, trueNegatives: Int

        public init(truePositives: Int, falsePositives: Int, falseNegatives: Int, trueNegatives: Int) {
            (self.truePositives, self.falsePositives, self.falseNegatives, self.trueNegatives) = (truePositives, falsePositives, falseNegatives, trueNegatives)
        }
    }

    public var label: Int
    /// By whose activations: the label's own feature, unless this is a baseline.
    public var feature: FeatureName
    /// `rule`, `detection`, `fuzzing`, `simulation`.
    public var method: String
    public var baseline: ScoreBaseline?
    public var judge: String?
    public var prompt: Prompt?
    public var parameters = "{}"
    /// F1, balanced accuracy or correlation, with its 95 % interval.
    public var value: Double?
    public var interval: ClosedRange<Double>?
    /// Of tokens; `nil` where examples were judged.
    public var counts: Counts?
    public var precisionInterval: ClosedRange<Double>?
    public var recallInterval: ClosedRange<Double>?
    public var calls = 0
    public var usage = ModelUsage(promptTokens: 0, completionTokens: 0, cost: 0)
    public var judgements: [LabelJudgement] = []

    public init(label: Int, feature: FeatureName, method: String) { (self.label, self.feature, self.method) = (label, feature, method) }
}

extension Catalogue {
    /// Enters a score and its judgements. Windows judged must be among the label's test examples (`addExamples`).
    /// - Returns: its number.
    public func addScore(_ score: LabelScoreEntry, author: String, at time: String) throws -> Int {
        let (dictionary, index) = try feature(score.feature)
        return try connection.transaction { try enter(score, dictionary.featureID(index), basis: try labelBasis(of: dictionary), author: author, at: time) }
    }

    /// Puts a score into the ledger; the caller holds the transaction.
    func enter(_ score: LabelScoreEntry, _ feature: Int, basis: Int, author: String, at time: String) throws -> Int {
        let prompt = try score.prompt.map { try promptID($0) }, counts = score.counts
        try connection.run("""
            INSERT INTO label_score (label_id, feature_id, method, baseline, judge, prompt_id, parameters, value, low, high, true_positives, false_positives, false_negatives, true_negatives,
                precision_low, precision_high, recall_low, recall_high, calls, prompt_tokens, completion_tokens, cost, basis_id, author, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, .init(score.label), .init(feature), .text(score.method), .init(score.baseline?.rawValue), .init(score.judge), .init(prompt), .text(score.parameters),
            .init(score.value), .init(score.interval?.lowerBound), .init(score.interval?.upperBound), .init(counts?.truePositives), .init(counts?.falsePositives),
            .init(counts?.falseNegatives), .init(counts?.trueNegatives), .init(score.precisionInterval?.lowerBound), .init(score.precisionInterval?.upperBound),
            .init(score.recallInterval?.lowerBound), .init(score.recallInterval?.upperBound), .init(score.calls), .init(score.usage.promptTokens), .init(score.usage.completionTokens),
            .real(score.usage.cost), .init(basis), .text(author), .text(time))
        let id = connection.lastInsertedRow
        for (ordinal, judgement) in score.judgements.enumerated() {
            try connection.run("INSERT INTO label_judgement (score_id, ordinal, label_id, first_position, is_true, verdict, probability, detail, call_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                               .init(id), .init(ordinal), .init(score.label), .init(judgement.firstPosition), .init(judgement.isTrue ? 1 : 0), .init(judgement.verdict.map { $0 ? 1 : 0 }),
                               .init(judgement.probability), .init(judgement.detail), .init(judgement.call))
        }
        return id
    }
}
