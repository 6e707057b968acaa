import Diagnostics
import FeatureCatalogue
import Formats

/// `monoseme lineage summary`: `Catalogue.overview(of:families:)`.
enum LineageSummaryCommand: Command {
    static let coarse = Argument<DictionaryName>("SMALL", help: "The smaller dictionary, such as A/0")
    static let fine = Argument<DictionaryName>("LARGE", help: "The larger one, such as A/1")
    static let k = Option<Int>("-k", value: "N", default: 20, in: 1..., help: "How many families")

    static let declaration = Declaration(
        "lineage summary", summary: "count what split, merged, appeared and vanished between two sizes",
        discussion: """
            Edges by kind and tier; what has become of the features of the smaller dictionary, and where those of the larger one come from; and the families \
            with most children. A feature is counted once: as noise, novel or vanished, else by the first of same, split, merged, absorbed and overlap that one \
            of its edges is (in the larger dictionary merged before split), else as candidate where all its edges are that, else as unclear.

            union: of the parent's firings, those on which a child fires. explained: of its summed squared activation, what non-negative least squares on \
            the children's activations explain.

            --csv and --jsonl print the families.
            """,
        parameters: [coarse, fine, k, Shared.format],
        examples: [("monoseme lineage summary A/0 A/1", "Two sizes"), ("monoseme lineage summary A/0 A/1 -k 512 --csv", "All families, for a program")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        let overview = try catalogue.connection.snapshot {
            try catalogue.overview(of: try catalogue.lineage(from: try catalogue.dictionary(named: invocation[coarse]), to: try catalogue.dictionary(named: invocation[fine])), families: invocation[k])
        }
        switch invocation[Shared.format] {
        case .table: try page(overview, invocation)
        case .json:
            var writer = JSONWriter(indentation: 2)
            write(overview, to: &writer)
            writer.endLine()
            try invocation.output.write(writer.drain())
        case .jsonl, .csv: try invocation.print(families(overview))
        }
    }

    private static func page(_ overview: LineageOverview, _ invocation: Invocation) throws {
        let lineage = overview.lineage, bold = invocation.style.bold
        try invocation.print(bold("Edges from \(lineage.coarse.name) to \(lineage.fine.name)"))
        var edges = Table([Column("kind")] + LineageTier.allCases.reversed().map { Column($0.rawValue) } + [Column("", isFlexible: true)])
        for kind in LineageKind.allCases {
            guard let tiers = overview.edges[kind] else { continue }
            edges.append([.text(kind.shortWords)] + LineageTier.allCases.reversed().map { .integer(tiers[$0] ?? 0) } + [.text(kind.explanation)])
        }
        edges.append([.text("all")] + LineageTier.allCases.reversed().map { tier in .integer(overview.edges.values.reduce(0) { $0 + ($1[tier] ?? 0) }) } + [.text("")])
        try invocation.print(edges)
        try invocation.print("\n" + bold("Features"))
        var features = Table([Column(""), Column(lineage.coarse.name.description), Column(lineage.fine.name.description), Column("", isFlexible: true)])
        for fate in LineageOverview.Fate.allCases where overview.coarse[fate] != nil || overview.fine[fate] != nil {
            features.append([.text(fate.rawValue), .integer(overview.coarse[fate] ?? 0), .integer(overview.fine[fate] ?? 0), .text(fate.explanation)])
        }
        try invocation.print(features)
        guard !overview.families.isEmpty else { return }
        try invocation.print("\n" + bold("Families: \(overview.families.count < overview.familyCount ? "the largest \(overview.families.count) of " : "")\(NumberFormat.grouped.text(Double(overview.familyCount)))"))
        try invocation.print(families(overview))
    }

    private static func families(_ overview: LineageOverview) -> Table {
        Table([Column("parent"), Column("children"), Column("union", key: "union_coverage"), Column("explained"), Column("firings"), Column("top token", key: "top_token"), Column("label", isFlexible: true)],
              rows: overview.families.map { family in
                  [.text(family.parent.description), .integer(family.children), Cell(family.unionCoverage, .percent), Cell(family.explained, .percent), .integer(family.firings), .token(family.topToken), Cell(family.label)]
              })
    }

    private static func write(_ overview: LineageOverview, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("parent_dictionary", overview.lineage.coarse.name.description)
            writer.member("child_dictionary", overview.lineage.fine.name.description)
            writer.member("has_activation_evidence", overview.lineage.corpus != nil)
            writer.member("has_decoder_evidence", overview.lineage.hasDecoderEvidence)
            writer.key("edges")
            writer.array { writer in
                for kind in LineageKind.allCases {
                    for tier in LineageTier.allCases.reversed() {
                        writer.object { writer in
                            writer.member("kind", kind.rawValue)
                            writer.member("tier", tier.rawValue)
                            writer.member("edges", overview.edges[kind]?[tier] ?? 0)
                        }
                    }
                }
            }
            for (key, fates) in [("parent_features", overview.coarse), ("child_features", overview.fine)] {
                writer.key(key)
                writer.object { writer in for fate in LineageOverview.Fate.allCases { writer.member(fate.rawValue, fates[fate] ?? 0) } }
            }
            writer.member("families", overview.familyCount)
            writer.key("largest_families")
            writer.array { writer in
                for family in overview.families {
                    writer.object { writer in
                        writer.member("parent", family.parent.description)
                        writer.member("children", family.children)
                        writer.member("union_coverage", family.unionCoverage)
                        writer.member("explained", family.explained)
                        writer.member("firings", family.firings)
                        writer.member("top_token", family.topToken)
                        writer.member("label", family.label)
                    }
                }
            }
        }
    }
}

extension LineageOverview.Fate {
    fileprivate var explanation: String {
        switch self {
        case .same: "found again in the other"
        case .split: "a parent that has split; a child of one parent"
        case .merged: "of several parents; a parent of such a child"
        case .absorbed: "perhaps absorbed: the same direction, other tokens"
        case .overlap: "related, in no way that has a name"
        case .novel: "explained by no feature of the smaller one"
        case .vanished: "carried on by no feature of the larger one"
        case .noise: "fewer than \(LineageRule.firingsMinimum) firings: not judged"
        case .candidate: "candidates only, nothing surer"
        case .unclear: "no edge, and not far enough from all to be novel or vanished"
        }
    }
}
