/// Questions and their tokens, before they are put or after.
public struct Workload: Sendable, Equatable {
    public var calls: Int
    /// With those of `cachedTokens`.
    public var promptTokens: Int
    /// Of the prompts, what an endpoint that remembers the beginnings of prompts charges less for.
    public var cachedTokens: Int
    public var completionTokens: Int

    public init(calls: Int = 0, promptTokens: Int = 0, cachedTokens: Int = 0, completionTokens: Int = 0) {
        (self.calls, self.promptTokens, self.cachedTokens, self.completionTokens) = (calls, promptTokens, cachedTokens, completionTokens)
    }

    /// Of these requests, each answered in so many tokens; counted by `TokenCount`, as the ledger does.
    public init(_ requests: some Sequence<ChatRequest>, answerTokens: Int) {
        self.init()
        for request in requests { self = self + Workload(calls: 1, promptTokens: TokenCount.prompt(request.messages), completionTokens: answerTokens) }
    }

    /// US dollars.
    public func cost(_ price: Price) -> Double { price.cost(promptTokens: promptTokens, cachedTokens: cachedTokens, completionTokens: completionTokens) }

    public static func + (a: Workload, b: Workload) -> Workload {
        Workload(calls: a.calls &+ b.calls, promptTokens: a.promptTokens &+ b.promptTokens, cachedTokens: a.cachedTokens &+ b.cachedTokens, completionTokens: a.completionTokens &+ b.completionTokens)
    }
}

/// What a method asks about one feature, on average.
///
/// Examples go in batches: a call has instructions, of which a share is the same in every call, and some examples, and is answered with a few
/// tokens for each.
public struct QuestionShape: Sendable, Equatable {
    public var examples: Int
    /// Examples in one call. More than one is cheaper, and lets one answer leak into the next.
    public var batch: Int
    /// Of a call, without its examples.
    public var instructionTokens: Double
    /// Of the instructions, what an endpoint may have at hand from the call before: 0 … 1.
    public var cacheableShare: Double
    public var tokensPerExample: Double
    public var answerTokensPerExample: Double

    public init(examples: Int, batch: Int, instructionTokens: Double, cacheableShare: Double = 0, tokensPerExample: Double, answerTokensPerExample: Double) {
        (self.examples, self.batch, self.instructionTokens, self.cacheableShare) = (examples, batch, instructionTokens, cacheableShare)
        (self.tokensPerExample, self.answerTokensPerExample) = (tokensPerExample, answerTokensPerExample)
    }

    /// F·⌈S/b⌉ calls of which each has its instructions, and F·S examples with their answers.
    public func workload(features: Int) -> Workload {
        let calls = Double(max(0, features)) * (Double(max(0, examples)) / Double(max(1, batch))).rounded(.up), shown = Double(max(0, features)) * Double(max(0, examples))
        return Workload(calls: whole(calls), promptTokens: whole(calls * instructionTokens + shown * tokensPerExample), cachedTokens: whole(calls * instructionTokens * min(max(cacheableShare, 0), 1)),
                        completionTokens: whole(shown * answerTokensPerExample))
    }
}

/// What labelling a dictionary would take, method by method: arithmetic on averages, for planning and for comparing methods that are not run.
///
/// What is about to be asked is counted from the questions themselves (`LabellingEstimate`).
public struct Estimate: Sendable, Equatable {
    public struct Row: Sendable, Equatable {
        /// `explain`, `detection`, `fuzzing`, `simulation`, `simulation-token-by-token`, `simulation-sparse`.
        public let method: String
        public let workload: Workload
        /// US dollars; `nil` without a price.
        public let cost: Double?
        /// What the number leaves out.
        public let note: String?
    }

    public var features: Int
    public var explanation: QuestionShape?
    public var detection: QuestionShape?
    public var fuzzing: QuestionShape?
    /// All tokens of a window in one answer.
    public var simulation: QuestionShape?
    /// Tokens of text on which a feature is simulated.
    public var simulatedTokens: Int
    /// Features that fire on a token, on average.
    public var activeFeaturesPerToken: Double

    public init(features: Int, explanation: QuestionShape? = nil, detection: QuestionShape? = nil, fuzzing: QuestionShape? = nil, simulation: QuestionShape? = nil, simulatedTokens: Int, activeFeaturesPerToken: Double) {
        (self.features, self.explanation, self.detection, self.fuzzing, self.simulation) = (features, explanation, detection, fuzzing, simulation)
        (self.simulatedTokens, self.activeFeaturesPerToken) = (simulatedTokens, activeFeaturesPerToken)
    }

    /// One token of an answer for every token of text and every feature: F·T. The estimate that first made people shy away from this.
    public var tokenByToken: Workload { Workload(calls: whole(Double(features) * Double(simulatedTokens)), completionTokens: whole(Double(features) * Double(simulatedTokens))) }

    /// One only where the feature fires: T·L0 for all features together, on text that they share.
    public var sparse: Workload { Workload(calls: simulatedTokens, completionTokens: whole(Double(simulatedTokens) * activeFeaturesPerToken)) }

    /// One for each method that has a shape, then simulation token by token and sparse.
    public func rows(price: Price?) -> [Row] {
        func row(_ method: String, _ workload: Workload, note: String? = nil) -> Row { Row(method: method, workload: workload, cost: price.map { workload.cost($0) }, note: note) }
        return [("explain", explanation), ("detection", detection), ("fuzzing", fuzzing), ("simulation", simulation)].compactMap { method, shape in shape.map { row(method, $0.workload(features: features)) } }
            + [row("simulation-token-by-token", tokenByToken, note: "answers only, without the prompts"),
               row("simulation-sparse", sparse, note: "answers only; sees no token where a label is right to expect a feature that is silent")]
    }
}

/// The nearest whole number, within what an `Int` can hold.
private func whole(_ number: Double) -> Int { number.isNaN ? 0 : Int(min(max(number.rounded(), 0), 9e18)) }
