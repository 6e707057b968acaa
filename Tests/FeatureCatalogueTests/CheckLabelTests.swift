@testable import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

/// What a check says of a ledger that somebody changed behind the triggers' backs. Mutations tried: scores compared to 1e-6; features that lack their label,
/// and windows for both training and tests, passed over.
struct CheckLabelTests {
    static let feature = FeatureName("A/0/2")!

    /// A ledger with everything in it: label 5 is a draft with examples and scores, 6 was rejected.
    static let pristine: Data? = try? withTemporaryFolder { folder in
        let path = folder.appending(path: "c.sqlite").path
        try Planted.small().write(to: path)
        let catalogue = try Catalogue(path: path, for: .writing)
        let examples = [(0, LabelExample.Role.train), (20, .train), (100, .test), (120, .test), (140, .test), (160, .test), (180, .test)].map { LabelExample(firstPosition: $0.0, tokens: 10, role: $0.1, kind: "top", activation: 1) }
        let label = try catalogue.addLabel(LabelEntry("law [tokens:w1,w2]", for: FeatureName("A/0/8")!, author: "m", authorKind: .model, method: "explain", status: .draft, prompt: Prompt(name: "explain-1", text: "What is it?"), examples: examples), at: Planted.time).id
        let rejected = try catalogue.addLabel("wrong", to: FeatureName("A/0/8")!, author: "Ada", at: Planted.time).id
        try catalogue.decide(rejected, .rejected, author: "Ben", at: Planted.time)
        var detection = LabelScoreEntry(label: label, feature: FeatureName("A/0/8")!, method: "detection")
        // Two of three true ones and one of two false ones are right: (2/3 + 1/2) / 2.
        detection.judgements = [(100, true, true), (120, true, true), (140, true, false), (160, false, false), (180, false, true)].map { LabelJudgement(firstPosition: $0.0, isTrue: $0.1, verdict: $0.2) }
        detection.value = 7.0 / 12
        _ = try catalogue.addScore(detection, author: "m", at: Planted.time)
        var rule = LabelScoreEntry(label: label, feature: FeatureName("A/0/8")!, method: "rule")
        (rule.counts, rule.value, rule.interval) = (.init(truePositives: 3, falsePositives: 1, falseNegatives: 2, trueNegatives: 500), 6.0 / 9, 0.5...0.8)
        _ = try catalogue.addScore(rule, author: "m", at: Planted.time)
        detection.feature = FeatureName("A/0/9")!
        detection.baseline = .shuffledFeature
        _ = try catalogue.addScore(detection, author: "m", at: Planted.time)
        try catalogue.checkpoint()
        return try Data(contentsOf: URL(filePath: path))
    }

