@testable import Analyses
import Diagnostics
import FeatureCatalogue
import Foundation
import Numerics
import SQLite
import Testing

// Mutations tried: precision and recall exchanged; the rule carried over the beginning of a document; `above` taken as at least; the variance of single tokens.

@Suite struct RuleScoreTests {
    struct Interval: Sendable {
        let documents: [[Int]]
        let value, low, high: Double

        init(_ documents: [[Int]], _ value: Double, _ low: Double, _ high: Double) { (self.documents, self.value, self.low, self.high) = (documents, value, low, high) }
    }

    /// By numpy and scipy: the jackknife done document by document, Wilson's bounds as the roots of (p − R)² = t²·p·(1 − p)/n, t from scipy.stats.t.
    static let intervals: [Interval] = [
        Interval([[3, 4], [0, 5], [7, 7], [1, 2]], 0.6111111111, 0.06485604159, 0.9726817152),
        Interval([[5, 5], [9, 9], [1, 1]], 1, 0.01972666449, 1),
        Interval([[0, 3], [0, 8], [0, 1], [0, 2]], 0, 0, 0.9336373804),
        Interval([[10, 40], [0, 0]], 0.25, 0, 1),
        Interval([[1, 100], [2, 100], [0, 100], [1, 100], [3, 100], [1, 100]], 0.01333333333, 0.005542311412, 0.03172705371),
        Interval([[50, 1000], [1, 2], [1, 3], [0, 1], [2, 2]], 0.05357142857, 5.651474068e-06, 0.998239208),
        Interval([[1, 2], [1, 2]], 0.5, 0.003068499341, 0.9969315007),
        Interval([[12, 20], [13, 20], [12, 20], [12, 20], [13, 20]], 0.62, 0.4812751269, 0.7415482079),
    ]

