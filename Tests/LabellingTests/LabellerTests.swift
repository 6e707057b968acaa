import Diagnostics
import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
@testable import Labelling
import LabellingSupport
import Numerics
import SQLite
import Synchronization
import Testing
import TestSupport

/// Time does not pass, and nobody waits.
private let patience = Patience(attempts: 20, pause: { _, _ in })
/// Rows whose numbers follow the order in which answers come.
private let byChance: Set<String> = ["model_call.id", "model_call.attempts", "model_call.created_at", "label_judgement.call_id"]

struct LabellerTests {
    static let world = LabelWorld()

    private func request(_ features: [Int], _ methods: [ScoringMethod] = [.detection, .fuzzing], change: (inout LabellingRequest) -> Void = { _ in }) -> LabellingRequest {
        var request = LabellingRequest(dictionary: LabelWorld.name, model: "judge")
        (request.selection, request.methods) = (.features(features), methods)
        change(&request)
        return request
    }

    @discardableResult
    private func label(_ catalogue: Catalogue, _ request: LabellingRequest, _ endpoint: some ChatEndpoint, budget: Double? = nil, stop: @escaping @Sendable () -> Bool = { false }) throws -> LabellingReport {
        let ledger = try CallLedger(catalogue, endpoint: endpoint, price: Price(input: 1, output: 2), budget: Budget(limit: budget), patience: patience, now: { LabelWorld.time })
        return try Labeller(catalogue, request, now: { LabelWorld.time }).label(with: ledger, stop: stop)
    }

    private func overview(_ catalogue: Catalogue) throws -> [(method: String, baseline: String?, value: Double?, recounted: Double?, unanswered: Int)] {
        try catalogue.connection.rows("SELECT method, baseline, value, balanced_accuracy, unanswered FROM label_score_overview ORDER BY score_id") { ($0.text(0), $0.optionalText(1), $0.optionalReal(2), $0.optionalReal(3), $0.integer(4)) }
    }

