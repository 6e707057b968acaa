import Diagnostics
import FeatureCatalogue
import Foundation
import IngestionSupport
import LabellingSupport
import SQLite
import Synchronization
import Testing
import TestSupport
@testable import Labelling

/// An endpoint without a network.
private struct Oracle: ChatEndpoint {
    var location = "http://oracle.test/v1/chat/completions"
    let reply: @Sendable (ChatRequest) throws -> ChatAnswer

    func answer(to request: ChatRequest, stop: @Sendable () -> Bool) throws -> ChatAnswer { try reply(request) }
}

private final class Waits: Sendable {
    let seconds = Mutex<[Double]>([])
    /// Does not wait, and notes how long it would have.
    func patience(attempts: Int = 7) -> Patience { Patience(attempts: attempts) { seconds, _ in self.seconds.withLock { $0.append(seconds) } } }
}

/// A tenth of a cent a token.
private let price = Price(input: 1000, output: 1000)

/// 40 bytes in one message.
private func question(_ number: Int, repeats: Int = 2, judge: @escaping @Sendable (String) -> String? = { _ in nil }) -> Question {
    let text = "question \(number) "
    return Question(ChatRequest(model: "stub", messages: [ChatMessage(.user, text + String(repeating: ".", count: 40 - text.utf8.count))], maximumTokens: 10), purpose: "explain", feature: feature, repeats: repeats, judge: judge)
}

private let feature = 1 << 32

private func number(_ content: String) -> Int { Int(content.split(separator: " ")[1])! }

private func ledger(_ catalogue: Catalogue, _ endpoint: any ChatEndpoint, budget: Double? = nil, patience: Patience = Waits().patience()) throws -> CallLedger {
    try CallLedger(catalogue, endpoint: endpoint, price: price, budget: Budget(limit: budget), patience: patience) { "2026-01-01T00:00:00Z" }
}

private func withCatalogue(_ body: (Catalogue) throws -> Void) throws {
    try withTemporaryFolder { folder in
        let catalogue = try PlantedCatalogue(at: folder.appending(path: "c.sqlite").path).catalogue
        #expect(try catalogue.connection.integer("SELECT 1 FROM feature WHERE id = ?", .init(feature)) == 1)
        try body(catalogue)
    }
}

private func rows(_ catalogue: Catalogue) throws -> Int { try catalogue.connection.integer("SELECT count(*) FROM model_call")! }

@Suite struct CallLedgerTests {
    @Test func `a call is a row, and what was answered is not asked again`() throws {
        try withCatalogue { catalogue in
            try withStub({ request in request.lastMessage.contains(" 1 ") ? .answer("no usage", metering: .none) : .answer("yes!") }) { server in
                let endpoint = try CurlEndpoint(server.url), questions = [question(0), question(1)]
                let first = try ledger(catalogue, endpoint).ask(questions)
                #expect(first.map(\.answer) == ["yes!", "no usage"])
                // 3 + 4 + 40/4 tokens of the prompt; one and two of the answers.
                #expect(first.map(\.usage) == [ModelUsage(promptTokens: 17, completionTokens: 1, cost: 0.018), ModelUsage(promptTokens: 17, completionTokens: 2, cost: 0.019)])
                #expect(first.map { $0.calls[0].isMetered } == [true, false])
                let row = try catalogue.connection.first("SELECT request, endpoint, purpose, feature_id, answer, problem, prompt_tokens, completion_tokens, is_metered, cost, attempts, created_at FROM model_call WHERE id = ?", .init(first[0].call)) { row in
                    (0..<row.columnCount).map { row.value($0) }
                }
                #expect(row == [.text(questions[0].request.body), .text("\(server.url)/chat/completions"), "explain", .integer(1 << 32), "yes!", .null, 17, 1, 1, 0.018, 1, "2026-01-01T00:00:00Z"])
                let again = try ledger(catalogue, endpoint), second = try again.ask(questions)
                #expect(second.map(\.calls).map { $0.map(\.id) } == first.map(\.calls).map { $0.map(\.id) } && second.map(\.usage) == first.map(\.usage))
                #expect(second.allSatisfy { $0.calls[0].isReused } && first.allSatisfy { !$0.calls[0].isReused } && again.budget.current.spent == 0)
                #expect(server.recorded.requestCount == 2 && (questions + [question(2)]).map { try? again.isAnswered($0) } == [true, true, false])
            }
            // The same words to somebody else are another question.
            #expect(try ledger(catalogue, Oracle { _ in ChatAnswer(content: "other", promptTokens: 1, completionTokens: 1) }).ask([question(0)])[0].answer == "other")
        }
    }

