import Diagnostics
import SQLite

/// What to search for, and among which features.
public struct SearchRequest: Sendable {
    /// What a feature's label is, or that it has none.
    public enum LabelCondition: String, Sendable, CaseIterable { case draft, accepted, stale, none }

    public var query: SearchQuery
    public var dictionary: DictionaryName?
    /// Only features of this topic: see FeatureText.swift for which those are.
    public var topic: String?
    public var densityMinimum: Double?
    public var densityMaximum: Double?
    /// Of the newest score of the feature's label by `method`, or by the method of its best.
    public var scoreMinimum: Double?
    public var method: String?
    public var label: LabelCondition?
    public var limit: Int

    public init(_ query: SearchQuery, limit: Int = 20) { (self.query, self.limit) = (query, limit) }
}

/// A feature that was found.
public struct SearchHit: Sendable, Equatable {
    public struct Score: Sendable, Equatable {
        public let value: Double
        public let method: String
        /// Its evidence is another than today's.
        public let isStale: Bool
    }

    /// Where the words were found.
    public struct Match: Sendable, Equatable {
        public let column: SearchColumn
        /// Some words around them; each found one stands between « and ».
        public let text: String
    }

    public let feature: FeatureName
    public let label: String?
    public let labelStatus: LabelStatus?
    /// Of the label; the best of the newest by each method, or that by the method asked for.
    public let score: Score?
    public let density: Double?
    public let topToken: String?
    public let topic: String?
    public let match: Match?
    /// BM25, more is better: see `Catalogue.search`.
    public let relevance: Double
}

/// Of the features that match, so many of the best are asked first whether they are otherwise as asked for.
private let bestAskedFirst = 600

/// Weights of feature_text's columns, in their order.
let textWeights = [10.0, 3.0, 2.0, 4.0, 3.0, 2.0]

extension Catalogue {
    /// The features whose words match, the most relevant first, then by number.
    ///
    /// Relevance is BM25 as FTS5 defines it (k₁ = 1.2, b = 0.75), a word in a label counting 10, in topics 4, in tokens 3 and in logits 2.
    /// - Throws: where a dictionary or topic is not there, or words have not been written yet.
    public func search(_ request: SearchRequest) throws -> [SearchHit] { try search(request, askedFirst: bestAskedFirst) }

    func search(_ request: SearchRequest, askedFirst: Int) throws -> [SearchHit] {
        var place = "", condition = "", values: [SQLiteValue] = [.text(request.query.expression)]
        func parameter(_ value: SQLiteValue) -> String {
            values.append(value)
            return "?\(values.count)"
        }
        var dictionary: FeatureDictionary?
        if let name = request.dictionary {
            let found = try self.dictionary(named: name)
            place = " AND x.rowid >= \(parameter(.init(found.featureID(0)))) AND x.rowid < \(parameter(.init(found.featureID(found.features))))"
            dictionary = found
        }
        try demandText(of: dictionary)
        if let topic = request.topic { condition += try topicCondition(topic, dictionary, parameter) }
        if request.densityMinimum != nil || request.densityMaximum != nil {
            condition += " AND (\(densityOfHit("x.rowid"))) BETWEEN \(parameter(.real(request.densityMinimum ?? 0))) AND \(parameter(.real(request.densityMaximum ?? .infinity)))"
        }
        if request.scoreMinimum != nil || request.method != nil {
            var demand = ""
            if let method = request.method { demand += " AND n.method = \(parameter(.text(method)))" }
            if let minimum = request.scoreMinimum { demand += " AND n.value >= \(parameter(.real(minimum)))" }
            condition += " AND EXISTS (SELECT 1 FROM feature_label AS c CROSS JOIN label_score AS n ON n.label_id = c.label_id WHERE c.feature_id = x.rowid AND \(isNewestScore)\(demand))"
        }
        switch request.label {
        case nil: break
        case .none?: condition += " AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = x.rowid)"
        case .stale?: condition += " AND \(labelStatusOfHit) = 'stale'"
        case let status?: condition += " AND \(labelStatusOfHit) = \(parameter(.text(status.rawValue)))"
        }
        if !ranksByRelevance {
            try connection.registerRelevance(of: "feature_text")
            ranksByRelevance = true
        }
        let matching = "FROM feature_text AS x WHERE feature_text MATCH ?1\(place)"
        let ranked = "SELECT x.rowid AS rowid, relevance(feature_text, \(textWeights.map { "\($0)" }.joined(separator: ", "))) AS rank \(matching)"
        let limit = parameter(.init(request.limit))
        func hits(_ sql: String) throws -> [(id: Int, rank: Double)] {
            var hits: [(id: Int, rank: Double)] = []
            try connection.query(sql, values) { hits.append(($0.integer(0), $0.real(1))) }
            return hits
        }
        // To ask of every row that matches what else it must be costs more than to rank them all. So the best are asked first, which is
        // the whole answer if enough of them, or all that match, are among those.
        if !condition.isEmpty, request.limit < askedFirst {
            let found = try hits("SELECT * FROM (\(ranked) ORDER BY 2, 1 LIMIT \(askedFirst)) AS x WHERE true\(condition) ORDER BY 2, 1 LIMIT \(limit)")
            if try found.count == request.limit || count(matching, values, most: askedFirst) < askedFirst { return try details(of: found, request) }
        }
        return try details(of: hits("\(ranked)\(condition) ORDER BY 2, 1 LIMIT \(limit)"), request)
    }

