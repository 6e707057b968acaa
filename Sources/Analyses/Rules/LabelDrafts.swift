import Diagnostics
public import FeatureCatalogue

/// What a feature may mean, by the evidence alone: the rule that fits it best of all that were tried.
public struct LabelDraft: Sendable {
    public let feature: FeatureName
    public let text: String
    public let rule: LabelRule
    /// On the documents that the rule was not chosen on.
    public let score: RuleScore
    /// On those that it was chosen on, where it looks better than it is.
    public let choosingScore: RuleScore

    /// Which documents `score` is of, as `label_score.parameters` says it.
    public static let scoredDocuments = "the even ones of each topic"
}

/// Why there is no draft for a feature.
public enum DraftOmission: Sendable {
    case hasLabel
    case neverFires
    /// Too few to choose by on one half of the documents, or to report by on the other.
    case tooFew(choosing: Int, reporting: Int)
    /// The best rule says too little.
    case poor(LabelDraft)
}

public struct DraftProgress: Sendable {
    public enum Stage: Sendable { case documents, features }
    public let stage: Stage
    public let done, total, drafts: Int
}

/// Drafts of labels for features of a run.
///
/// What is tried: single tokens and up to eight together; what follows one of up to eight tokens; topics; shapes of text, scripts and tags (`TokenShapes`); tokens after
/// tokens; and all of these within the topics and shapes that hold most of a feature's firings. A rule is chosen on the odd documents of each topic and its score is that
/// on the even ones: the best of some hundred rules looks better than it is where it was chosen. Of rules that do about as well as the best, the simplest is taken, of
/// the fewest parts and tokens: of those whose F1 is less by at most a tenth of what the best lacks of 1, or by one standard error, but not by more than 0.05 for that.
///
/// Arithmetic: a firing is looked up in three tallies and some shapes, which takes some ten nanoseconds; the tallies hold for every rule that is tried. Exactly scored,
/// over all documents, is only the best of them and the simplest. Memory: 16 bytes a token of the corpus, and what `RuleEvaluator` takes.
public final class LabelDrafts {
    private let catalogue: Catalogue
    private let scorer: RuleScorer
    private let minimumF1: Double
    private let corpus: DraftCorpus
    private let isLabelled: Set<Int>

    /// Firings, and documents with one, that either half must have.
    static let minimumFirings = 5, minimumDocuments = 2

    public init(_ catalogue: Catalogue, _ run: Run, minimumF1: Double, report: (DraftProgress) throws -> Void = { _ in }) throws {
        (self.catalogue, self.minimumF1) = (catalogue, minimumF1)
        scorer = try RuleScorer(catalogue, run, timeLimit: nil)
        let low = run.dictionary.featureID(0)
        isLabelled = try Set(catalogue.connection.rows("SELECT feature_id FROM feature_label WHERE feature_id >= ? AND feature_id < ? AND status = 'accepted'", .init(low), .init(low + run.dictionary.features)) { $0.integer(0) - low })
        // The patterns are ours: nothing can stop the evaluation but the caller.
        let total = scorer.documents.count
        try report(DraftProgress(stage: .documents, done: 0, total: total, drafts: 0))
        corpus = try DraftCorpus(scorer, try catalogue.tags(of: run.corpus), try catalogue.topics(of: run.corpus)) { step in try? report(DraftProgress(stage: .documents, done: step.documents, total: total, drafts: 0)) }
    }

    /// Drafts for some features, by index, and why there is none for the others; every feature is in one of the two.
    public func drafts(for features: some Collection<Int>, report: (DraftProgress) throws -> Void = { _ in }) throws -> (drafts: [LabelDraft], omissions: [(feature: FeatureName, reason: DraftOmission)]) {
        var drafts: [LabelDraft] = [], omissions: [(feature: FeatureName, reason: DraftOmission)] = []
        for (place, feature) in features.enumerated() {
            let name = FeatureName(dictionary: scorer.run.dictionary.name, index: feature)
            switch try draft(feature, name) {
            case .success(let draft): drafts.append(draft)
            case .failure(let reason): omissions.append((name, reason.reason))
            }
            try report(DraftProgress(stage: .features, done: place + 1, total: features.count, drafts: drafts.count))
        }
        return (drafts, omissions)
    }

