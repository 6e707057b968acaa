import Diagnostics
import FeatureCatalogue
import Formats

/// `monoseme topics FEATURE --topic NAME`: one feature against one tag or topic, `Catalogue.statistics(of:against:in:)` and, with
/// `--disagreements`, `Catalogue.disagreements`.
struct SubjectPage {
    private let feature: FeatureName
    private let invocation: Invocation
    private let catalogue: Catalogue
    private let run: Run
    private let subject: TokenSubject
    private let text: CorpusText
    private let statistics: SubjectStatistics
    private let intervals: [SubjectInterval]
    private let disagreements: SubjectDisagreements?
    /// Tokens shown on either side.
    private static let window = 10

    init(_ name: FeatureName, _ subject: String, _ invocation: Invocation, _ catalogue: Catalogue) throws {
        (feature, self.invocation, self.catalogue) = (name, invocation, catalogue)
        let (dictionary, index) = try catalogue.feature(name), run = try catalogue.run(of: dictionary.name)
        self.run = run
        self.subject = try catalogue.subject(named: subject, of: run.corpus)
        text = try CorpusText(catalogue, corpus: run.corpus)
        let marks = try catalogue.positions(of: self.subject, in: run.corpus)
        statistics = try catalogue.statistics(of: index, against: marks, in: run)
        intervals = try catalogue.firings(of: index, in: run).intervals(against: marks)
        disagreements = invocation[Topics.disagreements] ? try catalogue.disagreements(of: index, with: marks, in: run, limit: invocation[Topics.k]) : nil
    }

    func print() throws {
        switch (invocation[Shared.format], disagreements) {
        case (.json, _):
            var writer = JSONWriter(indentation: 2)
            try write(to: &writer)
            writer.endLine()
            try invocation.output.write(writer.drain())
        case (.table, let disagreements):
            try printFacts()
            try printIntervals()
            if let disagreements { try printDisagreements(disagreements) }
        case (_, let disagreements?): try invocation.print(Table(rowColumns, rows: rows(disagreements)))
        case (_, nil): try invocation.print(facts)
        }
    }

    private func count(_ n: Int) -> String { NumberFormat.grouped.text(Int64(n)) }
    private func percent(_ value: Double?) -> String { value.map { NumberFormat.percent.text($0) } ?? "–" }
    private var subjectWord: String { if case .tag = subject { "tag" } else { "topic" } }

    // MARK: For people

    private func printFacts() throws {
        let s = statistics, name = visible(subject.name)
        try invocation.print(invocation.style.bold("\(feature)") + " against the \(subjectWord) " + invocation.style.bold(name))
        var facts = Facts()
        facts.append("specificity", .text("\(percent(s.specificity))  (\(count(s.firingsMarked)) of \(count(s.firings)) firings are on \(name))"))
        facts.append("sensitivity", .text("\(percent(s.sensitivity))  (of \(count(s.marked)) tokens of \(name), it fires on \(count(s.firingsMarked)), in \(count(s.documents)) documents)"))
        facts.append("F1", Cell(s.f1, .fixed(3)))
        facts.append("enrichment", .text(s.enrichment.map { "× \(NumberFormat.significant(3).text($0))" } ?? "–"))
        facts.append("mass", .text("\(percent(s.massSpecificity)) of the summed activation"))
        facts.append("correlation", .text("\(fixed(s.correlation)) of the activation, \(fixed(s.binaryCorrelation)) of firing at all"))
        try invocation.print(facts: facts)
    }

    private func fixed(_ value: Double?) -> String { value.map { NumberFormat.fixed(3).text($0) } ?? "–" }

    private func printIntervals() throws {
        guard !intervals.isEmpty else { return }
        try invocation.print("\n" + invocation.style.bold("Specificity by activation"))
        var table = Table([Column("≈ activation"), Column("firings"), Column("on \(visible(subject.name))"), Column("specificity"), Column("", isFlexible: true)])
        for interval in intervals.reversed() where interval.firings > 0 {
            table.append([Cell(interval.centre, .significant(3)), .integer(interval.firings), .integer(interval.firingsMarked), Cell(interval.specificity, .percent), .text(bar(interval.specificity ?? 0, width: 24))])
        }
        try table.write(to: invocation.output, format: .table, terminal: invocation.terminal)
    }

