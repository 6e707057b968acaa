import FeatureCatalogue
import SQLite

/// Methods whose latest score of a feature's label has a column of its own.
private let scoreMethods = ["rule", "detection", "fuzzing", "simulation"]

private let scoreColumns = scoreMethods.map { method in
    "(SELECT s.value FROM label_score AS s WHERE s.label_id = l.label_id AND s.feature_id = f.feature_id AND s.method = '\(method)' AND s.baseline IS NULL ORDER BY s.id DESC LIMIT 1) AS \(method)_score"
}

/// Writes one row a feature: what `feature_overview` says of it, the label it goes by with its latest scores, and the topic on which most of its firings lie.
func exportCSV(_ run: Run, of catalogue: Catalogue, progress: (Int, Int) -> Void, to write: ([UInt8]) throws -> Void) throws {
    let columns = """
        f.feature, f.dictionary, f.feature_index, f.label, f.status, f.firings, f.tokens, f.density, f.documents, f.maximum, f.mean_when_active, f.top_token, f.top_logit_token,
        f.decoder_norm, f.activation_scale, f.encoder_decoder_cosine, f.maximum_position, l.status AS label_status, l.method AS label_method, l.author AS label_author,
        l.author_kind AS label_author_kind, l.created_at AS label_created_at, l.rule AS label_rule, \(scoreColumns.joined(separator: ", "))
        """
    let topic = "SELECT topic, share, lift, z FROM topic_rate WHERE run_id = ? AND feature_id = ? AND topic_id IN (SELECT id FROM topic WHERE corpus_id = ?) ORDER BY firings DESC, lift DESC, topic LIMIT 1"
    var lines: [UInt8] = [], done = 0
    func append(_ value: SQLiteValue, isFirst: Bool) {
        if !isFirst { lines.append(UInt8(ascii: ",")) }
        switch value {
        case .null, .blob: break
        case .integer(let n): lines.append(contentsOf: String(n).utf8)
        case .real(let r): lines.append(contentsOf: "\(r)".utf8)
        case .text(let text): appendField(text, to: &lines)
        }
    }
    var isFirstRow = true
    try catalogue.connection.query("""
        SELECT \(columns), f.feature_id FROM feature_overview AS f LEFT JOIN label_current AS l ON l.feature_id = f.feature_id
        WHERE f.feature_id >= ? AND f.feature_id < ? ORDER BY f.feature_id
        """, [.init(run.dictionary.featureID(0)), .init(run.dictionary.featureID(run.dictionary.features))]) { row in
        let last = row.columnCount - 1
        if isFirstRow {
            let names = (0..<last).map { row.columnName($0) } + ["main_topic", "main_topic_share", "main_topic_lift", "main_topic_z"]
            lines.append(contentsOf: (names.joined(separator: ",") + "\n").utf8)
            isFirstRow = false
        }
        for column in 0..<last { append(row.value(column), isFirst: column == 0) }
        let main = try catalogue.connection.first(topic, .init(run.id), .init(row.integer(last)), .init(run.corpus)) { found in (0..<4).map { found.value($0) } }
        for value in main ?? [.null, .null, .null, .null] { append(value, isFirst: false) }
        lines.append(UInt8(ascii: "\n"))
        done += 1
        if lines.count >= 1 << 16 {
            try write(lines)
            lines.removeAll(keepingCapacity: true)
            progress(done, run.dictionary.features)
        }
    }
    try write(lines)
    progress(done, run.dictionary.features)
}

/// As RFC 4180 says: in quotes where it holds a comma, a quote or a line break.
private func appendField(_ text: String, to lines: inout [UInt8]) {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 0x0a || $0 == 0x0d }) else { return lines.append(contentsOf: text.utf8) }
    lines.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
        if byte == UInt8(ascii: "\"") { lines.append(byte) }
        lines.append(byte)
    }
    lines.append(UInt8(ascii: "\""))
}
