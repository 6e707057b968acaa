import Diagnostics
import Foundation
import Testing
import TestSupport

@testable import SparseCoding

/// What is read from an SAE's folder, and what is refused.
@Suite struct ConfigurationTests {
    typealias Change = @Sendable (inout PlainAutoencoder) -> Void

    static func load(_ kind: PlainAutoencoder.Kind, _ change: Change) throws -> SparseAutoencoder {
        var plain = PlainAutoencoder(kind, width: 6, features: 4, seed: 1)
        change(&plain)
        return try EncodingTests.load(plain)
    }

    /// Options of cfg.json by their JSON text; "" removes one.
    static func options(_ options: (String, String)...) -> Change { { $0.extra += options } }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var kind = PlainAutoencoder.Kind.standard
        let change: Change
        /// What the message must contain.
        let words: [String]
        var testDescription: String { words.joined(separator: " ") }
    }

    static let refusals: [Refusal] = [
        ("abstopk", "negative"), ("matching_pursuit", "search"), ("temporal", "other tokens"), ("transcoder", "another layer"),
        ("skip_transcoder", "another layer"), ("jumprelu_transcoder", "another layer"), ("jumprelu_skip_transcoder", "another layer"),
        ("sigmoid", "not supported"),
    ].map { Refusal(change: options(("architecture", "\"\($0.0)\"")), words: ["architecture", "\"\($0.0)\"", $0.1]) } + [
        Refusal(change: options(("architecture", "")), words: ["cfg.json", "no architecture"]),
        Refusal(change: options(("architecture", "7")), words: ["architecture", "7"]),
        Refusal(change: options(("activation_fn", "\"tanh-relu\"")), words: ["activation_fn", "\"tanh-relu\""]),
        Refusal(change: options(("activation_fn_str", "\"topk\"")), words: ["standard", "topk", "contradict"]),
        Refusal(kind: .topk, change: options(("activation_fn_str", "\"relu\"")), words: ["topk", "relu", "contradict"]),
        Refusal(change: options(("normalize_activations", "\"covariance_whitening\"")), words: ["normalize_activations", "\"covariance_whitening\""]),
        Refusal(change: options(("normalize_activations", "\"constant_scalar_rescale\"")), words: ["normalize_activations", "\"constant_scalar_rescale\""]),
        Refusal(change: options(("normalize_activations", "3")), words: ["normalize_activations", "3"]),
        Refusal(change: options(("normalize_activations", "true")), words: ["expected_average_only_in", "input scale"]),
        Refusal(change: options(("reshape_activations", "\"hook_q\"")), words: ["reshape_activations", "\"hook_q\""]),
        Refusal(change: options(("dtype", "\"float8\"")), words: ["dtype", "\"float8\""]),
        Refusal(change: options(("apply_b_dec_to_input", "1")), words: ["apply_b_dec_to_input", "1"]),
        Refusal(change: options(("d_in", "7")), words: ["W_enc", "[6, 4]", "[7, 4]"]),
        Refusal(change: options(("d_sae", "5")), words: ["W_enc", "[6, 4]", "[6, 5]"]),
        Refusal(change: options(("d_in", "")), words: ["d_in"]),
        Refusal(change: options(("d_sae", "0")), words: ["d_sae", "0"]),
        Refusal(change: options(("d_sae", "99999999999999")), words: ["d_sae"]),
        Refusal(change: options(("d_in", "6.0")), words: ["d_in", "6.0"]),
        Refusal(change: options(("d_out", "9")), words: ["d_out 9"]),
        Refusal(kind: .topk, change: options(("k", "0")), words: ["k 0"]),
        Refusal(kind: .topk, change: options(("k", "-3")), words: ["k -3"]),
        Refusal(kind: .topk, change: options(("k", "5")), words: ["k 5", "4 features"]),
        Refusal(kind: .topk, change: options(("k", "")), words: ["does not say k"]),
        Refusal(kind: .topk, change: options(("activation_fn_kwargs", #"{"k": 2}"#)), words: ["k 1", "k 2"]),
        Refusal(kind: .topk, change: options(("activation_fn_kwargs", #"{"signed": true}"#)), words: ["signed true"]),
        Refusal(change: options(("metadata", "[]")), words: ["metadata", "an array"]),
        Refusal(change: options(("metadata", #"{"sae_lens_version": "new"}"#)), words: ["sae_lens_version", "\"new\""]),
        Refusal(change: options(("finetuning_scaling_factor", "true")), words: ["finetuning_scaling_factor", "missing"]),
        Refusal(change: { $0.tensors["finetuning_scaling_factor"] = [1, 2, 1, 1] }, words: ["finetuning_scaling_factor", "cfg.json"]),
        Refusal(change: { $0.tensors["scaling_factor"] = [1, 2, 1, 1] }, words: ["scaling_factor", "cfg.json"]),
        Refusal(change: { $0.tensors["threshold"] = [1, 2, 1, 1] }, words: ["threshold", "standard"]),
        Refusal(kind: .jumprelu, change: { $0.tensors["log_threshold"] = [1, 2, 1, 1] }, words: ["log_threshold", "jumprelu"]),
        Refusal(kind: .jumprelu, change: { $0.tensors["threshold"] = nil }, words: ["threshold", "missing"]),
        Refusal(kind: .jumprelu, change: options(("architecture", "\"batchtopk\"")), words: ["topk_threshold", "missing"]),
        Refusal(kind: .gated, change: { $0.tensors["b_enc"] = [1, 2, 1, 1] }, words: ["b_enc", "gated"]),
        Refusal(kind: .gated, change: { $0.tensors["r_mag"]![2] = 1000 }, words: ["r_mag", "[2]"]),
        Refusal(change: { $0.tensors["b_dec"] = nil }, words: ["b_dec", "missing"]),
        Refusal(change: { $0.tensors["W_enc"]![9] = .nan }, words: ["W_enc", "nan", "[2, 1]"]),
        Refusal(change: { $0.tensors["W_dec"]![9] = -.infinity }, words: ["W_dec", "-inf", "[1, 3]"]),
        Refusal(change: { $0.tensors["b_enc"]![3] = .infinity }, words: ["b_enc", "inf", "[3]"]),
        Refusal(change: { $0.tensors["W_dec"]![2] = 3e38; $0.tensors["W_dec"]![3] = 3e38 }, words: ["row 0", "W_dec"]),
    ]

    @Test(arguments: refusals)
    func `what is not understood is refused by name`(refusal: Refusal) {
        #expect { _ = try Self.load(refusal.kind, refusal.change) } throws: { error in
            refusal.words.allSatisfy { "\(error)".contains($0) }
        }
    }

    @Test(arguments: ["[]", "3", "\"standard\"", "", "{", "{\"d_in\": 1, \"d_in\": 2}", "null"])
    func `a cfg json that is not one object is refused`(text: String) throws {
        try withTemporaryFolder { folder in
            try PlainAutoencoder(.standard, width: 2, features: 2, seed: 1).write(to: folder)
            try text.write(to: folder.appending(path: "cfg.json"), atomically: false, encoding: .utf8)
            #expect { _ = try SparseAutoencoder(folder: folder.path) } throws: { "\($0)".contains("cfg.json") }
        }
    }

    @Test func `a folder without the files says which is missing`() throws {
        try withTemporaryFolder { folder in
            #expect { _ = try SparseAutoencoder(folder: folder.path) } throws: { "\($0)".contains("cfg.json") }
            try "{}".write(to: folder.appending(path: "cfg.json"), atomically: false, encoding: .utf8)
            #expect { _ = try SparseAutoencoder(folder: folder.path) } throws: { "\($0)".contains("sae_weights.safetensors") }
        }
    }

    @Test func `an input scale is refused where none is expected`() {
        let plain = PlainAutoencoder(.standard, width: 2, features: 2, seed: 1)
        #expect { _ = try EncodingTests.load(plain, inputScale: 2) } throws: { "\($0)".contains("normalize_activations \"none\"") }
    }

    @Test func `a current configuration is read whole`() throws {
        let sae = try Self.load(.jumprelu, Self.options(
            ("metadata", """
                {"sae_lens_version": "6.54.12", "model_name": "m", "model_class_name": "HookedTransformer", "hook_name": "blocks.11.attn.hook_z",
                 "hook_head_index": 3, "context_size": 64, "prepend_bos": false, "seqpos_slice": [1, null], "training_architecture": "batchtopk"}
                """), ("reshape_activations", "\"hook_z\""), ("dtype", "\"torch.bfloat16\"")))
        let c = sae.configuration
        #expect(c.architecture == .jumpReLU && c.architectureAsWritten == "jumprelu" && c.trainingArchitecture == "batchtopk")
        #expect(c.width == 6 && c.features == 4 && c.k == nil && c.dtype == "bfloat16" && sae.weightsDType == "F32")
        #expect(c.modelName == "m" && c.modelClassName == "HookedTransformer" && c.hookName == "blocks.11.attn.hook_z")
        #expect(c.hookLayer == 11 && c.hookHeadIndex == 3 && c.contextSize == 64 && !c.prependsBOS)
        #expect(c.positionSlice == [1, nil] && c.reshape == .hookZ && c.normalization == .none && c.appliesDecoderBiasToInput)
        #expect(c.saeLensVersion == "6.54.12" && c.verbatim.hasPrefix("{\"architecture\"") && sae.activation == .jumpReLU)
        #expect(sae.weightsSHA256.count == 64)
    }

    struct Flat: CustomTestStringConvertible, Sendable {
        let name, text: String
        let check: @Sendable (SAEConfiguration) -> Bool
        var testDescription: String { name }
    }

    @Test(arguments: [
        Flat(name: "version 1", text: #"{"hook_point": "blocks.5.hook_resid_pre", "hook_point_layer": 5, "hook_point_head_index": null, "d_in": 6, "d_sae": 4, "dtype": "torch.float32", "l1_coefficient": 0.001, "context_size": 128}"#) {
            $0.architecture == .standard && $0.hookName == "blocks.5.hook_resid_pre" && $0.hookLayer == 5 && $0.prependsBOS && $0.appliesDecoderBiasToInput
                && $0.reshape == .none && $0.normalization == .none && $0.saeLensVersion == nil
        },
        Flat(name: "version 3 with top-k", text: #"{"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}, "hook_name": "blocks.2.attn.hook_z", "d_in": 6, "d_sae": 4, "normalize_activations": "layer_norm"}"#) {
            $0.architecture == .topK && $0.k == 3 && $0.reshape == .hookZ && $0.normalization == .layerNorm && $0.hookLayer == 2 && !$0.rescalesByDecoderNorm
        },
        Flat(name: "version 5", text: #"{"architecture": "topk", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2, "signed": false}, "sae_lens_version": "5.11.0", "hook_name": "h.3", "d_in": 6, "d_sae": 4, "normalize_activations": false, "prepend_bos": false, "apply_b_dec_to_input": false, "seqpos_slice": [null]}"#) {
            $0.architecture == .topK && $0.k == 2 && !$0.prependsBOS && !$0.appliesDecoderBiasToInput && $0.saeLensVersion == "5.11.0" && $0.positionSlice == nil
                && $0.normalization == .none && $0.hookLayer == 3
        },
    ])
    func `flat configurations of versions 1 to 5 are read with their defaults`(flat: Flat) throws {
        try withTemporaryFolder { folder in
            try flat.text.write(to: folder.appending(path: "cfg.json"), atomically: false, encoding: .utf8)
            let configuration = try SAEConfiguration(contentsOf: folder.appending(path: "cfg.json").path)
            #expect(flat.check(configuration))
            #expect(configuration.verbatim == flat.text)
        }
    }

    @Test(arguments: ["finetuning_scaling_factor", "scaling_factor"])
    func `the finetuning scale belongs to the decoder's rows`(name: String) throws {
        var plain = PlainAutoencoder(.standard, width: 6, features: 4, seed: 1)
        let scale: [Float] = [2, 1, 0.5, 3]
        (plain.tensors[name], plain.extra) = (scale, [("finetuning_scaling_factor", "true"), ("metadata", "")])
        let sae = try EncodingTests.load(plain)
        let x = EncodingTests.activations(tokens: 9, width: 6), firings = try sae.encode(x), reconstruction = sae.reconstruct(firings, of: x)
        for token in 0..<9 {
            let own = plain.encode(x.doubles(token))
            let expected = plain.decode(zip(own, scale).map { $0 * Double($1) }, of: x.doubles(token))
            for column in 0..<6 { #expect(abs(Double(reconstruction[token, column]) - expected[column]) < 1e-5) }
            for place in firings[token] {
                let feature = Int(firings.features[place])
                #expect(abs(Double(firings.values[place]) / Double(sae.activationScales[feature]) - own[feature]) < 1e-5)
            }
        }
        #expect(abs(Double(sae.decoderNorms[3]) - 3 * plain.norm(3)) < 1e-6)
    }

    @Test func `a scaling factor of ones is ignored, as SAELens does`() throws {
        let sae = try Self.load(.standard) { $0.tensors["scaling_factor"] = [1, 1, 1, 1.000001] }
        #expect(abs(Double(sae.decoderNorms[0]) - PlainAutoencoder(.standard, width: 6, features: 4, seed: 1).norm(0)) < 1e-6)
    }

    @Test(arguments: ["batchtopk", "matryoshka_batchtopk"], [true, false])
    func `a BatchTopK checkpoint runs with its one threshold`(architecture: String, rescales: Bool) throws {
        var plain = PlainAutoencoder(.jumprelu, width: 8, features: 40, seed: 4)
        plain.extra = [("architecture", "\"\(architecture)\""), ("k", "5")] + (rescales ? [] : [("rescale_acts_by_decoder_norm", "false")])
        plain.tensors["threshold"] = nil
        plain.tensors["topk_threshold"] = [0.3]
        let sae = try EncodingTests.load(plain)
        let x = EncodingTests.activations(tokens: 20, width: 8), firings = try sae.encode(x)
        // The threshold applies to p, or to p times the length of the decoder's row.
        var twin = plain
        twin.kind = .standard
        for token in 0..<20 {
            let p = twin.encode(x.doubles(token))
            let expected = p.indices.filter { p[$0] * (rescales ? plain.norm($0) : 1) > 0.3 }
            #expect(firings.features[firings[token]].map(Int.init) == expected)
            for (place, feature) in zip(firings[token], expected) { #expect(abs(Double(firings.values[place]) - p[feature] * plain.norm(feature)) < 1e-5) }
        }
        #expect(sae.configuration.architecture == .jumpReLU && sae.configuration.architectureAsWritten == architecture)
    }

    @Test func `a logarithm of thresholds is a threshold`() throws {
        var plain = PlainAutoencoder(.jumprelu, width: 8, features: 40, seed: 4)
        plain.tensors["threshold"] = plain.tensors["threshold"]!.map { abs($0) + 0.01 }
        let expected = try EncodingTests.load(plain).encode(EncodingTests.activations(tokens: 20, width: 8))
        plain.tensors["log_threshold"] = plain.tensors["threshold"]!.map { log($0) }
        plain.tensors["threshold"] = nil
        #expect(try EncodingTests.load(plain).encode(EncodingTests.activations(tokens: 20, width: 8)) == expected)
    }

    @Test func `damaged files are refused or read, and never crash`() throws {
        var random = SeededGenerator(12)
        try withTemporaryFolder { folder in
            for kind in PlainAutoencoder.Kind.allCases {
                let plain = PlainAutoencoder(kind, width: 3, features: 4, seed: 8)
                try plain.write(to: folder)
                let paths = [folder.appending(path: "cfg.json"), folder.appending(path: "sae_weights.safetensors")]
                let whole = try paths.map { try Data(contentsOf: $0) }
                let pieces = ["null", "-1", "0", "1e999", "{}", "[]", "\"topk\"", "true", "9223372036854775807", "18446744073709551615", "\"\"", ",", "\\u0000"]
                for round in 0..<400 {
                    var damaged = whole
                    let which = round % 3 == 0 ? 1 : 0
                    switch round % 4 {
                    case 0: damaged[which] = damaged[which].prefix(Int.random(in: 0..<damaged[which].count, using: &random))
                    case 1:
                        let start = Int.random(in: 0..<damaged[which].count, using: &random), end = min(start + Int.random(in: 0...6, using: &random), damaged[which].count)
                        damaged[which].replaceSubrange(start..<end, with: Data(pieces.randomElement(using: &random)!.utf8))
                    default:
                        for _ in 0..<3 { damaged[which][Int.random(in: 0..<damaged[which].count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
                    }
                    for (path, bytes) in zip(paths, damaged) { try bytes.write(to: path) }
                    guard let sae = try? SparseAutoencoder(folder: folder.path) else { continue }
                    let x = EncodingTests.activations(tokens: 3, width: sae.width)
                    _ = sae.reconstruct(try sae.encode(x), of: x)
                }
            }
        }
    }
}
