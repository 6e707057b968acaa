import Diagnostics
import SQLite

/// The lineage between two versions of a dictionary, the smaller first.
public struct Lineage: Sendable, Equatable {
    public let id: Int
    public let coarse, fine: FeatureDictionary
    /// The corpus whose tokens are the evidence of activations; `nil`: there is none.
    public let corpus: Int?
    public let hasDecoderEvidence: Bool
    /// The version of thresholds and confidence it was judged by.
    public let rules: Int
    /// How far it is: fine features that have been judged, and coarse ones whose families have been measured.
    public let featuresDone, familiesDone: Int
    public let isComplete: Bool
}

extension Catalogue {
    /// All lineages, complete or not, in order of the coarse version's size.
    public func lineages() throws -> [Lineage] {
        let all = Dictionary(uniqueKeysWithValues: try dictionaries().map { ($0.id, $0) })
        var found: [Lineage] = []
        try connection.query("SELECT id, coarse_id, fine_id, corpus_id, has_decoder_evidence, rules, features_done, families_done, is_complete FROM lineage_build ORDER BY id", []) { row in
            guard let coarse = all[row.integer(1)], let fine = all[row.integer(2)] else { return }
            found.append(Lineage(id: row.integer(0), coarse: coarse, fine: fine, corpus: row.optionalInteger(3), hasDecoderEvidence: row.integer(4) != 0, rules: row.integer(5),
                                 featuresDone: row.integer(6), familiesDone: row.integer(7), isComplete: row.integer(8) != 0))
        }
        return found.sorted { ($0.coarse.features, $0.fine.features, $0.id) < ($1.coarse.features, $1.fine.features, $1.id) }
    }

    public func lineageIfAny(from coarse: FeatureDictionary, to fine: FeatureDictionary) throws -> Lineage? {
        try lineages().first { $0.coarse.id == coarse.id && $0.fine.id == fine.id }
    }

    /// A complete lineage.
    /// - Throws: when there is none, with the command that builds it.
    public func lineage(from coarse: FeatureDictionary, to fine: FeatureDictionary) throws -> Lineage {
        let known = try lineageIfAny(from: coarse, to: fine)
        if let known, known.isComplete { return known }
        throw MonosemeError("the lineage from \(coarse.name) to \(fine.name) is \(known == nil ? "not built" : "unfinished")", hint: "monoseme lineage build \(coarse.name) \(fine.name)")
    }
}
