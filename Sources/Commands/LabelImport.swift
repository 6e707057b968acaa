import Analyses
import Diagnostics
import FeatureCatalogue
import Ingestion

extension LabelFileFormat: ArgumentValue {}

/// `monoseme label import`: `labelLines` and `Catalogue.importLabels`.
enum LabelImport: Command {
    static let file = Argument<String?>("FILE", help: "JSON Lines or CSV; - or nothing reads standard input")
    static let format = Option<LabelFileFormat?>("--format", value: "jsonl|csv", help: "What it is (default: JSON Lines if it begins with {, else CSV)")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "The dictionary that all are of; a feature may then be an index alone")
    static let draft = Flag("--draft", help: "Labels that do not say their status are drafts (default: accepted)")

    static let declaration = Declaration(
        "label import", summary: "add many labels from JSON Lines or CSV, all or none",
        discussion: """
            Every line has a feature and a label, and as far as they are known author, author_kind (person, model or program), method, status (draft, \
            accepted or rejected), is_unknown, rule, parameters (a JSON object), created_at, decided_by and reason. CSV names its columns in the first \
            line. Where one line is wrong, nothing is added, and the message says which.

            A label that the ledger has already is left out, so that the same file twice changes nothing. The ledger's time is that of the import: \
            created_at is kept among the parameters.
            """,
        parameters: [file, format, within, LabelShared.author, draft],
        examples: [
            ("monoseme label import labels.csv --author ada", "A file"), ("monoseme label import labels.jsonl --catalogue other.sqlite", "What label export wrote, into another catalogue"),
            ("monoseme label import names.csv --in A/1 --draft", "Features by index, to be looked at"),
        ])

    static func run(_ invocation: Invocation) throws {
        let path = invocation[file] ?? "-"
        let input = try readInput(path, limit: inputLimit)
        let defaults = LabelFileDefaults(author: invocation[LabelShared.author], status: invocation[draft] ? .draft : .accepted, dictionary: invocation[within])
        let lines = try input.withUnsafeBytes { try labelLines(in: $0, as: invocation[format], defaults: defaults) }
        for line in lines {
            guard let rule = line.entry.rule ?? LabelShared.rule(in: line.entry.text) else { continue }
            do { try RuleEvaluator.validate(rule) } catch let error as MonosemeError {
                throw MonosemeError("line \(line.line): \(error.message)", hint: (error.hint.map { $0 + "; " } ?? "") + "nothing was entered")
            }
        }
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let progress = invocation.progress("labels", total: lines.count, unit: "labels")
        let summary = try catalogue.importLabels(lines, at: now()) { progress.update($0, total: lines.count, details: []) }
        progress.finish()
        invocation.note("\(counted(summary.entered, "label")) added to \(counted(summary.features, "feature"))" + (summary.known > 0 ? "; \(counted(summary.known, "label")) \(summary.known == 1 ? "was" : "were") there already" : ""))
    }

    /// Longest input, in bytes: some millions of labels.
    private static let inputLimit = 1 << 30
}
