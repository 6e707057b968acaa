import FeatureCatalogue

/// `monoseme features`: the view `feature_overview`.
enum Features: Command {
    static let dictionary = Argument<DictionaryName>("DICTIONARY", help: "The dictionary, such as A/1")
    static let sort = Option<FeatureOrder>("--sort", value: "index|density|max|mean|documents|label|lift", default: .index, help: "The order; lift goes with --topic")
    static let status = Option<FeatureStatus?>("--status", value: "alive|dead|dense|ultralow|insufficient", help: "Only features of this status")
    static let topic = Option<String?>("--topic", value: "T", help: "Only features that fire on this topic")
    static let limit = Option<Int>("--limit", value: "N", default: 20, in: 0..., help: "At most N features; 0 for all")

    static let declaration = Declaration(
        "features", summary: "list features with their statistics",
        discussion: "A feature's status: dead (it never fired in the tokens seen), insufficient (fewer than 10 firings), ultralow (density below 10⁻⁶ over 10⁸ tokens or more), dense (on more than a tenth of all tokens), else alive.",
        parameters: [dictionary, sort, status, topic, limit, Shared.format],
        examples: [("monoseme features A/1 --sort density --limit 10", "The features that fire most"), ("monoseme features A/1 --topic Base64 --sort lift", "Those that mark a topic"),
                   ("monoseme features A/1 --status dead --limit 0 --csv", "All that never fired")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        let run = try catalogue.run(of: invocation[dictionary])
        if invocation[sort] == .lift && invocation[topic] == nil { throw UsageError("--sort lift needs a topic", hint: "name it with --topic T") }
        let topicID = try invocation[topic].map { try catalogue.topic(named: $0, of: run.corpus).id }
        let limit = invocation[limit]
        let table = invocation.tableWriter([
            Column("feature"), Column("label", key: "label_with_remarks", isFlexible: true, audience: .people), Column("label", audience: .programs), Column("status"), Column("firings"), Column("density"), Column("documents"), Column("max", key: "maximum"),
            Column("mean", key: "mean_when_active"), Column("top token", key: "top_token"), Column("raises", key: "top_logit_token"),
            Column("decoder_norm", audience: .programs), Column("encoder_decoder_cosine", audience: .programs), Column("tokens", audience: .programs),
            Column("label_status", audience: .programs), Column("label_score", audience: .programs), Column("label_score_method", audience: .programs),
        ])
        try catalogue.overviews(of: run.dictionary, order: invocation[sort], status: invocation[status], topic: topicID, limit: limit == 0 ? nil : limit) { f in
            try table.append([
                .text(f.name.description), Cell(labelWords(f)), Cell(f.label), .text(f.status.rawValue), .integer(f.firings), .density(f.density), .integer(f.documents), .real(f.maximum, .significant(3)),
                Cell(f.meanWhenActive, .significant(3)), .token(f.topToken), .token(f.topLogitToken), .real(f.decoderNorm), Cell(f.encoderDecoderCosine), .integer(f.tokens),
                Cell(f.labelStatus?.rawValue), Cell(f.labelScore), Cell(f.labelScoreMethod),
            ])
        }
        try table.finish()
    }

    /// The label with what is to be known of it: `base64 strings (draft, rule 0.93)`.
    private static func labelWords(_ f: FeatureOverview) -> String? {
        guard let label = f.label else { return nil }
        let remarks = [f.labelStatus.flatMap { $0 == .accepted ? nil : $0.rawValue }, f.labelScore.map { "\(f.labelScoreMethod ?? "score") \(NumberFormat.fixed(2).text($0))" }].compactMap { $0 }
        return remarks.isEmpty ? label : "\(label) (\(remarks.joined(separator: ", ")))"
    }
}
