import FeatureCatalogue
import LinearAlgebra
import Numerics
import SparseCoding
import Transformer

/// What is found out about a run at its end: logits, neurons, and how well the dictionary stands for the activations.
///
/// Computed from what is in the catalogue alone, so that a run that was killed here and one that was not agree.
struct Summary {
    let run: Run
    let autoencoder: SparseAutoencoder
    let machinery: Machinery
    let catalogue: Catalogue
    let threads: Int
    let sizes: IngestionSizes

    static let logitsKept = 10
    static let neuronsKept = 3

    init(of run: Run, autoencoder: SparseAutoencoder, _ machinery: Machinery, _ catalogue: Catalogue, threads: Int, sizes: IngestionSizes) {
        (self.run, self.autoencoder, self.machinery, self.catalogue, self.threads, self.sizes) = (run, autoencoder, machinery, catalogue, threads, sizes)
    }

    func write(at time: String) throws {
        var summary = RunSummary()
        try findLogits(&summary)
        let contexts = try catalogue.documentTable(of: run.corpus).contexts(length: run.corpusTokensPerContext)
        if machinery.hook.site == .neurons {
            try findNeurons(&summary, Summary.spaced(contexts, tokens: sizes.neuronTokens))
        }
        summary.evaluation = try evaluate(Summary.spaced(contexts, tokens: sizes.evaluationTokens))
        try catalogue.complete(run, summary, at: time) { try forEachInParallel($0, threads: threads, $1) }
    }

    /// Every k-th context, with the smallest k that keeps their tokens within `tokens`; always at least one.
    static func spaced(_ contexts: [Context], tokens: Int) -> [Context] {
        let total = contexts.reduce(0) { $0 + $1.tokens }
        var step = max(1, (total + tokens - 1) / tokens)
        while true {
            let chosen = stride(from: 0, to: contexts.count, by: step).map { contexts[$0] }
            if chosen.count <= 1 || chosen.reduce(0, { $0 + $1.tokens }) <= tokens { return chosen }
            step += 1
        }
    }

    /// The contexts in batches, with each row's position in the corpus; `nil` for a BOS token.
    func batches(_ contexts: [Context]) throws -> [(batch: ContextBatch, positions: [Int?])] {
        var batches: [(batch: ContextBatch, positions: [Int?])] = []
        for context in contexts {
            let tokens = try catalogue.tokens(of: run.corpus, at: context.firstPosition..<context.firstPosition + context.tokens)
            if batches.isEmpty || batches.last!.positions.count + tokens.count + 1 > Machinery.batchTokens { batches.append((ContextBatch(), [])) }
            let last = batches.count - 1
            if let bos = machinery.bos { batches[last].batch.append([bos] + tokens); batches[last].positions.append(nil) } else { batches[last].batch.append(tokens) }
            batches[last].positions.append(contentsOf: (0..<tokens.count).map { context.firstPosition + $0 })
        }
        return batches
    }
}

/// A value that cannot be copied, held where several may read it.
final class Shared<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
}