    private struct Omitted: Error { let reason: DraftOmission }

    private func draft(_ feature: Int, _ name: FeatureName) throws -> Result<LabelDraft, Omitted> {
        func omitted(_ reason: DraftOmission) -> Result<LabelDraft, Omitted> { .failure(Omitted(reason: reason)) }
        if isLabelled.contains(feature) { return omitted(.hasLabel) }
        let firings = try scorer.firings(of: feature)
        if firings.isEmpty { return omitted(.neverFires) }
        let evidence = corpus.evidence(of: firings)
        guard evidence.choosing.count >= LabelDrafts.minimumFirings, evidence.reporting >= LabelDrafts.minimumFirings,
              evidence.choosingDocuments >= LabelDrafts.minimumDocuments, evidence.reportingDocuments >= LabelDrafts.minimumDocuments
        else { return omitted(.tooFew(choosing: evidence.choosing.count, reporting: evidence.reporting)) }
        let candidates = try corpus.candidates(for: evidence.choosing)
        guard let best = candidates.max(by: { ($0.f1, -$0.complexity) < ($1.f1, -$1.complexity) }) else { return omitted(.tooFew(choosing: evidence.choosing.count, reporting: evidence.reporting)) }
        var marks = try marks(of: best), counts = counts(firings, marks, corpus.isChosenOn)
        let margin = max((1 - best.f1) / 10, min(RatioEstimate.standardError(counts.f1), 0.05))
        let chosen = candidates.filter { $0.f1 >= best.f1 - margin }.min { $0.isSimpler(than: $1) }!
        if chosen != best { marks = try self.marks(of: chosen); counts = self.counts(firings, marks, corpus.isChosenOn) }
        let choosingScore = RuleScore(counts)
        // Tallies and counts are of the same tokens; only a damaged file could part them.
        guard choosingScore.both == chosen.both, choosingScore.held == chosen.held, choosingScore.firings == chosen.firings else { throw catalogue.contradicted(feature, in: scorer.run) }
        let draft = LabelDraft(feature: name, text: corpus.words(for: chosen), rule: corpus.rule(of: chosen), score: RuleScore(self.counts(firings, marks, corpus.isReportedOn)), choosingScore: choosingScore)
        return (draft.score.f1?.value ?? 0) >= minimumF1 ? .success(draft) : omitted(.poor(draft))
    }

    private func marks(of candidate: DraftCandidate) throws -> RuleMarks {
        RuleMarks(try scorer.evaluator.positions(of: corpus.rule(of: candidate)), scorer.documents, tokens: scorer.run.tokens)
    }

    private func counts(_ firings: PostingList, _ marks: RuleMarks, _ isCounted: [Bool]) -> DocumentCounts {
        DocumentCounts(firings, against: marks, scorer.documents, tokens: scorer.run.tokens, above: 0, isCounted: isCounted)
    }
}

/// A rule that was tried, as tallies have it: all that is given must hold.
struct DraftCandidate: Equatable {
    /// Ids, by which their spellings are known; ascending.
    var tokens: [Int] = []
    var after: [Int] = []
    var predicate: Int?
    var topic: Int?
    /// Tokens of the documents chosen on where it holds, those of them on which the feature fires, and on how many of all it fires.
    var held = 0, both = 0, firings = 0

