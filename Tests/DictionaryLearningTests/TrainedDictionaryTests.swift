import Foundation
import Formats
import Numerics
import SparseCoding
import TestSupport
import Testing
@testable import DictionaryLearning

/// What training leaves, read as any dictionary is and applied to inputs as they come, against PyTorch's code for them.
@Suite struct TrainedDictionaryTests {
    @Test(arguments: GoldenStepTests.cases) func `a written dictionary codes raw inputs as PyTorch does`(_ test: GoldenStepTests.Case) throws {
        let json = test.json, file = try SafetensorsFile(fixture("goldens/training/\(test.name).safetensors"))
        let trainer = try Trainer(golden: json, threads: 1, Workspace.Pieces()), scale = json["input_scale"]!.number!
        trainer.inputScale = Float(scale)
        try trainer.set(file, "initial")
        for (feature, samples) in try file["samples_since_fired"]!.integers().enumerated() { trainer.sinceFired.base[feature] = Float(samples) / Float(trainer.plan.batchSize) }
        let (width, features, batch) = (trainer.plan.width, trainer.plan.features, trainer.plan.batchSize), batches = try #require(file["batches"]).floats()
        for number in 0..<3 {
            (trainer.isDense, trainer.encoderIsLoaded) = (test.isDense, trainer.encoderIsLoaded && !test.isDense)
            _ = try trainer.step(Matrix(rows: batch, columns: width, batches[number * batch * width..<(number + 1) * batch * width]))
        }
        let inputs = Matrix(rows: batch, columns: width, try #require(file["inference.inputs"]).floats())
        let expected = try #require(file["inference.features"]).floats(), reconstructions = try #require(file["inference.reconstruction"]).floats()
        // f · ‖d‖, which is what the catalogue keeps, in the units of raw inputs.
        let rows = try #require(file["after.3.W_dec"]).floats()
        let norms = (0..<features).map { length(rows[$0 * width..<($0 + 1) * width]) / scale }

        let autoencoder = try withTemporaryFolder { folder in
            try write(trainer, to: folder)
            return try SparseAutoencoder(folder: folder.path)
        }
        #expect(autoencoder.width == width && autoencoder.features == features)
        let firings = try autoencoder.encode(inputs)
        var code = [Float](repeating: 0, count: batch * features), reconstruction: [Float] = []
        for row in 0..<batch {
            var sum = autoencoder.decoderBias.map { Double($0) }
            for place in firings[row] {
                let feature = Int(firings.features[place])
                code[row * features + feature] = firings.values[place]
                for column in 0..<width { sum[column] += Double(firings.values[place]) * Double(autoencoder.decoder[feature, column]) }
            }
            reconstruction += sum.map { Float($0) }
        }
        #expect(code.indices.allSatisfy { (code[$0] > 0) == (expected[$0] > 0) })
        #expect(distance(code, expected.indices.map { Float(Double(expected[$0]) * norms[$0 % features]) }) <= 1e-5)
        #expect(distance(reconstruction, reconstructions) <= 1e-5)
    }

    /// As SAELens lays it out.
    private func write(_ trainer: Trainer, to folder: URL) throws {
        let trained = trainer.trained(), (width, features) = (trainer.plan.width, trainer.plan.features)
        var tensors = [
            (name: "W_dec", shape: [features, width], values: trained.decoder.floats), (name: "W_enc", shape: [width, features], values: trained.encoder.floats),
            (name: "b_dec", shape: [width], values: trained.decoderBias), (name: "b_enc", shape: [features], values: trained.encoderBias),
        ]
        if let threshold = trained.threshold { tensors.append((name: "threshold", shape: [features], values: threshold)) }
        try writeSafetensors(tensors, to: folder.appending(path: "sae_weights.safetensors").path)
        let k = trained.k.map { #""k": \#($0), "rescale_acts_by_decoder_norm": false, "# } ?? ""
        let configuration = """
            {"architecture": "\(trained.architecture)", "d_in": \(width), "d_sae": \(features), \(k)"dtype": "float32", "apply_b_dec_to_input": \(trained.appliesDecoderBiasToInput),
            "normalize_activations": "none", "reshape_activations": "none", "metadata": {"sae_lens_version": "6.54.12", "hook_name": "blocks.0.mlp.hook_post", "model_name": "m", "context_size": 8}}
            """
        try configuration.write(to: folder.appending(path: "cfg.json"), atomically: false, encoding: .utf8)
    }
}