    @Test(arguments: [1, 4]) func `faults of every kind lose nothing and pay nothing twice`(parallel: Int) throws {
        let faults: [StubServer.Reply] = [.failure(500, "x"), .tooManyRequests(retryAfter: "7"), .answer("cut").cut(after: 150), .garbage(), .html(status: 503), .silence, .answer("cut").cut(after: 0), .answer("slow").delayed(0.05)]
        let asked = Mutex<[Int: Int]>([:]), waits = Waits()
        try withCatalogue { catalogue in
            try withStub({ request in
                let number = number(request.lastMessage), time = asked.withLock { asked in asked[number, default: 0] += 1; return asked[number]! }
                return time == 1 && number < faults.count ? faults[number] : .answer("answer \(number)")
            }) { server in
                let ledger = try ledger(catalogue, CurlEndpoint(server.url, timeout: 0.5), patience: waits.patience())
                var last = AskingProgress()
                let outcomes = try ledger.ask((0..<12).map { question($0) }, parallel: parallel, report: { last = $0 })
                #expect(outcomes.map(\.answer) == (0..<12).map { $0 == 7 ? "slow" : "answer \($0)" })
                #expect(asked.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<12).map { ($0, $0 < 7 ? 2 : 1) }))
                let record = server.recorded
                #expect(try rows(catalogue) == 12 && record.answered == 12)
                #expect(try catalogue.connection.rows("SELECT attempts FROM model_call ORDER BY request") { $0.integer(0) }.sorted() == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2])
                // What was metered is what is entered and what was spent.
                #expect(try catalogue.connection.integer("SELECT sum(prompt_tokens) FROM model_call") == record.promptTokens && record.promptTokens == 12 * 17)
                #expect(try catalogue.connection.integer("SELECT sum(completion_tokens) FROM model_call") == record.completionTokens)
                #expect(abs(ledger.budget.current.spent - Double(record.promptTokens + record.completionTokens) / 1000) < 1e-9 && abs(ledger.budget.current.reserved) < 1e-9)
                // Two cuts, one silence and one heap of garbage may be on the bill, each for 40 + 8 + 6 bytes and 10 tokens at most.
                #expect(abs(ledger.budget.current.lost - 4 * 0.064) < 1e-9)
                #expect(last.sent == 12 && last.retries == 7 && last.reused == 0 && abs(last.spent - ledger.budget.current.spent) < 1e-9 && last.finishedInquiries == 1)
                let seconds = waits.seconds.withLock { $0.sorted() }
                #expect(seconds.count == 7 && seconds.last == 7 && seconds.dropLast().allSatisfy { 0.5...1 ~= $0 })
                // And again, for nothing.
                #expect(try self.ledgerAsks(catalogue, server, parallel) == outcomes.map(\.answer))
                #expect(server.recorded.requestCount == record.requestCount)
            }
        }
    }

    private func ledgerAsks(_ catalogue: Catalogue, _ server: StubServer, _ parallel: Int) throws -> [String?] {
        try ledger(catalogue, CurlEndpoint(server.url)).ask((0..<12).map { question($0) }, parallel: parallel).map(\.answer)
    }

