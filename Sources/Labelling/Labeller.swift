import Diagnostics
import FeatureCatalogue
import Formats
import Numerics
import SQLite

/// Labels features by a language model and has labels judged by one.
///
/// Each feature is an inquiry of two rounds: what it means, and then all questions of all scores. Its label and scores are entered when all are answered;
/// answers are kept as they come, so that whatever ends the work, the same request goes on with it and nothing is paid for twice. When all are
/// through, labels are scored on features that are not theirs.
public final class Labeller {
    public let request: LabellingRequest
    let catalogue: Catalogue
    let source: ExampleSource
    private let now: () -> String

    /// - Parameter now: the time in RFC 3339, UTC.
    public init(_ catalogue: Catalogue, _ request: LabellingRequest, now: @escaping () -> String) throws {
        guard !request.model.isEmpty, request.model.utf8.count <= 256, !request.model.utf8.contains(0) else { throw MonosemeError("\(quoted(request.model)) is no name of a model", hint: "a name has at most 256 bytes and no NUL") }
        (self.catalogue, self.request, self.now) = (catalogue, request, now)
        source = try ExampleSource(catalogue, of: request.dictionary)
    }

    public struct Progress: Sendable {
        /// Features whose labels and scores are entered, of all there are.
        public var features = 0
        public var featuresExpected = 0
        /// Labels that were scored on features not their own.
        public var baselines = 0
        public var baselinesExpected = 0
        public var asking = AskingProgress()
    }

    /// The dictionary came with examples of its firings, and where its features are silent is not known.
    public var holdsExamplesOnly: Bool { source.holdsExamplesOnly }
    /// Whether the dictionary has been run over all of its corpus; only what it was run over is looked at.
    public var isComplete: Bool { source.run.isComplete }

    /// Labels the features selected, and scores the labels.
    public func label(with ledger: CallLedger, stop: @escaping @Sendable () -> Bool = { false }, report: (Progress) -> Void = { _ in }) throws -> LabellingReport {
        let features = try catalogue.selected(by: request, in: source.run.dictionary)
        return work(with: ledger, features.count, stop, report) { features.lazy.map { LabelInquiry(self, $0, label: nil) } }
    }

    /// Scores the labels that features go by, whoever gave them.
    /// - Parameter features: by index.
    public func score(_ features: [Int], with ledger: CallLedger, stop: @escaping @Sendable () -> Bool = { false }, report: (Progress) -> Void = { _ in }) throws -> LabellingReport {
        let labels = try labelled(features)
        return work(with: ledger, labels.count, stop, report) { labels.lazy.map { LabelInquiry(self, $0.feature, label: ($0.id, $0.text)) } }
    }

    /// The labels that features go by; those without one are left out.
    func labelled(_ features: [Int]) throws -> [(feature: Int, id: Int, text: String)] {
        try Set(features).sorted().compactMap { feature in
            _ = try catalogue.feature(name(feature))
            return try catalogue.currentLabel(of: source.run.dictionary.featureID(feature)).map { (feature, $0.id, $0.text) }
        }
    }

    /// Features of the dictionary that go by a label, by index.
    public func labelledFeatures() throws -> [Int] {
        try catalogue.connection.rows("SELECT feature_id & 4294967295 FROM feature_label WHERE feature_id >= ? AND feature_id < ? ORDER BY feature_id", .init(id(0)), .init(id(1 << 32))) { $0.integer(0) }
    }

    /// Of these, how many go by a label.
    public func countLabelled(_ features: [Int]) throws -> Int { try labelled(features).count }

