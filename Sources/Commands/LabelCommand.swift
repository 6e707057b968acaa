import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme label`: `Catalogue.addLabel` and `Catalogue.labels`.
enum LabelCommand: Command {
    static let feature = Argument<FeatureName>("FEATURE", help: "The feature, such as A/1/2357")
    static let text = Argument<String?>("TEXT", help: "What it means; without it the labels so far are listed, the newest first")
    static let author = Option<String>("--author", value: "NAME", default: "unknown", variable: "USER", help: "Who says so")

    static let declaration = Declaration(
        "label", summary: "say what a feature means, or list what has been said",
        discussion: "Labels are a ledger: a new one supersedes the one before, which stays in the history. Nothing is ever changed or removed.",
        parameters: [feature, text, author, Shared.format],
        examples: [("monoseme label A/1/2357 \"base64 strings\" --author ada", "Add a label"), ("monoseme label A/1/2357", "The history")])

    static func run(_ invocation: Invocation) throws {
        let name = invocation[feature]
        if let text = invocation[text] {
            let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
            let label = try catalogue.addLabel(text, to: name, author: invocation[author], at: now())
            invocation.note("\(name) is now \(quoted(label.text, limit: 200))\(label.supersedes == nil ? "" : "; its earlier labels are in the history")")
            return
        }
        let catalogue = try invocation.openCatalogue()
        var table = Table([Column("label", isFlexible: true), Column("author"), Column("time", key: "created_at"), Column("current")])
        for (place, label) in try catalogue.labels(of: name).enumerated() {
            table.append([.text(label.text), .text(label.author), .text(label.createdAt), .boolean(place == 0)])
        }
        try invocation.print(table)
    }
}
