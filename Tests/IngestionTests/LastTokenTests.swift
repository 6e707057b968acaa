import Diagnostics
import FeatureCatalogue
import Foundation
@testable import Ingestion
import IngestionSupport
import Testing
import TestSupport

/// The planted world of `PlantedTests`: what fires on a letter at a place is arithmetic.
@Suite struct LastTokenTests {
    private struct World {
        let folder: URL
        var names = ["P/0"]
        var change: (inout IngestionRequest) -> Void = { _ in }

        func path(_ name: String) -> String { folder.appending(path: name).path }

        /// Replaces text in the autoencoder's configuration.
        func configure(_ old: String, _ new: String) throws {
            let file = folder.appending(path: "dictionary/cfg.json"), text = try String(contentsOf: file, encoding: .utf8)
            try #require(text.contains(old))
            try Data(text.replacingOccurrences(of: old, with: new).utf8).write(to: file)
        }

        func ingest() throws -> Catalogue {
            try Data("{\"text\": \"abcdef\"}\n".utf8).write(to: folder.appending(path: "corpus.jsonl"))
            var request = IngestionRequest(modelFolder: path("model"), autoencoders: try names.map { (path("dictionary"), try DictionaryName(parsing: $0)) },
                                           corpus: CorpusOptions(paths: [path("corpus.jsonl")]), catalogue: path("c.sqlite"))
            change(&request)
            _ = try Ingestion(request).run()
            return try Catalogue(path: path("c.sqlite"), for: .reading)
        }

        func ask(_ text: String, in name: String? = nil, _ catalogue: Catalogue) throws -> LastToken {
            try lastToken(of: text, model: path("model"), autoencoder: path("dictionary"), in: try name.map { try DictionaryName(parsing: $0) }, catalogue)
        }

        func refusal(_ catalogue: Catalogue, in name: String? = nil, text: String = "a") -> String? {
            do { _ = try ask(text, in: name, catalogue) } catch { return ((error as? MonosemeError)?.message ?? "\(error)").replacingOccurrences(of: folder.path + "/", with: "") }
            return nil
        }
    }

    private func withWorld(_ body: (World) throws -> Void) throws {
        try withTemporaryFolder { folder in
            try Planted.write(to: folder)
            try body(World(folder: folder))
        }
    }

    private func expect(_ token: LastToken, _ firings: [(feature: Int, activation: Float, cosine: Double)], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(token.firings.map(\.feature) == firings.map(\.feature), sourceLocation: sourceLocation)
        for (found, planted) in zip(token.firings, firings) {
            #expect(abs(found.activation - planted.activation) < 1e-5, sourceLocation: sourceLocation)
            #expect(abs(Double(found.cosine ?? 9) - planted.cosine) < 1e-6, sourceLocation: sourceLocation)
        }
    }

    // The residual stream before layer 0 holds the letter's value on its axis and the place, from 1, on axis 7.

    @Test func `the last token's firings are those planted, strongest first, with their cosines`() throws {
        try withWorld { world in
            let catalogue = try world.ingest(), token = try world.ask("abc", catalogue)
            #expect((token.token, token.tokens, token.tokensRead, token.beginsWithBOS, token.isLessDecoderBias) == ("c", 3, 3, false, false))
            #expect(token.dictionary.name.description == "P/0")
            // x = 4 on axis 2 and 3 on axis 7; feature 9 writes nothing.
            expect(token, [(2, 6, 0.8), (7, 5, 0.6), (9, 1, 0)])
            // The same as the ingest kept for the same token: position 2 of "abcdef".
            let run = try catalogue.run(of: token.dictionary.name)
            for firing in token.firings {
                let list = try catalogue.firings(of: firing.feature, in: run), place = try #require(list.positions.firstIndex(of: 2))
                #expect(abs(list.values[place] - firing.activation) < 1e-5)
            }
            #expect(try world.ask("abx", catalogue).firings.map(\.feature) == [7, 9])
            #expect(try world.ask("a<|endoftext|>", catalogue).token == "<|endoftext|>")
        }
    }

    @Test func `a text longer than the context is read from its end`() throws {
        try withWorld { world in
            let token = try world.ask("ffffabcdefabc", try world.ingest())
            #expect((token.tokens, token.tokensRead) == (13, 8))
            // 4 on axis 2, place 8 on axis 7.
            expect(token, [(7, 15, 8 / 80.0.squareRoot()), (2, 6, 4 / 80.0.squareRoot()), (9, 1, 0)])
        }
    }

    @Test func `the run's BOS token goes first and takes its place`() throws {
        try withWorld { plain in
            var world = plain
            world.change = { $0.prependsBOS = true }
            let catalogue = try world.ingest(), token = try world.ask("ab", catalogue)
            #expect((token.tokensRead, token.beginsWithBOS) == (2, true))
            // 3 on axis 1, place 3 on axis 7.
            expect(token, [(7, 5, 0.5.squareRoot()), (1, 4, 0.5.squareRoot()), (9, 1, 0)])
            #expect(try world.ask("abcdefab", catalogue).tokensRead == 7)
        }
    }

