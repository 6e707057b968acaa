import Diagnostics
import FeatureCatalogue
import Formats
import Numerics

/// A way to have a label judged by a language model.
public enum ScoringMethod: String, Sendable, CaseIterable {
    /// Of each text: does the label fit it? Balanced accuracy on texts in which the feature fires and others in which it is silent.
    case detection
    /// Of each text with marks: are these the tokens that the label means? Balanced accuracy on the feature's own tokens and as many others.
    case fuzzing
    /// The label's holder says how strong the feature is on each token: correlation with the truth over all tokens.
    case simulation
    /// The same on texts in which the feature fires: half the price, and blind to where a label promises too much.
    case sparseSimulation = "sparse-simulation"

    var template: PromptTemplate {
        switch self {
        case .detection: Detection.template
        case .fuzzing: Fuzzing.template
        case .simulation, .sparseSimulation: Simulation.template
        }
    }

    /// Texts in one call, where several can be asked about.
    var batch: Int {
        switch self {
        case .detection, .fuzzing: 5
        case .simulation, .sparseSimulation: 1
        }
    }

    /// Whether it asks about windows in which the feature is silent.
    var needsSilence: Bool { self == .detection || self == .simulation }
    var isBinary: Bool { self == .detection || self == .fuzzing }
}

/// One label before the judge: what is asked about, call by call, and what the answers come to.
struct ScoreSheet: Sendable {
    /// One example as the judge sees it.
    struct Item: Sendable, Equatable {
        let example: Example
        let isTrue: Bool
        /// Fuzzing: the pieces marked.
        var marks: [Int] = []
    }

    let method: ScoringMethod
    /// The items of each call.
    let batches: [[Item]]

    /// - Parameter random: orders the examples, and draws wrong marks.
    init(_ method: ScoringMethod, _ test: Drawn, _ random: inout SeededGenerator) {
        self.method = method
        batches = switch method {
        case .detection: Detection.batches(test, &random)
        case .fuzzing: Fuzzing.batches(test, &random)
        case .simulation: test.examples.map { [Item(example: $0, isTrue: $0.isActive)] }
        case .sparseSimulation: test.active.map { [Item(example: $0, isTrue: true)] }
        }
    }

    /// Why there is nothing to be asked; `nil`: there is.
    static func omission(_ method: ScoringMethod, _ test: Drawn, holdsExamplesOnly: Bool) -> String? {
        let needed = ExampleCounts.minimum
        if test.active.count < needed { return tooFew(test.active.count, "active", needed) }
        guard method.needsSilence else { return nil }
        if !test.knowsSilence {
            return holdsExamplesOnly ? "only examples of its firings are known: where it is silent is not" : "only its strongest firings were kept: where it is silent is not known"
        }
        return test.silent.count < needed ? tooFew(test.silent.count, "silent", needed) : nil
    }

    private static func tooFew(_ count: Int, _ kind: String, _ needed: Int) -> String { "too few examples: \(count) \(kind) window\(count == 1 ? "" : "s") to score on, \(needed) needed" }

    func questions(_ label: String, model: String, temperature: Double, seed: Int?, maximumTokens: Int?, feature: Int) -> [Question] {
        batches.map { items in
            let values = ["label": jsonString(label), "count": String(method.isBinary ? items.count : items[0].example.pieces.count), "texts": items.map { text($0) }.joined(separator: "\n")]
            let method = method, count = method.isBinary ? items.count : items[0].example.pieces.count
            // A list of digits takes a token for each, or two with its comma, and some models cannot but say a word before it.
            let request = ChatRequest(model: model, messages: method.template.messages(values), temperature: temperature, maximumTokens: maximumTokens ?? 64 + 4 * count, seed: seed)
            return Question(request, purpose: method.rawValue, feature: feature) { ScoreSheet.problem(with: $0, method, count) }
        }
    }

    private func text(_ item: Item) -> String {
        switch method {
        case .detection: jsonString(item.example.text)
        case .fuzzing: jsonString(item.example.marked { item.marks.contains($0) })
        case .simulation, .sparseSimulation: Simulation.text(item.example)
        }
    }

    /// What a judge that does as it is told answers with, to the byte: for estimates.
    func expectedAnswer(_ batch: Int) -> String {
        let count = method.isBinary ? batches[batch].count : batches[batch][0].example.pieces.count
        return "[" + Array(repeating: "0", count: count).joined(separator: ",") + "]"
    }

    private static func problem(with answer: String, _ method: ScoringMethod, _ count: Int) -> String? {
        if method.isBinary { return Detection.verdicts(answer, count) == nil ? AnswerText.problem(with: answer, expected: "\(count) of 0 or 1") : nil }
        return Simulation.strengths(answer, count) == nil ? AnswerText.problem(with: answer, expected: "\(count) of 0 to 9") : nil
    }

    /// A row for each example, in the order in which they were asked about; `answers` and `calls` are the batches'.
    func judgements(_ outcomes: [Outcome]) -> [LabelJudgement] {
        zip(batches, outcomes).flatMap { items, outcome -> [LabelJudgement] in
            let verdicts = outcome.answer.flatMap { method.isBinary ? Detection.verdicts($0, items.count) : nil }
            return items.enumerated().map { place, item in
                var judgement = LabelJudgement(firstPosition: item.example.firstPosition, isTrue: item.isTrue, verdict: verdicts?[place], call: outcome.call)
                judgement.detail = detail(item, outcome)
                return judgement
            }
        }
    }

    private func detail(_ item: Item, _ outcome: Outcome) -> String? {
        var writer = JSONWriter()
        var members = 0
        writer.object { writer in
            if method == .fuzzing {
                writer.key("marked")
                writer.array { for mark in item.marks { $0.value(mark) } }
                members += 1
            }
            if !method.isBinary, let predicted = outcome.answer.flatMap({ Simulation.strengths($0, item.example.pieces.count) }) {
                writer.key("predicted")
                writer.array { for value in predicted { $0.value(value) } }
                writer.key("true")
                writer.array { for piece in item.example.pieces { $0.value(piece.activation) } }
                members += 2
            }
            if let problem = outcome.problem { writer.member("problem", problem); members += 1 }
        }
        return members == 0 ? nil : writer.text
    }
}
