import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import SQLite

/// A question to a language model on behalf of a feature.
public struct Question: Sendable {
    public var request: ChatRequest
    /// `explain`, `detection`, `fuzzing`, `simulation`.
    public var purpose: String
    /// Its number in the catalogue.
    public var feature: Int
    /// Says why an answer is no answer to the question; `nil`: it is one.
    public var judge: @Sendable (String) -> String?
    /// How often it is put again after an answer that is none, each time with the next seed and some temperature.
    public var repeats: Int

    public init(_ request: ChatRequest, purpose: String, feature: Int, repeats: Int = 2, judge: @escaping @Sendable (String) -> String? = { _ in nil }) {
        (self.request, self.purpose, self.feature, self.repeats, self.judge) = (request, purpose, feature, repeats, judge)
    }
}

/// A question and its answer: a row of `model_call`.
public struct StoredCall: Sendable, Equatable {
    public let id: Int
    public let answer: String
    /// Why it is no answer to what was asked.
    public let problem: String?
    public let usage: ModelUsage
    /// By the endpoint, not by `TokenCount`.
    public let isMetered: Bool
    /// It was there, and nothing was sent for it.
    public let isReused: Bool
}

/// What became of a question: the calls it took, of which only the last can be an answer.
public struct Outcome: Sendable, Equatable {
    public let calls: [StoredCall]

    /// `nil` where no call gave one that the question's judge accepts.
    public var answer: String? { last.problem == nil ? last.answer : nil }
    /// Why the last is no answer.
    public var problem: String? { last.problem }
    /// The last, for `label_judgement.call_id`.
    public var call: Int { last.id }
    /// Of all calls, reused ones too: what the answer is worth, not what this run paid.
    public var usage: ModelUsage {
        calls.reduce(into: ModelUsage(promptTokens: 0, completionTokens: 0, cost: 0)) { sum, call in
            sum.promptTokens += call.usage.promptTokens
            sum.completionTokens += call.usage.completionTokens
            sum.cost += call.usage.cost
        }
    }
    private var last: StoredCall { calls[calls.count - 1] }
}

/// What is asked about one subject, round by round.
public protocol Inquiry: AnyObject {
    /// The questions to put when those of the round before are answered: `outcomes` in their order, none at the first call. None: all is asked.
    ///
    /// Runs on the thread that has the catalogue, and may read there. Which of several inquiries is called first depends on who is
    /// answered first, so whatever has an order (labels, scores) is written in `finish`.
    func questions(after outcomes: [Outcome]) throws -> [Question]

    /// All is asked. Runs on the thread that has the catalogue, in the order in which the inquiries were begun.
    func finish() throws
}

/// How far the asking has come.
public struct AskingProgress: Sendable, Equatable {
    /// Answered in this run, for money.
    public var sent = 0
    /// Found in the ledger.
    public var reused = 0
    /// Of both: no answers to what was asked.
    public var malformed = 0
    /// Attempts that failed and were made again, and what the last of them said.
    public var retries = 0
    public var lastRetry: String?
    public var promptTokens = 0
    public var completionTokens = 0
    public var finishedInquiries = 0
    /// US dollars, in this run.
    public var spent = 0.0
    /// At most, for questions whose answers never came.
    public var lost = 0.0
    /// `nil` without a budget.
    public var left: Double?
}

/// Asks through an endpoint and keeps every answer in the catalogue as soon as it is there, so that nothing is paid for twice.
///
/// What was asked before, of the same place and in the same words, is answered from the catalogue. One thread, the caller's, has the
/// catalogue; others send. The numbers of the rows follow the order in which answers come; all else is the same for any number of threads.
public final class CallLedger {
    private let catalogue: Catalogue
    private let endpoint: any ChatEndpoint
    private let price: Price?
    public let budget: Budget
    private let patience: Patience
    private let now: () -> String

