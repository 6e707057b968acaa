import Diagnostics
import FeatureCatalogue
import Ingestion
import Labelling

/// `monoseme label auto`: `Labeller.label`, and what it would take.
enum LabelAuto: Command {
    static let dictionary = Argument<DictionaryName>("DICT", help: "The dictionary, such as A/1")
    static let features = Option<String?>("--features", value: "LIST", help: "Only these, by index, such as 1,2,5-9")
    static let status = Option<LabellingRequest.Status?>("--status", help: "Only features that go by no label, by a draft, or by one whose evidence has changed (default: none)")
    static let limit = Option<Int?>("--limit", value: "N", in: 1..., help: "At most so many features, in order of index")
    static let contrast = Flag("--contrast", help: "Show the model look-alikes on which the feature is silent, too")
    static let score = Option<String>("--score", value: "METHODS", default: "detection,fuzzing", help: "How the labels are scored: detection, fuzzing, simulation, sparse-simulation, or none")

    static let declaration = Declaration(
        "label auto", summary: "label features by a language model, and score the labels",
        discussion: """
            The model is shown windows of 32 tokens in which the feature fires, the strongest and some of every strength, with its tokens marked, and says in a phrase what they have in common. The phrase is entered as a draft. It is then scored on windows \
            that were not shown, by the same model: detection (does the label fit the text?), fuzzing (are these the tokens it means?), simulation (how strong would it be on each token?). Balanced accuracy or correlation stand beside what a random label and a \
            random feature reach: a label is worth what it is above these.

            Every answer is kept as soon as it is there. Whatever ends the command, the same line again goes on where it stopped and pays for nothing twice; when all is done it does nothing, and --limit is to be raised for more features. \
            A budget is never passed: the command then ends with status 1, and what was done is kept. --estimate tells calls, tokens and money beforehand and sends nothing.

            "I don't know" is an answer and kept as such. Features with fewer than 12 windows to show and to score on are left out and listed with the reason.
            """,
        parameters: [dictionary, features, status, limit, contrast, score] + LabellingOptions.asking + [LabellingOptions.train, LabellingOptions.test, LabellingOptions.seed, LabellingOptions.withoutBaselines, Shared.format],
        examples: [
            ("monoseme label auto A/1 --limit 100 --estimate --price-in 0.5 --price-out 1.5", "What it would take"),
            ("monoseme label auto A/1 --limit 100 --endpoint http://localhost:8080/v1 --model llama-3.3-70b", "Label a hundred features"),
            ("monoseme label auto A/1 --features 3,17,40-49 --contrast --endpoint https://api.example.com/v1 --model large --key-env API_KEY --budget 2 --price-in 0.5 --price-out 1.5", "With look-alikes, for two dollars at most"),
        ])

    static func run(_ invocation: Invocation) throws {
        if invocation[features] != nil, invocation[status] != nil || invocation[limit] != nil { throw UsageError("--features was given with \(invocation[status] != nil ? "--status" : "--limit")", hint: "--features names the features; --status and --limit choose them") }
        let methods = invocation[score] == "none" ? [] : try LabellingOptions.methods(invocation[score], of: "--score")
        var request = try invocation.labellingRequest(invocation[dictionary], methods: methods)
        request.isContrastive = invocation[contrast]
        request.counts.train = invocation[LabellingOptions.train]
        let isEstimate = invocation[LabellingOptions.estimate]
        let catalogue = try isEstimate ? invocation.openCatalogue() : Catalogue(path: invocation[Shared.catalogue], for: .writing)
        request.selection = .status(invocation[status] ?? .none, limit: invocation[limit])
        if let list = invocation[features] { request.selection = .features(try LabellingOptions.indices(list, of: "--features", below: catalogue.dictionary(named: request.dictionary).features)) }
        let labeller = try Labeller(catalogue, request, now: now)
        if isEstimate {
            let progress = invocation.progress("estimate", total: nil, unit: "features")
            let estimate = try labeller.estimate { progress.update($0, total: $1) }
            progress.finish()
            return try invocation.print(estimate)
        }
        try invocation.ask(catalogue, labeller) { try labeller.label(with: $0, stop: $1, report: $2) }
        if labeller.holdsExamplesOnly { invocation.note("\(request.dictionary) was imported with examples of its firings: labels cannot be scored on where features are silent") }
    }
}
