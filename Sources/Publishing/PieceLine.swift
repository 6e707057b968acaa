import Glibc

/// Pieces that threads make in any order and that are passed on in theirs, by whichever thread brings the one that was missing.
///
/// What is passed on first fails first: an error ends the line where it would without threads.
final class PieceLine: @unchecked Sendable {
    // All below are touched under the lock only, and so is what `pass` touches.
    private var lock = pthread_mutex_t(), hasPassed = pthread_cond_t()
    private let count, ahead: Int
    private let pass: (Int, [[UInt8]]) throws -> Void
    private var begun = 0, passed = 0
    private var waiting: [Int: Result<[[UInt8]], any Error>] = [:]
    private var error: (any Error)?

    /// - Parameter ahead: pieces that may be begun before the first that is missing is there: memory is theirs.
    init(_ count: Int, ahead: Int, _ pass: @escaping (Int, [[UInt8]]) throws -> Void) {
        (self.count, self.ahead, self.pass) = (count, ahead, pass)
        pthread_mutex_init(&lock, nil)
        pthread_cond_init(&hasPassed, nil)
    }

    deinit {
        pthread_mutex_destroy(&lock)
        pthread_cond_destroy(&hasPassed)
    }

    /// The first piece that nobody has begun; `nil` when there is none, or one has failed.
    func next() -> Int? {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        while error == nil, begun < count, begun - passed >= ahead { pthread_cond_wait(&hasPassed, &lock) }
        guard error == nil, begun < count else { return nil }
        defer { begun += 1 }
        return begun
    }

    func add(_ piece: Int, _ made: Result<[[UInt8]], any Error>) {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        waiting[piece] = made
        guard piece == passed else { return }
        do {
            while error == nil, let made = waiting.removeValue(forKey: passed) {
                try pass(passed, try made.get())
                passed += 1
            }
        } catch {
            self.error = error
        }
        pthread_cond_broadcast(&hasPassed)
    }

    var failure: (any Error)? {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        return error
    }
}
