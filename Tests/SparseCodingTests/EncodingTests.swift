import Foundation
import Kernels
import Numerics
import Testing
import TestSupport

@testable import SparseCoding

/// Whole SAEs against their formulas in double precision.
@Suite struct EncodingTests {
    struct Case: CustomTestStringConvertible {
        var sae: PlainAutoencoder
        var tokens = 29
        var testDescription: String {
            "\(sae.kind) \(sae.width) × \(sae.features)\(sae.rescales ? ", rescaled" : ""), \(sae.normalization)\(sae.appliesDecoderBias ? ", b_dec" : "")"
        }
    }

    static let cases: [Case] = PlainAutoencoder.Kind.allCases.enumerated().flatMap { index, kind in
        [("none", true, 24, 70), ("layer_norm", true, 33, 32), ("constant_norm_rescale", false, 16, 129), ("none", false, 7, 5)].map {
            var sae = PlainAutoencoder(kind, width: $0.2, features: $0.3, seed: UInt64(index))
            (sae.normalization, sae.appliesDecoderBias) = ($0.0, $0.1)
            return Case(sae: sae)
        }
    } + [0, 1].map {
        var sae = PlainAutoencoder(.topk, width: 20, features: 90, seed: UInt64(77 + $0))
        sae.rescales = true
        return Case(sae: sae)
    }

    static func load(_ sae: PlainAutoencoder, inputScale: Float? = nil) throws -> SparseAutoencoder {
        try withTemporaryFolder { folder in
            try sae.write(to: folder)
            return try SparseAutoencoder(folder: folder.path, inputScale: inputScale)
        }
    }

    static func activations(tokens: Int, width: Int, seed: UInt64 = 5) -> Matrix {
        var random = SeededGenerator(seed)
        return Matrix(rows: tokens, columns: width, random.floats(tokens * width, 1.5).map { $0 + 0.2 })
    }

