import Diagnostics
import FeatureCatalogue
import Foundation
@testable import Ingestion
import IngestionSupport
import SQLite
import Testing
import TestSupport

/// Damaged files, thousands of them: each ends in an error or a catalogue, never in a crash.
@Suite struct MutationTests {
    /// Up to eight bits flipped, bytes set, pieces cut out, doubled or cut off; mostly near the header, where it hurts.
    private static func mutated(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            guard bytes.count > 16 else { break }
            let place = Int.random(in: 0..<(Bool.random(using: &random) ? min(bytes.count, 600) : bytes.count), using: &random)
            switch Int.random(in: 0..<12, using: &random) {
            case 0: bytes.removeSubrange(place...)
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + 5))
            case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 9)], at: place)
            case 3: for at in place..<min(bytes.count, place + 4) { bytes[at] = [0xff, 0x7f, 0x80, 0x00][at % 4] }
            case 4...6: bytes[place] = [0x00, 0xff, 0x7f, 0x80, 0x30, 0x39, 0x2d, 0x22, 0x5d, 0x7d].randomElement(using: &random)!
            default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        }
        return bytes
    }

    @Test(.timeLimit(.minutes(3)), arguments: [("sae/sae_weights.safetensors", 1500), ("sae/cfg.json", 700), ("model/model.safetensors", 1500), ("model/config.json", 700), ("model/tokenizer.json", 300), ("corpus.jsonl", 300)])
    func `a damaged file ends in an error or in a sound catalogue`(file: String, mutations: Int) throws {
        try withTemporaryFolder { folder in
            var model = TinyModel(width: 8, mlpWidth: 8, contextLength: 16), random = SeededRandom(UInt64(mutations) + UInt64(file.count))
            for name in model.tensors.keys where !name.contains("ln_") { model.tensors[name]!.values = random.floats(model.tensors[name]!.values.count, scale: 0.8) }
            try model.write(to: folder.appending(path: "model"))
            var dictionary = TinyDictionary(width: 8, features: 6, hook: "blocks.0.mlp.hook_post")
            (dictionary.encoder, dictionary.decoder, dictionary.contextSize) = (random.floats(48, scale: 1), random.floats(48, scale: 1), 16)
            try dictionary.write(to: folder.appending(path: "sae"))
            try Data(randomCorpus(documents: 4, seed: 1).utf8).write(to: folder.appending(path: "corpus.jsonl"))

            let path = folder.appending(path: file), whole = [UInt8](try Data(contentsOf: path))
            let request = IngestionRequest(
                modelFolder: folder.path + "/model", autoencoders: [(folder.path + "/sae", try DictionaryName(parsing: "M/0"))],
                corpus: CorpusOptions(paths: [folder.path + "/corpus.jsonl"]), catalogue: ":memory:")
            var refused = 0, accepted = 0
            for _ in 0..<mutations {
                try Data(Self.mutated(whole, &random)).write(to: path)
                do {
                    let ingestion = try Ingestion(request, sizes: IngestionSizes(segmentTokens: 100, evaluationTokens: 100, neuronTokens: 100))
                    _ = try ingestion.run()
                    accepted += 1
                    let sums = try ingestion.catalogue.connection.rows("SELECT sum, sum_of_squares, maximum, firings FROM statistic") { row in (0..<4).map { row.real($0) } }
                    #expect(sums.allSatisfy { $0.allSatisfy { $0.isFinite && $0 >= 0 } })
                } catch is MonosemeError {
                    refused += 1
                }
            }
            // Both ways must have been gone, or the mutations are too weak or too strong to say anything.
            #expect(refused > mutations / 20 && accepted > 0, "\(refused) refused, \(accepted) accepted")
        }
    }
}
