public import FeatureCatalogue
import Glibc
import Numerics

/// World T: documents on topics, and features of which some are planted on a topic and half come in bursts, firings straight in a catalogue.
///
/// 8 topics, 2,000 documents of 80 to 400 tokens; 400 features whose densities are spread evenly over 10^[−4.5, −1.7] by their
/// logarithm. 120 fire ×2 to ×50 as densely on one topic. Of half of all, in each document the density is multiplied by a gamma variate of
/// shape 0.1 and mean 1: they are silent in most documents and fill a few.
public struct TopicWorld {
    public let topics = 8, features = 400
    public private(set) var lengths: [Int] = []
    /// Of each document.
    public private(set) var topicOf: [Int] = []
    /// Of each feature: the topic it is planted on, how many times as dense it is there (1 elsewhere), and whether it comes in bursts.
    public private(set) var planted: [Int?]
    public private(set) var factors: [Double]
    public private(set) var isBursty: [Bool]
    /// By feature: how often it fires on each topic.
    public private(set) var firings: [[Int]]
    private var planting: [(position: UInt32, feature: UInt32)] = []

    public init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        lengths = (0..<2_000).map { _ in 80 + random.index(below: 321) }
        topicOf = (0..<2_000).map { _ in random.index(below: 8) }
        let order = (0..<features).shuffled(using: &random), bursty = Set((0..<features).shuffled(using: &random).prefix(200))
        planted = .init(repeating: nil, count: features)
        factors = .init(repeating: 1, count: features)
        isBursty = (0..<features).map(bursty.contains)
        firings = .init(repeating: .init(repeating: 0, count: topics), count: features)
        for feature in order.prefix(120) {
            planted[feature] = random.index(below: topics)
            factors[feature] = 2 * pow(25, random.uniform())
        }
        let densities = (0..<features).map { _ in pow(10, -4.5 + 2.8 * random.uniform()) }
        var start = 0
        for (document, length) in lengths.enumerated() {
            for feature in 0..<features {
                var rate = planted[feature] == topicOf[document] ? min(0.5, densities[feature] * factors[feature]) : densities[feature]
                if isBursty[feature] { rate = min(1, rate * random.gamma(shape: 0.1) / 0.1) }
                // Gaps between firings that come with this chance at each token.
                var position = random.gap(rate)
                while position < length {
                    planting.append((UInt32(start + position), UInt32(feature)))
                    firings[feature][topicOf[document]] += 1
                    position += 1 + random.gap(rate)
                }
            }
            start += length
        }
        planting.sort { ($0.position, $0.feature) < ($1.position, $1.feature) }
    }

    /// Writes it as the complete run of `A/0`, in one segment.
    public func write(to catalogue: Catalogue) throws -> Run {
        let tokens = lengths.reduce(0, +), decoder = Matrix(rows: features, columns: 1)
        for feature in 0..<features { decoder[feature, 0] = 1 }
        let run = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: 2) { [UInt8($0)] }
            let model = try catalogue.register(ModelDescription(name: "m", architecture: "a", layers: 1, width: 1, mlpWidth: 1, vocabulary: 2, contextLength: 1, weightsSHA256: ""), tokenizer: tokenizer)
            let corpus = try catalogue.register(CorpusDescription(name: "c", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
            let dictionary = try catalogue.register(
                DictionaryDescription(name: DictionaryName(parsing: "A/0"), hook: "blocks.0.hook_resid_post", architecture: "standard", settings: "{}", weightsSHA256: ""), model: model, decoder: decoder,
                norms: [Float](repeating: 1, count: features), scales: [Float](repeating: 1, count: features), encoderDecoderCosines: [Float](repeating: 1, count: features))
            return try catalogue.register(RunRules(contextLength: 512, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: "test", at: "")
        }
        let writer = try SegmentWriter(catalogue, corpus: catalogue.corpus(run.corpus), runs: [run])
        var layout = SegmentLayout(ordinal: 0, firstPosition: 0)
        layout.tokens = (0..<tokens).map { Int32($0 % 2) }
        var start = 0
        for (document, length) in lengths.enumerated() {
            layout.parts.append(.init(ordinal: document, documentFirstPosition: start, tokens: length, topic: "topic \(topicOf[document])", source: "t", line: document + 1))
            start += length
        }
        var offsets = [0], place = 0
        for position in 0..<UInt32(tokens) {
            while place < planting.count, planting[place].position == position { place += 1 }
            offsets.append(place)
        }
        let block = FiringBlock(offsets: offsets, features: planting.map(\.feature), values: planting.map { Float(1 + $0.position % 7) }, positionOfRow: (0..<UInt32(tokens)).map { $0 })
        try writer.commit(layout, [(run, SegmentIndex([block], of: layout, features: features, lastPosition: writer.lastPositions(of: run), keepTop: nil))], at: "")
        try catalogue.complete(catalogue.corpus(run.corpus), emptyDocuments: 0, malformedLines: 0)
        try catalogue.complete(catalogue.run(of: run.dictionary.name), RunSummary(), at: "")
        return try catalogue.run(of: run.dictionary.name)
    }
}

extension SeededGenerator {
    /// A gamma variate of scale 1 (Marsaglia & Tsang 2000; for a shape below 1, one of shape + 1 times a power of a uniform one).
    fileprivate mutating func gamma(shape: Double) -> Double {
        if shape < 1 { return gamma(shape: shape + 1) * pow(1 - uniform(), 1 / shape) }
        let d = shape - 1 / 3.0, c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal(), v = pow(1 + c * x, 3)
            if v > 0, log(1 - uniform()) < x * x / 2 + d - d * v + d * log(v) { return d * v }
        }
    }

    /// How many tokens go by before one that fires, where each does with this chance.
    fileprivate mutating func gap(_ chance: Double) -> Int {
        if chance >= 1 { return 0 }
        let gap = log(1 - uniform()) / log1p(-chance)
        return gap < 1e6 ? Int(gap) : 1_000_000
    }
}
