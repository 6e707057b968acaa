import FeatureCatalogue
import Glibc
import Ingestion

/// `monoseme evaluate`: `evaluate(_:)` of Ingestion.
enum Evaluate: Command {
    static let losses = Option<Int>("--losses-on", value: "N", default: 32_768, in: 1..., help: "Tokens to measure losses on, at most: evenly spaced contexts, each run whole several times")

    static let declaration = Declaration(
        "evaluate", summary: "measure how well autoencoders stand for a model's activations",
        discussion: """
            Runs the language model over the corpus and the sparse autoencoders over its activations, and keeps nothing: the mean number of features \
            active on a token (L0), the error of the reconstruction, how often features fire, and what the model's next-token loss becomes when the \
            activations are replaced by the reconstruction, by zeros and by their mean. Several autoencoders of one hook point share one run of the model.

            Counts of dead and rare features hold for this corpus and its size alone. README.md says what each number is.
            """,
        parameters: [Ingest.model, Ingest.autoencoders, Ingest.corpus, Ingest.hook, Ingest.context, Ingest.bos, Ingest.textField, Ingest.limit, losses, Ingest.scale, Ingest.threads, Shared.format],
        examples: [
            ("monoseme evaluate --model Fixtures/model-A --sae Fixtures/sae-A-1 --corpus Fixtures/corpus.jsonl", "One autoencoder"),
            ("monoseme evaluate --model pythia-70m --sae sae-small --sae sae-large --corpus val.jsonl.zst --limit-tokens 1000000 --csv", "Two at once, for a spreadsheet"),
        ])

    static func run(_ invocation: Invocation) throws {
        var options = CorpusOptions(paths: invocation[Ingest.corpus])
        options.textField = invocation[Ingest.textField]
        options.tokenLimit = invocation[Ingest.limit]
        var request = EvaluationRequest(modelFolder: invocation[Ingest.model], autoencoders: invocation[Ingest.autoencoders], corpus: options)
        request.hook = invocation[Ingest.hook]
        request.contextLength = invocation[Ingest.context]
        request.prependsBOS = invocation[Ingest.bos]
        request.inputScale = invocation[Ingest.scale].map { Float($0) }
        request.lossTokens = invocation[losses]
        request.threads = invocation[Ingest.threads] ?? Ingest.processors

        let reports = try evaluateReporting(request, invocation)
        if invocation[Shared.format] != .table || reports.count > 1 { try invocation.print(table(of: reports)) }
        guard invocation[Shared.format] == .table else { return }
        for (place, report) in reports.enumerated() {
            if reports.count > 1 || place > 0 { try invocation.print() }
            try EvaluationPage(report, invocation).print()
        }
    }

    /// Evaluates with a progress line on standard error and one sentence at the end.
    private static func evaluateReporting(_ request: EvaluationRequest, _ invocation: Invocation) throws -> [EvaluationReport] {
        var progress = invocation.progress("activations", total: nil, unit: "tokens"), isReading = true
        let started = ContinuousClock.now
        let reports = try evaluate(request, report: { state in
            if isReading, case .losses = state.stage {
                progress.finish()
                (progress, isReading) = (invocation.progress("losses", total: state.tokensExpected, unit: "tokens"), false)
            }
            progress.update(state.tokens, total: state.tokensExpected)
        }, warn: { invocation.note($0) })
        progress.finish()
        let read = reports[0]
        var parts = ["\(counted(read.tokens, "token")) of \(counted(read.documents, "document"))", NumberFormat.duration.text((ContinuousClock.now - started) / .seconds(1))]
        if read.emptyDocuments > 0 { parts.append("\(counted(read.emptyDocuments, "document")) without text") }
        if read.malformedLines > 0 { parts.append("\(counted(read.malformedLines, "line")) could not be read") }
        invocation.note(parts.joined(separator: ", "))
        return reports
    }

