import Kernels
import Numerics
import SparseCoding
import Synchronization

/// The memory of a step, kept from step to step, and how its work is cut into pieces.
///
/// Inputs are cut into slabs and features into blocks, by the sizes alone. Each piece is one thread's at a time, and what pieces
/// add up is added in their order: so the number of threads changes no bit.
final class Workspace: @unchecked Sendable {
    /// How much of a step is one piece of work.
    struct Pieces {
        /// Whole groups of the encoder's tile, enough that its panels are read seldom.
        var slabInputs = 264
        var blockFeatures = 256
        /// For whole products.
        var denseFeatures = 1024
    }

    let pieces: Pieces
    let slabs: [Range<Int>]
    /// Fewer and larger, for whole products.
    let denseSlabs: [Range<Int>]
    let denseBlocks: [Range<Int>]
    /// None crosses the end of a nested dictionary.
    let blocks: [Range<Int>]
    let blockEnds: [UInt32]
    /// The nested dictionary each block first belongs to.
    let groups: [Int]

    /// What the encoder reads: x̄ (batch × width).
    let input: Matrix
    /// dL/dx̂ as a feature of each group feels it (groups · batch × width).
    let residual: Matrix
    /// x̂ − x of all features (batch × width); only where an auxiliary loss needs it.
    let error: Matrix
    /// dL/dê of the auxiliary loss (batch × width).
    let auxiliaryResidual: Matrix
    let codes: [Code]
    let auxiliaryCodes: [Code]
    let encoder: PackedEncoder
    /// The gradients (features × width), where they wait for their common norm.
    let encoderGradient: Matrix
    let decoderGradient: Matrix
    let encoderBiasGradient: Matrix  // (1 × features)
    let logThresholdGradient: Matrix  // (1 × features)
    /// How often each feature fired in the batch.
    let fired: UnsafeMutableBufferPointer<UInt32>

    let encoderScratches = Pool { EncoderBox() }
    let blockScratches: Pool<BlockScratch>

    init(_ plan: TrainingPlan, _ design: Design, _ pieces: Pieces) {
        let (batch, width, features) = (plan.batchSize, plan.width, plan.features)
        self.pieces = pieces
        slabs = cut(batch, pieces.slabInputs)
        denseSlabs = cut(batch, max(pieces.slabInputs, (batch + 3) / 4))
        denseBlocks = cut(features, pieces.denseFeatures)
        var blocks: [Range<Int>] = [], groups: [Int] = [], start = 0
        for (group, end) in design.prefixes.enumerated() {
            for block in cut(end - start, pieces.blockFeatures) {
                blocks.append(start + block.lowerBound..<start + block.upperBound)
                groups.append(group)
            }
            start = end
        }
        (self.blocks, self.groups, blockEnds) = (blocks, groups, blocks.map { UInt32($0.upperBound) })
        let hasAuxiliary = design.auxiliary != nil, waits = design.gradientNormLimit != nil
        input = Matrix(rows: batch, columns: width)
        residual = Matrix(rows: design.prefixes.count * batch, columns: width)
        error = Matrix(rows: hasAuxiliary ? batch : 0, columns: width)
        auxiliaryResidual = Matrix(rows: hasAuxiliary ? batch : 0, columns: width)
        codes = slabs.map { _ in Code() }
        auxiliaryCodes = hasAuxiliary ? slabs.map { _ in Code() } : []
        encoder = PackedEncoder(width: width, features: features)
        encoderGradient = Matrix(rows: waits ? features : 0, columns: width)
        decoderGradient = Matrix(rows: waits ? features : 0, columns: width)
        encoderBiasGradient = Matrix(rows: 1, columns: waits ? features : 0)
        logThresholdGradient = Matrix(rows: 1, columns: waits ? features : 0)
        fired = .allocate(capacity: features)
        fired.initialize(repeating: 0)
        blockScratches = Pool { BlockScratch(width: width, features: pieces.blockFeatures) }
    }

    deinit { fired.deallocate() }
}

/// 0 ..< `count` in pieces of `size`, the last one shorter.
private func cut(_ count: Int, _ size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}

/// A slab's code, input by input, features ascending, with the gradient of each entry.
final class Code: @unchecked Sendable {
    var offsets = Buffer<Int>()
    var features = Buffer<UInt32>()
    /// Pre-activations at first, then f.
    var values = Buffer<Float>()
    /// dL/d pre-activation.
    var gradients = Buffer<Float>()
    /// dL/d log θ ÷ θ; of JumpReLU.
    var thresholds = Buffer<Float>()
    /// Where each block's entries of each input begin (inputs × blocks + 1).
    var starts = Buffer<UInt32>()
    var count = 0

    func begin(inputs: Int, reserving entries: Int) {
        offsets.reserve(inputs + 1)
        offsets.base[0] = 0
        reserve(entries)
        count = 0
    }

    func reserve(_ entries: Int) {
        features.reserve(entries, keeping: count)
        values.reserve(entries, keeping: count)
    }

    /// Makes room for gradients of all entries.
    func reserveGradients(hasThresholds: Bool) {
        gradients.reserve(count)
        if hasThresholds { thresholds.reserve(count) }
    }

    func slab(_ inputs: Range<Int>, hasThresholds: Bool) -> training_slab {
        training_slab(starts: starts.base, features: features.base, values: values.base, gradients: gradients.base, thresholds: hasThresholds ? thresholds.base : nil,
                      inputs: inputs.count, first: inputs.lowerBound)
    }
}

final class EncoderBox: @unchecked Sendable { var scratch = EncoderScratch() }

/// One thread's memory while it works on a block of features.
final class BlockScratch: @unchecked Sendable {
    var counts: [UInt32]
    var next: [UInt32]
    var inputs = Buffer<UInt32>()
    var values = Buffer<Float>()
    var gradients = Buffer<Float>()
    var thresholds = Buffer<Float>()
    let encoderGradient: Matrix  // (1 × width)
    let decoderGradient: Matrix  // (1 × width)
    /// Of whole products: a block's code and gradients (batch × block), and what they add up to (block × width).
    var code = Buffer<Float>()
    var gradient = Buffer<Float>()
    var encoderProduct = Buffer<Float>()
    var decoderProduct = Buffer<Float>()

    init(width: Int, features: Int) {
        counts = [UInt32](repeating: 0, count: features + 1)
        next = counts
        encoderGradient = Matrix(rows: 1, columns: width)
        decoderGradient = Matrix(rows: 1, columns: width)
    }
}

/// Things that are lent to whichever thread needs one.
final class Pool<Item: AnyObject & Sendable>: Sendable {
    private let idle = Mutex<[Item]>([])
    private let make: @Sendable () -> Item

    init(_ make: @escaping @Sendable () -> Item) { self.make = make }

    func with<Result>(_ body: (Item) throws -> Result) rethrows -> Result {
        let item = idle.withLock { $0.popLast() } ?? make()
        defer { idle.withLock { $0.append(item) } }
        return try body(item)
    }
}
