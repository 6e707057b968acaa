import Diagnostics
import FeatureCatalogue

/// What the tables of `topics` say of a feature and a topic, in one place.
enum TopicCells {
    /// ● for people; for programs whether it is significant, or nothing where it was not tested.
    static let verdict = [Column("", key: "mark", audience: .people), Column("significant", audience: .programs)]
    static func verdict(_ rate: TopicRate) -> [Cell] { [.text(rate.isSignificant ? "●" : ""), rate.q == nil ? .missing : .boolean(rate.isSignificant)] }

    /// Whether every pair of a feature and a topic of the run has been tested.
    static func isTested(_ run: Run) -> Bool { run.topicTests != nil && run.keepTop == nil }

    /// How often it fires: known of every run.
    static let counts = [
        Column("documents", audience: .people), Column("documents_firing", audience: .programs), Column("topic_documents", audience: .programs), Column("firings"),
        Column("topic_tokens", audience: .programs), Column("rate"), Column("lift"), Column("share", audience: .programs), Column("mass", key: "mass_specificity"),
        Column("mean_when_active", audience: .programs), Column("maximum", audience: .programs), Column("log_odds", audience: .programs),
    ]
    static func counts(_ rate: TopicRate) -> [Cell] {
        [.text("\(rate.documentsFiring)/\(rate.topicDocuments)"), .integer(rate.documentsFiring), .integer(rate.topicDocuments), .integer(rate.firings), .integer(rate.topicTokens),
         .density(rate.rate), .real(rate.lift, .significant(3)), .real(rate.share), .real(rate.massSpecificity, .percent), .real(rate.meanWhenActive), .real(rate.maximum), .real(rate.logOdds)]
    }

    /// What is tested and measured on held-out documents.
    static let evidence = [
        Column("z"), Column("q", key: "q_shown", audience: .people), Column("q", audience: .programs), Column("F1", key: "f1"), Column("precision"), Column("recall"), Column("AUROC", key: "auroc"),
        Column("threshold", audience: .programs),
    ]
    static func evidence(_ rate: TopicRate) -> [Cell] {
        [Cell(rate.z, .fixed(1)), q(rate.q), Cell(rate.q), Cell(rate.detector?.f1, .fixed(2)), Cell(rate.detector?.precision, .fixed(2)), Cell(rate.detector?.recall, .fixed(2)),
         Cell(rate.auroc, .fixed(2)), Cell(rate.detector?.threshold)]
    }

    /// What lies below 10⁻⁴ is said to.
    static func q(_ value: Double?) -> Cell {
        guard let value else { return .missing }
        return value < 1e-4 ? .text("<.0001") : .real(value, .fixed(4))
    }

    /// Why there is no test, as a sentence; `nil` where there is one.
    static func caveat(_ run: Run) -> String? {
        if let keep = run.keepTop {
            return "\(run.dictionary.name) keeps only the \(grouped(keep)) strongest firings of each feature (--keep top): counts are of all firings; z, q and AUROC are missing where firings were left out."
        }
        if !run.isComplete { return "The ingest of \(run.dictionary.name) is unfinished: counts are of what was read so far; z, q and the detector come when it is complete." }
        if run.topicTests == nil { return "\(run.dictionary.name) was ingested by an older version, and its posting lists could not be read: z, q and the detector are missing. monoseme check lists all damage." }
        return nil
    }

    static func title(_ about: FeatureOverview, _ style: Style) -> String { style.bold(about.name.description) + (about.label.map { "  " + visible($0) } ?? style.dim("  no label yet")) }
    static func grouped(_ n: Int) -> String { NumberFormat.grouped.text(Double(n)) }
    static func percent(_ part: Double) -> String { NumberFormat.percent.text(part) }
    /// A token in quotes, so that its spaces are seen.
    static func spelled(_ text: String) -> String { "‘\(visible(text))’" }
}

extension Invocation {
    /// Whether a person reads the answer: what is said beside rows goes above them, not to standard error.
    var isForPeople: Bool { self[Shared.format] == .table }

    /// A line beside the rows: with them for people, on standard error for programs, whose rows stand alone.
    func remark(_ line: String) throws { if isForPeople { try print(line) } else { note(line) } }
}
