import FeatureCatalogue
import Formats
import Foundation
@testable import Ingestion
import Testing
import TestSupport

/// Our ingest of forty documents against transformers, safetensors and numpy on the same: see Fixtures/README.md.
@Suite struct GoldenStatisticsTests {
    private struct Golden {
        let json: JSON
        let tensors: SafetensorsFile

        init(_ dictionary: String) throws {
            json = try JSON(parsing: String(contentsOfFile: fixture("goldens/statistics/statistics.json"), encoding: .utf8))
            tensors = try SafetensorsFile(fixture("goldens/statistics/\(dictionary).safetensors"))
        }

        var documents: [Int] { json["documents"]!.array!.map { $0.integer! } }
        func integers(_ name: String) throws -> [Int] { try tensors[name]!.integers().map { Int($0) } }
        func floats(_ name: String) throws -> [Double] { try tensors[name]!.floats().map(Double.init) }
        func facts(_ dictionary: String) throws -> JSON { try #require(json["dictionaries"]?[dictionary.replacingOccurrences(of: "-", with: "/")]) }
    }

    private func ingest(_ dictionary: String, _ golden: Golden, _ folder: URL) throws -> (Catalogue, Run) {
        let lines = try String(contentsOfFile: fixture("corpus.jsonl"), encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        let corpus = folder.appending(path: "chosen.jsonl")
        try Data(golden.documents.map { lines[$0] + "\n" }.joined().utf8).write(to: corpus)
        let name = try DictionaryName(parsing: dictionary.replacingOccurrences(of: "-", with: "/")), path = folder.appending(path: "catalogue.sqlite").path
        var request = IngestionRequest(modelFolder: fixture("model-A"), autoencoders: [(fixture("sae-\(dictionary)"), name)], corpus: CorpusOptions(paths: [corpus.path]), catalogue: path)
        request.threads = 2
        // Several segments, and losses over every token, as the goldens have them.
        _ = try Ingestion(request, sizes: IngestionSizes(segmentTokens: 8_192, evaluationTokens: 1 << 30, neuronTokens: 2_048)).run()
        let catalogue = try Catalogue(path: path, for: .reading)
        return (catalogue, try catalogue.run(of: name))
    }

    @Test(arguments: ["A-0", "A-1"]) func `statistics are those of the reference implementations`(dictionary: String) throws {
        try withTemporaryFolder { folder in
            let golden = try Golden(dictionary), facts = try golden.facts(dictionary), (catalogue, run) = try ingest(dictionary, golden, folder)
            let ours = try catalogue.statistics(of: run)
            #expect(run.tokens == golden.json["tokens"]?.integer)

            // A float32 engine and another disagree on about one in a million decisions at the threshold.
            let firings = try golden.integers("firings"), documents = try golden.integers("documents")
            try #require(ours.count == firings.count)
            let decisions = Double(run.tokens) * Double(ours.count)
            let disputed = zip(ours, firings).reduce(0) { $0 + abs($1.0.firings - $1.1) }
            #expect(Double(disputed) <= 1e-6 * decisions, "\(disputed) of \(decisions) decisions")
            #expect(Double(zip(ours, documents).reduce(0) { $0 + abs($1.0.documents - $1.1) }) <= 1e-6 * decisions)

            let sums = try golden.floats("sum"), squares = try golden.floats("sum_of_squares"), maxima = try golden.floats("maximum")
            for (feature, statistics) in ours.enumerated() {
                #expect(abs(statistics.sum - sums[feature]) <= 1e-4 * sums[feature] + 1e-3, "sum of feature \(feature)")
                #expect(abs(statistics.sumOfSquares - squares[feature]) <= 2e-4 * squares[feature] + 1e-3, "sum of squares of feature \(feature)")
                #expect(abs(Double(statistics.maximum) - maxima[feature]) <= 1e-4 * maxima[feature] + 1e-4, "maximum of feature \(feature)")
            }

            let chosen = try #require(facts["chosen_features"]?.array).map { $0.integer! }
            for (topic, counts) in try #require(facts["firings_by_topic"]?.object).members {
                let id = try catalogue.topic(named: topic, of: run.corpus).id
                for (feature, count) in zip(chosen, counts.array!) {
                    let mine = try catalogue.connection.integer("SELECT firings FROM feature_topic WHERE run_id = ? AND topic_id = ? AND feature_id = ?",
                                                                .init(run.id), .init(id), .init(run.dictionary.featureID(feature))) ?? 0
                    #expect(abs(mine - count.integer!) <= 1, "feature \(feature) on \(topic)")
                }
            }
        }
    }

    @Test(arguments: ["A-0", "A-1"]) func `sparsity, variance, losses and logits are those of the reference implementations`(dictionary: String) throws {
        try withTemporaryFolder { folder in
            let golden = try Golden(dictionary), facts = try golden.facts(dictionary), (catalogue, run) = try ingest(dictionary, golden, folder)
            let found = try #require(try catalogue.connection.first("""
                SELECT l0, explained_variance, loss_original, loss_spliced, loss_zero_ablated, loss_mean_ablated, tokens FROM evaluation WHERE run_id = ?
                """, .init(run.id)) { row in (0..<7).map { row.real($0) } })
            let names = ["l0", "explained_variance"], losses = ["original", "spliced", "zero", "mean"]
            let expected = names.map { facts[$0]!.number! } + losses.map { facts["loss"]![$0]!.number! } + [Double(run.tokens)]
            for (name, (mine, reference)) in zip(names + losses + ["tokens"], zip(found, expected)) {
                #expect(abs(mine - reference) <= 1e-4 * max(1, abs(reference)), "\(name): \(mine), reference \(reference)")
            }
            for sample in try #require(facts["logit_weights"]?.array) {
                let feature = sample["feature"]!.integer!
                for (side, sign) in [("top", 1), ("bottom", -1)] {
                    let mine = try catalogue.connection.rows("SELECT token, value FROM feature_logit WHERE feature_id = ? AND rank * ? > 0 ORDER BY abs(rank)",
                                                             .init(run.dictionary.featureID(feature)), .init(sign)) { ($0.integer(0), $0.real(1)) }
                    let reference = sample[side]!.array!.map { ($0["id"]!.integer!, $0["weight"]!.number!) }
                    try #require(mine.count == reference.count && !mine.isEmpty)
                    // Of an even count, numpy's median lies between the middle two and ours on the lower: all values shift alike.
                    let shift = mine[0].1 - reference[0].1
                    #expect(abs(shift) <= 1e-4)
                    for (rank, ((token, value), (id, weight))) in zip(mine, reference).enumerated() {
                        #expect(abs(value - weight - shift) <= 2e-6 * max(1, abs(weight)), "feature \(feature), \(side) \(rank + 1)")
                        // Two that are nearly equal may change places.
                        #expect(token == id || reference.contains { $0.0 == token && abs($0.1 - weight) <= 2e-5 } || rank == 9, "feature \(feature), \(side) \(rank + 1)")
                    }
                }
            }
        }
    }
}