    @Test func `the cosine is of what is left after b_dec where the autoencoder subtracts it`() throws {
        try withWorld { world in
            var dictionary = TinyDictionary(width: 10, features: 2, hook: "blocks.0.hook_resid_pre")
            dictionary.contextSize = 8
            for feature in 0..<2 { (dictionary.encoder[(feature == 0 ? 2 : 7) * 2 + feature], dictionary.decoder[feature * 10 + (feature == 0 ? 2 : 7)]) = (1, 2) }
            dictionary.decoderBias[2] = 1
            try dictionary.write(to: world.folder.appending(path: "dictionary"))
            try world.configure("\"apply_b_dec_to_input\": false", "\"apply_b_dec_to_input\": true")
            let token = try world.ask("abc", try world.ingest())
            #expect(token.isLessDecoderBias)
            // 4 − 1 on axis 2, 3 on axis 7; a tie goes to the lower index.
            expect(token, [(0, 6, 0.5.squareRoot()), (1, 6, 0.5.squareRoot())])
        }
    }

    @Test func `the run's input scale is used, and a normalising autoencoder's direction is the normalised one`() throws {
        try withWorld { plain in
            var world = plain
            world.change = { $0.inputScale = 0.5 }
            try world.configure("\"normalize_activations\": \"none\"", "\"normalize_activations\": \"expected_average_only_in\"")
            // 0.5 · 4 − 1 and 0.5 · 3 − 0.5 in the file's unit, times row length 2 / 0.5.
            expect(try world.ask("abc", try world.ingest()), [(2, 4, 0.8), (7, 4, 0.6), (9, 1, 0)])
        }
        try withWorld { world in
            try world.configure("\"normalize_activations\": \"none\"", "\"normalize_activations\": \"layer_norm\"")
            // Less the mean 0.7: 3.3 and 2.3 of a length of √(25 − 10 · 0.49).
            let found = try world.ask("abc", try world.ingest()).firings
            for (feature, part) in [(2, 3.3), (7, 2.3)] {
                let cosine = try #require(found.first { $0.feature == feature }?.cosine)
                #expect(abs(Double(cosine) - part / 20.1.squareRoot()) < 1e-6)
            }
        }
    }

    @Test func `where nothing fires nothing is listed`() throws {
        try withWorld { world in
            var dictionary = TinyDictionary(width: 10, features: 2, hook: "blocks.0.hook_resid_pre")
            dictionary.contextSize = 8
            (dictionary.encoderBias, dictionary.decoder[0], dictionary.decoder[11]) = ([-1, -1], 1, 1)
            try dictionary.write(to: world.folder.appending(path: "dictionary"))
            #expect(try world.ask("abc", try world.ingest()).firings == [])
        }
    }

    @Test func `files that are not those of the ingest are refused`() throws {
        try withWorld { world in
            let catalogue = try world.ingest()
            #expect(world.refusal(catalogue, text: "") == "the text is empty: it has no last token")
            #expect(world.refusal(catalogue, in: "P/9") == "no dictionary \"P/9\" in \"c.sqlite\"")

            let tokenizer = world.folder.appending(path: "model/tokenizer.json"), own = try Data(contentsOf: tokenizer)
            try (own + Data("\n".utf8)).write(to: tokenizer)
            #expect(world.refusal(catalogue)?.hasPrefix("the tokenizer in \"model\" is not what P/0 was made with: its sha256 is ") == true)
            try own.write(to: tokenizer)

            try TinyModel(width: 10, mlpWidth: 4, contextLength: 8).write(to: world.folder.appending(path: "model"))
            #expect(world.refusal(catalogue)?.hasPrefix("the model in \"model\" is not what P/0 was made with: its sha256 is ") == true)
            try Planted.write(to: world.folder)

            try world.configure("\"none\"", "\"layer_norm\"")
            #expect(world.refusal(catalogue) == "\"dictionary/cfg.json\" is not the one that P/0 was ingested with")

            try TinyDictionary(width: 10, features: 10, hook: "blocks.0.hook_resid_pre").write(to: world.folder.appending(path: "dictionary"))
            #expect(world.refusal(catalogue)?.hasPrefix("no dictionary in \"c.sqlite\" was made with \"dictionary/sae_weights.safetensors\" (sha256 ") == true)
            #expect(world.refusal(catalogue, in: "P/0")?.hasPrefix("\"dictionary/sae_weights.safetensors\" is not what P/0 was made with: its sha256 is ") == true)
        }
    }

    @Test func `of two dictionaries of one autoencoder one must be named`() throws {
        try withWorld { plain in
            var world = plain
            world.names = ["P/0", "P/1"]
            let catalogue = try world.ingest()
            #expect(world.refusal(catalogue) == "2 dictionaries were made with \"dictionary/sae_weights.safetensors\": P/0, P/1")
            #expect(try world.ask("abc", in: "P/1", catalogue).dictionary.name.description == "P/1")
        }
    }
}