    @Test(arguments: cases)
    func `activations and reconstructions are those of the formulas`(test: Case) throws {
        let sae = try Self.load(test.sae)
        let x = Self.activations(tokens: test.tokens, width: test.sae.width)
        let firings = try sae.encode(x)
        let reconstruction = sae.reconstruct(firings, of: x)
        #expect(firings.tokens == test.tokens)
        for token in 0..<test.tokens {
            let own = test.sae.encode(x.doubles(token))
            let fires = own.indices.filter { own[$0] > 0 }
            #expect(firings.features[firings[token]].map(Int.init) == fires)
            for (feature, value) in zip(fires, firings.values[firings[token]]) {
                let norm = test.sae.rescales ? 1 : test.sae.norm(feature)
                #expect(abs(Double(value) - own[feature] * norm) < 1e-5)
            }
            let expected = test.sae.decode(own, of: x.doubles(token))
            for column in 0..<test.sae.width { #expect(abs(Double(reconstruction[token, column]) - expected[column]) < 1e-5) }
        }
        #expect(firings.count > test.tokens / 2, "too few firings to prove anything")
    }

    @Test(arguments: cases)
    func `a token's firings do not depend on its block or on the processor's vectors`(test: Case) throws {
        let sae = try Self.load(test.sae)
        let x = Self.activations(tokens: 400, width: test.sae.width)
        let whole = try sae.encode(x)
        var pieces = Firings(), scratch = EncoderScratch(), first = 0
        for count in [1, 13, 12, 100, 274] {
            let block = Matrix(rows: count, columns: x.columns, x.elements[first * x.columns..<(first + count) * x.columns])
            try sae.encode(block, into: &pieces, scratch: &scratch)
            first += count
        }
        #expect(pieces == whole)
        for level in 1..<max(1, kernel_encode_best()) {
            var others = Firings()
            try sae.encode(x, into: &others, scratch: &scratch, level: level)
            #expect(others == whole)
        }
    }

    @Test func `several threads encode with one SAE`() async throws {
        let sae = try Self.load(Self.cases[4].sae)
        let expected = try sae.encode(Self.activations(tokens: 200, width: sae.width))
        try await withThrowingTaskGroup(of: Firings.self) { group in
            for _ in 0..<4 { group.addTask { try sae.encode(Self.activations(tokens: 200, width: sae.width)) } }
            for try await firings in group { #expect(firings == expected) }
        }
    }

    @Test func `of equal pre-activations TopK takes the lower features`() throws {
        var plain = PlainAutoencoder(.topk, width: 4, features: 70, seed: 1)
        plain.k = 3
        plain.tensors["W_enc"] = [Float](repeating: 0, count: 280)
        plain.tensors["b_enc"] = (0..<70).map { [5, 40, 41, 69].contains($0) ? 1 : 0.5 }
        let firings = try Self.load(plain).encode(Self.activations(tokens: 20, width: 4))
        for token in 0..<20 { #expect(Array(firings.features[firings[token]]) == [5, 40, 41]) }
    }

    @Test func `TopK finds its k however the tokens differ in size`() throws {
        var plain = PlainAutoencoder(.topk, width: 16, features: 200, seed: 3)
        plain.appliesDecoderBias = false
        plain.tensors["b_enc"] = [Float](repeating: 0, count: 200)
        let sae = try Self.load(plain)
        let x = Self.activations(tokens: 300, width: 16)
        for token in 0..<300 { for column in 0..<16 { x[token, column] *= [1, 1000, 0.001, 0, 30][token % 5] } }
        let firings = try sae.encode(x)
        for token in 0..<300 {
            let own = plain.encode(x.doubles(token))
            #expect(firings.features[firings[token]].map(Int.init) == own.indices.filter { own[$0] > 0 })
        }
    }

    @Test func `a decoder row of zeros stays zero and leaves its activations alone`() throws {
        var plain = PlainAutoencoder(.standard, width: 5, features: 3, seed: 2)
        plain.tensors["W_dec"]!.replaceSubrange(5..<10, with: [0, 0, 0, 0, 0])
        plain.tensors["b_enc"] = [9, 9, 9]
        let sae = try Self.load(plain)
        let x = Self.activations(tokens: 2, width: 5)
        let firings = try sae.encode(x)
        #expect(sae.decoderNorms[1] == 0 && sae.activationScales[1] == 1)
        #expect((0..<5).allSatisfy { sae.decoder[1, $0] == 0 })
        #expect(abs(Double(firings.values[1]) - plain.encode(x.doubles(0))[1]) < 1e-5)
    }

    @Test func `decoder rows have length one, and the file's lengths are kept`() throws {
        let plain = PlainAutoencoder(.standard, width: 40, features: 9, seed: 2)
        let sae = try Self.load(plain)
        for feature in 0..<9 {
            #expect(abs(Double(sae.decoderNorms[feature]) - plain.norm(feature)) < 1e-6)
            let length = sae.decoder.doubles(feature).reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(length - 1) < 1e-6)
        }
    }

    @Test func `the cosine of encoder and decoder is that of the file's tensors`() throws {
        var plain = PlainAutoencoder(.standard, width: 10, features: 40, seed: 2)
        for i in 0..<10 { plain.tensors["W_enc"]![i * 40 + 37] = 3 * plain.tensors["W_dec"]![370 + i] }
        for i in 0..<10 { plain.tensors["W_enc"]![i * 40 + 2] = 0 }
        let cosines = try Self.load(plain).encoderDecoderCosines()
        #expect(abs(cosines[37] - 1) < 1e-6 && cosines[2] == 0)
        let e = (0..<10).map { Double(plain.tensors["W_enc"]![$0 * 40 + 5]) }, d = (0..<10).map { Double(plain.tensors["W_dec"]![50 + $0]) }
        let inner = zip(e, d).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(Double(cosines[5]) - inner / (plain.norm(5) * e.reduce(0) { $0 + $1 * $1 }.squareRoot())) < 1e-6)
    }

    @Test func `an input scale is folded into the weights`() throws {
        var plain = PlainAutoencoder(.standard, width: 12, features: 20, seed: 9)
        plain.extra = [("normalize_activations", "\"expected_average_only_in\"")]
        let sae = try Self.load(plain, inputScale: 0.5)
        let x = Self.activations(tokens: 3, width: 12)
        let firings = try sae.encode(x), reconstruction = sae.reconstruct(firings, of: x)
        for token in 0..<3 {
            let scaled = x.doubles(token).map { $0 * 0.5 }
            let own = plain.encode(scaled), expected = plain.decode(own, of: scaled)
            #expect(firings.features[firings[token]].map(Int.init) == own.indices.filter { own[$0] > 0 })
            for column in 0..<12 { #expect(abs(Double(reconstruction[token, column]) - expected[column] / 0.5) < 1e-5) }
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `an activation that is not a number is refused by place`(bad: Float) throws {
        let sae = try Self.load(PlainAutoencoder(.standard, width: 5, features: 3, seed: 2))
        let x = Self.activations(tokens: 4, width: 5)
        x[2, 3] = bad
        #expect { try sae.encode(x) } throws: { "\($0)".contains("activation 3 of row 2 is \(bad)") }
    }
}
