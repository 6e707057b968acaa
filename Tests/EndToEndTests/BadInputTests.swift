import Foundation
import IngestionSupport
import SQLite
import Testing
import TestSupport

/// One thing done wrong, and all that is said about it.
private struct BadInput: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// What is wrong in a folder that was right.
    var spoil: @Sendable (URL) throws -> Void = { _ in }
    /// In the place of the right arguments.
    var arguments = ingestion()
    var environment: [String: String] = [:]
    var status: Int32 = 1
    let errors: String

    init(_ what: String, _ arguments: [String] = ingestion(), environment: [String: String] = [:], status: Int32 = 1, says message: String, hint: String? = nil,
         _ spoil: @escaping @Sendable (URL) throws -> Void = { _ in }) {
        (testDescription, self.spoil, self.arguments, self.environment, self.status) = (what, spoil, arguments, environment, status)
        errors = "monoseme: \(message)\n" + (hint.map { "  hint: \($0)\n" } ?? "")
    }
}

private func write(_ bytes: some Sequence<UInt8>, _ folder: URL, _ name: String) throws { try Data(bytes).write(to: folder.appending(path: name)) }
private func write(_ text: String, _ folder: URL, _ name: String) throws { try write(text.utf8, folder, name) }

private func replace(_ old: String, _ new: String, _ folder: URL, _ name: String) throws {
    let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    try #require(text.contains(old))
    try write(text.replacingOccurrences(of: old, with: new), folder, name)
}

private func cut(_ folder: URL, _ name: String, to count: Int) throws { try write(try Data(contentsOf: folder.appending(path: name)).prefix(count), folder, name) }

private func evaluation(_ more: [String] = []) -> [String] { ["evaluate", "--model", "model", "--sae", "sae", "--corpus", "corpus.jsonl"] + more }

private func spoilDictionary(_ folder: URL, _ change: (inout TinyDictionary) -> Void) throws {
    var dictionary = TinyDictionary.random(seed: 2)
    change(&dictionary)
    try dictionary.write(to: folder.appending(path: "sae"))
}

private func sql(_ statements: String, _ folder: URL) throws {
    try Connection(path: folder.appending(path: "catalogue.sqlite").path, access: .create).execute(statements)
}

/// How many there are, and so the schema version of this build.
private let migrations = (try? FileManager.default.contentsOfDirectory(atPath: repository.appending(path: "Migrations").path).count) ?? 0

