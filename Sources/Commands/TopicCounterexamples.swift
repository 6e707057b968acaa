import Diagnostics
import FeatureCatalogue

/// `monoseme topics A/1/2012 --counterexamples`: the strongest firings outside a topic.
enum TopicCounterexamples {
    /// Tokens on either side of a firing that are read; a terminal shows as many as fit.
    private static let window = 24

    static func print(_ name: FeatureName, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let (dictionary, index) = try catalogue.feature(name)
        let run = try catalogue.run(of: dictionary.name)
        if run.evidence == .examples { try catalogue.demandEveryFiring(of: run, for: "where it fires outside of a topic cannot be told") }
        let rates = try catalogue.topicRates(of: index, in: run, by: .share)
        let topic = try catalogue.topic(named: invocation[Topics.topic] ?? mainTopic(rates, name, run, catalogue), of: run.corpus)
        let text = try CorpusText(catalogue, corpus: run.corpus)
        let found = try catalogue.counterexamples(of: index, in: run, outside: topic, rates, count: invocation[Topics.k], text)
        if invocation.isForPeople {
            try invocation.print(TopicCells.title(try catalogue.overview(of: index, in: dictionary), invocation.style))
            for line in words(found, run, isChosen: invocation[Topics.topic] == nil) { try invocation.print(line) }
            if found.examples.isEmpty { return }
            try invocation.print()
        }
        var table = Table([
            Column("feature", audience: .programs), Column("outside", audience: .programs), Column("activation"), Column("topic", isFlexible: true), Column("document"), Column("position", audience: .programs),
            Column("position_in_document", audience: .programs), Column("source", audience: .programs), Column("line", audience: .programs), Column("text", isFlexible: true), Column("token", audience: .programs),
        ])
        for (position, activation) in found.examples {
            let window = try text.window(around: position, window), parts = window.parts
            guard let document = try catalogue.document(at: position, of: run.corpus) else { continue }
            table.append([
                .text(name.description), .text(topic.name), Cell(activation, .significant(3)), .text(document.topic), .integer(document.ordinal, .plain), .integer(position), .integer(position - document.firstPosition),
                .text(document.source), Cell(document.line), .excerpt(Excerpt(before: parts.before, focus: parts.focus, after: parts.after)), .text(parts.focus),
            ])
        }
        try invocation.print(table)
    }

    private static func mainTopic(_ rates: [TopicRate], _ name: FeatureName, _ run: Run, _ catalogue: Catalogue) throws -> String {
        if let main = catalogue.mainTopic(rates) { return main.topic }
        guard let most = rates.first else { throw MonosemeError("\(name) never fires: there is nothing to look for outside of a topic") }
        let reason = run.keepTop != nil ? "without all firings (--keep top) no topic of \(run.dictionary.name)'s features can be tested" : run.topicTests == nil
            ? "its topics have not been tested, for the ingest of \(run.dictionary.name) is unfinished" : "it fires more often on no topic with q ≤ 0.05"
        throw MonosemeError("\(name) has no main topic: \(reason)", hint: "name one with --topic; most of its firings are on \(quoted(most.topic))")
    }

    private static func words(_ found: Counterexamples, _ run: Run, isChosen: Bool) -> [String] {
        let topic = visible(found.topic.topic)
        guard found.allFirings > 0 else { return ["It never fires."] }
        var lines = ["\(isChosen ? "Its main topic" : "The topic") is \(topic): \(TopicCells.percent(found.topic.share)) of its firings, \(TopicCells.percent(found.topic.massSpecificity)) of its mass"
            + (found.topic.q.map { ", \($0 < 1e-4 ? "q < 0.0001" : "q = \(NumberFormat.fixed(4).text($0))")" } ?? "") + "."]
        if found.firings == 0 { return lines + ["No firing lies outside."] }
        lines.append("Outside: \(counted(found.firings, "firing")) of \(TopicCells.grouped(found.allFirings)) (\(TopicCells.percent(Double(found.firings) / Double(found.allFirings)))) with \(TopicCells.percent(found.massShare)) of the mass, "
            + "in \(counted(found.documents, "document")) of \(counted(found.topics, "topic")).")
        if let keep = run.keepTop {
            lines.append("\(run.dictionary.name) keeps only the \(TopicCells.grouped(keep)) strongest firings of each feature: " + (found.examples.isEmpty ? "none of them lies outside." : "the examples are of these."))
        }
        return lines
    }
}
