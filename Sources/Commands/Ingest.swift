import Diagnostics
import FeatureCatalogue
import Glibc
import Ingestion

/// `monoseme ingest`: `ingest(_:)` of Ingestion.
enum Ingest: Command {
    static let model = Option<String>("--model", value: "DIR", help: "The language model: config.json, model.safetensors, tokenizer.json")
    static let autoencoders = Option<[String]>("--sae", value: "DIR", isRequired: true, help: "A sparse autoencoder: cfg.json, sae_weights.safetensors")
    static let names = Option<[String]>("--name", value: "NAME", isRequired: true, help: "What to call each, in the order of --sae, such as A/1")
    static let corpus = Option<[String]>("--corpus", value: "PATH", intake: .several, isRequired: true, help: "JSONL or text files (also .gz, .zst), folders, or - for standard input")
    static let hook = Option<String?>("--hook", value: "NAME", help: "The hook point, where the autoencoder's configuration does not say it")
    static let context = Option<Int?>("--context", value: "N", in: 1..., help: "Tokens in the longest context (default: as the autoencoder was trained)")
    static let bos = FlagChoice<Bool?>(default: nil, [
        ("--prepend-bos", true, "Begin each context with the BOS token, whose own activations are left out"),
        ("--no-prepend-bos", false, "Do not (default: as the autoencoder was trained)"),
    ])
    static let textField = Option<String>("--text-field", value: "F", default: "text", help: "Where a JSONL line holds its text")
    static let topicField = Option<String>("--topic-field", value: "F", default: "meta.pile_set_name", help: "Where a JSONL line holds its topic")
    static let limit = Option<Int?>("--limit-tokens", value: "N", in: 1..., help: "Stop after N tokens")
    static let keep = Option<KeepRule>("--keep", value: "all|top:N", default: .all, help: "Keep every firing, or the N strongest of each feature")
    static let scale = Option<Double?>("--input-scale", value: "X", help: "For an autoencoder with expected_average_only_in: sqrt(d_in) / mean norm of its training activations (1 if it is folded in)")
    static let strict = Flag("--strict", help: "Stop at the first line of the corpus that cannot be read")
    static let replaces = Flag("--replace", help: "Where a name stands for other weights, another corpus or other options, put this run in their place; labels stay, and are stale")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor)")

    static let declaration = Declaration(
        "ingest", summary: "run a model and its autoencoders over text and keep every firing",
        discussion: """
            Runs the language model over the corpus, the sparse autoencoders over its activations, and keeps every firing of every feature in the \
            catalogue. Several autoencoders of one hook point share one run of the model.

            Work is kept about every 65,536 tokens. Stop it at any time and run the same command again: it goes on where it stopped.

            A name stands for one run. With --replace another takes its place, with all that was counted; labels and their scores stay, and are stale \
            until somebody labels the features anew.
            """,
        parameters: [model, autoencoders, names, corpus, hook, context, bos, textField, topicField, limit, keep, scale, strict, replaces, threads],
        examples: [
            ("monoseme ingest --model Fixtures/model-A --sae Fixtures/sae-A-1 --name A/1 --corpus Fixtures/corpus.jsonl", "One dictionary"),
            ("monoseme ingest --model pythia-70m --sae sae-small --name P/0 --sae sae-large --name P/1 --corpus val.jsonl.zst --limit-tokens 1000000", "Two at once, over the first million tokens"),
        ])

    static func run(_ invocation: Invocation) throws {
        let folders = invocation[autoencoders], given = invocation[names]
        guard folders.count == given.count else {
            throw UsageError("\(folders.count) --sae and \(given.count) --name were given", hint: "give each autoencoder one name, in the same order")
        }
        var options = CorpusOptions(paths: invocation[corpus])
        options.textField = invocation[textField]
        options.topicField = invocation[topicField]
        options.isStrict = invocation[strict]
        options.tokenLimit = invocation[limit]
        var request = IngestionRequest(modelFolder: invocation[model], autoencoders: try zip(folders, given).map { ($0, try DictionaryName(parsing: $1)) },
                                       corpus: options, catalogue: invocation[Shared.catalogue])
        request.hook = invocation[hook]
        request.contextLength = invocation[context]
        request.prependsBOS = invocation[bos]
        request.keepTop = invocation[keep].limit
        request.inputScale = invocation[scale].map { Float($0) }
        request.threads = invocation[threads] ?? processors
        request.replaces = invocation[replaces]
        try ingestReporting(request, invocation)
    }

    static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// `all`, or `top:N`.
