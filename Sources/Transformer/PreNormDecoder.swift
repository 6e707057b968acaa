import Diagnostics
import Formats
import Kernels
import LinearAlgebra
import Numerics
import Synchronization

/// One layer: x += attention(norm x), x += MLP(norm x).
struct Block: Sendable {
    let attentionNorm: LayerNorm
    /// Queries, keys and values side by side (width → 3 · width).
    let projections: Linear
    let attention: Attention
    let attentionOut: Linear
    let mlpNorm: LayerNorm
    let mlpIn: Linear
    let mlpOut: Linear
}

/// A decoder with LayerNorm before each part, which GPT-2 and GPT-NeoX both are; their files say how weights become one.
final class PreNormDecoder: LanguageModel {
    let name: String
    let shape: LanguageModelShape
    let embedding: Weight
    /// Learned positions (context length × width), if the model has such.
    let positions: Weight?
    let rotary: Rotary?
    /// Whether a layer's MLP reads the stream as its attention found it.
    let isParallel: Bool
    let activation: Activation
    let blocks: [Block]
    let finalNorm: LayerNorm
    /// (vocabulary × width)
    let unembedding: Weight
    let workspaces = WorkspacePool()
    private let weights: SafetensorsFolder
    private let knownSHA256 = Mutex<String?>(nil)

    init(
        name: String, shape: LanguageModelShape, weights: SafetensorsFolder, embedding: Weight, positions: Weight?, rotary: Rotary?,
        isParallel: Bool, activation: Activation, blocks: [Block], finalNorm: LayerNorm, unembedding: Weight
    ) {
        self.name = name
        self.shape = shape
        self.weights = weights
        self.embedding = embedding
        self.positions = positions
        self.rotary = rotary
        self.isParallel = isParallel
        self.activation = activation
        self.blocks = blocks
        self.finalNorm = finalNorm
        self.unembedding = unembedding
    }

    var weightsSHA256: String {
        knownSHA256.withLock { known in
            if let known { return known }
            let digest = weights.sha256
            known = digest
            return digest
        }
    }

    // MARK: hooks

    func width(at hook: HookPoint) throws -> Int {
        guard hook.layer >= 0, hook.layer < shape.layers, !(isParallel && hook.site == .residualBetween) else {
            let sites = HookPoint.Site.allCases.filter { !(isParallel && $0 == .residualBetween) }.map(\.rawValue)
            throw MonosemeError(
                "model \(quoted(name)) has no hook \(hook)",
                hint: "it has \(shape.layers == 1 ? "blocks.0" : "blocks.0 … blocks.\(shape.layers - 1), each") with \(sites.joined(separator: ", "))")
        }
        return switch hook.site {
        case .neuronsBefore, .neurons: shape.mlpWidth
        case .headResults: shape.heads * shape.headWidth
        case .residualBefore, .residualBetween, .residualAfter, .attentionOut, .mlpOut: shape.width
        }
    }

    func residualDirections(of rows: borrowing Matrix, at hook: HookPoint) throws -> Matrix? {
        let width = try width(at: hook)
        guard rows.columns == width else {
            throw MonosemeError("directions of \(rows.columns) numbers do not fit \(hook) of model \(quoted(name)), which has \(width)")
        }
        let projection: Linear
        switch hook.site {
        case .neuronsBefore: return nil
        case .neurons: projection = blocks[hook.layer].mlpOut
        case .headResults: projection = blocks[hook.layer].attentionOut
        case .residualBefore, .residualBetween, .residualAfter, .attentionOut, .mlpOut: return rows.copy()
        }
        let directions = Matrix(uninitializedRows: rows.rows, columns: shape.width)
        projection.multiply(rows.base, rows: rows.rows, into: directions.base)
        return directions
    }

    func logitWeights(ofResidual directions: borrowing Matrix) -> Matrix {
        precondition(directions.columns == shape.width)
        let centred = directions.copy(), gain = finalNorm.gain.base
        for row in 0..<centred.rows {
            let start = centred.base + row * shape.width
            let mean = Float((0..<shape.width).reduce(0.0) { $0 + Double(start[$1]) } / Double(shape.width))
            for i in 0..<shape.width { start[i] = (start[i] - mean) * gain[i] }
        }
        return product(centred, transposed: unembedding.matrix)
    }

    // MARK: runs

    func activations(of batch: ContextBatch, at hook: HookPoint) throws -> Matrix {
        let width = try width(at: hook)
        try check(batch)
        let activations = Matrix(uninitializedRows: batch.tokens.count, columns: width)
        try workspaces.withWorkspace { workspace in
            for part in ContextGroup.groups(of: batch, tokensMaximum: tokensPerGroup) {
                let out = activations.base + part.firstToken * width
                try batch.tokens.withUnsafeBufferPointer { tokens in
                    try run(part, tokens: tokens, in: workspace, stop: (hook, out), replacing: nil)
                }
            }
        }
        return activations
    }

