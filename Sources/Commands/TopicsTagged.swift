import Diagnostics
import FeatureCatalogue

/// What `monoseme topics --by` takes: topics and tags are ranked by different measures.
struct SubjectRanking: ArgumentValue {
    let argument: String
    var topic: TopicOrder? { TopicOrder(rawValue: argument) }
    var tag: SubjectOrder? { SubjectOrder(rawValue: argument) }

    init?(argument: String) {
        guard SubjectRanking.choices.contains(argument) else { return nil }
        self.argument = argument
    }

    static var expectation: String { "one of " + choices.joined(separator: ", ") }
    static var choices: [String] {
        TopicOrder.allCases.map(\.rawValue) + SubjectOrder.allCases.map(\.rawValue).filter { TopicOrder(rawValue: $0) == nil }
    }
}

/// `monoseme topics` about a tag: `Catalogue.statistics(against:in:)`.
enum TopicsTagged {
    /// Answers where `--topic` is a tag, or is asked together with a feature; `false` where the question is another command's.
    static func answer(_ invocation: Invocation, _ catalogue: Catalogue) throws -> Bool {
        guard let named = invocation[Topics.topic] else {
            if invocation[Topics.disagreements] { throw UsageError("--disagreements of what?", hint: "monoseme topics A/1/2357 --topic NAME --disagreements") }
            return false
        }
        if let feature = invocation[Topics.feature] {
            if let other = invocation[Topics.within], other != feature.dictionary { throw UsageError("\(feature) is not in \(other)", hint: "leave out --in") }
            try SubjectPage(feature, named, invocation, catalogue).print()
            return true
        }
        if invocation[Topics.disagreements] { throw UsageError("--disagreements needs a feature", hint: "monoseme topics A/1/2357 --topic NAME --disagreements") }
        guard let name = invocation[Topics.within] else { throw UsageError("a topic needs a dictionary", hint: "name it with --in") }
        let run = try catalogue.run(of: name)
        guard case .tag(let tag) = try catalogue.subject(named: named, of: run.corpus) else {
            if let ranking = invocation[Topics.order], ranking.topic == nil { throw UsageError("features of a topic are not ranked by \(ranking.argument): that is for tags", hint: "--by \(TopicOrder.allCases.map(\.rawValue).joined(separator: ", "))") }
            return false
        }
        if let ranking = invocation[Topics.order], ranking.tag == nil { throw UsageError("features of a tag are not ranked by \(ranking.argument): that is for topics", hint: "--by \(SubjectOrder.allCases.map(\.rawValue).joined(separator: ", "))") }
        try list(tag, run, invocation, catalogue)
        return true
    }

    private static func list(_ tag: Tag, _ run: Run, _ invocation: Invocation, _ catalogue: Catalogue) throws {
        let order = invocation[Topics.order]?.tag ?? .f1
        // A tag of few documents cannot fill the floor.
        let floor = invocation.isGiven(Topics.documents) ? invocation[Topics.documents] : min(invocation[Topics.documents], max(1, tag.documents))
        let ranked = try catalogue.statistics(against: try catalogue.positions(of: tag), in: run).filter { $0.documents >= floor }
            .sorted { order.key($0) != order.key($1) ? order.key($0) > order.key($1) : $0.feature < $1.feature }.prefix(invocation[Topics.k])
        var table = Table([Column("feature"), Column("label", isFlexible: true), Column("top token", key: "top_token"), Column("firings"), Column("tagged", key: "firings_tagged"),
                           Column("specificity"), Column("sensitivity"), Column("F1", key: "f1"), Column("mass", key: "mass_specificity"), Column("correlation"), Column("enrichment"),
                           Column("binary_correlation", audience: .programs), Column("documents", audience: .programs), Column("tag_tokens", audience: .programs), Column("tokens", audience: .programs)])
        for (s, brief) in zip(ranked, try catalogue.briefs(of: ranked.map(\.feature), in: run.dictionary)) {
            table.append([.text(FeatureName(dictionary: run.dictionary.name, index: s.feature).description), Cell(brief.label), .token(brief.topToken), .integer(s.firings), .integer(s.firingsMarked),
                          Cell(s.specificity, .percent), Cell(s.sensitivity, .percent), Cell(s.f1, .fixed(2)), Cell(s.massSpecificity, .percent), Cell(s.correlation, .fixed(2)), Cell(s.enrichment, .significant(3)),
                          Cell(s.binaryCorrelation), .integer(s.documents), .integer(s.marked), .integer(s.tokens)])
        }
        try invocation.print(table)
    }
}