    /// One row for each autoencoder: what compares them for people, everything for programs.
    static func table(of reports: [EvaluationReport]) -> Table {
        typealias Entry = (column: Column, cell: (EvaluationReport) -> Cell)
        func shown(_ title: String, _ key: String? = nil, _ cell: @escaping (EvaluationReport) -> Cell) -> Entry { (Column(title, key: key, isFlexible: title == "autoencoder"), cell) }
        func hidden(_ key: String, _ cell: @escaping (EvaluationReport) -> Cell) -> Entry { (Column(key, audience: .programs), cell) }
        func hidden(_ key: String, _ distribution: KeyPath<EvaluationReport, Distribution>) -> [Entry] {
            let parts: [(String, KeyPath<Distribution, Double>)] = [
                ("minimum", \.minimum), ("lower_quartile", \.lowerQuartile), ("median", \.median), ("upper_quartile", \.upperQuartile), ("maximum", \.maximum), ("mean", \.mean),
            ]
            return parts.map { name, part in hidden("\(key)_\(name)") { .real($0[keyPath: distribution][keyPath: part]) } }
        }
        let entries: [Entry] = [
            shown("autoencoder") { .text($0.autoencoder) },
            shown("features") { .integer($0.features) },
            shown("L0", "l0") { .real($0.reconstruction.l0, .significant(3)) },
            shown("explained", "explained_variance") { Cell($0.reconstruction.explainedVariance, .fixed(3)) },
            shown("error", "normalized_mean_squared_error") { Cell($0.reconstruction.normalizedMeanSquaredError, .significant(3)) },
            shown("recovered", "loss_recovered") { Cell($0.losses.recovered, .fixed(3)) },
            shown("dead") { .integer($0.densities.count(.dead)) },
            hidden("mean_squared_error") { .real($0.reconstruction.meanSquaredError) },
            hidden("loss_recovered_mean_ablated") { Cell($0.losses.recoveredFromMean) },
            hidden("loss_original") { .real($0.losses.original) },
            hidden("loss_spliced") { .real($0.losses.spliced) },
            hidden("loss_zero_ablated") { .real($0.losses.zeroAblated) },
            hidden("loss_mean_ablated") { .real($0.losses.meanAblated) },
            hidden("loss_tokens") { .integer($0.losses.tokens) },
            hidden("loss_contexts") { .integer($0.losses.contexts) },
            hidden("loss_predictions") { .integer($0.losses.predictions) },
            hidden("dead_density_bound") { .real($0.densities.deadBound) },
            hidden("insufficient") { .integer($0.densities.count(.insufficient)) },
            hidden("ultralow") { Cell($0.densities.ultralow) },
            hidden("dense") { .integer($0.densities.count(.dense)) },
            hidden("density_histogram_first") { .real(Double($0.densities.histogram.first) / 10) },
            hidden("density_histogram") { .series($0.densities.histogram.counts.map(Double.init)) },
        ] + hidden("decoder_norm", \.decoderNorms) + hidden("encoder_decoder_cosine", \.encoderDecoderCosines) + [
            hidden("tokens") { .integer($0.tokens) },
            hidden("contexts") { .integer($0.contexts) },
            hidden("documents") { .integer($0.documents) },
            hidden("empty_documents") { .integer($0.emptyDocuments) },
            hidden("malformed_lines") { .integer($0.malformedLines) },
            hidden("context_length") { .integer($0.contextLength) },
            hidden("prepend_bos") { .boolean($0.prependsBOS) },
            hidden("model") { .text($0.model) },
            hidden("hook") { .text($0.hook) },
            hidden("width") { .integer($0.width) },
            hidden("architecture") { .text($0.architecture) },
        ]
        return Table(entries.map(\.column), rows: reports.map { report in entries.map { $0.cell(report) } })
    }
}

/// The report as a page for people.
private struct EvaluationPage {
    let report: EvaluationReport
    let invocation: Invocation

    init(_ report: EvaluationReport, _ invocation: Invocation) { (self.report, self.invocation) = (report, invocation) }

