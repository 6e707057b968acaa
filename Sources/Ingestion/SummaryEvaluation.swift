import Diagnostics
import FeatureCatalogue
import LinearAlgebra
import Numerics
import SparseCoding
import Transformer

// How well the dictionary stands for the activations: variance explained, and loss with the reconstruction spliced in.

extension Summary {
    private struct Tally: Sendable {
        var tokens = 0, firings = 0, predictions = 0
        var errorSquares = 0.0
        var losses = (original: 0.0, spliced: 0.0, zero: 0.0, mean: 0.0)
    }

    func evaluate(_ contexts: [Context]) throws -> Evaluation {
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
