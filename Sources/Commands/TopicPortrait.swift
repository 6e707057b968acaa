import FeatureCatalogue

/// `monoseme topics A/1/2357`: what one feature is about.
enum TopicPortrait {
    static func print(_ name: FeatureName, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let (dictionary, index) = try catalogue.feature(name)
        let run = try catalogue.run(of: dictionary.name), corpus = try catalogue.corpus(run.corpus)
        let rates = try catalogue.topicRates(of: index, in: run, by: invocation[Topics.order]?.topic ?? (TopicCells.isTested(run) ? .z : .firings))
        let profile = try catalogue.tokenProfiles(of: [index], in: run)[0]
        let topToken = try profile.map { try catalogue.text(ofToken: $0.top, tokenizer: corpus.tokenizer) }
        if invocation.isForPeople {
            let about = try catalogue.overview(of: index, in: dictionary)
            try invocation.print(TopicCells.title(about, invocation.style))
            try invocation.print(summary(about, rates, topics: try catalogue.topics(of: corpus.id).count))
            if about.status == .insufficient { try invocation.print("It fires too rarely for its topics to be told: read the counts, and not the rates.") }
            if about.firings > 0, let caveat = TopicCells.caveat(run) { try invocation.print(caveat) }
            if let profile, let topToken { try invocation.print(tokens(profile, topToken)) }
            // A table without rows would say less than the sentence above it.
            if rates.isEmpty { return }
            try invocation.print()
        }
        var table = Table([Column("feature", audience: .programs)] + TopicCells.verdict + [Column("topic", isFlexible: true)] + TopicCells.counts + TopicCells.evidence
            + [Column("top_token", audience: .programs), Column("top_token_share", audience: .programs), Column("token_entropy", audience: .programs)])
        for rate in rates.prefix(invocation[Topics.k]) {
            table.append([.text(name.description)] + TopicCells.verdict(rate) + [.text(rate.topic)] + TopicCells.counts(rate) + TopicCells.evidence(rate)
                + [Cell(topToken), Cell(profile?.topShare), Cell(profile?.entropy)])
        }
        try invocation.print(table)
        if rates.count > invocation[Topics.k] { try invocation.remark("\(TopicCells.grouped(rates.count - invocation[Topics.k])) more topics on which it fires: -k \(rates.count) shows all") }
    }

    private static func summary(_ about: FeatureOverview, _ rates: [TopicRate], topics: Int) -> String {
        guard about.firings > 0 else { return "dead: it never fired in \(counted(about.tokens, "token")), and nothing can be said of its topics." }
        let isTested = rates.contains { $0.q != nil }
        return "\(about.status.rawValue): \(counted(about.firings, "firing")) in \(counted(about.documents, "document"))"
            + (isTested ? "; ● q ≤ 0.05 on \(TopicCells.grouped(rates.count { $0.isSignificant })) of \(counted(topics, "topic"))" : "")
    }

    /// Token or context: one sentence.
    private static func tokens(_ profile: TokenProfile, _ topToken: String) -> String {
        let token = TopicCells.spelled(topToken), share = TopicCells.percent(profile.topShare)
        if profile.tokens == 1 { return "It fires on one token only: \(token)." }
        if profile.topShare >= 0.5 { return "One token makes \(share) of its mass: \(token), of \(TopicCells.grouped(profile.tokens)) that it fires on." }
        return "Its mass is spread over \(TopicCells.grouped(profile.tokens)) tokens, as evenly as over \(NumberFormat.significant(2).text(profile.evenTokens)); the first, \(token), makes \(share)."
    }
}
