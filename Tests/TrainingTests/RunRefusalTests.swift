import Diagnostics
import Foundation
import Formats
import Ingestion
import IngestionSupport
import Testing
import TestSupport
import Training

@Suite struct RunRefusalTests {
    /// What is asked for, what the message says of it, and what to do.
    @Test func `what makes no sense is refused before anything is written`() throws {
        try TinyTraining.with { tiny in
            var shard = ShardFile()
            shard.add("x", "F32", [300, 3], ShardFile.numbered(0..<300, 3))
            try shard.write(to: tiny.folder.appending(path: "narrow.safetensors"))
            // No memory holds a row of it, and none is there.
            var wide = ShardFile()
            wide.add("x", "F32", [0, 1 << 61], [])
            try wide.write(to: tiny.folder.appending(path: "wide.safetensors"))
            try tiny.writeCorpus("", "empty.jsonl")
            let cases: [(String, String, (inout TrainingRequest) -> Void)] = [
                ("no size was given", "--features 512,4096", { $0.features = [] }),
                ("a dictionary of 0 features makes no sense", "1 or more", { $0.features = [48, 0] }),
                ("a dictionary of -5 features makes no sense", "1 or more", { $0.features = [-5] }),
                ("the size 48 is given twice", "once", { $0.features = [48, 64, 48] }),
                ("a batch of 0 samples makes no sense", "--batch 1 or more", { $0.batchSize = 0 }),
                ("255 samples do not fill a batch of 256", "smaller --batch", { $0.samples = 255 }),
                ("do not fill a batch of 100000", "smaller --batch", { $0.batchSize = 100_000 }),
                ("33554432 features with batches of 256 are more than can be trained", "16777216 features", { $0.features = [1 << 25]; $0.samples = 256 }),
                ("of memory at least, and the machine has", "smaller --batch", { $0.features = [1 << 24]; $0.batchSize = 1 << 20; $0.samples = 1 << 20 }),
                ("holds no rows", "shards with activations", { $0.source = .activations([tiny.path("wide.safetensors")]); $0.modelFolder = nil; $0.samples = 256 }),
                ("there is no recipe \"cake\"", "recipes are towards-monosemanticity, april-2024, topk, batch-topk, matryoshka, jumprelu", { $0.recipe = "cake" }),
                ("recipe towards-monosemanticity has no constant \"k\"", "recipes that have it: topk, batch-topk, matryoshka", { $0.constants = ["k": "4"] }),
                ("constant l1 is \"nan\"", "λ", { $0.constants = ["l1": "nan"] }),
                ("k is 49, more than the 48 features", "smaller --k", { $0.recipe = "topk"; $0.constants = ["k": "49"] }),
                ("text makes activations only with a model", "--model DIR", { $0.modelFolder = nil }),
                ("no hook point was given", "--hook", { $0.hook = nil }),
                ("\"blocks.0.mlp.out\" is not a hook point", "those that can", { $0.hook = "blocks.0.mlp.out" }),
                ("there is no corpus at", "check the path", { $0.source = .corpus(CorpusOptions(paths: [tiny.path("nowhere")])) }),
                ("holds no text", "check the file", { $0.source = .corpus(CorpusOptions(paths: [tiny.path("empty.jsonl")])) }),
                ("how much comes from standard input cannot be known", "--samples N", { $0.source = .corpus(CorpusOptions(paths: ["-"])) }),
                ("has rows of 3 numbers; blocks.0.mlp.hook_post of \"model\" has 32", "model and hook point they were taken from", { $0.source = .activations([tiny.path("narrow.safetensors")]) }),
                ("there are no activations at", "--activations", { $0.source = .activations([tiny.path("none.safetensors")]) }),
                ("there is no corpus at", "check the path", { $0.heldOut = CorpusOptions(paths: [tiny.path("nowhere")]) }),
            ]
            for (message, hint, change) in cases {
                let error = #expect(throws: MonosemeError.self, "\(message)") { try tiny.train("out", change) }
                #expect(error?.message.contains(message) == true, "\(error?.message ?? "") for \(message)")
                #expect(error?.hint?.contains(hint) == true, "\(error?.hint ?? "") for \(message)")
                let left = (try? FileManager.default.contentsOfDirectory(atPath: tiny.path("out"))) ?? []
                #expect(left.isEmpty, "\(left) after \(message)")
            }
        }
    }

