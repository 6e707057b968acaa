import Diagnostics
import FeatureCatalogue
import Kernels
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
    private func batches(_ contexts: [Context]) throws -> [(batch: ContextBatch, positions: [Int?])] {
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

    // MARK: Logits

    private func findLogits(_ summary: inout RunSummary) throws {
        let autoencoder = autoencoder, machinery = machinery, rowsPerBlock = 256
        let features = autoencoder.features
        let blocks = stride(from: 0, to: features, by: rowsPerBlock).map { $0..<min(features, $0 + rowsPerBlock) }
        let results = Slots<(raised: [[RunSummary.RankedToken]], lowered: [[RunSummary.RankedToken]])>(blocks.count)
        let vocabulary = machinery.tokenizer.vocabularySize
        try forEachInParallel(blocks.count, threads: threads) { place in
            let rows = Matrix(uninitializedRows: blocks[place].count, columns: autoencoder.width)
            rows.base.update(from: autoencoder.decoder.base + blocks[place].lowerBound * autoencoder.width, count: rows.count)
            guard let directions = try machinery.model.residualDirections(of: rows, at: machinery.hook) else { results[place] = ([], []); return }
            let weights = machinery.model.logitWeights(ofResidual: directions)
            var raised: [[RunSummary.RankedToken]] = [], lowered: [[RunSummary.RankedToken]] = []
            for row in 0..<weights.rows {
                let isZero = autoencoder.decoderNorms[blocks[place].lowerBound + row] == 0
                let ranked = isZero ? ([], []) : Summary.extremes(weights.base + row * weights.columns, vocabulary, keep: Summary.logitsKept)
                raised.append(ranked.0)
                lowered.append(ranked.1)
            }
            results[place] = (raised, lowered)
        }
        for (raised, lowered) in results.take() { summary.raisedLogits += raised; summary.loweredLogits += lowered }
    }

    /// The largest and the smallest of a row, less its median; ties to the lower token.
    static func extremes(_ row: UnsafePointer<Float>, _ count: Int, keep: Int) -> ([RunSummary.RankedToken], [RunSummary.RankedToken]) {
        var high: [Int] = [], low: [Int] = []
        for token in 0..<count {
            let value = row[token]
            if high.count < keep || value > row[high[keep - 1]] {
                high.insert(token, at: high.firstIndex { row[$0] < value } ?? high.count)
                if high.count > keep { high.removeLast() }
            }
            if low.count < keep || value < row[low[keep - 1]] {
                low.insert(token, at: low.firstIndex { row[$0] > value } ?? low.count)
                if low.count > keep { low.removeLast() }
            }
        }
        let median = Double(kernel_median(row, count))
        return (high.map { .init(token: $0, value: Double(row[$0]) - median) }, low.map { .init(token: $0, value: Double(row[$0]) - median) })
    }

    // MARK: Neurons

    /// By weight from the decoder alone; by correlation from what fired (as stored) on the sampled contexts.
    private func findNeurons(_ summary: inout RunSummary, _ contexts: [Context]) throws {
        let machinery = machinery, width = autoencoder.width, features = autoencoder.features
        summary.neuronsByWeight = (0..<features).map { feature in
            let row = autoencoder.decoder.base + feature * width
            return Summary.largest(Summary.neuronsKept, of: width) { abs(row[$0]) }.filter { row[$0] != 0 }.map { .init(neuron: $0, value: row[$0]) }
        }

        let products = Matrix(rows: features, columns: width) // Σ f·x
        let moments = Moments(features)
        var neuronSums = [Double](repeating: 0, count: width), neuronSquares = neuronSums
        var tokens = 0
        let segments = try catalogue.segments(of: run)
        for segment in segments {
            let inside = contexts.filter { $0.firstPosition >= segment.firstPosition && $0.firstPosition < segment.firstPosition + segment.tokens }
            guard !inside.isEmpty else { continue }
            let batches = try batches(inside)
            let activations = Slots<Shared<Matrix>>(batches.count)
            try forEachInParallel(batches.count, threads: threads) { activations[$0] = Shared(try machinery.model.activations(of: batches[$0].batch, at: machinery.hook)) }
            // Where each sampled token's activations stand.
            var rows = [UnsafeMutablePointer<Float>?](repeating: nil, count: segment.tokens)
            let blocks = activations.take()
            for (block, (_, positions)) in zip(blocks, batches) {
                for (row, position) in positions.enumerated() {
                    guard let position else { continue }
                    let x = block.value.base + row * width
                    rows[position - segment.firstPosition] = x
                    tokens += 1
                    for neuron in 0..<width { neuronSums[neuron] += Double(x[neuron]); neuronSquares[neuron] += Double(x[neuron]) * Double(x[neuron]) }
                }
            }
            var lists = SampledLists()
            try catalogue.forEachPostingList(of: run, in: segment) { feature, list in
                lists.append(feature, list, less: segment.firstPosition, rows)
                if lists.isFull { try lists.add(to: products, moments, threads: threads) }
            }
            try lists.add(to: products, moments, threads: threads)
            withExtendedLifetime(blocks) {}
        }

        let n = Double(max(1, tokens))
        let neuronDeviation = zip(neuronSums, neuronSquares).map { max(0, $1 / n - ($0 / n) * ($0 / n)).squareRoot() }
        summary.neuronTokens = tokens
        summary.neuronsByCorrelation = (0..<features).map { feature in
            let mean = moments.sums[feature] / n
            let deviation = max(0, moments.squares[feature] / n - mean * mean).squareRoot()
            guard deviation > 0 else { return [] }
            let correlations = (0..<width).map { neuron -> Double in
                neuronDeviation[neuron] > 0 ? (Double(products.base[feature * width + neuron]) / n - mean * neuronSums[neuron] / n) / (deviation * neuronDeviation[neuron]) : 0
            }
            return Summary.largest(Summary.neuronsKept, of: width) { Float(correlations[$0]) }.map { .init(neuron: $0, value: Float(correlations[$0])) }
        }
    }

    /// The places of the largest values, largest first, ties to the earlier.
    static func largest(_ keep: Int, of count: Int, _ value: (Int) -> Float) -> [Int] {
        var best: [Int] = []
        for place in 0..<count where best.count < keep || value(place) > value(best[keep - 1]) {
            best.insert(place, at: best.firstIndex { value($0) < value(place) } ?? best.count)
            if best.count > keep { best.removeLast() }
        }
        return best
    }

    // MARK: Evaluation

    private struct Tally: Sendable {
        var tokens = 0, firings = 0, predictions = 0
        var errorSquares = 0.0
        var losses = (original: 0.0, spliced: 0.0, zero: 0.0, mean: 0.0)
    }

    private func evaluate(_ contexts: [Context]) throws -> Evaluation {
        let autoencoder = autoencoder, width = autoencoder.width, hook = machinery.hook, model = machinery.model, scratches = machinery.scratches
        let batches = try batches(contexts)
        let activations = Slots<Shared<Matrix>>(batches.count)
        try forEachInParallel(batches.count, threads: threads) { activations[$0] = Shared(try model.activations(of: batches[$0].batch, at: hook)) }
        let blocks = activations.take()

        // The mean over corpus tokens, and the spread around it.
        var mean = [Double](repeating: 0, count: width), squares = 0.0, tokens = 0
        for (block, (_, positions)) in zip(blocks, batches) {
            for row in positions.indices where positions[row] != nil {
                let x = block.value.base + row * width
                for axis in 0..<width { mean[axis] += Double(x[axis]); squares += Double(x[axis]) * Double(x[axis]) }
                tokens += 1
            }
        }
        for axis in mean.indices { mean[axis] /= Double(max(1, tokens)) }
        let spread = squares - Double(tokens) * mean.reduce(0) { $0 + $1 * $1 }
        let center = mean.map { Float($0) }

        let tallies = Slots<Tally>(batches.count)
        try forEachInParallel(batches.count, threads: threads) { place in
            let (batch, positions) = batches[place], x = blocks[place]
            var tally = Tally()
            let firings = try scratches.withScratch { scratch, firings in
                try autoencoder.encode(x.value, into: &firings, scratch: &scratch)
                return firings
            }
            let reconstruction = Shared(autoencoder.reconstruct(firings, of: x.value))
            for row in positions.indices {
                guard positions[row] != nil else {
                    // A BOS token is none of the dictionary's business: it keeps its own activation in every variant.
                    (reconstruction.value.base + row * width).update(from: x.value.base + row * width, count: width)
                    continue
                }
                tally.tokens += 1
                tally.firings += firings.offsets[row + 1] - firings.offsets[row]
                for axis in 0..<width {
                    let error = Double(x.value[row, axis] - reconstruction.value[row, axis])
                    tally.errorSquares += error * error
                }
            }
            func total(_ edit: ((borrowing Matrix) -> Void)?) throws -> Double {
                let losses = try model.losses(of: batch, replacing: edit.map { edit in HookReplacement(at: hook) { edit($0) } })
                tally.predictions = losses.count
                return losses.reduce(0) { $0 + Double($1) }
            }
            func replace(_ activations: borrowing Matrix, _ value: (Int, Int) -> Float) {
                for row in positions.indices where positions[row] != nil { for axis in 0..<width { activations.base[row * width + axis] = value(row, axis) } }
            }
            tally.losses.original = try total(nil)
            tally.losses.spliced = try total { $0.base.update(from: reconstruction.value.base, count: $0.count) }
            tally.losses.zero = try total { replace($0) { _, _ in 0 } }
            tally.losses.mean = try total { replace($0) { _, axis in center[axis] } }
            tallies[place] = tally
        }

        var evaluation = Evaluation(), predictions = 0, firings = 0, error = 0.0
        for tally in tallies.take() {
            predictions += tally.predictions
            firings += tally.firings
            error += tally.errorSquares
            evaluation.lossOriginal += tally.losses.original
            evaluation.lossSpliced += tally.losses.spliced
            evaluation.lossZeroAblated += tally.losses.zero
            evaluation.lossMeanAblated += tally.losses.mean
        }
        evaluation.contexts = contexts.count
        evaluation.tokens = tokens
        evaluation.l0 = Double(firings) / Double(max(1, tokens))
        evaluation.meanSquaredError = error / Double(max(1, tokens))
        evaluation.explainedVariance = spread > 0 ? 1 - error / spread : 0
        let n = Double(max(1, predictions))
        evaluation.lossOriginal /= n
        evaluation.lossSpliced /= n
        evaluation.lossZeroAblated /= n
        evaluation.lossMeanAblated /= n
        let numbers = [evaluation.meanSquaredError, evaluation.explainedVariance, evaluation.lossOriginal, evaluation.lossSpliced, evaluation.lossZeroAblated, evaluation.lossMeanAblated]
        guard numbers.allSatisfy(\.isFinite) else {
            let culprit = evaluation.lossOriginal.isFinite && spread.isFinite ? "what \(run.dictionary.name) makes of its activations" : "the model itself"
            throw MonosemeError("the loss with \(culprit) is not a finite number", hint: "the weights may be damaged, or too large for single precision")
        }
        return evaluation
    }
}

