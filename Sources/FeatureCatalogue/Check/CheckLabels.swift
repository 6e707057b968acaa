import Diagnostics
import SQLite

// The ledger of labels: that what follows from it is what follows from it, and that it refers to what is there.

/// How far a stored score may lie from the one counted again: the last bits of a sum in another order.
private let scoreTolerance = 1e-12

extension Examination {
    func examineLabels() {
        stage("reading the labels")
        part("labels") { try examineEntries() }
        part("rules of labels") { try examineRules() }
        part("decisions about labels") { try examineDecisions() }
        part("labels that features go by") { try examineCurrentLabels() }
        part("bases of labels") { try examineBases() }
        part("examples of labels") { try examineLabelExamples() }
        part("scores of labels") { try examineScores() }
        part("judgements of scores") { try examineJudgements() }
    }

    private func labelName(_ id: Int, _ feature: String?) -> String { "label \(id)" + (feature.map { " of \($0)" } ?? "") }

    private func examineEntries() throws {
        // A label supersedes the one that its feature went by: an older one of the same feature. There is one if any before was neither unknown nor ever rejected.
        try connection.query("""
            SELECT l.id, l.feature_id, l.supersedes, o.feature_id, d.name || '/' || f.feature_index, length(trim(l.author)), l.status, l.author_kind, json_valid(l.parameters),
                (SELECT max(b.id) FROM label AS b WHERE b.feature_id = l.feature_id AND b.id < l.id AND NOT b.is_unknown
                    AND NOT EXISTS (SELECT 1 FROM label_event AS e WHERE e.label_id = b.id AND e.status = 'rejected')),
                length(CAST(l.text AS BLOB)), length(trim(l.text)), instr(CAST(l.text AS BLOB), x'00')
            FROM label AS l LEFT JOIN feature AS f ON f.id = l.feature_id LEFT JOIN dictionary AS d ON d.id = f.dictionary_id LEFT JOIN label AS o ON o.id = l.supersedes ORDER BY l.id
            """) { row in
            let id = row.integer(0), here = labelName(id, row.optionalText(4)), older = row.optionalInteger(2)
            if row.isNull(4) { damage("feature of a label", at: here, found: "no feature \(row.integer(1))", expected: "one that is in the catalogue") }
            if let older {
                if older >= id || row.optionalInteger(3) != row.integer(1) { damage("label that a label supersedes", at: here, found: "label \(older)", expected: "an older one of the same feature") }
            } else if let known = row.optionalInteger(9) {
                damage("label that a label supersedes", at: here, found: "none", expected: "label \(known), or another that the feature went by")
            }
            if row.integer(5) == 0 { damage("author of a label", at: here, found: "none", expected: "a name") }
            if !["draft", "accepted"].contains(row.text(6)) { damage("status of a label", at: here, found: quoted(row.text(6)), expected: "draft or accepted") }
            if LabelAuthorKind(rawValue: row.text(7)) == nil { damage("kind of a label's author", at: here, found: quoted(row.text(7)), expected: LabelAuthorKind.allCases.map(\.rawValue).joined(separator: ", ")) }
            if row.integer(8) == 0 { damage("parameters of a label", at: here, found: "other text", expected: "JSON") }
            if row.integer(10) > Catalogue.labelLimit || row.integer(11) == 0 || row.integer(12) > 0 { damage("text of a label", at: here, found: "\(row.integer(10)) bytes", expected: "1 to \(Catalogue.labelLimit), without NUL") }
            counted("labels", 1)
        }
    }

    private func examineRules() throws {
        try connection.query("SELECT id, rule FROM label WHERE rule IS NOT NULL ORDER BY id") { row in
            if LabelRule(row.text(1)) == nil { damage("rule of a label", at: labelName(row.integer(0), nil), found: quoted(row.text(1)), expected: LabelRule.expectation) }
        }
    }

    private func examineDecisions() throws {
        try connection.query("SELECT e.id, e.label_id, e.status, length(trim(e.author)), l.id IS NULL FROM label_event AS e LEFT JOIN label AS l ON l.id = e.label_id ORDER BY e.id") { row in
            let here = "decision \(row.integer(0)) about label \(row.integer(1))"
            if row.integer(4) != 0 { damage("label of a decision", at: here, found: "no such label", expected: "one") }
            if !["accepted", "rejected"].contains(row.text(2)) { damage("status of a decision", at: here, found: quoted(row.text(2)), expected: "accepted or rejected") }
            if row.integer(3) == 0 { damage("author of a decision", at: here, found: "none", expected: "a name") }
            counted("decisions", 1)
        }
    }

