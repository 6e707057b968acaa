public import FeatureCatalogue
public import Labelling
import Numerics
import Synchronization

/// A catalogue of words in which feature f of dictionary L/0 fires on the word " af" and on no other, with activations from 1 to 9; all else is " w…".
///
/// Every document has 70 tokens: windows of 32 and 32, and a rest of 6 that is none. Feature 6 fires in seven windows only, feature 7 nowhere; feature 5 fires
/// on " a5" only behind " w0", so that most windows with that word are silent.
public struct LabelWorld: Sendable {
    public static let features = 8, documents = 120, tokensPerDocument = 70, vocabulary = 100
    public static let time = "2026-01-01T00:00:00Z"
    public static let name = DictionaryName("L/0")!
    public let tokens: [Int32]
    /// By position: feature and activation.
    public let firings: [[(feature: Int, value: Float)]]

    public init() {
        var random = SeededGenerator(seed: 7), tokens: [Int32] = [], firings: [[(feature: Int, value: Float)]] = []
        var rare = 0
        for document in 0..<LabelWorld.documents {
            for place in 0..<LabelWorld.tokensPerDocument {
                var token = 8 + random.index(below: LabelWorld.vocabulary - 8)
                if random.uniform() < 0.06 { token = random.index(below: 6) }
                if document.isMultiple(of: 17), place == 3, rare < 7 { token = 6; rare += 1 }
                // The first token of the vocabulary's words is " w8"; feature 5 wants it before " a5".
                if token == 5, random.uniform() < 0.4, let last = tokens.indices.last, place > 0 { tokens[last] = 8; firings[last] = [] }
                let fires = token < 7 && (token != 5 || (place > 0 && tokens.last == 8))
                firings.append(fires ? [(token, Float(1 + random.index(below: 9)))] : [])
                tokens.append(Int32(token))
            }
        }
        (self.tokens, self.firings) = (tokens, firings)
    }

    public static func spelling(_ token: Int) -> String { token < 8 ? " a\(token)" : " w\(token)" }

    /// - Returns: the catalogue, for writing.
    @discardableResult public func write(to path: String, keepTop: Int? = nil) throws -> Catalogue {
        let catalogue = try Catalogue(path: path, for: .ingesting)
        let run = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: String(repeating: "0", count: 64), vocabulary: LabelWorld.vocabulary) { Array(LabelWorld.spelling($0).utf8) }
            let model = try catalogue.register(
                ModelDescription(name: "words", architecture: "gpt2", layers: 1, width: 4, mlpWidth: 4, vocabulary: LabelWorld.vocabulary, contextLength: 70, weightsSHA256: String(repeating: "1", count: 64)), tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "words.jsonl", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            let decoder = Matrix(rows: LabelWorld.features, columns: 4)
            for feature in 0..<LabelWorld.features { decoder.base[feature * 4 + feature % 4] = 1 }
            let ones = [Float](repeating: 1, count: LabelWorld.features)
            let dictionary = try catalogue.register(
                DictionaryDescription(name: LabelWorld.name, hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: String(repeating: "2", count: 64)),
                model: model, decoder: decoder, norms: ones, scales: ones, encoderDecoderCosines: ones)
            return try catalogue.register(RunRules(contextLength: 70, prependsBOS: false, keepTop: keepTop), of: dictionary, over: corpus, engine: "test", at: LabelWorld.time)
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(run.corpus), runs: [run])
        var layout = SegmentLayout(ordinal: 0, firstPosition: 0)
        layout.tokens = tokens
        layout.parts = (0..<LabelWorld.documents).map { .init(ordinal: $0, documentFirstPosition: $0 * LabelWorld.tokensPerDocument, tokens: LabelWorld.tokensPerDocument, topic: "words", source: "words.jsonl", line: $0 + 1) }
        var block = FiringBlock(offsets: [0], features: [], values: [], positionOfRow: [])
        for position in tokens.indices {
            for firing in firings[position] { block.features.append(UInt32(firing.feature)); block.values.append(firing.value) }
            block.offsets.append(block.features.count)
            block.positionOfRow.append(UInt32(position))
        }
        try writer.commit(layout, [(run, SegmentIndex([block], of: layout, features: LabelWorld.features, lastPosition: writer.lastPositions(of: run), keepTop: keepTop))], at: LabelWorld.time)
        try catalogue.complete(catalogue.corpus(run.corpus), emptyDocuments: 0, malformedLines: 0)
        try catalogue.complete(catalogue.run(of: LabelWorld.name), RunSummary(), at: LabelWorld.time)
        return try Catalogue(path: path, for: .writing)
    }

    /// Whether the feature fires in a window, by the world's own account.
    public func fires(_ feature: Int, in range: Range<Int>) -> Bool { range.contains { position in firings[position].contains { $0.feature == feature } } }
}

/// Answers by a closure, and counts.
public final class ClosureEndpoint: ChatEndpoint {
    public let location = "http://127.0.0.1/closure"
    private let respond: @Sendable (_ messages: [(role: String, content: String)], _ number: Int) throws -> String
    private let counts = Mutex((calls: 0, answered: 0, prompt: 0, completion: 0))

    public init(_ respond: @escaping @Sendable ([(role: String, content: String)], Int) throws -> String) { self.respond = respond }

    public var counted: (calls: Int, answered: Int, prompt: Int, completion: Int) { counts.withLock { $0 } }

    public func answer(to request: ChatRequest, stop: @Sendable () -> Bool) throws -> ChatAnswer {
        let number = counts.withLock { counts in
            counts.calls += 1
            return counts.calls - 1
        }
        let content = try respond(request.messages.map { ($0.role.rawValue, $0.content) }, number)
        // The rule of the ledger, put again: a quarter of the bytes, 4 for each message and 3 at the end.
        let prompt = request.messages.reduce(3) { $0 + 4 + ($1.content.utf8.count + 3) / 4 }, completion = (content.utf8.count + 3) / 4
        counts.withLock { counts in
            counts.answered += 1
            counts.prompt += prompt
            counts.completion += completion
        }
        return ChatAnswer(content: content, promptTokens: prompt, completionTokens: completion)
    }
}
