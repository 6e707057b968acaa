import FeatureCatalogue
import Formats
import SQLite

/// The ledger of labels of one dictionary, for an export: labels, decisions and scores are numbered from 1 in the order in which they were
/// entered, since the numbers of rows are those of one catalogue.
final class LedgerReader {
    private let catalogue: Catalogue
    private let dictionary: FeatureDictionary
    /// Row numbers, ascending.
    private let labels, events, scores: [Int]
    /// Row numbers of bases, in the order of the export's head.
    private let bases: [Int]
    private let hasOmissions: Bool

    init(_ catalogue: Catalogue, _ dictionary: FeatureDictionary) throws {
        (self.catalogue, self.dictionary) = (catalogue, dictionary)
        let connection = catalogue.connection
        let low = SQLiteValue(dictionary.featureID(0)), high = SQLiteValue(dictionary.featureID(dictionary.features))
        let own = "SELECT id FROM label WHERE feature_id >= ? AND feature_id < ?"
        labels = try connection.rows("\(own) ORDER BY id", low, high) { $0.integer(0) }
        events = labels.isEmpty ? [] : try connection.rows("SELECT id FROM label_event WHERE label_id IN (\(own)) ORDER BY id", low, high) { $0.integer(0) }
        scores = labels.isEmpty ? [] : try connection.rows("SELECT id FROM label_score WHERE label_id IN (\(own)) ORDER BY id", low, high) { $0.integer(0) }
        bases = try connection.rows("SELECT id FROM label_basis WHERE dictionary_id = ? ORDER BY weights_sha256, corpus_fingerprint", .init(dictionary.id)) { $0.integer(0) }
        hasOmissions = try connection.integer("SELECT 1 FROM label_omission WHERE feature_id >= ? AND feature_id < ? LIMIT 1", low, high) != nil
    }

    /// What labels and scores stand on, and the prompts they were made with: members of the head.
    func writeHead(_ writer: inout JSONWriter) throws {
        let low = SQLiteValue(dictionary.featureID(0)), high = SQLiteValue(dictionary.featureID(dictionary.features))
        writer.key("bases")
        try writer.array { writer in
            for basis in bases {
                try catalogue.connection.query("SELECT weights_sha256, corpus_fingerprint FROM label_basis WHERE id = ?", [.init(basis)]) { row in
                    writer.object { writer in
                        writer.member("weights_sha256", row.text(0))
                        writer.member("corpus_fingerprint", row.text(1))
                    }
                }
            }
        }
        writer.key("prompts")
        try writer.array { writer in
            guard !labels.isEmpty else { return }
            try catalogue.connection.query("""
                SELECT name, sha256, text FROM prompt
                WHERE id IN (SELECT prompt_id FROM label WHERE feature_id >= ?1 AND feature_id < ?2)
                    OR id IN (SELECT s.prompt_id FROM label_score AS s JOIN label AS l ON l.id = s.label_id WHERE l.feature_id >= ?1 AND l.feature_id < ?2)
                ORDER BY name, sha256
                """, [low, high]) { row in
                writer.object { writer in
                    writer.member("name", row.text(0))
                    writer.member("sha256", row.text(1))
                    writer.member("text", row.text(2))
                }
            }
        }
    }

    private func place(of id: Int, in ids: [Int]) -> Int? {
        var low = 0, high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < ids.count && ids[low] == id ? low : nil
    }

    private func number(of id: Int?, in ids: [Int]) -> Int? { id.flatMap { place(of: $0, in: ids) }.map { $0 + 1 } }
    private func basis(_ id: Int?) -> Int? { id.flatMap { bases.firstIndex(of: $0) } }

    /// The members `labels`, the newest first, and `omissions` of one feature.
    func write(_ index: Int, _ writer: inout JSONWriter) throws {
        let feature = dictionary.featureID(index)
        writer.key("labels")
        try writer.array { writer in
            guard !labels.isEmpty else { return }
            try catalogue.connection.query("""
                SELECT l.id, l.text, h.status, h.is_current, l.status, l.author, l.author_kind, l.method, l.is_unknown, l.rule, p.name, p.sha256, l.parameters, l.prompt_tokens,
                    l.completion_tokens, l.cost, l.basis_id, l.created_at, l.supersedes
                FROM label AS l JOIN label_history AS h ON h.label_id = l.id LEFT JOIN prompt AS p ON p.id = l.prompt_id WHERE l.feature_id = ? ORDER BY l.id DESC
                """, [.init(feature)]) { row in
                let label = row.integer(0)
                try writer.object { writer in
                    writer.member("number", number(of: label, in: labels))
                    writer.member("text", row.text(1))
                    writer.member("status", row.text(2))
                    writer.member("is_current", row.integer(3) != 0)
                    writer.member("entered_as", row.text(4))
                    writer.member("author", row.text(5))
                    writer.member("author_kind", row.text(6))
                    writer.member("method", row.text(7))
                    writer.member("is_unknown", row.integer(8) != 0)
                    writer.member("rule", row.optionalText(9))
                    writer.prompt(row.optionalText(10), row.optionalText(11))
                    writer.member("parameters", row.text(12))
                    writer.member("prompt_tokens", row.optionalInteger(13))
                    writer.member("completion_tokens", row.optionalInteger(14))
                    writer.member("cost", row.optionalReal(15))
                    writer.member("basis", basis(row.optionalInteger(16)))
                    writer.member("created_at", row.text(17))
                    writer.member("supersedes", number(of: row.optionalInteger(18), in: labels))
                    try writeDecisions(of: label, &writer)
                    try writeExamples(of: label, &writer)
                    try writeScores(of: label, feature, &writer)
                }
            }
        }
        writer.key("omissions")
        try writer.array { writer in
            guard hasOmissions else { return }
            try catalogue.connection.query("SELECT purpose, reason, basis_id, created_at FROM label_omission WHERE feature_id = ? ORDER BY purpose", [.init(feature)]) { row in
                writer.object { writer in
                    writer.member("purpose", row.text(0))
                    writer.member("reason", row.text(1))
                    writer.member("basis", basis(row.optionalInteger(2)))
                    writer.member("created_at", row.text(3))
                }
            }
        }
    }