struct KeepRule: ArgumentValue, LosslessStringConvertible, Equatable {
    let limit: Int?
    static let all = KeepRule(limit: nil)
    static var expectation: String { "all, or top:N with N of 1 or more" }

    init(limit: Int?) { self.limit = limit }
    init?(_ description: String) {
        if description == "all" { limit = nil; return }
        guard description.hasPrefix("top:"), let n = Int(description.dropFirst(4)), n >= 1 else { return nil }
        limit = n
    }
    var description: String { limit.map { "top:\($0)" } ?? "all" }
}

/// Ingests with a progress line on standard error and one sentence at the end.
func ingestReporting(_ request: IngestionRequest, _ invocation: Invocation) throws {
    let title = request.autoencoders.map(\.name.description).joined(separator: " ")
    let progress = invocation.progress(title, total: nil, unit: "tokens")
    let started = ContinuousClock.now
    let summary = try ingest(request, report: { state in
        var details = ["\(NumberFormat.short.text(Double(state.firings))) firings", NumberFormat.bytes.text(Double(state.bytesOnDisk))]
        if case .summarising(let name) = state.stage { details = ["summing up \(name)"] + details }
        progress.update(state.tokens, total: state.tokensExpected, details: details)
    }, warn: { invocation.note($0) })
    progress.finish()
    let names = summary.dictionaries.map(\.description).joined(separator: ", ")
    switch summary.outcome {
    case .alreadyComplete:
        invocation.note("\(names): this run is complete already (\(counted(summary.tokens, "token"))); nothing was done")
    case .ingested:
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        var parts = ["\(counted(summary.tokens, "token")) of \(counted(summary.documents, "document"))", counted(summary.firings, "firing"), NumberFormat.bytes.text(Double(summary.bytesOnDisk)), NumberFormat.duration.text(seconds)]
        if summary.tokensResumed > 0 { parts.append("of which \(counted(summary.tokensResumed, "token")) had been done before") }
        if summary.emptyDocuments > 0 { parts.append("\(counted(summary.emptyDocuments, "document")) without text") }
        if summary.malformedLines > 0 { parts.append("\(counted(summary.malformedLines, "line")) could not be read") }
        invocation.note("\(names): \(parts.joined(separator: ", "))")
        if let words = summary.replacement.words { invocation.note(words) }
    }
}

/// `1 document`, `1,234 documents`.
func counted(_ count: Int, _ noun: String) -> String { "\(NumberFormat.grouped.text(Double(count))) \(noun)\(count == 1 ? "" : "s")" }

extension Replacement {
    /// What the user should know of it, in one line; `nil` where nothing was replaced.
    fileprivate var words: String? {
        guard !dictionaries.isEmpty else { return nil }
        var parts: [String] = []
        if staleLabels > 0 { parts.append("\(counted(staleLabels, "label")) \(staleLabels == 1 ? "is" : "are") stale (monoseme label list --status stale)") }
        if lineages > 0 { parts.append("\(counted(lineages, "lineage")) went: monoseme lineage build makes \(lineages == 1 ? "it" : "them") anew") }
        if neighbourGraphs > 0 { parts.append("\(counted(neighbourGraphs, "neighbour graph")) went: monoseme neighbours makes \(neighbourGraphs == 1 ? "it" : "them") anew") }
        for corpus in corporaKept { parts.append("the corpus \(quoted(corpus)) is kept for the tags or examples of labels on it") }
        return "\(dictionaries.map(\.description).joined(separator: ", ")) replaced" + (parts.isEmpty ? "" : ": " + parts.joined(separator: "; "))
    }
}
