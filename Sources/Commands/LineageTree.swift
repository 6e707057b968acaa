import Diagnostics
import FeatureCatalogue
import Formats
import Publishing

extension LineageTier: ArgumentValue {}

/// `monoseme lineage`: `Catalogue.family`, or `Catalogue.holes`.
enum LineageTree: Command {
    static let feature = Argument<FeatureName>("FEATURE", help: "The feature whose family to show, such as A/0/45")
    static let tier = Option<LineageTier>("--tier", value: "asserted|likely|candidate", default: .likely, help: "Leave out edges that are less sure")
    static let depth = Option<Int>("--depth", value: "N", default: 8, in: 0...64, help: "How many versions up and down")
    static let k = Option<Int>("-k", value: "N", default: 10, in: 1..., help: "In the tree: children of a feature; with --holes: features that fire there")
    static let holes = Flag("--holes", help: "Show the tokens where the feature fires and none of its children does, and who fires there")
    static let rule = Option<String?>("--rule", value: "TAG", help: "With --holes: the tokens of this tag or topic, instead of those where the feature fires")
    static let form = FlagChoice<Form>(default: .table, section: .output, [
        ("--table", .table, "Draw a tree, for people (default)"),
        ("--json", .json, "Print one JSON document of features and edges"),
        ("--jsonl", .jsonl, "Print one JSON object for each edge"),
        ("--csv", .csv, "Print a line of comma-separated values for each edge"),
        ("--dot", .dot, "Print a graph for Graphviz"),
        ("--mermaid", .mermaid, "Print a flowchart for Mermaid"),
    ])

    enum Form: Sendable { case table, json, jsonl, csv, dot, mermaid }

    static let declaration = Declaration(
        "lineage", summary: "show what a feature came from and what it split into",
        discussion: """
            Draws the feature's ancestors in smaller dictionaries and its descendants in larger ones, over all lineages that `monoseme lineage build` has \
            made. A feature with several parents is shown under each of them, marked ⇄, its own children once.

            coverage: of the child's summed activation, the part on tokens where the parent fires. keep: of the parent's, the part where the child \
            fires. conf.: the probability that the parent's meaning holds the child's. Tiers: asserted, likely, candidate (Towards Monosemanticity's own rule, which is \
            often wrong). Labels of kin are shown as suggestions, after a ≈.

            With --holes: the tokens where the feature fires, or those of the tag or topic given with --rule, and none of its children in the next larger \
            dictionary does (asserted and likely ones), grouped by the features of that dictionary that do fire there. A feature without children is \
            compared with its parent.
            """,
        parameters: [feature, tier, depth, k, holes, rule, form],
        examples: [
            ("monoseme lineage A/0/45", "A family"), ("monoseme lineage A/1/2357 --tier candidate", "With all that might belong to it"),
            ("monoseme lineage A/0/45 --holes", "Where no child fires, and who does"), ("monoseme lineage A/0/45 --holes --rule base64", "Where text is base64 and no child fires"),
            ("monoseme lineage A/0/45 --dot | dot -Tsvg > family.svg", "As a picture"),
        ])

    static func run(_ invocation: Invocation) throws {
        if invocation[holes] { return try LineageHolesPage.run(invocation) }
        if invocation[rule] != nil { throw UsageError("--rule goes with --holes") }
        let catalogue = try invocation.openCatalogue()
        let family = try catalogue.connection.snapshot { try catalogue.family(of: invocation[feature], tier: invocation[tier], depth: invocation[depth]) }
        switch invocation[form] {
        case .table: try FamilyPage(family, invocation).print()
        case .json:
            var writer = JSONWriter(indentation: 2)
            family.write(to: &writer)
            writer.endLine()
            try invocation.output.write(writer.drain())
        case .jsonl: try edgeTable(family.edges).write(to: invocation.output, format: .jsonl, terminal: invocation.terminal)
        case .csv: try edgeTable(family.edges).write(to: invocation.output, format: .csv, terminal: invocation.terminal)
        case .dot: try invocation.output.write(LineageDrawing(family).dot)
        case .mermaid: try invocation.output.write(LineageDrawing(family).mermaid)
        }
        try invocation.output.flush() // what is said of the answer follows it
        for lineage in Set(family.members.flatMap { $0.facts.map(\.lineage.id) }).sorted() {
            guard let lineage = family.members.lazy.flatMap({ $0.facts }).map(\.lineage).first(where: { $0.id == lineage }), !lineage.isComplete else { continue }
            invocation.note("the lineage from \(lineage.coarse.name) to \(lineage.fine.name) is unfinished: monoseme lineage build \(lineage.coarse.name) \(lineage.fine.name) goes on with it")
        }
    }