    static let mutations: [(sql: String, what: String)] = [
        ("UPDATE feature_label SET label_id = 1 WHERE label_id = 3", "label that a feature goes by"),
        ("DELETE FROM feature_label WHERE label_id = 3", "label that a feature goes by"),
        ("UPDATE feature_label SET status = 'draft' WHERE label_id = 3", "label that a feature goes by"),
        ("INSERT INTO feature_label VALUES ((1 << 32) + 1, 4, 'accepted')", "label that a feature goes by"),
        ("DELETE FROM label_event", "label that a feature goes by"),
        ("UPDATE label_event SET label_id = 99", "label of a decision"), ("UPDATE label_event SET status = 'maybe'", "status of a decision"), ("UPDATE label_event SET author = ''", "author of a decision"),
        ("UPDATE label SET supersedes = 4 WHERE id = 3", "label that a label supersedes"), ("UPDATE label SET supersedes = 3 WHERE id = 2", "label that a label supersedes"),
        ("UPDATE label SET supersedes = NULL WHERE id = 3", "label that a label supersedes"), ("UPDATE label SET status = 'rejected' WHERE id = 1", "status of a label"),
        ("UPDATE label SET author_kind = 'robot' WHERE id = 1", "kind of a label's author"), ("UPDATE label SET parameters = '{' WHERE id = 1", "parameters of a label"),
        ("UPDATE label SET text = '' WHERE id = 1", "text of a label"), ("UPDATE label SET text = CAST(x'610062' AS TEXT) WHERE id = 1", "text of a label"),
        ("UPDATE label SET rule = 'tokens:' WHERE id = 5", "rule of a label"), ("UPDATE label SET rule = 'glob:x' WHERE id = 5", "rule of a label"),
        ("UPDATE label SET basis_id = 9 WHERE id = 5", "basis of a label"), ("UPDATE label_basis SET dictionary_id = 7", "dictionary of a basis of labels"), ("UPDATE label_score SET basis_id = 9 WHERE id = 1", "basis of a label"),
        ("UPDATE label SET prompt_id = 9 WHERE id = 5", "prompt of a label"), ("UPDATE prompt SET text = 'Why?'", "sha256 of a prompt"),
        ("UPDATE label_example SET label_id = 77 WHERE first_position = 20", "label of an example"), ("UPDATE label_example SET first_position = 595 WHERE first_position = 20", "place of a label's example"),
        ("UPDATE label_example SET first_position = -1 WHERE first_position = 0", "place of a label's example"), ("UPDATE label_example SET tokens = 9223372036854775807 WHERE first_position = 20", "place of a label's example"),
        ("UPDATE label_example SET tokens = 85 WHERE first_position = 20", "role of a label's example"), ("UPDATE label_example SET role = 'train' WHERE first_position = 140", "example of a judgement"),
        ("DELETE FROM label_example WHERE first_position = 140", "example of a judgement"),
        ("UPDATE label_score SET value = value + 1e-9 WHERE id = 1", "balanced accuracy of a score"), ("UPDATE label_score SET value = NULL WHERE id = 3", "balanced accuracy of a score"),
        ("UPDATE label_judgement SET verdict = 1 WHERE score_id = 1 AND ordinal = 2", "balanced accuracy of a score"), ("UPDATE label_judgement SET verdict = 2 WHERE score_id = 1 AND ordinal = 2", "verdict of a judgement"),
        ("DELETE FROM label_judgement WHERE score_id = 1 AND ordinal = 1", "order of judgements"), ("UPDATE label_judgement SET label_id = 4 WHERE score_id = 1", "label of a judgement"),
        ("DELETE FROM label_score WHERE id = 1", "score of a judgement"), ("UPDATE label_judgement SET call_id = 4 WHERE score_id = 1", "call of a judgement"),
        ("UPDATE label_score SET label_id = 77 WHERE id = 2", "label of a score"), ("UPDATE label_score SET feature_id = feature_id + 1 WHERE id = 2", "feature of a score"),
        ("UPDATE label_score SET feature_id = 5 WHERE id = 3", "feature of a score"), ("UPDATE label_score SET value = 0.5 WHERE id = 2", "F1 of a score"),
        ("UPDATE label_score SET true_positives = -3 WHERE id = 2", "counts of a score"), ("UPDATE label_score SET low = 0.9 WHERE id = 2", "interval of a score"),
    ]

    @Test func `an untouched ledger has no findings`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try #require(CheckLabelTests.pristine).write(to: URL(filePath: path))
            let report = try Catalogue(path: path, for: .reading).check()
            #expect(report.findings.map(\.description) == [])
            let counts = Dictionary(uniqueKeysWithValues: report.checked.map { ($0.what, $0.count) })
            #expect(["labels", "decisions", "examples of labels", "scores", "judgements"].map { counts[$0] } == [6, 1, 7, 3, 10])
        }
    }

    @Test func `a changed row of the ledger is found and named`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path, pristine = try #require(CheckLabelTests.pristine)
            for (sql, what) in CheckLabelTests.mutations {
                try pristine.write(to: URL(filePath: path))
                do {
                    let connection = try Connection(path: path, access: .readWrite)
                    for trigger in try connection.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger'", make: { $0.text(0) }) { try connection.execute("DROP TRIGGER \(trigger)") }
                    try connection.execute("PRAGMA foreign_keys = 0; PRAGMA ignore_check_constraints = 1")
                    try connection.execute(sql)
                    #expect(try connection.integer("SELECT total_changes()") ?? 0 > 0, "\(sql) changed nothing")
                }
                let report = try Catalogue(path: path, for: .reading).check()
                #expect(report.findings.contains { $0.what == what }, "\(sql) said: \(report.findings.map(\.description))")
            }
        }
    }
}