    private func work(with ledger: CallLedger, _ count: Int, _ stop: @escaping @Sendable () -> Bool, _ report: (Progress) -> Void, _ inquiries: () -> some Sequence<LabelInquiry>) -> LabellingReport {
        var result = LabellingReport(), progress = Progress(), begun: [LabelInquiry] = []
        progress.featuresExpected = count
        func asking(_ more: AskingProgress, after before: AskingProgress) -> AskingProgress {
            var sum = more
            (sum.sent, sum.reused, sum.malformed, sum.retries) = (more.sent + before.sent, more.reused + before.reused, more.malformed + before.malformed, more.retries + before.retries)
            (sum.promptTokens, sum.completionTokens) = (more.promptTokens &+ before.promptTokens, more.completionTokens &+ before.completionTokens)
            (sum.spent, sum.lost) = (more.spent + before.spent, more.lost + before.lost)
            sum.lastRetry = more.lastRetry ?? before.lastRetry
            return sum
        }
        do {
            var rest = inquiries().makeIterator()
            try ledger.pursue(parallel: request.parallel, stop: stop, report: { said in
                progress.features = said.finishedInquiries
                progress.asking = said
                report(progress)
            }, next: {
                guard let next = rest.next() else { return nil }
                begun.append(next)
                return next
            })
        } catch { result.problem = error }
        result.features = begun.compactMap(\.result).sorted { $0.name.index < $1.name.index }
        if result.problem == nil, request.withBaselines, !request.methods.isEmpty {
            do {
                let scored = begun.compactMap(\.scored).sorted { $0.feature < $1.feature }
                let (pairs, missing) = try pairs(of: scored)
                result.missingBaselines = missing
                progress.baselinesExpected = pairs.count
                let before = progress.asking
                var rest = pairs.makeIterator(), inquiries: [BaselineInquiry] = []
                defer {
                    for inquiry in inquiries { for score in inquiry.results { add(score.value, score.method, inquiry.pair, to: &result) } }
                }
                try ledger.pursue(parallel: request.parallel, stop: stop, report: { said in
                    progress.baselines = said.finishedInquiries
                    progress.asking = asking(said, after: before)
                    report(progress)
                }, next: {
                    guard let pair = rest.next() else { return nil }
                    let inquiry = BaselineInquiry(self, pair)
                    inquiries.append(inquiry)
                    return inquiry
                })
            } catch { result.problem = error }
        }
        result.progress = progress.asking
        return result
    }

    private func add(_ value: Double?, _ method: ScoringMethod, _ pair: BaselinePair, to result: inout LabellingReport) {
        guard let place = result.features.firstIndex(where: { $0.name.index == pair.subject }), let score = result.features[place].scores.firstIndex(where: { $0.method == method }) else { return }
        switch pair.kind {
        case .randomLabel: result.features[place].scores[score].randomLabel = value
        case .shuffledFeature: result.features[place].scores[score].shuffledFeature = value
        }
    }

    // MARK: For inquiries

    func name(_ feature: Int) -> FeatureName { FeatureName(dictionary: request.dictionary, index: feature) }
    func id(_ feature: Int) -> Int { source.run.dictionary.featureID(feature) }
    var time: String { now() }

    /// The windows to explain from, or why there are too few.
    func train(_ feature: Int) throws -> Result<Drawn, Omission> {
        let isScored = !request.methods.isEmpty, needed = ExampleCounts.minimum * (isScored ? 2 : 1)
        let active = try source.evidence(of: feature).windows.count
        if active < needed {
            return .failure(Omission(active == 0 ? "it does not fire in these \(grouped(source.run.tokens)) tokens" : "too few examples: \(active) activating window\(active == 1 ? "" : "s"), \(needed) needed"))
        }
        let drawn = try source.train(feature, request.counts, isScored: isScored, contrastive: request.isContrastive)
        // What is written in several places is one example.
        let distinct = drawn.active.count
        return distinct < ExampleCounts.minimum ? .failure(Omission("too few examples: \(distinct) different activating windows, \(needed) needed")) : .success(drawn)
    }

    func explanation(of feature: Int, from drawn: Drawn) throws -> Question {
        try source.explanation(of: feature, drawn, model: request.model, maximumTokens: request.explainerTokens, temperature: request.temperature, seed: request.seed, isContrastive: request.isContrastive)
    }

