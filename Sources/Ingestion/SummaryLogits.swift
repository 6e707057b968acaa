import FeatureCatalogue
import Kernels
import LinearAlgebra
import Numerics
import SparseCoding
import Transformer

// The tokens whose output logits each feature raises and lowers, by the direct path.

extension Summary {
    func findLogits(_ summary: inout RunSummary) throws {
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
}
