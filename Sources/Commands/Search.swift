import Diagnostics
import FeatureCatalogue

/// `monoseme search`: `Catalogue.search`.
enum Search: Command {
    static let query = Argument<[String]>("QUERY", isRequired: true, help: "What to search for")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "Only features of this dictionary")
    static let topic = Option<String?>("--topic", value: "NAME", help: "Only features of this topic")
    static let densityMinimum = Option<Double?>("--min-density", value: "X", in: 0...1, help: "Only features that fire on at least this share of tokens, such as 1e-4")
    static let densityMaximum = Option<Double?>("--max-density", value: "X", in: 0...1, help: "Only features that fire on at most this share of tokens")
    static let scoreMinimum = Option<Double?>("--min-score", value: "X", in: -1...1, help: "Only features whose label has at least this score")
    static let method = Option<String?>("--score", value: "METHOD", help: "Scores by this method, such as rule or detection, in place of the best of all; and only features that have one")
    static let status = Option<SearchRequest.LabelCondition?>("--status", value: "draft|accepted|stale|none", help: "Only features whose label is that; none: without a label")
    static let k = Option<Int>("-k", value: "N", default: 20, in: 1...1_000_000, help: "At most N features")

    static let declaration = Declaration(
        "search", summary: "search labels, tokens, logits and topics for words",
        discussion: """
            Searched are the label that a feature goes by, the tokens that hold most of its activation, the tokens whose logits it raises most, and its topics. \
            The most relevant come first: BM25, a word in a label counting 10, in topics 4, in tokens 3 and in logits 2.

            Words side by side must all be there. OR, AND, NOT and ( ) join them; "two words" are words in a row; base6* is a beginning; label: tokens: logits: topics: \
            before a word, a phrase or a group ask in that column. Case and accents do not count. What has other signs in it, such as C++ or don't, is taken for the words that it is made of.

            A token without letters and digits is found by what it is: tokens:"{" or '"=="'.
            """,
        parameters: [query, within, topic, densityMinimum, densityMaximum, scoreMinimum, method, status, k, Shared.format],
        examples: [
            ("monoseme search 'base64 OR hex'", "Either word"), ("monoseme search 'label:\"hex string\" OR tokens:0x*' --in A/1 -k 5", "A phrase in labels, or tokens that begin so"),
            ("monoseme search 'tokens:\"{\"' --topic GitHub --max-density 0.001", "Rare features of a token, on a topic"),
            ("monoseme search chess --status accepted --min-score 0.8 --score detection --jsonl", "Labels that were accepted and score well"),
        ])

    static func run(_ invocation: Invocation) throws {
        // Words of the shell are words of the query: search base64 hex.
        var request = SearchRequest(try SearchQuery(parsing: invocation[query].joined(separator: " ")), limit: invocation[k])
        request.dictionary = invocation[within]
        request.topic = invocation[topic]
        (request.densityMinimum, request.densityMaximum) = (invocation[densityMinimum], invocation[densityMaximum])
        if let low = request.densityMinimum, let high = request.densityMaximum, low > high { throw UsageError("--min-density \(low.argument) is above --max-density \(high.argument)", hint: "swap them") }
        (request.scoreMinimum, request.method, request.label) = (invocation[scoreMinimum], invocation[method], invocation[status])
        if request.label == SearchRequest.LabelCondition.none, request.scoreMinimum != nil || request.method != nil { throw UsageError("features without a label have no score", hint: "leave out --status none or the score") }

        let catalogue = try invocation.openCatalogue()
        try catalogue.connection.snapshot {
            let hits = try catalogue.search(request)
            try invocation.print(Table(
                [Column("feature"), Column("label", isFlexible: true), Column("status"), Column("score"), Column("by", key: "score_method"), Column("score_is_stale", audience: .programs), Column("density"),
                 Column("top token", key: "top_token"), Column("topic", isFlexible: true), Column("found in", key: "match_column"), Column("match", isFlexible: true), Column("relevance")],
                rows: hits.map { hit in
                    [.text(hit.feature.description), Cell(hit.label), Cell(hit.labelStatus?.rawValue), Cell(hit.score?.value, .significant(3)),
                     Cell(hit.score.map { invocation[Shared.format] == .table && $0.isStale ? "\($0.method), stale" : $0.method }), hit.score.map { .boolean($0.isStale) } ?? .missing, .density(hit.density),
                     .token(hit.topToken), Cell(hit.topic), Cell(hit.match?.column.rawValue), Cell(hit.match?.text), .real(hit.relevance, .significant(3))]
                }))
            for name in try catalogue.dictionariesWithoutText(request.dictionary) { invocation.note("the ingest of \(name) is unfinished: of its features only the labels were searched") }
            if hits.isEmpty { invocation.note(try nothing(request, catalogue)) }
        }
    }

    /// What to say where nothing was found.
    private static func nothing(_ request: SearchRequest, _ catalogue: Catalogue) throws -> String {
        var bare = SearchRequest(request.query, limit: 1)
        bare.dictionary = request.dictionary
        if try !catalogue.search(bare).isEmpty { return "nothing was found that also satisfies the other options; without them there is something" }
        bare.dictionary = nil
        if request.dictionary != nil, try !catalogue.search(bare).isEmpty { return "nothing was found in \(request.dictionary!); in other dictionaries there is something" }
        if try catalogue.hasBeginnings(bare) { return "nothing was found; there are longer words that begin so: write a * behind a beginning, such as base6*" }
        return "nothing was found; OR in place of spaces finds either word, and a * behind a beginning finds longer words"
    }
}

extension SearchRequest.LabelCondition: ArgumentValue {}