    private func writeDecisions(of label: Int, _ writer: inout JSONWriter) throws {
        writer.key("decisions")
        try writer.array { writer in
            try catalogue.connection.query("SELECT id, status, author, created_at, reason FROM label_event WHERE label_id = ? ORDER BY id", [.init(label)]) { row in
                writer.object { writer in
                    writer.member("number", number(of: row.integer(0), in: events))
                    writer.member("status", row.text(1))
                    writer.member("author", row.text(2))
                    writer.member("created_at", row.text(3))
                    writer.member("reason", row.optionalText(4))
                }
            }
        }
    }

    private func writeExamples(of label: Int, _ writer: inout JSONWriter) throws {
        writer.key("examples")
        try writer.array { writer in
            try catalogue.connection.query("SELECT first_position, tokens, role, kind, activation FROM label_example WHERE label_id = ? ORDER BY first_position", [.init(label)]) { row in
                writer.object { writer in
                    writer.member("first_position", row.integer(0))
                    writer.member("tokens", row.integer(1))
                    writer.member("role", row.text(2))
                    writer.member("kind", row.text(3))
                    writer.member("activation", row.real(4))
                }
            }
        }
    }

    private func writeScores(of label: Int, _ feature: Int, _ writer: inout JSONWriter) throws {
        writer.key("scores")
        try writer.array { writer in
            try catalogue.connection.query("""
                SELECT s.id, s.feature_id, s.method, s.baseline, s.judge, p.name, p.sha256, s.parameters, s.value, s.low, s.high, o.balanced_accuracy, s.true_positives, s.false_positives,
                    s.false_negatives, s.true_negatives, s.precision_low, s.precision_high, s.recall_low, s.recall_high, s.calls, s.prompt_tokens, s.completion_tokens, s.cost, s.basis_id,
                    o.is_stale, s.author, s.created_at, o.feature
                FROM label_score AS s JOIN label_score_overview AS o ON o.score_id = s.id LEFT JOIN prompt AS p ON p.id = s.prompt_id WHERE s.label_id = ? ORDER BY s.id
                """, [.init(label)]) { row in
                let score = row.integer(0)
                try writer.object { writer in
                    writer.member("number", number(of: score, in: scores))
                    writer.member("feature", row.integer(1) == feature ? nil : row.text(28))
                    writer.member("method", row.text(2))
                    writer.member("baseline", row.optionalText(3))
                    writer.member("judge", row.optionalText(4))
                    writer.prompt(row.optionalText(5), row.optionalText(6))
                    writer.member("parameters", row.text(7))
                    writer.member("value", row.optionalReal(8))
                    writer.member("low", row.optionalReal(9))
                    writer.member("high", row.optionalReal(10))
                    writer.member("balanced_accuracy", row.optionalReal(11))
                    for (place, name) in ["true_positives", "false_positives", "false_negatives", "true_negatives"].enumerated() { writer.member(name, row.optionalInteger(12 + place)) }
                    for (place, name) in ["precision_low", "precision_high", "recall_low", "recall_high"].enumerated() { writer.member(name, row.optionalReal(16 + place)) }
                    writer.member("calls", row.integer(20))
                    writer.member("prompt_tokens", row.integer(21))
                    writer.member("completion_tokens", row.integer(22))
                    writer.member("cost", row.real(23))
                    writer.member("basis", basis(row.optionalInteger(24)))
                    writer.member("is_stale", row.integer(25) != 0)
                    writer.member("author", row.text(26))
                    writer.member("created_at", row.text(27))
                    writer.key("judgements")
                    try writer.array { writer in
                        try catalogue.connection.query("SELECT ordinal, first_position, is_true, verdict, probability, detail FROM label_judgement WHERE score_id = ? ORDER BY ordinal", [.init(score)]) { row in
                            writer.object { writer in
                                writer.member("ordinal", row.integer(0))
                                writer.member("first_position", row.optionalInteger(1))
                                writer.member("is_true", row.integer(2) != 0)
                                writer.member("verdict", row.optionalInteger(3).map { $0 != 0 })
                                writer.member("probability", row.optionalReal(4))
                                writer.member("detail", row.optionalText(5))
                            }
                        }
                    }
                }
            }
        }
    }
}

private extension JSONWriter {
    mutating func prompt(_ name: String?, _ sha256: String?) {
        key("prompt")
        guard let name, let sha256 else { return null() }
        object { writer in
            writer.member("name", name)
            writer.member("sha256", sha256)
        }
    }
}