    /// The newest accepted label, or else the newest draft, found again from labels and decisions.
    private func examineCurrentLabels() throws {
        var expected: [Int: (label: Int, status: String)] = [:]
        try connection.query("""
            SELECT l.feature_id, l.id, coalesce((SELECT e.status FROM label_event AS e WHERE e.label_id = l.id ORDER BY e.id DESC LIMIT 1), l.status) FROM label AS l WHERE NOT l.is_unknown ORDER BY l.id
            """) { row in
            let status = row.text(2)
            guard status != "rejected", status == "accepted" || expected[row.integer(0)]?.status != "accepted" else { return }
            expected[row.integer(0)] = (row.integer(1), status)
        }
        func say(_ label: (label: Int, status: String)?) -> String { label.map { "label \($0.label), \($0.status)" } ?? "none" }
        func place(_ feature: Int) -> String { ((try? catalogue.dictionary(id: feature >> 32)) ?? nil).map { name(feature & 0xffff_ffff, $0) } ?? "feature \(feature)" }
        try connection.query("SELECT feature_id, label_id, status FROM feature_label ORDER BY feature_id") { row in
            let found = (label: row.integer(1), status: row.text(2)), right = expected.removeValue(forKey: row.integer(0))
            if found.label != right?.label || found.status != right?.status { damage("label that a feature goes by", at: place(row.integer(0)), found: say(found), expected: say(right)) }
        }
        for (feature, right) in expected.sorted(by: { $0.key < $1.key }) { damage("label that a feature goes by", at: place(feature), found: "none", expected: say(right)) }
    }

    private func examineBases() throws {
        try connection.query("""
            SELECT b.id, b.dictionary_id FROM label_basis AS b WHERE NOT EXISTS (SELECT 1 FROM dictionary WHERE id = b.dictionary_id) ORDER BY b.id
            """) { damage("dictionary of a basis of labels", at: "basis \($0.integer(0))", found: "no dictionary \($0.integer(1))", expected: "one") }
        try connection.query("""
            SELECT 'label ' || l.id, l.basis_id, b.dictionary_id, l.feature_id >> 32 FROM label AS l LEFT JOIN label_basis AS b ON b.id = l.basis_id WHERE l.basis_id IS NOT NULL AND b.dictionary_id IS NOT l.feature_id >> 32
            UNION ALL
            SELECT 'score ' || s.id, s.basis_id, b.dictionary_id, s.feature_id >> 32 FROM label_score AS s LEFT JOIN label_basis AS b ON b.id = s.basis_id WHERE s.basis_id IS NOT NULL AND b.dictionary_id IS NOT s.feature_id >> 32
            """) { row in
            damage("basis of a label", at: row.text(0), found: row.isNull(2) ? "no basis \(row.integer(1))" : "basis \(row.integer(1)) of dictionary \(row.integer(2))", expected: "one of dictionary \(row.integer(3))")
        }
        try connection.query("SELECT id FROM label WHERE prompt_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM prompt WHERE id = label.prompt_id) ORDER BY id") {
            damage("prompt of a label", at: labelName($0.integer(0), nil), found: "no such prompt", expected: "one")
        }
        for prompt in try connection.rows("SELECT id, text, sha256 FROM prompt ORDER BY id", make: { (id: $0.integer(0), text: $0.text(1), digest: $0.text(2)) }) {
            expect(prompt.digest, sha256(of: prompt.text), "sha256 of a prompt", at: "prompt \(prompt.id)")
        }
    }

    /// Windows: of a label that is there, of some length, and for training or for tests, not both. Those of the basis that stands lie within its corpus.
    private func examineLabelExamples() throws {
        var last: (label: Int, end: [String: Int]) = (-1, [:])
        try connection.query("""
            SELECT e.label_id, e.first_position, e.tokens, e.role, l.id IS NULL,
                iif(l.basis_id IN (SELECT basis_id FROM label_basis_current), (SELECT c.tokens FROM run AS r JOIN corpus AS c ON c.id = r.corpus_id
                    JOIN label_basis AS b ON b.id = l.basis_id WHERE r.dictionary_id = l.feature_id >> 32 AND c.fingerprint = b.corpus_fingerprint AND c.is_complete), NULL)
            FROM label_example AS e LEFT JOIN label AS l ON l.id = e.label_id ORDER BY e.label_id, e.first_position
            """) { row in
            let label = row.integer(0), first = row.integer(1), (end, isOver) = first.addingReportingOverflow(row.integer(2)), here = "label \(label) example at position \(first)"
            counted("examples of labels", 1)
            if row.integer(4) != 0 { damage("label of an example", at: here, found: "no such label", expected: "one") }
            guard !isOver, first >= 0, row.integer(2) > 0, end <= row.optionalInteger(5) ?? .max else {
                return damage("place of a label's example", at: here, found: "\(row.integer(2)) tokens", expected: row.optionalInteger(5).map { "1 or more within the corpus's \($0)" } ?? "1 or more")
            }
            if last.label != label { last = (label, [:]) }
            for (role, other) in last.end where role != row.text(3) && other > first { damage("role of a label's example", at: here, found: row.text(3), expected: "\(role), as of the window before, which it overlaps") }
            last.end[row.text(3)] = max(last.end[row.text(3)] ?? 0, end)
        }
    }

