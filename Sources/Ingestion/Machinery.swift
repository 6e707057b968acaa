import Diagnostics
import FeatureCatalogue
import LinearAlgebra
import Numerics
import SparseCoding
import Tokenization
import Transformer

/// What says which model and autoencoders to load, and how contexts are cut.
protocol MachineryRequest: Sendable {
    var modelFolder: String { get }
    var autoencoderFolders: [String] { get }
    var hook: String? { get }
    var contextLength: Int? { get }
    var prependsBOS: Bool? { get }
    var inputScale: Float? { get }
}

/// The model, its tokenizer and the autoencoders of one hook point, loaded and found to fit one another.
struct Machinery: Sendable {
    let model: any LanguageModel
    let tokenizer: Tokenizer
    let autoencoders: [SparseAutoencoder]
    let hook: HookPoint
    let scratches = ScratchPool()
    let contextLength: Int
    /// The token that begins each context, if one does.
    let bos: Int32?

    /// Corpus tokens in the longest context.
    var contextTokens: Int { contextLength - (bos == nil ? 0 : 1) }

    /// Tokens that go through the model at once: enough that products run at full rate, few enough to stay in cache.
    static let batchTokens = 2048

    init(_ request: some MachineryRequest, warn: (String) -> Void) throws {
        autoencoders = try request.autoencoderFolders.map { try SparseAutoencoder(folder: $0, inputScale: request.inputScale) }
        hook = try Machinery.hook(of: autoencoders, request)
        tokenizer = try Tokenizer(path: request.modelFolder)
        model = try loadLanguageModel(folder: request.modelFolder)
        guard tokenizer.vocabularySize <= model.shape.vocabulary else {
            throw MonosemeError("the tokenizer in \(quoted(request.modelFolder, limit: 400)) has ids up to \(tokenizer.vocabularySize - 1), the model's vocabulary ends at \(model.shape.vocabulary - 1)",
                                hint: "use the tokenizer.json that belongs to the model")
        }
        let width = try model.width(at: hook)
        for (autoencoder, folder) in zip(autoencoders, request.autoencoderFolders) where autoencoder.width != width {
            throw MonosemeError("the autoencoder in \(quoted(folder, limit: 400)) reads \(autoencoder.width) numbers a token (d_in); \(hook) of \(quoted(model.name)) has \(width)",
                                hint: "use the model and hook point it was trained on")
        }
        for (autoencoder, folder) in zip(autoencoders, request.autoencoderFolders) {
            if let trained = autoencoder.configuration.modelName, trained != model.name, !trained.hasSuffix("/" + model.name) {
                warn("the autoencoder in \(quoted(folder, limit: 400)) was trained on a model called \(quoted(trained)); this one is called \(quoted(model.name))")
            }
        }
        contextLength = try Machinery.contextLength(request, autoencoders, model)
        bos = try Machinery.bos(request, autoencoders, tokenizer)
        guard contextTokens > 0 else { throw MonosemeError("a context of \(contextLength) tokens has no room beside the BOS token", hint: "give --context 2 or more") }
    }

    private static func hook(of autoencoders: [SparseAutoencoder], _ request: some MachineryRequest) throws -> HookPoint {
        var named: [String] = []
        for (autoencoder, folder) in zip(autoencoders, request.autoencoderFolders) {
            guard let name = request.hook ?? autoencoder.configuration.hookName else {
                throw MonosemeError("the autoencoder in \(quoted(folder, limit: 400)) names no hook point", hint: "name it with --hook, such as --hook blocks.0.mlp.hook_post")
            }
            if let head = autoencoder.configuration.hookHeadIndex {
                throw MonosemeError("the autoencoder in \(quoted(folder, limit: 400)) reads head \(head) alone (hook_head_index), which is not supported", hint: "use an autoencoder of a whole hook point")
            }
            named.append(name)
        }
        guard Set(named).count == 1 else {
            throw MonosemeError("the autoencoders read different hook points: \(Set(named).sorted().map { quoted($0) }.joined(separator: ", "))", hint: "take those of each hook point in a run of their own")
        }
        // "blocks.L.hook_z" is how some old files call blocks.L.attn.hook_z.
        let name = named[0].hasSuffix(".hook_z") && !named[0].hasSuffix(".attn.hook_z") ? named[0].dropLast(6) + "attn.hook_z" : named[0]
        guard let hook = HookPoint(name) else {
            let sites = HookPoint.Site.allCases.map { "blocks.L.\($0.rawValue)" }.joined(separator: ", ")
            throw MonosemeError("\(quoted(name)) is not a hook point that can be read", hint: "those that can are \(sites)")
        }
        return hook
    }

