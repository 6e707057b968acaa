import Analyses
import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme label suggest`: `LabelDrafts.drafts` and `Catalogue.enter`.
enum LabelSuggest: Command {
    static let dictionary = Argument<DictionaryName>("DICT", help: "The dictionary, such as A/1")
    static let limit = Option<Int?>("--limit", value: "N", in: 1..., help: "At most N drafts, those with the greatest F1")
    static let minimum = Option<Double>("--min-f1", value: "X", default: 0.5, in: 0...1, help: "No draft for a rule that says less")
    static let features = Option<FeatureIndices?>("--features", value: "LIST", help: "Only these features: indices and ranges such as 0-99,205")
    static let dryRun = Flag("--dry-run", help: "Keep nothing")
    static let omitted = Flag("--omitted", section: .output, help: "List the features without a draft instead, each with the reason")

    static let declaration = Declaration(
        "label suggest", summary: "draft labels from the evidence alone",
        discussion: """
            For each feature without an accepted label many rules are tried: its tokens, what it follows, topics, scripts, tags, shapes of text such as digits or \
            URLs, and combinations of two. The best is kept as a draft, by method suggest and author monoseme, with its rule and score; of rules that do \
            about as well, the simplest: their F1 is less by at most a tenth of what the best lacks of 1, or by one standard error up to 0.05.

            A rule is chosen on the odd documents of each topic. Its score is that on the even ones, where nothing was chosen; `monoseme label rule` scores it on all.

            Drafts are proposals: accept or reject them. One that was proposed before, on the same evidence, is not added again, also if it was rejected. How many features have no \
            draft, and why, is said on standard error.
            """,
        parameters: [dictionary, limit, minimum, features, dryRun, Shared.format, omitted],
        examples: [
            ("monoseme label suggest A/1", "Draft what can be drafted"), ("monoseme label suggest A/1 --min-f1 0.8 --limit 20 --dry-run", "The twenty best, to look at"),
            ("monoseme label suggest A/1 --omitted --csv", "The features without a draft, and why"),
        ])

    static func run(_ invocation: Invocation) throws {
        let isDry = invocation[dryRun] || invocation[omitted]
        let catalogue = isDry ? try invocation.openCatalogue() : try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let run = try catalogue.run(of: invocation[dictionary])
        try catalogue.demandSoundShape(run.dictionary)
        let chosen = try invocation[features].map { list in
            if let last = list.indices.last, last >= run.dictionary.features { _ = try catalogue.feature(FeatureName(dictionary: run.dictionary.name, index: last)) }
            return list.indices
        } ?? Array(0..<run.dictionary.features)
        let reading = invocation.progress("shapes", total: nil, unit: "documents")
        let study = try LabelDrafts(catalogue, run, minimumF1: invocation[minimum]) { reading.update($0.done, total: $0.total) }
        reading.finish()
        let progress = invocation.progress("\(run.dictionary.name)", total: chosen.count, unit: "features")
        let (found, omissions) = try study.drafts(for: chosen) { step in progress.update(step.done, total: step.total, details: ["\(NumberFormat.grouped.text(Int64(step.drafts))) drafts"]) }
        progress.finish()
        if invocation[omitted] { return try list(omissions, invocation) }
        let ranked = found.sorted { ($0.score.f1!.value, -$0.feature.index) > ($1.score.f1!.value, -$1.feature.index) }
        let drafts = Array(ranked.prefix(invocation[limit] ?? .max))
        var states: [String?] = drafts.map { _ in nil }
        if !isDry {
            let outcomes = try catalogue.enter(drafts.map { draft in
                let entry = LabelEntry(draft.text, for: draft.feature, author: "monoseme", authorKind: .program, method: "suggest", status: .draft, rule: draft.rule)
                return RuledLabel(entry, draft.score.entry(label: 0, draft.feature, draft.rule, documents: LabelDraft.scoredDocuments))
            }, author: "monoseme", at: now())
            states = outcomes.map { $0.isNewLabel ? "added" : "there already" }
        }
        try invocation.print(Table(columns, rows: zip(drafts, states).map { row($0, state: $1) }))
        say(drafts.count, found.count, states.count { $0 == "there already" }, omissions, invocation)
    }

    private static func say(_ drafts: Int, _ found: Int, _ known: Int, _ omissions: [(feature: FeatureName, reason: DraftOmission)], _ invocation: Invocation) {
        func count(_ n: Int) -> String { NumberFormat.grouped.text(Int64(n)) }
        let kept = invocation[dryRun] ? "\(count(drafts)) drafts, none of them kept" : "\(count(drafts - known)) drafts were added" + (known > 0 ? ", \(count(known)) were there already" : "")
        invocation.note(kept + (found > drafts ? "; \(count(found - drafts)) more are beyond --limit" : ""))
        var labelled = 0, silent = 0, few = 0, poor = 0
        for (_, reason) in omissions {
            switch reason {
            case .hasLabel: labelled += 1
            case .neverFires: silent += 1
            case .tooFew: few += 1
            case .poor: poor += 1
            }
        }
        let reasons = [(labelled, "have an accepted label"), (silent, "never fire"), (few, "fire on too few tokens or documents to choose a rule and to score it on others"), (poor, "are fitted by no rule with an F1 of \(invocation[minimum].argument)")]
        let said = reasons.filter { $0.0 > 0 }.map { "\(count($0.0)) \($0.1)" }
        if !said.isEmpty { invocation.note("no draft for \(count(omissions.count)) features: \(said.joined(separator: "; ")); --omitted lists them") }
    }

    // MARK: Rows

    private static let columns = [
        Column("feature"), Column("label", isFlexible: true), Column("rule", isFlexible: true, audience: .programs), Column("F1", key: "f1"), Column("low", key: "f1_low"), Column("high", key: "f1_high"),
        Column("precision"), Column("recall"), Column("firings"), Column("F1 chosen on", key: "f1_chosen_on", audience: .programs), Column("true_positives", audience: .programs),
        Column("false_positives", audience: .programs), Column("false_negatives", audience: .programs), Column("true_negatives", audience: .programs), Column("state"),
    ]

    private static func row(_ draft: LabelDraft, state: String?) -> [Cell] {
        let s = draft.score
        return [.text(draft.feature.description), .text(draft.text), .text(draft.rule.description), Cell(s.f1?.value, .fixed(3)), Cell(s.f1?.interval.lowerBound, .fixed(3)), Cell(s.f1?.interval.upperBound, .fixed(3)),
                Cell(s.precision?.value, .percent), Cell(s.recall?.value, .percent), .integer(s.firings), Cell(draft.choosingScore.f1?.value, .fixed(3)), .integer(s.truePositives), .integer(s.falsePositives),
                .integer(s.falseNegatives), .integer(s.trueNegatives), Cell(state)]
    }

    private static func list(_ omissions: [(feature: FeatureName, reason: DraftOmission)], _ invocation: Invocation) throws {
        let columns = [Column("feature"), Column("reason"), Column("best", isFlexible: true), Column("rule", isFlexible: true, audience: .programs), Column("F1", key: "f1"), Column("F1 chosen on", key: "f1_chosen_on"), Column("firings"), Column("firings elsewhere", key: "firings_chosen_on")]
        try invocation.print(Table(columns, rows: omissions.map { name, reason in
            let (words, rest): (String, [Cell]) = switch reason {
            case .hasLabel: ("accepted label", [.missing, .missing, .missing, .missing, .missing, .missing])
            case .neverFires: ("never fires", [.missing, .missing, .missing, .missing, .integer(0), .integer(0)])
            case .tooFew(let choosing, let reporting): ("too few", [.missing, .missing, .missing, .missing, .integer(reporting), .integer(choosing)])
            case .poor(let best): ("poor", [.text(best.text), .text(best.rule.description), Cell(best.score.f1?.value, .fixed(3)), Cell(best.choosingScore.f1?.value, .fixed(3)), .integer(best.score.firings), .integer(best.choosingScore.firings)])
            }
            return [.text(name.description), .text(words)] + rest
        }))
    }
}

/// Indices and ranges of them, as on a command line: `0-99,205`; ascending, none twice.
struct FeatureIndices: ArgumentValue {
    let argument: String
    let indices: [Int]

    init?(argument: String) {
        self.argument = argument
        var all = Set<Int>()
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int($0) : nil }
            guard (1...2).contains(ends.count), let low = ends[0], let high = ends[ends.count - 1], low <= high, high < featuresMaximum else { return nil }
            all.formUnion(low...high)
        }
        indices = all.sorted()
    }

    static var expectation: String { "indices and ranges such as 0-99,205" }
}
