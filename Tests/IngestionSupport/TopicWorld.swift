import FeatureCatalogue
import Foundation
import Numerics
import SQLite

/// A catalogue of documents with topics whose firings are given one by one: dictionary W/1, and W/0 with the same run where it has features.
///
/// Every document has ten tokens; token t of the corpus spells " wt", so that no two windows are alike.
public struct TopicWorld {
    public static let tokens = 10
    /// Topics of the documents, in order.
    public var topics: [String]
    /// By feature of W/1: positions and values, ascending.
    public var fine: [[(position: Int, value: Float)]]
    /// By feature of W/0.
    public var coarse: [[(position: Int, value: Float)]] = []
    /// The surest parents of W/1's features in W/0, for a lineage.
    public var parents: [Int?] = []
    public var keepTop: Int?
    public var isFinished = true

    public init(topics: [String], fine: [[(position: Int, value: Float)]]) { (self.topics, self.fine) = (topics, fine) }

    public func write(to path: String) throws {
        let catalogue = try Catalogue(path: path, for: .ingesting), count = topics.count * TopicWorld.tokens
        let dictionaries = [("W/0", coarse), ("W/1", fine)].filter { !$0.1.isEmpty }
        let runs = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: String(repeating: "0", count: 64), vocabulary: count) { Array(" w\($0)".utf8) }
            let model = try catalogue.register(
                ModelDescription(name: "planted", architecture: "gpt2", layers: 1, width: 3, mlpWidth: 3, vocabulary: count, contextLength: 10, weightsSHA256: String(repeating: "1", count: 64)), tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "planted.jsonl", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            return try dictionaries.map { name, features in
                let decoder = Matrix(rows: features.count, columns: 3)
                for feature in features.indices { decoder.base[feature * 3 + feature % 3] = 1 }
                let dictionary = try catalogue.register(
                    DictionaryDescription(name: DictionaryName(name)!, hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: name),
                    model: model, decoder: decoder, norms: features.map { _ in 1 }, scales: features.map { _ in 1 }, encoderDecoderCosines: features.map { _ in 1 })
                return try catalogue.register(RunRules(contextLength: 10, prependsBOS: false, keepTop: keepTop), of: dictionary, over: corpus, engine: "test", at: "2026-01-01T00:00:00Z")
            }
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(runs[0].corpus), runs: runs)
        var layout = SegmentLayout(ordinal: 0, firstPosition: 0)
        layout.tokens = (0..<count).map { Int32($0) }
        layout.parts = topics.enumerated().map { .init(ordinal: $0, documentFirstPosition: $0 * TopicWorld.tokens, tokens: TopicWorld.tokens, topic: $1, source: "planted.jsonl", line: $0 + 1) }
        let indexes = zip(runs, dictionaries).map { run, dictionary in
            let byPosition = Dictionary(grouping: dictionary.1.enumerated().flatMap { feature, firings in firings.map { (feature: feature, $0.position, $0.value) } }, by: \.1)
            var block = FiringBlock(offsets: [0], features: [], values: [], positionOfRow: [])
            for position in 0..<count {
                for firing in byPosition[position] ?? [] { block.features.append(UInt32(firing.feature)); block.values.append(firing.2) }
                block.offsets.append(block.features.count)
                block.positionOfRow.append(UInt32(position))
            }
            return (run, SegmentIndex([block], of: layout, features: dictionary.1.count, lastPosition: writer.lastPositions(of: run), keepTop: keepTop))
        }
        try writer.commit(layout, indexes, at: "2026-01-01T00:00:01Z")
        if isFinished {
            try catalogue.complete(catalogue.corpus(runs[0].corpus), emptyDocuments: 0, malformedLines: 0)
            for run in runs { try catalogue.complete(catalogue.run(of: run.dictionary.name), RunSummary(), at: "2026-01-01T00:00:02Z") }
        }
        if !parents.isEmpty { try addLineage(runs[0].dictionary, runs[1].dictionary, catalogue) }
        try catalogue.checkpoint()
    }

    private func addLineage(_ coarse: FeatureDictionary, _ fine: FeatureDictionary, _ catalogue: Catalogue) throws {
        try catalogue.connection.run("""
            INSERT INTO lineage_build (id, coarse_id, fine_id, has_decoder_evidence, rules, is_complete, engine, started_at) VALUES (1, ?, ?, 0, 1, 1, 'test', '2026-01-01T00:00:03Z')
            """, .init(coarse.id), .init(fine.id))
        for (child, parent) in parents.enumerated() {
            guard let parent else { continue }
            // A surer candidate and a less sure parent stand beside it: neither counts.
            for (other, tier, confidence) in [(parent, "likely", 0.8), ((parent + 1) % coarse.features, "asserted", 0.7), ((parent + 2) % coarse.features, "candidate", 0.9)] {
                try catalogue.connection.run("""
                    INSERT OR IGNORE INTO lineage_edge (build_id, child_id, parent_id, kind, tier, confidence, parent_firings, child_firings) VALUES (1, ?, ?, 'split', ?, ?, 100, 50)
                    """, .init(fine.featureID(child)), .init(coarse.featureID(other)), .text(tier), .real(confidence))
            }
        }
    }
}
