import Diagnostics
public import FeatureCatalogue
import LinearAlgebra
import SparseCoding
import SQLite

/// What attaching weights did.
public struct WeightsAttachment: Sendable {
    public let dictionary: FeatureDictionary
    /// Whose activations were multiplied by the length of their decoder row.
    public let rescaled: Int
    /// What the import called the hook point, where the weights call it otherwise.
    public let formerHook: String?
}

/// Gives a dictionary that was imported without vectors the weights in a folder as SAELens saves them: see `Catalogue.attach`.
///
/// - Parameter inputScale: as an ingest takes it, for an autoencoder that leaves it open.
/// - Throws: when the dictionary has weights already, or they do not fit; nothing is changed then.
public func attachWeights(
    from folder: String, to name: DictionaryName, in catalogue: Catalogue, inputScale: Float? = nil, threads: Int = 1, report: (AttachmentProgress) -> Void = { _ in }
) throws -> WeightsAttachment {
    let dictionary = try catalogue.dictionary(named: name)
    // Cheap mistakes first: a name before gigabytes of weights.
    if dictionary.hasVectors {
        throw MonosemeError("\(name) has its weights already (sha256 \(dictionary.weightsSHA256.prefix(12))…)", hint: "weights are attached once, to a dictionary that was imported without them; ingest others under another name")
    }
    let autoencoder = try SparseAutoencoder(folder: folder, inputScale: inputScale), configuration = autoencoder.configuration
    guard autoencoder.features == dictionary.features else {
        throw MonosemeError("the autoencoder in \(quoted(folder, limit: 400)) has \(autoencoder.features) features and \(name) has \(dictionary.features)",
                            hint: autoencoder.features > dictionary.features ? "attach the weights whose activations were imported; if the import lacked its last shards, import it whole" : "attach the weights whose activations were imported")
    }
    let hook = configuration.hookName ?? dictionary.hook
    try demandWidth(autoencoder.width, at: hook, of: dictionary, folder, catalogue)
    let rescaled = try catalogue.attach(
        DictionaryDescription(name: name, hook: hook, architecture: configuration.architectureAsWritten, settings: configuration.verbatim, weightsSHA256: autoencoder.weightsSHA256),
        to: dictionary, decoder: autoencoder.decoder, norms: autoencoder.decoderNorms, scales: autoencoder.activationScales, encoderDecoderCosines: autoencoder.encoderDecoderCosines(),
        forEach: { try forEachInParallel($0, threads: threads, $1) }, progress: report)
    return WeightsAttachment(dictionary: try catalogue.dictionary(named: name), rescaled: rescaled, formerHook: hook == dictionary.hook ? nil : dictionary.hook)
}

/// Where the model's sizes are known, the hook point's must be the weights'.
private func demandWidth(_ width: Int, at hook: String, of dictionary: FeatureDictionary, _ folder: String, _ catalogue: Catalogue) throws {
    let model = try catalogue.connection.first("SELECT name, width, mlp_width FROM model WHERE id = ?", .init(dictionary.model)) { (name: $0.text(0), width: $0.integer(1), mlpWidth: $0.integer(2)) }
    guard let model else { return }
    let isResidual = ["hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_mlp_out", "hook_attn_out"].contains { hook.hasSuffix($0) }
    let expected = hook.hasSuffix("mlp.hook_post") || hook.hasSuffix("mlp.hook_pre") ? model.mlpWidth : isResidual ? model.width : 0
    guard expected == 0 || expected == width else {
        throw MonosemeError("the autoencoder in \(quoted(folder, limit: 400)) reads \(width) numbers a token (d_in); \(hook) of \(quoted(model.name)) has \(expected)", hint: "attach the weights whose activations were imported")
    }
}
