import FeatureCatalogue

/// `monoseme label export`: `Catalogue.writeLabels`.
enum LabelExport: Command {
    static let dictionary = Argument<DictionaryName>("DICTIONARY", help: "The dictionary, such as A/1")
    static let format = Option<LabelFileFormat>("--format", value: "jsonl|csv", default: .jsonl, help: "JSON Lines, or CSV with a line of titles")
    static let history = Flag("--history", help: "All labels that there ever were, and not only those that features go by")

    static let declaration = Declaration(
        "label export", summary: "write the labels of a dictionary as JSON Lines or CSV",
        discussion: "In order of the features, to standard output. label import reads it. Prompts, examples, scores and costs are not among it: monoseme export has them.",
        parameters: [dictionary, format, history],
        examples: [("monoseme label export A/1 > labels.jsonl", "The labels that features go by"), ("monoseme label export A/1 --history --format csv", "The whole ledger, for a spreadsheet")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        try catalogue.connection.snapshot {
            _ = try catalogue.writeLabels(of: try catalogue.dictionary(named: invocation[dictionary]), as: invocation[format], history: invocation[history]) { try invocation.output.write($0) }
        }
    }
}
