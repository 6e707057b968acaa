import Diagnostics
import FeatureCatalogue
import Formats
import SQLite

/// How much of a run's evidence a catalogue has.
struct Evidence {
    /// `firings` or `examples`: what its postings are.
    let postings: String
    /// Whether every token of the corpus is there.
    let hasWholeCorpus: Bool

    /// Whether an import of all of it is the same catalogue.
    var isWhole: Bool { hasWholeCorpus }

    init(_ catalogue: Catalogue, _ run: Run) throws {
        (postings, hasWholeCorpus) = try catalogue.connection.first("SELECT r.evidence, c.coverage = 'whole' FROM run AS r JOIN corpus AS c ON c.id = r.corpus_id WHERE r.id = ?", .init(run.id)) {
            ($0.text(0), $0.integer(1) != 0)
        } ?? ("firings", true)
    }
}

/// The members that say what the features are of: all but the long lists.
struct ExportHead {
    private let catalogue: Catalogue, run: Run, options: ExportOptions, evidence: Evidence
    private var connection: Connection { catalogue.connection }

    init(_ catalogue: Catalogue, _ run: Run, _ options: ExportOptions, _ evidence: Evidence) {
        (self.catalogue, self.run, self.options, self.evidence) = (catalogue, run, options, evidence)
    }

    func write(_ writer: inout JSONWriter) throws {
        writer.member("format", exportFormatName)
        writer.key("carries")
        writer.object { writer in
            writer.member("vectors", options.hasVectors)
            writer.member("firings", options.hasFirings)
        }
        try writeDictionary(&writer)
        try writeProvenance(&writer)
        try one("evaluation", "contexts, tokens, l0, mean_squared_error, explained_variance, loss_original, loss_spliced, loss_zero_ablated, loss_mean_ablated, neuron_tokens",
                "FROM evaluation WHERE run_id = ?", run.id, &writer)
        try list("topics", "name, documents, tokens", "FROM topic WHERE corpus_id = ? ORDER BY name", run.corpus, &writer)
        writer.key("sources")
        try writer.array { writer in try connection.query("SELECT path FROM source WHERE corpus_id = ? ORDER BY path", [.init(run.corpus)]) { writer.value($0.text(0)) } }
        try list("segments", "ordinal, first_position, tokens, firings, checksum, finished_at", "FROM segment WHERE run_id = ? ORDER BY ordinal", run.id, &writer)
        try list("tags", "name, kind, definition, tokens, documents, engine, created_at", "FROM tag WHERE corpus_id = ? ORDER BY name", run.corpus, &writer)
        try list("lineages", """
            p.name AS coarse, c.name AS fine, b.corpus_id IS NOT NULL AS has_activation_evidence, b.has_decoder_evidence, b.rules, b.engine, b.started_at, b.finished_at
            """, lineageClause, run.dictionary.id, &writer)
        try list("neighbour_graphs", "t.name AS target, g.k, g.neighbours, g.engine, g.started_at, g.finished_at", neighbourGraphClause, run.dictionary.id, &writer)
        try LedgerReader(catalogue, run.dictionary).writeHead(&writer)
    }

    private func writeDictionary(_ writer: inout JSONWriter) throws {
        let stated = try connection.first("SELECT stated_width FROM dictionary WHERE id = ?", .init(run.dictionary.id)) { $0.optionalInteger(0) } ?? nil
        let width = stated ?? run.dictionary.width
        let columns = ["dictionary", "family", "version", "model", "hook", "architecture", "features", "width", "expansion_factor", "corpus", "tokens", "firings", "l0", "dead",
                       "ultralow", "dead_density_bound", "explained_variance", "loss_recovered", "loss_recovered_mean_ablated", "loss_original", "loss_spliced",
                       "loss_zero_ablated", "loss_mean_ablated", "evaluation_tokens", "context_length", "prepend_bos", "keep_top", "engine", "weights_sha256", "model_sha256",
                       "tokenizer_sha256"]
        writer.key("dictionary")
        try writer.object { writer in
            try connection.query("SELECT \(columns.joined(separator: ", ")) FROM dictionary_overview WHERE run_id = ?", [.init(run.id)]) { row in
                for (place, column) in columns.enumerated() {
                    writer.key(column)
                    switch column {
                    case "width": writer.value(width)
                    case "expansion_factor": if width > 0 { writer.value(Double(run.dictionary.features) / Double(width)) } else { writer.null() }
                    case "prepend_bos": writer.value(row.integer(place) != 0)
                    default: writer.value(row.value(place))
                    }
                }
            }
        }
    }