    /// What a label is to be asked on the examples of a feature.
    /// - Parameter excluding: windows that labels concerned were made from.
    func sheets(on feature: Int, excluding train: [LabelExample], _ methods: [ScoringMethod]) throws -> (sheets: [ScoreSheet], omitted: [LabellingReport.Unscored]) {
        let test = try source.test(feature, request.counts, excluding: train)
        var sheets: [ScoreSheet] = [], omitted: [LabellingReport.Unscored] = []
        for method in methods {
            if let reason = ScoreSheet.omission(method, test, holdsExamplesOnly: source.holdsExamplesOnly) { omitted.append(.init(method: method, reason: reason)); continue }
            var random = SeededGenerator(seed: request.counts.seed, stream: UInt64(truncatingIfNeeded: feature) << 8 | UInt64(16 + ScoringMethod.allCases.firstIndex(of: method)!))
            sheets.append(ScoreSheet(method, test, &random))
        }
        return (sheets, omitted)
    }

    func questions(_ sheet: ScoreSheet, _ label: String, on feature: Int) -> [Question] {
        sheet.questions(label, model: request.model, temperature: request.temperature, seed: request.seed, maximumTokens: request.maximumTokens, feature: id(feature))
    }

    /// Enters a score and its judgements.
    func enter(_ sheet: ScoreSheet, _ outcomes: [Outcome], label: Int, of owner: Int, on feature: Int, _ baseline: ScoreBaseline?) throws -> LabellingReport.Score {
        let judgements = sheet.judgements(outcomes), value = sheet.value(judgements)
        // Windows are the label's own test examples, or stand for those of another feature: then what counts is how strong its own is there.
        let own = baseline == nil ? nil : try source.evidence(of: owner)
        let examples = sheet.batches.flatMap { $0 }.map(\.example).map { example -> LabelExample in
            guard let own else { return example.row(.test) }
            let activation = own.activations(at: example.firstPosition..<example.firstPosition + example.tokens).max() ?? 0
            return LabelExample(firstPosition: example.firstPosition, tokens: example.tokens, role: .test, kind: "baseline", activation: Double("\(activation)") ?? Double(activation))
        }
        try catalogue.connection.transaction { try catalogue.addExamples(examples, to: label) }
        var score = LabelScoreEntry(label: label, feature: name(feature), method: sheet.method.rawValue)
        (score.baseline, score.judge, score.prompt, score.parameters) = (baseline, request.model, sheet.method.template.prompt, request.scoreParameters(sheet.method).text)
        (score.value, score.interval, score.judgements) = (value.value, value.interval, judgements)
        score.calls = outcomes.reduce(0) { $0 + $1.calls.count }
        for outcome in outcomes {
            score.usage.promptTokens &+= outcome.usage.promptTokens
            score.usage.completionTokens &+= outcome.usage.completionTokens
            score.usage.cost += outcome.usage.cost
        }
        _ = try catalogue.addScore(score, author: request.model, at: now())
        return LabellingReport.Score(method: sheet.method, value: value.value, interval: value.interval, examples: judgements.count, unanswered: sheet.method.isBinary
            ? judgements.count { $0.verdict == nil } : zip(sheet.batches, outcomes).count { $1.answer == nil })
    }
}

/// Why a feature is not asked about.
struct Omission: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// One feature: what it means, and how well that holds.
final class LabelInquiry: Inquiry {
    private let labeller: Labeller
    private let feature: Int
    private var label: (id: Int?, text: String, isUnknown: Bool)?
    /// Entered when the inquiry ends.
    private var entry: LabelEntry?
    private var train: [LabelExample] = []
    private var drawn: Drawn?
    private var isAsked = false
    private var isBegun = false
    private var sheets: [(sheet: ScoreSheet, outcomes: [Outcome])] = []
    private var known: [LabellingReport.Score] = []
    private var unscored: [LabellingReport.Unscored] = []
    private var failure: LabellingReport.Feature.State?
    /// Once it has ended.
    private(set) var result: LabellingReport.Feature?
    /// Once it has ended with a label and scores.
    private(set) var scored: ScoredLabel?

    /// - Parameter label: the one to be scored; `nil`: one is to be found.
    init(_ labeller: Labeller, _ feature: Int, label: (id: Int, text: String)?) {
        (self.labeller, self.feature) = (labeller, feature)
        self.label = label.map { ($0.id, $0.text, false) }
    }