    private func printDisagreements(_ disagreements: SubjectDisagreements) throws {
        let all = try rows(disagreements), fires = all.prefix(disagreements.strongestUnmarked.count), holes = all.dropFirst(fires.count)
        func show(_ title: String, _ rows: ArraySlice<[Cell]>, _ columns: [Int]) throws {
            guard !rows.isEmpty else { return }
            try invocation.print("\n" + invocation.style.bold(title))
            try Table(columns.map { rowColumns[$0] }, rows: rows.map { row in columns.map { row[$0] } }).write(to: invocation.output, format: .table, terminal: invocation.terminal)
        }
        let name = visible(subject.name)
        try show("Fires, but not on \(name): \(count(disagreements.firingsUnmarked)) tokens, the strongest", fires, [1, 2, 6])
        try show("\(name), but it does not fire: \(count(disagreements.holes)) tokens, evenly spread", holes, [2, 6])
        guard !disagreements.othersInHoles.isEmpty else { return }
        try invocation.print("\n" + invocation.style.bold("Who fires on these \(count(disagreements.holes)) tokens"))
        var table = Table([Column("feature"), Column("firings"), Column("share"), Column("top token"), Column("label", isFlexible: true)])
        let others = Array(disagreements.othersInHoles.prefix(invocation[Topics.k]))
        for (other, brief) in zip(others, try catalogue.briefs(of: others.map(\.feature), in: run.dictionary)) {
            table.append([.text(FeatureName(dictionary: feature.dictionary, index: other.feature).description), .integer(other.count), .real(Double(other.count) / Double(disagreements.holes), .percent),
                          .token(brief.topToken), Cell(brief.label)])
        }
        try table.write(to: invocation.output, format: .table, terminal: invocation.terminal)
    }

    // MARK: For both

    private let rowColumns = [Column("kind"), Column("activation"), Column("topic"), Column("position"), Column("document"), Column("position_in_document"), Column("text", isFlexible: true)]

    private func rows(_ disagreements: SubjectDisagreements) throws -> [[Cell]] {
        let topics = try Dictionary(catalogue.topics(of: run.corpus).map { ($0.id, $0.name) }) { first, _ in first }
        func row(_ kind: String, _ position: Int, _ activation: Float?) throws -> [Cell] {
            let (document, bounds) = try text.place(of: position), parts = try text.window(around: position, SubjectPage.window).parts
            let topic: String? = topics[text.documents.topics[document]]
            return [.text(kind), Cell(activation, .significant(3)), Cell(topic), .integer(position, .plain), .integer(document, .plain),
                    .integer(position - bounds.lowerBound, .plain), .excerpt(Excerpt(before: parts.before, focus: parts.focus, after: parts.after))]
        }
        var rows: [[Cell]] = []
        for (position, activation) in disagreements.strongestUnmarked { rows.append(try row("feature-only", position, activation)) }
        for position in disagreements.someHoles { rows.append(try row("\(subjectWord)-only", position, nil)) }
        return rows
    }

    // MARK: For programs

    private var facts: Facts {
        var facts = Facts()
        facts.append("feature", .text(feature.description))
        facts.append(subjectWord, .text(subject.name))
        for (key, cell) in numbers { facts.append(key, cell) }
        return facts
    }

    private var numbers: [(key: String, cell: Cell)] {
        let s = statistics
        return [("tokens", .integer(s.tokens)), ("\(subjectWord)_tokens", .integer(s.marked)), ("firings", .integer(s.firings)), ("firings_\(subjectWord == "tag" ? "tagged" : "on_topic")", .integer(s.firingsMarked)),
                ("documents", .integer(s.documents)), ("specificity", Cell(s.specificity)), ("sensitivity", Cell(s.sensitivity)), ("f1", Cell(s.f1)), ("enrichment", Cell(s.enrichment)),
                ("mass_specificity", Cell(s.massSpecificity)), ("correlation", Cell(s.correlation)), ("binary_correlation", Cell(s.binaryCorrelation))]
    }

    private func write(to writer: inout JSONWriter) throws {
        let cells: [[Cell]] = if let disagreements { try rows(disagreements) } else { [] }
        writer.object { writer in
            writer.member("feature", feature.description)
            writer.member(subjectWord, subject.name)
            for (key, cell) in numbers { write(cell, key, &writer) }
            writer.key("intervals")
            writer.array { writer in
                for interval in intervals {
                    writer.object { writer in
                        writer.member("centre", interval.centre)
                        writer.member("firings", interval.firings)
                        writer.member("firings_\(subjectWord == "tag" ? "tagged" : "on_topic")", interval.firingsMarked)
                        writer.member("specificity", interval.specificity)
                    }
                }
            }
            guard let disagreements else { return }
            writer.member("feature_only", disagreements.firingsUnmarked)
            writer.member("\(subjectWord)_only", disagreements.holes)
            writer.key("disagreements")
            writer.array { writer in
                for row in cells { writer.object { writer in for (column, cell) in zip(rowColumns, row) { write(cell, column.key, &writer) } } }
            }
            writer.key("who_fires_instead")
            writer.array { writer in
                for other in disagreements.othersInHoles.prefix(invocation[Topics.k]) {
                    writer.object { writer in
                        writer.member("feature", FeatureName(dictionary: feature.dictionary, index: other.feature).description)
                        writer.member("firings", other.count)
                        writer.member("documents", other.documents)
                        writer.member("share", Double(other.count) / Double(disagreements.holes))
                    }
                }
            }
        }
    }

    private func write(_ cell: Cell, _ key: String, _ writer: inout JSONWriter) {
        switch cell {
        case .integer(let n, _): writer.member(key, n)
        case .real(let r, _): writer.member(key, r)
        case .text(let text): writer.member(key, text)
        case .excerpt(let excerpt): writer.member(key, "\(excerpt.before)«\(excerpt.focus)»\(excerpt.after)")
        default: writer.member(key, nil as String?)
        }
    }
}
