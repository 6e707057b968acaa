import Diagnostics
import Foundation
@testable import Ingestion
import IngestionSupport
import Numerics
import Synchronization
import Testing
import TestSupport
import Tokenization
@testable import Training
import Transformer

/// A model that counts the tokens it ran, and can give NaN for one of them.
private final class WatchedModel: LanguageModel {
    let model: any LanguageModel
    let poisoned: Int32?
    let tokensRun = Atomic<Int>(0)
    init(_ model: any LanguageModel, poisoned: Int32? = nil) { (self.model, self.poisoned) = (model, poisoned) }

    var name: String { model.name }
    var shape: LanguageModelShape { model.shape }
    var weightsSHA256: String { model.weightsSHA256 }
    func width(at hook: HookPoint) throws -> Int { try model.width(at: hook) }
    func activations(of batch: ContextBatch, at hook: HookPoint) throws -> Matrix {
        tokensRun.add(batch.tokens.count, ordering: .relaxed)
        let activations = try model.activations(of: batch, at: hook)
        for (row, token) in batch.tokens.enumerated() where token == poisoned { activations[row, 1] = .nan }
        return activations
    }
    func logits(of batch: ContextBatch, replacing replacement: HookReplacement?) throws -> Matrix { try model.logits(of: batch, replacing: replacement) }
    func losses(of batch: ContextBatch, replacing replacement: HookReplacement?) throws -> [Float] { try model.losses(of: batch, replacing: replacement) }
    func residualDirections(of rows: borrowing Matrix, at hook: HookPoint) throws -> Matrix? { try model.residualDirections(of: rows, at: hook) }
    func logitWeights(ofResidual directions: borrowing Matrix) -> Matrix { model.logitWeights(ofResidual: directions) }
}

/// A tiny model of one token a byte, watched, and texts.
private struct World {
    let folder: URL
    let model: WatchedModel
    let tokenizer: Tokenizer

    static func with<Result>(poisoned: Int32? = nil, _ body: (World) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try TinyModel.random(seed: 1).write(to: folder.appending(path: "model"))
            let path = folder.appending(path: "model").path
            return try body(World(folder: folder, model: WatchedModel(try loadLanguageModel(folder: path), poisoned: poisoned), tokenizer: try Tokenizer(path: path)))
        }
    }

    func source(_ names: String..., context: Int = 32, bos: Bool = false, limit: Int? = nil, warn: @escaping (String) -> Void = { _ in }) throws -> CorpusActivations {
        var options = CorpusOptions(paths: names.map { $0 == "-" ? $0 : folder.appending(path: $0).path })
        options.tokenLimit = limit
        return try CorpusActivations(HookedModel(model, tokenizer, HookPoint("blocks.0.mlp.hook_post")!, contextLength: context, prependsBOS: bos), options, warn: warn)
    }

    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: folder.appending(path: name)) }
    func pack(_ name: String, with program: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = program + [folder.appending(path: name).path]
        try process.run()
        process.waitUntilExit()
    }

    /// The model's own rows for these contexts, each run alone; that of the BOS token left out.
    func rows(_ contexts: [[Int32]], bos: Bool = false) throws -> [Float] {
        try contexts.flatMap { context in
            let rows = try model.activations(of: ContextBatch([(bos ? [Int32(TinyModel.endOfText)] : []) + context]), at: HookPoint("blocks.0.mlp.hook_post")!)
            return Array(rows.elements[(bos ? rows.columns : 0)...])
        }
    }
}

/// Of each text at most `count` bytes at a time.
private func contexts(_ texts: [String], _ count: Int) -> [[Int32]] {
    texts.flatMap { text -> [[Int32]] in
        let bytes = text.utf8.map { Int32($0) }
        return stride(from: 0, to: bytes.count, by: count).map { Array(bytes[$0..<min(bytes.count, $0 + count)]) }
    }
}

private func difference(_ found: [Float], _ expected: [Float]) -> Float {
    found.count == expected.count ? zip(found, expected).reduce(0) { max($0, ($1.0 - $1.1).isFinite ? abs($1.0 - $1.1) : .infinity) } : .infinity
}

private func jsonl(_ texts: [String]) -> String { texts.map { "{\"text\": \"\($0)\"}\n" }.joined() }

@Suite struct ActivationsCorpusTests {
    static let texts = ["", "a short one", String(repeating: "and a long one, ", count: 9), "", "x", String(repeating: "the last ", count: 7), ""]

    @Test(arguments: [(1, 1), (50, 2), (70, 1), (1_000, 2)], [(32, false), (10, false), (32, true), (2, true)])
    fileprivate func `rows are the model's own, context by context, without those of BOS tokens`(read: (rows: Int, threads: Int), rules: (context: Int, bos: Bool)) throws {
        try World.with { world in
            try world.write(jsonl(Self.texts), to: "c.jsonl")
            let expected = try world.rows(contexts(Self.texts, rules.context - (rules.bos ? 1 : 0)), bos: rules.bos)
            #expect(expected.count == (11 + 144 + 1 + 63) * 32)
            let source = try world.source("c.jsonl", context: rules.context, bos: rules.bos)
            for _ in 0..<2 {
                let off = difference(try readAll(source, read.rows, threads: read.threads), expected)
                #expect(off < 1e-5)
                #expect(source.rowCount == .exactly(219))
                try source.seek(to: .start)
            }
        }
    }