@Suite struct BadInputTests {
    fileprivate static let weights: [BadInput] = [
        BadInput("a safetensors header of 2^63 bytes", says: "\"model/model.safetensors\" is not a valid safetensors file: the header would have 9223372036854775808 bytes, more than 100000000", hint: "the file may be cut short or damaged: fetch or write it again") { try write([0, 0, 0, 0, 0, 0, 0, 0x80] + Array("{}".utf8), $0, "model/model.safetensors") },
        BadInput("a model cut off", says: "\"model/model.safetensors\" is not a valid safetensors file: the tensors take 27520 bytes, but the file holds 18576 after the header", hint: "the file may be cut short or damaged: fetch or write it again") { try cut($0, "model/model.safetensors", to: 20_000) },
        BadInput("an empty model file", says: "\"model/model.safetensors\" is not a valid safetensors file: it has 0 bytes, too few for the header's length", hint: "the file may be cut short or damaged: fetch or write it again") { try cut($0, "model/model.safetensors", to: 0) },
        BadInput("an autoencoder cut off", says: "\"sae/sae_weights.safetensors\" is not a valid safetensors file: the tensors take 12608 bytes, but the file holds 8720 after the header", hint: "the file may be cut short or damaged: fetch or write it again") { try cut($0, "sae/sae_weights.safetensors", to: 9_000) },
        BadInput("NaN in an autoencoder", says: "\"sae/sae_weights.safetensors\": tensor \"W_enc\" holds nan at [1, 2]") { try spoilDictionary($0) { $0.encoder[50] = .nan } },
        BadInput("infinity in an autoencoder", says: "\"sae/sae_weights.safetensors\": tensor \"b_dec\" holds -inf at [3]") { try spoilDictionary($0) { $0.decoderBias[3] = -.infinity } },
        BadInput("NaN in a model", says: "model \"model\": tensor \"transformer.h.0.mlp.c_fc.weight\" holds NaN or infinite numbers", hint: "the training run or the copy failed: use other weights") { folder in
            var model = TinyModel.random(seed: 1)
            model["h.0.mlp.c_fc.weight"].values[7] = .nan
            try model.write(to: folder.appending(path: "model"))
        },
        BadInput("activations beyond single precision", says: "blocks.0.mlp.hook_post of \"model\": activation 0 of row 0 is -inf", hint: "the model's weights may be damaged, or its activations too large for single precision") { folder in
            var model = TinyModel.random(seed: 1)
            model["h.0.mlp.c_fc.weight"].values = model["h.0.mlp.c_fc.weight"].values.map { $0 * 3e38 }
            try model.write(to: folder.appending(path: "model"))
        },
        BadInput("a d_in that is not the hook's width", says: "the autoencoder in \"sae\" reads 16 numbers a token (d_in); blocks.0.mlp.hook_post of \"model\" has 32", hint: "use the model and hook point it was trained on") { folder in
            var dictionary = TinyDictionary(width: 16, features: 4, hook: "blocks.0.mlp.hook_post")
            dictionary.encoder[0] = 1
            try dictionary.write(to: folder.appending(path: "sae"))
        },
        BadInput("a d_in that is not the tensors'", says: "\"sae/sae_weights.safetensors\": tensor \"W_enc\" has shape [32, 48] where cfg.json asks for [64, 48]", hint: "d_in and d_sae in cfg.json must be those of the tensors: do both files belong to the same run?") { try replace("\"d_in\": 32", "\"d_in\": 64", $0, "sae/cfg.json") },
        BadInput("a layer the model has not", says: "model \"model\" has no hook blocks.3.mlp.hook_post", hint: "it has blocks.0 with hook_resid_pre, attn.hook_z, hook_attn_out, hook_resid_mid, mlp.hook_pre, mlp.hook_post, hook_mlp_out, hook_resid_post") { try replace("blocks.0", "blocks.3", $0, "sae/cfg.json") },
        BadInput("a hook nobody has", ingestion(["--hook", "blocks.0.mlp.hook_past"]), says: "\"blocks.0.mlp.hook_past\" is not a hook point that can be read", hint: "those that can are blocks.L.hook_resid_pre, blocks.L.attn.hook_z, blocks.L.hook_attn_out, blocks.L.hook_resid_mid, blocks.L.mlp.hook_pre, blocks.L.mlp.hook_post, blocks.L.hook_mlp_out, blocks.L.hook_resid_post"),
        BadInput("an unknown model", says: "model \"model\": architecture \"bert\" is not supported", hint: "supported architectures: gpt2, gpt_neox") { try replace("\"gpt2\"", "\"bert\"", $0, "model/config.json") },
        BadInput("an unknown autoencoder", says: "\"sae/cfg.json\" has architecture \"transcoder\", which is not supported: it predicts another layer's activations", hint: "supported are standard, topk, batchtopk, matryoshka_batchtopk, jumprelu and gated") { try replace("\"standard\"", "\"transcoder\"", $0, "sae/cfg.json") },
        BadInput("a config.json that is not JSON", says: "\"model/config.json\" is not valid JSON: expected a key at byte 1") { try write("{", $0, "model/config.json") },
        BadInput("a cfg.json that is not JSON", says: "\"sae/cfg.json\" is not valid JSON: expected a value at byte 0") { try write("<html>", $0, "sae/cfg.json") },
        BadInput("a tokenizer with ids beyond the vocabulary", says: "the tokenizer in \"model\" has ids up to 257, the model's vocabulary ends at 256", hint: "use the tokenizer.json that belongs to the model") { try write(byteTokenizer(extra: ["<|extra|>"]), $0, "model/tokenizer.json") },
        BadInput("a tokenizer of another kind", says: "tokenizer \"model/tokenizer.json\": model: \"type Unigram\" is not supported", hint: "byte-level BPE in the manner of GPT-2, GPT-NeoX, Llama 3 and Qwen 2 is read") { try replace("\"BPE\"", "\"Unigram\"", $0, "model/tokenizer.json") },
        BadInput("no tokenizer", says: "cannot open \"model/tokenizer.json\": No such file or directory") { try FileManager.default.removeItem(at: $0.appending(path: "model/tokenizer.json")) },
        BadInput("no model", says: "cannot open \"model\": No such file or directory") { try FileManager.default.removeItem(at: $0.appending(path: "model")) },
        BadInput("no autoencoder", says: "there is no \"sae/cfg.json\"", hint: "an SAE is a folder with cfg.json and sae_weights.safetensors, as SAELens saves it") { try FileManager.default.removeItem(at: $0.appending(path: "sae")) },
        BadInput("contexts the model cannot read", ingestion(["--context", "100"]), says: "a context of 100 tokens is more than \"model\" can read (32)", hint: "give --context 32 or less"),
        BadInput("contexts with room for the BOS token alone", ingestion(["--context", "1", "--prepend-bos"]), says: "a context of 1 tokens has no room beside the BOS token", hint: "give --context 2 or more"),
    ]

