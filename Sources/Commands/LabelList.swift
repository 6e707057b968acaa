import FeatureCatalogue

extension LabelFilter: ArgumentValue {}

/// `monoseme label list`: `Catalogue.forEachLabel`.
enum LabelList: Command {
    static let dictionary = Argument<DictionaryName?>("DICTIONARY", help: "The dictionary, such as A/1 (default: all)")
    static let status = Option<LabelFilter?>("--status", value: "draft|accepted|rejected|stale|none", help: "Only labels of this status; none lists the features that go by no label")
    static let method = Option<String?>("--method", value: "M", help: "Only labels made this way, such as hand")
    static let author = Option<String?>("--author", value: "NAME", help: "Only labels by this author")
    static let limit = Option<Int>("--limit", value: "N", default: 20, in: 0..., help: "At most N; 0 for all")

    static let declaration = Declaration(
        "label list", summary: "list labels, or features that have none",
        discussion: """
            The labels that features go by, in order of the features. A label is a draft until somebody accepts it; it is stale when its dictionary version \
            has been ingested anew since, with other weights or over another corpus.
            """,
        parameters: [dictionary, status, method, author, limit, Shared.format],
        examples: [("monoseme label list A/1", "The labels of a dictionary"), ("monoseme label list A/1 --status draft --limit 0", "All that wait to be accepted"), ("monoseme label list --status stale", "Those to look at again")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        let dictionary = try invocation[dictionary].map { try catalogue.dictionary(named: $0) }
        guard invocation[status] != .missing || (invocation[method] == nil && invocation[author] == nil) else {
            throw UsageError("--status none lists features without a label", hint: "leave out --method and --author")
        }
        let limit = invocation[limit]
        let table = invocation.tableWriter([
            Column("id", key: "label_id"), Column("feature"), Column("label", isFlexible: true), Column("status"), Column("author"), Column("method"), Column("score"), Column("by", key: "score_method"),
            Column("time", key: "created_at"), Column("author_kind", audience: .programs), Column("rule", audience: .programs), Column("is_current", audience: .programs),
        ])
        var count = 0
        try catalogue.forEachLabel(in: dictionary, invocation[status], method: invocation[method], author: invocation[author], limit: limit == 0 ? nil : limit) { listed in
            count += 1
            let label = listed.label
            try table.append([
                Cell(label?.id, .plain), .text(listed.feature.description), Cell(label?.text), Cell(label?.status.rawValue), Cell(label?.author), Cell(label?.method),
                Cell(listed.score, .fixed(2)), Cell(listed.scoreMethod), Cell(label?.createdAt), Cell(label?.authorKind.rawValue), Cell(label?.rule?.description), label.map { .boolean($0.isCurrent) } ?? .missing,
            ])
        }
        try table.finish()
        if limit > 0, count == limit { invocation.note("there may be more; --limit 0 lists all") }
    }
}
