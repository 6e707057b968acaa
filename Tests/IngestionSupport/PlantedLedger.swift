public import FeatureCatalogue

/// Enters everything that a ledger can hold about one feature: a draft of a model's with a prompt, train and test examples, a score of judgements and a baseline of
/// another feature's; a person's label with a rule's score; one that was rejected; decisions; and an omission.
public func addLedger(to catalogue: Catalogue, _ feature: FeatureName) throws {
    let other = FeatureName(dictionary: feature.dictionary, index: 2)
    let draft = try catalogue.addLabel(LabelEntry(
        "fires on \u{5d0}\u{5d1} and such", for: feature, author: "llama", authorKind: .model, method: "explain", status: .draft, prompt: Prompt(name: "explain-1", text: "Say {what}\n"),
        parameters: "{\"temperature\": 0.5}", usage: ModelUsage(promptTokens: 120, completionTokens: 7, cost: 0.25),
        examples: [LabelExample(firstPosition: 0, tokens: 4, role: .train, kind: "top", activation: 2), LabelExample(firstPosition: 10, tokens: 4, role: .test, kind: "random", activation: 0.1)]),
        at: "2026-01-01T12:00:00Z")
    _ = try catalogue.addLabel(LabelEntry("not known", for: other, author: "llama", authorKind: .model, method: "explain", status: .draft, isUnknown: true), at: "2026-01-01T12:30:00Z")
    var score = LabelScoreEntry(label: draft.id, feature: feature, method: "detection")
    score.judge = "llama"
    score.prompt = Prompt(name: "detect-1", text: "Judge {these}")
    score.value = 0.5
    score.calls = 1
    score.usage = ModelUsage(promptTokens: 50, completionTokens: 2, cost: 0.125)
    score.judgements = [LabelJudgement(firstPosition: 10, isTrue: true, verdict: true, probability: 0.1, detail: "[1,2]"), LabelJudgement(firstPosition: nil, isTrue: false, verdict: true), LabelJudgement(firstPosition: nil, isTrue: false, verdict: nil)]
    _ = try catalogue.addScore(score, author: "monoseme", at: "2026-01-01T13:00:00Z")
    score = LabelScoreEntry(label: draft.id, feature: other, method: "detection")
    score.baseline = .shuffledFeature
    _ = try catalogue.addScore(score, author: "monoseme", at: "2026-01-01T13:01:00Z")
    let label = try catalogue.addLabel("a \"red\" label\n", to: feature, author: "ada", at: "2026-01-02T00:00:00Z")
    score = LabelScoreEntry(label: label.id, feature: feature, method: "rule")
    (score.value, score.interval, score.counts) = (0.75, 0.25...1, LabelScoreEntry.Counts(truePositives: 3, falsePositives: 1, falseNegatives: 1, trueNegatives: 75))
    (score.precisionInterval, score.recallInterval) = (0.1...0.9, 0.2...0.8)
    _ = try catalogue.addScore(score, author: "monoseme", at: "2026-01-02T01:00:00Z")
    let wrong = try catalogue.addLabel("wrong", to: feature, author: "bob", at: "2026-01-03T00:00:00Z")
    try catalogue.decide(label.id, .rejected, author: "bob", at: "2026-01-03T01:00:00Z")
    try catalogue.decide(wrong.id, .rejected, author: "ada", reason: "it is not", at: "2026-01-03T02:00:00Z")
    try catalogue.decide(label.id, .accepted, author: "ada", at: "2026-01-03T03:00:00Z")
    try catalogue.connection.run("INSERT INTO label_omission (feature_id, purpose, reason, basis_id, created_at) VALUES (?, 'explain', 'too few examples: 1 of 20', ?, '2026-01-04T00:00:00Z')",
                                 .init(catalogue.dictionary(named: feature.dictionary).featureID(other.index)), .init(catalogue.labelBasis(of: catalogue.dictionary(named: feature.dictionary))))
}
