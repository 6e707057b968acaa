import Diagnostics
public import Formats
import LinearAlgebra
public import Numerics

/// Trains one dictionary, a batch at a time.
///
/// The same plan, constants, batches and machine give the same bits, whatever the number of threads: work is cut into pieces
/// that depend on the sizes alone, and every sum has its order. Another processor, or another build of OpenBLAS, rounds its
/// products otherwise.
public final class Trainer: @unchecked Sendable {
    public let recipe: any Recipe.Type
    public let constants: RecipeConstants
    public let plan: TrainingPlan
    public let design: Design
    let threads: Int

    public internal(set) var stepsDone = 0
    /// What inputs are multiplied by.
    public internal(set) var inputScale: Float = 1
    let parameters: Parameters
    var generator: SeededGenerator
    /// Per feature, steps since it last fired; a matrix so that checkpoints keep it with the rest.
    let sinceFired: Matrix  // (1 × features)
    /// The threshold that inference will use, where the recipe has one for all features.
    var thresholdMean: Float?
    /// The least value kept in the last batch, from which the next one's search begins; a matter of speed alone.
    var lastFloor: Float = 0
    /// Whether the last code was so dense that whole products were cheaper.
    var isDense = true
    /// The loss that an exploding one is compared with.
    var firstLoss: Double?
    var resampledAt: Int?
    /// The least value that the last batch kept, if it kept any: inference's threshold until there is a mean.
    var leastKept: Float?

    // Derived from the rest, or of no consequence for the result.
    let workspace: Workspace
    let thresholds: Matrix  // θ = exp(log θ) (1 × features)
    /// The lower ends of the thresholds' windows: below θ a feature does not fire, but its threshold feels it.
    let screenThresholds: Matrix  // (1 × features)
    let decoderNorms: Matrix  // (1 × features)
    var encoderIsLoaded = false
    var hasAuxiliaryCode = false
    /// Of a dense code (batch × features).
    var densePreactivations: Shared?

    /// - Parameter sample: the first inputs (rows × width), at least one batch of them: their scale and geometric median count.
    /// - Throws: `MonosemeError` for sizes or constants that cannot be, or inputs that are not finite or all zero.
    public convenience init(recipe: any Recipe.Type, constants: RecipeConstants, plan: TrainingPlan, sample: borrowing Matrix, threads: Int = 1) throws {
        try self.init(recipe, constants, plan, threads: threads, Workspace.Pieces())
        precondition(sample.columns == plan.width && sample.rows > 0)
        try begin(with: sample)
    }

    /// Without a start.
    init(_ recipe: any Recipe.Type, _ constants: RecipeConstants, _ plan: TrainingPlan, threads: Int, _ pieces: Workspace.Pieces) throws {
        try Trainer.check(plan)
        try loadLinearAlgebra()
        design = try recipe.design(constants, plan)
        (self.recipe, self.constants, self.plan, self.threads) = (recipe, constants, plan, max(1, threads))
        var hasThreshold = false
        if case .jumpReLU = design.activation { hasThreshold = true }
        parameters = Parameters(width: plan.width, features: plan.features, hasThreshold: hasThreshold)
        generator = SeededGenerator(seed: plan.seed, stream: UInt64(plan.features))
        sinceFired = Matrix(rows: 1, columns: plan.features)
        thresholds = Matrix(rows: 1, columns: hasThreshold ? plan.features : 0)
        screenThresholds = Matrix(rows: 1, columns: hasThreshold ? plan.features : 0)
        decoderNorms = Matrix(rows: 1, columns: plan.features)
        workspace = Workspace(plan, design, pieces)
        isDense = canBeDense
    }

    // MARK: - Checkpoints

    /// Everything in single precision that the next step depends on, to be written or, by `init(…restoring:)`, filled.
    public var tensors: [CheckpointTensor] {
        var tensors: [CheckpointTensor] = []
        func add(_ name: String, _ block: borrowing Parameters.Block) {
            guard block.value.count > 0 else { return }
            tensors += [CheckpointTensor(name, block.value), CheckpointTensor(name + ".first_moment", block.first), CheckpointTensor(name + ".second_moment", block.second)]
        }
        add("encoder", parameters.encoder)
        add("decoder", parameters.decoder)
        add("encoder_bias", parameters.encoderBias)
        add("decoder_bias", parameters.decoderBias)
        add("log_threshold", parameters.logThreshold)
        return tensors + [CheckpointTensor("steps_since_fired", sinceFired)]
    }

    /// The rest of it.
    public var counters: JSON {
        .object(JSON.Object([
            ("steps_done", .unsigned(UInt64(stepsDone))), ("generator", .unsigned(generator.state)), ("input_scale", .unsigned(UInt64(inputScale.bitPattern))),
            ("threshold_mean", thresholdMean.map { .unsigned(UInt64($0.bitPattern)) } ?? .null), ("least_kept", leastKept.map { .unsigned(UInt64($0.bitPattern)) } ?? .null), ("last_floor", .unsigned(UInt64(lastFloor.bitPattern))), ("is_dense", .bool(isDense)),
            ("first_loss", firstLoss.map { .unsigned($0.bitPattern) } ?? .null), ("resampled_at", resampledAt.map { .unsigned(UInt64($0)) } ?? .null),
        ]))
    }

    /// Goes on where another trainer stood.
    /// - Parameters:
    ///   - counters: that trainer's.
    ///   - fill: reads into each of `tensors` what was written of it.
    /// - Throws: `MonosemeError` where the counters are not those of such a trainer; what `fill` throws.
    public convenience init(recipe: any Recipe.Type, constants: RecipeConstants, plan: TrainingPlan, threads: Int = 1, restoring counters: JSON,
                            fill: ([CheckpointTensor]) throws -> Void) throws {
        try self.init(recipe, constants, plan, threads: threads, Workspace.Pieces())
        func number(_ name: String) throws -> UInt64? {
            switch counters.object?[name] {
            case .unsigned(let number)?: number
            case .null?: nil
            default: throw MonosemeError("the checkpoint has no number \(quoted(name))")
            }
        }
        func bits(_ name: String) throws -> Float? { try number(name).map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) } }
        guard let steps = try number("steps_done").flatMap({ Int(exactly: $0) }), steps <= plan.steps, let state = try number("generator"),
              let scale = try bits("input_scale"), scale.isFinite, scale > 0, let floor = try bits("last_floor"), case .bool(let isDense)? = counters.object?["is_dense"]
        else { throw MonosemeError("the checkpoint's counters are not those of this run") }
        (stepsDone, generator.state, inputScale, lastFloor, self.isDense) = (steps, state, scale, floor, isDense)
        (thresholdMean, leastKept) = (try bits("threshold_mean"), try bits("least_kept"))
        firstLoss = try number("first_loss").map { Double(bitPattern: $0) }
        resampledAt = try number("resampled_at").flatMap { Int(exactly: $0) }
        try fill(tensors)
        refreshAll()
    }
}