    @Test func `a folder that holds another run is refused with what differs`() throws {
        try TinyTraining.with { tiny in
            try tiny.kill("out", at: 3)
            let files = try tiny.everything(in: "out")
            try tiny.writeCorpus(randomCorpus(documents: 60, seed: 5), "other.jsonl")
            let cases: [(String, (inout TrainingRequest) -> Void)] = [
                ("seed is 0 there and 7 here", { $0.seed = 7 }),
                ("features is [48,64] there and [48] here", { $0.features = [48] }),
                ("constants 48 l1 is 0.004 there and 0.1 here; constants 64 l1 is 0.004 there and 0.1 here", { $0.constants = ["l1": "0.1"] }),
                ("recipe is \"towards-monosemanticity\" there and \"topk\" here", { $0.recipe = "topk" }),
                ("samples is \(try tiny.steps * 256) there and 512 here; is one pass is true there and false here", { $0.samples = 512 }),
                ("batch size is 256 there and 128 here", { $0.batchSize = 128 }),
                ("buffer rows is 3000 there and not given here", { $0.bufferRows = nil }),
                ("activations is ", { $0.source = .corpus(CorpusOptions(paths: [tiny.path("other.jsonl")])) }),
                ("prepends bos is false there and true here", { $0.prependsBOS = true }),
                ("context is not given there and 16 here", { $0.contextLength = 16 }),
                ("held out is not given there", { $0.heldOut = CorpusOptions(paths: [tiny.path("other.jsonl")]) }),
            ]
            for (message, change) in cases {
                let error = #expect(throws: MonosemeError.self, "\(message)") { try tiny.train("out", change) }
                #expect(error?.message.hasPrefix("the folder \"\(tiny.path("out"))\" holds another run: ") == true && error?.message.contains(message) == true, "\(error?.message ?? "")")
                #expect(try tiny.everything(in: "out") == files)
            }
        }
    }

