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
    let source: HookedModel
    let autoencoders: [SparseAutoencoder]
    let scratches = ScratchPool()

    var model: any LanguageModel { source.model }
    var tokenizer: Tokenizer { source.tokenizer }
    var hook: HookPoint { source.hook }
    var contextLength: Int { source.contextLength }
    var bos: Int32? { source.bos }
    var contextTokens: Int { source.contextTokens }
    static var batchTokens: Int { HookedModel.batchTokens }

    init(_ request: some MachineryRequest, warn: (String) -> Void) throws {
        autoencoders = try request.autoencoderFolders.map { try SparseAutoencoder(folder: $0, inputScale: request.inputScale) }
        let hook = try Machinery.hook(of: autoencoders, request)
        let (tokenizer, model) = try HookedModel.load(request.modelFolder)
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
        let contextLength = try Machinery.contextLength(request, autoencoders, model)
        source = try HookedModel(model, tokenizer, hook, contextLength: contextLength, prependsBOS: try Machinery.prependsBOS(request, autoencoders))
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
        return try HookedModel.hook(named: named[0])
    }

    private static func contextLength(_ request: some MachineryRequest, _ autoencoders: [SparseAutoencoder], _ model: any LanguageModel) throws -> Int {
        if let asked = request.contextLength {
            try HookedModel.check(contextLength: asked, model)
            return asked
        }
        let longest = model.shape.contextLength
        let trained = Set(autoencoders.compactMap(\.configuration.contextSize))
        guard trained.count <= 1 else {
            throw MonosemeError("the autoencoders were trained on contexts of different lengths: \(trained.sorted().map(String.init).joined(separator: ", "))", hint: "say which to use with --context N")
        }
        return max(1, min(trained.first ?? longest, longest))
    }

    private static func prependsBOS(_ request: some MachineryRequest, _ autoencoders: [SparseAutoencoder]) throws -> Bool {
        let trained = Set(autoencoders.map(\.configuration.prependsBOS))
        guard request.prependsBOS != nil || trained.count == 1 else {
            throw MonosemeError("some of the autoencoders were trained with a BOS token before each context and some without", hint: "say what to do with --prepend-bos or --no-prepend-bos")
        }
        return request.prependsBOS ?? trained.first!
    }

    /// What fires in a segment: for each of `autoencoders` (by place), its blocks in order of position.
    func fire(_ layout: SegmentLayout, contexts lengths: [Int], autoencoders chosen: [Int], threads: Int) throws -> [[FiringBlock]] {
        let contexts = ranges(ofLengths: lengths)
        let batches = source.batches(layout.tokens, contexts: contexts)
        let results = Slots<[FiringBlock]>(batches.count)
        try forEachInParallel(batches.count, threads: threads) { place in
            let (batch, inside) = batches[place]
            var positions: [UInt32] = []
            positions.reserveCapacity(batch.tokens.count)
            for context in contexts[inside] {
                if bos != nil { positions.append(FiringBlock.maskedRow) }
                positions.append(contentsOf: UInt32(context.lowerBound)..<UInt32(context.upperBound))
            }
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

/// What lies end to end from 0 on, piece by piece.
func ranges(ofLengths lengths: [Int]) -> [Range<Int>] {
    lengths.reduce(into: []) { ranges, length in
        let start = ranges.last?.upperBound ?? 0
        ranges.append(start..<start + length)
    }
}

private func exact<Element: BitwiseCopyable>(_ array: [Element]) -> [Element] { array.withUnsafeBufferPointer { Array($0) } }
