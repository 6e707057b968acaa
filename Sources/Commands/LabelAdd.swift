import Analyses
import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme label add`: `Catalogue.addLabel`.
enum LabelAdd: Command {
    static let feature = Argument<FeatureName>("FEATURE", help: "The feature, such as A/1/2357")
    static let text = Argument<String>("TEXT", help: "What it means")
    static let draft = Flag("--draft", help: "Propose it: it waits to be accepted, and does not take the place of an accepted label")
    static let rule = Option<LabelRule?>("--rule", value: "RULE", help: "What it claims, as regex:PATTERN, tokens:A,B or topic:NAME, to be scored on the corpus (default: what stands in brackets at its end)")

    static let declaration = Declaration(
        "label add", summary: "say what a feature means",
        discussion: "Labels are a ledger: a new one supersedes the one before, which stays in the history. Nothing is ever changed or removed.",
        parameters: [feature, text, LabelShared.author, draft, rule],
        examples: [("monoseme label add A/1/2357 \"base64 strings\" --author ada", "Add a label"),
                   ("monoseme label add A/1/2357 \"base64 strings [regex:[A-Za-z0-9+/]{40,}]\" --draft", "Propose one that says by which rule it can be judged")])

    static func run(_ invocation: Invocation) throws {
        let name = invocation[feature], isDraft = invocation[draft]
        // A rule that can never be scored is said now, and not when all are.
        if let rule = invocation[rule] ?? LabelShared.rule(in: invocation[text]) { try RuleEvaluator.validate(rule) }
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let label = try catalogue.addLabel(LabelEntry(invocation[text], for: name, author: invocation[LabelShared.author], status: isDraft ? .draft : .accepted, rule: invocation[rule]), at: now())
        let what = quoted(label.text, limit: 200)
        if label.isCurrent {
            invocation.note("\(name) is now \(what)\(isDraft ? ", a draft" : "") (label \(label.id))\(label.supersedes == nil ? "" : "; its earlier labels are in the history")")
        } else if label.status == .accepted {
            invocation.note("\(what) is label \(label.id) of \(name), and a label that was added at the same time came after it: the feature goes by that one")
        } else {
            invocation.note("\(what) is a draft for \(name) (label \(label.id)); monoseme label accept \(label.id) puts it in the place of the label that was accepted")
        }
    }
}

/// What the commands on labels have in common.
enum LabelShared {
    static let author = Option<String>("--author", value: "NAME", default: "unknown", variable: "USER", help: "Who says so")
    static let targets = Argument<[LabelTarget]>("LABEL", isRequired: true, help: "The number of a label, or a feature for the label that it goes by")
    static let reason = Option<String?>("--reason", value: "TEXT", help: "Why")

    /// What a label's text carries, blanks at its end left aside, as the ledger does.
    static func rule(in text: String) -> LabelRule? { LabelRule(in: String(text[..<(text.lastIndex { !$0.isWhitespace }.map(text.index(after:)) ?? text.startIndex)])) }

    static func decide(_ status: LabelStatus, _ invocation: Invocation) throws {
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        var labels: [Label] = []
        for target in invocation[targets] {
            let label = switch target {
            case .number(let id): try catalogue.label(id)
            case .feature(let name): try catalogue.labelMeant(by: name, to: status)
            }
            if !labels.contains(where: { $0.id == label.id }) { labels.append(label) }
        }
        try catalogue.decide(labels.map(\.id), status, author: invocation[author], reason: invocation[reason], at: now())
        for label in labels {
            let current = try catalogue.labels(of: label.feature).first(where: \.isCurrent)
            let consequence = switch current {
            case nil: "\(label.feature) goes by no label now"
            case let current? where current.id == label.id: "\(label.feature) goes by it" + (current.status == .stale ? ", and it is stale still: a label of what is there now is a new one" : "")
            case let current?: "\(label.feature) goes by \(quoted(current.text, limit: 200)) (label \(current.id))"
            }
            invocation.note("label \(label.id), \(quoted(label.text, limit: 200)), is \(status.rawValue): \(consequence)")
        }
    }
}

/// A label by its number, or by the feature that goes by it.
enum LabelTarget: ArgumentValue, LosslessStringConvertible {
    case number(Int), feature(FeatureName)

    static var expectation: String { "the number of a label, or a feature's name, such as A/1/2357" }

    init?(_ description: String) {
        if let number = Int(description), number > 0 { self = .number(number); return }
        guard let name = FeatureName(description) else { return nil }
        self = .feature(name)
    }

    var description: String {
        switch self {
        case .number(let id): "\(id)"
        case .feature(let name): name.description
        }
    }
}