/// Each feature's sum and sum of squares; one thread at a time works on a feature.
private final class Moments: @unchecked Sendable {
    let sums, squares: UnsafeMutableBufferPointer<Double>

    init(_ features: Int) {
        (sums, squares) = (.allocate(capacity: features), .allocate(capacity: features))
        sums.initialize(repeating: 0)
        squares.initialize(repeating: 0)
    }

    deinit { sums.deallocate(); squares.deallocate() }
}

/// Firings on sampled tokens, by feature, with the activations they belong to.
private struct SampledLists {
    private struct Entry: @unchecked Sendable { let x: UnsafePointer<Float>; let value: Float }
    private var entries: [Entry] = []
    private var lists: [(feature: Int, range: Range<Int>)] = []

    /// Some 64 MB.
    var isFull: Bool { entries.count >= 1 << 22 }

    mutating func append(_ feature: Int, _ list: PostingList, less first: Int, _ rows: [UnsafeMutablePointer<Float>?]) {
        let start = entries.count
        for (position, value) in zip(list.positions, list.values) {
            if let x = rows[position - first] { entries.append(Entry(x: x, value: value)) }
        }
        if entries.count > start { lists.append((feature, start..<entries.count)) }
    }

    /// Adds f·x to each feature's row of products, and empties the lists.
    mutating func add(to products: borrowing Matrix, _ moments: Moments, threads: Int) throws {
        let (entries, lists, width) = (entries, lists, products.columns)
        nonisolated(unsafe) let base = products.base
        try forEachInParallel(lists.count, threads: threads) { place in
            let (feature, range) = lists[place]
            for entry in entries[range] {
                moments.sums[feature] += Double(entry.value)
                moments.squares[feature] += Double(entry.value) * Double(entry.value)
                kernel_add_scaled(entry.x, entry.value, base + feature * width, width)
            }
        }
        self.entries.removeAll(keepingCapacity: true)
        self.lists.removeAll(keepingCapacity: true)
    }
}

/// A value that cannot be copied, held where several may read it.
final class Shared<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
}