    func print() throws {
        try invocation.print(invocation.style.bold(visible(report.autoencoder)) + "  \(counted(report.features, "feature")) of \(report.hook) (\(report.width) wide) of \(visible(report.model))")
        let reconstruction = report.reconstruction
        var facts = Facts()
        facts.append("text", .text("\(counted(report.tokens, "token")) of \(counted(report.documents, "document")), in \(counted(report.contexts, "context")) of up to \(report.contextLength)\(report.prependsBOS ? ", each behind a BOS token" : "")"))
        facts.append("L0", .text("\(NumberFormat.significant(4).text(reconstruction.l0)) features a token"))
        facts.append("explained", .text(reconstruction.explainedVariance.map { "\(NumberFormat.fixed(4).text($0)) of the variance" } ?? "no variance: all activations are equal"))
        facts.append("error", .text("‖x − x̂‖² \(NumberFormat.significant(4).text(reconstruction.meanSquaredError)) a token" + (reconstruction.normalizedMeanSquaredError.map { ", \(NumberFormat.significant(3).text($0)) of ‖x‖²" } ?? "")))
        try invocation.print(facts: facts)
        try losses()
        try features()
        try vectors()
    }

    private func losses() throws {
        let losses = report.losses
        try section("Loss in nats: \(counted(losses.predictions, "prediction")) on \(counted(losses.tokens, "token")) in \(counted(losses.contexts, "context"))")
        var table = Table([Column("activations"), Column("loss"), Column("recovered")])
        for (name, loss, recovered) in [("original", losses.original, nil), ("spliced", losses.spliced, nil), ("zero-ablated", losses.zeroAblated, losses.recovered), ("mean-ablated", losses.meanAblated, losses.recoveredFromMean)] {
            table.append([.text(name), .real(loss, .fixed(4)), name.hasSuffix("ablated") ? Cell(recovered, .fixed(4)) : .text("")])
        }
        try write(table)
    }

    private func features() throws {
        let densities = report.densities, tokens = counted(report.tokens, "token")
        try section("Features: what \(tokens) can tell")
        var facts = Facts()
        func share(_ status: FeatureStatus) -> String { NumberFormat.grouped.text(Double(densities.count(status))) }
        facts.append("dead", .text("\(share(.dead))  never fired: density below \(NumberFormat.significant(2).text(densities.deadBound)) (95 %)"))
        facts.append("insufficient", .text("\(share(.insufficient))  fired fewer than 10 times: rare or ultralow"))
        facts.append("ultralow", .text(densities.ultralow.map { "\(NumberFormat.grouped.text(Double($0)))  density below 10⁻⁶" } ?? "?  density below 10⁻⁶, which takes \(counted(FeatureStatus.tokensForUltralow, "token")) to tell"))
        facts.append("dense", .text("\(share(.dense))  on more than a tenth of all tokens"))
        try invocation.print(facts: facts)

        let (first, counts) = densities.histogram
        guard !counts.isEmpty else { return }
        try section("Densities: features in tenths of log₁₀")
        let range = pow(10, Double(first) / 10)...pow(10, Double(first + counts.count) / 10)
        try invocation.output.write(HistogramChart(counts: counts, range: range, format: .significant(2)).upright(width: min(90, invocation.terminal.width - 12), height: 4))
    }

    private func vectors() throws {
        try section("Vectors")
        var table = Table([Column(""), Column("minimum"), Column("25 %"), Column("median"), Column("75 %"), Column("maximum"), Column("mean")])
        for (name, d) in [("decoder norm", report.decoderNorms), ("encoder-decoder cosine", report.encoderDecoderCosines)] {
            table.append([.text(name)] + [d.minimum, d.lowerQuartile, d.median, d.upperQuartile, d.maximum, d.mean].map { .real($0, .significant(3)) })
        }
        try write(table)
    }

    private func write(_ table: Table) throws { try table.write(to: invocation.output, format: .table, terminal: invocation.terminal) }
    private func section(_ title: String) throws { try invocation.print("\n" + invocation.style.bold(title)) }
}
