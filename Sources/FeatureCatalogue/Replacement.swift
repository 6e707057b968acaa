import Diagnostics
import SQLite

// A dictionary version ingested anew under its name: what was counted goes, what people said stays.

/// What went when dictionary versions were ingested anew.
public struct Replacement: Sendable, Equatable {
    public var dictionaries: [DictionaryName] = []
    public var lineages = 0
    public var neighbourGraphs = 0
    /// Labels that features go by and that are stale for it.
    public var staleLabels = 0
    /// Corpora that no run refers to any more and that were kept, for tags or examples of labels are on them.
    public var corporaKept: [String] = []

    public init() {}
}

/// Leave to put something else in the place of what a name stands for; it notes what goes.
public final class ReplacementPermit {
    public internal(set) var replacement = Replacement()

    public init() {}
}

extension Catalogue {
    /// Runs `body`, which may take away many rows, in one transaction without the checks of foreign keys: SQLite would look through whole tables
    /// for each row that goes. What refers to a row must go before it.
    public func replacing<Result>(_ body: () throws -> Result) throws -> Result {
        try connection.execute("PRAGMA foreign_keys = 0")
        defer { try? connection.execute("PRAGMA foreign_keys = 1") }
        return try connection.transaction(body)
    }

    /// Takes away what was counted from a dictionary's firings: its run with all that belongs to it, and lineages, whose evidence they are.
    func removeRun(of dictionary: FeatureDictionary, _ permit: ReplacementPermit) throws {
        if let run = try runIfAny(of: dictionary) {
            for segment in try segments(of: run) {
                for table in ["posting", "import_example"] { try connection.run("DELETE FROM \(table) WHERE id >= ? AND id < ?", .init(segment.id << 24), .init((segment.id + 1) << 24)) }
            }
            for table in ["import_source", "evaluation", "feature_neuron", "feature_token", "feature_example", "feature_topic", "feature_group", "statistic", "segment"] { try connection.run("DELETE FROM \(table) WHERE run_id = ?", .init(run.id)) }
            try connection.run("DELETE FROM run WHERE id = ?", .init(run.id))
        }
        let features: [SQLiteValue] = [.init(dictionary.featureID(0)), .init((dictionary.id + 1) << 32)]
        for table in ["feature_logit", "import_feature"] { try connection.run("DELETE FROM \(table) WHERE feature_id >= ? AND feature_id < ?", features[0], features[1]) }
        // Of their words the labels stay.
        try connection.run("DELETE FROM feature_text WHERE rowid >= ? AND rowid < ?", features[0], features[1])
        try connection.run("""
            INSERT INTO feature_text (rowid, label, tokens, logits, topics, token_symbols, logit_symbols)
            SELECT c.feature_id, l.text, '', '', '', '', '' FROM feature_label AS c JOIN label AS l ON l.id = c.label_id WHERE c.feature_id >= ? AND c.feature_id < ? ORDER BY c.feature_id
            """, features[0], features[1])
        for build in try connection.rows("SELECT id FROM lineage_build WHERE coarse_id = ?1 OR fine_id = ?1", .init(dictionary.id), make: { $0.integer(0) }) {
            for table in ["lineage_edge", "lineage_feature"] { try connection.run("DELETE FROM \(table) WHERE build_id = ?", .init(build)) }
            try connection.run("DELETE FROM lineage_build WHERE id = ?", .init(build))
            permit.replacement.lineages += 1
        }
        if !permit.replacement.dictionaries.contains(dictionary.name) { permit.replacement.dictionaries.append(dictionary.name) }
    }

