import Diagnostics
import SQLite

// The words of a feature: its label, the tokens it fires on and promotes, and its topics, in one row of the full-text table feature_text.
//
// Labels come and go by triggers (0014_search.sql), or where they are many by `writingTextOnce`; the rest is written here when a run is complete.
//
// A topic is the feature's where the documents say so (q ≤ 0.05). Where they cannot say, because firings were left out or there is no second
// document, it is one that holds at least half of the firings, at a higher rate than the rest of the corpus.
//
// Words are runs of letters and digits, so ` the` and `The` are one word and a token such as `{` is none. Tokens without a letter or digit are
// therefore spelled out, in columns of their own: each scalar as `u` and its number in hexadecimal, at least four digits, without anything
// between; white space around it does not count, unless there is nothing else. `==` is u003du003d, a line break u000a. So they can be found with
// any SQLite: a tokenizer of our own could not be read without our library.

/// What feature_text says of one feature.
struct FeatureText: Equatable {
    var label = "", tokens = "", logits = "", topics = "", tokenSymbols = "", logitSymbols = ""

    var isEmpty: Bool { self == FeatureText() }
}

/// Whether a scalar is part of a word, as FTS5's tokenizer unicode61 has it.
func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber, .otherNumber, .privateUse: true
    default: false
    }
}

