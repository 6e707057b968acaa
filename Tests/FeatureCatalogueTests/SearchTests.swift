import Diagnostics
@testable import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

struct SearchQueryTests {
    @Test(arguments: [
        ("base64", #""base64""#), ("base64 hex", #""base64" AND "hex""#), ("base64 OR hex", #""base64" OR "hex""#), ("a b OR c", #"("a" AND "b") OR "c""#), ("a OR b AND c", #""a" OR ("b" AND "c")"#),
        ("a NOT b c", #""a" NOT ("b" AND "c")"#), ("a NOT b NOT c", #""a" NOT ("b" OR "c")"#), ("(a OR b) c", #"("a" OR "b") AND "c""#), ("a and not or", #""a" AND "and" AND "not" AND "or""#),
        (#""hex string""#, #""hex string""#), (#""say ""hi"" now""#, #""say ""hi"" now""#), ("base6*", #""base6" *"#), (#""hex str"*"#, #""hex str" *"#), ("^law", #"^ "law""#), ("a + b", #""a b""#), (#""a b" + c*"#, #""a b c" *"#),
        ("label:law", #"label : "law""#), ("LABEL: law", #"label : "law""#), ("label : law", #"label : "law""#), (#"tokens:"a b""#, #"tokens : "a b""#), ("label:(a OR b) c", #"(label : "a" OR label : "b") AND "c""#),
        ("-label:a", #"{tokens logits topics} : "a""#), ("{tokens logits}:a", #"{tokens logits} : "a""#), ("- label:a", nil), ("-{tokens logits} : a", #"{label topics} : "a""#), ("label:^a", #"label : ^ "a""#),
        ("NEAR(hex string, 5)", #"NEAR("hex" "string", 5)"#), ("NEAR(a \"b c\")", #"NEAR("a" "b c", 10)"#), ("NEAR miss", #""NEAR" AND "miss""#),
        // Plain words that FTS5 would not take.
        ("C++", #""C++""#), ("don't", #""don't""#), ("a-b", #""a-b""#), ("C++ OR don't", #""C++" OR "don't""#), ("10:30", #""10:30""#), ("std::vector", #""std::vector""#), ("https://x.org/?q=1", #""https://x.org/?q=1""#), ("x^2", #""x^2""#),
        ("a,b", #""a,b""#), ("f(x)", #""f" AND "x""#), ("contig_18", #""contig_18""#), ("50% $5 #1", ##""50%" AND "$5" AND "#1""##), ("'quoted'", #""'quoted'""#), ("naïve 日本 αβ", #""naïve" AND "日本" AND "αβ""#), ("--flag", #""--flag""#), ("a*b", #""a*b""#),
        // Signs.
        ("{", #"{token_symbols logit_symbols} : "u007b""#), (#"tokens:"{""#, #"token_symbols : "u007b""#), ("logits:==", #"logit_symbols : "u003du003d""#), (#""->" OR "=>""#, #"{token_symbols logit_symbols} : "u002du003e" OR {token_symbols logit_symbols} : "u003du003e""#),
        ("_", #"{token_symbols logit_symbols} : "u005f""#), (#"tokens:" ""#, #"token_symbols : "u0020""#), (#"tokens:" {""#, #"token_symbols : "u007b""#), ("tokens:\"\n\n\"", #"token_symbols : "u000au000a""#), ("😀", #"{token_symbols logit_symbols} : "u1f600""#),
        (#""="*"#, #"{token_symbols logit_symbols} : "u003d" *"#), (#"a "*""#, #""a" AND {token_symbols logit_symbols} : "u002a""#),
    ] as [(String, String?)]) func `a query is what a person means`(text: String, expression: String?) throws {
        let found = (try? SearchQuery(parsing: text))?.expression
        #expect(found == expression)
    }

    @Test(arguments: [
        ("", "the query is empty"), ("  \n ", "the query is empty"), (#"a "b"#, "the query has a quotation mark at character 3 that is not closed"), (#"""#, "the query has a quotation mark at character 1 that is not closed"),
        (#""""#, "the query has quotation marks with nothing between"), ("a AND", #"the query ends with "AND", and nothing follows"#), ("AND a", #"the query begins with "AND", and there is nothing to join"#), ("a OR AND b", #"the query has "AND" right behind "OR", and there is nothing to join"#),
        ("NOT a", #"the query begins with "NOT", and there is nothing to join"#), ("*", "the query has a * that follows no word"), ("a *", "the query has a * that follows no word"), ("a**", "the query has ** behind a word"), ("foo:bar", #"the query names a column "foo:", and there is none"#),
        ("labels: law", #"the query names a column "labels:", and there is none"#), ("{label foo}:a", #"the query names a column "foo:", and there is none"#), ("-law", #"the query has "-law""#), ("a - b", #"the query has "-", which is no word"#), ("(a", "the query opens a group with ( that is not closed"),
        ("a)", "the query closes a group with ) that was not opened"), ("()", "the query has a group ( ) with nothing in it"), ("label:", #"the query ends with "label:", and nothing follows"#), ("label:topics:a", "the query asks for columns within other columns, and none is left"),
        (#"label:"{""#, #"the query asks for "{" in label, where words are found and signs are not"#), ("NEAR(a b", "the query opens a NEAR( that is not closed"), ("NEAR(a, x)", "the query has a NEAR whose distance is no number up to 10000"), ("NEAR()", "the query has a NEAR without words"),
        ("a\u{0}b", "the query holds a NUL character, its byte 2"), (String(repeating: "a ", count: 5000), "the query has 10000 bytes; at most 4096 are understood"), (String(repeating: "a ", count: 65), "the query has more than 64 words"),
        (String(repeating: "(", count: 2000) + "a", "the query has groups in groups, more than 16 deep"), (String(repeating: "label:", count: 600) + "a", "the query has columns within columns, more than 16 deep"), (String(repeating: "^", count: 4000), nil),
    ] as [(String, String?)]) func `a query that makes no sense is refused in one line, with what to do`(text: String, message: String?) throws {
        let found = failure { _ = try SearchQuery(parsing: text) }
        if let message { #expect(found?.message == message) }
        #expect(message == nil || found?.hint != nil && found?.message.contains("\n") == false)
    }

    @Test func `whatever is typed, FTS5 never complains`() throws {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        let pieces = ["a", "b1", "AND", "OR", "NOT", "NEAR(", "NEAR", "(", ")", "\"", "\"\"", "*", "^", "+", "-", ":", "label:", "tokens:", "{", "}", "{label tokens}:", ",", "5", " ", "  ", "é", "{", "_", "'", "\\", "\n", "😀", "foo:", "\u{301}", "%", ";--"]
        var random = Seeded(3), accepted = 0
        for _ in 0..<4000 {
            let text = (0..<Int.random(in: 1...9, using: &random)).map { _ in pieces.randomElement(using: &random)! + (Bool.random(using: &random) ? " " : "") }.joined()
            do {
                let query = try SearchQuery(parsing: text)
                accepted += 1
                for expression in [query.expression, query.prefixExpression].compactMap({ $0 }) {
                    do { _ = try catalogue.connection.integer("SELECT count(*) FROM feature_text WHERE feature_text MATCH ?", .text(expression)) } catch { Issue.record("\(quoted(text)) became \(expression): \(error.message)") }
                }
            } catch is MonosemeError {}
        }
        #expect(accepted > 400)
        // The deepest and longest that are taken.
        for text in [String(repeating: "(a OR (b AND ", count: 8) + "c" + String(repeating: "))", count: 8), (0..<64).map { "w\($0)" }.joined(separator: " NOT "), (0..<64).map { "w\($0)*" }.joined(separator: " OR "), String(repeating: "label:", count: 16) + "a"] {
            let expression = try SearchQuery(parsing: text).expression
            #expect(try catalogue.connection.integer("SELECT count(*) FROM feature_text WHERE feature_text MATCH ?", .text(expression)) == 0)
        }
    }

    @Test(arguments: [("{", "u007b"), ("==", "u003du003d"), (" {\n", "u007b"), ("\n\n", "u000au000a"), (" ", "u0020"), ("😀", "u1f600"), ("a{", nil), ("", nil), ("½", nil), ("_", "u005f")] as [(String, String?)])
    func `signs have a word, and the word says which`(text: String, word: String?) {
        #expect(symbolWord(text) == word)
        if let word { #expect(symbols(of: word) == (text.trimmed.isEmpty ? text : text.trimmed)) }
        for other in ["u", "u12", "user", "u007bx", "ud800", "u110000", "007b"] { #expect(symbols(of: other) == nil, "\(other)") }
    }
}

/// Over a small planted catalogue: tokens are w0 … w49, A/0/2 is labelled "statutes" and A/0/4 "music".
struct SearchTests {
    private func withCatalogue(_ body: (Catalogue) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small().write(to: path)
            try body(Catalogue(path: path, for: .writing))
        }
    }

    private func names(_ text: String, _ catalogue: Catalogue, _ change: (inout SearchRequest) -> Void = { _ in }) throws -> [String] {
        var request = SearchRequest(try SearchQuery(parsing: text))
        change(&request)
        let found = try catalogue.search(request).map(\.feature.description)
        // However many of the best are asked first, the answer is the same.
        request.limit = 2
        for count in [3, 6, 11] { #expect(try catalogue.search(request, askedFirst: count).map(\.feature.description) == Array(found.prefix(2))) }
        return found
    }

    @Test func `a feature is found by its label as the ledger stands`() throws {
        try withCatalogue { catalogue in
            #expect(try names("statutes", catalogue) == ["A/0/2"] && names("law", catalogue) == [])
            let feature = try FeatureName(parsing: "A/0/2"), id = try catalogue.feature(feature).dictionary.featureID(2)
            func label() throws -> String? { try catalogue.connection.first("SELECT label FROM feature_text WHERE rowid = ?", .init(id)) { $0.text(0) } }
            let tokens = try catalogue.connection.first("SELECT tokens FROM feature_text WHERE rowid = ?", .init(id)) { $0.text(0) }
            // A draft does not take the place of an accepted label; accepting it does; rejecting it gives it back; and none is left in the end.
            let draft = try catalogue.addLabel(LabelEntry("Café réglement", for: feature, author: "Ada", status: .draft), at: "t")
            #expect(try label() == "statutes" && names("cafe", catalogue) == [])
            try catalogue.decide(draft.id, .accepted, author: "Ben", at: "t")
            #expect(try label() == "Café réglement" && names("CAFE reglem*", catalogue) == ["A/0/2"] && names("statutes", catalogue) == [])
            try catalogue.decide(draft.id, .rejected, author: "Ben", at: "t")
            #expect(try label() == "statutes")
            for old in try catalogue.labels(of: feature) where old.status == .accepted { try catalogue.decide(old.id, .rejected, author: "Ben", at: "t") }
            #expect(try label() == "" && catalogue.connection.integer("SELECT 1 FROM feature_label WHERE feature_id = ?", .init(id)) == nil)
            _ = try catalogue.addLabel(LabelEntry("unclear", for: feature, author: "m", isUnknown: true), at: "t")
            #expect(try label() == "" && names("unclear", catalogue) == [])
            _ = try catalogue.addLabel(LabelEntry("a draft", for: feature, author: "m", status: .draft), at: "t")
            #expect(try names("draft", catalogue) == ["A/0/2"])
            // What the run found out has stayed.
            #expect(try tokens == catalogue.connection.first("SELECT tokens FROM feature_text WHERE rowid = ?", .init(id)) { $0.text(0) })
            #expect(try catalogue.check().findings.filter { $0.what.contains("words") } == [])
        }
    }

    @Test func `one change of a label is one change of its row of words`() throws {
        try withCatalogue { catalogue in
            try catalogue.connection.execute("CREATE TEMP TABLE seen (n); CREATE TEMP TRIGGER s AFTER UPDATE ON main.feature_label BEGIN INSERT INTO seen VALUES (1); END; CREATE TEMP TRIGGER d AFTER DELETE ON main.feature_label BEGIN INSERT INTO seen VALUES (2); END")
            _ = try catalogue.addLabel("one", to: FeatureName(parsing: "A/0/2"), author: "Ada", at: "t")
            #expect(try catalogue.connection.rows("SELECT n FROM seen") { $0.integer(0) } == [1])
        }
    }

    @Test func `the order is that of BM25 by its formula`() throws {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        _ = try Planted.small(features: 40).register(in: catalogue)
        var random = Seeded(11)
        let vocabulary = ["law", "court", "music", "the", "judge", "song"], columns = 6
        func words(_ most: Int) -> [String] { (0..<Int.random(in: 0...most, using: &random)).map { _ in vocabulary[min(Int.random(in: 0..<6, using: &random), Int.random(in: 0..<6, using: &random))] } }
        var rows: [[[String]]] = []
        for index in 0..<40 {
            rows.append((0..<columns).map { words($0 == 0 ? 6 : 3) })
            try catalogue.connection.run("INSERT INTO feature_text (rowid, label, tokens, logits, topics, token_symbols, logit_symbols) VALUES (?, ?, ?, ?, ?, ?, ?)", .init(1 << 32 + index),
                                         .text(rows[index][0].joined(separator: " ")), .text(rows[index][1].joined(separator: " ")), .text(rows[index][2].joined(separator: " ")),
                                         .text(rows[index][3].joined(separator: " ")), .text(rows[index][4].joined(separator: " ")), .text(rows[index][5].joined(separator: " ")))
        }
        // Robertson's BM25 with k₁ = 1.2 and b = 0.75, occurrences counted with the weights of their columns.
        let weights = [10.0, 3, 2, 4, 3, 2], lengths = rows.map { Double($0.reduce(0) { $0 + $1.count }) }, average = lengths.reduce(0, +) / 40
        func occurrences(_ phrase: [String], _ words: [String]) -> Int { words.count < phrase.count ? 0 : (0...words.count - phrase.count).count { Array(words[$0..<$0 + phrase.count]) == phrase } }
        func relevance(_ phrases: [[String]], _ index: Int) -> Double {
            phrases.reduce(0) { sum, phrase in
                let holding = Double(rows.count { row in row.contains { occurrences(phrase, $0) > 0 } })
                let idf = max(log((40 - holding + 0.5) / (holding + 0.5)), 1e-6)
                let frequency = zip(weights, rows[index]).reduce(0.0) { $0 + $1.0 * Double(occurrences(phrase, $1.1)) }
                return sum + idf * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * lengths[index] / average))
            }
        }
        for (text, phrases, isAll) in [("song", [["song"]], true), ("judge OR song", [["judge"], ["song"]], false), ("judge song", [["judge"], ["song"]], true), ("\"law law\" OR judge", [["law", "law"], ["judge"]], false), ("the", [["the"]], true)] {
            let matching = rows.indices.filter { index in
                let has = phrases.map { phrase in rows[index].contains { occurrences(phrase, $0) > 0 } }
                return isAll ? !has.contains(false) : has.contains(true)
            }
            let expected = matching.map { (index: $0, value: relevance(phrases, $0)) }.sorted { ($1.value, $0.index) < ($0.value, $1.index) }
            let found = try catalogue.search(SearchRequest(SearchQuery(parsing: text), limit: 40))
            #expect(!expected.isEmpty && found.count == expected.count)
            for (hit, expected) in zip(found, expected) { #expect(abs(hit.relevance - expected.value) < 1e-9 * max(1, expected.value)) }
            #expect(found.map(\.feature.index) == expected.map(\.index), "\(text)")
        }
    }

    @Test func `filters leave out what they say`() throws {
        try withCatalogue { catalogue in
            // Every feature that fires has tokens, and all have logits: w0 is feature 0's first.
            let all = try names("w*", catalogue)
            #expect(all.count == 12)
            let run = try catalogue.run(of: DictionaryName(parsing: "A/0"))
            let densities = try catalogue.connection.rows("SELECT feature, density FROM feature_overview") { ($0.text(0), $0.real(1)) }
            let middle = densities.map(\.1).sorted()[6]
            #expect(try Set(names("w*", catalogue) { $0.densityMinimum = middle }) == Set(densities.filter { $0.1 >= middle }.map(\.0)))
            #expect(try Set(names("w*", catalogue) { $0.densityMaximum = middle }) == Set(densities.filter { $0.1 <= middle }.map(\.0)))
            try catalogue.connection.run("UPDATE statistic SET density = 0.9 WHERE feature_id = ?", .init(run.dictionary.featureID(3)))
            #expect(try names("w*", catalogue) { $0.densityMinimum = 0.85; $0.densityMaximum = 0.95 } == ["A/0/3"])
            #expect(try names("w*", catalogue) { $0.dictionary = DictionaryName("A/0") } == all)
            #expect(failure { _ = try names("w*", catalogue) { $0.dictionary = DictionaryName("A/9") } }?.message.hasPrefix("no dictionary \"A/9\"") == true)
            // A topic is a feature's by q, or by share where there is no q.
            try catalogue.connection.execute("UPDATE feature_topic SET q = 0.2; UPDATE feature_topic SET q = 0.05 WHERE topic_id = 1 AND feature_id & 255 IN (1, 6); UPDATE feature_topic SET q = NULL, z = NULL, firings = firings * 5 WHERE topic_id = 1 AND feature_id & 255 = 5")
            #expect(try Set(names("w*", catalogue) { $0.topic = "LAW" }) == ["A/0/1", "A/0/6", "A/0/5"] || Set(names("w*", catalogue) { $0.topic = "LAW" }) == ["A/0/1", "A/0/6"])
            #expect(failure { _ = try names("w*", catalogue) { $0.topic = "opera" } }?.message.contains("opera") == true)
            // Labels by their status, and the newest score by a method.
            #expect(try Set(names("w*", catalogue) { $0.label = .accepted }) == ["A/0/2", "A/0/4"] && names("w*", catalogue) { $0.label = SearchRequest.LabelCondition.none }.count == 10)
            for (feature, method, value, baseline) in [("A/0/2", "rule", 0.9, nil), ("A/0/2", "rule", 0.4, nil), ("A/0/2", "detection", 0.7, nil), ("A/0/2", "fuzzing", 0.99, ScoreBaseline.randomLabel), ("A/0/4", "rule", 0.8, nil)] as [(String, String, Double, ScoreBaseline?)] {
                var score = LabelScoreEntry(label: try catalogue.labels(of: FeatureName(parsing: feature))[0].id, feature: try FeatureName(parsing: feature), method: method)
                (score.value, score.baseline) = (value, baseline)
                _ = try catalogue.addScore(score, author: "m", at: "t")
            }
            #expect(try Set(names("w*", catalogue) { $0.scoreMinimum = 0.7 }) == ["A/0/2", "A/0/4"] && names("w*", catalogue) { $0.scoreMinimum = 0.75 } == ["A/0/4"])
            #expect(try names("w*", catalogue) { $0.method = "detection" } == ["A/0/2"] && names("w*", catalogue) { $0.method = "fuzzing" } == [])
            let hit = try #require(try catalogue.search(SearchRequest(SearchQuery(parsing: "label:statutes"))).first)
            #expect(hit.score == SearchHit.Score(value: 0.7, method: "detection", isStale: false) && hit.labelStatus == .accepted && hit.match == SearchHit.Match(column: .label, text: "«statutes»"))
            // Other weights under the same name: label and scores are of another day.
            try catalogue.connection.execute("UPDATE dictionary SET weights_sha256 = 'other'")
            #expect(try Set(names("w*", catalogue) { $0.label = .stale }) == ["A/0/2", "A/0/4"] && names("w*", catalogue) { $0.label = .accepted } == [])
            #expect(try catalogue.search(SearchRequest(SearchQuery(parsing: "label:statutes"))).first?.score?.isStale == true)
        }
    }

    @Test func `a catalogue of before is given its words by the first that writes`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small().write(to: path)
            func rows(_ catalogue: Catalogue) throws -> [[String]] { try catalogue.connection.rows("SELECT rowid, * FROM feature_text ORDER BY rowid") { row in (0..<7).map { row.text($0) } } }
            let before = try rows(Catalogue(path: path, for: .reading))
            #expect(before.count == 12)
            do {
                let catalogue = try Catalogue(path: path, for: .writing)
                try catalogue.rewind(to: 11)
                #expect(try !catalogue.connection.has("feature_text"))
            }
            #expect(failure { _ = try Catalogue(path: path, for: .reading) }?.message.contains("older version") == true)
            _ = try Catalogue(path: path, for: .writing)
            #expect(try rows(Catalogue(path: path, for: .reading)) == before)
            // Killed between the table and its words.
            do { try Catalogue(path: path, for: .writing).connection.execute("UPDATE run SET has_text = 0") }
            #expect(failure { _ = try names("law", try Catalogue(path: path, for: .reading)) }?.message.hasPrefix("the words of \"A/0\"") == true)
            _ = try Catalogue(path: path, for: .writing)
            #expect(try names("statutes", try Catalogue(path: path, for: .reading)) == ["A/0/2"])
        }
    }

    @Test(arguments: [
        ("UPDATE feature_text SET label = 'other' WHERE rowid & 15 = 2", "words of a feature"), ("UPDATE feature_text SET tokens = tokens || ' x' WHERE rowid & 15 = 2", "words of a feature"),
        ("DELETE FROM feature_text WHERE rowid & 15 = 4", "words of a feature"), ("INSERT INTO feature_text (rowid, label) VALUES (77, 'x')", "feature of words"), ("UPDATE run SET has_text = 0", "words of a run"),
        ("UPDATE feature_text_content SET c0 = 'other' WHERE id & 15 = 2", "words of a feature"), ("DELETE FROM feature_text_docsize WHERE id & 15 = 2", "index of words"), ("UPDATE feature_text_data SET block = zeroblob(length(block)) WHERE id > 10", "index of words"),
        ("UPDATE feature_text_content SET c1 = 'w1' WHERE id & 15 = 6", "index of words"),
    ]) func `a check finds text that is not what it should be`(sql: String, what: String) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small().write(to: path)
            do {
                let connection = try Connection(path: path, access: .readWrite)
                try connection.execute(sql)
            }
            let report = try Catalogue(path: path, for: .reading).check()
            #expect(report.findings.contains { $0.what == what }, "said: \(report.findings.map(\.description))")
        }
    }
}
