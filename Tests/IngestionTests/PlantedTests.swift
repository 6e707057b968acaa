import FeatureCatalogue
import Foundation
@testable import Ingestion
import IngestionSupport
import Testing
import TestSupport

/// A model whose activations can be read off the text, and a dictionary whose firings follow: the truth is counted here
/// letter by letter, without model or autoencoder.
///
/// hook_resid_pre holds the token's embedding plus its position's. Letters a … f stand on axes 0 … 5 with the values
/// 2 … 7, `<|endoftext|>` on axis 6 with 5, and axis 7 counts the context's positions from 1. Feature i reads axis i
/// less 1 (axis 7: less a half) and has a decoder row of length 2; feature 8 never fires;
/// feature 9 always fires, writes nothing, and so keeps its activation as it is.
struct Planted {
    static let contextLength = 8, features = 10
    var topic: String
    var text: String

    static func write(to folder: URL) throws {
        let width = 10
        var model = TinyModel(width: width, mlpWidth: 4, contextLength: contextLength)
        for letter in 0..<6 { model["wte.weight"].values[(97 + letter) * width + letter] = Float(2 + letter) }
        model["wte.weight"].values[TinyModel.endOfText * width + 6] = 5
        for position in 0..<contextLength { model["wpe.weight"].values[position * width + 7] = Float(position + 1) }
        try model.write(to: folder.appending(path: "model"))
        var dictionary = TinyDictionary(width: width, features: features, hook: "blocks.0.hook_resid_pre")
        dictionary.contextSize = contextLength
        for feature in 0..<8 {
            dictionary.encoder[feature * features + feature] = 1
            dictionary.encoderBias[feature] = feature == 7 ? -0.5 : -1
            dictionary.decoder[feature * width + feature] = 2
        }
        dictionary.encoderBias[8] = -1
        dictionary.encoderBias[9] = 1
        dictionary.decoder[8 * width] = 1
        try dictionary.write(to: folder.appending(path: "dictionary"))
    }

    /// The activation of `feature` on a token (a byte, or 256) at a place in its context.
    static func activation(_ feature: Int, token: Int, place: Int) -> Float {
        switch feature {
        case 0..<6: token == 97 + feature ? 2 * Float(1 + feature) : 0
        case 6: token == TinyModel.endOfText ? 8 : 0
        case 7: 2 * (Float(place + 1) - 0.5)
        case 9: 1
        default: 0
        }
    }
}

/// What a run over some documents must have counted for one feature.
private struct Truth: Equatable {
    var positions: [Int] = []
    var values: [Float] = []
    var documents = 0
    var byTopic: [String: [Double]] = [:]

    init(_ feature: Int, _ documents: [Planted], contextTokens: Int, bos: Bool, limit: Int = .max) {
        var position = 0
        for document in documents {
            var tokens: [Int] = []
            for (part, piece) in document.text.components(separatedBy: "<|endoftext|>").enumerated() { tokens += (part > 0 ? [TinyModel.endOfText] : []) + piece.utf8.map(Int.init) }
            var fired = false
            for (place, token) in tokens.enumerated() where position < limit {
                let value = Planted.activation(feature, token: token, place: place % contextTokens + (bos ? 1 : 0))
                if value > 0 {
                    positions.append(position)
                    values.append(value)
                    let before = byTopic[document.topic] ?? [0, 0, 0, 0]
                    byTopic[document.topic] = [before[0] + 1, before[1] + (fired ? 0 : 1), before[2] + Double(value), max(before[3], Double(value))]
                    if !fired { self.documents += 1 }
                    fired = true
                }
                position += 1
            }
        }
    }

    init(_ catalogue: Catalogue, _ run: Run, _ feature: Int) throws {
        let list = try catalogue.firings(of: feature, in: run)
        (positions, values) = (list.positions, list.values)
        documents = try catalogue.statistics(of: feature, in: run).documents
        let rows = try catalogue.connection.rows("""
            SELECT topic.name, firings, feature_topic.documents, sum, maximum FROM feature_topic JOIN topic ON topic.id = topic_id WHERE run_id = ? AND feature_id = ?
            """, .init(run.id), .init(run.dictionary.featureID(feature))) { ($0.text(0), [$0.real(1), $0.real(2), $0.real(3), $0.real(4)]) }
        byTopic = Dictionary(uniqueKeysWithValues: rows)
    }
}

