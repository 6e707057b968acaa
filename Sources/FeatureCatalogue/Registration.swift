import Diagnostics
import Formats
public import Numerics
import SQLite

/// What an ingest says about its model.
public struct ModelDescription: Sendable {
    public var name, architecture: String
    public var layers, width, mlpWidth, vocabulary, contextLength: Int
    public var weightsSHA256: String

    public init(name: String, architecture: String, layers: Int, width: Int, mlpWidth: Int, vocabulary: Int, contextLength: Int, weightsSHA256: String) {
        (self.name, self.architecture, self.layers, self.width, self.mlpWidth) = (name, architecture, layers, width, mlpWidth)
        (self.vocabulary, self.contextLength, self.weightsSHA256) = (vocabulary, contextLength, weightsSHA256)
    }
}

/// What an ingest says about its corpus. `fingerprint` decides whether two are the same.
public struct CorpusDescription: Sendable {
    public var name, fingerprint, settings: String

    public init(name: String, fingerprint: String, settings: String) { (self.name, self.fingerprint, self.settings) = (name, fingerprint, settings) }
}

/// What an ingest says about a dictionary version.
public struct DictionaryDescription: Sendable {
    public var name: DictionaryName
    public var hook, architecture: String
    /// cfg.json as it was found.
    public var settings: String
    public var weightsSHA256: String

    public init(name: DictionaryName, hook: String, architecture: String, settings: String, weightsSHA256: String) {
        (self.name, self.hook, self.architecture, self.settings, self.weightsSHA256) = (name, hook, architecture, settings, weightsSHA256)
    }
}

/// The rules of a run.
public struct RunRules: Sendable, Equatable {
    public var contextLength: Int
    public var prependsBOS: Bool
    public var keepTop: Int?
    /// What activations are multiplied by before the autoencoder, where its file leaves that open.
    public var inputScale: Float?

    public init(contextLength: Int, prependsBOS: Bool, keepTop: Int?, inputScale: Float? = nil) {
        (self.contextLength, self.prependsBOS, self.keepTop, self.inputScale) = (contextLength, prependsBOS, keepTop, inputScale)
    }
}

/// Decoder rows to a block of the catalogue.
private let rowsPerBlock = 1024

// Each of these finds what is already there or adds it; all are called inside one transaction.
extension Catalogue {
    public func register(tokenizer sha256: String, vocabulary: Int, bytes: (Int) -> [UInt8]) throws -> Int {
        if let known = try connection.integer("SELECT id FROM tokenizer WHERE sha256 = ?", .text(sha256)) { return known }
        try connection.run("INSERT INTO tokenizer (sha256, vocabulary) VALUES (?, ?)", .text(sha256), .init(vocabulary))
        let id = connection.lastInsertedRow
        var insert = try Statement("INSERT INTO token (tokenizer_id, token, bytes, text) VALUES (?, ?, ?, ?)", on: connection)
        for token in 0..<vocabulary {
            let own = bytes(token)
            try insert.run(.init(id), .init(token), .blob(own), .text(String(decoding: own, as: UTF8.self)))
        }
        return id
    }

    public func register(_ model: ModelDescription, tokenizer: Int) throws -> Int {
        if let known = try connection.integer("SELECT id FROM model WHERE weights_sha256 = ? AND tokenizer_id = ?", .text(model.weightsSHA256), .init(tokenizer)) { return known }
        try connection.run("INSERT INTO model (name, architecture, layers, width, mlp_width, vocabulary, context_length, weights_sha256, tokenizer_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           .text(model.name), .text(model.architecture), .init(model.layers), .init(model.width), .init(model.mlpWidth), .init(model.vocabulary),
                           .init(model.contextLength), .text(model.weightsSHA256), .init(tokenizer))
        return connection.lastInsertedRow
    }

