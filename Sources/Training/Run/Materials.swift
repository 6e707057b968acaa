import Diagnostics
import Ingestion
import Tokenization

/// Where a run's activations come from, opened and found to fit.
struct Materials {
    let source: any ActivationSource
    /// What decides the activations.
    let fingerprint: String
    /// Of the model, if there is one.
    let model: HookedModel?
    /// As SAELens calls it.
    let hook: String?
    private let corpus: CorpusOptions?

    init(_ request: TrainingRequest, warn: @escaping (String) -> Void) throws {
        switch request.source {
        case .corpus(let options):
            guard let folder = request.modelFolder else { throw MonosemeError("text makes activations only with a model", hint: "give --model DIR, or activations with --activations") }
            guard let hook = request.hook else { throw MonosemeError("no hook point was given", hint: "name it with --hook, such as --hook blocks.0.mlp.hook_post") }
            // The path first, before the model is loaded.
            _ = try CorpusReader(options)
            let model = try HookedModel(folder: folder, hook: hook, contextLength: request.contextLength, prependsBOS: request.prependsBOS)
            (self.model, self.hook, corpus) = (model, model.hook.description, options)
            source = try CorpusActivations(model, options, warn: warn)
        case .activations(let paths):
            let shards = try ShardActivations(paths)
            model = try request.modelFolder.map { folder in
                guard let hook = request.hook else { throw MonosemeError("the model was given, but not the hook point the activations are of", hint: "name it with --hook, or leave out --model") }
                return try HookedModel(folder: folder, hook: hook, contextLength: request.contextLength, prependsBOS: request.prependsBOS)
            }
            if let model, model.width != shards.width {
                throw MonosemeError("\(shards.name) has rows of \(shards.width) numbers; \(model.hook) of \(quoted(model.model.name)) has \(model.width)", hint: "give the model and hook point they were taken from")
            }
            (hook, corpus, source) = (model?.hook.description ?? request.hook, nil, shards)
        }
        fingerprint = try source.fingerprint()
    }

    var modelSHA256: String? { model?.model.weightsSHA256 }

    /// Rows of one pass. Of text, its tokens are counted, without running the model.
    func countRows() throws -> Int {
        if case .exactly(let rows) = source.rowCount { return rows }
        guard let corpus, let model else { preconditionFailure("only text does not know its length") }
        guard !corpus.paths.contains("-") else {
            throw MonosemeError("how much comes from standard input cannot be known beforehand", hint: "say how much to train on with --samples N")
        }
        let reader = try CorpusReader(corpus), encoder = model.tokenizer.makeEncoder()
        var rows = 0
        while rows < corpus.tokenLimit ?? .max, let document = try reader.next() { rows += document.text.withUnsafeBytes { encoder.encode($0).count } }
        return min(rows, corpus.tokenLimit ?? .max)
    }
}
