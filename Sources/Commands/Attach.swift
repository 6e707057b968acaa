import FeatureCatalogue
import Importing

/// `monoseme attach`: `attachWeights(from:to:in:)` of Importing.
enum Attach: Command {
    static let dictionary = Argument<DictionaryName>("DICT", help: "A dictionary that was imported without weights, such as A/1")
    static let autoencoder = Option<String>("--sae", value: "DIR", isRequired: true, help: "The sparse autoencoder: cfg.json, sae_weights.safetensors")
    static let scale = Option<Double?>("--input-scale", value: "X", help: "For an autoencoder with expected_average_only_in: sqrt(d_in) / mean norm of its training activations (1 if it is folded in)")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor)")

    static let declaration = Declaration(
        "attach", summary: "give an imported dictionary its weights",
        discussion: """
            Adds decoder vectors, their lengths, the hook point and the weights' checksum to a dictionary that was imported without them, so that near, neighbours \
            and lineage can ask for directions. Imported activations are the autoencoder's own; they are multiplied by the lengths of their decoder rows, as those \
            of an ingest are. Labels stay. All of it is done or nothing.
            """,
        parameters: [dictionary, autoencoder, scale, threads], examples: [("monoseme attach A/1 --sae Fixtures/sae-A-1", "The weights whose activations were imported")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let progress = invocation.progress("attach", total: nil, unit: "features")
        let attachment = try attachWeights(from: invocation[autoencoder], to: invocation[dictionary], in: catalogue, inputScale: invocation[scale].map { Float($0) }, threads: invocation[threads] ?? Ingest.processors) {
            progress.update($0.features, total: $0.featuresExpected)
        }
        progress.finish()
        try catalogue.checkpoint()
        let dictionary = attachment.dictionary
        invocation.note("\(dictionary.name): \(counted(dictionary.features, "decoder vector")) of \(dictionary.width) numbers at \(dictionary.hook); the activations of \(counted(attachment.rescaled, "feature")) were brought to unit decoder rows")
        if let former = attachment.formerHook { invocation.note("the import called its hook point \(visible(former))") }
    }
}
