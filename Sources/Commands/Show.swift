import FeatureCatalogue
import Formats
import Publishing

/// `monoseme show`: `Reporter.report(on:)` of Publishing.
enum Show: Command {
    static let feature = Argument<FeatureName>("FEATURE", help: "The feature, such as A/1/2357")
    static let examples = Option<Int>("--examples", value: "N", default: 8, in: 0...10_000, help: "Top examples")
    static let window = Option<Int>("--window", value: "N", default: 12, in: 0...1000, help: "Tokens on either side of a firing")
    static let samples = Option<Int>("--samples", value: "N", default: 1, in: 0...100, help: "Samples from each interval and quantile")
    static let raw = Flag("--raw", help: "Activations in the units of the autoencoder's file, not scaled by the decoder's norm")

    static let declaration = Declaration(
        "show", summary: "show everything about one feature",
        discussion: """
            Statistics are over all tokens of the run. Top examples are the strongest firings, near-identical windows and crowds from one document left \
            out. Intervals are evenly spaced in activation, from 0 to the maximum (what does it mean at each strength?); quantiles hold equally many \
            firings each (where is most of it?). Logits are the direct path through the unembedding, without the final norm's scale.
            """,
        parameters: [feature, examples, window, samples, raw, Shared.format],
        examples: [("monoseme show A/1/2357", "A feature"), ("monoseme show A/1/2357 --examples 30 --window 30", "With more text"), ("monoseme show A/1/2357 --json", "For a program")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        let (dictionary, index) = try catalogue.feature(invocation[feature])
        var scope = ReportScope()
        scope.examples = invocation[examples]
        scope.window = invocation[window]
        scope.samples = invocation[samples]
        scope.isRaw = invocation[raw]
        scope.topics = invocation[Shared.format] == .table ? 6 : .max
        let report = try catalogue.connection.snapshot { try Reporter(catalogue, try catalogue.run(of: dictionary.name)).report(on: index, scope) }
        switch invocation[Shared.format] {
        case .json, .jsonl:
            var writer = JSONWriter(indentation: invocation[Shared.format] == .json ? 2 : nil)
            report.write(to: &writer)
            writer.endLine()
            try invocation.output.write(writer.drain())
        case .csv:
            var facts = Facts()
            let o = report.overview
            facts.append("feature", .text(o.name.description))
            facts.append("label", Cell(o.label))
            facts.append("status", .text(o.status.rawValue))
            facts.append("firings", .integer(o.firings))
            facts.append("tokens", .integer(o.tokens))
            facts.append("density", Cell(o.density))
            facts.append("documents", .integer(o.documents))
            facts.append("maximum", .real(o.maximum))
            facts.append("mean_when_active", Cell(o.meanWhenActive))
            facts.append("top_token", Cell(o.topToken))
            facts.append("label_status", Cell(o.labelStatus?.rawValue))
            facts.append("label_score", Cell(o.labelScore))
            facts.append("label_score_method", Cell(o.labelScoreMethod))
            try invocation.print(facts)
        case .table: try ReportPage(report, invocation, isRaw: scope.isRaw).print()
        }
    }
}

/// The report as a page for people.
struct ReportPage {
    let report: FeatureReport
    let invocation: Invocation
    let isRaw: Bool
    private let style: Style
    private var width: Int { invocation.terminal.width }

    init(_ report: FeatureReport, _ invocation: Invocation, isRaw: Bool) {
        (self.report, self.invocation, self.isRaw) = (report, invocation, isRaw)
        style = invocation.style
    }

    func print() throws {
        try head()
        try histogram()
        try meaning()
        try topics()
        try list("Top examples", report.examples.map { (activation($0.activation), $0) }, note: report.keepTop.map { "of the \($0) strongest firings, which are all that was kept" })
        if !report.examples.isEmpty {
            try list("Over the range: intervals even in activation", report.intervals.reversed().flatMap { interval in
                interval.samples.map { ("≈ \(activation(interval.centre))  \(NumberFormat.grouped.text(Double(interval.firings)))", $0) }
            })
            try list("Over the firings: tenths of equally many", report.quantiles.reversed().flatMap { quantile in
                quantile.samples.map { ("\(activation(quantile.lowest)) – \(activation(quantile.highest))", $0) }
            })
        }
        try neighbours()
        try lineage()
    }

    private func activation(_ value: Float) -> String { NumberFormat.significant(3).text(Double(value)) }

