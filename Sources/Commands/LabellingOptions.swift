import Diagnostics
import FeatureCatalogue
import Ingestion
import Labelling

extension LabellingRequest.Status: ArgumentValue {}

/// What `label auto` and `label score` have in common: whom to ask, at what price, and by which scores.
enum LabellingOptions {
    static let endpoint = Option<String?>("--endpoint", value: "URL", help: "A server that speaks the OpenAI chat-completions protocol, such as http://localhost:8080/v1")
    static let model = Option<String?>("--model", value: "NAME", help: "The model, as the endpoint calls it")
    static let keyVariable = Option<String?>("--key-env", value: "VAR", help: "The environment variable that holds the endpoint's key")
    static let budget = Option<Double?>("--budget", value: "USD", in: 0.0..., help: "Spend no more than this: what a call may cost at most is set aside before it is sent")
    static let priceIn = Option<Double?>("--price-in", value: "USD", in: 0.0..., help: "Price of a million prompt tokens")
    static let priceOut = Option<Double?>("--price-out", value: "USD", in: 0.0..., help: "Price of a million tokens of answers")
    static let prices = Option<String?>("--prices", value: "FILE", help: "A file of prices by model, JSON: {\"NAME\": {\"input\": USD, \"output\": USD, \"cached_input\": USD}, …}, a million tokens each")
    static let parallel = Option<Int>("--parallel", value: "N", default: 4, in: 1...256, help: "Questions under way at once")
    static let timeout = Option<Double>("--timeout", value: "SECONDS", default: 120, in: 0.1...86_400, help: "Give up a call that takes longer, and try again")
    static let train = Option<Int>("--train", value: "N", default: 20, in: 6...200, help: "Windows with firings to explain from")
    static let test = Option<Int>("--test", value: "N", default: 20, in: 6...1000, help: "Windows with firings to score on, and as many without")
    static let seed = Option<Int>("--seed", value: "N", default: 0, in: 0..., help: "For what is drawn at random")
    static let maximumTokens = Option<Int?>("--max-tokens", value: "N", in: 16...1_000_000, help: "The most tokens of an answer, for models that think aloud (default: what each question needs)")
    static let estimate = Flag("--estimate", help: "Say what it would take, and send nothing")
    static let withoutBaselines = Flag("--no-baselines", help: "Do not score labels on features that are not theirs, which costs twice what the scores do")

    static let asking: [any Parameter] = [endpoint, model, keyVariable, budget, priceIn, priceOut, prices, parallel, timeout, maximumTokens, estimate]

