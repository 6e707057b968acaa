import Diagnostics
public import FeatureCatalogue
import Formats

/// The forms in which a dictionary can be exported.
public enum ExportFormat: String, Sendable, CaseIterable {
    /// One document: `{"format": …, "dictionary": {…}, "features": […]}`.
    case json
    /// A first line with the dictionary, then one line a feature.
    case jsonl
    /// A folder for Neuronpedia's importer: `exportNeuronpedia`.
    case neuronpedia
}

/// The version of the export's form; its rules are Export.schema.json.
public let exportFormatName = "monoseme-export-1"

/// Writes the labelled catalogue of one dictionary: everything `show` knows of each feature, in order of index.
///
/// Streams: memory does not grow with the number of features. The same catalogue gives the same bytes.
/// - Parameter write: takes the bytes as they come.
public func export(_ name: DictionaryName, of catalogue: Catalogue, as format: ExportFormat, progress: (Int, Int) -> Void = { _, _ in }, to write: ([UInt8]) throws -> Void) throws {
    let run = try catalogue.run(of: name)
    guard run.isComplete else { throw MonosemeError("the ingest of \(name) is unfinished", hint: "run the same monoseme ingest again: it goes on where it stopped") }
    try catalogue.connection.snapshot {
        let reporter = try Reporter(catalogue, run)
        var scope = ReportScope()
        scope.examples = 20
        scope.topics = .max
        scope.neighbours = 10
        var writer = JSONWriter()
        switch format {
        case .neuronpedia: throw MonosemeError("an export for Neuronpedia is a folder", hint: "name one with -o FOLDER")
        case .jsonl:
            writer.object { writer in writeHead(of: run, catalogue, &writer) }
            writer.endLine()
            for feature in 0..<run.dictionary.features {
                try reporter.report(on: feature, scope).write(to: &writer)
                writer.endLine()
                try write(writer.drain())
                progress(feature + 1, run.dictionary.features)
            }
        case .json:
            try writer.object { writer in
                writeHead(of: run, catalogue, &writer)
                writer.key("features")
                try writer.array { writer in
                    for feature in 0..<run.dictionary.features {
                        try reporter.report(on: feature, scope).write(to: &writer)
                        try write(writer.drain())
                        progress(feature + 1, run.dictionary.features)
                    }
                }
            }
            writer.endLine()
            try write(writer.drain())
        }
    }
}

/// The members that say what the features are of.
private func writeHead(of run: Run, _ catalogue: Catalogue, _ writer: inout JSONWriter) {
    writer.member("format", exportFormatName)
    writer.key("dictionary")
    let columns = ["dictionary", "family", "version", "model", "hook", "architecture", "features", "width", "expansion_factor", "corpus", "tokens", "firings", "l0", "dead",
                   "ultralow", "dead_density_bound", "explained_variance", "loss_recovered", "loss_recovered_mean_ablated", "loss_original", "loss_spliced",
                   "loss_zero_ablated", "loss_mean_ablated", "evaluation_tokens", "context_length", "prepend_bos", "keep_top", "engine", "weights_sha256", "model_sha256",
                   "tokenizer_sha256"]
    writer.object { writer in
        _ = try? catalogue.connection.first("SELECT \(columns.joined(separator: ", ")) FROM dictionary_overview WHERE run_id = ?", .init(run.id)) { row in
            for (place, column) in columns.enumerated() {
                writer.key(column)
                switch row.value(place) {
                case .null: writer.null()
                case .integer(let n): column == "prepend_bos" ? writer.value(n != 0) : writer.value(n)
                case .real(let r): writer.value(r)
                case .text(let t): writer.value(t)
                case .blob: writer.null()
                }
            }
        }
    }
    writer.key("topics")
    writer.array { writer in
        for topic in (try? catalogue.topics(of: run.corpus)) ?? [] {
            writer.object { writer in
                writer.member("name", topic.name)
                writer.member("documents", topic.documents)
                writer.member("tokens", topic.tokens)
            }
        }
    }
}