    func logits(of batch: ContextBatch, replacing replacement: HookReplacement?) throws -> Matrix {
        if let replacement { _ = try width(at: replacement.hook) }
        try check(batch)
        let logits = Matrix(uninitializedRows: batch.tokens.count, columns: shape.vocabulary)
        try finish(batch, replacing: replacement) { normed, group, _ in
            sgemm(
                m: group.tokenCount, n: shape.vocabulary, k: shape.width, a: normed, b: unembedding.base, transposeB: true,
                c: logits.base + group.firstToken * shape.vocabulary)
        }
        return logits
    }

    func losses(of batch: ContextBatch, replacing replacement: HookReplacement?) throws -> [Float] {
        if let replacement { _ = try width(at: replacement.hook) }
        try check(batch)
        var losses: [Float] = []
        losses.reserveCapacity(batch.predictionCount)
        try finish(batch, replacing: replacement) { normed, group, workspace in
            // Close the gaps of the last positions, which predict nothing.
            var targets: [Int32] = [], from = 0
            for length in group.lengths {
                let predictions = max(0, length - 1), token = group.firstToken + from
                (normed + targets.count * shape.width).update(from: normed + from * shape.width, count: predictions * shape.width)
                if predictions > 0 { targets.append(contentsOf: batch.tokens[(token + 1)...(token + predictions)]) }
                from += length
            }
            let entropy = CrossEntropy(unembedding: unembedding, vocabulary: shape.vocabulary, width: shape.width)
            entropy.append(normed, targets: targets, to: &losses, in: workspace)
        }
        return losses
    }

    /// Tokens that go through the layers together, unless one context has more: few enough that what a layer computes
    /// for them stays in the second-level cache, enough that packing a layer's weights for BLAS is a small part.
    private var tokensPerGroup: Int { shape.width <= 256 ? 256 : 512 }

    /// Runs all layers and the final norm, group by group; a replacement sees the whole batch, so then there is one group.
    private func finish(
        _ batch: ContextBatch, replacing replacement: HookReplacement?,
        _ body: (_ normed: UnsafeMutablePointer<Float>, ContextGroup, Workspace) throws -> Void
    ) throws {
        try workspaces.withWorkspace { workspace in
            let groups = ContextGroup.groups(of: batch, tokensMaximum: replacement == nil ? tokensPerGroup : .max)
            for group in groups {
                try batch.tokens.withUnsafeBufferPointer { try run(group, tokens: $0, in: workspace, stop: nil, replacing: replacement) }
                let normed = workspace.part(.normed, group.tokenCount * shape.width)
                finalNorm.apply(workspace.part(.residual, group.tokenCount * shape.width), rows: group.tokenCount, into: normed)
                try body(normed, group, workspace)
            }
        }
    }

