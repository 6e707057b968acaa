import Diagnostics
import LinearAlgebra
import Numerics
import SparseCoding
import Synchronization
import Transformer

/// Measures how well autoencoders of one hook point stand for its activations: for a run's summary in the catalogue, and for
/// `evaluate`.
///
/// First `add`, with all the text, piece by piece; then `losses`, on all of it or on a part. Activations are not kept: `add` runs
/// the model up to the hook once for all autoencoders, and `losses` edits them as they pass. So memory is what threads work in
/// and one number for each axis and feature, whatever the text; and the mean that stands in for activations in mean-ablation is
/// that of every token added, in double precision, rounded once.
///
/// A BOS token is none of a dictionary's business: it is counted nowhere and keeps its own activations in every variant; what
/// it predicts, a context's first token, is among the predictions.
struct Evaluator {
    let machinery: Machinery
    let autoencoders: [SparseAutoencoder]
    let threads: Int
    private(set) var contexts = 0
    private(set) var moments: ActivationMoments
    /// Σ‖x − x̂‖² of each autoencoder.
    private var errorSquares: [Double]
    private let counts: [FiringCounts]

    /// - Parameter autoencoders: all of `machinery`'s hook point.
    init(_ machinery: Machinery, _ autoencoders: [SparseAutoencoder], threads: Int) {
        (self.machinery, self.autoencoders, self.threads) = (machinery, autoencoders, threads)
        moments = ActivationMoments(width: autoencoders[0].width)
        errorSquares = [Double](repeating: 0, count: autoencoders.count)
        counts = autoencoders.map { FiringCounts($0.features) }
    }

    var tokens: Int { moments.count }

    /// On how many of the tokens each feature of the autoencoder at `place` fired.
    func firings(of place: Int) -> [Int] { counts[place].values }

    /// How the activations of all that was added come back from the autoencoder at `place`.
    func reconstruction(by place: Int) -> Reconstruction {
        let n = Double(max(1, tokens)), error = errorSquares[place]
        return Reconstruction(
            l0: Double(counts[place].values.reduce(0, +)) / n, meanSquaredError: error / n, normalizedMeanSquaredError: moments.squares > 0 ? error / moments.squares : nil,
            explainedVariance: moments.hasSpread ? 1 - error / moments.spread : nil)
    }

    /// Runs contexts (corpus tokens, without BOS) through the model up to the hook, and each autoencoder over their activations.
    /// - Throws: `MonosemeError` for activations that are not finite.
    mutating func add(_ texts: [[Int32]]) throws {
        let batches = machinery.batches(texts), tallies = Slots<(moments: ActivationMoments, errorSquares: [Double])>(batches.count)
        let (machinery, autoencoders, counts) = (machinery, autoencoders, counts)
        try forEachInParallel(batches.count, threads: threads) { place in
            let x = try machinery.model.activations(of: batches[place], at: machinery.hook), rows = machinery.corpusRows(of: batches[place])
            var errors: [Double] = []
            for (autoencoder, counts) in zip(autoencoders, counts) {
                try machinery.withFirings(of: autoencoder, on: x) { firings in
                    errors.append(squaredError(of: autoencoder.reconstruct(firings, of: x), x, rows: rows))
                    counts.add(firings, rows: rows)
                }
            }
            tallies[place] = (ActivationMoments(x, rows: rows), errors)
        }
        // In the order of the batches, so that every number of threads gives the same sums.
        for tally in tallies.take() {
            moments.add(tally.moments)
            for place in errorSquares.indices { errorSquares[place] += tally.errorSquares[place] }
        }
        contexts += texts.count
    }

    /// The model's losses on contexts (corpus tokens, without BOS), for each autoencoder: one run of the model for its own loss, one
    /// for each ablation, one for each autoencoder. Call it when all is added: mean-ablation puts in the mean of that.
    /// - Parameter report: is told how many tokens are done.
    func losses(on texts: [[Int32]], report: (Int) -> Void = { _ in }) throws -> [Losses] {
        let batches = machinery.batches(texts), mean = moments.mean.map { Float($0) }
        var total = LossSums(autoencoders: autoencoders.count), done = 0
        // Piece by piece only so that progress can be told.
        for first in stride(from: 0, to: batches.count, by: 2 * threads) {
            let piece = Array(batches[first..<min(batches.count, first + 2 * threads)]), sums = Slots<LossSums>(piece.count)
            try forEachInParallel(piece.count, threads: threads) { sums[$0] = try lossSums(of: piece[$0], mean: mean) }
            for sum in sums.take() { total.add(sum) }
            done += piece.reduce(0) { $0 + machinery.corpusTokens(of: $1) }
            report(done)
        }
        let n = Double(max(1, total.predictions))
        return total.spliced.map { spliced in
            Losses(contexts: texts.count, tokens: done, predictions: total.predictions, original: total.original / n, spliced: spliced / n,
                   zeroAblated: total.zeroAblated / n, meanAblated: total.meanAblated / n)
        }
    }