    func questions(after outcomes: [Outcome]) throws -> [Question] {
        if !isBegun {
            isBegun = true
            if label == nil, let found = try labeller.catalogue.explained(labeller.id(feature), labeller.request) { label = (found.id, found.text, found.isUnknown) }
            if let id = label?.id {
                train = try labeller.catalogue.trainExamples(of: id)
                return try scoring()
            }
            switch try labeller.train(feature) {
            case .failure(let omission):
                failure = .omitted(omission.reason)
                return []
            case .success(let drawn):
                self.drawn = drawn
                return [try labeller.explanation(of: feature, from: drawn)]
            }
        }
        if label == nil, failure == nil {
            guard let answer = outcomes[0].answer, case .success(let explanation) = Explanation.read(answer) else {
                failure = .malformed(outcomes[0].problem ?? "it is no label")
                return []
            }
            try take(explanation, outcomes[0])
            return try scoring()
        }
        guard !isAsked else { return [] }
        isAsked = true
        var rest = outcomes[...]
        for place in sheets.indices {
            sheets[place].outcomes = Array(rest.prefix(sheets[place].sheet.batches.count))
            rest = rest.dropFirst(sheets[place].sheet.batches.count)
        }
        return []
    }

    private func take(_ explanation: Explanation, _ outcome: Outcome) throws {
        let (text, isUnknown) = switch explanation {
        case .label(let text): (text, false)
        case .unknown(let text): (text, true)
        }
        let request = labeller.request
        train = drawn!.examples.map { $0.row(.train) }
        var parameters = request.explainParameters.object!
        if let sha256 = try labeller.catalogue.requestSHA256(of: outcome.call) { parameters["request"] = .string(sha256) }
        label = (nil, text, isUnknown)
        entry = LabelEntry(text, for: labeller.name(feature), author: request.model, authorKind: .model, method: "explain", status: .draft, isUnknown: isUnknown,
                           prompt: Explainer.template(contrastive: request.isContrastive).prompt, parameters: JSON.object(parameters).text, usage: outcome.usage, examples: train)
    }

    private func scoring() throws -> [Question] {
        guard let label, !label.isUnknown else { return [] }
        var methods: [ScoringMethod] = []
        for method in labeller.request.methods {
            if let id = label.id, let score = try labeller.catalogue.score(of: id, on: labeller.id(feature), by: method, nil, labeller.request) { known.append(score) } else { methods.append(method) }
        }
        let (sheets, omitted) = try labeller.sheets(on: feature, excluding: train, methods)
        self.sheets = sheets.map { ($0, []) }
        unscored = omitted
        return sheets.flatMap { labeller.questions($0, label.text, on: feature) }
    }

    func finish() throws {
        let catalogue = labeller.catalogue, name = labeller.name(feature)
        var result = LabellingReport.Feature(name: name, state: failure ?? .labelled)
        if case .omitted(let reason) = failure { try catalogue.omit(name, from: "explain", because: reason, at: labeller.time) }
        if case .malformed(let problem) = failure { try catalogue.omit(name, from: "explain", because: "no usable answer: \(problem)", at: labeller.time) }
        if let entry {
            // Another process may have done the same meanwhile.
            label!.id = try catalogue.explained(labeller.id(feature), labeller.request)?.id ?? catalogue.addLabel(entry, at: labeller.time).id
            try catalogue.admit(name, to: "explain")
        }
        if let label, let id = label.id {
            result.state = label.isUnknown ? .unknown : .labelled
            (result.label, result.id) = (label.text, id)
            var scores = known
            for (sheet, outcomes) in sheets {
                scores.append(try labeller.enter(sheet, outcomes, label: id, of: feature, on: feature, nil))
                try catalogue.admit(name, to: sheet.method.rawValue)
            }
            for missing in unscored { try catalogue.omit(name, from: missing.method.rawValue, because: missing.reason, at: labeller.time) }
            result.scores = labeller.request.methods.compactMap { method in scores.first { $0.method == method } }
            result.unscored = unscored
            if !label.isUnknown { scored = ScoredLabel(feature: feature, id: id, text: label.text, train: train) }
        }
        self.result = result
    }
}
