import FeatureCatalogue

/// `monoseme label history`: `Catalogue.labels(of:)` and `Catalogue.decisions(of:)`.
enum LabelHistory: Command {
    static let feature = Argument<FeatureName>("FEATURE", help: "The feature, such as A/1/2357")

    static let declaration = Declaration(
        "label history", summary: "list all labels that a feature ever had, the newest first",
        discussion: "With what was decided about each, by whom and why. The one that the feature goes by is marked.",
        parameters: [feature, Shared.format],
        examples: [("monoseme label history A/1/2357", "For people"), ("monoseme label history A/1/2357 --json", "With methods, prompts and costs, for a program")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue(), name = invocation[feature]
        let (labels, decisions) = try catalogue.connection.snapshot { (try catalogue.labels(of: name), try catalogue.decisions(of: name)) }
        var table = Table([
            Column("", audience: .people), Column("id", key: "label_id"), Column("feature", audience: .programs), Column("label", isFlexible: true), Column("status"),
            Column("current", key: "is_current", audience: .programs), Column("author"), Column("author_kind", audience: .programs), Column("method"), Column("time", key: "created_at"),
            Column("decisions", isFlexible: true), Column("is_unknown", audience: .programs), Column("rule", audience: .programs), Column("prompt", audience: .programs), Column("parameters", audience: .programs),
            Column("prompt_tokens", audience: .programs), Column("completion_tokens", audience: .programs), Column("cost", audience: .programs), Column("supersedes", audience: .programs),
        ])
        for label in labels {
            table.append([
                .text(label.isCurrent ? "•" : ""), .integer(label.id, .plain), .text(name.description), .text(label.text), .text(label.status.rawValue),
                .boolean(label.isCurrent), .text(label.author), .text(label.authorKind.rawValue), .text(label.method), .text(label.createdAt),
                Cell(decisions.contains { $0.label == label.id } ? decisions.filter { $0.label == label.id }.map(\.words).joined(separator: "; ") : nil),
                .boolean(label.isUnknown), Cell(label.rule?.description), Cell(label.prompt), .text(label.parameters),
                Cell(label.usage?.promptTokens), Cell(label.usage?.completionTokens), Cell(label.usage?.cost), Cell(label.supersedes, .plain),
            ])
        }
        try invocation.print(table)
        if labels.isEmpty { invocation.note("\(name) has never had a label; monoseme label add \(name) TEXT gives it one") }
    }
}

extension LabelDecision {
    /// `rejected by ada at 2026-11-28T12:00:00Z (it fires on hex as well)`.
    var words: String { "\(status.rawValue) by \(author) at \(createdAt)" + (reason.map { " (\($0))" } ?? "") }
}
