import Diagnostics
import Glibc

/// A question on its way: what a worker needs to send it.
struct Errand: Sendable {
    let request: ChatRequest
    let sha256: String
    /// US dollars set aside for it.
    let reserved: Double
}

/// Threads that send questions, and the box through which they and the thread that has the catalogue speak.
final class CallWorkers: @unchecked Sendable {
    enum Event {
        case answered(ChatAnswer, attempts: Int)
        /// One attempt failed, another follows.
        case retried(ChatFailure)
        case failed(any Error)
    }

    // Guarded by `mutex`.
    private var mutex = pthread_mutex_t()
    private var errandIsThere = pthread_cond_t(), eventIsThere = pthread_cond_t()
    private var errands: [(ticket: Int, errand: Errand)] = []
    private var events: [(ticket: Int, event: Event)] = []
    private var isClosed = false, isDraining = false

    private let endpoint: any ChatEndpoint, budget: Budget, patience: Patience
    private let stop: @Sendable () -> Bool
    // Of the thread that made this object.
    private var threads: [pthread_t] = []

    init(_ endpoint: any ChatEndpoint, budget: Budget, patience: Patience, stop: @escaping @Sendable () -> Bool) {
        (self.endpoint, self.budget, self.patience, self.stop) = (endpoint, budget, patience, stop)
        pthread_mutex_init(&mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(&errandIsThere, &attributes)
        pthread_cond_init(&eventIsThere, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(&errandIsThere)
        pthread_cond_destroy(&eventIsThere)
        pthread_mutex_destroy(&mutex)
    }

    private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(&mutex)
        defer { pthread_mutex_unlock(&mutex) }
        return try body()
    }

    /// Sends `errand` on a thread that is free, or on a new one.
    func send(_ errand: Errand, ticket: Int, underWay: Int) throws {
        if underWay >= threads.count { try addThread() }
        locked {
            errands.append((ticket, errand))
            pthread_cond_signal(&errandIsThere)
        }
    }

    private func addThread() throws {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(&thread, nil, { context in
            Unmanaged<CallWorkers>.fromOpaque(context!).takeRetainedValue().work()
            return nil
        }, context.toOpaque())
        guard code == 0 else {
            context.release()
            // Those there are do it all.
            if threads.isEmpty { throw MonosemeError("cannot start a thread: \(String(cString: strerror(code)))") }
            return
        }
        threads.append(thread)
    }

    /// The next event, or `nil` after `seconds`.
    func next(within seconds: Double) -> (ticket: Int, event: Event)? {
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let nanoseconds = end.tv_nsec + Int(seconds * 1e9)
        end.tv_sec += nanoseconds / 1_000_000_000
        end.tv_nsec = nanoseconds % 1_000_000_000
        return locked {
            while events.isEmpty { if pthread_cond_timedwait(&eventIsThere, &mutex, &end) == ETIMEDOUT { break } }
            return events.isEmpty ? nil : events.removeFirst()
        }
    }

    /// Lets what is under way come to its end, without further attempts.
    func drain() { locked { isDraining = true } }

    /// Ends the threads; what is under way is broken off.
    func close() {
        locked {
            (isClosed, isDraining) = (true, true)
            pthread_cond_broadcast(&errandIsThere)
        }
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    // MARK: On the threads

    private func work() {
        while true {
            let next = locked { () -> (ticket: Int, errand: Errand)? in
                while errands.isEmpty, !isClosed { pthread_cond_wait(&errandIsThere, &mutex) }
                return isClosed ? nil : errands.removeFirst()
            }
            guard let (ticket, errand) = next else { return }
            let event = run(errand) { self.post(.retried($0), ticket) }
            post(event, ticket)
        }
    }

    private func post(_ event: Event, _ ticket: Int) {
        locked {
            events.append((ticket, event))
            pthread_cond_signal(&eventIsThere)
        }
    }

    /// Makes attempts until there is an answer or no hope. The money set aside is given back by the caller when there is an answer, here when there is none.
    private func run(_ errand: Errand, retried: (ChatFailure) -> Void) -> Event {
        let stopsCall = { @Sendable [stop] in stop() || self.locked { self.isClosed } }, stopsWaiting = { @Sendable [stop] in stop() || self.locked { self.isDraining } }
        var attempt = 1
        while true {
            let failure: ChatFailure
            do { return .answered(try endpoint.answer(to: errand.request, stop: stopsCall), attempts: attempt) } catch let error as ChatFailure { failure = error } catch {
                budget.settle(reserved: errand.reserved, lost: error is AskingStopped ? errand.reserved : 0)
                return .failed(error)
            }
            budget.settle(reserved: errand.reserved, lost: failure.mayBePaid ? errand.reserved : 0)
            guard failure.isTransient, !stopsWaiting() else { return .failed(failure) }
            guard attempt < patience.attempts else {
                return .failed(ChatFailure("\(failure.message) (\(attempt) attempts)", hint: failure.hint ?? "run the same command again later: what was answered is kept and not asked again"))
            }
            if let wait = failure.retryAfter, wait > patience.longestRetryAfter {
                return .failed(ChatFailure("\(failure.message), and asks to wait \(Int(min(wait, 1e9))) s", hint: "run the same command again then: what was answered is kept and not asked again"))
            }
            retried(failure)
            patience.pause(max(failure.retryAfter ?? 0, patience.delay(after: attempt, at: errand.sha256)), stopsWaiting)
            guard !stopsWaiting() else { return .failed(stop() ? AskingStopped() : failure) }
            guard budget.reserve(errand.reserved) else { return .failed(budget.exhausted(by: errand.reserved)) }
            attempt += 1
        }
    }
}
