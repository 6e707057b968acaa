import Glibc
import Synchronization

/// The signal that came, or 0.
private let received = Atomic<Int32>(0)

/// Calls `body` with a question: has the process been asked to stop, by Ctrl-C or SIGTERM, and by which?
///
/// The first signal is only noted, so that what is under way can be kept; the second ends the process as it always does. Signals that are
/// ignored stay so.
func notingStopSignals<Result>(_ body: (_ stop: @escaping @Sendable () -> Int32?) throws -> Result) rethrows -> Result {
    received.store(0, ordering: .relaxed)
    let note: @convention(c) (Int32) -> Void = { number in
        received.store(number, ordering: .relaxed)
        signal(number, SIG_DFL)
    }
    let former = [SIGINT, SIGTERM].map { number -> (number: Int32, handler: (@convention(c) (Int32) -> Void)?) in
        let handler = signal(number, note)
        if isIgnored(handler) { signal(number, SIG_IGN) }
        return (number, handler)
    }
    // Whoever started this may have had them blocked, as threads of Dispatch have, and that is inherited.
    var signals = sigset_t(), mask = sigset_t()
    sigemptyset(&signals)
    for (number, _) in former { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, &mask)
    defer {
        pthread_sigmask(SIG_SETMASK, &mask, nil)
        for (number, handler) in former { signal(number, handler) }
    }
    return try body {
        let number = received.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }
}

private func isIgnored(_ handler: (@convention(c) (Int32) -> Void)?) -> Bool { unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) }