    @Test(arguments: intervals) func `intervals are those of numpy and scipy`(each: Interval) throws {
        let estimate = try #require(RatioEstimate(each.documents.map { (numerator: $0[0], denominator: $0[1]) }))
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-8 * max(1e-3, abs(b)) }
        #expect(close(estimate.value, each.value) && close(estimate.interval.lowerBound, each.low) && close(estimate.interval.upperBound, each.high), "\(estimate)")
    }

    @Test func `nothing to divide by has no estimate`() { #expect(RatioEstimate([(numerator: 0, denominator: 0)]) == nil) }

    /// 1,500 corpora of clustered tokens: documents of unequal length in which the rule holds in bursts, with a precision of their own. The truth is what all of them together say.
    @Test(arguments: [(100, 0.3, 0.5, 0.8), (100, 0.3, 1.0, 0.9), (60, 0.5, 0.5, 0.5), (400, 0.05, 1.0, 0.7)])
    func `95 in a hundred intervals hold the truth`(documents: Int, share: Double, sigma: Double, precision: Double) {
        var random = SeededGenerator(seed: 7)
        var worlds: [[(held: Int, firings: Int, both: Int)]] = []
        for _ in 0..<1_500 {
            worlds.append((0..<documents).map { _ in
                let length = exp(4 + sigma * random.normal())
                guard random.uniform() < share else { return (0, 0, 0) }
                let held = Int(length * random.uniform() * random.uniform()), own = min(1, max(0, precision + 0.25 * random.normal()))
                let both = (0..<held).count { _ in random.uniform() < own }
                return (held, both + Int(Double(held) * 0.4 * random.uniform()), both)
            })
        }
        let all = worlds.joined().reduce((held: 0, firings: 0, both: 0)) { ($0.held + $1.held, $0.firings + $1.firings, $0.both + $1.both) }
        func coverage(_ ratio: ((held: Int, firings: Int, both: Int)) -> (numerator: Int, denominator: Int)) -> Double {
            let (above, below) = ratio(all), truth = Double(above) / Double(below)
            return Double(worlds.count { RatioEstimate($0.map(ratio))?.interval.contains(truth) ?? true }) / Double(worlds.count)
        }
        for (what, held) in [("precision", coverage { ($0.both, $0.held) }), ("recall", coverage { ($0.both, $0.firings) }), ("F1", coverage { (2 * $0.both, $0.held + $0.firings) })] {
            #expect(held >= 0.93 && held <= 0.995, "\(what): \(held)")
        }
    }

    /// Twelve documents of eight tokens; feature 0 fires on "b" with the place in its document plus 1, feature 1 on what follows "b" in a document, feature 2 never.
    private func world() throws -> RuleWorld {
        let document = ["a", "b", "c", "b", "b", "a", ",", "b"]
        return try RuleWorld((0..<12).map { (topic: $0 % 3 == 0 ? "R & D" : "other", tokens: document) }, features: 3, segmentTokens: 20) { feature, position, world in
            switch feature {
            case 0: world.tokens[position] == "b" ? Float(position % 8 + 1) : 0
            case 1: !world.isFirst[position] && world.tokens[position - 1] == "b" ? 1 : 0
            default: 0
            }
        }
    }

    struct Counted: Sendable {
        let rule: String
        let feature, above: Int
        /// held, firings, both
        let counts: [Int]

        init(_ rule: String, _ feature: Int, _ above: Int, _ counts: [Int]) { (self.rule, self.feature, self.above, self.counts) = (rule, feature, above, counts) }
    }

    /// Worked out from the twelve documents by hand.
    static let counted: [Counted] = [
        Counted("tokens:b", 0, 0, [48, 48, 48]), Counted("tokens:b,a", 0, 0, [72, 48, 48]), Counted("tokens:\\,", 0, 0, [12, 48, 0]), Counted("topic:R & D", 0, 0, [32, 48, 16]),
        Counted("topic:r \\& d & tokens:b", 0, 0, [16, 48, 16]), Counted("after:b", 0, 0, [36, 48, 12]), Counted("after:b", 1, 0, [36, 36, 36]), Counted("after:b & tokens:c", 1, 0, [12, 36, 12]),
        Counted("regex:^ab", 0, 0, [24, 48, 12]), Counted("regex:b,|,b", 0, 0, [24, 48, 12]), Counted("range:U+0062-U+0063", 0, 0, [60, 48, 48]), Counted("tokens:b", 0, 4, [48, 24, 24]),
        Counted("tokens:b", 2, 0, [48, 0, 0]), Counted("range:Hebrew", 0, 0, [0, 48, 0]),
    ]

    @Test(arguments: counted) func `a rule is counted on every token`(each: Counted) throws {
        let (rule, feature, above, counts) = (each.rule, each.feature, each.above, each.counts)
        let world = try world(), scorer = try RuleScorer(world.catalogue, world.run, timeLimit: nil)
        let score = try scorer.score(feature, against: try #require(LabelRule(rule)), above: Float(above))
        #expect([score.held, score.firings, score.both] == counts && score.tokens == 96)
        #expect(score.truePositives + score.falsePositives + score.falseNegatives + score.trueNegatives == 96)
        let precision: Double? = counts[0] == 0 ? nil : Double(counts[2]) / Double(counts[0]), recall: Double? = counts[1] == 0 ? nil : Double(counts[2]) / Double(counts[1])
        #expect(score.precision?.value == precision && score.recall?.value == recall)
        // The other way round, by the code that scores tags.
        if above == 0 {
            let other = try world.catalogue.statistics(of: feature, against: scorer.evaluator.positions(of: LabelRule(rule)!), in: world.run)
            #expect(other.specificity == score.recall?.value && other.sensitivity == score.precision?.value && other.f1 == score.f1?.value && other.massSpecificity == score.massRecall)
        }
    }

    @Test func `disagreements are the strongest misses and an even sample of false alarms`() throws {
        let world = try world(), scorer = try RuleScorer(world.catalogue, world.run, timeLimit: nil), marks = try scorer.marks(of: LabelRule("regex:^abcb")!)
        let found = RuleDisagreements(try scorer.firings(of: 0), against: marks, limit: 3)
        #expect(found.misses.map(\.position) == [7, 15, 23] && found.misses.map(\.activation) == [8, 8, 8])
        // a and c of each document: 24 tokens, of which the 5th, 13th and 21st are in the middle of three equal parts.
        #expect(found.falseAlarms == [16, 48, 80])
    }

    @Test(arguments: [
        ("tokens:B", #"no token of the vocabulary is spelled "B""#), ("tokens: b", #"no token of the vocabulary is spelled " b""#), ("topic:none", #"there is no topic "none""#), ("range:Klingon", #"Unicode has no block "Klingon""#), ("regex:(", "the pattern \"(\" is not a regular expression"),
    ]) func `what a rule names and there is not is refused`(rule: String, message: String) throws {
        let world = try world(), scorer = try RuleScorer(world.catalogue, world.run, timeLimit: nil)
        do { _ = try scorer.score(0, against: LabelRule(rule)!); Issue.record("no error") } catch { #expect((error as? MonosemeError)?.message.hasPrefix(message) == true, "\(error)") }
    }

    @Test func `a run that kept only some firings is refused`() throws {
        let world = try RuleWorld([("t", ["a", "b", "a", "a"])], features: 1, keepTop: 1) { _, position, _ in Float(position + 1) }
        do { _ = try RuleScorer(world.catalogue, world.run); Issue.record("no error") } catch {
            #expect((error as? MonosemeError)?.message == "A/0 keeps only the 1 strongest firings of each feature: how well a rule fits cannot be counted from these")
        }
    }

    @Test func `labels and scores are entered together, and not twice`() throws {
        let world = try world(), scorer = try RuleScorer(world.catalogue, world.run, timeLimit: nil), rule = LabelRule("tokens:b")!, name = FeatureName("A/0/0")!
        func said(_ outcome: RuledLabelOutcome) -> [Int] { [outcome.label, outcome.isNewLabel ? 1 : 0, outcome.isNewScore ? 1 : 0] }
        let entry = RuledLabel(LabelEntry("the letter b", for: name, author: "Ada", method: "rule", rule: rule), try scorer.score(0, against: rule).entry(label: 0, name, rule))
        #expect(try world.catalogue.enter([entry], author: "Ada", at: "t1") .map(said) == [[1, 1, 1]])
        #expect(try world.catalogue.enter([entry], author: "Ada", at: "t2") .map(said) == [[1, 0, 0]])
        #expect(try world.catalogue.connection.rows("SELECT method, value, high, true_positives, false_positives, false_negatives, true_negatives, is_stale, parameters FROM label_score_overview") { row in (0..<9).map { row.text($0) } }
            == [["rule", "1.0", "1.0", "48", "0", "0", "48", "0", #"{"rule":"tokens:b","above":0,"documents":"all"}"#]])
        #expect(try world.catalogue.connection.first("SELECT low FROM label_score") { $0.real(0) } == entry.score.interval?.lowerBound)
        // A bad one in the middle: nothing is entered.
        var bad = entry
        bad.entry?.text = " "
        do { _ = try world.catalogue.enter([RuledLabel(LabelEntry("x", for: FeatureName("A/0/1")!, author: "Ada"), entry.score), bad], author: "Ada", at: "t3"); Issue.record("no error") } catch {}
        #expect(try world.catalogue.connection.integer("SELECT count(*) FROM label") == 1)
        // Another threshold is another score; another corpus another basis.
        _ = try world.catalogue.enter([RuledLabel(nil, try scorer.score(0, against: rule, above: 4).entry(label: 1, name, rule, above: 4))], author: "Ada", at: "t4")
        #expect(try world.catalogue.connection.rows("SELECT true_positives FROM label_score ORDER BY id") { $0.integer(0) } == [48, 24])
    }
}
