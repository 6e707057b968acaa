public import FeatureCatalogue
import Foundation
import Numerics

/// A catalogue of given activations: versions P/0, P/1 … over one corpus of documents of 50 tokens, "red" and "blue" by turns.
public struct PlantedLineage {
    public let catalogue: Catalogue
    public let dictionaries: [FeatureDictionary]

    static let documentTokens = 50, segmentTokens = 8190

    /// - Parameters:
    ///   - versions: on the same tokens; all values above 0.
    ///   - hooks: of each version; `nil`: the same.
    public init(at path: String, _ versions: [FeatureActivations], hooks: [String]? = nil) throws {
        let catalogue = try Catalogue(path: path, for: .ingesting)
        let runs = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: String(repeating: "0", count: 64), vocabulary: 64) { [UInt8(0x30 + $0)] }
            let model = try catalogue.register(
                ModelDescription(name: "planted", architecture: "gpt2", layers: 2, width: versions[0].decoder[0].count, mlpWidth: 4, vocabulary: 64, contextLength: 50, weightsSHA256: String(repeating: "1", count: 64)),
                tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "planted.jsonl", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            return try versions.enumerated().map { place, version in
                let rows = version.decoder, norms: [Float] = rows.map { $0.contains { $0 != 0 } ? 1 : 0 }
                let dictionary = try catalogue.register(
                    DictionaryDescription(name: DictionaryName("P/\(place)")!, hook: hooks?[place] ?? "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: String(repeating: "\(place + 2)", count: 64)),
                    model: model, decoder: Matrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 }), norms: norms, scales: norms, encoderDecoderCosines: .init(repeating: 1, count: rows.count))
                return try catalogue.register(RunRules(contextLength: 50, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: "test", at: "2026-01-01T00:00:00Z")
            }
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(runs[0].corpus), runs: runs)
        let tokens = versions[0].tokens
        for (ordinal, first) in stride(from: 0, to: tokens, by: PlantedLineage.segmentTokens).enumerated() {
            let range = first..<min(tokens, first + PlantedLineage.segmentTokens), layout = PlantedLineage.layout(ordinal, range)
            let indices = zip(runs, versions).map { run, version in
                (run, SegmentIndex([PlantedLineage.block(of: version, range)], of: layout, features: version.decoder.count, lastPosition: writer.lastPositions(of: run), keepTop: nil))
            }
            try writer.commit(layout, indices, at: "2026-01-01T00:00:01Z")
        }
        try catalogue.complete(catalogue.corpus(runs[0].corpus), emptyDocuments: 0, malformedLines: 0)
        for run in runs { try catalogue.complete(catalogue.run(of: run.dictionary.name), RunSummary(), at: "2026-01-01T00:00:02Z") }
        self.catalogue = catalogue
        dictionaries = try runs.map { try catalogue.run(of: $0.dictionary.name).dictionary }
    }

    private static func layout(_ ordinal: Int, _ range: Range<Int>) -> SegmentLayout {
        var layout = SegmentLayout(ordinal: ordinal, firstPosition: range.lowerBound)
        layout.tokens = range.map { Int32($0 % 64) }
        for document in range.lowerBound / documentTokens...(range.upperBound - 1) / documentTokens {
            let part = range.clamped(to: document * documentTokens..<(document + 1) * documentTokens)
            layout.parts.append(.init(ordinal: document, documentFirstPosition: document * documentTokens, tokens: part.count, topic: document % 2 == 0 ? "red" : "blue", source: "planted.jsonl", line: document + 1))
        }
        return layout
    }

    private static func block(of version: FeatureActivations, _ range: Range<Int>) -> FiringBlock {
        var block = FiringBlock(offsets: [0], features: [], values: [], positionOfRow: [])
        for token in range {
            for place in version[token] {
                block.features.append(UInt32(version.features[place]))
                block.values.append(version.values[place])
            }
            block.offsets.append(block.features.count)
            block.positionOfRow.append(UInt32(token - range.lowerBound))
        }
        return block
    }
}
