import FeatureCatalogue
import Foundation
@testable import Ingestion
import IngestionSupport
import TestSupport

/// A folder with a random tiny model, two dictionaries and a corpus of some 9,000 tokens in nine segments of 1,000.
struct TinyIngest {
    let folder: URL
    static let sizes = IngestionSizes(segmentTokens: 1_000, evaluationTokens: 2_000, neuronTokens: 4_000)

    static func with<Result>(documents: Int = 60, _ body: (TinyIngest) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            let tiny = TinyIngest(folder: folder)
            try TinyModel.random(seed: 1).write(to: folder.appending(path: "model"))
            try TinyDictionary.random(seed: 2).write(to: folder.appending(path: "small"))
            try TinyDictionary.random(features: 96, seed: 3).write(to: folder.appending(path: "large"))
            try tiny.write(randomCorpus(documents: documents, seed: 4), to: "corpus.jsonl")
            return try body(tiny)
        }
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: folder.appending(path: name)) }

    func request(_ dictionaries: [String] = ["small"], into catalogue: String, change: (inout IngestionRequest) -> Void = { _ in }) throws -> IngestionRequest {
        var request = IngestionRequest(
            modelFolder: path("model"), autoencoders: try dictionaries.map { (path($0), try DictionaryName(parsing: "T/\($0)")) },
            corpus: CorpusOptions(paths: [path("corpus.jsonl")]), catalogue: path(catalogue))
        change(&request)
        return request
    }

    @discardableResult
    func ingest(
        _ dictionaries: [String] = ["small"], into catalogue: String, sizes: IngestionSizes = TinyIngest.sizes, change: (inout IngestionRequest) -> Void = { _ in }
    ) throws -> IngestionSummary {
        try Ingestion(try request(dictionaries, into: catalogue, change: change), sizes: sizes).run()
    }

    func rows(_ catalogue: String, leavingOut: Set<String> = []) throws -> CatalogueRows { try CatalogueRows(path: path(catalogue), leavingOut: leavingOut) }
}