    @Test(arguments: [1, 4]) func `what has no answer stops the asking, and what was answered is kept`(parallel: Int) throws {
        try withCatalogue { catalogue in
            let isMended = Atomic(false), asked = Mutex<[Int]>([])
            let oracle = Oracle { request in
                let number = number(request.messages[0].content)
                asked.withLock { $0.append(number) }
                if number == 5, !isMended.load(ordering: .relaxed) { throw ChatFailure("no", hint: "mend it") }
                return ChatAnswer(content: "\(number)", promptTokens: 1, completionTokens: 1)
            }
            let questions = (0..<20).map { question($0) }
            #expect(throws: MonosemeError("no", hint: "mend it")) { _ = try ledger(catalogue, oracle).ask(questions, parallel: parallel) }
            let first = asked.withLock { $0 }, kept = try rows(catalogue)
            #expect(kept == first.count - 1 && first.count >= 5 && first.count < 6 + parallel)
            isMended.store(true, ordering: .relaxed)
            #expect(try ledger(catalogue, oracle).ask(questions, parallel: parallel).map(\.answer) == (0..<20).map { "\($0)" })
            #expect(asked.withLock { $0 }.sorted() == ((0..<20) + [5]).sorted())
        }
    }

    @Test func `after enough attempts, or where the wait is too long, it gives up`() throws {
        try withCatalogue { catalogue in
            let waits = Waits(), tries = Mutex(0)
            let busy = Oracle { _ in tries.withLock { $0 += 1 }; throw ChatFailure("busy", isTransient: true) }
            #expect { try ledger(catalogue, busy, patience: waits.patience(attempts: 5)).ask([question(0)]) } throws: { "\($0)".hasPrefix("busy (5 attempts)\n  hint: run the same command again later") }
            let seconds = waits.seconds.withLock { $0 }
            #expect(tries.withLock { $0 } == 5 && seconds.count == 4)
            for (place, wait) in seconds.enumerated() { #expect(Double(1 << place) / 2...Double(1 << place) ~= wait) }
            // The same request waits as long on every run, others otherwise.
            #expect(Patience().delay(after: 1, at: "a") == Patience().delay(after: 1, at: "a") && Patience().delay(after: 1, at: "a") != Patience().delay(after: 1, at: "b"))
            #expect(Patience().delay(after: 60, at: "a") <= 60)
            let closed = Oracle { _ in throw ChatFailure("closed", isTransient: true, retryAfter: 3600) }
            #expect { try ledger(catalogue, closed).ask([question(0)]) } throws: { "\($0)".hasPrefix("closed, and asks to wait 3600 s\n") }
        }
    }

    @Test(arguments: [1, 4]) func `the budget is never passed, and a larger one goes on where it ended`(parallel: Int) throws {
        try withCatalogue { catalogue in
            try withStub({ _ in .answer("yes!") }) { server in
                let endpoint = try CurlEndpoint(server.url), questions = (0..<12).map { question($0) }
                // A call costs 0.018 and may cost 0.064, so that the last to be sent is the one before which 0.136 or less were spent: the eighth.
                let small = try ledger(catalogue, endpoint, budget: 0.2)
                #expect { try small.ask(questions, parallel: parallel) } throws: {
                    "\($0)" == "the budget of $0.200 does not reach for the next call: $0.144 are spent, and the call may cost up to $0.0640\n  hint: run the same command again with a larger --budget: what was answered is kept and not asked again"
                }
                #expect(server.recorded.requestCount == 8 && abs(small.budget.current.spent - 0.144) < 1e-9 && abs(small.budget.left! - 0.056) < 1e-9 && small.budget.current.reserved < 1e-9)
                #expect(try ledger(catalogue, endpoint, budget: 1).ask(questions, parallel: parallel).count == 12)
                #expect(server.recorded.requestCount == 12)
                #expect { try ledger(catalogue, endpoint, budget: 0).ask([question(99)]) } throws: { "\($0)".hasPrefix("the budget of $0 does not reach") }
            }
            // Calls that failed after they were sent may be on the bill: the budget holds them against the limit.
            let lost = try ledger(catalogue, Oracle { _ in throw ChatFailure("cut", isTransient: true, mayBePaid: true) }, budget: 0.2)
            #expect { try lost.ask([question(0)]) } throws: { "\($0)".hasPrefix("the budget of $0.200 does not reach for the next call: $0 are spent, up to $0.192 went for calls that were not answered") }
            #expect(throws: MonosemeError.self) { try CallLedger(catalogue, endpoint: Oracle { _ in throw AskingStopped() }, price: nil, budget: Budget(limit: 1)) { "" } }
        }
    }