    /// - Parameters:
    ///   - price: of the model asked; `nil`: calls are entered with a cost of 0.
    ///   - now: the time in RFC 3339, UTC.
    /// - Throws: where there is a budget and no price to hold it by.
    public init(_ catalogue: Catalogue, endpoint: any ChatEndpoint, price: Price?, budget: Budget = Budget(limit: nil), patience: Patience = Patience(), now: @escaping () -> String) throws {
        guard budget.limit == nil || price != nil else {
            throw MonosemeError("there is a budget, but no price to hold it by", hint: "give prices with --price-in and --price-out (US dollars a million tokens), or with --prices FILE")
        }
        (self.catalogue, self.endpoint, self.price, self.budget, self.patience, self.now) = (catalogue, endpoint, price, budget, patience, now)
    }

    /// Whether the ledger has an answer, so that asking costs nothing.
    public func isAnswered(_ question: Question) throws -> Bool { try stored(key(question.request)) != nil }

    /// Puts questions and returns what became of them, in their order.
    /// - Throws: `AskingStopped`; `MonosemeError` for the first question that got no answer, or when the budget ends. What was answered is kept.
    public func ask(_ questions: [Question], parallel: Int = 1, stop: @escaping @Sendable () -> Bool = { false }, report: (AskingProgress) -> Void = { _ in }) throws -> [Outcome] {
        final class List: Inquiry {
            var left: [Question], outcomes: [Outcome] = []
            init(_ questions: [Question]) { left = questions }
            func questions(after outcomes: [Outcome]) -> [Question] {
                self.outcomes = outcomes
                defer { left = [] }
                return left
            }
            func finish() {}
        }
        let list = List(questions)
        var inquiries: [List] = [list]
        try pursue(parallel: parallel, stop: stop, report: report) { inquiries.popLast() }
        return list.outcomes
    }

    /// Pursues inquiries, one begun after the other as there are threads without work, with up to `parallel` questions under way.
    ///
    /// - Parameter next: makes the next inquiry; `nil`: there are no more. Runs on this thread, and may read the catalogue.
    /// - Throws: as `ask`, and what inquiries throw.
    public func pursue(parallel: Int, stop: @escaping @Sendable () -> Bool = { false }, report: (AskingProgress) -> Void = { _ in }, next: () throws -> (any Inquiry)?) throws {
        let workers = CallWorkers(endpoint, budget: budget, patience: patience, stop: stop)
        defer { workers.close() }
        var run = Run(parallel: max(1, parallel), before: budget.current)
        do {
            while true {
                try fill(&run, workers, stop, report, next)
                guard run.underWay > 0 else { break }
                guard let (ticket, event) = workers.next(within: 0.1) else { continue }
                try take(event, ticket, &run, workers, report)
            }
        } catch {
            run.problem = error
            workers.drain()
            try keep(&run, workers, report)
            throw error
        }
        switch run.problem {
        case nil: return
        case let failure as ChatFailure: throw MonosemeError(failure.message, hint: failure.hint)
        case let error?: throw error
        }
    }

    /// A question of a round, and the calls it took so far.
    private struct Task {
        let place: Int // of its inquiry
        let index: Int // in the round
        let question: Question
        var request: ChatRequest
        var calls: [StoredCall] = []
    }

    private struct OpenInquiry {
        let inquiry: any Inquiry
        var outcomes: [Outcome?] = []
        var unanswered = 0
        var isDone = false
    }

    private struct Run {
        let parallel: Int
        let before: Budget.State
        var progress = AskingProgress()
        /// Begun and not finished; the first is number `firstPlace`.
        var open: [OpenInquiry] = []
        var firstPlace = 0
        var hasMore = true
        /// To be put, the first first.
        var ready: [Task] = []
        var readyStart = 0
        var sent: [Int: (task: Task, sha256: String, reserved: Double, attempts: Int)] = [:]
        /// The same question as one that is under way.
        var waiting: [String: [Task]] = [:]
        var tickets = 0
        var problem: (any Error)?

        var underWay: Int { sent.count }
        var hasReady: Bool { readyStart < ready.count }

        init(parallel: Int, before: Budget.State) { (self.parallel, self.before) = (parallel, before) }

        mutating func takeReady() -> Task {
            let task = ready[readyStart]
            readyStart += 1
            if readyStart == ready.count || readyStart > 1024 { ready.removeFirst(readyStart); readyStart = 0 }
            return task
        }
    }