    private func lossSums(of batch: ContextBatch, mean: [Float]) throws -> LossSums {
        let rows = machinery.corpusRows(of: batch), width = mean.count
        func sum(_ edit: ((borrowing Matrix) throws -> Void)?) throws -> Double {
            try machinery.model.losses(of: batch, replacing: edit.map { HookReplacement(at: machinery.hook, edit: $0) }).reduce(0) { $0 + Double($1) }
        }
        var sums = LossSums(autoencoders: 0)
        sums.predictions = batch.predictionCount
        sums.original = try sum(nil)
        sums.zeroAblated = try sum { x in for row in rows { (x.base + row * width).update(repeating: 0, count: width) } }
        sums.meanAblated = try sum { x in for row in rows { (x.base + row * width).update(from: mean, count: width) } }
        sums.spliced = try autoencoders.map { autoencoder in
            try sum { x in
                try machinery.withFirings(of: autoencoder, on: x) { firings in
                    let reconstruction = autoencoder.reconstruct(firings, of: x)
                    for row in rows { (x.base + row * width).update(from: reconstruction.base + row * width, count: width) }
                }
            }
        }
        return sums
    }
}

/// Sums over predictions, in nats.
private struct LossSums: Sendable {
    var predictions = 0
    var original = 0.0, zeroAblated = 0.0, meanAblated = 0.0
    /// By autoencoder.
    var spliced: [Double]

    init(autoencoders: Int) { spliced = [Double](repeating: 0, count: autoencoders) }

    mutating func add(_ other: LossSums) {
        predictions += other.predictions
        original += other.original
        zeroAblated += other.zeroAblated
        meanAblated += other.meanAblated
        for place in spliced.indices { spliced[place] += other.spliced[place] }
    }
}

/// How often each feature fired; counted by any number of threads, in whatever order.
private final class FiringCounts: Sendable {
    private let counts: Mutex<[Int]>

    init(_ features: Int) { counts = Mutex([Int](repeating: 0, count: features)) }

    var values: [Int] { counts.withLock { $0 } }

    func add(_ firings: Firings, rows: [Int]) {
        counts.withLock { counts in for row in rows { for place in firings[row] { counts[Int(firings.features[place])] += 1 } } }
    }
}

/// Σ‖x − x̂‖² over `rows`.
private func squaredError(of reconstruction: borrowing Matrix, _ x: borrowing Matrix, rows: [Int]) -> Double {
    let width = x.columns
    var squares = [Double](repeating: 0, count: width)
    for row in rows {
        let (a, b) = (x.base + row * width, reconstruction.base + row * width)
        for axis in 0..<width {
            let difference = Double(a[axis]) - Double(b[axis])
            squares[axis] += difference * difference
        }
    }
    return squares.reduce(0, +)
}

extension Machinery {
    /// Contexts of corpus tokens, each behind its BOS token if there is one, in batches.
    func batches(_ contexts: [[Int32]]) -> [ContextBatch] {
        source.batches(Array(contexts.joined()), contexts: ranges(ofLengths: contexts.map(\.count))).map(\.batch)
    }

    /// The rows of a batch that are tokens of the corpus: all but BOS tokens.
    func corpusRows(of batch: ContextBatch) -> [Int] {
        var rows: [Int] = [], start = 0
        for length in batch.lengths {
            rows.append(contentsOf: start + (bos == nil ? 0 : 1)..<start + length)
            start += length
        }
        return rows
    }

    func corpusTokens(of batch: ContextBatch) -> Int { batch.tokens.count - (bos == nil ? 0 : batch.lengths.count) }

    /// What `autoencoder` makes of the activations `x` (tokens × width), in memory that is lent.
    /// - Throws: `MonosemeError` naming the hook and the model, where an activation is not finite.
    func withFirings<Result>(of autoencoder: SparseAutoencoder, on x: borrowing Matrix, _ body: (Firings) throws -> Result) throws -> Result {
        try scratches.withScratch { scratch, firings in
            do {
                try autoencoder.encode(x, into: &firings, scratch: &scratch)
            } catch let error as MonosemeError {
                throw MonosemeError("\(hook) of \(quoted(model.name)): \(error.message)", hint: error.hint)
            }
            return try body(firings)
        }
    }
}
