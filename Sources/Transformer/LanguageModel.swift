public import Numerics

/// A transformer that runs over contexts of token ids on one core; any number of threads may call it at once.
///
/// Activations are the raw ones of the Hugging Face weights (TransformerLens's `from_pretrained_no_processing`). The same
/// batch gives the same bits on any thread; the same context in another batch may differ in the last ones, because BLAS
/// orders its sums by shape.
public protocol LanguageModel: Sendable {
    /// The last component of the folder it was loaded from.
    var name: String { get }
    var shape: LanguageModelShape { get }
    /// The weights' SHA-256 in hexadecimal (`SafetensorsFolder.sha256`), computed when first asked.
    var weightsSHA256: String { get }

    /// How many numbers a token has at `hook`.
    /// - Throws: `MonosemeError` naming the hook and those the model has.
    func width(at hook: HookPoint) throws -> Int

    /// The activations at `hook` (tokens × width), one row per token of the batch; runs no more layers than it takes.
    /// - Throws: `MonosemeError` for a hook, token id or context length that the model does not have.
    func activations(of batch: ContextBatch, at hook: HookPoint) throws -> Matrix

    /// The logits (tokens × vocabulary), with the activations at one hook replaced if asked.
    func logits(of batch: ContextBatch, replacing replacement: HookReplacement?) throws -> Matrix

    /// The cross-entropy of the next token in nats, for each position that has one in its context: `predictionCount`
    /// numbers in the batch's order. Logits are never held all at once.
    func losses(of batch: ContextBatch, replacing replacement: HookReplacement?) throws -> [Float]

    /// What a unit step along each row at `hook` (rows × width) writes into the residual stream (rows × d_model): rows
    /// through the layer's output projection, or as they are at hooks on the stream; `nil` before the activation
    /// function, where a step has no direction.
    func residualDirections(of rows: borrowing Matrix, at hook: HookPoint) throws -> Matrix?

    /// Direct logit weights of directions in the residual stream (rows × d_model) → (rows × vocabulary):
    /// (γ ⊙ (u − mean u)) · W_Uᵀ, the final norm's gain and centring without its division by σ. Callers block the rows.
    func logitWeights(ofResidual directions: borrowing Matrix) -> Matrix
}

extension LanguageModel {
    public func logits(of batch: ContextBatch) throws -> Matrix { try logits(of: batch, replacing: nil) }
    public func losses(of batch: ContextBatch) throws -> [Float] { try losses(of: batch, replacing: nil) }
}

/// The sizes of a model.
public struct LanguageModelShape: Sendable, Hashable {
    /// `model_type` of its config.json.
    public let architecture: String
    public let layers: Int
    /// d_model, the width of the residual stream.
    public let width: Int
    public let mlpWidth: Int
    public let heads: Int
    public let headWidth: Int
    /// Rows of the unembedding, which may exceed the tokenizer's.
    public let vocabulary: Int
    /// The longest context, in tokens.
    public let contextLength: Int
}

/// Activations to be put in the place of the model's own before it goes on.
public struct HookReplacement {
    public let hook: HookPoint
    /// Rewrites the activations of the whole batch (tokens × width at the hook) in place; called once per run.
    public let edit: (_ activations: borrowing Matrix) throws -> Void

    public init(at hook: HookPoint, edit: @escaping (_ activations: borrowing Matrix) throws -> Void) {
        self.hook = hook
        self.edit = edit
    }
}
