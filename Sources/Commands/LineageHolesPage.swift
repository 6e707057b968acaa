import Diagnostics
import FeatureCatalogue
import Formats

/// `monoseme lineage --holes`: `Catalogue.holes`.
enum LineageHolesPage {
    private static let examples = 5, window = 12

    static func run(_ invocation: Invocation) throws {
        let form: OutputFormat
        switch invocation[LineageTree.form] {
        case .table: form = .table
        case .json: form = .json
        case .jsonl: form = .jsonl
        case .csv: form = .csv
        case .dot, .mermaid: throw UsageError("--holes is no graph", hint: "leave out --\(invocation[LineageTree.form] == .dot ? "dot" : "mermaid")")
        }
        let name = invocation[LineageTree.feature], catalogue = try invocation.openCatalogue()
        try catalogue.connection.snapshot {
            let rule = try invocation[LineageTree.rule].map { rule in
                let corpus = try catalogue.run(of: name.dictionary).corpus, subject = try catalogue.subject(named: rule, of: corpus)
                return (name: subject.name, tokens: try catalogue.positions(of: subject, in: corpus))
            }
            let holes = try catalogue.holes(of: name, rule: rule, examples: examples)
            try answer(holes, catalogue, form, invocation)
        }
    }

    private static func answer(_ holes: LineageHoles, _ catalogue: Catalogue, _ form: OutputFormat, _ invocation: Invocation) throws {
        let shown = Array(holes.features.prefix(invocation[LineageTree.k])), count = holes.holes.count
        let statistics = try catalogue.briefs(of: shown.map(\.feature), in: holes.run.dictionary)
        var table = Table([Column("feature"), Column("holes"), Column("share"), Column("top token", key: "top_token"), Column("label", isFlexible: true), Column("sum", audience: .programs)])
        for (owner, brief) in zip(shown, statistics) {
            table.append([.text(FeatureName(dictionary: holes.run.dictionary.name, index: owner.feature).description), .integer(owner.count), .real(Double(owner.count) / Double(max(1, count)), .percent),
                          .token(brief.topToken), Cell(brief.label), .real(owner.sum)])
        }
        switch form {
        case .jsonl, .csv: return try table.write(to: invocation.output, format: form, terminal: invocation.terminal)
        case .json, .table: break
        }
        var rest = holes.holes
        for owner in shown { rest.subtract(try catalogue.firingPositions(of: owner.feature, in: holes.run)) }
        let text = try CorpusText(catalogue, corpus: holes.run.corpus)
        let windows = try holes.examples.map { place in (place, try text.window(around: place.position, window), try catalogue.document(at: place.position, of: holes.run.corpus)) }
        if form == .json {
            var writer = JSONWriter(indentation: 2)
            writer.object { writer in
                writer.member("feature", holes.feature.description)
                switch holes.ground {
                case .firings(let feature): writer.member("firings_of", feature.description); writer.member("rule", String?.none)
                case .rule(let rule): writer.member("firings_of", String?.none); writer.member("rule", rule)
                }
                writer.key("covering")
                writer.array { writer in for feature in holes.covering { writer.value(feature.description) } }
                writer.member("tokens", holes.tokens)
                writer.member("holes", count)
                writer.member("dictionary", holes.run.dictionary.name.description)
                writer.member("features_firing", holes.features.count)
                writer.member("holes_of_features_listed", count - rest.count)
                writer.key("features")
                writer.array { writer in
                    for (owner, brief) in zip(shown, statistics) {
                        writer.object { writer in
                            writer.member("feature", FeatureName(dictionary: holes.run.dictionary.name, index: owner.feature).description)
                            writer.member("holes", owner.count)
                            writer.member("share", Double(owner.count) / Double(max(1, count)))
                            writer.member("sum", owner.sum)
                            writer.member("top_token", brief.topToken)
                            writer.member("label", brief.label)
                        }
                    }
                }
                writer.key("examples")
                writer.array { writer in
                    for (place, window, document) in windows {
                        writer.object { writer in
                            writer.member("position", place.position)
                            writer.member("activation", place.activation)
                            writer.member("document", document?.ordinal)
                            writer.member("topic", document?.topic)
                            writer.member("text", window.text)
                            writer.member("token", window.parts.focus)
                        }
                    }
                }
            }
            writer.endLine()
            return try invocation.output.write(writer.drain())
        }
        try invocation.print(sentence(holes))
        guard count > 0 else { return }
        try invocation.print("\n" + invocation.style.bold(holes.features.isEmpty ? "No feature of \(holes.run.dictionary.name) fires there" : "Who fires there in \(holes.run.dictionary.name)"))
        if !shown.isEmpty {
            try table.write(to: invocation.output, format: .table, terminal: invocation.terminal)
            let more = holes.features.count - shown.count
            try invocation.print(invocation.style.dim("on \(NumberFormat.percent.text(Double(count - rest.count) / Double(count))) of the holes one of these fires" + (more > 0 ? "; \(counted(more, "feature")) more fire\(more == 1 ? "s" : "") on some" : "")))
        }
        guard !windows.isEmpty else { return }
        try invocation.print("\n" + invocation.style.bold("Some of the holes"))
        var list = Table([Column("activation"), Column("topic", isFlexible: true), Column("context", isFlexible: true)])
        for (place, window, document) in windows {
            let parts = window.parts
            list.append([Cell(place.activation, .significant(3)), Cell(document?.topic), .excerpt(Excerpt(before: parts.before, focus: parts.focus, after: parts.after))])
        }
        try list.write(to: invocation.output, format: .table, terminal: invocation.terminal)
    }

    /// How many holes there are, in what.
    private static func sentence(_ holes: LineageHoles) -> String {
        let count = holes.holes.count, version = holes.run.dictionary.name, owner: String, ground: String
        switch holes.ground {
        case .firings(let feature): (owner, ground) = ("its", "\(feature) fires on \(counted(holes.tokens, "token"))")
        case .rule(let rule): (owner, ground) = ("\(holes.feature)'s", "\(visible(quoted(rule))) holds on \(counted(holes.tokens, "token"))")
        }
        if holes.covering.isEmpty { return "\(ground); \(holes.feature) has no child in \(version), so that all of them are holes" }
        let share = holes.tokens > 0 ? " (\(NumberFormat.percent.text(Double(count) / Double(holes.tokens))))" : ""
        let covering = holes.covering == [holes.feature] ? "\(holes.feature) does not" : holes.covering.count == 1 ? "\(owner) only child in \(version), \(holes.covering[0]), does not"
            : "none of \(owner) \(holes.covering.count) children in \(version) does"
        return "\(ground); on \(NumberFormat.grouped.text(Double(count)))\(share) of them \(covering)"
    }
}
