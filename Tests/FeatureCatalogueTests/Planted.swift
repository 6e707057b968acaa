import Diagnostics
@testable import FeatureCatalogue
import Foundation
import Numerics
import SQLite
import TestSupport

/// A random stream that is the same everywhere (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// One firing, as it is planted.
struct Planting: Equatable { var position: Int, feature: Int; var value: Float }

/// A small world made of arithmetic: documents with topics, tokens, segments and firings, and the way into a catalogue.
struct Planted {
    static let time = "2024-05-01T12:00:00Z"
    var vocabulary = 50
    var features = 12
    var width = 8
    var keepTop: Int?
    /// Tokens and topic of each document.
    var documents: [(tokens: Int, topic: String)] = []
    /// Tokens in each segment; their sum is that of the documents.
    var segments: [Int] = []
    var tokens: [Int32] = []
    var firings: [Planting] = []

    var total: Int { segments.reduce(0, +) }
    func topic(at position: Int) -> (document: Int, topic: String) {
        var start = 0
        for (place, document) in documents.enumerated() {
            if position < start + document.tokens { return (place, document.topic) }
            start += document.tokens
        }
        return (-1, "")
    }

    /// 600 tokens of 20 documents under 3 topics, three segments that cut documents; feature 3 never fires, 5 once, 7 always.
    static func small(seed: UInt64 = 1, features: Int = 12, keepTop: Int? = nil) -> Planted {
        var random = Seeded(seed), world = Planted()
        world.keepTop = keepTop
        world.features = features
        world.documents = (0..<20).map { (tokens: 20 + $0 % 3 * 10, topic: ["law", "music", "code"][$0 % 3]) }
        let all = world.documents.reduce(0) { $0 + $1.tokens }
        world.segments = [250, 201, all - 451]
        world.tokens = (0..<all).map { _ in .random(in: 0..<50, using: &random) }
        for position in 0..<all {
            for feature in 0..<features where feature != 3 {
                let fires = feature == 7 || (feature == 5 ? position == 300 : Int.random(in: 0..<(2 + feature % 12), using: &random) == 0)
                if fires { world.firings.append(Planting(position: position, feature: feature, value: .random(in: 0.01...1, using: &random) * Float(1 + feature))) }
            }
        }
        return world
    }

    // MARK: Into the catalogue

    func layout(_ ordinal: Int) -> SegmentLayout {
        let first = segments[..<ordinal].reduce(0, +)
        var layout = SegmentLayout(ordinal: ordinal, firstPosition: first)
        layout.tokens = Array(tokens[first..<first + segments[ordinal]])
        var start = 0
        for (place, document) in documents.enumerated() {
            let low = max(start, first), high = min(start + document.tokens, first + segments[ordinal])
            if low < high { layout.parts.append(.init(ordinal: place, documentFirstPosition: start, tokens: high - low, topic: document.topic, source: "a.jsonl", line: place + 1)) }
            start += document.tokens
        }
        return layout
    }

    /// The firings of one segment in two blocks; a masked row that fires everywhere goes before, as a BOS token would.
    func blocks(_ ordinal: Int) -> [FiringBlock] {
        let first = segments[..<ordinal].reduce(0, +), end = first + segments[ordinal], middle = first + segments[ordinal] / 2
        let byPosition = Dictionary(grouping: firings, by: \.position)
        return [first..<middle, middle..<end].map { range in
            var block = FiringBlock(offsets: [0, features], features: (0..<UInt32(features)).map { $0 }, values: [Float](repeating: 1e6, count: features), positionOfRow: [FiringBlock.maskedRow])
            for position in range {
                let here = byPosition[position] ?? []
                block.features += here.map { UInt32($0.feature) }
                block.values += here.map(\.value)
                block.offsets.append(block.features.count)
                block.positionOfRow.append(UInt32(position - first))
            }
            return block
        }
    }

