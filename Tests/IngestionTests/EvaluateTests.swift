import Diagnostics
import FeatureCatalogue
import Formats
import Foundation
@testable import Ingestion
import IngestionSupport
import Numerics
import Testing
import TestSupport

@Suite struct EvaluateTests {
    @Test func `sparsity, reconstruction and losses are those of the reference implementations`() throws {
        try withTemporaryFolder { folder in
            let golden = try JSON(parsing: String(contentsOfFile: fixture("goldens/statistics/statistics.json"), encoding: .utf8))
            let lines = try String(contentsOfFile: fixture("corpus.jsonl"), encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            let corpus = folder.appending(path: "chosen.jsonl").path
            try golden["documents"]!.array!.map { lines[$0.integer!] + "\n" }.joined().write(toFile: corpus, atomically: true, encoding: .utf8)
            var request = EvaluationRequest(modelFolder: fixture("model-A"), autoencoders: [fixture("sae-A-0"), fixture("sae-A-1")], corpus: CorpusOptions(paths: [corpus]))
            (request.lossTokens, request.threads) = (.max, 2)
            let reports = try evaluate(request)
            try #require(reports.count == 2)
            for (report, name) in zip(reports, ["A/0", "A/1"]) {
                let facts = try #require(golden["dictionaries"]?[name])
                #expect(report.tokens == golden["tokens"]?.integer && report.losses.tokens == report.tokens && report.losses.predictions == golden["predictions"]?.integer)
                for (what, ours, reference) in [
                    ("L0", report.reconstruction.l0, facts["l0"]), ("explained variance", report.reconstruction.explainedVariance, facts["explained_variance"]),
                    ("original", report.losses.original, facts["loss"]?["original"]), ("spliced", report.losses.spliced, facts["loss"]?["spliced"]),
                    ("zero", report.losses.zeroAblated, facts["loss"]?["zero"]), ("mean", report.losses.meanAblated, facts["loss"]?["mean"]),
                    ("recovered", report.losses.recovered, facts["loss_recovered_zero"]), ("recovered from the mean", report.losses.recoveredFromMean, facts["loss_recovered_mean"]),
                ] {
                    let ours = try #require(ours), reference = try #require(reference?.number)
                    #expect(abs(ours - reference) <= 1e-4 * max(1, abs(reference)), "\(what) of \(name): \(ours), reference \(reference)")
                }
                // A float32 engine and another disagree on about one in a million decisions at the threshold.
                let firings = try SafetensorsFile(fixture("goldens/statistics/\(name.replacing("/", with: "-")).safetensors"))["firings"]!.integers().map { Int($0) }
                #expect(Double(zip(report.densities.firings, firings).reduce(0) { $0 + abs($1.0 - $1.1) }) <= 1e-6 * Double(report.tokens * report.features))
                #expect(report.densities.count(.dead) == facts["dead"]?.integer)
            }
        }
    }

    /// Letters whose activations are known (see `Planted`), under autoencoders whose reconstructions are.
    @Test(arguments: [Reconstructing.planted, .nothing, .everything, .mean], [false, true])
    fileprivate func `every number follows by arithmetic from activations and autoencoders that are known`(reconstructing: Reconstructing, bos: Bool) throws {
        try withTemporaryFolder { folder in
            // The model, which has learnt nothing, expects what it sees to go on.
            let texts = ["aaabbbcc", "fffffeeeeeddd", "a", "cc"], truth = PlantedTruth(texts, bos: bos, reconstructing)
            try Planted.write(to: folder)
            try reconstructing.write(to: folder, mean: truth.mean)
            try texts.map { "{\"text\": \"\($0)\"}\n" }.joined().write(to: folder.appending(path: "corpus.jsonl"), atomically: true, encoding: .utf8)
            var request = EvaluationRequest(modelFolder: folder.path + "/model", autoencoders: [folder.path + "/dictionary"], corpus: CorpusOptions(paths: [folder.path + "/corpus.jsonl"]))
            request.prependsBOS = bos
            let report = try #require(try evaluate(request).first)
            #expect(report.tokens == 24 && report.documents == 4 && report.contexts == truth.contexts && report.losses.predictions == truth.predictions)
            #expect(abs(report.reconstruction.l0 - truth.l0) < 1e-12)
            #expect(abs(report.reconstruction.meanSquaredError - truth.error / 24) < 1e-4)
            #expect(abs(report.reconstruction.normalizedMeanSquaredError! - truth.error / truth.squares) < 1e-6)
            #expect(abs(report.reconstruction.explainedVariance! - (1 - truth.error / truth.spread)) < 1e-6)
            #expect(abs(report.losses.original - truth.losses.original) < 1e-5)
            #expect(abs(report.losses.spliced - truth.losses.spliced) < 1e-5)
            #expect(abs(report.losses.zeroAblated - truth.losses.zero) < 1e-5)
            #expect(abs(report.losses.meanAblated - truth.losses.mean) < 1e-5)
            switch reconstructing {
            case .planted: #expect(report.densities.firings[8...] == [0, 24] && report.densities.count(.dead) == 2)
            case .nothing:
                #expect(report.reconstruction.normalizedMeanSquaredError == 1 && report.losses.spliced == report.losses.zeroAblated && report.losses.recovered == 0)
                #expect(report.densities.count(.dead) == report.features)
            case .everything: #expect(report.reconstruction.explainedVariance == 1 && abs(report.losses.recovered! - 1) < 1e-6 && abs(report.losses.recoveredFromMean! - 1) < 1e-6)
            case .mean: #expect(abs(report.reconstruction.explainedVariance!) < 1e-6 && abs(report.losses.spliced - report.losses.meanAblated) < 1e-6 && abs(report.losses.recoveredFromMean!) < 1e-6)
            }
        }
    }

    @Test func `the number of threads, and who else is evaluated, change nothing`() throws {
        try TinyIngest.with { tiny in
            func reports(_ names: [String], threads: Int, lossTokens: Int = .max) throws -> [EvaluationReport] {
                var request = EvaluationRequest(modelFolder: tiny.path("model"), autoencoders: names.map(tiny.path), corpus: CorpusOptions(paths: [tiny.path("corpus.jsonl")]))
                (request.lossTokens, request.threads) = (lossTokens, threads)
                return try evaluate(request)
            }
            let both = try reports(["small", "large"], threads: 1)
            #expect(both[0].losses.tokens > 8_000 && both[0].losses.tokens <= both[0].tokens)
            let fewer = try reports(["small"], threads: 2, lossTokens: 3_000)[0]
            #expect(fewer.losses.tokens > 2_500 && fewer.losses.tokens <= 3_000 && fewer.reconstruction == both[0].reconstruction && fewer.densities == both[0].densities)
            for threads in [2, 3] { #expect(try reports(["small", "large"], threads: threads) == both) }
            #expect(try reports(["small"], threads: 2) + reports(["large"], threads: 2) == both)
        }
    }

    @Test func `what is said of features is what the catalogue says of them`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(into: "catalogue.sqlite")
            let request = EvaluationRequest(modelFolder: tiny.path("model"), autoencoders: [tiny.path("small")], corpus: CorpusOptions(paths: [tiny.path("corpus.jsonl")]))
            let report = try #require(try evaluate(request).first)
            let catalogue = try Catalogue(path: tiny.path("catalogue.sqlite"), for: .reading)
            let rows = try catalogue.connection.rows("SELECT status, firings, tokens FROM feature_overview ORDER BY feature_index") { ($0.text(0), $0.integer(1), $0.integer(2)) }
            #expect(report.densities == Densities(firings: rows.map(\.1), tokens: rows[0].2))
            for status in FeatureStatus.allCases { #expect(report.densities.count(status) == rows.count { $0.0 == status.rawValue }, "\(status)") }
            let cosines = try catalogue.connection.rows("SELECT decoder_norm, encoder_decoder_cosine FROM feature") { (Float($0.real(0)), Float($0.real(1))) }
            #expect(report.decoderNorms == Distribution(cosines.map(\.0)) && report.encoderDecoderCosines == Distribution(cosines.map(\.1)))
        }
    }

    @Test(arguments: [
        (tokens: 100_000_000, dead: 1, insufficient: 0, ultralow: 4, dense: 1, bound: 3e-8),
        (tokens: 99_999_999, dead: 1, insufficient: 2, ultralow: nil, dense: 1, bound: 3 / 99_999_999), (tokens: 0, dead: 0, insufficient: 7, ultralow: nil, dense: 0, bound: 1),
    ])
    func `a density below a millionth is told from a hundred million tokens on`(tokens: Int, dead: Int, insufficient: Int, ultralow: Int?, dense: Int, bound: Double) {
        let densities = Densities(firings: [0, 1, 9, 10, 99, 100, 20_000_000], tokens: tokens)
        #expect(densities.count(.dead) == dead && densities.count(.insufficient) == insufficient && densities.ultralow == ultralow && densities.count(.dense) == dense)
        #expect(densities.deadBound == bound)
    }

    @Test func `densities are counted in tenths of their logarithm, the dead left out`() {
        let (first, counts) = Densities(firings: [0, 1, 10, 10, 12, 13, 1000], tokens: 1000).histogram
        // 10⁻³; twice 10⁻² and 0.012, of which the logarithm is −1.92; 0.013, of which it is −1.89; 1.
        #expect(first == -30 && counts.count == 30)
        #expect(counts.indices.filter { counts[$0] > 0 }.map { [$0, counts[$0]] } == [[0, 1], [10, 3], [11, 1], [29, 1]])
        #expect(Densities(firings: [0, 0], tokens: 5).histogram.counts == [])
    }

    @Test(arguments: [
        ([4, 1, 3, 2], [1, 1.75, 2.5, 3.25, 4, 2.5]), ([7], [7, 7, 7, 7, 7, 7]), ([1, 2, 10, 20, 100], [1, 2, 10, 20, 100, 26.6]),
    ] as [([Float], [Double])])
    func `quartiles are numpy's`(values: [Float], expected: [Double]) {
        let d = Distribution(values)
        for (ours, reference) in zip([d.minimum, d.lowerQuartile, d.median, d.upperQuartile, d.maximum, d.mean], expected) { #expect(abs(ours - reference) < 1e-12) }
    }

    @Test(arguments: [
        // Of every second, then every fourth context 25 are kept, and ten of these chosen.
        (contexts: 100, length: 10, tokens: 100, chosen: [0, 8, 20, 28, 40, 48, 60, 68, 80, 88]),
        (contexts: 5, length: 10, tokens: 50, chosen: [0, 1, 2, 3, 4]), (contexts: 5, length: 10, tokens: 49, chosen: [0, 1, 2, 3]),
        (contexts: 9, length: 10, tokens: 3, chosen: [0]), (contexts: 0, length: 1, tokens: 3, chosen: []),
    ])
    func `losses are measured on evenly spaced contexts, and on one at least`(contexts: Int, length: Int, tokens: Int, chosen: [Int32]) {
        var sample = SpacedContexts(tokensMaximum: tokens)
        for context in 0..<contexts { sample.add([Int32](repeating: Int32(context), count: length)) }
        #expect(sample.chosen().map { $0[0] } == chosen)
    }

    @Test func `spread far from zero is kept, however the activations are cut`() {
        // A million and a million and one, a thousand times each, beside an axis of zeros.
        let x = Matrix(rows: 2000, columns: 2, (0..<2000).flatMap { [1_000_000 + Float($0 % 2), 0] })
        for cut in [1, 7, 1000, 2000] {
            var moments = ActivationMoments(width: 2)
            for start in stride(from: 0, to: 2000, by: cut) { moments.add(ActivationMoments(x, rows: Array(start..<min(2000, start + cut)))) }
            #expect(moments.count == 2000 && moments.hasSpread)
            #expect(abs(moments.mean[0] - 1_000_000.5) < 1e-6 && moments.mean[1] == 0)
            #expect(abs(moments.spread - 500) < 1e-3)
        }
        let equal = Matrix(rows: 3, columns: 1, [0.1, 0.1, 0.1])
        #expect(!ActivationMoments(equal, rows: [0, 1, 2]).hasSpread)
    }

    @Test(arguments: [
        (texts: ["a", "b"], context: nil, autoencoders: 1, says: "no document of the corpus \"corpus.jsonl\" has two tokens, so there is no loss to measure"),
        (texts: ["abc"], context: 1, autoencoders: 1, says: "contexts of one token predict nothing, so there is no loss to measure"),
        (texts: [""], context: nil, autoencoders: 1, says: "the corpus \"corpus.jsonl\" holds no text"), (texts: ["abc"], context: nil, autoencoders: 0, says: "no autoencoder was given"),
    ])
    func `what cannot be measured is an error`(texts: [String], context: Int?, autoencoders: Int, says message: String) throws {
        try withTemporaryFolder { folder in
            try Planted.write(to: folder)
            try texts.map { "{\"text\": \"\($0)\"}\n" }.joined().write(to: folder.appending(path: "corpus.jsonl"), atomically: true, encoding: .utf8)
            var request = EvaluationRequest(modelFolder: folder.path + "/model", autoencoders: [String](repeating: folder.path + "/dictionary", count: autoencoders), corpus: CorpusOptions(paths: [folder.path + "/corpus.jsonl"]))
            request.contextLength = context
            let error = #expect(throws: MonosemeError.self) { try evaluate(request) }
            #expect(error?.message == message)
        }
    }
}

/// An autoencoder of the planted activations.
private enum Reconstructing: Sendable {
    /// That of `Planted`, which has every axis less an offset, doubled.
    case planted
    /// Nothing fires, and b_dec is 0.
    case nothing
    /// Two features an axis, one for each sign.
    case everything
    /// Nothing fires, and b_dec is the mean.
    case mean

    func write(to folder: URL, mean: [Double]) throws {
        let width = 10
        var dictionary: TinyDictionary
        switch self {
        case .planted: return
        case .nothing, .mean:
            dictionary = TinyDictionary(width: width, features: 3, hook: "blocks.0.hook_resid_pre")
            (dictionary.encoderBias, dictionary.decoder[0]) = ([-1, -1, -1], 1)
            if self == .mean { dictionary.decoderBias = mean.map { Float($0) } }
        case .everything:
            dictionary = TinyDictionary(width: width, features: 2 * width, hook: "blocks.0.hook_resid_pre")
            for axis in 0..<width {
                for (feature, sign) in [(axis, Float(1)), (axis + width, -1)] { (dictionary.encoder[axis * 2 * width + feature], dictionary.decoder[feature * width + axis]) = (sign, sign) }
            }
        }
        dictionary.contextSize = Planted.contextLength
        try dictionary.write(to: folder.appending(path: "dictionary"))
    }

    /// x̂ and how many features fire.
    func callAsFunction(_ x: [Double], mean: [Double]) -> (x: [Double], firings: Int) {
        switch self {
        case .planted:
            let values = x.indices.map { $0 < 8 ? max(0, x[$0] - ($0 == 7 ? 0.5 : 1)) : 0 }
            return (values.map { 2 * $0 }, values.count { $0 > 0 } + 1)
        case .nothing: return (x.map { _ in 0 }, 0)
        case .everything: return (x, x.count { $0 != 0 })
        case .mean: return (mean, 0)
        }
    }
}

/// What evaluating `Planted` activations must give, in double precision: attention and MLP are zero, so the final norm sees what the
/// hook has, and the unembedding is the embedding.
private struct PlantedTruth {
    var contexts = 0, predictions = 0
    let mean: [Double]
    var l0 = 0.0, error = 0.0, squares = 0.0, spread = 0.0
    var losses = (original: 0.0, spliced: 0.0, zero: 0.0, mean: 0.0)

    init(_ texts: [String], bos: Bool, _ reconstructing: Reconstructing) {
        let room = Planted.contextLength - (bos ? 1 : 0)
        func embedding(_ token: Int) -> [Double] { (0..<10).map { axis in axis < 6 && token == 97 + axis ? Double(2 + axis) : axis == 6 && token == 256 ? 5 : 0 } }
        var contexts: [[(token: Int, x: [Double], isCorpus: Bool)]] = []
        for text in texts {
            let tokens = text.utf8.map(Int.init)
            for start in stride(from: 0, to: tokens.count, by: room) {
                let context = (bos ? [256] : []) + tokens[start..<min(tokens.count, start + room)]
                contexts.append(context.enumerated().map { place, token in
                    var x = embedding(token)
                    x[7] = Double(place + 1)
                    return (token, x, !(bos && place == 0))
                })
            }
        }
        let rows = contexts.flatMap { $0 }.filter(\.isCorpus).map(\.x), n = Double(rows.count)
        let mean = (0..<10).map { axis in rows.reduce(0) { $0 + $1[axis] } / n }
        func distance(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        for x in rows {
            let (back, firings) = reconstructing(x, mean: mean)
            l0 += Double(firings) / n
            error += distance(x, back)
            squares += distance(x, [Double](repeating: 0, count: 10))
            spread += distance(x, mean)
        }
        func loss(_ x: [Double], _ target: Int) -> Double {
            let center = x.reduce(0, +) / 10, deviation = (x.reduce(0) { $0 + ($1 - center) * ($1 - center) } / 10 + 1e-5).squareRoot()
            let logits = (0..<257).map { token in zip(embedding(token), x).reduce(0) { $0 + $1.0 * ($1.1 - center) / deviation } }
            return log(logits.reduce(0) { $0 + exp($1) }) - logits[target]
        }
        for context in contexts {
            for (place, next) in context.dropFirst().enumerated() {
                let here = context[place]
                predictions += 1
                losses.original += loss(here.x, next.token)
                losses.spliced += loss(here.isCorpus ? reconstructing(here.x, mean: mean).x : here.x, next.token)
                losses.zero += loss(here.isCorpus ? [Double](repeating: 0, count: 10) : here.x, next.token)
                losses.mean += loss(here.isCorpus ? mean : here.x, next.token)
            }
        }
        let m = Double(predictions)
        losses = (losses.original / m, losses.spliced / m, losses.zero / m, losses.mean / m)
        self.contexts = contexts.count
        self.mean = mean
    }
}
