import FeatureCatalogue

// How well the dictionary stands for the activations: variance explained, and loss with the reconstruction spliced in.

extension Summary {
    func evaluate(_ contexts: [Context]) throws -> Evaluation {
        let texts = try contexts.map { try catalogue.tokens(of: run.corpus, at: $0.firstPosition..<$0.firstPosition + $0.tokens) }
        var evaluator = Evaluator(machinery, [autoencoder], threads: threads)
        try evaluator.add(texts)
        let losses = try evaluator.losses(on: texts)[0], reconstruction = evaluator.reconstruction(by: 0)
        try evaluator.checkIsFinite(reconstruction, losses, of: run.dictionary.name.description)

        var evaluation = Evaluation()
        evaluation.contexts = evaluator.contexts
        evaluation.tokens = evaluator.tokens
        evaluation.l0 = reconstruction.l0
        evaluation.meanSquaredError = reconstruction.meanSquaredError
        evaluation.explainedVariance = reconstruction.explainedVariance ?? 0
        evaluation.lossOriginal = losses.original
        evaluation.lossSpliced = losses.spliced
        evaluation.lossZeroAblated = losses.zeroAblated
        evaluation.lossMeanAblated = losses.meanAblated
        return evaluation
    }
}