    /// One row an edge, with all its evidence.
    static func edgeTable(_ edges: [LineageEdge]) -> Table {
        let names = ["parent", "child", "kind", "tier", "confidence", "coverage", "coverage_low", "keep", "mass_coverage", "mass_coverage_low", "mass_keep", "masked_cosine", "activation_correlation", "decoder_cosine", "containment",
                     "weight", "share", "parent_firings", "child_firings", "firings_together"]
        return Table(names.map { Column($0) }, rows: edges.map { edge in
            let e = edge.evidence
            return [.text(edge.parent.description), .text(edge.child.description), .text(edge.kind.rawValue), .text(edge.tier.rawValue), .real(edge.confidence), Cell(e.coverage), Cell(e.coverageLow), Cell(e.keep),
                    Cell(e.massCoverage), Cell(edge.massCoverageLow), Cell(e.massKeep), Cell(e.maskedCosine), Cell(e.activationCorrelation), Cell(e.decoderCosine), Cell(e.containment), Cell(edge.weight), Cell(edge.share),
                    .integer(e.parentFirings), .integer(e.childFirings), Cell(e.together)]
        })
    }
}

/// A family as a tree for people.
private struct FamilyPage {
    let family: LineageFamily
    let invocation: Invocation
    private let members: [FeatureName: LineageMember]
    private let children, parents: [FeatureName: [LineageEdge]]
    private var table = Table([Column("feature"), Column("kind", isFlexible: true), Column("conf.", alignment: .right), Column("coverage", alignment: .right), Column("keep", alignment: .right), Column("top tokens", isFlexible: true), Column("topic", isFlexible: true),
                               Column("label, family", isFlexible: true)])
    private var drawn: Set<FeatureName> = []

    init(_ family: LineageFamily, _ invocation: Invocation) {
        (self.family, self.invocation) = (family, invocation)
        members = Dictionary(uniqueKeysWithValues: family.members.map { ($0.feature, $0) })
        children = Dictionary(grouping: family.edges, by: \.parent)
        parents = Dictionary(grouping: family.edges, by: \.child)
    }

    func print() throws {
        var page = self
        // From the oldest down; on a damaged file, whose edges may run in circles, also from those that nothing leads to.
        for member in family.members where page.parents[member.feature] == nil { page.draw(member.feature, nil, "", "") }
        for member in family.members where member.relation != .descendant && !page.drawn.contains(member.feature) { page.draw(member.feature, nil, "", "") }
        try page.table.write(to: invocation.output, format: .table, terminal: invocation.terminal)
        let notes = notes()
        if !notes.isEmpty { try invocation.print("\n" + notes.map { visible($0) }.joined(separator: "\n")) }
        let kinds = LineageKind.allCases.filter { kind in family.edges.contains { $0.kind == kind } }
        if !kinds.isEmpty { try invocation.print("\n" + kinds.map { invocation.style.dim("\($0.shortWords): \($0.explanation)") }.joined(separator: "\n")) }
    }