    var f1: Double { 2 * Double(both) / Double(held + firings) }
    /// The fewer parts the simpler, and in each the fewer tokens.
    var complexity: Int {
        let parts = [tokens.isEmpty, after.isEmpty, predicate == nil, topic == nil].count { !$0 }
        return tokens.count + (after.isEmpty ? 0 : after.count + 1) + (predicate == nil ? 0 : 1) + (topic == nil ? 0 : 1) + (parts - 1)
    }
    /// Of equally simple ones the better goes first, then those of tokens, then shapes before scripts before tags before topics.
    func isSimpler(than other: DraftCandidate) -> Bool {
        if complexity != other.complexity { return complexity < other.complexity }
        if f1 != other.f1 { return f1 > other.f1 }
        func order(_ candidate: DraftCandidate) -> [Int] { [candidate.tokens.isEmpty ? 1 : 0, candidate.predicate ?? .max, candidate.topic ?? -1] + candidate.tokens + candidate.after }
        return order(self).lexicographicallyPrecedes(order(other))
    }
}

/// A firing on the documents that rules are chosen on.
struct DraftFiring {
    let position: Int
    /// As ids of one spelling; −1 for a token without bytes, and for none before the first.
    let token, before: Int
    let topic: Int
}

/// What of the corpus all features share: counts on the documents that rules are chosen on.
final class DraftCorpus {
    private let scorer: RuleScorer
    let isChosenOn, isReportedOn: [Bool]
    let predicates: [SharedPredicate]
    private let topicNames: [String]
    private let documents: DocumentTable
    /// Of each document.
    private let topicOf: [Int]
    private let ids: [Int32]
    /// Of each token, the first that is spelled like it; −1 for one without bytes.
    private let spelled: [Int]
    private let spellings: [Int: TokenSpelling]
    /// For each position, the predicates that hold: `words` words.
    private let masks: [UInt64]
    private let words: Int
    /// Tokens chosen on: all by token, by the token before, by topic, by predicate, and by topic and predicate.
    private var byToken, byBefore: Tally
    private var byTopic: [Int], byPredicate: [Int], byTopicAndPredicate: [[Int]]
    /// Made when first asked for: within a topic, and within a predicate.
    private var withinTopic: [Int: (token: Tally, before: Tally)] = [:], withinPredicate: [Int: (token: Tally, before: Tally)] = [:]
    private var scratch: (token: Tally, before: Tally)

    init(_ scorer: RuleScorer, _ tags: [Tag], _ topics: [Topic], report: (TaggingProgress) -> Void) throws {
        self.scorer = scorer
        documents = scorer.documents
        let evaluator = scorer.evaluator
        ids = try evaluator.allTokens()
        let (vocabulary, known) = try evaluator.allSpellings()
        var spelled = [Int](repeating: -1, count: vocabulary), spellings: [Int: TokenSpelling] = [:]
        for (spelling, all) in known {
            for id in all { spelled[id] = all[0] }
            spellings[all[0]] = spelling
        }
        (self.spelled, self.spellings) = (spelled, spellings)
        let places = Dictionary(topics.enumerated().map { ($1.id, $0) }) { first, _ in first }
        topicNames = topics.map(\.name)
        let topicOf = documents.topics.map { places[$0] ?? 0 }
        self.topicOf = topicOf
        var seen = [Int](repeating: 0, count: max(1, topics.count))
        let isChosenOn = topicOf.map { topic in
            seen[topic] += 1
            return seen[topic] % 2 == 1
        }
        (self.isChosenOn, isReportedOn) = (isChosenOn, isChosenOn.map { !$0 })
        predicates = try evaluator.sharedPredicates(tags: tags, report: report)
        let words = max(1, (predicates.count + 63) / 64)
        self.words = words
        var masks = [UInt64](repeating: 0, count: evaluator.length * words)
        for (number, predicate) in predicates.enumerated() {
            let bit = UInt64(1) << UInt64(number % 64)
            try evaluator.positions(of: predicate.rule).forEach(in: 0..<evaluator.length) { masks[$0 * words + number / 64] |= bit }
        }
        self.masks = masks
        byToken = Tally(vocabulary)
        byBefore = Tally(vocabulary)
        scratch = (Tally(vocabulary), Tally(vocabulary))
        byTopic = .init(repeating: 0, count: max(1, topics.count))
        byPredicate = .init(repeating: 0, count: predicates.count)
        byTopicAndPredicate = .init(repeating: byPredicate, count: max(1, topics.count))
        forEachChosen { position, token, before, topic in
            byToken.add(token)
            byBefore.add(before)
            byTopic[topic] += 1
            forEachPredicate(at: position) { byPredicate[$0] += 1; byTopicAndPredicate[topic][$0] += 1 }
        }
    }

