public import FeatureCatalogue
import Numerics

/// Three versions of a dictionary whose lineage follows from arithmetic: 4, 8 and 10 features over 4,000 tokens in 40 documents of 100, on "red"
/// (the first ten), "blue" (the next ten) and "green". All activations are 1, so that coverage by mass is coverage by counts.
///
/// - L/0/0 fires on 0 ..< 1000. It splits into L/1/0 (0 ..< 400) and L/1/1 (400 ..< 850); L/1/3 (900 ..< 1000) lies where it meets L/0/1: together they
///   cover 950 of 1,000. In its holes, 850 ..< 900, L/1/6 fires on 40 tokens and L/1/7 on 5.
/// - L/0/1 fires on 900 ..< 2000. L/1/2 (1000 ..< 2000) is the same feature, and L/2/2 that again.
/// - L/0/2 (3000 ..< 3500) vanishes, L/0/3 (12 firings) and L/1/5 (20) are noise, L/1/4, L/1/6 and L/1/7 are novel.
/// - L/1/0 splits into L/2/0 and L/2/1, 200 each. L/2/3 (310 ..< 520) lies with 90 tokens in L/1/0 (a candidate) and with 120 in L/1/1 (likely).
/// - L/2/4 is L/1/3 or L/1/7: 100 tokens of each.
/// - By their decoder vectors alone L/1/3 may have been absorbed by L/2/2, and L/1/7 by L/2/3: a cosine of 0.8, and no token in common.
public struct LineageWorld {
    public static let firings: [[[Range<Int>]]] = [
        [[0..<1000], [900..<2000], [3000..<3500], [3988..<4000]],
        [[0..<400], [400..<850], [1000..<2000], [900..<1000], [2000..<2500], [3000..<3020], [860..<900, 2600..<3000], [895..<900, 2400..<2500]],
        [[0..<200], [200..<400], [1000..<2000], [310..<520], [900..<1000, 2400..<2500], [], [], [], [], []],
    ]
    /// Of width 8.
    private static let decoders: [[[Int: Float]]] = [
        [[0: 1], [1: 1], [2: 1], [3: 1]],
        [[0: 0.8, 4: 0.6], [0: 0.8, 5: 0.6], [1: 1], [0: 0.6, 1: 0.8], [6: 1], [7: 1], [6: 0.8, 7: 0.6], [5: 1]],
        [[0: 0.8, 4: 0.6], [0: 0.6, 4: 0.8], [1: 1], [0: 0.6, 5: 0.8], [1: 0.6, 2: 0.8], [3: 1], [3: 1], [3: 1], [3: 1], [3: 1]],
    ]
    public static let tokens = 4000

    public let catalogue: Catalogue
    public let names = ["L/0", "L/1", "L/2"].map { DictionaryName($0)! }

    /// - Parameters:
    ///   - spellings: what the tokens of red, blue and green documents spell.
    ///   - topics: what the three topics are called.
    ///   - keepTop: of L/1.
    ///   - unfinished: whether the last version's ingest has not been completed.
    public init(at path: String, spellings: [String] = ["red", "blue", "green"], topics: [String] = ["red", "blue", "green"], keepTop: Int? = nil, unfinished: Bool = false) throws {
        catalogue = try Catalogue(path: path, for: .ingesting)
        let catalogue = catalogue, names = names
        let runs = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: String(repeating: "0", count: 64), vocabulary: 3) { Array(spellings[$0].utf8) }
            let model = try catalogue.register(
                ModelDescription(name: "planted", architecture: "gpt2", layers: 1, width: 8, mlpWidth: 8, vocabulary: 3, contextLength: 100, weightsSHA256: String(repeating: "1", count: 64)),
                tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "planted.jsonl", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            return try names.indices.map { version in
                let features = LineageWorld.firings[version].count, decoder = Matrix(rows: features, columns: 8)
                for feature in 0..<features { for (axis, value) in LineageWorld.decoders[version][feature] { decoder.base[feature * 8 + axis] = value } }
                let dictionary = try catalogue.register(
                    DictionaryDescription(name: names[version], hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: String(repeating: "\(version + 2)", count: 64)),
                    model: model, decoder: decoder, norms: [Float](repeating: 1, count: features), scales: [Float](repeating: 1, count: features),
                    encoderDecoderCosines: [Float](repeating: 1, count: features))
                return try catalogue.register(RunRules(contextLength: 100, prependsBOS: false, keepTop: version == 1 ? keepTop : nil), of: dictionary, over: corpus, engine: "test", at: "2026-01-01T00:00:00Z")
            }
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(runs[0].corpus), runs: runs)
        var layout = SegmentLayout(ordinal: 0, firstPosition: 0)
        func topic(_ document: Int) -> Int { document < 10 ? 0 : document < 20 ? 1 : 2 }
        layout.tokens = (0..<LineageWorld.tokens).map { Int32(topic($0 / 100)) }
        layout.parts = (0..<40).map { .init(ordinal: $0, documentFirstPosition: $0 * 100, tokens: 100, topic: topics[topic($0)], source: "planted.jsonl", line: $0 + 1) }
        let indices = runs.indices.map { version in
            let lists = LineageWorld.firings[version]
            var block = FiringBlock(offsets: [0], features: [], values: [], positionOfRow: [])
            for position in 0..<LineageWorld.tokens {
                for feature in lists.indices where lists[feature].contains(where: { $0.contains(position) }) {
                    block.features.append(UInt32(feature))
                    block.values.append(1)
                }
                block.offsets.append(block.features.count)
                block.positionOfRow.append(UInt32(position))
            }
            return SegmentIndex([block], of: layout, features: lists.count, lastPosition: writer.lastPositions(of: runs[version]), keepTop: version == 1 ? keepTop : nil)
        }
        try writer.commit(layout, Array(zip(runs, indices)), at: "2026-01-01T00:00:01Z")
        try catalogue.complete(catalogue.corpus(runs[0].corpus), emptyDocuments: 0, malformedLines: 0)
        for version in names.indices where !(unfinished && version == 2) { try catalogue.complete(catalogue.run(of: names[version]), RunSummary(), at: "2026-01-01T00:00:02Z") }
        try catalogue.checkpoint()
    }

    public func label(_ feature: String, _ text: String) throws { _ = try catalogue.addLabel(text, to: FeatureName(parsing: feature), author: "ada", at: "2026-01-02T00:00:00Z") }
}
