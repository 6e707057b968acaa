import Diagnostics
import FeatureCatalogue
import Glibc
import Publishing

extension ExportFormat: ArgumentValue {}

/// `monoseme export`: `export(_:of:as:)` of Publishing.
enum Export: Command {
    static let dictionary = Argument<DictionaryName>("DICTIONARY", help: "The dictionary, such as A/1")
    static let format = Option<ExportFormat>("--format", value: "json|jsonl|neuronpedia", default: .json, help: "One document; a line for the dictionary and one for each feature; or a folder for Neuronpedia's importer")
    static let output = Option<String?>("--output", "-o", value: "FILE", help: "Where to write (default: standard output)")

    static let declaration = Declaration(
        "export", summary: "write the labelled catalogue of a dictionary as JSON",
        discussion: "Everything that `show` knows of each feature, in order of index. The same catalogue gives the same bytes. Sources/Publishing/Export.schema.json describes the form.",
        parameters: [dictionary, format, output] + ExportNeuronpedia.parameters,
        examples: [("monoseme export A/1 -o A-1.json", "To a file"), ("monoseme export A/1 --format jsonl", "A line for each feature, to standard output")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue(), name = invocation[dictionary]
        if invocation[format] == .neuronpedia { return try ExportNeuronpedia.run(invocation, name, of: catalogue) }
        let progress = invocation.progress("exporting \(name)", total: nil, unit: "features")
        guard let path = invocation[output], path != "-" else {
            return try export(name, of: catalogue, as: invocation[format], progress: { progress.update($0, total: $1) }) { try invocation.output.write($0) }
        }
        // Under another name until it is whole: nobody finds half an export.
        let partial = path + ".part"
        do {
            let file = try Output.file(partial)
            try export(name, of: catalogue, as: invocation[format], progress: { progress.update($0, total: $1) }) { try file.write($0) }
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
