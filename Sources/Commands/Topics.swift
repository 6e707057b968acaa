import Diagnostics
import FeatureCatalogue
import Formats

/// `monoseme topics`: `Catalogue.topicRates`, of a feature or of a topic.
enum Topics: Command {
    static let feature = Argument<FeatureName?>("FEATURE", help: "The feature whose topics to list, such as A/1/2357")
    static let topic = Option<String?>("--topic", value: "NAME", help: "List the features that fire on this topic or tag instead; with FEATURE: how well it marks it")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "The dictionary of those features")
    static let k = Option<Int>("-k", value: "N", default: 20, in: 1..., help: "At most N rows")
    static let order = Option<SubjectRanking?>("--by", value: "ORDER", help: "The order (default: firings for a feature, f1 for a topic or tag)")
    static let disagreements = Flag("--disagreements", help: "With FEATURE and --topic: where one is without the other, and who fires instead")
    static let documents = Option<Int>("--min-documents", value: "N", default: 3, in: 1..., help: "With --topic: leave out features that fire in fewer of its documents")

    static let declaration = Declaration(
        "topics", summary: "show the topics of a feature, or the features of a topic",
        discussion: """
            rate: firings a token of the topic. share: of the feature's firings, those on the topic. lift: the rate against the feature's rate on all \
            tokens. log-odds: z of the log-odds ratio with an informative prior, for sorting. F1, precision and recall: of "the document holds a firing of \
            at least the threshold" as a detector of the topic's documents, at the best threshold.

            A tag (see `monoseme topics tag`) marks tokens, not documents. specificity: of the feature's firings, those on it. sensitivity: of its tokens, those on \
            which the feature fires. F1: of both. mass: of the summed activation, the part on it. correlation: Pearson's, of activation and tag.

            Without FEATURE and --topic: the topics of the corpus of the dictionary given with --in.
            """,
        parameters: [feature, topic, within, k, order, documents, disagreements, Shared.format],
        examples: [("monoseme topics A/1/2357", "What a feature is about"), ("monoseme topics --topic Base64 --in A/1", "The features that best detect a topic"),
                   ("monoseme topics --in A/1", "The topics there are"), ("monoseme topics A/1/2357 --topic Base64 --disagreements", "One feature against a topic or tag")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        if try TopicsTagged.answer(invocation, catalogue) { return }
        switch (invocation[feature], invocation[topic]) {
        case (_?, _?): preconditionFailure("answered above")
        case (let name?, nil):
            let (dictionary, index) = try catalogue.feature(name)
            if let other = invocation[within], other != dictionary.name { throw UsageError("\(name) is not in \(other)", hint: "leave out --in") }
            let run = try catalogue.run(of: dictionary.name)
            try print(try catalogue.topicRates(of: index, in: run, by: invocation[order]?.topic ?? .firings), isByTopic: true, nil, invocation)
        case (nil, let named?):
            guard let name = invocation[within] else { throw UsageError("a topic needs a dictionary", hint: "name it with --in") }
            let run = try catalogue.run(of: name)
            let topic = try catalogue.topic(named: named, of: run.corpus)
            let rates = try catalogue.topicRates(of: topic, in: run, by: invocation[order]?.topic ?? .f1, documentsMinimum: invocation.isGiven(documents) ? invocation[documents] : min(invocation[documents], max(1, topic.documents)))
            try print(rates, isByTopic: false, catalogue, invocation)
        case (nil, nil):
            guard let name = invocation[within] else { throw UsageError("nothing to list", hint: "name a feature, or a topic with --topic, or a dictionary with --in") }
            let run = try catalogue.run(of: name)
            try invocation.print(Table([Column("topic", isFlexible: true), Column("documents"), Column("tokens")], rows: try catalogue.topics(of: run.corpus).prefix(invocation.isGiven(k) ? invocation[k] : .max).map {
                [.text($0.name), .integer($0.documents), .integer($0.tokens)]
            }))
        }
    }

    private static func print(_ rates: [TopicRate], isByTopic: Bool, _ catalogue: Catalogue?, _ invocation: Invocation) throws {
        var columns = isByTopic ? [Column("topic", isFlexible: true)] : [Column("feature"), Column("label", isFlexible: true), Column("top token", key: "top_token")]
        columns += [Column("firings"), Column("rate"), Column("share"), Column("lift"), Column("log-odds", key: "log_odds"), Column("mean", key: "mean_when_active"),
                    Column("F1", key: "f1"), Column("precision"), Column("recall"), Column("threshold"), Column("maximum", audience: .programs),
                    Column("documents_firing", audience: .programs), Column("topic_documents", audience: .programs), Column("topic_tokens", audience: .programs)]
        var table = Table(columns)
        for rate in rates.prefix(invocation[k]) {
            var row: [Cell] = [.text(rate.topic)]
            if let catalogue, !isByTopic {
                let about = try catalogue.overview(of: rate.feature.index, in: try catalogue.dictionary(named: rate.feature.dictionary))
                row = [.text(rate.feature.description), Cell(about.label), .token(about.topToken)]
            }
            row += [.integer(rate.firings), .density(rate.rate), .real(rate.share, .percent), .real(rate.lift, .significant(3)), .real(rate.logOdds, .significant(3)),
                    .real(rate.meanWhenActive, .significant(3)), Cell(rate.detector?.f1, .fixed(2)), Cell(rate.detector?.precision, .fixed(2)), Cell(rate.detector?.recall, .fixed(2)),
                    Cell(rate.detector?.threshold, .significant(3)), .real(rate.maximum), .integer(rate.documentsFiring), .integer(rate.topicDocuments), .integer(rate.topicTokens)]
            table.append(row)
        }
        try invocation.print(table)
    }
}
