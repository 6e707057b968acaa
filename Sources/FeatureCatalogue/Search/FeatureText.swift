import Diagnostics
import SQLite

// The words of a feature: its label, the tokens it fires on and promotes, and its topics, in one row of the full-text table feature_text.
//
// Labels come and go by triggers (0014_search.sql); the rest is written here when a run is complete.
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
    /// For whoever completes a run by other ways than `complete`, or changes its top tokens, logits or topics.
    public func writeText(of run: Run) throws {
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
