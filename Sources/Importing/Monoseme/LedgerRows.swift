import Diagnostics
import FeatureCatalogue
import Formats
import SQLite

/// Writes the ledger of labels of one feature after the other: in the order in which it was kept, with its times, behind what the catalogue has already.
final class LedgerRows {
    private unowned let rows: ExportedRows
    private let head: ExportedHead
    private var label: Statement, decision: Statement, example: Statement, score: Statement, judgement: Statement, omission: Statement
    /// Dictionaries whose features' scores could not be brought in, and how many.
    private var strangers: [String: Int] = [:]

    /// What was left out, a sentence each.
    var missing: [String] {
        strangers.sorted { $0.key < $1.key }.map { "\($0.value) scores by activations of \($0.key) are left out, since it is not in the catalogue: import it first" }
    }

    private static let number = ObjectForm.Member.integer("number", 1...1 << 40)
    private static let position = 0...1 << 48

    private let labelForm = ObjectForm(
        number, .text("text"), .derived("status"), .derived("is_current"), .word("entered_as", ["draft", "accepted"]), .text("author"), .word("author_kind", LabelAuthorKind.allCases.map(\.rawValue)),
        .text("method"), .bool("is_unknown"), .text("rule", isNullable: true), .nested("prompt", isNullable: true), .text("parameters"), .count("prompt_tokens", isNullable: true),
        .count("completion_tokens", isNullable: true), .real("cost", isNullable: true), .count("basis", isNullable: true), .text("created_at"), .count("supersedes", isNullable: true),
        .nested("decisions"), .nested("examples"), .nested("scores"))
    private let decisionForm = ObjectForm(number, .word("status", ["accepted", "rejected"]), .text("author"), .text("created_at"), .text("reason", isNullable: true))
    private let exampleForm = ObjectForm(.integer("first_position", position), .integer("tokens", 1...1 << 40), .word("role", ["train", "test"]), .text("kind"), .real("activation"))
    private let scoreForm = ObjectForm(
        number, .text("feature", isNullable: true), .text("method"), .word("baseline", ScoreBaseline.allCases.map(\.rawValue), isNullable: true), .text("judge", isNullable: true), .nested("prompt", isNullable: true),
        .text("parameters"), .real("value", isNullable: true), .real("low", isNullable: true), .real("high", isNullable: true), .derived("balanced_accuracy"), .count("true_positives", isNullable: true),
        .count("false_positives", isNullable: true), .count("false_negatives", isNullable: true), .count("true_negatives", isNullable: true), .real("precision_low", isNullable: true),
        .real("precision_high", isNullable: true), .real("recall_low", isNullable: true), .real("recall_high", isNullable: true), .count("calls"), .count("prompt_tokens"), .count("completion_tokens"),
        .real("cost"), .count("basis", isNullable: true), .derived("is_stale"), .text("author"), .text("created_at"), .nested("judgements"))
    private let judgementForm = ObjectForm(
        .count("ordinal"), .integer("first_position", position, isNullable: true), .bool("is_true"), .bool("verdict", isNullable: true), .real("probability", isNullable: true), .text("detail", isNullable: true))
    private let promptForm = ObjectForm(.text("name"), .text("sha256"))
    private let omissionForm = ObjectForm(.text("purpose"), .text("reason"), .count("basis", isNullable: true), .text("created_at"))