    /// An axis for each feature, so that rows are of length 1; the last one is zero.
    func register(in catalogue: Catalogue, named name: String = "A/0") throws -> (Corpus, Run) {
        let decoder = Matrix(rows: features, columns: width)
        for feature in 0..<features - 1 { decoder.base[feature * width + feature % width] = 1 }
        return try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: vocabulary) { $0 == 7 ? [0xff, 0x41] : Array("w\($0)".utf8) }
            let model = try catalogue.register(ModelDescription(name: "m", architecture: "gpt2", layers: 1, width: 8, mlpWidth: 8, vocabulary: vocabulary, contextLength: 32, weightsSHA256: "w"), tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "c", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            let dictionary = try catalogue.register(
                DictionaryDescription(name: try DictionaryName(parsing: name), hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: "d"), model: model,
                decoder: decoder, norms: (0..<features).map { $0 == features - 1 ? 0 : 2 }, scales: (0..<features).map { $0 == features - 1 ? 1 : 2 }, encoderDecoderCosines: [Float](repeating: 0.5, count: features))
            return (corpus, try catalogue.register(RunRules(contextLength: 16, prependsBOS: true, keepTop: keepTop), of: dictionary, over: corpus, engine: "test", at: Planted.time))
        }
    }

    func commit(_ ordinal: Int, _ writer: SegmentWriter, _ run: Run) throws {
        let layout = layout(ordinal)
        let index = SegmentIndex(blocks(ordinal), of: layout, features: features, lastPosition: writer.lastPositions(of: run), keepTop: keepTop)
        try writer.commit(layout, [(run, index)], at: Planted.time)
    }

    func complete(_ run: Run, in catalogue: Catalogue) throws {
        try catalogue.complete(try catalogue.corpus(run.corpus), emptyDocuments: 0, malformedLines: 0)
        var summary = RunSummary()
        summary.raisedLogits = (0..<features).map { feature in (0..<3).map { .init(token: (feature + $0) % vocabulary, value: 2 - Double($0)) } }
        summary.loweredLogits = (0..<features).map { feature in (0..<3).map { .init(token: (feature + 9 + $0) % vocabulary, value: Double($0) - 2) } }
        summary.neuronsByWeight = (0..<features).map { feature in [.init(neuron: feature % width, value: -0.9), .init(neuron: (feature + 1) % width, value: 0.5)] }
        summary.neuronsByCorrelation = (0..<features).map { feature in [.init(neuron: feature % width, value: 0.8), .init(neuron: (feature + 1) % width, value: -0.2)] }
        summary.neuronTokens = total
        var evaluation = Evaluation()
        (evaluation.contexts, evaluation.tokens, evaluation.l0, evaluation.explainedVariance) = (3, 40, 2.5, 0.7)
        (evaluation.lossOriginal, evaluation.lossSpliced, evaluation.lossZeroAblated, evaluation.lossMeanAblated) = (3, 3.1, 5, 4)
        summary.evaluation = evaluation
        try catalogue.complete(try catalogue.run(of: run.dictionary.name), summary, at: Planted.time)
    }

    /// A finished catalogue at `path`, its write-ahead log emptied and the file closed.
    func write(to path: String, segments count: Int? = nil) throws {
        let catalogue = try makeCatalogue(at: path)
        let (corpus, run) = try register(in: catalogue)
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
        for ordinal in 0..<(count ?? segments.count) { try commit(ordinal, writer, run) }
        if count == nil {
            try complete(run, in: catalogue)
            for (text, author) in [("law", "Ada"), ("the law", "Ben"), ("statutes", "Ada")] { _ = try catalogue.addLabel(text, to: FeatureName(parsing: "A/0/2"), author: author, at: Planted.time) }
            _ = try catalogue.addLabel("music", to: FeatureName(parsing: "A/0/4"), author: "Ada", at: Planted.time)
        }
        try catalogue.checkpoint()
    }
}

/// A new catalogue that may be opened again in this process: an ingest's lock is held until the process ends.
func makeCatalogue(at path: String) throws -> Catalogue {
    _ = try Catalogue(path: path, for: .ingesting)
    return try Catalogue(path: path, for: .writing)
}

/// What `body` threw.
func failure(_ body: () throws -> Void) -> MonosemeError? {
    do { try body() } catch { return error as? MonosemeError ?? MonosemeError("another error: \(error)") }
    return nil
}
