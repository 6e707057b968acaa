import Diagnostics
import Formats
import Ingestion
import Kernels
import LinearAlgebra
import Numerics
import Tokenization
import Transformer

/// A model's activations at one hook point over a corpus, computed as they are asked for.
///
/// Documents are cut into contexts as an ingest cuts them. Each read puts its contexts into batches for the model from its
/// first one on, so the same reads give the same bits. The row of a BOS token is left out.
public final class CorpusActivations: ActivationSource {
    public let name: String
    public var width: Int { source.width }
    public private(set) var position = ActivationPosition.start
    private let source: HookedModel
    private let options: CorpusOptions
    private let encoder: Encoder
    private var reader: CorpusReader
    /// The document that `position` stands in; `nil` between two.
    private var document: (from: SourceDocument, tokens: [Int32])?
    /// Of the documents that were tokenised.
    private var read = (textBytes: 0, tokens: 0)
    /// Rows to a pass, once one has been read to its end.
    private var rowsInPass: Int?

    /// - Parameter warn: is told of lines that are skipped, in the first pass.
    package init(_ source: HookedModel, _ options: CorpusOptions, warn: @escaping (String) -> Void = { _ in }) throws {
        (self.source, self.options) = (source, options)
        let corpus = options.paths.count == 1 ? quoted(options.paths[0], limit: 400) : "\(options.paths.count) sources"
        name = "\(source.hook) of \(quoted(source.model.name)) over \(corpus)"
        encoder = source.tokenizer.makeEncoder()
        reader = try CorpusReader(options, warn: warn)
    }

    public var overshoot: Int { source.contextTokens - 1 }

    public var rowCount: ActivationCount {
        if let rowsInPass { return .exactly(rowsInPass) }
        var expected: Int?
        // JSON's quoting and other members make a file a little larger than its text: an estimate.
        if let bytes = reader.bytesOnDisk, read.textBytes > 0, !options.paths.contains(where: { $0.hasSuffix(".gz") || $0.hasSuffix(".zst") }) {
            expected = max(position.rows, Int(Double(read.tokens) / Double(read.textBytes) * Double(bytes) * 0.97))
        }
        if let limit = options.tokenLimit { expected = min(expected ?? limit, limit) }
        return expected.map { .about($0) } ?? .unknown
    }

    public func fingerprint() throws -> String {
        var hash = SHA256()
        hash.update("corpus \(try reader.fingerprint())\nmodel \(source.model.weightsSHA256)\ntokenizer \(source.tokenizer.sha256)\n")
        hash.update("hook \(source.hook)\ncontext \(source.contextLength)\nbos \(source.bos.map { "\($0)" } ?? "none")\n")
        return hexadecimal(hash.finalize())
    }

    /// Documents before the place are read and not tokenised; the model does not run.
    public func seek(to target: ActivationPosition) throws {
        if target == position { return }
        if position != .start {
            guard !options.paths.contains("-") else {
                throw MonosemeError("standard input ended after \(position.rows) tokens, and cannot be read again for the samples that were asked for",
                                    hint: "give it as a file, or ask for at most \(position.rows) samples with --samples")
            }
            reader = try CorpusReader(options)
            (document, position) = (nil, .start)
        }
        let problem = MonosemeError("\(name): the text ends before the place where the run stopped", hint: "give the text that the run was begun with")
        for _ in 0..<target.documents { guard try reader.next() != nil else { throw problem } }
        position = target
        guard target.tokens > 0 else { return }
        guard let next = try reader.next() else { throw problem }
        let tokens = encode(next)
        guard target.tokens < tokens.count else { throw problem }
        document = (next, tokens)
    }

    public func read(_ rows: Int, into target: UnsafeMutablePointer<Float>, threads: Int) throws -> Int {
        let (tokens, contexts) = try nextContexts(rows)
        let source = source, batches = source.batches(tokens, contexts: contexts.map(\.rows))
        nonisolated(unsafe) let target = target
        try forEachInParallel(batches.count, threads: threads) { place in
            let activations = try source.model.activations(of: batches[place].batch, at: source.hook)
            var row = 0
            for context in contexts[batches[place].contexts] {
                if source.bos != nil { row += 1 }
                let first = target + context.rows.lowerBound * source.width, count = context.rows.count * source.width
                first.update(from: activations.base + row * source.width, count: count)
                row += context.rows.count
                guard kernel_count_not_finite(first, count) == 0 else {
                    let bad = kernel_first_not_finite(first, count), at = bad / source.width
                    let text = source.tokenizer.decode([tokens[context.rows.lowerBound + at]])
                    throw MonosemeError(
                        "\(source.hook) of \(quoted(source.model.name)) is \(notFinite(first[bad])) at token \(context.firstToken + at + 1) (\(quoted(text))) of document \(context.document) in \(quoted(context.file, limit: 400))\(context.line.map { " line \($0)" } ?? "")",
                        hint: "the model's weights may be damaged, or too large for single precision")
                }
            }
        }
        return tokens.count
    }

    public var emptiness: MonosemeError {
        let unread = reader.malformedLines
        return MonosemeError("the corpus \(options.paths.map { quoted($0, limit: 400) }.joined(separator: ", ")) holds no text\(unread > 0 ? " (\(unread) lines could not be read)" : "")", hint: "check the file, --text-field and --corpus")
    }

    // MARK: contexts

    /// Tokens that are run together, and where they come from.
    private struct Origin {
        /// Among those of the read.
        let rows: Range<Int>
        /// From 1, empty ones included.
        let document: Int
        /// Tokens of the document before it.
        let firstToken: Int
        let file: String
        let line: Int?
    }

    /// The next whole contexts until there are `rows` tokens, or the corpus or its limit ends.
    private func nextContexts(_ rows: Int) throws -> (tokens: [Int32], contexts: [Origin]) {
        var gathered: [Int32] = [], contexts: [Origin] = []
        let limit = options.tokenLimit ?? .max
        while gathered.count < rows, position.rows < limit {
            guard let (from, tokens) = try currentDocument() else { break }
            let count = min(source.contextTokens, tokens.count - position.tokens, limit - position.rows)
            contexts.append(Origin(rows: gathered.count..<gathered.count + count, document: position.documents + 1, firstToken: position.tokens, file: from.source, line: from.line))
            gathered.append(contentsOf: tokens[position.tokens..<position.tokens + count])
            position.rows += count
            position.tokens += count
            if position.tokens == tokens.count {
                document = nil
                (position.documents, position.tokens) = (position.documents + 1, 0)
            }
        }
        if gathered.count < rows { rowsInPass = position.rows }
        return (gathered, contexts)
    }

    /// The document to go on with, the next one that has tokens if need be; `nil` at the end.
    private func currentDocument() throws -> (from: SourceDocument, tokens: [Int32])? {
        while document == nil {
            guard let next = try reader.next() else { return nil }
            let tokens = encode(next)
            if tokens.isEmpty { position.documents += 1 } else { document = (next, tokens) }
        }
        return document
    }

    private func encode(_ document: SourceDocument) -> [Int32] {
        let tokens = document.text.withUnsafeBytes { encoder.encode($0) }
        read.textBytes += document.text.count
        read.tokens += tokens.count
        return tokens
    }
}