    @Test func `malformed answers are kept with their problem, and the question is put again with another seed`() throws {
        try withCatalogue { catalogue in
            let judge: @Sendable (String) -> String? = { $0.hasPrefix("good") ? nil : "not good" }
            let seeds = Mutex<[Int?]>([])
            let oracle = Oracle { request in
                seeds.withLock { $0.append(request.seed) }
                let number = number(request.messages[0].content)
                return ChatAnswer(content: number == 0 && request.seed == 2 && request.temperature > 0 ? "good" : "bad \(request.seed ?? -1)", promptTokens: 10, completionTokens: 1)
            }
            var last = AskingProgress()
            let outcomes = try ledger(catalogue, oracle).ask([question(0, repeats: 3, judge: judge), question(1, repeats: 1, judge: judge)], report: { last = $0 })
            #expect(outcomes.map(\.answer) == ["good", nil] && outcomes.map(\.problem) == [nil, "not good"] && outcomes.map(\.calls.count) == [3, 2])
            #expect(outcomes[0].calls.map(\.answer) == ["bad -1", "bad 1", "good"] && outcomes[0].usage == ModelUsage(promptTokens: 30, completionTokens: 3, cost: 0.033))
            #expect(last.malformed == 4 && last.sent == 5 && seeds.withLock { $0 } == [nil, 1, 2, nil, 1])
            #expect(try catalogue.connection.rows("SELECT answer, problem FROM model_call ORDER BY id") { "\($0.text(0)): \($0.optionalText(1) ?? "-")" } == ["bad -1: not good", "bad 1: not good", "good: -", "bad -1: not good", "bad 1: not good"])
            // Again: for nothing, malformed ones too. With a judge that has learnt, better.
            #expect(try ledger(catalogue, oracle).ask([question(0, repeats: 3, judge: judge), question(1, repeats: 1, judge: judge)]).map(\.answer) == ["good", nil])
            #expect(try ledger(catalogue, oracle).ask([question(1) { $0.hasPrefix("bad") ? nil : "?" }])[0].answer == "bad -1")
            #expect(try catalogue.connection.integer("SELECT count(*) FROM model_call WHERE problem IS NULL") == 2 && seeds.withLock { $0.count } == 5)
        }
    }

    /// Asks its number of questions one after the other, each made from the answer before, and enters itself in a list.
    private final class Chain: Inquiry {
        let name: Int, log: (Int, [String]) -> Void
        var answers: [String] = []
        init(_ name: Int, _ log: @escaping (Int, [String]) -> Void) { (self.name, self.log) = (name, log) }
        func questions(after outcomes: [Outcome]) -> [Question] {
            answers += outcomes.map { $0.answer! }
            return answers.count > name % 4 * 2 ? [] : [question(name * 10 + answers.count), question(7777)]
        }
        func finish() { log(name, answers) }
    }

    @Test func `inquiries are pursued side by side and finished in their order, whatever the number of threads`() throws {
        var results: [[String]] = []
        for parallel in [1, 3, 8] {
            try withCatalogue { catalogue in
                try withStub({ request in .answer("answer to \(number(request.lastMessage))").delayed(Double(number(request.lastMessage) % 7) / 200) }) { server in
                    var log: [String] = [], begun = 0
                    try ledger(catalogue, CurlEndpoint(server.url)).pursue(parallel: parallel) {
                        begun += 1
                        return begun <= 12 ? Chain(begun) { log.append("\($0): \($1)") } : nil
                    }
                    results.append(log)
                    // Each of 12 has 1 + name mod 4 rounds of one question of its own; 7777 is asked once for all of them.
                    #expect(log.count == 12 && server.recorded.requestCount == (1...12).reduce(0) { $0 + 1 + $1 % 4 } + 1)
                    #expect(server.recorded.mostAtOnce <= parallel && (parallel == 1 || server.recorded.mostAtOnce > 1))
                }
            }
        }
        #expect(results[0] == results[1] && results[0] == results[2])
        #expect(results[0][0] == #"1: ["answer to 10", "answer to 7777", "answer to 12", "answer to 7777"]"#)
    }

