import Diagnostics
public import FeatureCatalogue
import Formats

/// Scores rules on the features of one run: what rules share is evaluated once.
public final class RuleScorer {
    private let catalogue: Catalogue
    public let run: Run
    public let evaluator: RuleEvaluator
    public var documents: DocumentTable { evaluator.text.documents }
    private var last: (rule: LabelRule, marks: RuleMarks)?

    /// - Throws: where the run is not done, or kept only some firings, from which nothing can be counted.
    public init(_ catalogue: Catalogue, _ run: Run, timeLimit: Double? = 10) throws {
        try catalogue.demandEveryFiring(of: run, for: "how well a rule fits cannot be counted")
        guard run.isComplete else { throw MonosemeError("\(run.dictionary.name) is not wholly ingested yet", hint: "run monoseme ingest again with the same arguments: it goes on where it stopped") }
        evaluator = try RuleEvaluator(catalogue, corpus: run.corpus, timeLimit: timeLimit)
        guard (0...evaluator.length).contains(run.tokens) else {
            throw MonosemeError("the run of \(run.dictionary.name) in \(quoted(catalogue.path, limit: 400)) is damaged: it has seen \(run.tokens) of \(evaluator.length) tokens", hint: "monoseme check lists all damage")
        }
        (self.catalogue, self.run) = (catalogue, run)
    }

    /// The tokens where a rule holds; those of the rule asked for last are kept.
    public func marks(of rule: LabelRule, report: (TaggingProgress) -> Void = { _ in }) throws -> RuleMarks {
        if let last, last.rule == rule { return last.marks }
        let marks = RuleMarks(try evaluator.positions(of: rule, report: report), documents, tokens: run.tokens)
        last = (rule, marks)
        return marks
    }

    public func firings(of feature: Int) throws -> PostingList {
        let firings = try catalogue.firings(of: feature, in: run)
        guard firings.positions.last.map({ $0 < run.tokens }) ?? true, zip(firings.positions, firings.positions.dropFirst()).allSatisfy({ $0 < $1 }) else { throw catalogue.contradicted(feature, in: run) }
        return firings
    }

    public func score(_ feature: Int, against rule: LabelRule, above: Float = 0, report: (TaggingProgress) -> Void = { _ in }) throws -> RuleScore {
        RuleScore(try firings(of: feature), against: try marks(of: rule, report: report), documents, tokens: run.tokens, above: above)
    }
}

extension RuleScore {
    /// As a row of `label_score`: method `rule`, F1 as its value.
    /// - Parameters:
    ///   - label: its number; 0 where it is yet to be added.
    ///   - documents: which were counted.
    public func entry(label: Int, _ feature: FeatureName, _ rule: LabelRule, above: Float = 0, documents: String = "all") -> LabelScoreEntry {
        var entry = LabelScoreEntry(label: label, feature: feature, method: "rule")
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("rule", rule.description)
            writer.member("above", above)
            writer.member("documents", documents)
        }
        entry.parameters = String(decoding: writer.drain(), as: UTF8.self)
        (entry.value, entry.interval) = (f1?.value, f1?.interval)
        entry.counts = .init(truePositives: truePositives, falsePositives: falsePositives, falseNegatives: falseNegatives, trueNegatives: trueNegatives)
        (entry.precisionInterval, entry.recallInterval) = (precision?.interval, recall?.interval)
        return entry
    }
}
