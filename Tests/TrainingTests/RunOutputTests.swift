import DictionaryLearning
import FeatureCatalogue
import Foundation
import Formats
import Ingestion
import SparseCoding
import Testing
import TestSupport
import Training

@Suite struct RunOutputTests {
    /// What SAELens calls each recipe in training and at inference.
    @Test(arguments: [
        ("towards-monosemanticity", "standard", "standard"), ("april-2024", "standard", "standard"), ("topk", "topk", "topk"), ("batch-topk", "batchtopk", "jumprelu"),
        ("matryoshka", "matryoshka_batchtopk", "jumprelu"), ("jumprelu", "jumprelu", "jumprelu"),
    ])
    func `each recipe leaves a folder that the rest of Monoseme takes as it is`(recipe: String, training: String, inference: String) throws {
        try TinyTraining.with { tiny in
            let summary = try tiny.train("out") { $0.recipe = recipe; $0.features = [48]; if DictionaryLearning.recipes.contains(where: { $0.name == recipe && $0.constants.contains { $0.name == "k" } }) { $0.constants = ["k": "5"] } }
            let autoencoder = try SparseAutoencoder(folder: tiny.path("out")), configuration = autoencoder.configuration
            #expect(configuration.architecture.rawValue == inference && configuration.trainingArchitecture == training)
            #expect(configuration.width == 32 && configuration.features == 48 && configuration.k == (inference == "topk" ? 5 : nil))
            #expect(configuration.modelName == "model" && configuration.hookName == "blocks.0.mlp.hook_post" && configuration.contextSize == 32 && !configuration.prependsBOS)
            #expect(configuration.normalization == .none && configuration.saeLensVersion?.hasPrefix("6.") == true)

            let catalogue = tiny.path("catalogue.sqlite")
            let ingested = try ingest(IngestionRequest(modelFolder: tiny.path("model"), autoencoders: [(tiny.path("out"), try DictionaryName(parsing: "T/0"))],
                                                       corpus: CorpusOptions(paths: [tiny.path("corpus.jsonl")]), catalogue: catalogue))
            // Two ways to count the same firings.
            let evaluation = try #require(summary.dictionaries[0].evaluation)
            #expect(Double(ingested.firings) / Double(ingested.tokens) == evaluation.reconstruction.l0)
            #expect(try tiny.json("out/summary.json")["evaluation"]?["l0"]?.number == evaluation.reconstruction.l0)
        }
    }

    @Test func `the configuration says how the dictionary was trained`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("out") { $0.features = [48]; $0.constants = ["l1": "0.01", "resample_at": "0.5"]; $0.seed = 3; $0.samples = 5200 }
            let metadata = try #require(try tiny.json("out/cfg.json")["metadata"])
            #expect(metadata["recipe"]?.string == "towards-monosemanticity")
            #expect(metadata["constants"]?["l1"]?.number == 0.01)
            #expect(metadata["constants"]?["resample_at"] == .array([.real(0.5)]))
            #expect(metadata["constants"]?.object?.members.map(\.key) == TowardsMonosemanticity.constants.map(\.name))
            #expect(metadata["mse_reduction"]?.string == "mean over batch and width")
            #expect(metadata["sparsity_reduction"]?.string == "L1 summed over features, mean over batch")
            #expect(metadata["seed"]?.integer == 3 && metadata["batch_size"]?.integer == 256 && metadata["training_samples"]?.integer == 20 * 256)
            #expect(metadata["engine"]?.string == engineVersion && metadata["activation_scale"]?.number == 1)
            #expect(metadata["model_sha256"]?.string == (try SafetensorsFolder(folder: tiny.path("model")).sha256))
        }
    }

    @Test func `the log has a line for each report, and no sample is counted twice`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("out")
            let lines = String(decoding: try tiny.data("out/64/training.jsonl"), as: UTF8.self).split(separator: "\n")
            let reports = try lines.map { try JSON(parsing: String($0)) }
            let steps = try tiny.steps
            try #require(reports.count == steps)
            #expect(reports.map { $0["step"]?.integer } == Array(1...steps))
            #expect(reports.map { $0["samples"]?.integer } == (1...steps).map { $0 * 256 })
            #expect(reports[0].object?.members.map(\.key) == ["step", "samples", "loss", "mse", "l0", "explained_variance", "dead", "learning_rate", "sparsity_coefficient", "samples_per_second"])
            #expect(reports.allSatisfy { $0["learning_rate"]?.number == 0.001 && $0["sparsity_coefficient"]?.number == 0.004 })
            #expect(reports[steps - 1]["mse"]!.number! < reports[0]["mse"]!.number!)
        }
    }

    @Test func `half precision is the single-precision run, rounded`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("single") { $0.features = [48] }
            try tiny.train("half") { $0.features = [48]; $0.weightType = .float16 }
            let single = try SafetensorsFile(tiny.path("single/sae_weights.safetensors")), half = try SafetensorsFile(tiny.path("half/sae_weights.safetensors"))
            #expect(half.names == ["W_dec", "W_enc", "b_dec", "b_enc"])
            for name in half.names {
                let tensor = try #require(half[name])
                #expect(tensor.dtype == .f16)
                #expect(try tensor.floats() == single[name]!.floats().map { Float(Float16($0)) })
            }
            #expect(try tiny.json("half/cfg.json")["dtype"]?.string == "float16")

            // What it is written in can be thought better of until it is.
            try tiny.kill("changed", at: 9) { $0.features = [48] }
            try tiny.train("changed") { $0.features = [48]; $0.weightType = .float16 }
            #expect(try tiny.data("changed/sae_weights.safetensors") == tiny.data("half/sae_weights.safetensors"))
            #expect(try tiny.json("changed/run.json")["weights"]?.string == "float16")
        }
    }

    @Test func `activations from files need no model, and with one they are evaluated on text`() throws {
        try TinyTraining.with { tiny in
            var random = SystemRandomNumberGenerator()
            var shard = ShardFile()
            shard.add("activations", "F32", [2000, 32], (0..<64_000).map { _ in Double.random(in: 0...1, using: &random) })
            try shard.write(to: tiny.folder.appending(path: "shard.safetensors"))
            func onShards(_ request: inout TrainingRequest) { request.source = .activations([tiny.path("shard.safetensors")]); request.features = [48] }

            let alone = try tiny.train("alone") { onShards(&$0); $0.modelFolder = nil }
            #expect(alone.step == 7 && alone.dictionaries[0].evaluation == nil)
            #expect(try tiny.json("alone/cfg.json")["metadata"]?["hook_name"]?.string == "blocks.0.mlp.hook_post")
            #expect(try tiny.json("alone/cfg.json")["metadata"]?["model_name"] == .null)
            #expect(try tiny.json("alone/summary.json")["evaluation"] == .null)

            let tokens = try tiny.tokens
            let judged = try tiny.train("judged") { onShards(&$0); $0.heldOut = CorpusOptions(paths: [tiny.path("corpus.jsonl")]) }
            #expect(judged.dictionaries[0].evaluation?.tokens == tokens)
            #expect(try tiny.json("judged/summary.json")["evaluation"]?["is_held_out"] == .bool(true))
            #expect(try tiny.data("judged/sae_weights.safetensors") == tiny.data("alone/sae_weights.safetensors"))
        }
    }
}
