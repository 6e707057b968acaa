import Diagnostics
import FeatureCatalogue
import Formats
import Foundation
@testable import Importing
import Ingestion
import IngestionSupport
import Numerics
import SQLite
import Testing
import TestSupport

/// A cache as delphi writes it, made without the code that reads it.
private struct Cache {
    typealias Row = (sequence: Int, position: Int, latent: Int, value: Float)
    var tokens: [[Int]]
    /// Rows with the latents of the whole dictionary.
    var rows: [Row]
    /// First and last latents of the shards.
    var shards: [ClosedRange<Int>]
    var locations = DType.u16
    var activations = DType.f16
    var order: ((Row, Row) -> Bool)?

    /// What fires in the planted catalogue, in the unit of its autoencoder: see PlantedCatalogue.
    static func planted() throws -> Cache {
        let scales: [Float] = [2, 1, 0.5, 1]
        return try withTemporaryFolder { folder in
            let planted = try PlantedCatalogue(at: folder.appending(path: "planted.sqlite").path), run = try planted.catalogue.run(of: planted.name)
            var rows: [Row] = []
            for feature in 0..<4 {
                let list = try planted.catalogue.firings(of: feature, in: run)
                for (position, value) in zip(list.positions, list.values) { rows.append((position / 10, position % 10, feature, value / scales[feature])) }
            }
            return Cache(tokens: (0..<8).map { document in (0..<10).map { document * 10 + $0 } }, rows: rows, shards: [0...1, 2...3])
        }
    }

    func write(to folder: URL, module: String = "layers.0.mlp") throws {
        let home = folder.appending(path: "latents/\(module)")
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let ordered = rows.sorted(by: order ?? { ($0.sequence, $0.position, $0.latent) < ($1.sequence, $1.position, $1.latent) })
        for latents in shards {
            let own = ordered.filter { latents.contains($0.latent) }
            try writeSafetensors([
                part("locations", locations, [own.count, 3], own.flatMap { [$0.sequence, $0.position, $0.latent - latents.lowerBound] }),
                part("activations", own.map(\.value)),
                part("tokens", .i64, [tokens.count, tokens[0].count], tokens.flatMap { $0 }),
            ], to: home.appending(path: "\(latents.lowerBound)_\(latents.upperBound).safetensors").path)
        }
    }