@Suite struct PlantedTests {
    private static let documents = [
        Planted(topic: "X", text: "aabx"), Planted(topic: "Y", text: "bcbcbcbcbcbcbcbcbcbdbdbd"), Planted(topic: "X", text: ""), Planted(topic: "Z", text: "fa<|endoftext|>efgh, abc def"),
        Planted(topic: "X", text: "a"), Planted(topic: "X", text: "abcdefab"), Planted(topic: "Y", text: "abcdefabc"),
    ]

    private func ingest(_ folder: URL, segmentTokens: Int = 65_536, change: (inout IngestionRequest) -> Void = { _ in }) throws -> (IngestionSummary, Catalogue, Run) {
        let path = { (name: String) in folder.appending(path: name).path }
        try Planted.write(to: folder)
        let lines = Self.documents.map { "{\"text\": \"\($0.text)\", \"meta\": {\"pile_set_name\": \"\($0.topic)\"}}\n" }.joined()
        try Data(lines.utf8).write(to: folder.appending(path: "corpus.jsonl"))
        let name = try DictionaryName(parsing: "P/0"), catalogue = path("\(UUID().uuidString).sqlite")
        var request = IngestionRequest(modelFolder: path("model"), autoencoders: [(path("dictionary"), name)], corpus: CorpusOptions(paths: [path("corpus.jsonl")]), catalogue: catalogue)
        change(&request)
        let summary = try Ingestion(request, sizes: IngestionSizes(segmentTokens: segmentTokens)).run()
        let opened = try Catalogue(path: catalogue, for: .reading)
        return (summary, opened, try opened.run(of: name))
    }

    @Test(arguments: [1, 5, 16, 65_536]) func `every planted firing is found and counted, and nothing else`(segmentTokens: Int) throws {
        try withTemporaryFolder { folder in
            let (summary, catalogue, run) = try ingest(folder, segmentTokens: segmentTokens)
            var firings = 0
            for feature in 0..<Planted.features {
                let truth = Truth(feature, Self.documents, contextTokens: 8, bos: false)
                #expect(try Truth(catalogue, run, feature) == truth, "feature \(feature)")
                let statistics = try catalogue.statistics(of: feature, in: run)
                #expect(statistics.firings == truth.positions.count)
                #expect(statistics.sum == truth.values.reduce(0) { $0 + Double($1) })
                #expect(statistics.sumOfSquares == truth.values.reduce(0) { $0 + Double($1) * Double($1) })
                #expect(statistics.maximum == truth.values.max() ?? 0)
                #expect(statistics.maximumPosition == truth.values.max().map { truth.positions[truth.values.firstIndex(of: $0)!] })
                #expect(statistics.lastPosition == truth.positions.last)
                #expect(statistics.histogram == ActivationHistogram(of: truth.values))
                firings += truth.positions.count
            }
            let tokens = 4 + 24 + 16 + 1 + 8 + 9
            #expect(summary.tokens == tokens && summary.documents == 6 && summary.emptyDocuments == 1 && summary.malformedLines == 0 && summary.firings == firings)
            #expect(try catalogue.connection.rows("SELECT l0, tokens FROM evaluation") { [$0.real(0), $0.real(1)] } == [[Double(firings) / Double(tokens), Double(tokens)]])
            #expect(try catalogue.topics(of: run.corpus).map { [$0.name, "\($0.documents)", "\($0.tokens)"] } == [["X", "3", "13"], ["Y", "2", "33"], ["Z", "1", "16"]])
            #expect(try catalogue.documentTable(of: run.corpus).starts == [0, 4, 28, 44, 45, 53])
            #expect(try catalogue.document(at: 30, of: run.corpus)?.line == 4)
            #expect(try complaints(about: catalogue.path) == [])
        }
    }

