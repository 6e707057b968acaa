import FeatureCatalogue
import Kernels
import LinearAlgebra
import Numerics
import SparseCoding
import Transformer

// The neurons each feature aligns with: by decoder weight, and by correlation over sampled tokens.

extension Summary {
    /// By weight from the decoder alone; by correlation from what fired (as stored) on the sampled contexts.
    func findNeurons(_ summary: inout RunSummary, _ contexts: [Context]) throws {
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