    /// `detection,fuzzing`.
    static func methods(_ text: String, of option: String) throws -> [ScoringMethod] {
        let names = text.split(separator: ",").map { String($0.drop { $0 == " " }) }
        let methods = try names.map { name in
            guard let method = ScoringMethod(rawValue: name) else {
                throw UsageError("\(option): \(quoted(name)) is no way of scoring by a language model", hint: "there are \(ScoringMethod.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return method
        }
        guard !methods.isEmpty, Set(methods).count == methods.count else { throw UsageError("\(option): found \(quoted(text)), expected different methods with commas between", hint: "such as detection,fuzzing") }
        return methods
    }

    /// `1,2,5-9`.
    static func indices(_ text: String, of option: String, below count: Int) throws -> [Int] {
        try text.split(separator: ",", omittingEmptySubsequences: false).flatMap { part -> [Int] in
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, part.utf8.allSatisfy({ $0 == 0x2d || (0x30...0x39).contains($0) }), first <= last else {
                throw UsageError("\(option): \(quoted(part)) is neither an index nor a range of indices", hint: "such as 1,2,5-9")
            }
            guard last < count else { throw MonosemeError("there is no feature \(last): the dictionary has \(count) features", hint: "feature indices run from 0 to \(count - 1)") }
            return Array(first...last)
        }
    }
}

extension Invocation {
    /// The price of a call's tokens; `nil` where none is given.
    func price() throws -> Price? {
        if let file = self[LabellingOptions.prices] {
            guard self[LabellingOptions.priceIn] == nil, self[LabellingOptions.priceOut] == nil else { throw UsageError("--prices was given with --price-in or --price-out", hint: "give the one or the others") }
            guard let model = self[LabellingOptions.model] else { throw UsageError("--prices was given without --model", hint: "the file has prices by model") }
            return try PriceTable(path: file).price(of: model)
        }
        return switch (self[LabellingOptions.priceIn], self[LabellingOptions.priceOut]) {
        case (nil, nil): nil
        case (let input?, let output?): Price(input: input, output: output)
        case (nil, _?): throw UsageError("--price-out was given without --price-in", hint: "give both, in US dollars a million tokens")
        case (_?, nil): throw UsageError("--price-in was given without --price-out", hint: "give both, in US dollars a million tokens")
        }
    }

    /// The request's numbers, as the options say.
    func labellingRequest(_ dictionary: DictionaryName, methods: [ScoringMethod]) throws -> LabellingRequest {
        guard let model = self[LabellingOptions.model] ?? (self[LabellingOptions.estimate] ? "(any)" : nil) else { throw UsageError("missing option --model NAME", hint: "the endpoint's own list is at URL/models") }
        var request = LabellingRequest(dictionary: dictionary, model: model)
        request.methods = methods
        request.counts.test = self[LabellingOptions.test]
        request.counts.seed = UInt64(self[LabellingOptions.seed])
        request.withBaselines = !self[LabellingOptions.withoutBaselines]
        request.maximumTokens = self[LabellingOptions.maximumTokens]
        request.parallel = self[LabellingOptions.parallel]
        return request
    }

    /// Asks, shows how far it is, prints what came of it, and fails where it did not come to its end.
    func ask(_ catalogue: Catalogue, _ labeller: Labeller, _ work: (CallLedger, @escaping @Sendable () -> Bool, @escaping (Labeller.Progress) -> Void) throws -> LabellingReport) throws {
        guard let address = self[LabellingOptions.endpoint] else { throw UsageError("missing option --endpoint URL", hint: "--estimate says what it would take and needs none") }
        let endpoint = try CurlEndpoint(address, keyVariable: self[LabellingOptions.keyVariable], timeout: self[LabellingOptions.timeout]), price = try price()
        if !labeller.isComplete { note("the ingest of \(labeller.request.dictionary) is not finished: only what it has come to is looked at") }
        let budget = Budget(limit: self[LabellingOptions.budget])
        let ledger = try CallLedger(catalogue, endpoint: endpoint, price: price, budget: budget, now: now)
        let progress = progress("\(labeller.request.dictionary)", total: nil, unit: "features")
        var signal: Int32?, hasSaidRetry = false
        let report = try notingStopSignals { stop in
            let report = try work(ledger, { stop() != nil }) { state in
                // Whoever waits for attempts to be made again knows what for.
                if !hasSaidRetry, let failure = state.asking.lastRetry { hasSaidRetry = true; note("\(failure); trying again") }
                let isBaseline = state.baselinesExpected > 0
                progress.update(isBaseline ? state.baselines : state.features, total: isBaseline ? state.baselinesExpected : state.featuresExpected, details: Invocation.details(of: state))
            }
            signal = stop()
            return report
        }
        progress.finish()
        try print(report, labeller.request)
        summarise(report, labeller, isPriced: price != nil)
        switch report.problem {
        case nil: return
        case is AskingStopped: throw Interrupted(signal: signal ?? 2)
        case let problem?: throw problem
        }
    }

    private static func details(of state: Labeller.Progress) -> [String] {
        let asking = state.asking
        var details = [state.baselinesExpected > 0 ? "baselines" : "labels and scores", "\(grouped(asking.sent)) calls", "\(dollars(asking.spent + asking.lost)) spent"]
        if let left = asking.left { details.append("\(dollars(left)) left") }
        if asking.retries > 0 { details.append("\(grouped(asking.retries)) retries") }
        if asking.malformed > 0 { details.append("\(grouped(asking.malformed)) malformed") }
        return details
    }

    // MARK: What came of it

    private func print(_ report: LabellingReport, _ request: LabellingRequest) throws {
        var columns = [Column("feature"), Column("outcome"), Column("label", isFlexible: true)]
        for method in request.methods {
            let key = method.rawValue.replacing("-", with: "_")
            columns += [Column(method.rawValue, key: key), Column("low", key: key + "_low", audience: .programs), Column("high", key: key + "_high", audience: .programs),
                        Column("unanswered", key: key + "_unanswered", audience: .programs)]
            if request.withBaselines { columns += [Column("random label", key: key + "_random_label"), Column("shuffled", key: key + "_shuffled_feature")] }
        }
        columns.append(Column("remark", isFlexible: true))
        var table = Table(columns)
        for feature in report.features {
            var (outcome, remark): (String, String?) = switch feature.state {
            case .labelled: ("labelled", nil)
            case .unknown: ("unknown", nil)
            case .malformed(let problem): ("malformed", problem)
            case .omitted(let reason): ("left out", reason)
            }
            if !feature.unscored.isEmpty {
                let reasons = feature.unscored.map { "no \($0.method.rawValue): \($0.reason)" }.joined(separator: "; ")
                remark = remark.map { "\($0); \(reasons)" } ?? reasons
            }
            if feature.scores.contains(where: { $0.unanswered > 0 }) { outcome += ", \(feature.scores.reduce(0) { $0 + $1.unanswered }) unanswered" }
            var row: [Cell] = [.text(feature.name.description), .text(outcome), Cell(feature.label)]
            for method in request.methods {
                let score = feature.scores.first { $0.method == method }
                row += [Cell(score?.value, .fixed(2)), Cell(score?.interval?.lowerBound, .fixed(2)), Cell(score?.interval?.upperBound, .fixed(2)), Cell(score?.unanswered)]
                if request.withBaselines { row += [Cell(score?.randomLabel, .fixed(2)), Cell(score?.shuffledFeature, .fixed(2))] }
            }
            table.append(row + [Cell(remark)])
        }
        try self.print(table)
    }

    private func summarise(_ report: LabellingReport, _ labeller: Labeller, isPriced: Bool) {
        func counted(_ count: Int, _ word: String) -> String { "\(grouped(count)) \(word)" }
        let labelled = report.count { $0 == .labelled }, unknown = report.count { $0 == .unknown }
        let malformed = report.count { if case .malformed = $0 { true } else { false } }, omitted = report.count { if case .omitted = $0 { true } else { false } }
        note("\(counted(labelled, "labelled")), \(counted(unknown, "unknown to the model")), \(counted(malformed, "malformed")), \(counted(omitted, "left out for want of examples"))")
        func text(_ value: Double) -> String { NumberFormat.fixed(2).text(value) }
        for mean in report.means {
            var line = "\(mean.method.rawValue): mean \(text(mean.value)) over \(counted(mean.features, mean.features == 1 ? "feature" : "features"))"
            if let random = mean.randomLabel { line += ", \(text(random)) with random labels (\(mean.value >= random ? "+" : "")\(text(mean.value - random)))" }
            if let shuffled = mean.shuffledFeature { line += ", \(text(shuffled)) on shuffled features (\(mean.value >= shuffled ? "+" : "")\(text(mean.value - shuffled)))" }
            note(line)
        }
        if let missing = report.missingBaselines { note(missing) }
        let asking = report.progress
        var line = "\(counted(asking.sent, asking.sent == 1 ? "call" : "calls")), \(grouped(asking.promptTokens)) prompt and \(grouped(asking.completionTokens)) completion tokens"
        line += isPriced ? ", \(dollars(asking.spent))" : ", no prices given"
        if asking.lost > 0 { line += ", up to \(dollars(asking.lost)) for calls that were not answered" }
        if let left = asking.left { line += ", \(dollars(left)) left" }
        if asking.reused > 0 { line += "; \(grouped(asking.reused)) answered from the catalogue" }
        if asking.malformed > 0 { line += "; \(grouped(asking.malformed)) answers were malformed and are kept" }
        note(line)
    }

    // MARK: What it would take

    func print(_ estimate: LabellingEstimate) throws {
        let price = try price()
        func cost(_ part: LabellingEstimate.Part, _ completion: Int) -> Cell {
            guard let price else { return .missing }
            let amount = price.cost(promptTokens: part.promptTokens, completionTokens: completion)
            return self[Shared.format] == .table ? .text(dollars(amount)) : .real(amount)
        }
        var table = Table([Column("what"), Column("baseline", audience: .programs), Column("asked for", key: "is_wanted"), Column("calls"), Column("prompt tokens", key: "prompt_tokens"), Column("completion tokens", key: "completion_tokens"),
                           Column("at most", key: "completion_tokens_maximum"), Column("cost", alignment: .right), Column("cost at most", key: "cost_maximum", alignment: .right)])
        for part in estimate.parts + [estimate.wanted] {
            let isAll = part.purpose == "all", name = self[Shared.format] == .table ? (isAll ? "all asked for" : part.purpose + (part.isBaseline ? ", baselines" : "")) : part.purpose
            table.append([.text(name), .boolean(part.isBaseline), .boolean(part.isWanted), .integer(part.calls), .integer(part.promptTokens), .integer(part.completionTokens),
                          .integer(part.completionTokensMaximum), cost(part, part.completionTokens), cost(part, part.completionTokensMaximum)])
        }
        try self.print(table)
        let total = estimate.features + estimate.omitted
        note("\(grouped(estimate.features)) features would be asked about, \(grouped(estimate.omitted)) left out for want of examples; nothing was sent")
        if estimate.sampled < total { note("\(grouped(estimate.sampled)) of \(grouped(total)) features were looked at, and the numbers scaled up") }
        note("tokens are counted as a quarter of the bytes, for no tokenizer is known; answers are taken as short as they may be, and at most as long as they may be" + (price == nil ? "; give prices with --price-in and --price-out" : ""))
    }
}
