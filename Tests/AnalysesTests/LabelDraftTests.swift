@testable import Analyses
import Diagnostics
import FeatureCatalogue
import Numerics
import Testing

/// Features with a known meaning, from which a twentieth of their firings is taken away and to which one in a thousand other tokens is added.
///
/// Mutations tried: score and choice on the same documents; the simplest of all candidates.
@Suite struct LabelDraftTests {
    private static let texts: [(topic: String, words: [String])] = [
        ("DNA", ["A", "C", "G", "T", "_", "ACGT", " the", ":", "7"]),
        ("English", [" the", " house", " a", ".", ",", " New", " York", " England", "_", ":", " b", " c", " d", " e", " f", "42", "17"]),
        ("Mixed", [" the", "שלום", "עולם", "ש", "привет", "мир", "字", "_", ":", " York", " New", " b", " c", " d", "3", " x"]),
    ]
    /// What each feature is about, and what should be said of it.
    private static let meanings: [(text: String, rule: String, holds: @Sendable (_ token: String, _ before: String?, _ topic: String) -> Bool)] = [
        ("token ‘ the’", "tokens: the", { token, _, _ in token == " the" }),
        ("Hebrew script", "range:Hebrew", { token, _, _ in ["שלום", "עולם", "ש"].contains(token) }),
        ("DNA", "topic:DNA", { _, _, topic in topic == "DNA" }),
        ("token ‘_’ in DNA", "topic:DNA & tokens:_", { token, _, topic in token == "_" && topic == "DNA" }),
        ("after ‘:’", "after::", { _, before, _ in before == ":" }),
        ("digits", "regex:[0-9]", { token, _, _ in ["7", "42", "17", "3"].contains(token) }),
        ("tokens ‘ b’, ‘ c’ and ‘ d’", "tokens: b, c, d", { token, _, _ in [" b", " c", " d"].contains(token) }),
        ("token ‘ York’ after ‘ New’", "after: New & tokens: York", { token, before, _ in token == " York" && before == " New" }),
        ("tokens ‘17’ and ‘42’", "tokens:17,42", { token, _, topic in ["42", "17"].contains(token) && topic == "English" }),
    ]
    private static let noise = meanings.count, silent = noise + 1, rare = noise + 2, labelled = noise + 3

    private static func world() throws -> RuleWorld {
        var random = SeededGenerator(seed: 3)
        var documents: [(topic: String, tokens: [String])] = []
        for number in 0..<90 {
            let text = texts[number % 3]
            var tokens: [String] = []
            for _ in 0..<60 + random.index(below: 120) {
                // "New York" and colons often enough.
                let word = text.words[random.index(below: text.words.count)]
                tokens.append(tokens.last == " New" && random.uniform() < 0.6 ? " York" : word)
            }
            documents.append((text.topic, tokens))
        }
        var on: [[Bool]] = []
        let topics = documents.map(\.topic)
        return try RuleWorld(documents, features: labelled + 1, segmentTokens: 2_000) { feature, position, world in
            if on.isEmpty {
                on = (0...labelled).map { feature in
                    world.tokens.indices.map { place in
                        let chance = random.uniform()
                        switch feature {
                        case noise: return chance < 0.02
                        case silent: return false
                        case rare: return place % 5_000 == 11
                        default:
                            let meaning = meanings[feature == labelled ? 0 : feature]
                            let holds = meaning.holds(world.tokens[place], world.isFirst[place] ? nil : world.tokens[place - 1], topics[world.documentOf[place]])
                            return holds ? chance < 0.95 : chance < 0.001
                        }
                    }
                }
            }
            return on[feature][position] ? Float(1 + position % 5) : 0
        }
    }

