import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Numerics
import SparseCoding
import Tokenization
import Transformer

/// Runs a model and its autoencoders over a corpus and keeps every firing.
///
/// Works in segments: one transaction each, with its postings, its share of the statistics and a line in the ledger.
/// Killed anywhere and run again, it goes on after the last segment, and the finished catalogue holds the same rows.
/// - Parameters:
///   - report: is told of progress after each segment.
///   - warn: is told of lines that were skipped and the like.
/// - Throws: `MonosemeError`, `SQLiteError`; what was committed before stays.
public func ingest(
    _ request: IngestionRequest, report: @escaping (IngestionProgress) -> Void = { _ in }, warn: @escaping (String) -> Void = { _ in }
) throws -> IngestionSummary {
    try Ingestion(request, report: report, warn: warn).run()
}

/// The machinery of one ingest: everything that is loaded once.
final class Ingestion {
    let request: IngestionRequest
    let sizes: IngestionSizes
    let report: (IngestionProgress) -> Void
    let machinery: Machinery
    let catalogue: Catalogue
    let reader: CorpusReader
    let corpusDescription: CorpusDescription
    let rules: RunRules
    private let segments: SegmentReader
    /// Read ahead where there was no catalogue yet.
    private let opening: SegmentReader.Piece?

    init(
        _ request: IngestionRequest, sizes: IngestionSizes = IngestionSizes(), report: @escaping (IngestionProgress) -> Void = { _ in },
        warn: @escaping (String) -> Void = { _ in }
    ) throws {
        self.request = request
        self.sizes = sizes
        self.report = report
        guard !request.autoencoders.isEmpty else { throw MonosemeError("no autoencoder was given", hint: "name its folder with --sae DIR") }
        for (place, (_, name)) in request.autoencoders.enumerated() where request.autoencoders[..<place].contains(where: { $0.name == name }) {
            throw MonosemeError("the name \(name) is given to two autoencoders", hint: "give each its own --name")
        }
        // Cheap mistakes first: the corpus's path before minutes of loading.
        reader = try CorpusReader(request.corpus, warn: warn)
        machinery = try Machinery(request, warn: warn)
        rules = RunRules(contextLength: machinery.contextLength, prependsBOS: machinery.bos != nil, keepTop: request.keepTop, inputScale: request.inputScale)
        corpusDescription = CorpusDescription(
            name: request.corpus.name, fingerprint: try reader.fingerprint(), settings: Ingestion.settings(of: request.corpus))
        segments = SegmentReader(reader, tokenizer: machinery.tokenizer, contextTokens: machinery.contextTokens, tokenLimit: request.corpus.tokenLimit, segmentTokens: sizes.segmentTokens)
        // A corpus without text leaves no empty catalogue behind; one that exists is asked first whether there is anything to do.
        // Standard input may be slow to come: the catalogue is taken first, so that a second ingest is told at once.
        opening = kind(of: request.catalogue) == .missing && !request.corpus.paths.contains("-") ? try segments.first(of: request.corpus) : nil
        catalogue = try Catalogue(path: request.catalogue, for: .ingesting)
    }