    private func head() throws {
        let o = report.overview
        try invocation.print(style.bold(o.name.description) + (o.label.map { "  " + visible($0) + (o.labelStatus.flatMap { $0 == .accepted ? nil : style.dim(" (\($0.rawValue))") } ?? "") } ?? style.dim("  no label yet")))
        var facts = Facts()
        for (place, suggestion) in report.labelSuggestions.prefix(3).enumerated() { facts.append(place == 0 ? "suggested" : "", .text(suggestion.words)) }
        facts.append("status", .text(status))
        if o.firings > 0 {
            facts.append("density", .text("\(NumberFormat.percent.text(o.density ?? 0))  (\(o.tokens > 0 ? "\(grouped(o.firings)) of \(grouped(o.tokens)) tokens" : "as its source says"), in \(counted(o.documents, "document")))"))
            facts.append("activation", .text("maximum \(NumberFormat.significant(4).text(o.maximum))\(o.meanWhenActive.map { ", mean when active \(NumberFormat.significant(4).text($0))" } ?? "")\(isRaw ? ", in the file's units" : "")"))
        }
        if report.dictionary.hasVectors { facts.append("vector", .text("decoder norm \(NumberFormat.significant(4).text(o.decoderNorm))" + (o.encoderDecoderCosine.map { ", cosine with the encoder \(NumberFormat.fixed(2).text($0))" } ?? ""))) }
        if report.labels.count > 1 { facts.append("labels", .text("\(report.labels.count), all of them: monoseme label history \(o.name)")) }
        if !report.labelScores.isEmpty { facts.append("scores", .text(report.labelScores.map(\.words).joined(separator: "; "))) }
        try invocation.print(facts: facts)
    }

    private var status: String {
        let o = report.overview
        return switch o.status {
        case .dead: "dead: no firing in \(counted(o.tokens, "token")); density < \(NumberFormat.significant(2).text(densityBound(tokens: o.tokens))) (95 %)"
        case .insufficient: "insufficient: \(counted(o.firings, "firing")) in \(counted(o.tokens, "token"))"
        case .ultralow: "ultralow density"
        case .dense: "dense: it fires on more than a tenth of all tokens"
        case .alive: "alive"
        }
    }

    private func grouped(_ n: Int) -> String { NumberFormat.grouped.text(Double(n)) }

    private func histogram() throws {
        let histogram = report.statistics.histogram
        guard !histogram.counts.isEmpty else { return }
        try section("Activations: firings in quarter octaves")
        let low = exp2(histogram.first), high = exp2(histogram.first + histogram.counts.count)
        // Narrow bins are drawn twice as wide, so that a short range can be read.
        let stretch = max(1, min(4, 48 / histogram.counts.count))
        let counts = histogram.counts.flatMap { Array(repeating: $0, count: stretch) }
        try invocation.output.write(HistogramChart(counts: counts, range: low...high).upright(width: min(64, width - 12), height: 4))
    }

    /// 2^(quarters / 4)
    private func exp2(_ quarters: Int) -> Double {
        let whole = Int((Double(quarters) / 4).rounded(.down))
        let roots = [1, 1.189207115002721, 1.4142135623730951, 1.681792830507429]
        return roots[quarters - 4 * whole] * (whole >= 0 ? Double(1 << min(62, whole)) : 1 / Double(1 << min(62, -whole)))
    }

    private func meaning() throws {
        var facts = Facts()
        if !report.tokens.isEmpty {
            let total = max(report.statistics.sum, .leastNormalMagnitude)
            facts.append("tokens", .text(report.tokens.map { "\(spelled($0.text)) \(NumberFormat.percent.text(min(1, $0.sum * (isRaw ? 1 / report.overview.activationScale : 1) / total)))" }.joined(separator: "  ")))
        }
        if !report.raisedLogits.isEmpty { facts.append("raises", .text(report.raisedLogits.map { spelled($0.text) }.joined(separator: " "))) }
        if !report.loweredLogits.isEmpty { facts.append("lowers", .text(report.loweredLogits.map { spelled($0.text) }.joined(separator: " "))) }
        if !report.neuronsByCorrelation.isEmpty { facts.append("neurons", .text("by correlation \(neurons(report.neuronsByCorrelation))"))
            facts.append("", .text("by weight \(neurons(report.neuronsByWeight))")) }
        guard !facts.fields.isEmpty else { return }
        try section("Tokens and logits")
        try invocation.print(facts: facts)
    }

    private func neurons(_ neurons: [FeatureReport.Neuron]) -> String {
        neurons.map { "\($0.index) (\(NumberFormat.fixed(2).text($0.value)))" }.joined(separator: ", ")
    }

    /// A token in quotes, so that its spaces are seen.
    private func spelled(_ text: String) -> String { "‘\(visible(text))’" }

    private func topics() throws {
        guard !report.topics.isEmpty else { return }
        try section("Topics")
        var table = Table([Column("topic", isFlexible: true), Column("firings"), Column("share"), Column("lift"), Column("mean"), Column("F1"), Column("", isFlexible: true)])
        for topic in report.topics {
            table.append([.text(topic.topic), .integer(topic.firings), .real(topic.share, .percent), .real(topic.lift, .significant(3)), .real(topic.meanWhenActive, .significant(3)),
                          Cell(topic.detector?.f1, .fixed(2)), .text(bar(topic.share, width: 20))])
        }
        try table.write(to: invocation.output, format: .table, terminal: invocation.terminal)
    }

    private func list(_ title: String, _ examples: [(lead: String, example: FeatureReport.Example)], note: String? = nil) throws {
        guard !examples.isEmpty else { return }
        try section(title + (note.map { " (\($0))" } ?? ""))
        let leadWidth = examples.map { displayWidth(of: $0.lead) }.max() ?? 0
        let topicWidth = min(14, examples.map { displayWidth(of: $0.example.document.topic) }.max() ?? 0)
        for (lead, example) in examples {
            let topic = truncated(example.document.topic, width: topicWidth)
            let margin = spaces(leadWidth - displayWidth(of: lead)) + lead + "  " + style.dim(topic) + spaces(topicWidth - displayWidth(of: topic)) + "  "
            try invocation.print(margin + invocation.terminal.isolated(text(of: example, width: max(20, width - leadWidth - topicWidth - 4))))
        }
    }

    /// The window with its firing tokens painted, the focus strongest; without colours the focus stands between « and ».
    private func text(of example: FeatureReport.Example, width: Int) -> String {
        let parts = example.window.parts
        guard style.isOn else {
            return truncated(Excerpt(before: parts.before, focus: parts.focus, after: parts.after), width: width - 2) { "«\($0)»" }
        }
        let pieces = example.window.pieces.map { piece in
            (text: visible(piece.text), activation: piece.tokens.map { example.activations[$0] }.max() ?? 0, isFocus: piece.tokens.contains(example.window.focus))
        }
        guard let focus = pieces.firstIndex(where: { $0.isFocus }) else { return "" }
        // Grow from the focus to both sides while there is room.
        var low = focus, high = focus, room = width - displayWidth(of: pieces[focus].text)
        while true {
            var grown = false
            if low > 0, displayWidth(of: pieces[low - 1].text) <= room { low -= 1; room -= displayWidth(of: pieces[low].text); grown = true }
            if high + 1 < pieces.count, displayWidth(of: pieces[high + 1].text) <= room { high += 1; room -= displayWidth(of: pieces[high].text); grown = true }
            if !grown { break }
        }
        return pieces[low...high].map { $0.isFocus ? style.highlight($0.text) : $0.activation > 0 ? style.yellow($0.text) : $0.text }.joined()
    }

    private func neighbours() throws {
        guard report.dictionary.hasVectors else {
            try section("Nearest features")
            return try invocation.print("  " + style.dim("\(report.dictionary.name) has no decoder vectors: it was imported without weights (monoseme attach \(report.dictionary.name) --sae DIR)"))
        }
        guard !report.neighbours.isEmpty else { return }
        try section("Nearest features")
        var table = Table([Column("feature"), Column("cosine"), Column("density"), Column("top token"), Column("label", isFlexible: true)])
        for neighbour in report.neighbours {
            table.append([.text(neighbour.feature.description), .real(Double(neighbour.cosine), .fixed(3)), .density(neighbour.density), .token(neighbour.topToken), Cell(neighbour.label)])
        }
        try table.write(to: invocation.output, format: .table, terminal: invocation.terminal)
    }

    /// Parents and children, the surest first, and what is said of the feature by itself.
    private func lineage() throws {
        let kin = report.lineage, o = report.overview, shown = 5
        let sentences = kin.facts.compactMap { lineage, node in
            node.sentence(in: lineage, firings: o.firings, tokens: o.tokens) ?? (lineage.coarse.name == o.name.dictionary ? node.familyWords.map { "\(o.name) has \($0) in \(lineage.fine.name)" } : nil)
        }
        guard !kin.parents.isEmpty || !kin.children.isEmpty || !sentences.isEmpty else { return }
        let hidden = max(0, kin.parents.count - shown) + max(0, kin.children.count - shown)
        try section("Lineage" + (hidden > 0 ? " (\(counted(hidden, "edge")) more: monoseme lineage \(o.name))" : ""))
        var table = Table([Column(""), Column("feature"), Column("kind"), Column("conf."), Column("coverage"), Column("keep")])
        for (title, edges) in [("parent", kin.parents), ("child", kin.children)] {
            for edge in edges.prefix(shown) {
                table.append([.text(title), .text((title == "parent" ? edge.parent : edge.child).description), .text("\(edge.kind.shortWords), \(edge.tier.rawValue)"), .real(edge.confidence, .fixed(2)),
                              Cell(edge.evidence.massCoverage, .percent), Cell(edge.evidence.massKeep, .percent)])
            }
        }
        if !table.rows.isEmpty { try table.write(to: invocation.output, format: .table, terminal: invocation.terminal) }
        for sentence in sentences { try invocation.print(visible(sentence)) }
    }

    private func section(_ title: String) throws { try invocation.print("\n" + style.bold(title)) }
}

extension Invocation {
    /// Facts for people, whatever the format.
    func print(facts: Facts) throws { try facts.write(to: output, format: .table, terminal: terminal) }
}

extension NewestScore {
    /// `rule 0.93 (0.90 – 0.95)`, `detection 0.81 by gpt, stale`.
    var words: String {
        func text(_ value: Double) -> String { NumberFormat.fixed(2).text(value) }
        var words = "\(method) \(value.map(text) ?? "undefined")"
        if let low, let high { words += " (\(text(low)) – \(text(high)))" }
        if let judge { words += " by \(judge)" }
        return isStale ? words + ", stale" : words
    }
}