    private func part(_ name: String, _ dtype: DType, _ shape: [Int], _ numbers: [Int]) -> SafetensorsPart {
        SafetensorsPart(name, dtype, shape) { receive in
            let bytes = numbers.flatMap { number in (0..<dtype.bits / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
            try bytes.withUnsafeBytes { try receive($0) }
        }
    }

    private func part(_ name: String, _ values: [Float]) -> SafetensorsPart {
        switch activations {
        case .f16: SafetensorsPart(name, [values.count], values).halved()
        case .bf16: part(name, .bf16, [values.count], values.map { Int($0.bitPattern >> 16) })
        default: SafetensorsPart(name, [values.count], values)
        }
    }
}

private func request(_ folder: URL, name: String? = "P/0", change: (inout ImportRequest) -> Void = { _ in }) -> ImportRequest {
    var request = ImportRequest(.delphi, at: folder.path, as: name.flatMap { DictionaryName($0) }, engine: "test", time: "2026-01-01T00:00:00Z")
    change(&request)
    return request
}

private let planted = DictionaryDescription(name: DictionaryName("P/0")!, hook: "blocks.0.mlp.hook_post", architecture: "standard", settings: "{}", weightsSHA256: String(repeating: "2", count: 64))
private func plantedDecoder() -> Matrix { Matrix(rows: 4, columns: 3, [1, 0, 0, 0.6, 0.8, 0, 0.8, 0.6, 0, 0, 0, 0]) }

/// Imports a cache into a new catalogue, in segments of 40 tokens.
private func imported<Result>(_ cache: Cache, _ body: (Catalogue, ImportSummary, [String]) throws -> Result) throws -> Result {
    try withTemporaryFolder { folder in
        try cache.write(to: folder)
        let catalogue = try Catalogue(path: folder.appending(path: "catalogue.sqlite").path, for: .ingesting)
        var warnings: [String] = []
        let summary = try importDelphi(request(folder) { $0.threads = 2 }, into: catalogue, segmentTokens: 40, report: { _ in }, warn: { warnings.append($0) })
        return try body(catalogue, summary, warnings)
    }
}

@Suite struct DelphiTests {
    // MARK: What comes out is what went in

    @Test func `a cache of planted firings and its weights make the planted catalogue`() throws {
        try withTemporaryFolder { folder in
            let witness = try PlantedCatalogue(at: folder.appending(path: "planted.sqlite").path), native = try witness.catalogue.run(of: witness.name)
            try imported(Cache.planted()) { catalogue, summary, warnings in
                #expect((summary.features, summary.firings, warnings) == (4, 90, []))
                #expect(try catalogue.check().findings == [])
                let scales: [Float] = [2, 1, 0.5, 1]
                let before = try catalogue.run(of: witness.name)
                for feature in 0..<4 {
                    let list = try catalogue.firings(of: feature, in: before), truth = try witness.catalogue.firings(of: feature, in: native)
                    #expect((list.positions, list.values) == (truth.positions, truth.values.map { $0 / scales[feature] }))
                }
                #expect(try catalogue.attach(planted, to: before.dictionary, decoder: plantedDecoder(), norms: [2, 1, 0.5, 0], scales: scales, encoderDecoderCosines: [1, 0.5, 0, .nan]) == 2)
                #expect(try catalogue.check().findings == [])
                let run = try catalogue.run(of: witness.name)
                #expect(run.dictionary.hasVectors && run.isComplete && run.tokens == native.tokens && run.firings == native.firings)
                #expect(try catalogue.statistics(of: run) == witness.catalogue.statistics(of: native))
                for feature in 0..<4 {
                    let list = try catalogue.firings(of: feature, in: run), truth = try witness.catalogue.firings(of: feature, in: native)
                    #expect((list.positions, list.values) == (truth.positions, truth.values))
                    #expect(try catalogue.decoder(of: feature, in: run.dictionary) == witness.catalogue.decoder(of: feature, in: native.dictionary))
                }
                let mine = try CatalogueRows(path: catalogue.path), theirs = try CatalogueRows(path: witness.catalogue.path)
                for table in ["feature_token", "decoder_block", "feature"] { #expect(mine.tables[table] == theirs.tables[table], "\(table)") }
                // Windows end where a segment does, and the planted one ends within a document: of a feature that fires everywhere, other windows are alike.
                let examples = [mine, theirs].map { $0.tables["feature_example"]!.filter { !$0.hasPrefix("1 \(run.dictionary.featureID(1)) ") } }
                #expect(examples[0] == examples[1] && examples[0].count == 10)
            }
        }
    }

    @Test func `the order of rows and the types of numbers change nothing`() throws {
        // Halves and bfloat16 hold all of the planted numbers exactly.
        let plain = try Cache.planted(), truth = try imported(plain) { catalogue, _, _ in try CatalogueRows(path: catalogue.path, leavingOut: ["corpus.name", "corpus.settings", "dictionary.settings", "source.path"]) }
        var changed: [(String, Cache)] = []
        for (locations, activations) in [(DType.u32, DType.f32), (.i64, .bf16), (.u64, .f16)] {
            var cache = plain
            (cache.locations, cache.activations) = (locations, activations)
            changed.append(("\(locations) \(activations)", cache))
        }
        var byLatent = plain, backwards = plain, oneShard = plain
        byLatent.order = { ($0.latent, $0.sequence, $0.position) < ($1.latent, $1.sequence, $1.position) }
        backwards.order = { ($0.sequence, $0.position, $0.latent) > ($1.sequence, $1.position, $1.latent) }
        oneShard.shards = [0...3]
        changed += [("by latent", byLatent), ("backwards", backwards), ("one shard", oneShard)]
        for (name, cache) in changed {
            let rows = try imported(cache) { catalogue, _, _ in try CatalogueRows(path: catalogue.path, leavingOut: ["corpus.name", "corpus.settings", "dictionary.settings", "source.path"]) }
            #expect(truth.difference(from: rows) == [], "\(name)")
        }
    }

    /// The files are the real package's; the witness is an ingest of the same tokens with the same model. See Fixtures/making/delphi_results.py.
    @Test func `results of the real delphi are what an ingest of the same sequences gives`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "catalogue.sqlite").path, name = DictionaryName("A/0")!
            try #require(try importSource(at: fixture("delphi")) == .delphi)
            let catalogue = try Catalogue(path: path, for: .ingesting)
            let summary = try importing(request(URL(filePath: fixture("delphi")), name: "A/0") { $0.tokenizer = fixture("model-A/tokenizer.json") }, into: catalogue)
            #expect((summary.features, summary.labels, summary.scores) == (512, 4, 4))
            let attachment = try attachWeights(from: fixture("sae-A-0"), to: name, in: catalogue)
            #expect(attachment.formerHook == "transformer.h.0.mlp.act")
            #expect(try catalogue.check().findings == [])

            let nativePath = folder.appending(path: "native.sqlite").path
            var ingestion = IngestionRequest(modelFolder: fixture("model-A"), autoencoders: [(fixture("sae-A-0"), name)], corpus: CorpusOptions(paths: [fixture("delphi/corpus.jsonl")]), catalogue: nativePath)
            ingestion.contextLength = 32
            _ = try ingest(ingestion)
            let native = try Catalogue(path: nativePath, for: .reading), truth = try native.run(of: name), run = try catalogue.run(of: name)
            #expect(run.tokens == truth.tokens)
            // Two engines disagree at the threshold, and delphi leaves out what is within 10⁻⁵ of 0.
            #expect(abs(run.firings - truth.firings) <= 3, "\(run.firings) and \(truth.firings)")
            for (feature, (ours, theirs)) in zip(try catalogue.statistics(of: run), try native.statistics(of: truth)).enumerated() {
                #expect(abs(ours.firings - theirs.firings) <= 1, "feature \(feature)")
                // An activation is rounded to half precision by delphi (2⁻¹¹) and its posting once more.
                #expect(abs(ours.sum - theirs.sum) <= 1e-3 * theirs.sum + 1e-4, "feature \(feature)")
                #expect(abs(ours.maximum - theirs.maximum) <= 1e-3 * theirs.maximum + 1e-4, "feature \(feature)")
                let list = try catalogue.firings(of: feature, in: run), other = try native.firings(of: feature, in: truth)
                guard list.positions == other.positions else { continue }
                #expect(zip(list.values, other.values).allSatisfy { abs($0 - $1) <= 2e-3 * $1 + 1e-4 }, "feature \(feature)")
            }
            // Examples are the same windows but where rounding makes a tie.
            let examples = try [catalogue, native].map { try $0.connection.rows("SELECT feature_id, position FROM feature_example WHERE rank <= 3") { [$0.integer(0), $0.integer(1)] } }
            #expect(Double(Set(examples[0]).intersection(examples[1]).count) >= 0.98 * Double(examples[1].count), "\(examples.map(\.count))")
            // And it can be asked for directions: the same as there.
            for feature in [0, 200] {
                let found = try [(catalogue, run), (native, truth)].map { try $0.nearest(to: $0.decoder(of: feature, in: $1.dictionary), in: $1.dictionary, k: 5, excluding: feature) }
                #expect(found[0] == found[1])
            }
        }
    }

