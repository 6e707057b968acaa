import FeatureCatalogue
import Formats
import Glibc
import Numerics
import SQLite

/// Writes a catalogue of a dictionary `S/1` whose features all have labels, top tokens, logits and topics, made of words of Zipf's frequencies; "the" is in
/// three labels of ten. One line of JSON: what its words take to write, and what a label costs
/// with and without the triggers that keep them up, and among many that are imported.
func writeLabels(to path: String, features: Int) throws -> String {
    for ending in ["", "-wal", "-shm"] { unlink(path + ending) }
    var random = Random(1)
    let syllables = "bcdfghjklmnpqrstvwxyz".flatMap { a in "aeiou".map { String(a) + String($0) } }
    let words = (0..<20_000).map { _ in (0..<Int.random(in: 1...4, using: &random)).map { _ in syllables.randomElement(using: &random)! }.joined() }
    var cumulative: [Double] = [], total = 0.0
    for rank in words.indices { total += 1 / Double(rank + 5); cumulative.append(total) }
    func word() -> Int {
        let at = Double.random(in: 0..<total, using: &random)
        var low = 0, high = words.count - 1
        while low < high { let middle = (low + high) / 2; if cumulative[middle] > at { high = middle } else { low = middle + 1 } }
        return low
    }

    let catalogue = try { _ = try Catalogue(path: path, for: .ingesting); return try Catalogue(path: path, for: .writing) }(), connection = catalogue.connection
    let run = try connection.transaction {
        let tokenizer = try catalogue.register(tokenizer: "benchmark", vocabulary: words.count) { $0 % 50 == 49 ? Array("{}[]()<>=+-*/%&|".utf8.dropFirst($0 / 50 % 15).prefix(2)) : Array((" " + words[$0]).utf8) }
        let model = try catalogue.register(ModelDescription(name: "benchmark", architecture: "gpt2", layers: 1, width: 4, mlpWidth: 4, vocabulary: words.count, contextLength: 8, weightsSHA256: "benchmark"), tokenizer: tokenizer)
        let corpus = try catalogue.register(CorpusDescription(name: "benchmark", fingerprint: "benchmark", settings: "{}"), tokenizer: tokenizer)
        let decoder = Matrix(rows: features, columns: 4)
        for row in 0..<features { decoder.base[4 * row + row % 4] = 1 }
        let ones = [Float](repeating: 1, count: features)
        let dictionary = try catalogue.register(DictionaryDescription(name: DictionaryName(parsing: "S/1"), hook: "blocks.0.hook_mlp_out", architecture: "standard", settings: "{}", weightsSHA256: "benchmark"), model: model,
                                                decoder: decoder, norms: ones, scales: ones, encoderDecoderCosines: ones)
        return try catalogue.register(RunRules(contextLength: 8, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: "benchmark", at: "2026-01-01T00:00:00Z")
    }
    let topics = ["law", "music", "GitHub", "DNA", "Wikipedia (en)", "StackExchange", "PubMed Abstracts", "Base64"]
    // What an ingest finds out, as it would stand there.
    let start = Usage.now
    try connection.transaction {
        for topic in topics { try connection.run("INSERT INTO topic (corpus_id, name, documents, tokens) VALUES (?, ?, 100, 1000000)", .init(run.corpus), .text(topic)) }
        let topicIDs = try connection.rows("SELECT id FROM topic ORDER BY id") { $0.integer(0) }
        try connection.run("UPDATE run SET is_complete = 1, tokens = 8000000, topic_tests = 1")
        var statistics = try RowWriter("INSERT OR REPLACE", into: "statistic (run_id, feature_id, firings, documents, sum, maximum, histogram)", columns: 7, on: connection)
        var tokens = try RowWriter(into: "feature_token (run_id, feature_id, rank, token, firings, sum)", columns: 6, on: connection)
        var logits = try RowWriter(into: "feature_logit (feature_id, rank, token, value)", columns: 4, on: connection)
        var rates = try RowWriter(into: "feature_topic (run_id, topic_id, feature_id, firings, documents, sum, maximum, z, q)", columns: 9, on: connection)
        for feature in 0..<features {
            let id = SQLiteValue(run.dictionary.featureID(feature)), firings = Int(exp(Double.random(in: 3...12, using: &random)))
            try statistics.add(.init(run.id), id, .init(firings), .init(min(firings, 100)), .real(Double(firings)), 5, .blob([UInt8](repeating: 3, count: 40)))
            for rank in 1...10 {
                try tokens.add(.init(run.id), id, .init(rank), .init(word()), .init(firings / rank), .real(Double(firings) / Double(rank)))
                try logits.add(id, .init(rank), .init(word()), .real(2 - Double(rank) / 10))
            }
            for topic in topicIDs.indices { try rates.add(.init(run.id), .init(topicIDs[topic]), id, .init(firings / 8), 10, .real(Double(firings)), 5, .real(Double(feature % 9 == topic ? 8 : 1)), .real(feature % 9 == topic ? 0.001 : 0.5)) }
        }
        try statistics.finish()
        try tokens.finish()
        try logits.finish()
        try rates.finish()
    }
    let evidence = Usage.now
    try connection.transaction { try catalogue.writeText(of: catalogue.run(of: run.dictionary.name)) }
    let filled = Usage.now
    // Labels in one transaction, as they are imported; a second round for each feature, so that one is taken back and one put in its place.
    func label(_ features: Range<Int>, _ author: String) throws -> Double {
        var texts: [(SQLiteValue, SQLiteValue)] = []
        for feature in features {
            var label = (0..<Int.random(in: 3...10, using: &random)).map { _ in words[word()] }
            if Int.random(in: 0..<10, using: &random) < 3 { label.insert("the", at: 1) }
            if feature % 5000 == 7 { label.append("base64") }
            texts.append((.init(run.dictionary.featureID(feature)), .text(label.joined(separator: " "))))
        }
        let start = Usage.now.cpu
        try connection.transaction {
            var insert = try Statement("INSERT INTO label (feature_id, text, author, created_at) VALUES (?, ?, ?, '2026-01-01T00:00:00Z')", on: connection)
            for (feature, text) in texts { try insert.run(feature, text, .text(author)) }
        }
        return Usage.now.cpu - start
    }
    let first = try label(0..<features, "a"), again = try label(0..<features / 8, "b")
    let triggers = try connection.rows("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'feature_text%'") { $0.text(0) }
    for name in try connection.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'feature_text%'", make: { $0.text(0) }) { try connection.execute("DROP TRIGGER \(name)") }
    let bare = try label(0..<features / 8, "c")
    for sql in triggers { try connection.execute(sql) }
    try connection.transaction { try catalogue.writeText(of: catalogue.run(of: run.dictionary.name)) }
    try connection.execute("ANALYZE")
    // One more label for each, as `label import` enters them; taken back, so that the catalogue is the same without this measure.
    let lines = (0..<features).map { LabelLine(line: $0 + 1, LabelEntry((0..<5).map { _ in words[word()] }.joined(separator: " "), for: FeatureName(dictionary: run.dictionary.name, index: $0), author: "d")) }
    var atOnce = Usage.now.cpu
    struct Enough: Error {}
    do {
        try connection.transaction {
            _ = try catalogue.importLabels(lines, at: "2026-01-01T00:00:00Z")
            atOnce = Usage.now.cpu - atOnce
            throw Enough()
        }
    } catch is Enough {}
    try catalogue.checkpoint()
    func bytes(_ name: String) throws -> Int { try connection.integer("SELECT sum(pgsize) FROM dbstat WHERE name LIKE ?", .text(name)) ?? 0 }

    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "words")
        writer.member("features", features)
        writer.member("evidence_cpu_s", evidence.cpu - start.cpu)
        writer.member("words_cpu_s", filled.cpu - evidence.cpu)
        writer.member("label_us", first / Double(features) * 1e6)
        writer.member("label_again_us", again / Double(max(1, features / 8)) * 1e6)
        writer.member("label_without_words_us", bare / Double(max(1, features / 8)) * 1e6)
        writer.member("label_at_once_us", atOnce / Double(features) * 1e6)
        writer.member("index_bytes", (try? bytes("feature_text_data")).map { $0 + ((try? bytes("feature_text_idx")) ?? 0) + ((try? bytes("feature_text_docsize")) ?? 0) } ?? 0)
        writer.member("content_bytes", (try? bytes("feature_text_content")) ?? 0)
    }
    return writer.text
}
