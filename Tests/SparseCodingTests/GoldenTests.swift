import Formats
import Foundation
import Numerics
import Testing
import TestSupport

@testable import SparseCoding

/// SAEs in every form SAELens has written, with what SAELens makes of them.
@Suite struct GoldenTests {
    struct Case: Decodable, CustomTestStringConvertible {
        let folder, expectation: String
        let tolerance: Float?
        var testDescription: String { folder }
    }

    static let cases: [Case] = {
        guard let data = FileManager.default.contents(atPath: fixture("goldens/saes/cases.json")) else { return [] }
        return (try? JSONDecoder().decode([Case].self, from: data)) ?? []
    }()

    @Test func `there are cases of both kinds`() {
        #expect(Set(Self.cases.map(\.expectation)) == ["ok", "refused"])
    }

    @Test(arguments: cases.filter { $0.expectation == "ok" })
    func `activations and reconstructions are the reference's`(test: Case) throws {
        try compare(fixture("goldens/saes/\(test.folder)"), tolerance: try #require(test.tolerance))
    }

    /// Dictionaries that `monoseme train` wrote, one a recipe, encoded by sae-lens.
    @Test(arguments: ["towards-monosemanticity", "april-2024", "topk", "batch-topk", "matryoshka", "jumprelu"])
    func `what the trainer writes means the same to SAELens`(recipe: String) throws {
        try compare(fixture("goldens/training/saelens/\(recipe)"), tolerance: 1e-5)
    }

    private func compare(_ folder: String, tolerance: Float) throws {
        // The reference ignores the unknown factor of these at run time, which is a scale of 1.
        let isUnscaled = try SAEConfiguration(contentsOf: folder + "/cfg.json").normalization == .expectedAverage
        let sae = try SparseAutoencoder(folder: folder, inputScale: isUnscaled ? 1 : nil)
        let golden = try SafetensorsFile(folder + "/golden.safetensors")
        let x = try #require(golden["x"]).matrix()
        let expected = try #require(golden["feature_acts"]).matrix(), reconstruction = try #require(golden["reconstruction"]).matrix()

        let firings = try sae.encode(x)
        var worst: Float = 0
        for token in 0..<x.rows {
            #expect(firings.features[firings[token]].map(Int.init) == (0..<sae.features).filter { expected[token, $0] > 0 })
            for place in firings[token] {
                let feature = Int(firings.features[place])
                worst = max(worst, abs(firings.values[place] / sae.activationScales[feature] - expected[token, feature]))
            }
        }
        #expect(worst <= tolerance)
        let ours = sae.reconstruct(firings, of: x)
        #expect(zip(ours.elements, reconstruction.elements).allSatisfy { abs($0 - $1) <= tolerance })
    }

    /// What each refusal's message must name.
    static let named = [
        "refused-tanh-relu": "tanh-relu", "refused-unknown-architecture": "architecture", "refused-unknown-normalisation": "normalize_activations",
        "refused-whitening": "covariance_whitening", "refused-abstopk": "abstopk", "refused-matching-pursuit": "matching_pursuit",
        "refused-temporal": "temporal", "refused-transcoder": "transcoder", "refused-jumprelu-skip-transcoder": "jumprelu_skip_transcoder",
        "refused-missing-tensor": "b_dec", "refused-wrong-shape": "W_enc", "refused-scaling-factor": "scaling_factor", "refused-no-k": "k",
    ]

    @Test(arguments: cases.filter { $0.expectation == "refused" })
    func `what would be misread is refused by name`(test: Case) throws {
        let name = try #require(Self.named[test.folder])
        #expect { _ = try SparseAutoencoder(folder: fixture("goldens/saes/\(test.folder)")) } throws: { "\($0)".contains(name) }
    }
}
