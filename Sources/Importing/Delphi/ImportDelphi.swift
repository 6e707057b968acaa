import Diagnostics
import FeatureCatalogue
import Formats
import Ingestion
import LinearAlgebra
import SQLite
import Tokenization

/// A results folder of delphi: every activation, so that it becomes a catalogue like one that was ingested, but for what takes the model or the weights.
///
/// Sequences become documents, as they were cut: delphi packs texts end to end, and nothing says where one ended. Their topic is the dataset's
/// name. Every activation that was cached counts, at a BOS token as elsewhere: what a run of ours would mask is not told apart. delphi caches
/// what is further from 0 than 10⁻⁵, of either sign; a catalogue holds what is above 0, and the rest is counted and left out.
///
/// Activations are the file's own (scales of 1) until weights are attached.
func importDelphi(_ request: ImportRequest, into catalogue: Catalogue, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
    try importDelphi(request, into: catalogue, segmentTokens: DelphiCache.segmentTokens, report: report, warn: warn)
}

func importDelphi(_ request: ImportRequest, into catalogue: Catalogue, segmentTokens: Int, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
    guard let name = request.name else { throw MonosemeError("delphi's results have no name of their own", hint: "say what to call the dictionary with --name, such as --name A/1") }
    if try catalogue.dictionaryIfAny(named: name) != nil {
        throw MonosemeError("the name \(name) is taken in \(quoted(catalogue.path, limit: 400))", hint: "give another name with --name, or use another catalogue with --catalogue FILE")
    }
    let cache = try DelphiCache(try DelphiFolder(request.path, module: request.module), segmentTokens: segmentTokens)
    return try DelphiImport(request, name, cache, catalogue).run(report: report, warn: warn)
}

/// One import on its way.
private struct DelphiImport {
    let request: ImportRequest
    let name: DictionaryName
    let cache: DelphiCache
    let catalogue: Catalogue
    let spellings: Spellings

    /// What token ids stand for.
    enum Spellings {
        case tokenizer(Tokenizer)
        /// Only numbers.
        case none(vocabulary: Int)

        /// A vocabulary of numbers without a tokenizer is no larger: a row is kept for each.
        static let vocabularyMaximum = 1 << 20

        var vocabulary: Int {
            switch self {
            case .tokenizer(let tokenizer): tokenizer.vocabularySize
            case .none(let vocabulary): vocabulary
            }
        }
    }

    init(_ request: ImportRequest, _ name: DictionaryName, _ cache: DelphiCache, _ catalogue: Catalogue) throws {
        (self.request, self.name, self.cache, self.catalogue) = (request, name, cache, catalogue)
        if let path = request.tokenizer { spellings = .tokenizer(try Tokenizer(path: path)) } else {
            var largest: Int32 = 0
            for segment in 0..<cache.segments { largest = max(largest, try cache.tokens.ids(of: cache.sequences(of: segment), vocabulary: Spellings.vocabularyMaximum).max() ?? 0) }
            spellings = .none(vocabulary: Int(largest) + 1)
        }
    }

    func run(report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
        var progress = ImportProgress()
        progress.features = cache.folder.features
        progress.bytesExpected = 2 * cache.bytes
        try cache.look { progress.bytes = $0; report(progress) }
        let survey = cache.survey
        guard survey.firings > 0 else { throw MonosemeError("\(quoted(request.path, limit: 400)) holds no activation above 0 of \(quoted(cache.folder.module))") }
        if survey.negative > 0 {
            warn("\(survey.negative) of \(survey.firings + survey.negative + survey.zero) activations are below 0 and were left out: a catalogue holds those above 0")
        }
        var summary = ImportSummary(name)
        summary.features = cache.folder.features
        summary.firings = survey.firings
        // One transaction: until it ends, the catalogue is what it was, whatever happens.
        try catalogue.writingTextOnce(of: [name]) {
            let (corpus, run) = try register(&summary)
            try writeSegments(corpus, run, &progress, report)
            try catalogue.complete(corpus, emptyDocuments: 0, malformedLines: 0)
            try catalogue.markUncounted(cache.folder.gaps, of: run)
            try catalogue.complete(try catalogue.run(of: name), RunSummary(), at: request.time) { try forEachInParallel($0, threads: request.threads, $1) }
            try DelphiLabels(cache.folder, name, request, catalogue).write(&summary, warn: warn)
        }
        summary.missing = missing() + summary.missing
        return summary
    }

    // MARK: What firings refer to