    fileprivate static let corpora: [BadInput] = [
        BadInput("no corpus", says: "there is no corpus at \"corpus.jsonl\"", hint: "check the path, or give - for standard input") { try FileManager.default.removeItem(at: $0.appending(path: "corpus.jsonl")) },
        BadInput("an empty corpus", says: "the corpus \"corpus.jsonl\" holds no text", hint: "check the file, --text-field and --corpus") { try write("", $0, "corpus.jsonl") },
        BadInput("a corpus of empty documents", says: "the corpus \"corpus.jsonl\" holds no text", hint: "check the file, --text-field and --corpus") { try write("{\"text\": \"\"}\n", $0, "corpus.jsonl") },
        BadInput("a corpus of bad lines", says: "\"corpus.jsonl\" line 1: no member \"text\"; skipped\nmonoseme: \"corpus.jsonl\" line 2: an integer instead of an object; skipped\nmonoseme: the corpus \"corpus.jsonl\" holds no text (2 lines could not be read)", hint: "check the file, --text-field and --corpus") { try write("{}\n7\n", $0, "corpus.jsonl") },
        BadInput("a bad line where strictness was asked for", ingestion(["--strict"]), says: "\"corpus.jsonl\" line 3: the member \"text\" is an integer, not a string", hint: "mend the line, or leave out --strict to skip such lines") { try write("{\"text\": \"a\"}\n\n{\"text\": 1}\n", $0, "corpus.jsonl") },
        BadInput("a line that is not UTF-8 where strictness was asked for", ingestion(["--strict"]), says: "\"corpus.jsonl\" line 1: not JSON (a string that is not UTF-8 at byte 10)", hint: "mend the line, or leave out --strict to skip such lines") { try write(Array("{\"text\": \"".utf8) + [0xff] + Array("\"}\n".utf8), $0, "corpus.jsonl") },
        BadInput("an empty folder", ingestion(corpus: "folder"), says: "the corpus \"folder\" holds no files", hint: "give JSONL or text files, or a folder of them") { try FileManager.default.createDirectory(at: $0.appending(path: "folder"), withIntermediateDirectories: false) },
        BadInput("a damaged archive", ingestion(corpus: "corpus.jsonl.gz"), says: "gzip could not unpack \"corpus.jsonl.gz\": it is damaged or cut off", hint: "test it with: gzip -t FILE") { try write("not packed", $0, "corpus.jsonl.gz") },
        BadInput("no zstd", ingestion(corpus: "corpus.jsonl.zst"), environment: ["PATH": "/nowhere"], says: "cannot run zstd to unpack \"corpus.jsonl.zst\": No such file or directory", hint: "install it: apt-get install zstd") { try write("whatever", $0, "corpus.jsonl.zst") },
    ]