    /// All tokens of documents chosen on that the run has seen.
    private func forEachChosen(_ body: (_ position: Int, _ token: Int, _ before: Int, _ topic: Int) -> Void) {
        for document in documents.starts.indices where isChosenOn[document] {
            let start = documents.starts[document], end = min(start + documents.lengths[document], scorer.run.tokens)
            var before = -1
            for position in start..<max(start, end) {
                let token = spelled[Int(ids[position])]
                body(position, token, before, topicOf[document])
                before = token
            }
        }
    }

    private func forEachPredicate(at position: Int, _ body: (Int) -> Void) {
        for word in 0..<words {
            var rest = masks[position * words + word]
            while rest != 0 {
                body(64 * word + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
    }

    private func holds(_ predicate: Int, at position: Int) -> Bool { masks[position * words + predicate / 64] >> UInt64(predicate % 64) & 1 != 0 }

    /// The firings to choose by, and how many there are to report by, and in how many documents.
    func evidence(of firings: PostingList) -> (choosing: [DraftFiring], choosingDocuments: Int, reporting: Int, reportingDocuments: Int) {
        var choosing: [DraftFiring] = [], reporting = 0, document = 0, last = -1, held = (choosing: 0, reporting: 0)
        for (position, value) in zip(firings.positions, firings.values) where value > 0 {
            while document + 1 < documents.count, documents.starts[document + 1] <= position { document += 1 }
            let isNew = document != last
            last = document
            guard isChosenOn[document] else { reporting += 1; held.reporting += isNew ? 1 : 0; continue }
            held.choosing += isNew ? 1 : 0
            choosing.append(DraftFiring(position: position, token: spelled[Int(ids[position])], before: position > documents.starts[document] ? spelled[Int(ids[position - 1])] : -1, topic: topicOf[document]))
        }
        return (choosing, held.choosing, reporting, held.reporting)
    }

    // MARK: What is tried

    /// Tokens of a rule, at most; topics and predicates that others are tried within.
    private static let tokensTogether = 8, within = 2

    func candidates(for firings: [DraftFiring]) throws -> [DraftCandidate] {
        let all = firings.count
        var candidates: [DraftCandidate] = []
        var topics = byTopic.map { _ in 0 }, held = byPredicate.map { _ in 0 }
        for firing in firings {
            topics[firing.topic] += 1
            forEachPredicate(at: firing.position) { held[$0] += 1 }
        }
        // Single tokens, several, and what follows them.
        let alone = tally(firings) { _ in true }
        let tokens = greedy(alone.token, all, byToken)
        candidates += tokens.map { DraftCandidate(tokens: $0.items, held: $0.held, both: $0.both, firings: all) }
        candidates += greedy(alone.before, all, byBefore).map { DraftCandidate(after: $0.items, held: $0.held, both: $0.both, firings: all) }
        // Shapes, scripts, tags; topics.
        let shared = held.indices.filter { held[$0] > 0 }.map { DraftCandidate(predicate: $0, held: byPredicate[$0], both: held[$0], firings: all) }
        let topical = topicNames.count < 2 ? [] : topics.indices.filter { topics[$0] > 0 }.map { DraftCandidate(topic: $0, held: byTopic[$0], both: topics[$0], firings: all) }
        candidates += shared + topical
        // Tokens after tokens.
        for few in tokens.prefix(3) {
            let isMember = Set(few.items), within = tally(firings) { isMember.contains($0.token) }
            // How often each token stands before one of these.
            scratch.before.clear()
            for item in few.items {
                for id in try scorer.evaluator.allSpellings().ids[spellings[item]!]! {
                    try scorer.evaluator.forEachPosition(of: id) { position in
                        guard position < scorer.run.tokens, case let document = documents.index(of: position), isChosenOn[document], position > documents.starts[document] else { return }
                        scratch.before.add(spelled[Int(ids[position - 1])])
                    }
                }
            }
            candidates += greedy(within.before, all, scratch.before).map { DraftCandidate(tokens: few.items, after: $0.items, held: $0.held, both: $0.both, firings: all) }
        }
        // All of it within the topics that hold most of the firings, and the tokens within the shapes that fit best.
        for topic in topical.sorted(by: { ($0.both, -$0.topic!) > ($1.both, -$1.topic!) }).prefix(DraftCorpus.within).map({ $0.topic! }) {
            let corpus = counts(withinTopic: topic), within = tally(firings) { $0.topic == topic }
            candidates += greedy(within.token, all, corpus.token).map { DraftCandidate(tokens: $0.items, topic: topic, held: $0.held, both: $0.both, firings: all) }
            candidates += greedy(within.before, all, corpus.before).map { DraftCandidate(after: $0.items, topic: topic, held: $0.held, both: $0.both, firings: all) }
            var both = byPredicate.map { _ in 0 }
            for firing in firings where firing.topic == topic { forEachPredicate(at: firing.position) { both[$0] += 1 } }
            candidates += both.indices.filter { both[$0] > 0 }.map { DraftCandidate(predicate: $0, topic: topic, held: byTopicAndPredicate[topic][$0], both: both[$0], firings: all) }
        }
        for predicate in shared.sorted(by: { ($0.f1, -$0.predicate!) > ($1.f1, -$1.predicate!) }).prefix(DraftCorpus.within).map({ $0.predicate! }) {
            let corpus = counts(withinPredicate: predicate), within = tally(firings) { holds(predicate, at: $0.position) }
            candidates += greedy(within.token, all, corpus.token).map { DraftCandidate(tokens: $0.items, predicate: predicate, held: $0.held, both: $0.both, firings: all) }
            candidates += greedy(within.before, all, corpus.before).map { DraftCandidate(after: $0.items, predicate: predicate, held: $0.held, both: $0.both, firings: all) }
        }
        return candidates
    }

    private func counts(withinTopic topic: Int) -> (token: Tally, before: Tally) {
        if let known = withinTopic[topic] { return known }
        let made = counts { $1 == topic }
        withinTopic[topic] = made
        return made
    }

    private func counts(withinPredicate predicate: Int) -> (token: Tally, before: Tally) {
        if let known = withinPredicate[predicate] { return known }
        let made = counts { position, _ in holds(predicate, at: position) }
        withinPredicate[predicate] = made
        return made
    }

    private func counts(_ isWithin: (_ position: Int, _ topic: Int) -> Bool) -> (token: Tally, before: Tally) {
        var tallies = (token: Tally(spelled.count), before: Tally(spelled.count))
        forEachChosen { position, token, before, topic in
            guard isWithin(position, topic) else { return }
            tallies.token.add(token)
            tallies.before.add(before)
        }
        return tallies
    }

    /// The firings by their tokens and those before.
    private func tally(_ firings: [DraftFiring], _ isCounted: (DraftFiring) -> Bool) -> (token: [(item: Int, count: Int)], before: [(item: Int, count: Int)]) {
        scratch.token.clear()
        scratch.before.clear()
        for firing in firings where isCounted(firing) {
            scratch.token.add(firing.token)
            scratch.before.add(firing.before)
        }
        return (scratch.token.most(64), scratch.before.most(64))
    }

    /// Sets of one item, two and so on, each with the one added that makes F1 greatest, as long as it grows.
    private func greedy(_ items: [(item: Int, count: Int)], _ firings: Int, _ corpus: Tally) -> [(items: [Int], held: Int, both: Int)] {
        var rest = items, found: [(items: [Int], held: Int, both: Int)] = [], chosen: [Int] = [], held = 0, both = 0, best = 0.0
        while chosen.count < DraftCorpus.tokensTogether, !rest.isEmpty {
            var place = -1, reached = best
            for (candidate, item) in rest.enumerated() {
                let f1 = 2 * Double(both + item.count) / Double(held + corpus[item.item] + firings)
                if f1 > reached { (place, reached) = (candidate, f1) }
            }
            guard place >= 0 else { break }
            let item = rest.remove(at: place)
            chosen.append(item.item)
            (held, both, best) = (held + corpus[item.item], both + item.count, reached)
            found.append((chosen.sorted(), held, both))
        }
        return found
    }

    // MARK: In words

    func rule(of candidate: DraftCandidate) -> LabelRule {
        var parts: [LabelRule] = []
        if !candidate.tokens.isEmpty { parts.append(.tokens(candidate.tokens.map { spellings[$0]! }.sorted())) }
        if !candidate.after.isEmpty { parts.append(.after(candidate.after.map { spellings[$0]! }.sorted())) }
        if let predicate = candidate.predicate { parts.append(predicates[predicate].rule) }
        if let topic = candidate.topic { parts.append(.topic(topicNames[topic])) }
        return LabelRule.all(of: parts)!
    }

    /// As a person would say it: `token ‘ the’ in Legal`, `digits after ‘:’`, `Hebrew script`.
    func words(for candidate: DraftCandidate) -> String {
        func list(_ items: [Int], _ conjunction: String) -> String {
            let all = items.map { spellings[$0]! }.sorted().map { "‘\(shown($0))’" }
            return all.count < 2 ? all.joined() : all.dropLast().joined(separator: ", ") + " \(conjunction) " + all.last!
        }
        var text = candidate.tokens.isEmpty ? "" : "token\(candidate.tokens.count == 1 ? "" : "s") \(list(candidate.tokens, "and"))"
        if candidate.tokens.isEmpty, let predicate = candidate.predicate { text = predicates[predicate].words }
        if !candidate.after.isEmpty { text += (text.isEmpty ? "" : " ") + "after \(list(candidate.after, "or"))" }
        if !candidate.tokens.isEmpty, let predicate = candidate.predicate { text += " in \(predicates[predicate].words)" }
        if let topic = candidate.topic { text += (text.isEmpty ? "" : " in ") + topicNames[topic] }
        return text
    }

    /// A token's text, with escapes for what cannot be seen or is not UTF-8.
    private func shown(_ spelling: TokenSpelling) -> String {
        var text = "", place = 0
        let bytes = spelling.bytes
        while place < bytes.count {
            let lead = bytes[place], length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
            let part = bytes[place..<min(bytes.count, place + length)], character = String(decoding: part, as: UTF8.self)
            if lead >= 0x20, lead != 0x7f, character.utf8.elementsEqual(part) { text += character; place += part.count; continue }
            let hexadecimal = String(lead, radix: 16, uppercase: true)
            text += lead == 0x0a ? "\\n" : lead == 0x09 ? "\\t" : lead == 0x0d ? "\\r" : "\\x" + (lead < 16 ? "0" : "") + hexadecimal
            place += 1
        }
        return text
    }
}

/// How often each of some numbers came: those from 0, others are passed over.
private struct Tally {
    private var counts: [Int32]
    private var touched: [Int32] = []

    init(_ count: Int) { counts = .init(repeating: 0, count: count) }

    subscript(item: Int) -> Int { Int(counts[item]) }

    mutating func add(_ item: Int) {
        guard item >= 0 else { return }
        if counts[item] == 0 { touched.append(Int32(item)) }
        counts[item] += 1
    }

    mutating func clear() {
        for item in touched { counts[Int(item)] = 0 }
        touched.removeAll(keepingCapacity: true)
    }

    /// Those that came most often, ties to the lower.
    func most(_ limit: Int) -> [(item: Int, count: Int)] {
        touched.map { (item: Int($0), count: Int(counts[Int($0)])) }.sorted { ($0.count, -$0.item) > ($1.count, -$1.item) }.prefix(limit).map { $0 }
    }
}