    private func examineScores() throws {
        try connection.query("""
            SELECT s.id, s.label_id, s.feature_id, s.method, s.baseline, s.value, l.feature_id, d.name || '/' || f.feature_index,
                (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id),
                (SELECT (sum(j.is_true = 1 AND j.verdict = 1) * 1.0 / nullif(sum(j.is_true = 1 AND j.verdict IS NOT NULL), 0)
                    + sum(j.is_true = 0 AND j.verdict = 0) * 1.0 / nullif(sum(j.is_true = 0 AND j.verdict IS NOT NULL), 0)) / 2 FROM label_judgement AS j WHERE j.score_id = s.id),
                s.true_positives, s.false_positives, s.false_negatives, s.true_negatives, s.low, s.high
            FROM label_score AS s LEFT JOIN label AS l ON l.id = s.label_id LEFT JOIN feature AS f ON f.id = s.feature_id LEFT JOIN dictionary AS d ON d.id = f.dictionary_id ORDER BY s.id
            """) { row in
            let here = "score \(row.integer(0)) of label \(row.integer(1))", method = row.text(3), value = row.optionalReal(5)
            counted("scores", 1)
            if row.isNull(6) { damage("label of a score", at: here, found: "no such label", expected: "one") } else if row.isNull(4), row.integer(6) != row.integer(2) {
                damage("feature of a score", at: here, found: row.optionalText(7) ?? "no such feature", expected: "the label's own, as it is no baseline")
            }
            if row.isNull(7) { damage("feature of a score", at: here, found: "no feature \(row.integer(2))", expected: "one that is in the catalogue") }
            if ["detection", "fuzzing"].contains(method), row.integer(8) > 0 { agree(value, row.optionalReal(9), "balanced accuracy of a score", at: here) }
            // F1 = 2 TP / (2 TP + FP + FN), of what was counted token by token.
            if method == "rule", let hits = row.optionalInteger(10), let alarms = row.optionalInteger(11), let misses = row.optionalInteger(12) {
                let all = 2 * Double(hits) + Double(alarms) + Double(misses)
                agree(value, all > 0 ? 2 * Double(hits) / all : nil, "F1 of a score", at: here)
            }
            if (10...13).contains(where: { (row.optionalInteger($0) ?? 0) < 0 }) { damage("counts of a score", at: here, found: "one below 0", expected: "0 or more") }
            if let low = row.optionalReal(14), let high = row.optionalReal(15), !(low <= high) { damage("interval of a score", at: here, found: "\(low) to \(high)", expected: "from low to high") }
        }
    }

    private func agree(_ found: Double?, _ expected: Double?, _ what: String, at place: String) {
        if let found, let expected { return expect(found, near: expected, within: scoreTolerance, what, at: place) }
        // A score without a positive has no F1; one that says 0 is as good.
        if found == nil && expected == nil || expected == nil && found == 0 { return }
        damage(what, at: place, found: found.map { "\($0)" } ?? "none", expected: expected.map { "about \($0)" } ?? "none")
    }

    private func examineJudgements() throws {
        try connection.query("""
            SELECT j.score_id, j.ordinal, j.label_id, j.first_position, s.id IS NULL, s.label_id, e.role, j.is_true, j.verdict, lag(j.ordinal) OVER (PARTITION BY j.score_id ORDER BY j.ordinal),
                j.call_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM model_call WHERE id = j.call_id)
            FROM label_judgement AS j LEFT JOIN label_score AS s ON s.id = j.score_id LEFT JOIN label_example AS e ON e.label_id = j.label_id AND e.first_position = j.first_position
            ORDER BY j.score_id, j.ordinal
            """) { row in
            let here = "score \(row.integer(0)) judgement \(row.integer(1))"
            counted("judgements", 1)
            if row.integer(4) != 0 { damage("score of a judgement", at: here, found: "no such score", expected: "one") } else {
                expect(row.integer(2), row.integer(5), "label of a judgement", at: here)
            }
            if !row.isNull(3), row.optionalText(6) != "test" { damage("example of a judgement", at: here, found: row.optionalText(6).map { "one for \($0)" } ?? "no window at \(row.integer(3))", expected: "a test example of the label") }
            if ![0, 1].contains(row.integer(7)) || ![nil, 0, 1].contains(row.optionalInteger(8)) { damage("verdict of a judgement", at: here, found: "\(row.integer(7)) and \(row.optionalInteger(8).map(String.init) ?? "none")", expected: "0 or 1") }
            expectConsecutive(row.integer(1), after: row.optionalInteger(9), "order of judgements", at: here)
            if row.integer(10) != 0 { damage("call of a judgement", at: here, found: "no such call", expected: "one") }
        }
    }
}