    fileprivate static let catalogues: [BadInput] = [
        BadInput("a catalogue that is not SQLite", says: "\"catalogue.sqlite\" is not an SQLite database", hint: "name a catalogue with --catalogue FILE") { try write("this is a letter, not a database, whatever its name may say", $0, "catalogue.sqlite") },
        BadInput("somebody else's database", says: "\"catalogue.sqlite\" is an SQLite database, but not a Monoseme catalogue", hint: "name another file with --catalogue FILE") { try sql("CREATE TABLE song (name TEXT)", $0) },
        BadInput("a catalogue of a newer version", says: "\"catalogue.sqlite\" was made by a newer version of Monoseme (schema 99, this one knows up to \(migrations))", hint: "update monoseme") { folder in
            try #require(try run(ingestion(), in: folder).status == 0)
            try sql("PRAGMA user_version = 99", folder)
        },
        BadInput("a catalogue that is a folder", says: "\"catalogue.sqlite\" is a folder, not a catalogue") { try FileManager.default.createDirectory(at: $0.appending(path: "catalogue.sqlite"), withIntermediateDirectories: false) },
        BadInput("a catalogue in a folder that is not there", ingestion(into: "none/catalogue.sqlite"), says: "cannot write \"none/catalogue.sqlite\": No such file or directory", hint: "choose a place you may write to with --catalogue FILE"),
        // A folder that even root may not write to.
        BadInput("a catalogue in a read-only folder", ingestion(into: "/sys/catalogue.sqlite"), says: "cannot write \"/sys/catalogue.sqlite\": Permission denied", hint: "choose a place you may write to with --catalogue FILE"),
        BadInput("a damaged catalogue", says: "\"catalogue.sqlite\" is damaged: database disk image is malformed", hint: "monoseme check says where; restore it from a copy or ingest again") { folder in
            try #require(try run(ingestion(), in: folder).status == 0)
            let path = folder.appending(path: "catalogue.sqlite")
            var bytes = try Data(contentsOf: path)
            for place in stride(from: 16_384, to: bytes.count, by: 64) { bytes[place] = 0xee }
            try bytes.write(to: path)
        },
        BadInput("a name that is taken", ingestion(["--context", "16"]), says: "the name T/0 is taken in \"catalogue.sqlite\": it stands for a run with contexts of 32 tokens", hint: "give this run another name with --name, use another catalogue, or put it in the place of what is there with --replace") { try #require(try run(ingestion(), in: $0).status == 0) },
    ]

    fileprivate static let commandLines: [BadInput] = [
        BadInput("no command", [], status: 2, says: "no command given", hint: "`monoseme --help` lists the commands"),
        BadInput("an unknown command", ["injest"], status: 2, says: "unknown command \"injest\"", hint: "did you mean ingest? `monoseme --help` lists the commands"),
        BadInput("no --model", ["ingest", "--sae", "sae", "--name", "T/0", "--corpus", "corpus.jsonl"], status: 2, says: "missing option --model DIR", hint: "see `monoseme ingest --help`"),
        BadInput("more names than autoencoders", ingestion(["--name", "T/1"]), status: 2, says: "1 --sae and 2 --name were given", hint: "give each autoencoder one name, in the same order; see `monoseme ingest --help`"),
        BadInput("a name that is none", ["ingest", "--model", "model", "--sae", "sae", "--name", "T", "--corpus", "corpus.jsonl"], status: 1, says: "\"T\" is not a dictionary name", hint: "a dictionary version is named family/version, such as A/1, in letters, digits and . _ - + :"),
        BadInput("one name for two", ingestion(["--sae", "sae", "--name", "T/0"]), says: "the name T/0 is given to two autoencoders", hint: "give each its own --name"),
        BadInput("an unknown option", ingestion(["--limit-token", "5"]), status: 2, says: "unknown option \"--limit-token\"", hint: "did you mean --limit-tokens? See `monoseme ingest --help`"),
        BadInput("a number that is none", ingestion(["--limit-tokens", "many"]), status: 2, says: "--limit-tokens: found \"many\", expected a whole number, 1 or more", hint: "see `monoseme ingest --help`"),
        BadInput("a number out of range", ingestion(["--threads", "0"]), status: 2, says: "--threads: found \"0\", expected a whole number, 1 to 256", hint: "see `monoseme ingest --help`"),
        BadInput("a rule that is none", ingestion(["--keep", "top:0"]), status: 2, says: "--keep: found \"top:0\", expected all, or top:N with N of 1 or more", hint: "see `monoseme ingest --help`"),
    ]

    fileprivate static let evaluations: [BadInput] = [
        BadInput("an evaluation of an autoencoder with NaN", evaluation(), says: "\"sae/sae_weights.safetensors\": tensor \"W_enc\" holds nan at [1, 2]") { try spoilDictionary($0) { $0.encoder[50] = .nan } },
        BadInput("an evaluation at a hook of another width", evaluation(["--hook", "blocks.0.hook_resid_post"]), says: "the autoencoder in \"sae\" reads 32 numbers a token (d_in); blocks.0.hook_resid_post of \"model\" has 16", hint: "use the model and hook point it was trained on"),
        BadInput("an evaluation of activations beyond single precision", evaluation(), says: "blocks.0.mlp.hook_post of \"model\": activation 0 of row 0 is -inf", hint: "the model's weights may be damaged, or its activations too large for single precision") { folder in
            var model = TinyModel.random(seed: 1)
            model["h.0.mlp.c_fc.weight"].values = model["h.0.mlp.c_fc.weight"].values.map { $0 * 3e38 }
            try model.write(to: folder.appending(path: "model"))
        },
        BadInput("an evaluation of reconstructions beyond single precision", evaluation(), says: "the loss with what \"sae\" makes of its activations is not a finite number", hint: "the weights may be damaged, or too large for single precision") { folder in
            try spoilDictionary(folder) { for place in $0.decoder.indices { $0.decoder[place] *= 1e19; $0.encoder[place] *= 1e19 } }
        },
        BadInput("an evaluation of two hook points", evaluation(["--sae", "other"]), says: "the autoencoders read different hook points: \"blocks.0.hook_resid_post\", \"blocks.0.mlp.hook_post\"", hint: "take those of each hook point in a run of their own") { folder in
            var dictionary = TinyDictionary(width: 16, features: 4, hook: "blocks.0.hook_resid_post")
            dictionary.encoder[0] = 1
            try dictionary.write(to: folder.appending(path: "other"))
        },
        BadInput("an evaluation on an empty corpus", evaluation(), says: "the corpus \"corpus.jsonl\" holds no text", hint: "check the file, --text-field and --corpus") { try write("", $0, "corpus.jsonl") },
        BadInput("an evaluation on single tokens", evaluation(), says: "no document of the corpus \"corpus.jsonl\" has two tokens, so there is no loss to measure", hint: "give longer texts, or --prepend-bos") { try write("{\"text\": \"a\"}\n{\"text\": \"b\"}\n", $0, "corpus.jsonl") },
        BadInput("an evaluation in contexts of one token", evaluation(["--context", "1"]), says: "contexts of one token predict nothing, so there is no loss to measure", hint: "give --context 2 or more"),
        BadInput("an evaluation of nothing", ["evaluate", "--model", "model", "--corpus", "corpus.jsonl"], status: 2, says: "missing option --sae DIR", hint: "see `monoseme evaluate --help`"),
        BadInput("losses on no tokens", evaluation(["--losses-on", "0"]), status: 2, says: "--losses-on: found \"0\", expected a whole number, 1 or more", hint: "see `monoseme evaluate --help`"),
    ]

    @Test(arguments: weights + corpora + catalogues + commandLines + evaluations) fileprivate func `bad input gets a clear message, and nothing is lost`(of bad: BadInput) throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 10)
            try bad.spoil(folder)
            let path = folder.appending(path: "catalogue.sqlite").path, before = try? CatalogueRows(path: path)
            let outcome = try run(bad.arguments, in: folder, environment: bad.environment)
            #expect(outcome == Outcome(status: bad.status, errors: bad.errors))
            #expect((try? CatalogueRows(path: path)) == before || before == nil)
        }
    }

    @Test func `odd input is taken as it is, and what was odd is said`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 10)
            // A line of 50 MB, an empty document, a bad line, and text that is not UTF-8.
            try write(Array("{\"text\": \"".utf8) + [UInt8](repeating: UInt8(ascii: "m"), count: 50_000_000) + Array("\"}\n".utf8), folder, "long.jsonl")
            try write(Array("{\"text\": \"\"}\n{\"text\": \"".utf8) + [0xff] + Array("\"}\n{\"text\": \"a\"}\n".utf8), folder, "odd.jsonl")
            try write([0xff, 0xfe, 0x61, 0x00], folder, "odd.txt")
            let odd = try run(ingestion(corpus: "odd.jsonl", ["--corpus", "odd.txt"]), in: folder)
            #expect(odd.status == 0)
            #expect(odd.errors.replacing(#/[\d,]+ firings, [\d.]+ \w?B, .*? m?s, /#, with: "") == """
                monoseme: "odd.jsonl" line 2: not JSON (a string that is not UTF-8 at byte 10); skipped
                monoseme: T/0: 9 tokens of 2 documents, 1 document without text, 1 line could not be read

                """)
            let long = try run(ingestion(into: "long.sqlite", corpus: "long.jsonl", ["--limit-tokens", "100000"]), in: folder)
            #expect(long.status == 0 && long.errors.contains("T/0: 100,000 tokens of 1 document"), "\(long)")
        }
    }
}
