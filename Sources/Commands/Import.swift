import Diagnostics
import FeatureCatalogue
import Importing
import Ingestion

extension ImportSource: ArgumentValue {}

/// `monoseme import`: `importing(_:into:)` of Importing.
enum Import: Command {
    static let path = Argument<String>("PATH", help: "The file or folder to import")
    static let name = Option<String?>("--name", value: "NAME", help: "What to call the dictionary version, such as A/1 (default: as the source does)")
    static let source = Option<ImportSource?>("--from", value: "monoseme|neuronpedia|saedashboard|delphi", help: "What it is (default: told by its files)")
    static let tokenizer = Option<String?>("--tokenizer", value: "FILE", help: "The tokenizer.json of the model, for sources that have token ids only")
    static let module = Option<String?>("--module", value: "NAME", help: "Which of several modules (delphi)")
    static let unpackLimit = Option<Int?>("--unpack-limit", value: "BYTES", help: "The most that one packed file may become (default: 250 times its size, or 64 MB)")

    static let declaration = Declaration(
        "import", summary: "bring in dictionaries, labels and scores from elsewhere",
        discussion: "Everything is brought in or, where something is wrong, nothing.",
        parameters: [path, name, source, tokenizer, module, unpackLimit],
        examples: [("monoseme import A-1.jsonl --catalogue other.sqlite", "An export of ours")])

    static func run(_ invocation: Invocation) throws {
        let path = invocation[path]
        var request = ImportRequest(try invocation[source] ?? importSource(at: path), at: path, as: try invocation[name].map { try DictionaryName(parsing: $0) }, engine: engineVersion, time: now())
        request.tokenizer = invocation[tokenizer]
        request.module = invocation[module]
        request.unpackLimit = invocation[unpackLimit]
        request.threads = Ingest.processors
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .ingesting)
        let progress = invocation.progress("import", total: nil, unit: "bytes")
        let summary = try importing(request, into: catalogue, report: { state in
            progress.update(state.bytes, total: state.bytesExpected, details: [counted(state.features, "feature"), state.firings > 0 ? counted(state.firings, "firing") : counted(state.examples, "example")])
        }, warn: { invocation.note($0) })
        progress.finish()
        try catalogue.checkpoint()
        invocation.note("\(summary.dictionary): \(counted(summary.features, "feature")), \(summary.firings > 0 ? counted(summary.firings, "firing") : counted(summary.examples, "example")), \(counted(summary.labels, "label")), \(counted(summary.scores, "score"))")
        for sentence in summary.missing { invocation.note(sentence) }
    }
}