    @Test func `a read ends with a whole context, and exceeds what was asked by less than one`() throws {
        try World.with { world in
            try world.write(jsonl(Self.texts), to: "c.jsonl")
            let source = try world.source("c.jsonl", context: 10)
            let target = UnsafeMutablePointer<Float>.allocate(capacity: (40 + source.overshoot) * source.width)
            defer { target.deallocate() }
            // 10 + 1 of the short text, 14 tens and 4 of the long one, 1 of the "x", 6 tens and 3 of the last.
            #expect(source.overshoot == 9)
            for (asked, got) in [(15, 21), (40, 40), (1, 10), (40, 40), (40, 40), (40, 45), (40, 23), (40, 0)] {
                #expect(try source.read(asked, into: target, threads: 1) == got)
            }
            #expect(source.position == ActivationPosition(rows: 219, documents: 7, tokens: 0))
        }
    }

    @Test(arguments: [false, true])
    func `rows of the fixture model are its own, token by token`(bos: Bool) throws {
        let folder = fixture("model-A"), tokens = 3_000
        var options = CorpusOptions(paths: [fixture("corpus.jsonl")])
        options.tokenLimit = tokens
        let hooked = try HookedModel(folder: folder, hook: "blocks.0.mlp.hook_post", contextLength: bos ? 100 : nil, prependsBOS: bos)
        let found = try readAll(CorpusActivations(hooked, options), 1_000, threads: 2)

        let encoder = hooked.tokenizer.makeEncoder(), longest = bos ? 99 : hooked.model.shape.contextLength
        var expected: [Float] = [], left = tokens
        for line in try String(contentsOfFile: fixture("corpus.jsonl"), encoding: .utf8).split(separator: "\n") where left > 0 {
            let text = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])["text"] as? String
            var ids = encoder.encode(try #require(text))[...]
            while !ids.isEmpty, left > 0 {
                let context = ids.prefix(min(longest, left))
                let rows = try hooked.model.activations(of: ContextBatch([(bos ? [hooked.tokenizer.beginningOfSequence!] : []) + context]), at: hooked.hook)
                expected += rows.elements[(bos ? rows.columns : 0)...]
                (ids, left) = (ids.dropFirst(context.count), left - context.count)
            }
        }
        #expect(expected.count == tokens * 512)
        let off = difference(found, expected)
        #expect(off < 1e-5)
    }

    @Test(arguments: ["c.jsonl", "c.txt", "c.jsonl.gz", "c.jsonl.zst"], [nil, 150])
    func `going on from any batch gives the same bits, and the model does not run over what came before`(name: String, limit: Int?) throws {
        try World.with { world in
            try world.write(name == "c.txt" ? Self.texts.joined(separator: "<|endoftext|>") : jsonl(Self.texts), to: String(name.split(separator: ".").prefix(2).joined(separator: ".")))
            if name.hasSuffix(".gz") { try world.pack("c.jsonl", with: ["gzip", "-q"]) }
            if name.hasSuffix(".zst") { try world.pack("c.jsonl", with: ["zstd", "-q"]) }
            func stream(_ threads: Int, _ state: ActivationStream.State) throws -> ActivationStream {
                try ActivationStream(world.source(name, context: 10, bos: true, limit: limit), batchSize: 16, bufferRows: 60, seed: 5, threads: threads, from: state)
            }
            let whole = try stream(1, .init()), count = 32
            var states = [whole.state], batches: [[Float]] = []
            for _ in 0..<count {
                try whole.advance()
                batches.append(Array(whole.batch.elements))
                states.append(whole.state)
            }
            #expect(whole.passes == (limit == nil ? 3 : 4))
            for start in 0..<count {
                let before = world.model.tokensRun.load(ordering: .relaxed)
                let resumed = try stream(2, states[start])
                for batch in start..<min(count, start + 6) {
                    try resumed.advance()
                    #expect(resumed.batch.elements.elementsEqual(batches[batch]))
                    #expect(resumed.state == states[batch + 1])
                    // The chunk that was in use at most, 68 tokens with a BOS token to every nine at least, is made again.
                    if batch == start { #expect(world.model.tokensRun.load(ordering: .relaxed) - before <= 2 * (68 + 20)) }
                }
            }
        }
    }

    @Test func `an activation that is no number is named with its hook, model, token and line`() throws {
        try World.with(poisoned: Int32(UInt8(ascii: "%"))) { world in
            try world.write("{\"text\": \"fine\"}\nbroken\n{\"text\": \"" + String(repeating: "good ", count: 12) + "100 % bad\"}\n", to: "c.jsonl")
            try world.write("at once %", to: "c.txt")
            for (name, place) in [("c.jsonl", "token 65 (\"%\") of document 2 in \"FOLDER/c.jsonl\" line 3"), ("c.txt", "token 9 (\"%\") of document 1 in \"FOLDER/c.txt\"")] {
                let error = try #require(throws: MonosemeError.self) { _ = try readAll(world.source(name, bos: true), 1_000, threads: 2) }
                #expect(error.message.replacingOccurrences(of: world.folder.path, with: "FOLDER") == "blocks.0.mlp.hook_post of \"model\" is NaN at \(place)")
            }
        }
    }

    @Test(arguments: [("", "holds no text"), ("\n{\"text\": \"\"}\nnot json\n", "holds no text (1 lines could not be read)")])
    func `a corpus without text says so`(text: String, end: String) throws {
        try World.with { world in
            try world.write(text, to: "c.jsonl")
            let stream = try ActivationStream(world.source("c.jsonl"), batchSize: 4, seed: 1, threads: 1)
            let error = try #require(throws: MonosemeError.self) { try stream.advance() }
            #expect(error.message.hasSuffix("c.jsonl\" \(end)"))
        }
    }

    @Test func `lines that are skipped are told of in the first pass alone`() throws {
        try World.with { world in
            try world.write("{\"text\": \"abcdef\"}\nbroken\n", to: "c.jsonl")
            var said: [String] = []
            let stream = try ActivationStream(world.source("c.jsonl") { said.append($0) }, batchSize: 5, seed: 1, threads: 1)
            for _ in 0..<5 { try stream.advance() }
            #expect(stream.passes == 5 && said.count == 1)
        }
    }

    @Test func `how many rows there will be is estimated from bytes, and known after a pass`() throws {
        try World.with { world in
            let text = String(repeating: "just some text ", count: 20)
            try world.write(jsonl(Array(repeating: text, count: 30)), to: "c.jsonl")
            let source = try world.source("c.jsonl"), target = UnsafeMutablePointer<Float>.allocate(capacity: 20_000 * source.width)
            defer { target.deallocate() }
            #expect(source.rowCount == .unknown)
            _ = try source.read(1_000, into: target, threads: 1)
            // A token a byte, 13 bytes of JSON around every 300, and 3 % taken off: within 3 %.
            guard case .about(let rows) = source.rowCount else { Issue.record("\(source.rowCount)"); return }
            #expect(abs(rows - 9_000) < 270)
            _ = try source.read(9_000, into: target, threads: 1)
            #expect(source.rowCount == .exactly(9_000))
            #expect(try world.source("c.jsonl", limit: 500).rowCount == .about(500))
        }
    }

    @Test func `a text that ends before the place to go on from is refused`() throws {
        try World.with { world in
            try world.write(jsonl(["abc", "defgh"]), to: "c.jsonl")
            for position in [ActivationPosition(rows: 9, documents: 3), ActivationPosition(rows: 8, documents: 2, tokens: 1), ActivationPosition(rows: 8, documents: 1, tokens: 5)] {
                #expect(throws: MonosemeError.self) { try world.source("c.jsonl").seek(to: position) }
            }
        }
    }

    @Test func `what decides the rows decides the fingerprint`() throws {
        try World.with { world in
            try world.write(jsonl(["abc"]), to: "c.jsonl")
            try world.write(jsonl(["abc"]), to: "same.jsonl")
            try world.write(jsonl(["abd"]), to: "other.jsonl")
            let fingerprints = try [
                world.source("c.jsonl"), world.source("other.jsonl"), world.source("c.jsonl", bos: true), world.source("c.jsonl", context: 31), world.source("c.jsonl", limit: 2),
            ].map { try $0.fingerprint() }
            #expect(Set(fingerprints).count == 5)
            #expect(try world.source("same.jsonl").fingerprint() == fingerprints[0])
        }
    }

    @Test func `standard input is skipped to the place to go on from, and not read twice`() throws {
        try World.with { world in
            try world.write(jsonl(Self.texts), to: "c.jsonl")
            let own = dup(0)
            defer { dup2(own, 0); close(own) }
            /// A stream over standard input that begins anew.
            func stream(_ state: ActivationStream.State) throws -> ActivationStream {
                let file = open(world.folder.appending(path: "c.jsonl").path, O_RDONLY)
                dup2(file, 0)
                close(file)
                return try ActivationStream(world.source("-"), batchSize: 50, bufferRows: 40, seed: 1, threads: 1, from: state)
            }
            let whole = try stream(.init())
            var states: [ActivationStream.State] = [], batches: [[Float]] = []
            for _ in 0..<4 {
                states.append(whole.state)
                try whole.advance()
                batches.append(Array(whole.batch.elements))
            }
            let error = try #require(throws: MonosemeError.self) { try whole.advance() }
            #expect(error.message == "standard input ended after 219 tokens, and cannot be read again for the samples that were asked for")
            for start in 0..<4 {
                let resumed = try stream(states[start])
                for batch in batches[start...] {
                    try resumed.advance()
                    #expect(resumed.batch.elements.elementsEqual(batch))
                }
            }
        }
    }
}
