import Diagnostics
import SQLite

/// What is found out about a run once all its segments are there.
public struct RunSummary: Sendable {
    /// A token and how much of something it has.
    public struct RankedToken: Sendable, Equatable {
        public let token: Int
        public let value: Double
        /// Only where tokens are counted.
        public let firings: Int

        public init(token: Int, value: Double, firings: Int = 0) { (self.token, self.value, self.firings) = (token, value, firings) }
    }

    public struct RankedNeuron: Sendable, Equatable {
        public let neuron: Int
        public let value: Float

        public init(neuron: Int, value: Float) { (self.neuron, self.value) = (neuron, value) }
    }

    /// By feature: the tokens whose logits it raises most, the strongest first; empty where the hook has no direct path.
    public var raisedLogits: [[RankedToken]] = []
    /// By feature: those it lowers most, the lowest first.
    public var loweredLogits: [[RankedToken]] = []
    /// By feature; empty where the hook's axes are not neurons.
    public var neuronsByWeight: [[RankedNeuron]] = []
    public var neuronsByCorrelation: [[RankedNeuron]] = []
    /// Tokens behind the correlations.
    public var neuronTokens: Int?
    public var evaluation: Evaluation?

    public init() {}
}

/// How well a dictionary stands for the activations it reads, on evenly spaced contexts of a corpus.
public struct Evaluation: Sendable, Equatable {
    public var contexts = 0
    public var tokens = 0
    /// Mean firings a token.
    public var l0 = 0.0
    /// Mean over tokens of ‖x − x̂‖².
    public var meanSquaredError = 0.0
    /// 1 − Σ‖x − x̂‖² / Σ‖x − mean x‖².
    public var explainedVariance = 0.0
    /// Mean cross-entropy of the next token in nats: as the model is, with x̂ for x, with zeros, with the mean of x.
    public var lossOriginal = 0.0, lossSpliced = 0.0, lossZeroAblated = 0.0, lossMeanAblated = 0.0

    public init() {}
}

extension Catalogue {
    /// The corpus has been read to its end.
    public func complete(_ corpus: Corpus, emptyDocuments: Int, malformedLines: Int) throws {
        guard !corpus.isComplete else { return }
        try connection.run("UPDATE corpus SET is_complete = 1, empty_documents = ?, malformed_lines = ? WHERE id = ?", .init(emptyDocuments), .init(malformedLines), .init(corpus.id))
    }

    /// Writes a run's summary and declares it complete, in one transaction.
    /// - Parameter forEach: spreads the work on posting lists over threads; what is written does not depend on it.
    public func complete(_ run: Run, _ summary: RunSummary, at time: String, forEach: ForEach = { count, body in try (0..<count).forEach(body) }) throws {
        try connection.transaction {
            if let keep = run.keepTop { try prune(run, to: keep) }
            try writePostingSummary(of: run, forEach: forEach)
            try writeLogits(of: run.dictionary, summary)
            try writeNeurons(of: run, summary)
            if let e = summary.evaluation {
                try connection.run("""
                    INSERT OR REPLACE INTO evaluation (run_id, contexts, tokens, l0, mean_squared_error, explained_variance, loss_original, loss_spliced,
                        loss_zero_ablated, loss_mean_ablated, neuron_tokens) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """, .init(run.id), .init(e.contexts), .init(e.tokens), .real(e.l0), .real(e.meanSquaredError), .real(e.explainedVariance), .real(e.lossOriginal),
                    .real(e.lossSpliced), .real(e.lossZeroAblated), .real(e.lossMeanAblated), .init(summary.neuronTokens))
            }
            try connection.run("UPDATE run SET is_complete = 1, finished_at = ? WHERE id = ?", .text(time), .init(run.id))
            if let finished = try runIfAny(of: run.dictionary) { try writeText(of: finished) }
            // Statistics for the planner: without them a join of views may begin at the wrong end.
            try connection.execute("ANALYZE")
        }
    }

    private func writeLogits(of dictionary: FeatureDictionary, _ summary: RunSummary) throws {
        var writer = try RowWriter("INSERT OR REPLACE", into: "feature_logit (feature_id, rank, token, value)", columns: 4, on: connection)
        for feature in summary.raisedLogits.indices {
            let id = dictionary.featureID(feature)
            for (place, token) in summary.loweredLogits[feature].enumerated().reversed() { try writer.add(.init(id), .init(-1 - place), .init(token.token), .real(token.value)) }
            for (place, token) in summary.raisedLogits[feature].enumerated() { try writer.add(.init(id), .init(1 + place), .init(token.token), .real(token.value)) }
        }
        try writer.finish()
    }

    private func writeNeurons(of run: Run, _ summary: RunSummary) throws {
        var writer = try RowWriter(into: "feature_neuron (run_id, feature_id, basis, rank, neuron, value)", columns: 6, on: connection)
        for feature in summary.neuronsByWeight.indices {
            for (basis, neurons) in [("correlation", summary.neuronsByCorrelation[feature]), ("weight", summary.neuronsByWeight[feature])] {
                for (place, neuron) in neurons.enumerated() {
                    try writer.add(.init(run.id), .init(run.dictionary.featureID(feature)), .text(basis), .init(place + 1), .init(neuron.neuron), .init(neuron.value))
                }
            }
        }
        try writer.finish()
    }
}
