import FeatureCatalogue

/// `monoseme topics --topic dna --in A/1`: the features that fire on a topic.
enum TopicFeatures {
    static func print(_ topicName: String, _ run: Run, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let topic = try catalogue.topic(named: topicName, of: run.corpus)
        let isTested = TopicCells.isTested(run) && topic.documents > 1
        let minimum = invocation.isGiven(Topics.documents) ? invocation[Topics.documents] : min(invocation[Topics.documents], max(1, topic.documents))
        let order = invocation[Topics.order]?.topic ?? (isTested ? .f1 : .firings)
        let found = try catalogue.topicRates(of: topic, in: run, by: order, documentsMinimum: minimum)
        let showsAll = invocation[Topics.all] || !isTested
        let rates = showsAll ? found : found.filter { $0.isSignificant }
        if invocation.isForPeople {
            try invocation.print(invocation.style.bold(visible(topic.name)) + "  \(counted(topic.documents, "document")), \(TopicCells.grouped(topic.tokens)) tokens")
            if topic.documents == 1 { try invocation.print("Nothing can be tested on one document: these are counts.") }
            if let caveat = TopicCells.caveat(run) { try invocation.print(caveat) }
            if isTested { try invocation.print(summary(found, run)) }
            try invocation.print()
        }
        let rows = Array(rates.prefix(invocation[Topics.k])), features = rows.map { $0.feature.index }
        // Token by token only every firing tells; the rates themselves may have come with an import.
        let profiles = run.evidence == .examples ? .init(repeating: nil, count: features.count) : try catalogue.tokenProfiles(of: features, in: run)
        let showsEvidence = isTested || !invocation.isForPeople
        var table = Table((invocation[Topics.all] && isTested ? TopicCells.verdict : [TopicCells.verdict[1]])
            + [Column("topic", audience: .programs), Column("feature"), Column("label", isFlexible: true), Column("top token", key: "top_token", isFlexible: true),
               Column("its mass", key: "top_token_share"), Column("token_entropy", audience: .programs)]
            + TopicCells.counts + (showsEvidence ? TopicCells.evidence.filter { $0.audience != .people } : []))
        for (place, brief) in try catalogue.briefs(of: features, in: run.dictionary).enumerated() {
            let rate = rows[place], verdict = TopicCells.verdict(rate)
            table.append((invocation[Topics.all] && isTested ? verdict : [verdict[1]])
                + [.text(topic.name), .text(rate.feature.description), Cell(brief.label), .token(brief.topToken), Cell(profiles[place]?.topShare, .percent), Cell(profiles[place]?.entropy)]
                + TopicCells.counts(rate) + (showsEvidence ? zip(TopicCells.evidence, TopicCells.evidence(rate)).filter { $0.0.audience != .people }.map(\.1) : []))
        }
        if !invocation.isForPeople || !rows.isEmpty { try invocation.print(table) }
        let leftOut = found.count - rates.count
        if !invocation.isForPeople, leftOut > 0 { invocation.note("left out: \(counted(leftOut, "feature")) without a difference at q ≤ 0.05; --all lists all") }
    }

    private static func summary(_ found: [TopicRate], _ run: Run) -> String {
        let above = found.count { $0.isSignificant }, rest = found.count - above
        return "\(TopicCells.grouped(above)) of \(TopicCells.grouped(run.dictionary.features)) features fire more often on it with q ≤ 0.05"
            + (rest > 0 ? "; left out without --all: \(TopicCells.grouped(rest)) more that fire in its documents" : "")
    }
}