    @Test func `An honest judge scores above its baselines, which stand near one half`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path), endpoint = ClosureEndpoint { messages, _ in HonestJudge.answer(to: messages) }
            let report = try label(catalogue, request(Array(0..<8), [.detection, .fuzzing, .simulation, .sparseSimulation]), endpoint)
            #expect(report.problem == nil)
            #expect(report.features.map(\.state) == Array(repeating: .labelled, count: 6) + [.omitted("too few examples: 7 activating windows, 12 needed"), .omitted("it does not fire in these 8,400 tokens")])
            #expect(report.features.prefix(6).map(\.label) == (0..<6).map { "the token \" a\($0)\"" })
            for feature in report.features.prefix(5) {
                #expect(feature.scores.map(\.method) == ScoringMethod.allCases)
                #expect(feature.scores.prefix(2).map(\.value) == [1, 1] && feature.scores.allSatisfy { $0.unanswered == 0 })
            }
            // The word alone is not what feature 5 fires on: look-alikes find that out, as random windows would not.
            #expect(report.features[5].scores[0].value! < 0.9)
            for mean in report.means.prefix(2) {
                #expect(mean.features == 6 && mean.value > 0.9)
                #expect(abs(mean.randomLabel! - 0.5) < 0.12 && abs(mean.shuffledFeature! - 0.5) < 0.12)
            }
            for mean in report.means.suffix(2) { #expect(mean.value > 0.6 && mean.randomLabel! < 0.2 && mean.shuffledFeature! < 0.2) }
            for row in try overview(catalogue) where row.method == "detection" || row.method == "fuzzing" { #expect(row.value == row.recounted && row.value != nil) }
            // Drafts, with their prompt, price and the windows shown; what was left out, with the reason.
            let entry = try #require(try catalogue.labels(of: FeatureName("L/0/3")!).first)
            #expect(entry.status == .draft && entry.author == "judge" && entry.authorKind == .model && entry.method == "explain" && entry.prompt == "explain-1" && entry.isCurrent)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM label_example WHERE label_id = ? AND role = 'train'", .init(entry.id)) == 20)
            let call = try #require(try JSON(parsing: entry.parameters)["request"]?.string)
            #expect(try catalogue.connection.integer("SELECT prompt_tokens FROM model_call WHERE request_sha256 = ? AND purpose = 'explain'", .text(call)) == entry.usage?.promptTokens)
            #expect(try catalogue.omissions(of: catalogue.dictionary(named: LabelWorld.name)).map { "\($0.feature.index) \($0.purpose)" } == ["6 explain", "7 explain"])
            // Everything again changes nothing and asks nothing.
            let before = try CatalogueRows(path: catalogue.path), again = try label(catalogue, request(Array(0..<8), [.detection, .fuzzing, .simulation, .sparseSimulation]), ClosureEndpoint { _, _ in throw ChatFailure("asked again") })
            #expect(again.problem == nil && again.progress.sent == 0 && again.features == report.features)
            #expect(try CatalogueRows(path: catalogue.path).difference(from: before) == [])
        }
    }

    @Test func `A judge's sensitivity and specificity come out as they were put in`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path)
            let endpoint = ClosureEndpoint { messages, _ in
                let honest = HonestJudge.answer(to: messages)
                guard let verdicts = try? JSON(parsing: honest).array else { return honest }
                // Right with 85 % where it is so, with 70 % where it is not: drawn from the question, so that the order of calls is nothing.
                let seed = Array(messages[1].content.utf8).withUnsafeBytes { SHA256.digest(of: $0) }.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                var random = SeededGenerator(seed: seed, stream: 11)
                return "[" + verdicts.map { random.uniform() < ($0.integer == 1 ? 0.85 : 0.3) ? "1" : "0" }.joined(separator: ", ") + "]"
            }
            let report = try label(catalogue, request(Array(0..<5)) { $0.counts.test = 60; $0.withBaselines = false }, endpoint)
            for method in ["detection", "fuzzing"] {
                let (p, n) = try #require(try catalogue.connection.first("SELECT sum(is_true), sum(NOT is_true) FROM label_judgement JOIN label_score ON id = score_id WHERE method = ?", .text(method)) { (Double($0.integer(0)), Double($0.integer(1))) })
                let measured = try #require(report.means.first { $0.method.rawValue == method }).value
                let deviation = (0.85 * 0.15 / p + 0.7 * 0.3 / n).squareRoot() / 2
                #expect(p >= 200 && n >= 200 && abs(measured - 0.775) < 2 * deviation, "\(method): \(measured), 0.775 ± \(deviation)")
            }
            for row in try overview(catalogue) { #expect(row.value == row.recounted && row.baseline == nil) }
        }
    }

    @Test func `A simulator's correlation is that of its words with the corpus`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path)
            try label(catalogue, request([2], [.simulation, .sparseSimulation]), ClosureEndpoint { messages, _ in HonestJudge.answer(to: messages) })
            for (method, windows) in [("simulation", 40), ("sparse-simulation", 20)] {
                let (id, value, low, high) = try #require(try catalogue.connection.first("SELECT id, value, low, high FROM label_score WHERE method = ? AND baseline IS NULL", .text(method)) { ($0.integer(0), $0.real(1), $0.real(2), $0.real(3)) })
                let firsts = try catalogue.connection.rows("SELECT first_position FROM label_judgement WHERE score_id = ? ORDER BY ordinal", .init(id)) { $0.integer(0) }
                // What it says, 9 on the word and 0 elsewhere, and what the world does, by the definition of the correlation.
                let positions = firsts.flatMap { $0..<$0 + 32 }, x = positions.map { Self.world.tokens[$0] == 2 ? 9.0 : 0 }, y = positions.map { position in Double(Self.world.firings[position].first { $0.feature == 2 }?.value ?? 0) }
                let n = Double(positions.count), mx = x.reduce(0, +) / n, my = y.reduce(0, +) / n
                let expected = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) } / (x.reduce(0) { $0 + ($1 - mx) * ($1 - mx) } * y.reduce(0) { $0 + ($1 - my) * ($1 - my) }).squareRoot()
                #expect(firsts.count == windows && abs(value - expected) < 1e-9 && low < value && value < high && high - low < 0.3)
            }
        }
    }

    @Test func `What is metered is what was estimated, to the token`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path)
            let endpoint = ClosureEndpoint { messages, _ in
                let answer = HonestJudge.answer(to: messages)
                // Labels of the length that is assumed, no two alike.
                guard !answer.hasPrefix("[") else { return answer }
                let label = "tokens spelled " + answer.filter { $0 != "\"" && $0 != " " }
                return label + String(repeating: "y", count: Explainer.labelBytesAssumed - label.utf8.count)
            }
            for (place, methods) in [[ScoringMethod.detection, .fuzzing, .simulation, .sparseSimulation], [.sparseSimulation], []].enumerated() {
                let request = request(Array(0..<8), methods) { $0.counts.seed = UInt64(place); $0.isContrastive = place == 0 }
                let estimate = try Labeller(Catalogue(path: catalogue.path, for: .reading), request, now: { LabelWorld.time }).estimate(), before = endpoint.counted
                #expect(before.calls == 0 || place > 0)
                let report = try label(catalogue, request, endpoint)
                #expect(report.problem == nil && estimate.features == (methods.isEmpty ? 7 : 6) && estimate.omitted == 8 - estimate.features)
                let all = estimate.wanted
                #expect(endpoint.counted.calls - before.calls == all.calls && report.progress.sent == all.calls)
                #expect(endpoint.counted.prompt - before.prompt == all.promptTokens && report.progress.promptTokens == all.promptTokens)
                #expect(endpoint.counted.completion - before.completion == all.completionTokens && report.progress.completionTokens == all.completionTokens)
                #expect(all.completionTokensMaximum > all.completionTokens)
                #expect(estimate.parts.filter { !$0.isBaseline }.map(\.purpose) == ["explain"] + ScoringMethod.allCases.map(\.rawValue))
                // When all is done, nothing is left to pay.
                #expect(try Labeller(catalogue, request, now: { LabelWorld.time }).estimate().wanted.calls == 0)
            }
        }
    }

    @Test func `Faults lose nothing: the rows are those of a run without any, for any number of threads`() throws {
        try withTemporaryFolder { folder in
            let clean = try Self.world.write(to: folder.appending(path: "clean.sqlite").path), request = request(Array(0..<8)) { $0.parallel = 1 }
            let quiet = ClosureEndpoint { messages, _ in HonestJudge.answer(to: messages) }
            try label(clean, request, quiet)
            let expected = try CatalogueRows(path: clean.path, leavingOut: byChance)
            let rough = try Self.world.write(to: folder.appending(path: "rough.sqlite").path)
            let faulty = ClosureEndpoint { messages, number in
                switch number % 5 {
                case 0: throw ChatFailure("too many requests", isTransient: true, retryAfter: 0.001)
                case 2: throw ChatFailure("the connection was cut", isTransient: true, mayBePaid: true)
                default: return HonestJudge.answer(to: messages)
                }
            }
            var parallel = request
            parallel.parallel = 5
            let report = try label(rough, parallel, faulty)
            #expect(report.problem == nil && report.progress.retries > 20 && faulty.counted.answered == quiet.counted.answered)
            #expect(try CatalogueRows(path: rough.path, leavingOut: byChance).difference(from: expected) == [])
        }
    }

    @Test func `Stopped at any call or by a budget, the same request goes on and pays for nothing twice`() throws {
        try withTemporaryFolder { folder in
            let clean = try Self.world.write(to: folder.appending(path: "clean.sqlite").path), request = request([0, 1, 2, 6]) { $0.counts.test = 8; $0.parallel = 2 }
            let quiet = ClosureEndpoint { messages, _ in HonestJudge.answer(to: messages) }
            try label(clean, request, quiet)
            let expected = try CatalogueRows(path: clean.path, leavingOut: byChance)
            // In pieces: each run breaks off for good after some calls.
            let broken = try Self.world.write(to: folder.appending(path: "broken.sqlite").path)
            var answered = 0, runs = 0
            while runs < 100 {
                let lasts = 1 + runs % 4 * 3, endpoint = ClosureEndpoint { messages, number in
                    if number >= lasts { throw ChatFailure("the server is gone") }
                    return HonestJudge.answer(to: messages)
                }
                let report = try label(broken, request, endpoint)
                answered += endpoint.counted.answered
                runs += 1
                guard let problem = report.problem else { break }
                #expect((problem as? MonosemeError)?.message.contains("the server is gone") == true)
            }
            #expect(runs > 5 && answered == quiet.counted.answered)
            #expect(try CatalogueRows(path: broken.path, leavingOut: byChance).difference(from: expected) == [])
            // By a budget, which is never passed.
            let poor = try Self.world.write(to: folder.appending(path: "poor.sqlite").path), endpoint = ClosureEndpoint { messages, _ in HonestJudge.answer(to: messages) }
            var rounds = 0
            while rounds < 200 {
                let report = try label(poor, request, endpoint, budget: 0.012)
                #expect(report.progress.spent <= 0.012)
                rounds += 1
                guard let problem = report.problem else { break }
                #expect((problem as? MonosemeError)?.message.contains("the budget of $0.0120 does not reach") == true)
            }
            #expect(rounds > 2 && endpoint.counted.answered == quiet.counted.answered)
            #expect(try CatalogueRows(path: poor.path, leavingOut: byChance).difference(from: expected) == [])
            // And by whoever sits at the keyboard.
            let stopped = try Self.world.write(to: folder.appending(path: "stopped.sqlite").path), calls = Atomic(0)
            let counting = ClosureEndpoint { messages, _ in
                calls.add(1, ordering: .relaxed)
                return HonestJudge.answer(to: messages)
            }
            let report = try label(stopped, request, counting, stop: { calls.load(ordering: .relaxed) >= 3 })
            #expect(report.problem is AskingStopped && counting.counted.answered < 8)
        }
    }

    @Test func `Not knowing is kept as that, malformed answers are counted, and a dictionary's drafts and bare features can be chosen`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path)
            let endpoint = ClosureEndpoint { messages, _ in
                let answer = HonestJudge.answer(to: messages)
                if answer.contains("a1") { return "I don't know." }
                if answer.contains("a2") { return "<think>What could it be" }
                // A judge that now and then forgets a text.
                if answer.hasPrefix("["), messages[1].content.contains(" w50 w6") { return "[1, 0]" }
                return answer
            }
            func chosen(_ status: LabellingRequest.Status, limit: Int? = nil, model: String = "judge") -> LabellingRequest {
                request([]) { $0.selection = .status(status, limit: limit); $0.model = model; $0.counts.test = 10 }
            }
            _ = try catalogue.addLabel("a hand's", to: FeatureName("L/0/4")!, author: "Ada", at: LabelWorld.time)
            let report = try label(catalogue, chosen(.none, limit: 4), endpoint)
            #expect(report.problem == nil && report.features.map(\.name.index) == [0, 1, 2, 3])
            #expect(report.features.map(\.state) == [.labelled, .unknown, .malformed("it thinks aloud and comes to no label"), .labelled])
            let unknown = try #require(try catalogue.labels(of: FeatureName("L/0/1")!).first)
            #expect(unknown.isUnknown && unknown.text == "I don't know" && !unknown.isCurrent && report.features[1].scores.isEmpty)
            #expect(try catalogue.labels(of: FeatureName("L/0/2")!).isEmpty)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM model_call WHERE purpose = 'explain' AND problem IS NOT NULL") == 3)
            #expect(report.progress.malformed >= 3)
            #expect(try catalogue.omissions(of: catalogue.dictionary(named: LabelWorld.name)).map(\.reason) == ["no usable answer: it thinks aloud and comes to no label"])
            // Where the judge forgot a text in all its answers, the examples stay without a verdict, and the rows are there.
            let unanswered = try overview(catalogue).reduce(0) { $0 + $1.unanswered }
            #expect(unanswered > 0 && unanswered % 5 == 0)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM label_judgement WHERE verdict IS NULL AND detail ->> 'problem' LIKE '%2 elements%'") == unanswered)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM label_score WHERE method = 'detection' AND value IS NOT NULL AND low <= value AND value <= high") ?? 0 >= 4)
            // The same again is about the same features; more of them by a higher limit.
            #expect(try catalogue.selected(by: chosen(.none, limit: 4), in: catalogue.dictionary(named: LabelWorld.name)) == [0, 1, 2, 3])
            #expect(try catalogue.selected(by: chosen(.none), in: catalogue.dictionary(named: LabelWorld.name)) == [0, 1, 2, 3, 5, 6, 7])
            #expect(try catalogue.selected(by: chosen(.none, model: "another"), in: catalogue.dictionary(named: LabelWorld.name)) == [1, 2, 5, 6, 7])
            #expect(try catalogue.selected(by: chosen(.draft, model: "another"), in: catalogue.dictionary(named: LabelWorld.name)) == [0, 3])
            #expect(try catalogue.selected(by: chosen(.stale, model: "another"), in: catalogue.dictionary(named: LabelWorld.name)) == [])
            // Another corpus: what was said is stale, and to be said anew.
            try catalogue.connection.run("UPDATE corpus SET fingerprint = 'g'")
            #expect(try catalogue.selected(by: chosen(.stale), in: catalogue.dictionary(named: LabelWorld.name)) == [0, 3, 4])
        }
    }

    @Test func `A person's label is scored as any other, and alone it is held against others' labels and features`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Self.world.write(to: folder.appending(path: "c.sqlite").path), endpoint = ClosureEndpoint { messages, _ in HonestJudge.answer(to: messages) }
            _ = try catalogue.addLabel("the word \" a3\"", to: FeatureName("L/0/3")!, author: "Ada", at: LabelWorld.time)
            func score(_ features: [Int]) throws -> LabellingReport {
                let ledger = try CallLedger(catalogue, endpoint: endpoint, price: nil, patience: patience, now: { LabelWorld.time })
                return try Labeller(catalogue, request([], [.detection]), now: { LabelWorld.time }).score(features, with: ledger)
            }
            let alone = try score([3])
            #expect(alone.problem == nil && alone.features.map(\.scores.first?.value) == [1] && alone.features[0].scores[0].randomLabel == nil)
            #expect(alone.missingBaselines == "no random-label baseline: no other feature of L/0 has a label")
            #expect(abs(alone.features[0].scores[0].shuffledFeature! - 0.5) < 0.25)
            _ = try catalogue.addLabel("the word \" a1\"", to: FeatureName("L/0/1")!, author: "Ada", at: LabelWorld.time)
            #expect(try abs(score([3]).features[0].scores[0].randomLabel! - 0.5) < 0.25)
            // Both, each on the other's examples: and what has been asked is not asked again.
            let both = try score([1, 3, 3])
            #expect(both.features.map(\.name.index) == [1, 3] && both.missingBaselines == nil && both.features.allSatisfy { $0.scores[0].randomLabel != nil && $0.scores[0].shuffledFeature != nil })
            let calls = endpoint.counted.calls
            _ = try score([1, 3])
            #expect(endpoint.counted.calls == calls)
        }
    }
}
