import Diagnostics
import FeatureCatalogue
import SparseCoding
import Transformer

/// Runs a model and its autoencoders over a corpus and says how well each stands for the activations: sparsity, reconstruction,
/// what the model loses by it, and how often its features fire.
///
/// All of the corpus goes through the model once, up to the hook. Losses are then taken on evenly spaced contexts of it, at most
/// `lossTokens` tokens. Memory does not grow with the corpus.
/// - Parameters:
///   - report: is told of progress.
///   - warn: is told of lines that were skipped and the like.
/// - Returns: a report for each autoencoder, in the order given.
/// - Throws: `MonosemeError` for files that are missing, damaged or do not fit one another, for a corpus without text or without
///   two tokens in a row, and for numbers that are not finite.
public func evaluate(
    _ request: EvaluationRequest, report: (EvaluationProgress) -> Void = { _ in }, warn: @escaping (String) -> Void = { _ in }
) throws -> [EvaluationReport] {
    guard !request.autoencoderFolders.isEmpty else { throw MonosemeError("no autoencoder was given", hint: "name its folder with --sae DIR") }
    // Cheap mistakes first: the corpus's path before minutes of loading.
    let reader = try CorpusReader(request.corpus, warn: warn)
    let machinery = try Machinery(request, warn: warn)
    guard machinery.contextLength > 1 else {
        throw MonosemeError("contexts of one token predict nothing, so there is no loss to measure", hint: "give --context 2 or more")
    }
    let segments = SegmentReader(reader, tokenizer: machinery.tokenizer, contextTokens: machinery.contextTokens, tokenLimit: request.corpus.tokenLimit,
                                 segmentTokens: IngestionSizes().segmentTokens)

    var evaluator = Evaluator(machinery, machinery.autoencoders, threads: request.threads)
    var sample = SpacedContexts(tokensMaximum: request.lossTokens), documents = 0
    var pending: SegmentReader.Piece? = try segments.first(of: request.corpus)
    while let (layout, lengths) = pending {
        let contexts = ranges(ofLengths: lengths).map { Array(layout.tokens[$0]) }
        try evaluator.add(contexts)
        for context in contexts where context.count > (machinery.bos == nil ? 1 : 0) { sample.add(context) }
        documents = layout.parts.last!.ordinal + 1
        report(EvaluationProgress(stage: .reading, tokens: segments.tokens, tokensExpected: segments.tokensExpected(of: request.corpus)))
        pending = try segments.next()
    }
    let chosen = sample.chosen()
    guard !chosen.isEmpty else {
        throw MonosemeError("no document of the corpus \(quoted(request.corpus.name)) has two tokens, so there is no loss to measure", hint: "give longer texts, or --prepend-bos")
    }
    let lossTokens = chosen.reduce(0) { $0 + $1.count }
    let losses = try evaluator.losses(on: chosen) { report(EvaluationProgress(stage: .losses, tokens: $0, tokensExpected: lossTokens)) }

    return try request.autoencoderFolders.indices.map { place in
        let autoencoder = machinery.autoencoders[place], folder = request.autoencoderFolders[place], reconstruction = evaluator.reconstruction(by: place)
        try evaluator.checkIsFinite(reconstruction, losses[place], of: quoted(folder, limit: 400))
        return EvaluationReport(
            autoencoder: folder, architecture: autoencoder.configuration.architectureAsWritten, width: autoencoder.width, features: autoencoder.features,
            model: machinery.model.name, hook: machinery.hook.description, contextLength: machinery.contextLength, prependsBOS: machinery.bos != nil,
            documents: documents, contexts: evaluator.contexts, tokens: evaluator.tokens, emptyDocuments: segments.emptyDocuments, malformedLines: segments.malformedLines,
            reconstruction: reconstruction, losses: losses[place], densities: Densities(firings: evaluator.firings(of: place), tokens: evaluator.tokens),
            decoderNorms: Distribution(autoencoder.decoderNorms), encoderDecoderCosines: Distribution(autoencoder.encoderDecoderCosines()))
    }
}

/// Evenly spaced contexts of a stream whose end is not known.
///
/// Of the stream it keeps every 2ʲ-th context, with the least j that keeps their tokens within four times the maximum.
struct SpacedContexts {
    let tokensMaximum: Int
    private var step = 1
    private var seen = 0
    private var kept: [[Int32]] = []
    private var tokensKept = 0

    init(tokensMaximum: Int) { self.tokensMaximum = tokensMaximum }

    mutating func add(_ context: [Int32]) {
        defer { seen += 1 }
        guard seen % step == 0 else { return }
        kept.append(context)
        tokensKept += context.count
        while tokensKept / 4 > tokensMaximum, kept.count > 1 {
            step *= 2
            kept = stride(from: 0, to: kept.count, by: 2).map { kept[$0] }
            tokensKept = kept.reduce(0) { $0 + $1.count }
        }
    }

    /// As many as have at most `tokensMaximum` tokens together; at least one, where there is one.
    func chosen() -> [[Int32]] {
        var count = tokensKept <= tokensMaximum ? kept.count : max(1, kept.count * tokensMaximum / tokensKept)
        while true {
            let chosen = (0..<min(count, kept.count)).map { kept[$0 * kept.count / count] }
            if count <= 1 || chosen.reduce(0, { $0 + $1.count }) <= tokensMaximum { return chosen }
            count -= 1
        }
    }
}

extension Evaluator {
    /// - Parameter autoencoder: what it is called.
    func checkIsFinite(_ reconstruction: Reconstruction, _ losses: Losses, of autoencoder: String) throws {
        let numbers = [reconstruction.meanSquaredError, reconstruction.explainedVariance ?? 0, losses.original, losses.spliced, losses.zeroAblated, losses.meanAblated]
        guard !numbers.allSatisfy(\.isFinite) else { return }
        let culprit = losses.original.isFinite && moments.spread.isFinite ? "what \(autoencoder) makes of its activations" : "the model itself"
        throw MonosemeError("the loss with \(culprit) is not a finite number", hint: "the weights may be damaged, or too large for single precision")
    }
}