    public func register(_ description: CorpusDescription, tokenizer: Int) throws -> Corpus {
        if let known = try connection.integer("SELECT id FROM corpus WHERE fingerprint = ? AND tokenizer_id = ?", .text(description.fingerprint), .init(tokenizer)) { return try corpus(known) }
        try connection.run("INSERT INTO corpus (name, fingerprint, settings, tokenizer_id) VALUES (?, ?, ?, ?)",
                           .text(description.name), .text(description.fingerprint), .text(description.settings), .init(tokenizer))
        return try corpus(connection.lastInsertedRow)
    }

    /// Adds a dictionary version with its vectors, or finds the one of this name.
    ///
    /// - Parameters:
    ///   - decoder: unit rows (features × width).
    ///   - norms: what the rows' lengths were, one a feature.
    ///   - scales: the factor from the file's activations to the catalogue's, one a feature.
    ///   - encoderDecoderCosines: one a feature.
    ///   - permit: given where other weights may take the place of those that are there, within `replacing`.
    /// - Throws: when the name is taken by other weights (unless they may be replaced), another hook point or another model.
    public func register(
        _ description: DictionaryDescription, model: Int, decoder: borrowing Matrix, norms: [Float], scales: [Float], encoderDecoderCosines: [Float],
        permit: ReplacementPermit? = nil
    ) throws -> FeatureDictionary {
        guard decoder.rows <= featuresMaximum else { throw MonosemeError("the dictionary \(description.name) has \(decoder.rows) features; at most \(featuresMaximum) can be catalogued") }
        if let known = try dictionaryIfAny(named: description.name) {
            // What came without weights (imported as text) stands for no one model yet: weights may be another's than was thought.
            let isOfOther: String? = known.weightsSHA256.isEmpty && !description.weightsSHA256.isEmpty ? nil : known.model != model ? "another model" : known.hook != description.hook ? "the hook point \(known.hook)" : nil
            if let isOfOther { throw nameTaken(description.name, by: isOfOther, isReplaceable: false) }
            let difference: String? = known.weightsSHA256 == description.weightsSHA256 ? nil : known.weightsSHA256.isEmpty ? "features without weights"
                : "other weights (sha256 \(known.weightsSHA256.prefix(12))…, these are \(description.weightsSHA256.prefix(12))…)"
            guard let difference else { return known }
            guard let permit else { throw nameTaken(description.name, by: difference, isReplaceable: true) }
            let dictionary = try replaceWeights(of: known, by: description, model: model, features: decoder.rows, width: decoder.columns, permit)
            try write(dictionary, decoder: decoder, norms: norms, scales: scales, encoderDecoderCosines: encoderDecoderCosines)
            return dictionary
        }
        try connection.run("INSERT INTO dictionary (family, version, name, model_id, hook, width, features, architecture, settings, weights_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           .text(description.name.family), .text(description.name.version), .text(description.name.description), .init(model), .text(description.hook),
                           .init(decoder.columns), .init(decoder.rows), .text(description.architecture), .text(description.settings), .text(description.weightsSHA256))
        let dictionary = FeatureDictionary(id: connection.lastInsertedRow, name: description.name, model: model, hook: description.hook, width: decoder.columns,
                                           features: decoder.rows, architecture: description.architecture, weightsSHA256: description.weightsSHA256)
        try write(dictionary, decoder: decoder, norms: norms, scales: scales, encoderDecoderCosines: encoderDecoderCosines)
        return dictionary
    }

    /// The features and vectors of a dictionary; rows of features that are there take the new numbers.
    private func write(_ dictionary: FeatureDictionary, decoder: borrowing Matrix, norms: [Float], scales: [Float], encoderDecoderCosines: [Float]) throws {
        var feature = try Statement("""
            INSERT INTO feature (id, dictionary_id, feature_index, decoder_norm, activation_scale, encoder_decoder_cosine) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET decoder_norm = excluded.decoder_norm, activation_scale = excluded.activation_scale, encoder_decoder_cosine = excluded.encoder_decoder_cosine
            """, on: connection)
        for index in 0..<decoder.rows {
            let cosine = encoderDecoderCosines[index]
            try feature.run(.init(dictionary.featureID(index)), .init(dictionary.id), .init(index), .init(norms[index]), .init(scales[index]), cosine.isFinite ? .init(cosine) : .null)
        }
        try writeVectors(decoder, of: dictionary)
    }