    @Test func `a folder that holds anything else is refused`() throws {
        try TinyTraining.with { tiny in
            for (name, text, message) in [("thesis.tex", "…", "is not empty (it holds \"thesis.tex\")"), (".hidden", "", "is not empty (it holds \".hidden\")"),
                                          ("run.json", "{", "is not valid JSON"), ("run.json", #"{"format":"of somebody else"}"#, "is not the record of a training run")] {
                try? FileManager.default.removeItem(atPath: tiny.path("out"))
                try FileManager.default.createDirectory(atPath: tiny.path("out"), withIntermediateDirectories: false)
                try Data(text.utf8).write(to: tiny.folder.appending(path: "out/\(name)"))
                let error = #expect(throws: MonosemeError.self) { try tiny.train("out") }
                #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
                #expect(error?.hint?.contains("-o") == true)
                #expect(try tiny.everything(in: "out") == [name: Data(text.utf8)])
            }
            let error = #expect(throws: MonosemeError.self) { try tiny.train("corpus.jsonl") }
            #expect(error?.message == "\"\(tiny.path("corpus.jsonl"))\" is a file, not a folder")
        }
    }

    @Test func `a finished run is left alone`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("out")
            let files = try tiny.everything(in: "out")
            let summary = try tiny.train("out")
            let samples = try tiny.steps * 256
            #expect(summary.outcome == .alreadyComplete && summary.samples == samples)
            #expect(try tiny.everything(in: "out") == files)
            let error = #expect(throws: MonosemeError.self) { try tiny.train("out") { $0.weightType = .float16 } }
            #expect(error?.message.hasSuffix("holds another run: weights is \"float32\" there and \"float16\" here") == true, "\(error?.message ?? "")")
        }
    }

    @Test func `of two runs in one folder the second is told`() throws {
        try TinyTraining.with { tiny in
            var other: MonosemeError?
            try tiny.watch("out", report: { state in
                if state.step == 2 { do { try tiny.train("out") } catch let error as MonosemeError { other = error } }
            })
            #expect(other == MonosemeError("another process is training in \"\(tiny.path("out"))\"", hint: "wait for it to end, or give another folder with -o"))
        }
    }

    /// What is done to a checkpoint, and what is said of it.
    @Test func `a damaged or foreign checkpoint is refused`() throws {
        try TinyTraining.with { tiny in
            try tiny.kill("other", at: 4) { $0.seed = 9 }
            try tiny.kill("out", at: 4)
            let whole = try tiny.data("out/checkpoint.safetensors"), other = try tiny.data("other/checkpoint.safetensors")
            let header = Int(whole.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
            func flipped(_ place: Int) -> Data {
                var bytes = whole
                bytes[place] ^= 1
                return bytes
            }
            let cases: [(Data, String)] = [
                (other, "belongs to another run"),
                (whole.prefix(whole.count / 2), "is not a valid safetensors file"),
                (Data(), "is not a valid safetensors file"),
                (flipped(8 + header), "is damaged"),
                (flipped(whole.count - 1000), "is damaged"),
                (flipped(whole.count - 1), "is damaged"),
                (whole.prefix(8) + Data(String(decoding: whole[8..<8 + header], as: UTF8.self).replacing("\\\"row\\\":", with: "\\\"raw\\\":").utf8) + whole.suffix(from: 8 + header), "is damaged"),
            ]
            for (bytes, message) in cases {
                try bytes.write(to: tiny.folder.appending(path: "out/checkpoint.safetensors"))
                let error = #expect(throws: MonosemeError.self, "\(message)") { try tiny.train("out") }
                #expect(error?.message.contains("checkpoint") == true && error?.message.contains(message) == true, "\(error?.message ?? "") for \(message)")
                #expect(error?.hint?.contains("remove it to begin this run anew") == true)
            }
            // Without it the run begins anew.
            try FileManager.default.removeItem(atPath: tiny.path("out/checkpoint.safetensors"))
            #expect(try tiny.train("out").samplesResumed == 0)
        }
    }

    @Test func `a λ that silences everything is told of once, with the figures`() throws {
        try TinyTraining.with { tiny in
            var warnings: [String] = []
            try tiny.watch("out", warn: { warnings.append($0) }, change: { $0.features = [48]; $0.constants = ["l1": "1000", "learning_rate": "0.03"]; $0.samples = 20_000 })
            #expect(warnings.count == 1)
            #expect(warnings.first?.hasPrefix("48 features: at step ") == true && warnings.first?.contains(" of 78 hardly anything fires: L0 0") == true, "\(warnings)")
            #expect(warnings.first?.hasSuffix(" of 48 features dead, λ 1000; try a smaller --l1") == true, "\(warnings)")
        }
    }

    @Test func `a loss that explodes ends the run and leaves its last checkpoint`() throws {
        try TinyTraining.with { tiny in
            // Every checkpoint before the last step is good; so is the one that the run would go on from.
            let error = #expect(throws: MonosemeError.self) { try tiny.train("out") { $0.features = [48]; $0.constants = ["learning_rate": "1e9"]; $0.checkpointInterval = .zero } }
            #expect(error?.message.hasPrefix("48 features: the loss explodes: ") == true, "\(error?.message ?? "")")
            #expect(error?.message.hasSuffix("; the checkpoint of step 1 is kept in \"\(tiny.path("out"))\"") == true, "\(error?.message ?? "")")
            #expect(FileManager.default.fileExists(atPath: tiny.path("out/checkpoint.safetensors")))
        }
    }
}

extension TinyTraining {
    func writeCorpus(_ text: String, _ name: String) throws { try Data(text.utf8).write(to: folder.appending(path: name)) }

    /// Every file under a folder.
    func everything(in name: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: path(name)) {
            if let bytes = try? data("\(name)/\(path)") { files[path] = bytes }
        }
        return files
    }
}
