import Diagnostics
import FeatureCatalogue
import Ingestion
import Labelling

/// `monoseme label score`: `Labeller.score`, and what it would take.
enum LabelScoreCommand: Command {
    static let subjects = Argument<[String]>("DICT|FEATURE", isRequired: true, help: "A dictionary, such as A/1, or features of one, such as A/1/2357: the labels they go by, whoever gave them")
    static let method = Option<String>("--method", value: "METHODS", default: "detection,fuzzing", help: "How: detection, fuzzing, simulation, sparse-simulation")

    static let declaration = Declaration(
        "label score", summary: "have labels scored by a language model",
        discussion: """
            The labels that features go by, people's too, are judged on windows of the corpus that they were not made from, by the methods of `label auto` and beside the same baselines. \
            `label rule` scores a label that can be put as a rule, exactly and for nothing.
            """,
        parameters: [subjects, method] + LabellingOptions.asking + [LabellingOptions.test, LabellingOptions.seed, LabellingOptions.withoutBaselines, Shared.format],
        examples: [
            ("monoseme label score A/1 --method detection,simulation --estimate --price-in 0.5 --price-out 1.5", "What it would take"),
            ("monoseme label score A/1/2357 A/1/3450 --endpoint http://localhost:8080/v1 --model llama-3.3-70b", "Two labels"),
        ])

    static func run(_ invocation: Invocation) throws {
        let methods = try LabellingOptions.methods(invocation[method], of: "--method")
        var dictionaries: [DictionaryName] = [], indices: [Int] = [], isWhole = false
        for subject in invocation[subjects] {
            if let name = FeatureName(subject) { dictionaries.append(name.dictionary); indices.append(name.index) } else if let name = DictionaryName(subject) { dictionaries.append(name); isWhole = true } else {
                throw UsageError("DICT|FEATURE: found \(quoted(subject)), expected a dictionary's or a feature's name, such as A/1 or A/1/2357")
            }
        }
        let dictionary = dictionaries[0]
        guard dictionaries.allSatisfy({ $0 == dictionary }) else { throw UsageError("features of different dictionaries were named: \(dictionary) and \(dictionaries.first { $0 != dictionary }!)", hint: "score those of one at a time") }
        let request = try invocation.labellingRequest(dictionary, methods: methods), isEstimate = invocation[LabellingOptions.estimate]
        let catalogue = try isEstimate ? invocation.openCatalogue() : Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let labeller = try Labeller(catalogue, request, now: now)
        let features = try isWhole ? labeller.labelledFeatures() : indices
        let without = try features.count - labeller.countLabelled(features)
        guard without < features.count else { throw MonosemeError(isWhole ? "no feature of \(dictionary) has a label" : "the features named have no labels", hint: "give labels with monoseme label add or monoseme label auto") }
        if without > 0 { invocation.note("\(without) of the features named \(without == 1 ? "has" : "have") no label") }
        if isEstimate {
            let progress = invocation.progress("estimate", total: nil, unit: "features")
            let estimate = try labeller.estimate(scoring: features) { progress.update($0, total: $1) }
            progress.finish()
            return try invocation.print(estimate)
        }
        try invocation.ask(catalogue, labeller) { try labeller.score(features, with: $0, stop: $1, report: $2) }
    }
}