    private static func contextLength(_ request: some MachineryRequest, _ autoencoders: [SparseAutoencoder], _ model: any LanguageModel) throws -> Int {
        let longest = model.shape.contextLength
        if let asked = request.contextLength {
            guard asked <= longest else { throw MonosemeError("a context of \(asked) tokens is more than \(quoted(model.name)) can read (\(longest))", hint: "give --context \(longest) or less") }
            return asked
        }
        let trained = Set(autoencoders.compactMap(\.configuration.contextSize))
        guard trained.count <= 1 else {
            throw MonosemeError("the autoencoders were trained on contexts of different lengths: \(trained.sorted().map(String.init).joined(separator: ", "))", hint: "say which to use with --context N")
        }
        return max(1, min(trained.first ?? longest, longest))
    }

    private static func bos(_ request: some MachineryRequest, _ autoencoders: [SparseAutoencoder], _ tokenizer: Tokenizer) throws -> Int32? {
        let trained = Set(autoencoders.map(\.configuration.prependsBOS))
        guard request.prependsBOS != nil || trained.count == 1 else {
            throw MonosemeError("some of the autoencoders were trained with a BOS token before each context and some without", hint: "say what to do with --prepend-bos or --no-prepend-bos")
        }
        guard request.prependsBOS ?? trained.first! else { return nil }
        guard let bos = tokenizer.beginningOfSequence else { throw MonosemeError("the tokenizer has no token that begins a text", hint: "use --no-prepend-bos") }
        return bos
    }

    /// The contexts of a segment in batches, each with the segment positions of its rows.
    func batches(_ tokens: [Int32], contexts: [(start: Int, count: Int)]) -> [(batch: ContextBatch, positions: [UInt32])] {
        var batches: [(batch: ContextBatch, positions: [UInt32])] = []
        var batch = ContextBatch(), positions: [UInt32] = []
        for (start, count) in contexts {
            if !positions.isEmpty, positions.count + count + (bos == nil ? 0 : 1) > Machinery.batchTokens {
                batches.append((batch, positions))
                (batch, positions) = (ContextBatch(), [])
            }
            if let bos {
                batch.append([bos] + tokens[start..<start + count])
                positions.append(FiringBlock.maskedRow)
            } else {
                batch.append(tokens[start..<start + count])
            }
            positions.append(contentsOf: (start..<start + count).map { UInt32($0) })
        }
        if !positions.isEmpty { batches.append((batch, positions)) }
        return batches
    }

    /// What fires in a segment: for each of `autoencoders` (by place), its blocks in order of position.
    func fire(_ layout: SegmentLayout, contexts lengths: [Int], autoencoders chosen: [Int], threads: Int) throws -> [[FiringBlock]] {
        var contexts: [(start: Int, count: Int)] = []
        var start = 0
        for count in lengths { contexts.append((start, count)); start += count }
        let batches = batches(layout.tokens, contexts: contexts)
        let results = Slots<[FiringBlock]>(batches.count)
        try forEachInParallel(batches.count, threads: threads) { place in
            let (batch, positions) = batches[place]
            let activations = try model.activations(of: batch, at: hook)
            results[place] = try chosen.map { autoencoder in
                try withFirings(of: autoencoders[autoencoder], on: activations) { firings in
                    // Copied to size: blocks wait for their segment to be complete, and grown arrays have room to spare.
                    FiringBlock(offsets: exact(firings.offsets), features: exact(firings.features), values: exact(firings.values), positionOfRow: positions)
                }
            }
        }
        let byBatch = results.take()
        return chosen.indices.map { autoencoder in byBatch.map { $0[autoencoder] } }
    }
}

private func exact<Element: BitwiseCopyable>(_ array: [Element]) -> [Element] { array.withUnsafeBufferPointer { Array($0) } }