    /// How many rows there are, up to `most`.
    private func count(_ matching: String, _ values: [SQLiteValue], most: Int) throws -> Int {
        var count = 0
        try connection.query("SELECT count(*) FROM (SELECT 1 \(matching) LIMIT \(most))", values) { count = $0.integer(0) }
        return count
    }

    /// Whether any feature matches with every word taken for the beginning of one: for a hint where nothing was found.
    public func hasBeginnings(_ request: SearchRequest) throws -> Bool {
        guard let expression = request.query.prefixExpression else { return false }
        return try connection.integer("SELECT 1 FROM feature_text WHERE feature_text MATCH ? LIMIT 1", .text(expression)) != nil
    }

    /// Dictionaries whose runs are unfinished: of them only labels are searched.
    public func dictionariesWithoutText(_ name: DictionaryName?) throws -> [DictionaryName] {
        try connection.rows("SELECT d.name FROM run AS r JOIN dictionary AS d ON d.id = r.dictionary_id WHERE NOT r.is_complete AND coalesce(d.name = ?, 1) ORDER BY d.id", .init(name?.description)) { try DictionaryName(parsing: $0.text(0)) }
    }

    private func demandText(of dictionary: FeatureDictionary?) throws {
        guard let name = try connection.first("SELECT d.name FROM run AS r JOIN dictionary AS d ON d.id = r.dictionary_id WHERE r.is_complete AND NOT r.has_text AND coalesce(d.id = ?, 1) LIMIT 1",
                                              .init(dictionary?.id), make: { $0.text(0) }) else { return }
        throw MonosemeError("the words of \(quoted(name)) in \(quoted(path, limit: 400)) have not been written yet", hint: "any command that writes does so, such as monoseme check --rebuild-codes")
    }

    private func topicCondition(_ name: String, _ dictionary: FeatureDictionary?, _ parameter: (SQLiteValue) -> String) throws -> String {
        let runs: [(run: Int, corpus: Int)] = try connection.rows("SELECT id, corpus_id FROM run WHERE coalesce(dictionary_id = ?, 1) ORDER BY id", .init(dictionary?.id)) { ($0.integer(0), $0.integer(1)) }
        var topics: [Int] = []
        for corpus in Set(runs.map(\.corpus)).sorted() { if let topic = try topicIfAny(named: name, of: corpus) { topics.append(topic.id) } }
        guard !topics.isEmpty else {
            if let run = runs.first { throw try unknownTopic(name, of: run.corpus) }
            throw MonosemeError("there is no topic \(quoted(name)): nothing has been run over a corpus", hint: "leave out --topic")
        }
        let names = topics.map { parameter(.init($0)) }.joined(separator: ", ")
        return """
             AND EXISTS (SELECT 1 FROM run AS r CROSS JOIN topic AS t ON t.corpus_id = r.corpus_id AND t.id IN (\(names))
                CROSS JOIN feature_topic AS ft ON ft.run_id = r.id AND ft.topic_id = t.id AND ft.feature_id = x.rowid WHERE r.dictionary_id = x.rowid >> 32 AND \(isTopicOfFeature))
            """
    }