    /// Begins what can be begun: until all threads have work, or there is none.
    private func fill(_ run: inout Run, _ workers: CallWorkers, _ stop: @Sendable () -> Bool, _ report: (AskingProgress) -> Void, _ next: () throws -> (any Inquiry)?) throws {
        while run.problem == nil, run.underWay < run.parallel {
            if stop() {
                run.problem = AskingStopped()
                workers.drain()
                return
            }
            guard run.hasReady else {
                // One that is slow holds up the finishing of all that were begun after it: they must not pile up.
                guard run.hasMore, run.open.count < 4 * run.parallel + 16 else { return }
                guard let inquiry = try next() else { run.hasMore = false; return }
                run.open.append(OpenInquiry(inquiry: inquiry))
                try advance(run.firstPlace + run.open.count - 1, &run, report)
                continue
            }
            let task = run.takeReady(), key = key(task.request)
            if run.waiting[key] != nil { run.waiting[key]!.append(task); continue }
            if let call = try stored(key, judge: task.question.judge) {
                run.progress.reused += 1
                try complete(task, call, &run, report)
                continue
            }
            let worst = price.map { Price(input: max($0.input, $0.cachedInput ?? 0), output: $0.output).cost(promptTokens: TokenCount.promptMaximum(task.request.messages), completionTokens: task.request.maximumTokens) } ?? 0
            guard budget.reserve(worst) else {
                // What is under way may cost less than was set aside for it.
                if run.underWay > 0 { run.ready.insert(task, at: run.readyStart); return }
                run.problem = budget.exhausted(by: worst)
                return
            }
            run.tickets += 1
            run.waiting[key] = []
            run.sent[run.tickets] = (task, key, worst, 1)
            do { try workers.send(Errand(request: task.request, sha256: key, reserved: worst), ticket: run.tickets, underWay: run.underWay - 1) } catch {
                budget.settle(reserved: worst)
                run.sent[run.tickets] = nil
                throw error
            }
        }
    }

    /// Takes what a worker says.
    private func take(_ event: CallWorkers.Event, _ ticket: Int, _ run: inout Run, _ workers: CallWorkers, _ report: (AskingProgress) -> Void) throws {
        switch event {
        case .retried(let failure):
            run.progress.retries += 1
            run.progress.lastRetry = failure.message
            tell(&run, report)
        case .failed(let error):
            run.sent[ticket] = nil
            if run.problem == nil { run.problem = error }
            workers.drain()
        case .answered(let answer, let attempts):
            guard let (task, key, reserved, _) = run.sent.removeValue(forKey: ticket) else { return }
            let call = try store(answer, to: task, key, reserved: reserved, attempts: attempts)
            run.progress.sent += 1
            run.progress.promptTokens &+= call.usage.promptTokens
            run.progress.completionTokens &+= call.usage.completionTokens
            let waiting = run.waiting.removeValue(forKey: key) ?? []
            guard run.problem == nil else { return tell(&run, report) }
            try complete(task, call, &run, report)
            for other in waiting {
                guard let call = try stored(key, judge: other.question.judge) else { continue }
                run.progress.reused += 1
                try complete(other, call, &run, report)
            }
        }
    }

    /// After something went wrong: enters the answers that are still to come.
    private func keep(_ run: inout Run, _ workers: CallWorkers, _ report: (AskingProgress) -> Void) throws {
        while run.underWay > 0 {
            guard let (ticket, event) = workers.next(within: 0.1) else { continue }
            try take(event, ticket, &run, workers, report)
        }
    }

    /// A call is there: the question is answered by it, or put again.
    private func complete(_ task: Task, _ call: StoredCall, _ run: inout Run, _ report: (AskingProgress) -> Void) throws {
        var task = task
        task.calls.append(call)
        if call.problem != nil {
            run.progress.malformed += 1
            if task.calls.count <= task.question.repeats {
                task.request = task.question.request.again(task.calls.count)
                run.ready.insert(task, at: run.readyStart)
                return tell(&run, report)
            }
        }
        let slot = task.place - run.firstPlace
        run.open[slot].outcomes[task.index] = Outcome(calls: task.calls)
        run.open[slot].unanswered -= 1
        if run.open[slot].unanswered == 0 { try advance(task.place, &run, report) }
        tell(&run, report)
    }