    /// Runs one group; leaves the stream after the last layer in the workspace, or what is read at `stop` in its memory.
    private func run(
        _ group: ContextGroup, tokens: UnsafeBufferPointer<Int32>, in workspace: Workspace,
        stop: (hook: HookPoint, out: UnsafeMutablePointer<Float>)?, replacing replacement: HookReplacement?
    ) throws {
        let rows = group.tokenCount, width = shape.width
        guard rows > 0 else { return }
        let x = workspace.part(.residual, rows * width), normed = workspace.part(.normed, rows * width)
        let projected = workspace.part(.projections, rows * 3 * width), heads = workspace.part(.heads, rows * width)

        func isAsked(_ hook: HookPoint) -> Bool { stop?.hook == hook || replacement?.hook == hook }
        /// Replaces and reads what stands at a hook; true when nothing more is wanted.
        func reached(_ site: HookPoint.Site, _ layer: Int, _ values: UnsafeMutablePointer<Float>, _ width: Int) throws -> Bool {
            let hook = HookPoint(layer: layer, site: site)
            if let replacement, replacement.hook == hook {
                let edited = Matrix(uninitializedRows: rows, columns: width)
                edited.base.update(from: values, count: edited.count)
                try replacement.edit(edited)
                withExtendedLifetime(edited) { values.update(from: edited.base, count: rows * width) }
            }
            guard let stop, stop.hook == hook else { return false }
            if stop.out != values { stop.out.update(from: values, count: rows * width) }
            return true
        }
        /// x += in · W + b, where the sum's second part can be read and replaced at `site`.
        func write(_ input: UnsafeMutablePointer<Float>, through linear: Linear, _ site: HookPoint.Site, _ layer: Int) throws -> Bool {
            if isAsked(HookPoint(layer: layer, site: site)) {
                let written = workspace.part(.written, rows * width)
                linear.multiply(input, rows: rows, into: written)
                linear.addBias(to: written, rows: rows)
                if try reached(site, layer, written, width) { return true }
                kernel_add(x, written, x, rows * width)
            } else {
                linear.multiply(input, rows: rows, adding: true, into: x)
                linear.addBias(to: x, rows: rows)
            }
            return false
        }

        embed(group, tokens: tokens, into: x)
        for (layer, block) in blocks.enumerated() {
            if try reached(.residualBefore, layer, x, width) { return }
            // Side by side, the neurons do not wait for attention: a run that ends at them leaves it out.
            if !(isParallel && stop.map { $0.hook.layer == layer && $0.hook.site.isOfMLP } ?? false) {
                block.attentionNorm.apply(x, rows: rows, into: normed)
                block.projections.multiply(normed, rows: rows, into: projected)
                block.projections.addBias(to: projected, rows: rows)
                rotary?.apply(
                    projected, stride: 3 * width, heads: shape.heads, headWidth: shape.headWidth, lengths: group.lengths, longest: group.longest, in: workspace)
                block.attention.apply(projected, lengths: group.lengths, into: heads, in: workspace)
                if try reached(.headResults, layer, heads, width) { return }
                if isParallel { block.mlpNorm.apply(x, rows: rows, into: normed) }
                if try write(heads, through: block.attentionOut, .attentionOut, layer) { return }
            } else {
                block.mlpNorm.apply(x, rows: rows, into: normed)
            }
            if !isParallel {
                if try reached(.residualBetween, layer, x, width) { return }
                block.mlpNorm.apply(x, rows: rows, into: normed)
            }
            let before = HookPoint(layer: layer, site: .neuronsBefore), after = HookPoint(layer: layer, site: .neurons)
            // The caller's memory takes the neurons at once when the run ends at them.
            let neurons = stop.flatMap { $0.hook == before || $0.hook == after ? $0.out : nil } ?? workspace.part(.neurons, rows * shape.mlpWidth)
            block.mlpIn.multiply(normed, rows: rows, into: neurons)
            if isAsked(before) {
                block.mlpIn.addBias(to: neurons, rows: rows)
                if try reached(.neuronsBefore, layer, neurons, shape.mlpWidth) { return }
                activation.apply(to: neurons, bias: nil, rows: rows, width: shape.mlpWidth)
            } else {
                activation.apply(to: neurons, bias: block.mlpIn.bias, rows: rows, width: shape.mlpWidth)
            }
            if try reached(.neurons, layer, neurons, shape.mlpWidth) { return }
            if try write(neurons, through: block.mlpOut, .mlpOut, layer) { return }
            if try reached(.residualAfter, layer, x, width) { return }
        }
    }

    /// Token and position embeddings → x (rows × width).
    private func embed(_ group: ContextGroup, tokens: UnsafeBufferPointer<Int32>, into x: UnsafeMutablePointer<Float>) {
        let width = shape.width
        var row = 0
        for length in group.lengths {
            for position in 0..<length {
                let token = embedding.base + Int(tokens[group.firstToken + row]) * width
                if let positions {
                    kernel_add(token, positions.base + position * width, x + row * width, width)
                } else {
                    (x + row * width).update(from: token, count: width)
                }
                row += 1
            }
        }
    }

    private func check(_ batch: ContextBatch) throws {
        var left = batch.tokens.count
        for length in batch.lengths {
            guard length >= 0, length <= left else { throw MonosemeError("a batch of \(batch.tokens.count) tokens does not hold contexts of \(quoted("\(batch.lengths)"))") }
            guard length <= shape.contextLength else {
                throw MonosemeError(
                    "a context of \(length) tokens is longer than model \(quoted(name)) can take, which is \(shape.contextLength)",
                    hint: "use contexts of at most \(shape.contextLength) tokens")
            }
            left -= length
        }
        guard left == 0 else { throw MonosemeError("\(left) of the batch's \(batch.tokens.count) tokens are in no context") }
        if let place = batch.tokens.firstIndex(where: { $0 < 0 || Int($0) >= shape.vocabulary }) {
            throw MonosemeError(
                "token id \(batch.tokens[place]) is outside the vocabulary of model \(quoted(name)), which is 0 … \(shape.vocabulary - 1)",
                hint: "was the text tokenised with this model's tokenizer?")
        }
    }
}

extension HookPoint.Site {
    var isOfMLP: Bool {
        switch self {
        case .neuronsBefore, .neurons, .mlpOut: true
        case .residualBefore, .headResults, .attentionOut, .residualBetween, .residualAfter: false
        }
    }
}

