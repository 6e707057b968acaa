import Diagnostics
import FeatureCatalogue
import Glibc
import Publishing

extension ExportFormat: ArgumentValue {}

/// `monoseme export`: `export(_:of:_:)` of Publishing.
enum Export: Command {
    static let dictionary = Argument<DictionaryName>("DICTIONARY", help: "The dictionary, such as A/1")
    static let format = Option<ExportFormat>("--format", value: "json|jsonl|csv|neuronpedia", default: .json, help: "One document; a line for the dictionary and one for each part; a table of the features; or a folder for Neuronpedia's importer")
    static let vectors = Flag("--vectors", help: "With the decoder vectors: base64 of little-endian float32, one of each feature (for Neuronpedia as steering vectors)")
    static let firings = Flag("--firings", help: "With every firing and the whole corpus, so that an import is the same catalogue")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor); the bytes are the same")
    static let output = Option<String?>("--output", "-o", value: "FILE", help: "Where to write (default: standard output)")

    static let declaration = Declaration(
        "export", summary: "write the labelled catalogue of a dictionary as JSON or CSV",
        discussion: """
            Everything that `show` knows of each feature, in order of index, with the whole ledger of labels and scores. The same catalogue gives the same bytes. \
            Sources/Publishing/Export.schema.json describes the form; `monoseme import` reads it. What was said to language models and answered is not exported.
            """,
        parameters: [dictionary, format, vectors, firings, output, threads] + ExportNeuronpedia.parameters,
        examples: [("monoseme export A/1 -o A-1.json", "To a file"), ("monoseme export A/1 --format jsonl", "A line for each feature, to standard output"),
                   ("monoseme export A/1 --vectors --firings --format jsonl -o A-1.jsonl", "All of it")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue(), name = invocation[dictionary]
        if invocation[format] == .neuronpedia { return try ExportNeuronpedia.run(invocation, name, of: catalogue) }
        let options = ExportOptions(format: invocation[format], hasVectors: invocation[vectors], hasFirings: invocation[firings], threads: invocation[threads] ?? Ingest.processors)
        if options.format == .csv, options.hasVectors || options.hasFirings { throw UsageError("--format csv has no place for \(options.hasVectors ? "--vectors" : "--firings")") }
        let progress = invocation.progress("exporting \(name)", total: nil, unit: "features")
        guard let path = invocation[output], path != "-" else {
            return try export(name, of: catalogue, options, progress: { progress.update($0, total: $1) }) { try invocation.output.write($0) }
        }
        // Under another name until it is whole: nobody finds half an export.
        let partial = path + ".part"
        do {
            let file = try Output.file(partial)
            try export(name, of: catalogue, options, progress: { progress.update($0, total: $1) }) { try file.write($0) }
            try file.flush()
        } catch {
            unlink(partial)
            throw error
        }
        guard rename(partial, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(partial)
            throw MonosemeError("cannot write \(quoted(path, limit: 400)): \(reason)")
        }
        progress.finish()
    }
}
