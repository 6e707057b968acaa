import Diagnostics
import Glibc
import SQLite
import Synchronization

/// What may end a query early: Ctrl-C and a time limit.
final class QueryWatch: Sendable {
    private enum End: Int { case none, interrupted, timedOut }

    private let interrupter: Interrupter
    private let timeout: Double?
    private let deadline: ContinuousClock.Instant?
    private let end = Atomic(End.none.rawValue)
    private let isDone = Atomic(false)

    fileprivate init(_ interrupter: Interrupter, timeout: Double?) {
        (self.interrupter, self.timeout) = (interrupter, timeout)
        deadline = timeout.map { ContinuousClock.now + .seconds($0) }
    }

    /// - Throws: when the query is to end: `Interrupted`, or the error that says that time is up.
    func check() throws {
        switch End(rawValue: end.load(ordering: .acquiring))! {
        case .none: return
        case .interrupted: throw Interrupted()
        case .timedOut: throw MonosemeError("the query took longer than \(timeout!.argument) s and was stopped", hint: "give it more time with --timeout, or ask for less")
        }
    }

    fileprivate func finish() { isDone.store(true, ordering: .releasing) }

    /// Waits for Ctrl-C, the deadline or the end of the query; runs on a thread of its own.
    fileprivate func wait(for signals: sigset_t) {
        var signals = signals
        while !isDone.load(ordering: .acquiring) {
            let isEnding = end.load(ordering: .acquiring) != End.none.rawValue
            // An interruption is lost on a statement that is about to begin: it is repeated until the query has ended.
            let left = isEnding ? 0.05 : deadline.map { max(0, ($0 - .now) / .seconds(1)) } ?? 3600
            var time = timespec(tv_sec: Int(left), tv_nsec: Int((left - left.rounded(.down)) * 1e9))
            let signal = sigtimedwait(&signals, nil, &time)
            if isDone.load(ordering: .acquiring) { return }
            if signal == SIGINT {
                // The second time, whatever holds the query up.
                if isEnding { _exit(130) }
                end.store(End.interrupted.rawValue, ordering: .releasing)
            } else if !isEnding, let deadline, deadline <= .now {
                end.store(End.timedOut.rawValue, ordering: .releasing)
            }
            if end.load(ordering: .acquiring) != End.none.rawValue { interrupter.interrupt() }
        }
    }
}

/// Runs a query of the connection behind `interrupter` under the watch for Ctrl-C and a time limit in seconds.
func watched(_ interrupter: Interrupter, timeout: Double?, _ query: (QueryWatch) throws -> Void) throws {
    final class Watcher { let watch: QueryWatch, signals: sigset_t; init(_ watch: QueryWatch, _ signals: sigset_t) { (self.watch, self.signals) = (watch, signals) } }
    let watch = QueryWatch(interrupter, timeout: timeout)
    // Blocked everywhere, so that they reach the thread that waits for them; SIGUSR1 calls it back.
    var signals = sigset_t(), former = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGUSR1)
    pthread_sigmask(SIG_BLOCK, &signals, &former)
    defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
    var thread = pthread_t()
    let watcher = Unmanaged.passRetained(Watcher(watch, signals))
    let code = pthread_create(&thread, nil, { context in
        let watcher = Unmanaged<Watcher>.fromOpaque(context!).takeRetainedValue()
        watcher.watch.wait(for: watcher.signals)
        return nil
    }, watcher.toOpaque())
    guard code == 0 else { watcher.release(); throw MonosemeError("cannot start a thread: \(describe(code))") }
    defer {
        watch.finish()
        pthread_kill(thread, SIGUSR1)
        pthread_join(thread, nil)
    }
    do { try query(watch) } catch let error as SQLiteError where error.kind == .interrupted {
        try watch.check()
        throw error
    }
}
