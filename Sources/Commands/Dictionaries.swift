import FeatureCatalogue

/// `monoseme dictionaries`: the view `dictionary_overview`.
enum Dictionaries: Command {
    static let declaration = Declaration(
        "dictionaries", summary: "list the dictionary versions in the catalogue",
        discussion: """
            One row for each dictionary version: its size, the mean number of features active on a token (L0), the share of variance explained, the \
            share of the model's loss recovered against zero-ablation, and how many features never fired. The JSON and CSV forms have everything: \
            losses, checksums, settings.
            """,
        parameters: [Shared.format], examples: [("monoseme dictionaries", "What is there"), ("monoseme dictionaries --json", "With all its numbers")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        let people: [(title: String, sql: String, format: NumberFormat)] = [
            ("dictionary", "dictionary", .plain), ("hook", "hook", .plain), ("features", "features", .grouped), ("size", "expansion_factor", .plain),
            ("tokens", "tokens", .grouped), ("L0", "l0", .significant(3)), ("explained", "explained_variance", .fixed(3)), ("recovered", "loss_recovered", .fixed(3)),
            ("dead", "dead", .grouped), ("ingest", "ingest", .plain),
        ]
        let programs = ["model", "architecture", "width", "corpus", "firings", "ultralow", "dead_density_bound", "loss_recovered_mean_ablated", "loss_original", "loss_spliced",
                        "loss_zero_ablated", "loss_mean_ablated", "evaluation_tokens", "context_length", "prepend_bos", "keep_top", "engine", "started_at", "finished_at",
                        "weights_sha256", "model_sha256", "tokenizer_sha256"]
        var table = Table(people.map { Column($0.title, key: $0.sql, isFlexible: $0.sql == "hook") } + programs.map { Column($0, audience: .programs) })
        try catalogue.connection.query("SELECT \((people.map(\.sql) + programs).joined(separator: ", ")) FROM dictionary_overview ORDER BY dictionary_id") { row in
            table.append((0..<people.count + programs.count).map { place in
                if place < people.count, people[place].sql == "expansion_factor" { return Cell(row.optionalReal(place), .significant(3)) }
                return Cell(row.value(place), place < people.count ? people[place].format : .plain)
            })
        }
        try invocation.print(table)
    }
}