    /// What is shown of the features found. The words around a match are FTS5's, and asked for one by one: for all that match it would make them all.
    private func details(of hits: [(id: Int, rank: Double)], _ request: SearchRequest) throws -> [SearchHit] {
        if hits.isEmpty { return [] }
        var facts = try Statement("""
            SELECT d.name, l.text, \(labelStatusOfHit), (\(densityOfHit("x.rowid"))),
                (SELECT t.text FROM run AS r JOIN corpus AS c ON c.id = r.corpus_id JOIN feature_token AS ft ON ft.run_id = r.id AND ft.feature_id = x.rowid AND ft.rank = 1
                    JOIN token AS t ON t.tokenizer_id = c.tokenizer_id AND t.token = ft.token WHERE r.dictionary_id = x.rowid >> 32),
                (SELECT t.name FROM run AS r CROSS JOIN topic AS t ON t.corpus_id = r.corpus_id CROSS JOIN feature_topic AS ft ON ft.run_id = r.id AND ft.topic_id = t.id AND ft.feature_id = x.rowid
                    WHERE r.dictionary_id = x.rowid >> 32 AND \(isTopicOfFeature) ORDER BY \(topicsOfFeatureOrder) LIMIT 1),
                l.id
            FROM (SELECT ?1 AS rowid) AS x JOIN dictionary AS d ON d.id = x.rowid >> 32 LEFT JOIN feature_label AS c ON c.feature_id = x.rowid LEFT JOIN label AS l ON l.id = c.label_id
            """, on: connection)
        var scores = try Statement("""
            SELECT n.value, n.method, n.basis_id IS NOT NULL AND n.basis_id NOT IN (SELECT basis_id FROM label_basis_current) FROM label_score AS n
            WHERE n.label_id = ?1 AND \(isNewestScore) AND n.value IS NOT NULL AND coalesce(n.method = ?2, 1) ORDER BY n.value DESC, n.method LIMIT 1
            """, on: connection)
        let columns = ["label", "tokens", "logits", "topics", "token_symbols", "logit_symbols"]
        var words = try Statement("SELECT \(columns.indices.map { "snippet(feature_text, \($0), char(1), char(2), '…', 10)" }.joined(separator: ", ")) FROM feature_text WHERE feature_text MATCH ? AND rowid = ?", on: connection)
        return try hits.map { hit in
            facts.bind(hit.id, at: 0)
            defer { facts.reset() }
            guard try facts.step() else { throw MonosemeError("feature_text in \(quoted(path, limit: 400)) is damaged: it has words for a feature \(hit.id), which is not there", hint: "monoseme check lists all damage") }
            var score: SearchHit.Score?
            if let label = facts.optionalInteger(6) {
                scores.bind([.init(label), .init(request.method)])
                defer { scores.reset() }
                if try scores.step() { score = SearchHit.Score(value: scores.real(0), method: scores.text(1), isStale: scores.integer(2) != 0) }
            }
            words.bind([.text(request.query.expression), .init(hit.id)])
            defer { words.reset() }
            var match: SearchHit.Match?
            if try words.step() {
                // The first column in which something was found.
                for place in columns.indices where match == nil {
                    let text = words.text(place)
                    guard text.utf8.contains(1) else { continue }
                    match = place < 4 ? SearchHit.Match(column: .allCases[place], text: marked(text)) : SearchHit.Match(column: place == 4 ? .tokens : .logits, text: marked(spelled(text)))
                }
            }
            return SearchHit(feature: FeatureName(dictionary: try DictionaryName(parsing: facts.text(0)), index: hit.id & 0xffff_ffff), label: facts.optionalText(1),
                             labelStatus: facts.optionalText(2).flatMap { LabelStatus(rawValue: $0) }, score: score, density: facts.optionalReal(3), topToken: facts.optionalText(4),
                             topic: facts.optionalText(5), match: match, relevance: -hit.rank)
        }
    }
}

/// Of label_score AS n: whether no newer one of the label by the method is there. Baselines are not scores of the label on its feature.
private let isNewestScore = """
    n.baseline IS NULL AND n.id = (SELECT max(id) FROM label_score WHERE label_id = n.label_id AND method = n.method AND baseline IS NULL)
    """

/// The status of the label that feature x.rowid goes by; NULL: it has none.
private let labelStatusOfHit = """
    (SELECT iif(l.basis_id IS NOT NULL AND l.basis_id NOT IN (SELECT basis_id FROM label_basis_current), 'stale', c.status) FROM feature_label AS c JOIN label AS l ON l.id = c.label_id WHERE c.feature_id = x.rowid)
    """

private func densityOfHit(_ id: String) -> String {
    """
    SELECT coalesce(s.density, CAST(s.firings AS REAL) / nullif(r.tokens, 0)) FROM run AS r JOIN statistic AS s ON s.run_id = r.id AND s.feature_id = \(id) WHERE r.dictionary_id = \(id) >> 32
    """
}

/// The marks that FTS5 set, as people see them.
private func marked(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\u{1}" ? "«" : $0 == "\u{2}" ? "»" : $0 }))
}

/// Words of symbols as what they stand for.
private func spelled(_ text: String) -> String {
    text.split(separator: " ", omittingEmptySubsequences: false).map { word in
        let isMarked = word.hasPrefix("\u{1}"), core = word.unicodeScalars.drop { $0 == "\u{1}" || $0 == "…" }.prefix { $0 != "\u{2}" && $0 != "…" }
        guard let text = symbols(of: String(core)) else { return String(word) }
        return isMarked ? "\u{1}\(text)\u{2}" : text
    }.joined(separator: " ")
}