    private func writeProvenance(_ writer: inout JSONWriter) throws {
        writer.key("provenance")
        try writer.object { writer in
            try one("model", "name, architecture, layers, width, mlp_width, vocabulary, context_length, weights_sha256", "FROM model WHERE id = ?", run.dictionary.model, &writer)
            try one("tokenizer", "t.sha256, t.vocabulary", "FROM corpus AS c JOIN tokenizer AS t ON t.id = c.tokenizer_id WHERE c.id = ?", run.corpus, &writer)
            try one("corpus", "name, fingerprint, settings, tokens, documents, empty_documents, malformed_lines", "FROM corpus WHERE id = ?", run.corpus, &writer)
            // A string, since a digest of it may be known: its bytes are kept.
            try one("autoencoder", "settings", "FROM dictionary WHERE id = ?", run.dictionary.id, &writer)
            writer.key("run")
            try writer.object { writer in
                // What is carried: without all firings, the examples are what an import has.
                writer.member("evidence", options.hasFirings ? evidence.postings : "examples")
                try columns("context_length, prepend_bos, keep_top, input_scale, tokens, firings, topic_tests, engine, started_at, finished_at", "FROM run WHERE id = ?", run.id, &writer)
            }
        }
    }

    /// A member that is an object of one row's columns, by their names; null where there is no row.
    private func one(_ name: String, _ select: String, _ clause: String, _ id: Int, _ writer: inout JSONWriter) throws {
        writer.key(name)
        let isThere = try connection.first("SELECT \(select) \(clause)", .init(id)) { row in
            writer.object { writer in writer.columns(of: row) }
            return true
        }
        if isThere == nil { writer.null() }
    }

    private func columns(_ select: String, _ clause: String, _ id: Int, _ writer: inout JSONWriter) throws {
        try connection.query("SELECT \(select) \(clause)", [.init(id)]) { writer.columns(of: $0) }
    }

    /// A member that is an array of rows, each an object.
    private func list(_ name: String, _ select: String, _ clause: String, _ id: Int, _ writer: inout JSONWriter) throws {
        writer.key(name)
        try writer.array { writer in try connection.query("SELECT \(select) \(clause)", [.init(id)]) { row in writer.object { writer in writer.columns(of: row) } } }
    }
}

/// The lineages of a dictionary that are complete, in the order of the head.
let lineageClause = """
    FROM lineage_build AS b JOIN dictionary AS p ON p.id = b.coarse_id JOIN dictionary AS c ON c.id = b.fine_id
    WHERE ?1 IN (b.coarse_id, b.fine_id) AND b.is_complete ORDER BY p.name, c.name
    """

/// The complete neighbour graphs of a dictionary, in the order of the head. One without an engine was made of an export's `nearest`, and is there again.
let neighbourGraphClause = """
    FROM neighbour_graph AS g JOIN dictionary AS t ON t.id = g.target_id WHERE g.dictionary_id = ?1 AND g.is_complete AND g.engine <> '' ORDER BY t.name, g.k
    """

extension JSONWriter {
    mutating func value(_ value: SQLiteValue) {
        switch value {
        case .null: null()
        case .integer(let n): self.value(n)
        case .real(let r): self.value(r)
        case .text(let t): self.value(t)
        case .blob(let b): b.withUnsafeBytes { self.value(base64: $0) }
        }
    }

    /// Members by the names of the columns; those that say whether, as booleans.
    mutating func columns(of row: borrowing Statement) {
        for column in 0..<row.columnCount {
            let name = row.columnName(column)
            key(name)
            if name.hasPrefix("has_") || name == "prepend_bos" { value(row.integer(column) != 0) } else { value(row.value(column)) }
        }
    }
}
