import Diagnostics
import SQLite

/// A score by rule to be entered, and the label that it judges.
public struct RuledLabel: Sendable {
    /// A label to be added; `nil`: the one that `score.label` numbers.
    public var entry: LabelEntry?
    /// Its label is filled in where one is added.
    public var score: LabelScoreEntry

    public init(_ entry: LabelEntry?, _ score: LabelScoreEntry) { (self.entry, self.score) = (entry, score) }
}

/// What came of it.
public struct RuledLabelOutcome: Sendable, Equatable {
    public let label: Int
    public let isNewLabel: Bool
    public let isNewScore: Bool
}

extension Catalogue {
    /// Enters labels and their scores, all or none. A label is not added where the feature goes by one already that says the same, with the same rule, on the same
    /// basis; a draft, where it was ever proposed on that basis, whatever became of it. A score is not added where the same counts stand under the same parameters.
    public func enter(_ labels: [RuledLabel], author: String, at time: String) throws -> [RuledLabelOutcome] {
        guard !author.trimmed.isEmpty else { throw MonosemeError("the author of the score is empty", hint: "name yourself with --author") }
        // What is checked is checked before anything is written.
        let checkedLabels = try labels.map { label in
            var label = label
            label.entry = try label.entry.map { try checked($0) }
            return label
        }
        return try connection.transaction {
            var bases: [Int: Int] = [:]
            return try checkedLabels.map { label in
                let (dictionary, index) = try feature(label.score.feature), id = dictionary.featureID(index)
                let basis = try bases[dictionary.id] ?? labelBasis(of: dictionary)
                bases[dictionary.id] = basis
                var score = label.score, isNewLabel = false
                if let entry = label.entry {
                    if let known = try same(entry, id, basis) { score.label = known } else {
                        score.label = try enter(entry, id, basis: basis, at: time)
                        isNewLabel = true
                    }
                }
                let isNewScore = try !hasScore(score, id, basis)
                if isNewScore { _ = try enter(score, id, basis: basis, author: author.trimmed, at: time) }
                return RuledLabelOutcome(label: score.label, isNewLabel: isNewLabel, isNewScore: isNewScore)
            }
        }
    }

    /// The label that says what `entry` does.
    private func same(_ entry: LabelEntry, _ feature: Int, _ basis: Int) throws -> Int? {
        let whose = entry.status == .draft ? "l.feature_id = ?1" : "l.id = (SELECT label_id FROM feature_label WHERE feature_id = ?1 AND status = 'accepted')"
        return try connection.integer("SELECT max(l.id) FROM label AS l WHERE \(whose) AND l.text = ?2 AND l.rule IS ?3 AND l.basis_id = ?4 AND l.method = ?5",
                                      .init(feature), .text(entry.text), .init(entry.rule?.description), .init(basis), .text(entry.method))
    }

    private func hasScore(_ score: LabelScoreEntry, _ feature: Int, _ basis: Int) throws -> Bool {
        try connection.integer("""
            SELECT 1 FROM label_score WHERE label_id = ? AND feature_id = ? AND method = ? AND baseline IS NULL AND parameters = ? AND basis_id = ?
                AND true_positives IS ? AND false_positives IS ? AND false_negatives IS ? AND true_negatives IS ? LIMIT 1
            """, .init(score.label), .init(feature), .text(score.method), .text(score.parameters), .init(basis), .init(score.counts?.truePositives), .init(score.counts?.falsePositives),
            .init(score.counts?.falseNegatives), .init(score.counts?.trueNegatives)) != nil
    }
}