    @Test(arguments: [1, 4]) func `who stops it keeps what was answered`(parallel: Int) throws {
        try withCatalogue { catalogue in
            try withStub({ request in number(request.lastMessage) == 9 ? .silence : .answer("yes!") }) { server in
                let isStopped = Atomic(false)
                let endpoint = try CurlEndpoint(server.url, grace: 0.2)
                #expect(throws: AskingStopped()) {
                    try ledger(catalogue, endpoint).ask((0..<20).map { question($0) }, parallel: parallel, stop: { isStopped.load(ordering: .relaxed) }, report: { if $0.sent == 6 { isStopped.store(true, ordering: .relaxed) } })
                }
                #expect(try rows(catalogue) == server.recorded.answered && 6..<6 + parallel ~= server.recorded.answered)
            }
        }
    }

    @Test func `after kill -9, what was answered is not asked again`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "monoseme-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "c.sqlite").path, asked = Mutex<[Int: Int]>([:])
        do { _ = try PlantedCatalogue(at: path) }
        let server = try StubServer { request in
            let number = number(request.lastMessage), time = asked.withLock { asked in asked[number, default: 0] += 1; return asked[number]! }
            return number == 2 && time == 1 ? .silence : .answer("answer \(number)").delayed(0.01)
        }
        defer { server.stop() }
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, url = server.url as String] in
            let catalogue = try Catalogue(path: path, for: .writing)
            _ = try ledger(catalogue, CurlEndpoint(url)).ask((0..<20).map { question($0) }, parallel: 3, report: { if $0.sent == 7 { kill(getpid(), SIGKILL) } })
        }
        // Nor do programs that it has started live on.
        for _ in 0..<500 where server.recorded.underWay > 0 { usleep(10_000) }
        #expect(server.recorded.underWay == 0)
        let catalogue = try Catalogue(path: path, for: .writing)
        let kept = try catalogue.connection.rows("SELECT answer FROM model_call ORDER BY id") { number($0.text(0)) }
        #expect(kept.count == 7)
        let outcomes = try ledger(catalogue, CurlEndpoint(server.url)).ask((0..<20).map { question($0) }, parallel: 3)
        #expect(outcomes.map(\.answer) == (0..<20).map { "answer \($0)" } && outcomes.filter { $0.calls[0].isReused }.count == 7)
        let times = asked.withLock { $0 }
        // Those under way when it was killed, two at most, were answered to nobody.
        #expect(kept.allSatisfy { times[$0] == 1 } && times.values.reduce(0, +) <= 22 && times.count == 20)
    }

    @Test func `the key is nowhere in the catalogue's files`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try PlantedCatalogue(at: folder.appending(path: "c.sqlite").path).catalogue
            try withStub({ .answer("your key is \($0.headers["authorization"] ?? "none")") }) { server in
                let endpoint = try CurlEndpoint(server.url.replacingOccurrences(of: "127", with: "me:password-in-url@127"), key: "sk-geheim-4711", keyVariable: nil, timeout: 20)
                #expect(try ledger(catalogue, endpoint).ask([question(0)])[0].answer == "your key is Bearer [key]")
            }
            for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
                let bytes = try Data(contentsOf: file)
                #expect(bytes.range(of: Data("geheim".utf8)) == nil && bytes.range(of: Data("password-in".utf8)) == nil)
            }
            #expect(try catalogue.connection.integer("SELECT count(*) FROM model_call WHERE answer LIKE '%[key]%'") == 1)
        }
    }

    @Test func `without curl, it says how to get it`() async {
        await #expect(processExitsWith: .success) {
            setenv("PATH", "/nowhere", 1)
            do {
                _ = try CurlEndpoint("http://127.0.0.1:9").answer(to: question(0).request) { false }
                exit(1)
            } catch let error as MonosemeError { exit(error.hint == "install it: apt-get install curl" ? 0 : 2) }
        }
    }
}