    @Test func `explanations and scores of the real delphi become labels and judgements`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Catalogue(path: folder.appending(path: "catalogue.sqlite").path, for: .ingesting)
            _ = try importing(request(URL(filePath: fixture("delphi")), name: "A/0"), into: catalogue)
            let labels = try [0, 3, 130].map { try catalogue.labels(of: FeatureName(dictionary: DictionaryName("A/0")!, index: $0))[0] }
            #expect(labels.map(\.text) == ["words about \"light\" — and naïve ones", "ends of sentences", "Explanation could not be parsed."])
            #expect(labels.allSatisfy { $0.author == "a-judge/of-ours-8b" && $0.authorKind == .model && $0.method == "delphi" && $0.status == .accepted })
            #expect(labels.map(\.isUnknown) == [false, false, true] && labels.map(\.isCurrent) == [true, true, false])
            for (method, directory) in [("detection", "detection"), ("fuzzing", "fuzz")] {
                for latent in [0, 3] {
                    // Counted from the file by other means.
                    let rows = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: fixture("delphi/scores/\(directory)/transformer.h.0.mlp.act_latent\(latent).txt")))) as! [[String: Any]]
                    func rate(_ kind: Bool) -> Double {
                        let own = rows.filter { ($0["activating"] as! Bool) == kind && !($0["correct"] is NSNull) }
                        return Double(own.filter { $0["correct"] as! Bool }.count) / Double(own.count)
                    }
                    let score = try #require(try catalogue.connection.first("SELECT value, balanced_accuracy, examples, unanswered, judge FROM label_score_overview WHERE method = ? AND feature = ?", .text(method), .text("A/0/\(latent)")) {
                        (value: $0.real(0), counted: $0.real(1), examples: $0.integer(2), unanswered: $0.integer(3), judge: $0.text(4))
                    })
                    let truth = (rate(true) + rate(false)) / 2
                    #expect(abs(score.value - truth) < 1e-12 && abs(score.counted - truth) < 1e-12)
                    #expect((score.examples, score.unanswered, score.judge) == (rows.count, rows.filter { $0["prediction"] is NSNull }.count, "a-judge/of-ours-8b"))
                }
            }
            #expect(try catalogue.connection.integer("SELECT count(*) FROM label_judgement WHERE json_extract(detail, '$.distance') IS NULL") == 0)
            // Spellings are not known without a tokenizer.
            #expect(try catalogue.connection.integer("SELECT count(*) FROM token WHERE text <> '⟨' || token || '⟩'") == 0)
            // Attaching weights makes no label stale.
            _ = try attachWeights(from: fixture("sae-A-0"), to: DictionaryName("A/0")!, in: catalogue)
            #expect(try catalogue.labels(of: FeatureName("A/0/3")!)[0].status == .accepted)
        }
    }

    // MARK: What is missing

    @Test func `features of a missing shard are not dead, and are named`() throws {
        var cache = try Cache.planted()
        cache.shards = [0...1, 3...3]
        cache.rows.append((7, 9, 3, 1))
        try imported(cache) { catalogue, summary, _ in
            #expect(summary.missing.contains { $0.hasPrefix("latents 2 to 2 are in no shard") })
            let rows = try catalogue.connection.rows("SELECT status, density IS NULL FROM feature_overview ORDER BY feature_id") { "\($0.text(0)) \($0.integer(1))" }
            #expect(rows[2] == "insufficient 1")
            #expect(try catalogue.connection.integer("SELECT dead FROM dictionary_overview") == 0)
            #expect(try catalogue.check().findings == [])
        }
    }

    @Test func `activations below zero are counted and left out`() throws {
        var cache = try Cache.planted()
        cache.rows += [(0, 5, 2, -1.5), (1, 5, 3, -0.25), (2, 5, 3, 0)]
        try imported(cache) { catalogue, summary, warnings in
            #expect(summary.firings == 90)
            #expect(warnings == ["2 of 93 activations are below 0 and were left out: a catalogue holds those above 0"])
        }
    }

    @Test func `questions that take vectors say that there are none`() throws {
        try imported(Cache.planted()) { catalogue, _, _ in
            let dictionary = try catalogue.dictionary(named: DictionaryName("P/0")!)
            let questions: [(String, () throws -> Void)] = [
                ("decoder", { _ = try catalogue.decoder(of: 0, in: dictionary) }),
                ("nearest", { _ = try catalogue.nearest(to: [], in: dictionary, k: 3) }),
                ("expression", { _ = try catalogue.direction(of: FeatureExpression(parsing: "P/0/0 - P/0/1"), in: dictionary) }),
                ("neighbours", { try catalogue.forEachNeighbourList(of: dictionary, among: dictionary, k: 2, threads: 1) { _, _ in } }),
                ("rows", { _ = try catalogue.unitRows(of: dictionary) }),
                ("blocks", { try catalogue.forEachDecoderBlock(of: dictionary) { _, _ in } }),
            ]
            for (name, ask) in questions {
                #expect(throws: MonosemeError("P/0 has no decoder vectors: it was imported without weights", hint: "monoseme attach P/0 --sae DIR"), "\(name)") { try ask() }
            }
        }
    }

    @Test func `weights are attached once, and only where they fit`() throws {
        try imported(Cache.planted()) { catalogue, _, _ in
            let dictionary = try catalogue.dictionary(named: DictionaryName("P/0")!), before = try CatalogueRows(path: catalogue.path)
            func attach(_ dictionary: FeatureDictionary, rows: Int = 4) throws {
                let decoder = Matrix(rows: rows, columns: 3)
                for row in 0..<rows { decoder.base[row * 3] = 1 }
                try catalogue.attach(planted, to: dictionary, decoder: decoder, norms: Array(repeating: 1, count: rows), scales: Array(repeating: 1, count: rows), encoderDecoderCosines: Array(repeating: 1, count: rows))
            }
            #expect(throws: MonosemeError("these weights have 5 features and P/0 has 4", hint: "attach the weights of the autoencoder whose activations were imported")) { try attach(dictionary, rows: 5) }
            #expect(throws: MonosemeError.self) { try attachWeights(from: fixture("sae-A-0"), to: dictionary.name, in: catalogue) }
            #expect(before.difference(from: try CatalogueRows(path: catalogue.path)) == [])
            try attach(dictionary)
            #expect(throws: MonosemeError("P/0 has these weights already (sha256 222222222222…)", hint: "there is nothing to attach")) { try attach(catalogue.dictionary(named: dictionary.name)) }
            #expect(throws: MonosemeError.self) { try attachWeights(from: fixture("sae-A-0"), to: dictionary.name, in: catalogue) }
        }
    }

    // MARK: Hostile folders

    @Test func `what is wrong is said in a line, and the catalogue stays as it was`() throws {
        let plain = try Cache.planted()
        func changed(_ change: (inout Cache) -> Void) -> Cache { var cache = plain; change(&cache); return cache }
        func file(_ name: String, _ text: String) -> (URL) throws -> Void {
            { folder in
                let path = folder.appending(path: name)
                try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: path)
            }
        }
        let first = "latents/layers.0.mlp/0_1.safetensors"
        let cases: [(String, Cache, (URL) throws -> Void)] = [
            ("location 89 is sequence 8, position 0, latent 0; there are 8 sequences of 10 tokens and 2 latents", changed { $0.rows.append((8, 0, 0, 1)) }, { _ in }),
            ("position 10, latent 1", changed { $0.rows.append((3, 10, 1, 1)) }, { _ in }),
            ("latent 1 has two activations at token 1 of sequence 0", changed { $0.rows.append((0, 1, 1, 5)) }, { _ in }),
            ("latent 0 has two activations at token 1 of sequence 0", changed { $0.rows.append((0, 1, 0, 5)); $0.order = { ($0.latent, $0.position) < ($1.latent, $1.position) } }, { _ in }),
            ("latent 3 has the activation nan at token 2 of sequence 1", changed { $0.rows.append((1, 2, 3, .nan)) }, { _ in }),
            ("latent 3 has the activation inf at token 2 of sequence 1", changed { $0.rows.append((1, 2, 3, .infinity)) }, { _ in }),
            ("both hold latent 1", changed { $0.shards = [0...1, 1...3] }, { _ in }),
            ("holds no activation above 0", changed { $0.rows = [(0, 0, 0, -1)] }, { _ in }),
            ("is not named START_END.safetensors", plain, file("latents/layers.0.mlp/0_99999999.safetensors", "")),
            ("is not a valid safetensors file", plain, { folder in try FileHandle(forWritingTo: folder.appending(path: first)).truncate(atOffset: 900) }),
            ("differ in token 3 of sequence 2", plain, { folder in
                var other = plain
                other.tokens[2][3] = 7
                other.shards = [2...3]
                try other.write(to: folder)
            }),
            ("has tokens of shape [7, 10]", plain, { folder in
                var other = plain
                other.tokens.removeLast()
                other.shards = [2...3]
                other.rows = [(0, 0, 2, 1)]
                try other.write(to: folder)
            }),
            ("beyond a vocabulary of 1048576", changed { $0.tokens[7][9] = 1 << 20 }, { _ in }),
            ("beyond a vocabulary of 1048576", changed { $0.tokens[7][9] = -1 }, { _ in }),
            ("where [n, 3] is needed", plain, { folder in
                try writeSafetensors([SafetensorsPart("locations", [4], [0, 0, 0, 0]), SafetensorsPart("activations", [1], [1])], to: folder.appending(path: first).path)
            }),
            ("holds F32 where U16", plain, { folder in
                try writeSafetensors([SafetensorsPart("locations", [1, 3], [0, 0, 0]), SafetensorsPart("activations", [1], [1])], to: folder.appending(path: first).path)
            }),
            ("but there are 1 locations", plain, { folder in
                try writeSafetensors([SafetensorsPart("locations", [1, 3], [0, 0, 0]), SafetensorsPart("activations", [2], [1, 1])], to: folder.appending(path: first).path)
            }),
            ("tensor \"locations\" is missing", plain, { folder in try writeSafetensors([SafetensorsPart("activations", [1], [1])], to: folder.appending(path: first).path) }),
            ("holds 2 modules: \"layers.0.mlp\", \"layers.1.mlp\"", plain, { try plain.write(to: $0, module: "layers.1.mlp") }),
            ("holds no JSON string", plain, file("explanations/layers.0.mlp_latent2.txt", "[1]")),
            ("is not valid JSON", plain, file("explanations/layers.0.mlp_latent2.txt", "\"half")),
            ("is about latent 4, but the cache ends at latent 3", plain, file("explanations/layers.0.mlp_latent4.txt", "\"x\"")),
            ("run_config.json\" is not valid JSON", plain, file("run_config.json", "{")),
            ("does not say whether it is \"activating\"", plain, { folder in
                try file("explanations/layers.0.mlp_latent2.txt", "\"x\"")(folder)
                try file("scores/fuzz/layers.0.mlp_latent2.txt", "[{\"prediction\": true}]")(folder)
            }),
            ("has not one true and one expected activation", plain, { folder in
                try file("explanations/layers.0.mlp_latent2.txt", "\"x\"")(folder)
                try file("scores/simulation/layers.0.mlp_latent2.txt", "[{\"true_activations\": [1, 2], \"predicted_activations\": [1]}]")(folder)
            }),
        ]
        try withTemporaryFolder { home in
            let existing = try PlantedCatalogue(at: home.appending(path: "catalogue.sqlite").path), before = try CatalogueRows(path: existing.catalogue.path)
            #expect(throws: MonosemeError.self, "the name is taken") { try importing(request(URL(filePath: fixture("delphi"))), into: existing.catalogue) }
            for (place, (words, cache, change)) in cases.enumerated() {
                let folder = home.appending(path: "\(place)")
                try cache.write(to: folder)
                try change(folder)
                do {
                    _ = try importDelphi(request(folder, name: "Q/1"), into: existing.catalogue, segmentTokens: 40, report: { _ in }, warn: { _ in })
                    Issue.record("nothing was thrown for: \(words)")
                } catch let error as MonosemeError {
                    #expect(error.message.contains(words) && !error.message.contains("\n"), "\(error.message)")
                }
            }
            #expect(before.difference(from: try CatalogueRows(path: existing.catalogue.path)) == [])
            // And it takes a sound one afterwards.
            try plain.write(to: home.appending(path: "sound"))
            #expect(try importing(request(home.appending(path: "sound"), name: "Q/1"), into: existing.catalogue).firings == 90)
        }
    }

    @Test func `a simulation is scored by the correlation over all its tokens`() throws {
        try withTemporaryFolder { folder in
            try Cache.planted().write(to: folder)
            for (name, text) in [("explanations", "\"x\""), ("scores/simulation", """
                [{"distance": 0, "scored_sequence_simulations": [
                    {"simulation": {"expected_activations": [0, 1, 2]}, "true_activations": [0, 2, 4]},
                    {"simulation": {"expected_activations": [3, 0]}, "true_activations": [5, 1]}]},
                 {"distance": 1, "scored_sequence_simulations": [{"simulation": {"expected_activations": [9]}, "true_activations": [0]}]}]
                """)] {
                try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: folder.appending(path: "\(name)/layers.0.mlp_latent1.txt"))
            }
            let catalogue = try Catalogue(path: folder.appending(path: "catalogue.sqlite").path, for: .ingesting)
            _ = try importing(request(folder), into: catalogue)
            let value = try #require(try catalogue.connection.first("SELECT value FROM label_score WHERE method = 'simulation'") { $0.real(0) })
            // Means 1.2 and 2.4; sums of products and squares about them 10.6, 6.8 and 17.2.
            #expect(abs(value - 10.6 / (6.8 * 17.2).squareRoot()) < 1e-12)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM label_judgement") == 2)
        }
    }
}