    private func register(_ summary: inout ImportSummary) throws -> (Corpus, Run) {
        let tokenizer: Int
        switch spellings {
        case .tokenizer(let known): tokenizer = try catalogue.register(tokenizer: known.sha256, vocabulary: known.vocabularySize) { known.bytes(of: Int32($0)) }
        case .none(let vocabulary): tokenizer = try catalogue.register(tokenizer: "numbers-\(vocabulary)", vocabulary: vocabulary) { Array("⟨\($0)⟩".utf8) }
        }
        let folder = cache.folder, corpus = try catalogue.register(try corpusDescription(), tokenizer: tokenizer)
        let dictionary = try catalogue.register(DictionaryDescription(name: name, hook: folder.module, architecture: "unknown", settings: folder.settings, weightsSHA256: ""),
                                                model: try model(tokenizer, &summary), features: folder.features)
        let run = try catalogue.register(RunRules(contextLength: cache.tokens.context, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: request.engine, at: request.time)
        return (corpus, run)
    }

    /// A model in the catalogue that has this name and the same tokenizer, so that its dictionaries can be compared; else a new one.
    private func model(_ tokenizer: Int, _ summary: inout ImportSummary) throws -> Int {
        let said = cache.folder.model ?? "unknown"
        if case .tokenizer = spellings, cache.folder.model != nil {
            for (id, known, weights) in try catalogue.connection.rows("SELECT id, name, weights_sha256 FROM model WHERE tokenizer_id = ? ORDER BY id", .init(tokenizer), make: { ($0.integer(0), $0.text(1), $0.text(2)) })
            where (said == known || said.hasSuffix("/" + known)) && !weights.hasPrefix("name:") {
                summary.missing.append("its model, \(quoted(said)), is taken to be \(quoted(known)), which is in the catalogue")
                return id
            }
        }
        // Weights that are not known are told apart by their model's name.
        return try catalogue.register(ModelDescription(name: said, architecture: "unknown", layers: 0, width: 0, mlpWidth: 0, vocabulary: spellings.vocabulary, contextLength: cache.tokens.context,
                                                       weightsSHA256: "name:\(said)"), tokenizer: tokenizer)
    }

    /// Two caches of the same tokens are of one corpus.
    private func corpusDescription() throws -> CorpusDescription {
        var hash = SHA256()
        hash.update("delphi \(cache.tokens.sequences) \(cache.tokens.context)\n")
        for segment in 0..<cache.segments {
            try cache.tokens.ids(of: cache.sequences(of: segment), vocabulary: spellings.vocabulary).withUnsafeBytes { hash.update($0) }
        }
        return CorpusDescription(name: cache.folder.dataset ?? String(request.path.split(separator: "/").last ?? "imported"), fingerprint: hexadecimal(hash.finalize()), settings: cache.folder.settings)
    }

    private func missing() -> [String] {
        var missing: [String] = []
        for gap in cache.folder.gaps {
            missing.append("latents \(gap.lowerBound) to \(gap.upperBound - 1) are in no shard: \(gap.count == 1 ? "this feature is" : "these \(gap.count) features are") not cached, which is not to say dead")
        }
        if case .none = spellings { missing.append("the cache has token ids and no spellings: tokens are shown by number, such as ⟨50⟩. Import again with --tokenizer tokenizer.json to read text") }
        missing.append("there are no decoder vectors, and activations are in the unit of the autoencoder's file: monoseme attach \(name) --sae DIR adds the weights, and with them near, neighbours and the directions of a lineage")
        missing.append("logits, neurons and evaluation take the model, and are not there")
        return missing
    }

    // MARK: Firings

    /// Segment by segment in order; several are read and encoded at once. Sequences are whole in a segment, so that none waits for another.
    private func writeSegments(_ corpus: Corpus, _ run: Run, _ progress: inout ImportProgress, _ report: (ImportProgress) -> Void) throws {
        let writer = try SegmentWriter(catalogue, corpus: corpus, runs: [run])
        let features = run.dictionary.features, silent = [Int](repeating: -1, count: features)
        let topic = cache.folder.dataset ?? "imported", source = "\(request.path)/latents/\(cache.folder.module)"
        let atOnce = max(1, min(request.threads, 8)), cache = cache, vocabulary = spellings.vocabulary
        for group in stride(from: 0, to: cache.segments, by: atOnce) {
            let group = group..<min(cache.segments, group + atOnce)
            let found = Slots<(SegmentLayout, SegmentIndex)>(group.count)
            try forEachInParallel(group.count, threads: atOnce) { place in
                let sequences = cache.sequences(of: group.lowerBound + place), context = cache.tokens.context
                var layout = SegmentLayout(ordinal: group.lowerBound + place, firstPosition: sequences.lowerBound * context)
                layout.tokens = try cache.tokens.ids(of: sequences, vocabulary: vocabulary)
                layout.parts = sequences.map { .init(ordinal: $0, documentFirstPosition: $0 * context, tokens: context, topic: topic, source: source, line: $0 + 1) }
                found[place] = (layout, SegmentIndex(try cache.blocks(of: group.lowerBound + place), of: layout, features: features, lastPosition: silent, keepTop: nil))
            }
            for place in 0..<group.count {
                let (layout, index) = found.take(place)
                try writer.commit(layout, [(run, index)], at: request.time)
                progress.firings += index.firings
                progress.bytes += cache.bytes(of: group.lowerBound + place)
                report(progress)
            }
        }
    }
}
