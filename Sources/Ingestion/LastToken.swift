import Diagnostics
public import FeatureCatalogue
import Formats
import Glibc
import Kernels
import Numerics
import SparseCoding
import Tokenization
import Transformer

/// What a dictionary's features make of the last token of a text.
public struct LastToken: Sendable {
    public struct Firing: Sendable, Equatable {
        public let feature: Int
        /// In the catalogue's unit, f·‖d‖.
        public let activation: Float
        /// Of the token's activation with the decoder row; `nil` where that activation is zero.
        public let cosine: Float?
    }

    public let dictionary: FeatureDictionary
    /// The last token's own text.
    public let token: String
    /// Tokens of the text.
    public let tokens: Int
    /// How many of them, from the end, the model read: those that fit into the run's context.
    public let tokensRead: Int
    /// Whether the BOS token came before them.
    public let beginsWithBOS: Bool
    /// Whether cosines are of the activation less b_dec, which is what this autoencoder's encoder sees.
    public let isLessDecoderBias: Bool
    /// Strongest first, equal ones in order of index.
    public let firings: [Firing]
}

/// Runs the model over `text`, and over its last token the autoencoder, by the rules of the dictionary's run: hook point,
/// BOS token, context length and input scale.
///
/// - Parameters:
///   - model: the folder of the model, `autoencoder` that of the autoencoder. Both must be those the catalogue was made
///     with, by their digests.
///   - name: the dictionary; `nil`: the one that was made with this autoencoder.
/// - Throws: `MonosemeError` for files that are others, for a text without tokens, and for what cannot be read.
public func lastToken(of text: String, model folder: String, autoencoder: String, in name: DictionaryName?, _ catalogue: Catalogue) throws -> LastToken {
    // The digest first: it tells the dictionary, the dictionary the run's input scale, and that how the autoencoder is read.
    let weights = autoencoder + "/sae_weights.safetensors"
    let dictionary = try dictionary(ofWeights: try SafetensorsFile(weights).sha256, weights, name, catalogue)
    let run = try catalogue.run(of: dictionary.name), provenance = try catalogue.provenance(of: dictionary)
    let encoder = try SparseAutoencoder(folder: autoencoder, inputScale: try catalogue.inputScale(of: run))
    guard encoder.configuration.verbatim == provenance.settings else {
        throw MonosemeError("\(quoted(autoencoder + "/cfg.json", limit: 400)) is not the one that \(dictionary.name) was ingested with", hint: "SELECT settings FROM dictionary has that one")
    }
    let tokenizer = try Tokenizer(path: folder)
    guard tokenizer.sha256 == provenance.tokenizerSHA256 else {
        throw otherFile("the tokenizer in \(quoted(folder, limit: 400))", tokenizer.sha256, dictionary, provenance.tokenizerSHA256)
    }
    let model = try loadLanguageModel(folder: folder)
    guard model.weightsSHA256 == provenance.modelSHA256 else {
        throw otherFile("the model in \(quoted(folder, limit: 400))", model.weightsSHA256, dictionary, provenance.modelSHA256)
    }
    guard let hook = HookPoint(dictionary.hook), try model.width(at: hook) == encoder.width else {
        throw MonosemeError("\(quoted(catalogue.path, limit: 400)) is damaged: \(dictionary.name) reads \(quoted(dictionary.hook)), which the model has not", hint: "monoseme check lists all damage")
    }

    let tokens = tokenizer.encode(text)
    guard let last = tokens.last else { throw MonosemeError("the text is empty: it has no last token", hint: "give some text with --text") }
    let read = tokens.suffix(max(1, run.corpusTokensPerContext))
    var context = Array(read)
    if run.prependsBOS {
        guard let bos = tokenizer.beginningOfSequence else { throw MonosemeError("the tokenizer in \(quoted(folder, limit: 400)) has no token that begins a text, and \(dictionary.name) was run with one") }
        context.insert(bos, at: 0)
    }
    let all = try model.activations(of: ContextBatch([context]), at: hook)
    let activation = Matrix(rows: 1, columns: all.columns, UnsafeBufferPointer(start: all.base + (all.rows - 1) * all.columns, count: all.columns))
    return LastToken(dictionary: dictionary, token: tokenizer.decode([last]), tokens: tokens.count, tokensRead: read.count, beginsWithBOS: run.prependsBOS,
                     isLessDecoderBias: encoder.configuration.appliesDecoderBiasToInput, firings: try firings(of: encoder, on: activation))
}

/// What fires on one token (1 × width), strongest first.
private func firings(of autoencoder: SparseAutoencoder, on activation: borrowing Matrix) throws -> [LastToken.Firing] {
    let firings = try autoencoder.encode(activation), input = autoencoder.encoderInput(of: activation), width = autoencoder.width
    let length = input.elements.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return zip(firings.features, firings.values).map { feature, value in
        let inner = kernel_dot(input.base, autoencoder.decoder.base + Int(feature) * width, width)
        return LastToken.Firing(feature: Int(feature), activation: value, cosine: length > 0 ? Float(Double(inner) / length) : nil)
    }.sorted { $0.activation == $1.activation ? $0.feature < $1.feature : $0.activation > $1.activation }
}

/// The dictionary that was made with these weights.
private func dictionary(ofWeights digest: String, _ path: String, _ name: DictionaryName?, _ catalogue: Catalogue) throws -> FeatureDictionary {
    if let name {
        let dictionary = try catalogue.dictionary(named: name)
        guard dictionary.weightsSHA256 == digest else { throw otherFile(quoted(path, limit: 400), digest, dictionary, dictionary.weightsSHA256) }
        return dictionary
    }
    let all = try catalogue.dictionaries(), fitting = all.filter { $0.weightsSHA256 == digest }
    if fitting.count == 1 { return fitting[0] }
    func list(_ dictionaries: [FeatureDictionary]) -> String { dictionaries.prefix(20).map(\.name.description).joined(separator: ", ") }
    guard fitting.isEmpty else {
        throw MonosemeError("\(fitting.count) dictionaries were made with \(quoted(path, limit: 400)): \(list(fitting))", hint: "say which with --in DICT")
    }
    throw MonosemeError("no dictionary in \(quoted(catalogue.path, limit: 400)) was made with \(quoted(path, limit: 400)) (sha256 \(digest.prefix(12))…)",
                        hint: all.isEmpty ? "the catalogue is empty: fill it with monoseme ingest" : "give the autoencoder of \(list(all)), or ingest this one")
}

private func otherFile(_ what: String, _ digest: String, _ dictionary: FeatureDictionary, _ own: String) -> MonosemeError {
    MonosemeError("\(what) is not what \(dictionary.name) was made with: its sha256 is \(digest.prefix(12))…, that was \(own.prefix(12))…", hint: "give the files that were ingested")
}