    private static func settings(of corpus: CorpusOptions) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("paths")
            writer.array { writer in for path in corpus.paths { writer.value(path) } }
            writer.member("text_field", corpus.textField)
            writer.member("topic_field", corpus.topicField)
            writer.member("token_limit", corpus.tokenLimit)
        }
        return writer.text
    }

    func run() throws -> IngestionSummary {
        if let summary = try completeAlready() { return summary }
        var pending: SegmentReader.Piece? = try opening ?? segments.first(of: request.corpus)

        let permit = request.replaces ? ReplacementPermit() : nil
        let (corpus, runs) = try register(permit)
        let done = try runs.map { try catalogue.segments(of: $0) }
        let resumed = done.map { $0.reduce(0) { $0 + $1.tokens } }.min() ?? 0
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: runs)
        let background = Background(threads: request.threads)
        // Whatever ends this, a commit under way is waited for: it may be kept, and nobody writes once we have returned.
        defer { try? background.finish() }
        let shared = Shared(writer: writer, runs: runs, keepTop: request.keepTop)
        var firings = runs.reduce(0) { $0 + $1.firings }

        while let (layout, contexts) = pending {
            guard !corpus.isComplete || segments.tokens <= corpus.tokens else { throw changedText() }
            // What the ledger holds is done; its text is only compared with what was read then.
            let missing = runs.indices.filter { done[$0].count <= layout.ordinal }
            for run in runs.indices where done[run].count > layout.ordinal {
                let segment = done[run][layout.ordinal]
                guard segment.firstPosition == layout.firstPosition, segment.tokens == layout.tokens.count else { throw changedText() }
            }
            let blocks = try missing.isEmpty ? [] : machinery.fire(layout, contexts: contexts, autoencoders: missing, threads: request.threads)
            let fired = blocks.reduce(0) { $0 + $1.reduce(0) { $0 + $1.firings } }
            firings += fired
            try background.submit { try shared.commit(layout, missing, blocks) }
            // Memory over speed where features are far from sparse: then one segment at a time is held.
            if fired > Ingestion.firingsInFlight { try background.finish() }
            pending = try segments.next()
            report(progress(.reading, segments, firings))
        }
        try background.finish()
        try finish(corpus, segments)
        for (place, run) in runs.enumerated() where !run.isComplete {
            report(progress(.summarising(run.dictionary.name), segments, firings))
            try Summary(of: try catalogue.run(of: run.dictionary.name), autoencoder: machinery.autoencoders[place], machinery, catalogue, threads: request.threads, sizes: sizes).write(at: now())
        }
        try catalogue.checkpoint()

        let final = try catalogue.corpus(corpus.id)
        return IngestionSummary(outcome: .ingested, dictionaries: runs.map(\.dictionary.name), tokens: final.tokens, documents: final.documents,
                                emptyDocuments: final.emptyDocuments, malformedLines: final.malformedLines, tokensResumed: resumed, firings: firings,
                                bytesOnDisk: catalogue.bytesOnDisk, replacement: permit?.replacement ?? Replacement())
    }

    /// Firings of a segment up to which the next is computed while it is written: 64 MB.
    static let firingsInFlight = 1 << 23

    /// The commits' half of an ingest, run behind the computing half, one segment at a time.
    private struct Shared: @unchecked Sendable {
        let writer: SegmentWriter
        let runs: [Run]
        let keepTop: Int?

        func commit(_ layout: SegmentLayout, _ missing: [Int], _ blocks: [[FiringBlock]]) throws {
            let indexes = missing.enumerated().map { place, run in
                (run: runs[run], index: SegmentIndex(blocks[place], of: layout, features: runs[run].dictionary.features, lastPosition: writer.lastPositions(of: runs[run]), keepTop: keepTop))
            }
            try writer.commit(layout, indexes, at: now())
        }
    }

    private func changedText() -> MonosemeError {
        // Files that change are another corpus at once; only standard input, known by its name alone, gets this far.
        MonosemeError("the text of the corpus \(quoted(corpusDescription.name)) has changed since it was first read", hint: "give the same text again, or use another catalogue with --catalogue FILE")
    }

    private func progress(_ stage: IngestionProgress.Stage, _ segments: SegmentReader, _ firings: Int) -> IngestionProgress {
        IngestionProgress(stage: stage, tokens: segments.tokens, tokensExpected: segments.tokensExpected(of: request.corpus), firings: firings, bytesOnDisk: catalogue.bytesOnDisk)
    }

    /// The answer where every named run was completed before, by the same rules over the same corpus.
    private func completeAlready() throws -> IngestionSummary? {
        var runs: [Run] = []
        for (_, name) in request.autoencoders {
            guard try catalogue.dictionaryIfAny(named: name) != nil, let run = try? catalogue.run(of: name), run.isComplete else { return nil }
            runs.append(run)
        }
        // Registering finds what is there, and throws where it differs: then that is replaced, if it may be, but not before there is text.
        let corpus: Corpus
        do { (corpus, _) = try register(nil) } catch where request.replaces { return nil }
        return IngestionSummary(outcome: .alreadyComplete, dictionaries: runs.map(\.dictionary.name), tokens: corpus.tokens, documents: corpus.documents,
                                emptyDocuments: corpus.emptyDocuments, malformedLines: corpus.malformedLines, tokensResumed: corpus.tokens,
                                firings: runs.reduce(0) { $0 + $1.firings }, bytesOnDisk: catalogue.bytesOnDisk)
    }

    /// Finds or adds everything that the segments refer to, in one transaction.
    private func register(_ permit: ReplacementPermit?) throws -> (Corpus, [Run]) {
        func body() throws -> (Corpus, [Run]) {
            let tokenizer = machinery.tokenizer, shape = machinery.model.shape
            let tokenizerID = try catalogue.register(tokenizer: tokenizer.sha256, vocabulary: tokenizer.vocabularySize) { tokenizer.bytes(of: Int32($0)) }
            let model = try catalogue.register(
                ModelDescription(name: machinery.model.name, architecture: shape.architecture, layers: shape.layers, width: shape.width, mlpWidth: shape.mlpWidth,
                                 vocabulary: shape.vocabulary, contextLength: shape.contextLength, weightsSHA256: machinery.model.weightsSHA256), tokenizer: tokenizerID)
            let corpus = try catalogue.register(corpusDescription, tokenizer: tokenizerID)
            let time = now()
            let runs = try zip(request.autoencoders, machinery.autoencoders).map { given, autoencoder in
                let dictionary = try catalogue.register(
                    DictionaryDescription(name: given.name, hook: machinery.hook.description, architecture: autoencoder.configuration.architectureAsWritten,
                                          settings: autoencoder.configuration.verbatim, weightsSHA256: autoencoder.weightsSHA256),
                    model: model, decoder: autoencoder.decoder, norms: autoencoder.decoderNorms, scales: autoencoder.activationScales, encoderDecoderCosines: autoencoder.encoderDecoderCosines(), permit: permit)
                return try catalogue.register(rules, of: dictionary, over: corpus, engine: engineVersion, at: time, permit: permit)
            }
            if let permit, !permit.replacement.dictionaries.isEmpty {
                try catalogue.removeUnusedCorpora(permit)
                try catalogue.countStaleLabels(permit)
            }
            return (corpus, runs)
        }
        return try permit == nil ? catalogue.connection.transaction(body) : catalogue.replacing(body)
    }

    /// The corpus has been read to its end.
    private func finish(_ corpus: Corpus, _ segments: SegmentReader) throws {
        guard segments.tokens >= corpus.tokens else { throw changedText() }
        try catalogue.complete(corpus, emptyDocuments: segments.emptyDocuments, malformedLines: segments.malformedLines)
    }
}

/// The time now, RFC 3339 in UTC to the second.
public func now() -> String {
    var seconds = time(nil)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ n: Int32) -> String { n < 10 ? "0\(n)" : "\(n)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
}