    /// Adds a dictionary's unit decoder rows and their codes.
    func writeVectors(_ decoder: borrowing Matrix, of dictionary: FeatureDictionary) throws {
        var block = try Statement("INSERT INTO decoder_block (dictionary_id, first_index, rows, vectors, sha256) VALUES (?, ?, ?, ?, ?)", on: connection)
        for first in stride(from: 0, to: decoder.rows, by: rowsPerBlock) {
            let rows = min(rowsPerBlock, decoder.rows - first)
            let bytes = UnsafeRawBufferPointer(start: decoder.base + first * decoder.columns, count: rows * decoder.columns * 4)
            block.bind(dictionary.id, at: 0)
            block.bind(first, at: 1)
            block.bind(rows, at: 2)
            block.bind(borrowing: bytes, at: 3)
            block.bind(hexadecimal(SHA256.digest(of: bytes)), at: 4)
            try block.run()
        }
        try writeCodes(of: dictionary)
    }

    /// What the run multiplied activations by before the autoencoder; `nil` where its file leaves nothing open.
    public func inputScale(of run: Run) throws -> Float? {
        try connection.first("SELECT input_scale FROM run WHERE id = ?", .init(run.id)) { $0.optionalReal(0).map { Float($0) } } ?? nil
    }

    func nameTaken(_ name: DictionaryName, by difference: String, isReplaceable: Bool) -> MonosemeError {
        MonosemeError("the name \(name) is taken in \(quoted(path, limit: 400)): it stands for \(difference)",
                      hint: isReplaceable ? "give this run another name with --name, use another catalogue, or put it in the place of what is there with --replace" : "give this run another name with --name, or use another catalogue")
    }

    /// Adds a run with empty statistics, or finds the one that was begun with the same rules.
    /// - Parameter permit: given where it may take the place of one with other rules or over another corpus, within `replacing`.
    public func register(_ rules: RunRules, of dictionary: FeatureDictionary, over corpus: Corpus, engine: String, at time: String, permit: ReplacementPermit? = nil) throws -> Run {
        if let known = try runIfAny(of: dictionary) {
            let difference: String? = known.corpus != corpus.id ? "a run over the corpus \(quoted(try self.corpus(known.corpus).name)) as it was read then (its files or the reading options differ)"
                : known.contextLength != rules.contextLength ? "a run with contexts of \(known.contextLength) tokens"
                : known.prependsBOS != rules.prependsBOS ? "a run \(known.prependsBOS ? "with" : "without") --prepend-bos"
                : known.keepTop != rules.keepTop ? "a run that keeps \(known.keepTop.map { "the \($0) strongest firings of each feature" } ?? "every firing")"
                : try inputScale(of: known) != rules.inputScale ? "a run with \(try inputScale(of: known).map { "the input scale \($0)" } ?? "no input scale")" : nil
            guard let difference else { return known }
            guard let permit else { throw nameTaken(dictionary.name, by: difference, isReplaceable: true) }
            try removeRun(of: dictionary, permit)
        }
        try connection.run("INSERT INTO run (dictionary_id, corpus_id, context_length, prepend_bos, keep_top, input_scale, engine, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                           .init(dictionary.id), .init(corpus.id), .init(rules.contextLength), .init(rules.prependsBOS), .init(rules.keepTop), .init(rules.inputScale), .text(engine), .text(time))
        let id = connection.lastInsertedRow
        var statistic = try Statement("INSERT INTO statistic (run_id, feature_id) VALUES (?, ?)", on: connection)
        for index in 0..<dictionary.features { try statistic.run(.init(id), .init(dictionary.featureID(index))) }
        return Run(id: id, dictionary: dictionary, corpus: corpus.id, contextLength: rules.contextLength, prependsBOS: rules.prependsBOS, keepTop: rules.keepTop,
                   tokens: 0, firings: 0, isComplete: false, topicTests: nil)
    }
}