    /// Puts other weights in the place of a dictionary's. It keeps its number, and so do its features: the ledger of labels refers to them.
    /// - Throws: where the new weights have fewer features, and there are entries of the ledger on those that would go.
    func replaceWeights(of known: FeatureDictionary, by description: DictionaryDescription, model: Int, features: Int, width: Int, _ permit: ReplacementPermit) throws -> FeatureDictionary {
        // A width of 0 is that of features imported as text.
        if known.width != 0 { try demandSoundShape(known) }
        try removeRun(of: known, permit)
        for graph in try connection.rows("SELECT id, dictionary_id FROM neighbour_graph WHERE dictionary_id = ?1 OR target_id = ?1", .init(known.id), make: { (id: $0.integer(0), dictionary: $0.integer(1)) }) {
            try connection.run("DELETE FROM feature_neighbour WHERE feature_id >= ? AND feature_id < ? AND graph_id = ?", .init(graph.dictionary << 32), .init((graph.dictionary + 1) << 32), .init(graph.id))
            try connection.run("DELETE FROM neighbour_carry WHERE graph_id = ?", .init(graph.id))
            try connection.run("DELETE FROM neighbour_graph WHERE id = ?", .init(graph.id))
            permit.replacement.neighbourGraphs += 1
        }
        for table in ["decoder_block", "code_block"] { try connection.run("DELETE FROM \(table) WHERE dictionary_id = ?", .init(known.id)) }
        vectorIndexes.removeAll { $0.dictionary == known.id }
        if features < known.features {
            let gone: [SQLiteValue] = [.init(known.featureID(features)), .init((known.id + 1) << 32)]
            var labelled: [Int] = []
            try connection.query("""
                SELECT feature_id & 4294967295 FROM (SELECT feature_id FROM label UNION SELECT feature_id FROM label_score UNION SELECT feature_id FROM model_call) WHERE feature_id >= ? AND feature_id < ? ORDER BY 1
                """, gone) { labelled.append($0.integer(0)) }
            guard labelled.isEmpty else {
                let names = labelled.prefix(3).map { "\(known.name)/\($0)" }.joined(separator: ", ") + (labelled.count > 3 ? " and \(labelled.count - 3) more" : "")
                throw MonosemeError("the new weights of \(known.name) have \(features) features, and there are labels or scores of \(names)", hint: "labels are never removed: give this run another name with --name")
            }
            try connection.run("DELETE FROM label_omission WHERE feature_id >= ? AND feature_id < ?", gone[0], gone[1])
            try connection.run("DELETE FROM feature WHERE id >= ? AND id < ?", gone[0], gone[1])
        }
        try connection.run("UPDATE dictionary SET model_id = ?, hook = ?, width = ?, features = ?, architecture = ?, settings = ?, weights_sha256 = ? WHERE id = ?", .init(model), .text(description.hook),
                           .init(width), .init(features), .text(description.architecture), .text(description.settings), .text(description.weightsSHA256), .init(known.id))
        return FeatureDictionary(id: known.id, name: known.name, model: model, hook: description.hook, width: width, features: features, architecture: description.architecture, weightsSHA256: description.weightsSHA256)
    }

    /// Takes away the corpora that nothing refers to. One with tags stays, for those are somebody's, as does one with examples of labels, for they say what
    /// was shown; it costs two bytes a token.
    public func removeUnusedCorpora(_ permit: ReplacementPermit) throws {
        let corpora = try connection.rows("""
            SELECT c.id, c.name, EXISTS (SELECT 1 FROM tag WHERE corpus_id = c.id)
                OR EXISTS (SELECT 1 FROM label_example AS e JOIN label AS l ON l.id = e.label_id JOIN label_basis AS b ON b.id = l.basis_id WHERE b.corpus_fingerprint = c.fingerprint)
            FROM corpus AS c
            WHERE NOT EXISTS (SELECT 1 FROM run WHERE corpus_id = c.id) AND NOT EXISTS (SELECT 1 FROM lineage_build WHERE corpus_id = c.id) ORDER BY c.id
            """) { (id: $0.integer(0), name: $0.text(1), isKept: $0.integer(2) != 0) }
        for corpus in corpora {
            if corpus.isKept { permit.replacement.corporaKept.append(corpus.name); continue }
            for table in ["document", "topic", "source", "token_block"] { try connection.run("DELETE FROM \(table) WHERE corpus_id = ?", .init(corpus.id)) }
            try connection.run("DELETE FROM corpus WHERE id = ?", .init(corpus.id))
        }
    }

    /// Counts the labels of the dictionaries replaced that features go by and that are stale now.
    public func countStaleLabels(_ permit: ReplacementPermit) throws {
        for name in permit.replacement.dictionaries {
            permit.replacement.staleLabels += try connection.integer("SELECT count(*) FROM label_current WHERE dictionary = ? AND status = 'stale'", .text(name.description)) ?? 0
        }
    }
}
