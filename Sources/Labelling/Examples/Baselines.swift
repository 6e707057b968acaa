import FeatureCatalogue
import Numerics

/// A label that was scored, with the windows it was made from.
struct ScoredLabel: Sendable {
    let feature: Int
    /// `nil` in an estimate.
    let id: Int?
    let text: String
    let train: [LabelExample]
}

/// A label and the feature whose examples it is held against, which is not its own.
struct BaselinePair: Sendable {
    let kind: ScoreBaseline
    /// Whose baseline it is.
    let subject: Int
    let label: ScoredLabel
    /// Whose examples.
    let feature: Int
    /// Of these examples, those that the feature's own label was made from: left out, so that the baseline is on the same windows as the score.
    let train: [LabelExample]
}

extension Labeller {
    /// A random-label and a shuffled-feature baseline for each label: all labels stand in a circle, in an order drawn by the seed, and each changes with the next.
    ///
    /// One label alone changes with another of the dictionary's, and with a feature drawn at random.
    func pairs(of labels: [ScoredLabel]) throws -> (pairs: [BaselinePair], missing: String?) {
        guard labels.count > 1 else {
            guard let label = labels.first else { return ([], nil) }
            return try pairs(ofOne: label)
        }
        var random = SeededGenerator(seed: request.counts.seed, stream: 0xba5e), order = Array(labels.indices)
        order.shuffle(using: &random)
        var pairs: [[BaselinePair]] = labels.map { _ in [] }
        for (place, own) in order.enumerated() {
            let label = labels[own], other = labels[order[(place + 1) % order.count]]
            pairs[own] = [BaselinePair(kind: .randomLabel, subject: label.feature, label: other, feature: label.feature, train: label.train),
                          BaselinePair(kind: .shuffledFeature, subject: label.feature, label: label, feature: other.feature, train: other.train)]
        }
        return (pairs.flatMap { $0 }, nil)
    }

    private func pairs(ofOne label: ScoredLabel) throws -> ([BaselinePair], String?) {
        let dictionary = source.run.dictionary
        var random = SeededGenerator(seed: request.counts.seed, stream: 0xba5e &+ UInt64(label.feature)), pairs: [BaselinePair] = []
        let labelled = try labelledFeatures().filter { $0 != label.feature }
        if !labelled.isEmpty {
            let other = labelled[random.index(below: labelled.count)]
            if let found = try catalogue.currentLabel(of: id(other)) {
                pairs.append(BaselinePair(kind: .randomLabel, subject: label.feature, label: ScoredLabel(feature: other, id: found.id, text: found.text, train: try catalogue.trainExamples(of: found.id)), feature: label.feature, train: label.train))
            }
        }
        // One that has enough examples, if it can be met with in a hundred draws.
        for _ in 0..<100 where dictionary.features > 1 {
            let other = random.index(below: dictionary.features)
            guard other != label.feature, try source.evidence(of: other).windows.count >= 2 * ExampleCounts.minimum else { continue }
            pairs.append(BaselinePair(kind: .shuffledFeature, subject: label.feature, label: label, feature: other, train: []))
            break
        }
        let missing = [("random-label", ScoreBaseline.randomLabel, "no other feature of \(dictionary.name) has a label"), ("shuffled-feature", .shuffledFeature, "no other feature with enough examples was found")]
            .filter { one in !pairs.contains { $0.kind == one.1 } }.map { "no \($0.0) baseline: \($0.2)" }
        return (pairs, missing.isEmpty ? nil : missing.joined(separator: "; "))
    }

    func sheets(of pair: BaselinePair, _ methods: [ScoringMethod]) throws -> [ScoreSheet] { try sheets(on: pair.feature, excluding: pair.label.train + pair.train, methods).sheets }
}

/// A label held against a feature that is not its own.
final class BaselineInquiry: Inquiry {
    let pair: BaselinePair
    private let labeller: Labeller
    private var sheets: [(sheet: ScoreSheet, outcomes: [Outcome])] = []
    private var isBegun = false
    private(set) var results: [LabellingReport.Score] = []

    init(_ labeller: Labeller, _ pair: BaselinePair) { (self.labeller, self.pair) = (labeller, pair) }

    func questions(after outcomes: [Outcome]) throws -> [Question] {
        guard isBegun else {
            isBegun = true
            var methods: [ScoringMethod] = []
            for method in labeller.request.methods {
                if let score = try labeller.catalogue.score(of: pair.label.id!, on: labeller.id(pair.feature), by: method, pair.kind, labeller.request) { results.append(score) } else { methods.append(method) }
            }
            if methods.isEmpty { return [] }
            sheets = try labeller.sheets(of: pair, methods).map { ($0, []) }
            return sheets.flatMap { labeller.questions($0.sheet, pair.label.text, on: pair.feature) }
        }
        var rest = outcomes[...]
        for place in sheets.indices {
            sheets[place].outcomes = Array(rest.prefix(sheets[place].sheet.batches.count))
            rest = rest.dropFirst(sheets[place].sheet.batches.count)
        }
        return []
    }

    func finish() throws {
        for (sheet, outcomes) in sheets { results.append(try labeller.enter(sheet, outcomes, label: pair.label.id!, of: pair.label.feature, on: pair.feature, pair.kind)) }
    }
}
