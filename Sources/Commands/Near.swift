import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme near`: `Catalogue.nearest` from a feature, a sum of features or a vector; `lastToken` from a text.
enum Near: Command {
    static let feature = Argument<String?>("FEATURE", help: "The feature to start from, such as A/1/2357, or a sum of features: \"A/1/10 - A/1/11 + 0.5 * A/1/12\"")
    static let k = Option<Int>("-k", value: "N", default: 10, in: 1..., help: "How many")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "Look in this dictionary (default: the feature's own)")
    static let predicate = Option<String?>("--where", value: "SQL", help: "Only features for which this holds, over the columns of feature_overview")
    static let vector = Option<String?>("--vector", value: "FILE|-", help: "Start from a vector instead: a JSON array, or NumPy's .npy")
    static let text = Option<String?>("--text", value: "TEXT", help: "List what fires on the last token of this text instead; needs --model and --sae")
    static let model = Option<String?>("--model", value: "DIR", help: "For --text: the language model that was ingested")
    static let autoencoder = Option<String?>("--sae", value: "DIR", help: "For --text: the autoencoder that was ingested")
    static let explain = Flag("--explain", section: .output, help: "Say on standard error how the answer was found and what it took")

    static let declaration = Declaration(
        "near", summary: "find the features whose decoder vectors point the same way",
        discussion: """
            Exact cosines over the decoder vectors in the catalogue; equal ones come in order of index. Across models or hook points cosines compare \
            nothing, and are refused.

            In a sum, + and - stand between spaces (names may hold them), a number is a weight, and brackets group. The features that are named are \
            left out of the answer. With --where the answer is the nearest of those for which the predicate holds, none missed.

            --text runs the model by the rules of the dictionary's run and lists the features that fire on the last token, strongest first; their cosine \
            is that of the token's activation, less b_dec where the autoencoder subtracts it. A text longer than the context loses its beginning.
            """,
        parameters: [feature, k, within, predicate, vector, text, model, autoencoder, Shared.format, explain],
        examples: [
            ("monoseme near A/1/2357", "The ten nearest"), ("monoseme near A/0/45 --in A/1 -k 5", "Where a feature went in a larger dictionary"),
            ("monoseme near A/1/2357 --where \"density > 1e-4 AND label IS NOT NULL\"", "Among those that have a label and are not rare"),
            ("monoseme near \"A/1/10 - A/1/11 + A/1/12\"", "What is to 12 as 10 is to 11"),
            ("monoseme near --vector direction.npy --in A/1", "Features along a direction of your own"),
            ("monoseme near --text \"def main(\" --model Fixtures/model-A --sae Fixtures/sae-A-1", "What fires on the bracket"),
        ])

    static func run(_ invocation: Invocation) throws {
        let starts = [invocation[feature] == nil ? nil : "a feature", invocation[vector] == nil ? nil : "--vector", invocation[text] == nil ? nil : "--text"].compactMap { $0 }
        guard let start = starts.first else { throw UsageError("nothing to start from", hint: "name a feature, or give --vector or --text") }
        guard starts.count == 1 else { throw UsageError("\(starts.joined(separator: " and ")) were given", hint: "start from one of them") }
        if invocation[text] == nil, let option = invocation[model] != nil ? "--model" : invocation[autoencoder] != nil ? "--sae" : nil {
            throw UsageError("\(option) goes with --text, not with \(start)")
        }
        if let text = invocation[text] { return try answer(text: text, invocation) }
        let query = try Query(invocation)
        let catalogue = try invocation.openCatalogue()
        try catalogue.connection.snapshot { try answer(query, catalogue, invocation) }
    }

    // MARK: By direction

    private enum Query {
        case features(FeatureExpression)
        case vector([Float], DictionaryName)

        init(_ invocation: Invocation) throws {
            if let text = invocation[Near.feature] { self = .features(try Query.expression(text)); return }
            guard let name = invocation[within] else { throw UsageError("a vector says nothing of where to look", hint: "name a dictionary with --in") }
            self = .vector(try readVector(invocation[Near.vector]!), name)
        }

        /// A name that is wrong as a whole is called that; what has parts is judged by its parts.
        private static func expression(_ text: String) throws -> FeatureExpression {
            if let name = FeatureName(text) { return FeatureExpression(name) }
            do { return try FeatureExpression(parsing: text) } catch let error as MonosemeError {
                guard text.contains(where: { $0.isWhitespace || "*()".contains($0) }) else {
                    throw UsageError("FEATURE: found \(quoted(text)), expected a feature's name, such as A/1/2357", hint: "a sum has spaces around + and -: \"A/1/10 - A/1/11\"")
                }
                throw UsageError(error.message, hint: error.hint)
            }
        }
    }

    private static func answer(_ query: Query, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let target: FeatureDictionary, direction: [Float]
        var named: Set<Int> = []
        switch query {
        case .features(let expression):
            target = try catalogue.dictionary(named: try invocation[within] ?? home(of: expression))
            (direction, named) = try catalogue.direction(of: expression, in: target)
        case .vector(let vector, let name): (target, direction) = (try catalogue.dictionary(named: name), vector)
        }
        let subset = try invocation[predicate].map { try catalogue.features(of: target, where: $0) }
        var cost = SearchCost()
        let wanted = min(invocation[k], target.features)
        let neighbours: [Neighbour]
        var isStored = false
        if case .features(let expression) = query, subset == nil, let stored = try storedNeighbours(expression, catalogue, target, k: wanted) {
            (neighbours, isStored) = (stored, true)
        } else if named.count <= 1 {
            neighbours = try catalogue.nearest(to: direction, in: target, k: wanted, excluding: named.first, among: subset, cost: &cost)
        } else {
            // All of them could come before the others.
            let found = try catalogue.nearest(to: direction, in: target, k: wanted + named.count, excluding: nil, among: subset, cost: &cost)
            neighbours = Array(found.filter { !named.contains($0.feature) }.prefix(wanted))
        }

        var table = Table([Column("feature"), Column("cosine"), Column("label", isFlexible: true), Column("density"), Column("top token", key: "top_token")])
        for about in try catalogue.describe(neighbours, in: target) {
            table.append([.text(about.feature.description), Cell(about.cosine, .fixed(4)), Cell(about.label), .density(about.density), .token(about.topToken)])
        }
        try invocation.print(table)
        try invocation.output.flush() // what is said of the answer follows it
        if cost.codesAreDamaged {
            invocation.note("the codes of \(target.name) are damaged or missing; every vector was multiplied instead. monoseme check --rebuild-codes makes them anew")
        }
        if invocation[explain] { invocation.note(isStored ? "stored graph: \(counted(neighbours.count, "row")) read" : words(cost, target, subset)) }
    }

    /// What `monoseme neighbours` has kept for a single feature.
    private static func storedNeighbours(_ expression: FeatureExpression, _ catalogue: Catalogue, _ target: FeatureDictionary, k: Int) throws -> [Neighbour]? {
        guard expression.terms.count == 1, expression.terms[0].weight == 1 else { return nil }
        let (dictionary, index) = try catalogue.feature(expression.terms[0].feature)
        return try catalogue.storedNeighbours(of: index, in: dictionary, among: target, k: k)
    }

    /// The dictionary of all terms.
    private static func home(of expression: FeatureExpression) throws -> DictionaryName {
        let home = expression.terms[0].feature.dictionary
        if let other = expression.terms.first(where: { $0.feature.dictionary != home }) {
            throw UsageError("the features are of \(home) and of \(other.feature.dictionary)", hint: "say where to look with --in")
        }
        return home
    }

    private static func words(_ cost: SearchCost, _ target: FeatureDictionary, _ subset: FeatureSubset?) -> String {
        let way = cost.codesScanned > 0
            ? "vector index: \(counted(cost.codesScanned, "code")) scanned, \(counted(cost.candidates, "candidate")) left, \(grouped(cost.reranked)) float32 vectors multiplied"
            : "plain scan: \(counted(cost.reranked, "vector")) multiplied"
        return "\(way), \(NumberFormat.bytes.text(Double(cost.bytesTouched))) touched" + (subset.map { "; \(grouped($0.count)) of \(counted(target.features, "feature")) satisfy the predicate" } ?? "")
    }

    private static func grouped(_ count: Int) -> String { NumberFormat.grouped.text(Double(count)) }

    // MARK: By text

    private static func answer(text: String, _ invocation: Invocation) throws {
        guard let model = invocation[model], let autoencoder = invocation[autoencoder] else {
            throw UsageError("--text needs \(invocation[model] == nil ? "--model DIR" : "--sae DIR")", hint: "the folders that were ingested")
        }
        let catalogue = try invocation.openCatalogue()
        let token = try lastToken(of: text, model: model, autoencoder: autoencoder, in: invocation[within], catalogue), target = token.dictionary
        let subset = try invocation[predicate].map { try catalogue.features(of: target, where: $0) }
        let firings = token.firings.filter { subset?.contains($0.feature) ?? true }.prefix(invocation[k])

        var table = Table([Column("feature"), Column("activation"), Column("cosine"), Column("label", isFlexible: true), Column("density"), Column("top token", key: "top_token")])
        for (firing, brief) in zip(firings, try catalogue.briefs(of: firings.map(\.feature), in: target)) {
            table.append([.text(FeatureName(dictionary: target.name, index: firing.feature).description), Cell(firing.activation), Cell(firing.cosine, .fixed(4)),
                          Cell(brief.label), .density(brief.density), .token(brief.topToken)])
        }
        try invocation.print(table)
        try invocation.output.flush() // what is said of the answer follows it
        if token.tokensRead < token.tokens { invocation.note("the text has \(counted(token.tokens, "token")), of which the last \(grouped(token.tokensRead)) fit into the context") }
        invocation.note("\(token.firings.isEmpty ? "no feature" : grouped(token.firings.count)) of \(target.name) \(token.firings.count == 1 ? "fires" : "fire") on the last token, \(quoted(token.token)); "
            + "cosines are of its activation\(token.isLessDecoderBias ? " less b_dec" : "")")
        if invocation[explain] {
            invocation.note("\(counted(token.tokensRead, "token"))\(token.beginsWithBOS ? " and a BOS token" : "") through the model to \(target.hook), one through the encoder of \(counted(target.features, "feature"))"
                + (subset.map { "; \(grouped($0.count)) of them satisfy the predicate" } ?? ""))
        }
    }
}