    @Test func `feature norms and logits follow from the planted decoder`() throws {
        try withTemporaryFolder { folder in
            let (_, catalogue, _) = try ingest(folder)
            #expect(try catalogue.connection.rows("SELECT decoder_norm FROM feature ORDER BY id") { $0.real(0) } == [2, 2, 2, 2, 2, 2, 2, 2, 1, 0])
            // A step along axis i of ten, centred, times the embedding: the letter on that axis gains most, by 9/10 of its value.
            for feature in 0..<6 {
                let (token, value) = try #require(try catalogue.connection.first("SELECT token, value FROM feature_logit WHERE rank = 1 AND feature_id & 4294967295 = ?", .init(feature)) { ($0.integer(0), $0.real(1)) })
                #expect(token == 97 + feature)
                #expect(abs(value - 0.9 * Double(2 + feature)) < 1e-5)
            }
            #expect(try catalogue.connection.integer("SELECT count(*) FROM feature_logit WHERE feature_id & 4294967295 = 9") == 0)
        }
    }

    @Test(arguments: [5, 65_536]) func `a BOS token begins each context, has no position, and its own firings are left out`(segmentTokens: Int) throws {
        try withTemporaryFolder { folder in
            let (summary, catalogue, run) = try ingest(folder, segmentTokens: segmentTokens) { $0.prependsBOS = true }
            for feature in 0..<Planted.features {
                #expect(try Truth(catalogue, run, feature) == Truth(feature, Self.documents, contextTokens: 7, bos: true), "feature \(feature)")
            }
            #expect(summary.tokens == 62)
            #expect(try catalogue.statistics(of: 6, in: run).firings == 1) // the one that stands in the text
        }
    }

    @Test(arguments: [3, 8, 12, 28, 61, 62, 1000]) func `a limit stops the tokens there, within a document if need be`(limit: Int) throws {
        try withTemporaryFolder { folder in
            let (summary, catalogue, run) = try ingest(folder, segmentTokens: 16) { $0.corpus.tokenLimit = limit }
            for feature in 0..<Planted.features {
                #expect(try Truth(catalogue, run, feature) == Truth(feature, Self.documents, contextTokens: 8, bos: false, limit: limit), "feature \(feature)")
            }
            #expect(summary.tokens == min(62, limit))
            #expect(try catalogue.tokens(of: run.corpus, at: 0..<2000).count == min(62, limit))
            #expect(try complaints(about: catalogue.path) == [])
        }
    }

    @Test(arguments: [2, 3, 8]) func `a shorter context is cut sooner`(context: Int) throws {
        try withTemporaryFolder { folder in
            let (_, catalogue, run) = try ingest(folder, segmentTokens: 5) { $0.contextLength = context }
            #expect(try Truth(catalogue, run, 7) == Truth(7, Self.documents, contextTokens: context, bos: false))
        }
    }

    @Test(arguments: [1, 2, 4, 100], [5, 65_536]) func `only the strongest firings are kept, and all are counted`(keep: Int, segmentTokens: Int) throws {
        try withTemporaryFolder { folder in
            let (summary, catalogue, run) = try ingest(folder, segmentTokens: segmentTokens) { $0.keepTop = keep }
            for feature in 0..<Planted.features {
                let truth = Truth(feature, Self.documents, contextTokens: 8, bos: false)
                // The strongest, ties to the earlier, in order of position.
                let kept = truth.values.indices.sorted { (-truth.values[$0], $0) < (-truth.values[$1], $1) }.prefix(keep).sorted()
                let list = try catalogue.firings(of: feature, in: run)
                #expect(list.positions == kept.map { truth.positions[$0] } && list.values == kept.map { truth.values[$0] }, "feature \(feature)")
                let statistics = try catalogue.statistics(of: feature, in: run)
                #expect(statistics.firings == truth.positions.count && statistics.documents == truth.documents)
                #expect(try Truth(catalogue, run, feature).byTopic == truth.byTopic)
            }
            #expect(summary.firings == run.firings)
        }
    }
}
