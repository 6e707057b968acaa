import FeatureCatalogue
import Foundation
import Numerics

/// A catalogue of two versions X/0 and X/1 over one corpus of generated firings: some 24 coarse features a token, common ones more often, and of each a
/// child of its own among the fine ones, with a few strangers. Decoder rows of children are near their parents'.
func writeFirings(to path: String, tokens: Int, coarse: Int, fine: Int, width: Int = 512, segmentTokens: Int = 65_536) throws {
    let catalogue = try Catalogue(path: path, for: .ingesting)
    var random = SeededGenerator(seed: 1, stream: 7)
    let decoder = Matrix(uninitializedRows: coarse, columns: width), children = Matrix(uninitializedRows: fine, columns: width), ratio = max(1, fine / coarse)
    func fill(_ row: UnsafeMutablePointer<Float>, _ parent: UnsafePointer<Float>?) {
        var squares: Float = 0
        for i in 0..<width {
            row[i] = Float(random.uniform() - 0.5) * 3.46 / Float(width).squareRoot() * (parent == nil ? 1 : 0.6) + (parent?[i] ?? 0) * 0.8
            squares += row[i] * row[i]
        }
        for i in 0..<width { row[i] /= squares.squareRoot() }
    }
    for row in 0..<coarse { fill(decoder.base + row * width, nil) }
    for row in 0..<fine { fill(children.base + row * width, UnsafePointer(decoder.base + min(coarse - 1, row / ratio) * width)) }
    let runs = try catalogue.connection.transaction {
        let tokenizer = try catalogue.register(tokenizer: String(repeating: "0", count: 64), vocabulary: 1000) { Array("\($0)".utf8) }
        let model = try catalogue.register(
            ModelDescription(name: "generated", architecture: "gpt2", layers: 1, width: width, mlpWidth: width, vocabulary: 1000, contextLength: 256, weightsSHA256: String(repeating: "1", count: 64)),
            tokenizer: tokenizer)
        let corpus = try catalogue.register(CorpusDescription(name: "generated", fingerprint: "generated", settings: "{}"), tokenizer: tokenizer)
        func run(_ version: String, _ rows: borrowing Matrix) throws -> Run {
            let ones = [Float](repeating: 1, count: rows.rows)
            let dictionary = try catalogue.register(
                DictionaryDescription(name: DictionaryName(parsing: "X/\(version)"), hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: String(repeating: version, count: 64)),
                model: model, decoder: rows, norms: ones, scales: ones, encoderDecoderCosines: ones)
            return try catalogue.register(RunRules(contextLength: 256, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: "benchmark", at: "2026-01-01T00:00:00Z")
        }
        return [try run("0", decoder), try run("1", children)]
    }
    let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(runs[0].corpus), runs: runs)
    var ordinal = 0, document = 0
    for first in stride(from: 0, to: tokens, by: segmentTokens) {
        let count = min(segmentTokens, tokens - first)
        var layout = SegmentLayout(ordinal: ordinal, firstPosition: first)
        layout.tokens = (0..<count).map { _ in Int32(random.uniform() * 1000) }
        for start in stride(from: 0, to: count, by: 1024) {
            layout.parts.append(.init(ordinal: document, documentFirstPosition: first + start, tokens: min(1024, count - start), topic: "topic \(document % 20)", source: "generated", line: document + 1))
            document += 1
        }
        var blocks = [FiringBlock](repeating: FiringBlock(offsets: [0], features: [], values: [], positionOfRow: []), count: 2)
        for position in 0..<count {
            var here = [Set<UInt32>](repeating: [], count: 2)
            for _ in 0..<24 {
                let u = random.uniform(), parent = Int(Double(coarse) * u * u), v = random.uniform()
                here[0].insert(UInt32(parent))
                here[1].insert(UInt32(min(fine - 1, parent * ratio + Int(Double(ratio) * v * v))))
            }
            for _ in 0..<6 { here[1].insert(UInt32(Double(fine) * random.uniform())) }
            for version in 0..<2 {
                for feature in here[version].sorted() {
                    blocks[version].features.append(feature)
                    blocks[version].values.append(Float(0.05 - log(1 - random.uniform())))
                }
                blocks[version].offsets.append(blocks[version].features.count)
                blocks[version].positionOfRow.append(UInt32(position))
            }
        }
        let indices = runs.indices.map { version in
            (runs[version], SegmentIndex([blocks[version]], of: layout, features: runs[version].dictionary.features, lastPosition: writer.lastPositions(of: runs[version]), keepTop: nil))
        }
        try writer.commit(layout, indices, at: "2026-01-01T00:00:01Z")
        ordinal += 1
    }
    try catalogue.complete(catalogue.corpus(runs[0].corpus), emptyDocuments: 0, malformedLines: 0)
    for run in runs { try catalogue.complete(catalogue.run(of: run.dictionary.name), RunSummary(), at: "2026-01-01T00:00:02Z") }
}
