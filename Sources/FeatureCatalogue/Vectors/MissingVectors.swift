public import Diagnostics
import SQLite

// Dictionaries that came as text or as activations: their vectors may be attached later, or never.

extension FeatureDictionary {
    /// Whether its decoder vectors are in the catalogue, or should be; without them there is no width. A digest of the weights there may be, where an
    /// export that left the vectors out told it.
    public var hasVectors: Bool { width != 0 }
}

extension Catalogue {
    /// - Throws: where the dictionary came without vectors, with what to do about it.
    public func demandVectors(_ dictionary: FeatureDictionary) throws {
        guard dictionary.hasVectors else { throw missingVectors(dictionary) }
    }

    /// What to say of a dictionary whose vectors are asked for and not there.
    public func missingVectors(_ dictionary: FeatureDictionary) -> MonosemeError {
        MonosemeError("\(dictionary.name) has no decoder vectors: it was imported without weights", hint: "monoseme attach \(dictionary.name) --sae DIR")
    }

    /// Adds a dictionary version whose vectors are not there, in the caller's transaction. Activations are taken as they come, with scales of 1.
    ///
    /// - Parameter description: with `weightsSHA256` empty.
    /// - Throws: when the name is taken.
    public func register(_ description: DictionaryDescription, model: Int, features: Int) throws -> FeatureDictionary {
        precondition(description.weightsSHA256.isEmpty)
        if let known = try dictionaryIfAny(named: description.name) {
            throw MonosemeError("the name \(known.name) is taken in \(quoted(path, limit: 400)): it stands for a dictionary of \(known.features) features at \(known.hook)",
                                hint: "give another name with --name, or use another catalogue with --catalogue FILE")
        }
        guard (1...featuresMaximum).contains(features) else { throw MonosemeError("the dictionary \(description.name) would have \(features) features; 1 to \(featuresMaximum) can be catalogued") }
        try connection.run("INSERT INTO dictionary (family, version, name, model_id, hook, width, features, architecture, settings, weights_sha256) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, '')",
                           .text(description.name.family), .text(description.name.version), .text(description.name.description), .init(model), .text(description.hook),
                           .init(features), .text(description.architecture), .text(description.settings))
        let dictionary = FeatureDictionary(id: connection.lastInsertedRow, name: description.name, model: model, hook: description.hook, width: 0, features: features,
                                           architecture: description.architecture, weightsSHA256: "")
        var feature = try Statement("INSERT INTO feature (id, dictionary_id, feature_index, decoder_norm, activation_scale) VALUES (?, ?, ?, 1, 1)", on: connection)
        for index in 0..<features { try feature.run(.init(dictionary.featureID(index)), .init(dictionary.id), .init(index)) }
        return dictionary
    }

    /// Says of some features of a run that their firings are not known, in the caller's transaction: they are not dead.
    public func markUncounted(_ features: [Range<Int>], of run: Run) throws {
        for range in features {
            try connection.run("UPDATE statistic SET is_counted = 0 WHERE run_id = ? AND feature_id >= ? AND feature_id < ?", .init(run.id), .init(run.dictionary.featureID(range.lowerBound)),
                               .init(run.dictionary.featureID(range.upperBound)))
        }
    }
}
