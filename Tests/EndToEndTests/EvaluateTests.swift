import Foundation
import IngestionSupport
import Testing
import TestSupport

@Suite struct EvaluateTests {
    /// A model that passes on what it reads: a … d on axes 0 … 3, the position on axis 7. One autoencoder gives all of it back, with
    /// two features an axis; another has the even axes only, with decoder rows of length 3.
    private func withWorld(_ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let width = 8
            var model = TinyModel(width: width, mlpWidth: 4, contextLength: 8)
            for letter in 0..<4 { model["wte.weight"].values[(97 + letter) * width + letter] = Float(2 + letter) }
            for position in 0..<8 { model["wpe.weight"].values[position * width + 7] = Float(position + 1) / 4 }
            try model.write(to: folder.appending(path: "model"))
            for (name, axes, length) in [("whole", 1, Float(1)), ("half", 2, 3)] {
                var dictionary = TinyDictionary(width: width, features: 2 * width, hook: "blocks.0.hook_resid_pre")
                dictionary.contextSize = 8
                for axis in stride(from: 0, to: width, by: axes) {
                    for (feature, sign) in [(axis, Float(1)), (axis + width, -1)] {
                        dictionary.encoder[axis * 2 * width + feature] = sign / length
                        dictionary.decoder[feature * width + axis] = sign * length
                    }
                }
                try dictionary.write(to: folder.appending(path: name))
            }
            try "{\"text\": \"aaaabbbbcccccccc\"}\n{\"text\": \"\"}\n7\n{\"text\": \"ddd\"}\n".write(to: folder.appending(path: "corpus.jsonl"), atomically: true, encoding: .utf8)
            try body(folder)
        }
    }

    private func evaluation(_ dictionaries: [String], _ more: [String] = []) -> [String] {
        ["evaluate", "--model", "model", "--corpus", "corpus.jsonl"] + dictionaries.flatMap { ["--sae", $0] } + more
    }

    // The numbers below were computed with numpy from the weights and text above.

    @Test func `one autoencoder has a page`() throws {
        try withWorld { folder in
            let outcome = try run(evaluation(["half"]), in: folder)
            #expect(outcome.output == """
                half  16 features of blocks.0.hook_resid_pre (8 wide) of model
                text       19 tokens of 2 documents, in 3 contexts of up to 8
                L0         0.6316 features a token
                explained  0.2561 of the variance
                error      ‖x − x̂‖² 7.230 a token, 0.488 of ‖x‖²

                Loss in nats: 16 predictions on 19 tokens in 3 contexts
                activations     loss  recovered
                original      0.6888
                spliced       2.3442
                zero-ablated  5.5491  0.6594
                mean-ablated  4.3443  0.5471

                Features: what 19 tokens can tell
                dead          14  never fired: density below 0.16 (95 %)
                insufficient  0  fired fewer than 10 times: rare or ultralow
                ultralow      ?  density below 10⁻⁶, which takes 100,000,000 tokens to tell
                dense         2  on more than a tenth of all tokens

                Densities: features in tenths of log₁₀
                1 │█  █
                  │█  █
                  │█  █
                0 │█  █
                  └────
                   0.20 0.50

                Vectors
                                        minimum  25 %  median  75 %  maximum   mean
                decoder norm                  0     0    1.50  3.00     3.00   1.50
                encoder-decoder cosine        0     0   0.500  1.00     1.00  0.500

                """)
            #expect(outcome.status == 0 && outcome.errors.replacing(#/, [^,]*s, /#, with: ", ") == """
                monoseme: "corpus.jsonl" line 3: an integer instead of an object; skipped
                monoseme: 19 tokens of 2 documents, 1 document without text, 1 line could not be read

                """)
        }
    }

    @Test func `several are compared, for people and for programs`() throws {
        try withWorld { folder in
            let table = try run(evaluation(["half", "whole"]), in: folder)
            #expect(table.output.split(separator: "\n").prefix(3).joined(separator: "\n") == """
                autoencoder  features     L0  explained  error  recovered  dead
                half               16  0.632      0.256  0.488      0.659    14
                whole              16   2.00      1.000      0      1.000    11
                """)
            let json = try run(evaluation(["half", "whole"], ["--json"]), in: folder).output
            let rows = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
            let expected: [[String: Double]] = [
                ["l0": 0.631578947368421, "explained_variance": 0.25613622599836117, "mean_squared_error": 7.230263157894737, "normalized_mean_squared_error": 0.48822745446468235,
                 "loss_original": 0.6887850572333829, "loss_spliced": 2.3442142410205293, "loss_zero_ablated": 5.54907608489522, "loss_mean_ablated": 4.344347173888843,
                 "loss_recovered": 0.659397107217357, "loss_recovered_mean_ablated": 0.5471478445832761, "dead": 14, "insufficient": 0, "dense": 2, "tokens": 19, "loss_predictions": 16,
                 "dead_density_bound": 3 / 19, "density_histogram_first": -0.7, "decoder_norm_maximum": 3, "encoder_decoder_cosine_mean": 0.5],
                ["l0": 2, "explained_variance": 1, "mean_squared_error": 0, "loss_recovered": 1, "dead": 11, "dense": 5, "density_histogram_first": -0.9, "decoder_norm_minimum": 1],
            ]
            try #require(rows.count == 2)
            for (row, facts) in zip(rows, expected) {
                for (name, value) in facts { #expect(abs((row[name] as? Double ?? .nan) - value) < 1e-6, "\(name): \(row[name] ?? "none"), expected \(value)") }
                #expect(row["ultralow"] is NSNull)
            }
            #expect(rows[0]["density_histogram"] as? [Int] == [1, 0, 0, 1] && rows[1]["density_histogram"] as? [Int] == [1, 0, 2, 0, 0, 1, 0, 0, 1])
        }
    }
}
