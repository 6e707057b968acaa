import FeatureCatalogue
import Numerics

/// A catalogue of text given token by token, and features given firing by firing: A/0, in segments of `segmentTokens`.
struct RuleWorld {
    let catalogue: Catalogue
    let run: Run
    let documents: [(topic: String, tokens: [String])]
    /// All tokens in a row, their documents, and whether they begin one.
    let tokens: [String], documentOf: [Int], isFirst: [Bool]

    /// - Parameter fires: the activation of each feature at a place: 0 where it is silent.
    init(_ documents: [(topic: String, tokens: [String])], features: Int, segmentTokens: Int = 64, keepTop: Int? = nil, fires: (_ feature: Int, _ position: Int, _ world: (tokens: [String], documentOf: [Int], isFirst: [Bool])) -> Float) throws {
        self.documents = documents
        var tokens: [String] = [], documentOf: [Int] = [], isFirst: [Bool] = [], starts: [Int] = []
        for (number, document) in documents.enumerated() {
            starts.append(tokens.count)
            tokens += document.tokens
            documentOf += document.tokens.map { _ in number }
            isFirst += document.tokens.indices.map { $0 == 0 }
        }
        (self.tokens, self.documentOf, self.isFirst) = (tokens, documentOf, isFirst)
        let spellings = Set(tokens).sorted(), ids = Dictionary(uniqueKeysWithValues: spellings.enumerated().map { ($1, Int32($0)) })
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting), decoder = Matrix(rows: features, columns: 1)
        for feature in 0..<features { decoder[feature, 0] = 1 }
        let run = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: spellings.count) { Array(spellings[$0].utf8) }
            let model = try catalogue.register(ModelDescription(name: "m", architecture: "a", layers: 1, width: 1, mlpWidth: 1, vocabulary: spellings.count, contextLength: 1, weightsSHA256: ""), tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "c", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            let ones = [Float](repeating: 1, count: features)
            let dictionary = try catalogue.register(
                DictionaryDescription(name: DictionaryName("A/0")!, hook: "h", architecture: "standard", settings: "{}", weightsSHA256: "w"), model: model, decoder: decoder, norms: ones, scales: ones, encoderDecoderCosines: ones)
            return try catalogue.register(RunRules(contextLength: 512, prependsBOS: false, keepTop: keepTop), of: dictionary, over: corpus, engine: "test", at: "")
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(run.corpus), runs: [run])
        for (ordinal, first) in stride(from: 0, to: tokens.count, by: segmentTokens).enumerated() {
            let range = first..<min(tokens.count, first + segmentTokens)
            var layout = SegmentLayout(ordinal: ordinal, firstPosition: first)
            layout.tokens = range.map { ids[tokens[$0]]! }
            for number in documentOf[range.lowerBound]...documentOf[range.upperBound - 1] {
                layout.parts.append(.init(ordinal: number, documentFirstPosition: starts[number], tokens: documentOf[range].count { $0 == number }, topic: documents[number].topic, source: "t", line: number + 1))
            }
            var block = FiringBlock(offsets: [0], features: [], values: [], positionOfRow: [])
            for position in range {
                for feature in 0..<features {
                    let value = fires(feature, position, (tokens, documentOf, isFirst))
                    if value > 0 { block.features.append(UInt32(feature)); block.values.append(value) }
                }
                block.offsets.append(block.features.count)
                block.positionOfRow.append(UInt32(position - first))
            }
            try writer.commit(layout, [(run, SegmentIndex([block], of: layout, features: features, lastPosition: writer.lastPositions(of: run), keepTop: keepTop))], at: "")
        }
        try catalogue.complete(catalogue.corpus(run.corpus), emptyDocuments: 0, malformedLines: 0)
        try catalogue.complete(catalogue.run(of: run.dictionary.name), RunSummary(), at: "")
        (self.catalogue, self.run) = (catalogue, try catalogue.run(of: run.dictionary.name))
    }
}