    /// One feature and, where it is met for the first time, what is below it. `lead` stands before it, `margin` before its children.
    private mutating func draw(_ name: FeatureName, _ edge: LineageEdge?, _ lead: String, _ margin: String) {
        guard let member = members[name] else { return }
        let isFirst = drawn.insert(name).inserted, below = children[name] ?? []
        let others = member.parents.filter { $0 != edge?.parent }
        var words: [String] = []
        if let label = member.label { words.append(label) } else if let suggestion = member.suggestions.first { words.append("≈ " + suggestion.words) }
        if edge != nil, !others.isEmpty { words.append("⇄ also under \(others.prefix(3).map(\.description).joined(separator: ", "))" + (others.count > 3 ? " and \(others.count - 3) more" : "")) }
        if isFirst {
            for (lineage, node) in member.facts {
                let isCoarse = lineage.coarse.name == name.dictionary
                if isCoarse, let family = node.familyWords { words.append(family) }
                if let kind = node.kind, name != family.feature { words.append("\(kind.rawValue)\(kind == .vanished ? " in \(lineage.fine.name)" : "")") }
            }
        } else if !below.isEmpty {
            words.append("its children stand above")
        }
        table.append([
            .text(lead + name.description + (name == family.feature ? " ◂" : "")), .text(edge.map { "\($0.kind.shortWords), \($0.tier.rawValue)" } ?? ""), edge.map { .real($0.confidence, .fixed(2)) } ?? .text(""),
            edge.map { Cell($0.evidence.massCoverage, .percent) } ?? .text(""), edge.map { Cell($0.evidence.massKeep, .percent) } ?? .text(""),
            .text(member.topTokens.map { "‘\($0)’" }.joined(separator: " ")), .text(member.topic?.words ?? ""), .text(words.joined(separator: " · ")),
        ])
        guard isFirst else { return }
        let shown = chosen(below)
        for (place, next) in shown.enumerated() {
            let isLast = place == shown.count - 1 && shown.count == below.count
            draw(next.child, next, margin + (isLast ? "└─ " : "├─ "), margin + (isLast ? "   " : "│  "))
        }
        if shown.count < below.count {
            let rest = below.count - shown.count
            table.append([.text("\(margin)└─ … \(NumberFormat.grouped.text(Double(rest))) more")] + [Cell](repeating: .text(""), count: 7))
        }
    }

    /// At most as many edges as asked for, the child that keeps most of the parent first; what leads to the feature itself is among them.
    private func chosen(_ edges: [LineageEdge]) -> [LineageEdge] {
        func precedes(_ a: LineageEdge, _ b: LineageEdge) -> Bool {
            (a.evidence.massKeep ?? 0, a.tier, a.confidence, -a.child.index) > (b.evidence.massKeep ?? 0, b.tier, b.confidence, -b.child.index)
        }
        let sorted = edges.sorted(by: precedes)
        guard sorted.count > invocation[LineageTree.k] else { return sorted }
        let leading = sorted.filter { members[$0.child]?.relation != .descendant }
        let kept = Set((leading + sorted.filter { members[$0.child]?.relation == .descendant }).prefix(max(leading.count, invocation[LineageTree.k])).map(\.child))
        return sorted.filter { kept.contains($0.child) }
    }

    /// What there is to say of the feature where the tree says nothing.
    private func notes() -> [String] {
        guard let member = members[family.feature] else { return [] }
        var notes: [String] = []
        for (lineage, node) in member.facts {
            if let sentence = node.sentence(in: lineage, firings: member.firings, tokens: member.tokens) { notes.append(sentence); continue }
            let isFine = lineage.fine.name == family.feature.dictionary, other = isFine ? lineage.coarse.name : lineage.fine.name
            let has = family.edges.contains { isFine ? $0.child == family.feature && $0.parent.dictionary == other : $0.parent == family.feature && $0.child.dictionary == other }
            guard !has, invocation[LineageTree.depth] > 0 else { continue }
            let weaker = isFine ? family.weakerParents : family.weakerChildren
            notes.append("\(family.feature) has no \(isFine ? "parent" : "child") in \(other) that is \(invocation[LineageTree.tier].rawValue)" + (invocation[LineageTree.tier] < .asserted ? " or surer" : "")
                + node.bestWords + (weaker > 0 ? "; there \(weaker == 1 ? "is 1 that is" : "are \(weaker) that are") less sure: --tier candidate" : ""))
        }
        return notes
    }
}