    init(_ rows: ExportedRows) throws {
        (self.rows, head) = (rows, rows.head)
        let connection = rows.connection
        label = try Statement("""
            INSERT INTO label (id, feature_id, text, author, created_at, supersedes, author_kind, method, status, is_unknown, rule, prompt_id, parameters, prompt_tokens, completion_tokens, cost, basis_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, on: connection)
        decision = try Statement("INSERT INTO label_event (id, label_id, status, author, created_at, reason) VALUES (?, ?, ?, ?, ?, ?)", on: connection)
        example = try Statement("INSERT INTO label_example (label_id, first_position, tokens, role, kind, activation) VALUES (?, ?, ?, ?, ?, ?)", on: connection)
        score = try Statement("""
            INSERT INTO label_score (id, label_id, feature_id, method, baseline, judge, prompt_id, parameters, value, low, high, true_positives, false_positives, false_negatives, true_negatives,
                precision_low, precision_high, recall_low, recall_high, calls, prompt_tokens, completion_tokens, cost, basis_id, author, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, on: connection)
        judgement = try Statement("INSERT INTO label_judgement (score_id, ordinal, label_id, first_position, is_true, verdict, probability, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", on: connection)
        omission = try Statement("INSERT INTO label_omission (feature_id, purpose, reason, basis_id, created_at) VALUES (?, ?, ?, ?, ?)", on: connection)
    }

    private struct Entry {
        var values: [SQLiteValue] = []
        var prompt = SQLiteValue.null
        var decisions: [[SQLiteValue]] = [], examples: [[SQLiteValue]] = []
        var scores: [(values: [SQLiteValue], prompt: SQLiteValue, feature: Int?, judgements: [[SQLiteValue]])] = []
    }

    private func list(_ form: ObjectForm, _ cursor: inout JSONCursor) throws -> [[SQLiteValue]] {
        var list: [[SQLiteValue]] = []
        try cursor.array { cursor in list.append(try form.read(&cursor)) }
        return list
    }

    private func prompt(_ cursor: inout JSONCursor) throws -> SQLiteValue {
        let values = try promptForm.read(&cursor)
        guard let id = rows.prompts[values[1].string!] else { throw cursor.fail("the prompt \(quoted(values[0].string!)), which the head does not have") }
        return .init(id)
    }

    private func basis(_ value: SQLiteValue, _ cursor: JSONCursor) throws -> SQLiteValue {
        guard let place = value.integer else { return .null }
        guard rows.bases.indices.contains(place) else { throw cursor.fail("the basis \(place), which the head does not have") }
        return .init(rows.bases[place])
    }

    private func demandJSON(_ value: SQLiteValue, _ cursor: JSONCursor) throws {
        if let text = value.string, text != "{}", !isJSON(text) { throw cursor.fail("\(quoted(text)) is not JSON") }
    }

    func addLabels(of index: Int, _ cursor: inout JSONCursor) throws {
        var entries: [Entry] = []
        try cursor.array { cursor in
            var entry = Entry()
            entry.values = try labelForm.read(&cursor) { place, cursor in
                switch place {
                case 10: entry.prompt = try prompt(&cursor)
                case 18: entry.decisions = try list(decisionForm, &cursor)
                case 19: entry.examples = try list(exampleForm, &cursor)
                default: try cursor.array { cursor in try readScore(&entry, &cursor) }
                }
            }
            let text = entry.values[1].string!
            guard text.utf8.count <= Catalogue.labelLimit, text.contains(where: { !$0.isWhitespace }) else { throw cursor.fail("a label that is empty or has more than \(Catalogue.labelLimit) bytes") }
            try demandJSON(entry.values[11], cursor)
            entries.append(entry)
        }
        let start = rows.ledgerStart, feature = rows.dictionary.featureID(index)
        // The oldest first, as they were entered: what a feature goes by follows from the order.
        entries.sort { $0.values[0].integer! < $1.values[0].integer! }
        for entry in entries {
            let v = entry.values, id = start.label + v[0].integer!
            try label.run(.init(id), .init(feature), v[1], v[5], v[16], .init(v[17].integer.map { start.label + $0 }), v[6], v[7], v[4], v[8], v[9], entry.prompt, v[11], v[12], v[13], v[14], try basis(v[15], cursor))
            rows.labels += 1
            for e in entry.examples { try example.run(.init(id), e[0], e[1], e[2], e[3], e[4]) }
            for s in entry.scores {
                guard let scored = s.feature else { continue }
                let v = s.values, number = start.score + v[0].integer!
                try score.run(.init(number), .init(id), .init(scored < 0 ? feature : scored), v[2], v[3], v[4], s.prompt, v[6], v[7], v[8], v[9], v[11], v[12], v[13], v[14], v[15], v[16], v[17], v[18], v[19], v[20], v[21], v[22],
                              try basis(v[23], cursor), v[25], v[26])
                rows.scores += 1
                for j in s.judgements { try judgement.run(.init(number), j[0], .init(id), j[1], j[2], j[3], j[4], j[5]) }
            }
        }
        // Decisions in their own order, which may go to and fro between labels.
        for (label, d) in entries.flatMap({ entry in entry.decisions.map { (entry.values[0].integer!, $0) } }).sorted(by: { $0.1[0].integer! < $1.1[0].integer! }) {
            try decision.run(.init(start.event + d[0].integer!), .init(start.label + label), d[1], d[2], d[3], d[4])
        }
    }

    /// Reads a score; its feature is −1 for the label's own, and `nil` where it is not in the catalogue.
    private func readScore(_ entry: inout Entry, _ cursor: inout JSONCursor) throws {
        var judgements: [[SQLiteValue]] = [], own = SQLiteValue.null
        let values = try scoreForm.read(&cursor) { place, cursor in
            if place == 5 { own = try prompt(&cursor) } else { judgements = try list(judgementForm, &cursor) }
        }
        try demandJSON(values[6], cursor)
        for judgement in judgements { try demandJSON(judgement[5], cursor) }
        var feature: Int? = -1
        if let text = values[1].string {
            guard let name = FeatureName(text) else { throw cursor.fail("\(quoted(text)) is not a feature") }
            let dictionary = name.dictionary == head.name ? rows.dictionary : try rows.catalogue.dictionaryIfAny(named: name.dictionary)
            if let dictionary, name.index >= dictionary.features { throw cursor.fail("there is no feature \(name)") }
            feature = dictionary?.featureID(name.index)
            if dictionary == nil { strangers[name.dictionary.description, default: 0] += 1 }
        }
        entry.scores.append((values, own, feature, judgements))
    }

    func addOmissions(of index: Int, _ cursor: inout JSONCursor) throws {
        for o in try list(omissionForm, &cursor) { try omission.run(.init(rows.dictionary.featureID(index)), o[0], o[1], try basis(o[2], cursor), o[3]) }
    }
}