/// The word that stands for a text without letters and digits; `nil` where it has some, or is empty.
func symbolWord(_ text: String) -> String? {
    guard !text.isEmpty, !text.unicodeScalars.contains(where: isPartOfWord) else { return nil }
    let trimmed = text.trimmed
    return (trimmed.isEmpty ? text : trimmed).unicodeScalars.reduce(into: "") { word, scalar in
        let digits = String(scalar.value, radix: 16)
        word += "u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

/// The text that a word of symbols stands for; `nil` where it is no such word.
public func symbols(of word: some StringProtocol) -> String? {
    var text = ""
    for part in word.split(separator: "u", omittingEmptySubsequences: false).dropFirst() {
        guard (4...6).contains(part.utf8.count), let value = UInt32(part, radix: 16), let scalar = Unicode.Scalar(value) else { return nil }
        text.unicodeScalars.append(scalar)
    }
    return word.first == "u" && !text.isEmpty ? text : nil
}

/// Tokens as words, each kept once it has been looked up.
private struct TokenWords: ~Copyable {
    private var statement: Statement
    private let tokenizer: Int
    private var known: [Int: (text: String, symbols: String?)] = [:]

    init(_ tokenizer: Int, _ connection: Connection) throws {
        statement = try Statement("SELECT text FROM token WHERE tokenizer_id = ? AND token = ?", on: connection)
        self.tokenizer = tokenizer
    }

    mutating func word(_ token: Int) throws -> (text: String, symbols: String?) {
        if let word = known[token] { return word }
        statement.bind(tokenizer, at: 0)
        statement.bind(token, at: 1)
        defer { statement.reset() }
        // A NUL would end the text for SQL.
        let text = try statement.step() ? String(String.UnicodeScalarView(statement.text(0).unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 })) : ""
        let word = (text.trimmed, symbolWord(text))
        known[token] = word
        return word
    }
}

/// Features whose words are put together at a time.
private let featuresAtATime = 8192

/// Of feature_topic AS ft, with run AS r and topic AS t: whether the topic is the feature's.
let isTopicOfFeature = """
    (ft.q <= 0.05 OR ft.q IS NULL AND EXISTS (SELECT 1 FROM statistic AS s WHERE s.run_id = ft.run_id AND s.feature_id = ft.feature_id AND ft.firings >= 0.5 * s.firings
        AND CAST(ft.firings AS REAL) * r.tokens > CAST(s.firings AS REAL) * t.tokens))
    """
/// The surest first.
let topicsOfFeatureOrder = "ft.q IS NULL, ft.z DESC, ft.firings DESC, ft.topic_id"

extension Catalogue {
    /// Writes the words of all features of a complete run anew, within the caller's transaction.
    ///
    /// For whoever completes a run by other ways than `complete`, or changes its top tokens, logits or topics. Within `writingTextOnce` it is done at its end.
    public func writeText(of run: Run) throws {
        if textWaiting != nil {
            textWaiting?.runs.insert(run.dictionary.id)
            return
        }
        let (low, high) = (run.dictionary.featureID(0), run.dictionary.featureID(run.dictionary.features))
        try connection.run("DELETE FROM feature_text WHERE rowid >= ? AND rowid < ?", .init(low), .init(high))
        var writer = try RowWriter(into: "feature_text (rowid, label, tokens, logits, topics, token_symbols, logit_symbols)", columns: 7, on: connection)
        try forEachText(of: run) { feature, text in
            if text.isEmpty { return }
            try writer.add(.init(feature), .text(text.label), .text(text.tokens), .text(text.logits), .text(text.topics), .text(text.tokenSymbols), .text(text.logitSymbols))
        }
        try writer.finish()
        // One tree in place of a dozen: each word is looked up once.
        try connection.run("INSERT INTO feature_text (feature_text) VALUES ('optimize')")
        try connection.run("UPDATE run SET has_text = 1 WHERE id = ?", .init(run.id))
    }

    /// Runs `body`, which may add many labels to features of these dictionaries and complete their runs, and writes their words once, at the end: changing
    /// a feature's row for each label, as triggers do, takes ten times as long as the label. The triggers are away meanwhile. Whether `body` throws or this does,
    /// everything is undone by the end of the transaction: the caller's, if there is one, which an error must end.
    /// - Parameter dictionaries: by name, since `body` may add them; labels of no others may change.
    public func writingTextOnce<Result>(of dictionaries: [DictionaryName], _ body: () throws -> Result) throws -> Result {
        guard textWaiting == nil else {
            textWaiting?.dictionaries.formUnion(dictionaries)
            return try body()
        }
        return try connection.transaction {
            let names = ["feature_text_gets_label", "feature_text_changes_label", "feature_text_loses_label"]
            let triggers = try names.compactMap { try connection.first("SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?", .text($0)) { $0.text(0) } }
            for name in names { try connection.run("DROP TRIGGER IF EXISTS main.\(name)") }
            textWaiting = ([], Set(dictionaries))
            defer { textWaiting = nil }
            let result = try body()
            let waiting = textWaiting
            textWaiting = nil
            for sql in triggers { try connection.run(sql) }
            for name in (waiting?.dictionaries ?? []).sorted(by: { $0.description < $1.description }) {
                guard let dictionary = try dictionaryIfAny(named: name), dictionary.hasSoundIDs else { continue }
                if waiting?.runs.contains(dictionary.id) == true, let run = try runIfAny(of: dictionary) { try writeText(of: run) } else { try writeLabelText(of: dictionary) }
            }
            return result
        }
    }

    /// Brings the labels among the words of a dictionary's features up to the ledger, as the triggers would have.
    private func writeLabelText(of dictionary: FeatureDictionary) throws {
        let range: [SQLiteValue] = [.init(dictionary.featureID(0)), .init((dictionary.id + 1) << 32)]
        // Its ids and labels alone: a row of feature_text is looked up in the index, too.
        var changed: [(feature: Int, label: String, isNew: Bool)] = []
        try connection.query("""
            SELECT c.feature_id, l.text, t.id IS NULL FROM feature_label AS c JOIN label AS l ON l.id = c.label_id LEFT JOIN feature_text_content AS t ON t.id = c.feature_id
            WHERE c.feature_id >= ?1 AND c.feature_id < ?2 AND t.c0 IS NOT l.text
            UNION ALL
            SELECT t.id, '', 0 FROM feature_text_content AS t WHERE t.id >= ?1 AND t.id < ?2 AND t.c0 <> '' AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = t.id)
            """, range) { changed.append(($0.integer(0), $0.text(1), $0.integer(2) != 0)) }
        guard !changed.isEmpty else { return }
        changed.sort { $0.feature < $1.feature }
        let rows = try connection.integer("SELECT count(*) FROM feature_text_docsize") ?? 0
        // To take a row out of the index and put it in again takes as long as to index four anew. The content is a table like any other, and `rebuild` indexes what stands in it.
        let isRebuilt = 4 * changed.count >= rows
        let (table, key, columns) = isRebuilt ? ("feature_text_content", "id", ["c0", "c1", "c2", "c3", "c4", "c5"]) : ("feature_text", "rowid", ["label", "tokens", "logits", "topics", "token_symbols", "logit_symbols"])
        var update = try Statement("UPDATE \(table) SET \(columns[0]) = ? WHERE \(key) = ?", on: connection)
        var insert = try Statement("INSERT INTO \(table) (\(key), \(columns.joined(separator: ", "))) VALUES (?, ?, '', '', '', '', '')", on: connection)
        for change in changed {
            if change.isNew { try insert.run(.init(change.feature), .text(change.label)) } else { try update.run(.text(change.label), .init(change.feature)) }
        }
        if isRebuilt { try connection.run("INSERT INTO feature_text (feature_text) VALUES ('rebuild')") }
    }

    /// Whether so many labels are better entered within `writingTextOnce`, which looks at all features of their dictionaries: an eighth of them or more.
    func isWorthWritingTextOnce(_ labels: Int, of dictionaries: some Collection<DictionaryName>) throws -> Bool {
        guard labels >= 1000 else { return false }
        return try dictionaries.reduce(0) { $0 + (try dictionaryIfAny(named: $1)?.features ?? 0) } <= 8 * labels
    }

    /// The words of each feature as the ledger and the run have them, in order; of an unfinished run, the label alone.
    func forEachText(of run: Run, _ body: (Int, FeatureText) throws -> Void) throws {
        let tokenizer = try connection.integer("SELECT tokenizer_id FROM corpus WHERE id = ?", .init(run.corpus)) ?? 0
        let modelTokenizer = try connection.integer("SELECT tokenizer_id FROM model WHERE id = ?", .init(run.dictionary.model)) ?? tokenizer
        var words = try TokenWords(tokenizer, connection), logitWords = try TokenWords(modelTokenizer, connection)
        for first in stride(from: 0, to: run.dictionary.features, by: featuresAtATime) {
            let count = min(featuresAtATime, run.dictionary.features - first), low = run.dictionary.featureID(first)
            let range: [SQLiteValue] = [.init(low), .init(low + count)]
            var texts = [FeatureText](repeating: FeatureText(), count: count)
            func add(_ word: String, to text: inout String, _ separator: String = " ") {
                if word.isEmpty { return }
                text += text.isEmpty ? word : separator + word
            }
            try connection.query("SELECT c.feature_id, l.text FROM feature_label AS c JOIN label AS l ON l.id = c.label_id WHERE c.feature_id >= ? AND c.feature_id < ?", range) { row in
                texts[row.integer(0) - low].label = row.text(1)
            }
            if run.isComplete {
                try connection.query("SELECT feature_id, token FROM feature_token WHERE feature_id >= ? AND feature_id < ? AND run_id = ? ORDER BY feature_id, rank", range + [.init(run.id)]) { row in
                    let place = row.integer(0) - low, word = try words.word(row.integer(1))
                    add(word.text, to: &texts[place].tokens)
                    if let symbols = word.symbols { add(symbols, to: &texts[place].tokenSymbols) }
                }
                try connection.query("SELECT feature_id, token FROM feature_logit WHERE feature_id >= ? AND feature_id < ? AND rank > 0 ORDER BY feature_id, rank", range) { row in
                    let place = row.integer(0) - low, word = try logitWords.word(row.integer(1))
                    add(word.text, to: &texts[place].logits)
                    if let symbols = word.symbols { add(symbols, to: &texts[place].logitSymbols) }
                }
                try connection.query("""
                    SELECT ft.feature_id, t.name FROM run AS r
                    CROSS JOIN topic AS t ON t.corpus_id = r.corpus_id
                    CROSS JOIN feature_topic AS ft ON ft.run_id = r.id AND ft.topic_id = t.id AND ft.feature_id >= ? AND ft.feature_id < ?
                    WHERE r.id = ? AND \(isTopicOfFeature) ORDER BY ft.feature_id, \(topicsOfFeatureOrder)
                    """, range + [.init(run.id)]) { row in add(row.text(1), to: &texts[row.integer(0) - low].topics, "; ") }
            }
            for (place, text) in texts.enumerated() { try body(low + place, text) }
        }
    }

    /// Writes the words of runs that an older version finished.
    func writeMissingText() throws {
        let missing = "SELECT dictionary_id FROM run WHERE is_complete AND NOT has_text"
        guard try connection.integer(missing + " LIMIT 1") != nil else { return }
        for id in try connection.rows(missing, make: { $0.integer(0) }) {
            guard let dictionary = try dictionary(id: id), dictionary.hasSoundIDs, let run = try runIfAny(of: dictionary) else { continue }
            try connection.transaction { try writeText(of: run) }
        }
    }
}

extension FeatureDictionary {
    /// Whether its features' numbers can be made; vectors may be missing.
    var hasSoundIDs: Bool { (0...featuresMaximum).contains(features) && (0..<1 << 31).contains(id) }
}
