public import FeatureCatalogue
import Foundation
import Numerics

/// A catalogue whose every number follows from arithmetic.
///
/// Corpus: eight documents of ten tokens, the first four on "red", the others on "blue"; token ids run 0 … 79, token t
/// spells the letter t. Dictionary P/0 has four features in three dimensions, with decoder norms 2, 1, 0.5 and 0:
/// - 0 fires on the first two tokens of every red document with 1, 2, …, 8, and on position 45 (blue) with 0.5;
/// - 1 fires on every token with 1;
/// - 2 fires once, on position 79, with 3;
/// - 3 never fires.
public struct PlantedCatalogue {
    public let catalogue: Catalogue
    public let name = DictionaryName("P/0")!

    public static let red = [0, 1, 10, 11, 20, 21, 30, 31]

    public init(at path: String) throws {
        catalogue = try Catalogue(path: path, for: .ingesting)
        let decoder = Matrix(rows: 4, columns: 3, [1, 0, 0, 0.6, 0.8, 0, 0.8, 0.6, 0, 0, 0, 0])
        let run = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: String(repeating: "0", count: 64), vocabulary: 80) { [UInt8(0x30 + $0)] }
            let model = try catalogue.register(
                ModelDescription(name: "planted", architecture: "gpt2", layers: 1, width: 3, mlpWidth: 3, vocabulary: 80, contextLength: 10, weightsSHA256: String(repeating: "1", count: 64)),
                tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "planted.jsonl", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            let dictionary = try catalogue.register(
                DictionaryDescription(name: name, hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: String(repeating: "2", count: 64)),
                model: model, decoder: decoder, norms: [2, 1, 0.5, 0], scales: [2, 1, 0.5, 1], encoderDecoderCosines: [1, 0.5, 0, .nan])
            return try catalogue.register(RunRules(contextLength: 10, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: "test", at: "2026-01-01T00:00:00Z")
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(run.corpus), runs: [run])
        // Two segments, the border inside a document.
        for (ordinal, range) in [0..<45, 45..<80].enumerated() {
            var layout = SegmentLayout(ordinal: ordinal, firstPosition: range.lowerBound)
            layout.tokens = range.map { Int32($0) }
            for document in 0..<8 {
                let part = range.clamped(to: document * 10..<document * 10 + 10)
                guard !part.isEmpty else { continue }
                layout.parts.append(.init(ordinal: document, documentFirstPosition: document * 10, tokens: part.count, topic: document < 4 ? "red" : "blue", source: "planted.jsonl", line: document + 1))
            }
            var block = FiringBlock(offsets: [0], features: [], values: [], positionOfRow: [])
            for position in range {
                if let place = PlantedCatalogue.red.firstIndex(of: position) { block.features.append(0); block.values.append(Float(place + 1)) }
                if position == 45 { block.features.append(0); block.values.append(0.5) }
                block.features.append(1)
                block.values.append(1)
                if position == 79 { block.features.append(2); block.values.append(3) }
                block.offsets.append(block.features.count)
                block.positionOfRow.append(UInt32(position - range.lowerBound))
            }
            let index = SegmentIndex([block], of: layout, features: 4, lastPosition: writer.lastPositions(of: run), keepTop: nil)
            try writer.commit(layout, [(run, index)], at: "2026-01-01T00:00:01Z")
        }
        try catalogue.complete(catalogue.corpus(run.corpus), emptyDocuments: 0, malformedLines: 0)
        try catalogue.complete(catalogue.run(of: name), RunSummary(), at: "2026-01-01T00:00:02Z")
    }
}