    @Test func `features are drafted as they were planted, and the score is the one of the other half`() throws {
        let world = try Self.world()
        _ = try world.catalogue.addLabel("the article", to: FeatureName("A/0/\(Self.labelled)")!, author: "Ada", at: "t")
        let study = try LabelDrafts(world.catalogue, world.run, minimumF1: 0.5), (drafts, omissions) = try study.drafts(for: 0...Self.labelled)
        #expect(drafts.map(\.feature.index) == Array(0..<Self.noise))
        for (draft, meaning) in zip(drafts, Self.meanings) {
            #expect(draft.text == meaning.text && draft.rule == LabelRule(meaning.rule), "\(draft.text): \(draft.rule)")
            #expect((draft.score.f1?.value ?? 0) > 0.85, "\(draft.text): \(draft.score)")
            // Halves make the whole, and each is what a plain count says.
            let whole = try RuleScorer(world.catalogue, world.run, timeLimit: nil).score(draft.feature.index, against: draft.rule)
            #expect(draft.score.both + draft.choosingScore.both == whole.both && draft.score.held + draft.choosingScore.held == whole.held && draft.score.firings + draft.choosingScore.firings == whole.firings)
            let even = world.documentOf.map { $0 / 3 % 2 == 1 }, held = world.tokens.indices.count { place in
                even[place] && meaning.holds(world.tokens[place], world.isFirst[place] ? nil : world.tokens[place - 1], world.documents[world.documentOf[place]].topic)
            }
            #expect(draft.score.held == held && draft.score.tokens == even.count { $0 }, "\(draft.text)")
        }
        let reasons = omissions.map { omission -> String in
            switch omission.reason {
            case .hasLabel: "label"
            case .neverFires: "never"
            case .tooFew: "few"
            case .poor(let best): (best.score.f1?.value ?? 0) < 0.5 ? "poor" : "good"
            }
        }
        #expect(omissions.map(\.feature.index) == [Self.noise, Self.silent, Self.rare, Self.labelled] && reasons == ["poor", "never", "few", "label"])
    }

    @Test func `drafts are entered once, also when they were rejected, and nobody takes them for more`() throws {
        let world = try Self.world(), (drafts, _) = try LabelDrafts(world.catalogue, world.run, minimumF1: 0.5).drafts(for: 0..<4)
        let entries = drafts.map { RuledLabel(LabelEntry($0.text, for: $0.feature, author: "monoseme", authorKind: .program, method: "suggest", status: .draft, rule: $0.rule),
                                              $0.score.entry(label: 0, $0.feature, $0.rule, documents: LabelDraft.scoredDocuments)) }
        #expect(try world.catalogue.enter(entries, author: "monoseme", at: "t").allSatisfy { $0.isNewLabel && $0.isNewScore })
        try world.catalogue.decide(2, .rejected, author: "Ada", at: "t")
        #expect(try world.catalogue.enter(entries, author: "monoseme", at: "t").allSatisfy { !$0.isNewLabel && !$0.isNewScore })
        let labels = try world.catalogue.labels(of: drafts[0].feature)
        #expect(labels.count == 1 && labels[0].status == .draft && labels[0].authorKind == .program && labels[0].method == "suggest" && labels[0].rule == drafts[0].rule && labels[0].isCurrent)
        #expect(try world.catalogue.labels(of: drafts[1].feature).map(\.status) == [.rejected])
    }

    @Test func `shapes of one character are asked of tokens as of text`() throws {
        let world = try Self.world(), evaluator = try RuleEvaluator(world.catalogue, corpus: world.run.corpus, timeLimit: nil), plain = try RuleEvaluator(world.catalogue, corpus: world.run.corpus, timeLimit: nil)
        let predicates = try evaluator.sharedPredicates(tags: []) { _ in }
        #expect(predicates.contains { $0.words == "digits" } && predicates.contains { $0.words == "Cyrillic script" } && predicates.contains { $0.words == "characters of CJK Unified Ideographs" || $0.words == "Chinese characters" } && !predicates.contains { $0.words == "UUIDs" })
        for predicate in predicates { #expect(try evaluator.positions(of: predicate.rule) == plain.positions(of: predicate.rule), "\(predicate.words)") }
    }
}
