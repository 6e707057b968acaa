import FeatureCatalogue
import Formats

/// What labelling and scoring would take, from the very questions that would be asked; nothing is sent for it.
///
/// Prompt tokens are counted as the ledger counts them (`TokenCount`). Answers are taken to be what a model says that does as it is told: a label of 48
/// bytes, a list of digits. A label that is not there yet stands in the prompts that judge it with as many bytes.
public struct LabellingEstimate: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        /// `explain`, `detection`, `fuzzing`, `simulation`, `sparse-simulation`.
        public let purpose: String
        /// The label on features that are not its own.
        public let isBaseline: Bool
        /// Whether it was asked for, or is told for comparison.
        public let isWanted: Bool
        public var calls = 0
        public var promptTokens = 0
        public var completionTokens = 0
        /// If every answer were as long as it may be.
        public var completionTokensMaximum = 0
    }

    /// Features that would be asked about, and those that would be left out.
    public internal(set) var features = 0
    public internal(set) var omitted = 0
    /// Features that were looked at; fewer than there are where there are many, and numbers are then scaled up.
    public internal(set) var sampled = 0
    public internal(set) var parts: [Part] = []

    public var wanted: Part {
        parts.filter(\.isWanted).reduce(into: Part(purpose: "all", isBaseline: false, isWanted: true)) {
            $0.calls += $1.calls
            $0.promptTokens += $1.promptTokens
            $0.completionTokens += $1.completionTokens
            $0.completionTokensMaximum += $1.completionTokensMaximum
        }
    }
}

extension Labeller {
    /// Of a selection larger than this, so many features, spread evenly, are looked at.
    public static let featuresEstimated = 1000

    /// What `label` would take.
    public func estimate(report: (Int, Int) -> Void = { _, _ in }) throws -> LabellingEstimate {
        try estimate(try catalogue.selected(by: request, in: source.run.dictionary).map { ($0, nil) }, report)
    }

    /// What `score` would take.
    public func estimate(scoring features: [Int], report: (Int, Int) -> Void = { _, _ in }) throws -> LabellingEstimate {
        try estimate(try labelled(features).map { ($0.feature, ($0.id, $0.text)) }, report)
    }

    private func estimate(_ all: [(feature: Int, label: (id: Int, text: String)?)], _ report: (Int, Int) -> Void) throws -> LabellingEstimate {
        let count = min(all.count, Labeller.featuresEstimated), chosen = (0..<count).map { all[$0 * all.count / count] }
        var tally = Tally(request), labels: [ScoredLabel] = [], omitted = 0
        for (place, (feature, given)) in chosen.enumerated() {
            report(place, count)
            var label: ScoredLabel
            if let given {
                label = ScoredLabel(feature: feature, id: given.id, text: given.text, train: try catalogue.trainExamples(of: given.id))
            } else if let known = try catalogue.explained(id(feature), request) {
                if known.isUnknown { continue }
                label = ScoredLabel(feature: feature, id: known.id, text: known.text, train: try catalogue.trainExamples(of: known.id))
            } else {
                guard case .success(let drawn) = try train(feature) else { omitted += 1; continue }
                // No two are the same, as no two labels should be: the same question would be asked once.
                let text = "\(feature) " + String(repeating: "x", count: Explainer.labelBytesAssumed - 1 - String(feature).utf8.count)
                tally.add("explain", isBaseline: false, try explanation(of: feature, from: drawn).request, answer: text)
                label = ScoredLabel(feature: feature, id: nil, text: text, train: drawn.examples.map { $0.row(.train) })
            }
            for sheet in try sheets(on: feature, excluding: label.train, ScoringMethod.allCases).sheets {
                if let id = label.id, try catalogue.score(of: id, on: self.id(feature), by: sheet.method, nil, request) != nil { continue }
                tally.add(sheet, questions(sheet, label.text, on: feature), isBaseline: false)
            }
            labels.append(label)
        }
        if request.withBaselines, !request.methods.isEmpty {
            for pair in try pairs(of: labels).pairs {
                for sheet in try sheets(of: pair, ScoringMethod.allCases) {
                    if let id = pair.label.id, try catalogue.score(of: id, on: self.id(pair.feature), by: sheet.method, pair.kind, request) != nil { continue }
                    tally.add(sheet, questions(sheet, pair.label.text, on: pair.feature), isBaseline: true)
                }
            }
        }
        let scale = count == 0 ? 0 : Double(all.count) / Double(count)
        func scaled(_ number: Int) -> Int { all.count == count ? number : Int((Double(number) * scale).rounded()) }
        var estimate = LabellingEstimate()
        (estimate.sampled, estimate.omitted, estimate.features) = (count, scaled(omitted), all.count - scaled(omitted))
        estimate.parts = tally.parts.filter { $0.calls > 0 || $0.isWanted }.map { part in
            var part = part
            (part.calls, part.promptTokens) = (scaled(part.calls), scaled(part.promptTokens))
            (part.completionTokens, part.completionTokensMaximum) = (scaled(part.completionTokens), scaled(part.completionTokensMaximum))
            return part
        }
        return estimate
    }

    private struct Tally {
        var parts: [LabellingEstimate.Part]
        /// The same question is asked once.
        private var asked: Set<[UInt8]> = []

        init(_ request: LabellingRequest) {
            let isScored = !request.methods.isEmpty
            parts = [.init(purpose: "explain", isBaseline: false, isWanted: true)] + ScoringMethod.allCases.flatMap { method in
                [false, true].map { .init(purpose: method.rawValue, isBaseline: $0, isWanted: request.methods.contains(method) && (!$0 || request.withBaselines)) }
            }.filter { !$0.isBaseline || request.withBaselines && isScored }
        }

        mutating func add(_ purpose: String, isBaseline: Bool, _ request: ChatRequest, answer: String) {
            guard let place = parts.firstIndex(where: { $0.purpose == purpose && $0.isBaseline == isBaseline }),
                  asked.insert(SHA256.digest((parts[place].isWanted ? "" : purpose) + request.body)).inserted else { return }
            parts[place].calls += 1
            parts[place].promptTokens += TokenCount.prompt(request.messages)
            parts[place].completionTokens += TokenCount.tokens(in: answer)
            parts[place].completionTokensMaximum += request.maximumTokens
        }

        mutating func add(_ sheet: ScoreSheet, _ questions: [Question], isBaseline: Bool) {
            for (batch, question) in questions.enumerated() { add(sheet.method.rawValue, isBaseline: isBaseline, question.request, answer: sheet.expectedAnswer(batch)) }
        }
    }
}