    /// The next round of an inquiry, or its end.
    private func advance(_ place: Int, _ run: inout Run, _ report: (AskingProgress) -> Void) throws {
        let slot = place - run.firstPlace
        let questions = try run.open[slot].inquiry.questions(after: run.open[slot].outcomes.map { $0! })
        run.open[slot].outcomes = Array(repeating: nil, count: questions.count)
        run.open[slot].unanswered = questions.count
        run.ready += questions.enumerated().map { Task(place: place, index: $0, question: $1, request: $1.request) }
        guard questions.isEmpty else { return }
        run.open[slot].isDone = true
        while let first = run.open.first, first.isDone {
            try first.inquiry.finish()
            run.open.removeFirst()
            run.firstPlace += 1
            run.progress.finishedInquiries += 1
        }
        tell(&run, report)
    }

    private func tell(_ run: inout Run, _ report: (AskingProgress) -> Void) {
        let state = budget.current
        run.progress.spent = state.spent - run.before.spent
        run.progress.lost = state.lost - run.before.lost
        run.progress.left = budget.left
        report(run.progress)
    }

    // MARK: The table

    /// Who is asked belongs to the question: two places may call different models by one name.
    private func key(_ request: ChatRequest) -> String { hexadecimal(SHA256.digest(endpoint.location + "\n" + request.body)) }

    private func stored(_ key: String, judge: ((String) -> String?)? = nil) throws -> StoredCall? {
        let row = try catalogue.connection.first("SELECT id, answer, problem, prompt_tokens, completion_tokens, cost, is_metered FROM model_call WHERE request_sha256 = ?", .text(key)) {
            ($0.integer(0), $0.text(1), $0.optionalText(2), ModelUsage(promptTokens: $0.integer(3), completionTokens: $0.integer(4), cost: $0.real(5)), $0.integer(6) != 0)
        }
        guard let (id, answer, known, usage, isMetered) = row else { return nil }
        var problem = known
        if let judge {
            // Judged anew: what reads answers may have learnt since.
            problem = judge(answer)
            if problem != known { try catalogue.connection.run("UPDATE model_call SET problem = ? WHERE id = ?", .init(problem), .init(id)) }
        }
        return StoredCall(id: id, answer: answer, problem: problem, usage: usage, isMetered: isMetered, isReused: true)
    }

    /// Enters an answer, in a transaction of its own, and settles the bill.
    private func store(_ answer: ChatAnswer, to task: Task, _ key: String, reserved: Double, attempts: Int) throws -> StoredCall {
        let isMetered = answer.promptTokens != nil && answer.completionTokens != nil
        let prompt = answer.promptTokens ?? TokenCount.prompt(task.request.messages), completion = answer.completionTokens ?? TokenCount.tokens(in: answer.content)
        let cost = price?.cost(promptTokens: prompt, cachedTokens: answer.cachedTokens ?? 0, completionTokens: completion) ?? 0
        budget.settle(reserved: reserved, spent: cost)
        let problem = task.question.judge(answer.content)
        // Another process may have asked the same meanwhile; its row is then as good as this one.
        try catalogue.connection.run("""
            INSERT INTO model_call (request_sha256, request, endpoint, purpose, feature_id, answer, problem, prompt_tokens, completion_tokens, is_metered, cost, attempts, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_sha256) DO NOTHING
            """, .text(key), .text(task.request.body), .text(endpoint.location), .text(task.question.purpose), .init(task.question.feature), .text(answer.content), .init(problem),
            .init(prompt), .init(completion), .init(isMetered ? 1 : 0), .real(cost), .init(attempts), .text(now()))
        guard let id = try catalogue.connection.integer("SELECT id FROM model_call WHERE request_sha256 = ?", .text(key)) else { throw MonosemeError("an answer could not be entered in \(quoted(catalogue.path, limit: 400))") }
        return StoredCall(id: id, answer: answer.content, problem: problem, usage: ModelUsage(promptTokens: prompt, completionTokens: completion, cost: cost), isMetered: isMetered, isReused: false)
    }
}
