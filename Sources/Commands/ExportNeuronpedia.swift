import Diagnostics
import FeatureCatalogue
import Publishing

/// `monoseme export --format neuronpedia`: `exportNeuronpedia(_:of:as:to:)` of Publishing.
enum ExportNeuronpedia {
    static let model = Option<String?>("--model-id", value: "ID", help: "For Neuronpedia: the model's id there (default: told by the dictionary)")
    static let layer = Option<Int?>("--layer", value: "N", help: "For Neuronpedia: the layer (default: told by the hook point)")
    static let sourceSet = Option<String?>("--source-set", value: "NAME", help: "For Neuronpedia: the source set; the source is LAYER-NAME (default: of the dictionary's name)")
    static let release = Option<String?>("--release", value: "NAME", help: "For Neuronpedia: the release (default: as the source set)")
    static let creator = Option<String?>("--creator", value: "ID", help: "For Neuronpedia: the id of a user there, whose rows they are (default: its bot)")

    static let parameters: [any Parameter] = [model, layer, sourceSet, release, creator]

    static func run(_ invocation: Invocation, _ name: DictionaryName, of catalogue: Catalogue) throws {
        guard let folder = invocation[Export.output], folder != "-" else { throw UsageError("an export for Neuronpedia is a folder: name it with -o FOLDER") }
        var names = NeuronpediaNames()
        (names.model, names.layer, names.sourceSet, names.release) = (invocation[model], invocation[layer], invocation[sourceSet], invocation[release])
        if let creator = invocation[creator] { names.creator = creator }
        names.hasVectors = invocation[Export.vectors]
        if let layer = names.layer, layer < 0 { throw UsageError("--layer is a number from 0 on") }
        let progress = invocation.progress("exporting \(name)", total: nil, unit: "features")
        let losses = try exportNeuronpedia(name, of: catalogue, as: names, to: folder, progress: { progress.update($0, total: $1) })
        progress.finish()
        for sentence in losses { invocation.note("lost: \(sentence)") }
    }
}
