import Dispatch
import Synchronization

/// Calls `body` for each of 0 ..< `count` on up to `threads` threads, and throws what the first failing call threw.
///
/// A product runs on one thread, so work is shared out by whole pieces. Which thread takes which number is left to chance;
/// results must not depend on it.
public func forEachInParallel(_ count: Int, threads: Int, _ body: @Sendable (Int) throws -> Void) throws {
    if threads <= 1 || count <= 1 { return try (0..<count).forEach(body) }
    let next = Atomic<Int>(0)
    let failure = Mutex<(place: Int, error: any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
        while true {
            let place = next.add(1, ordering: .relaxed).oldValue
            guard place < count, failure.withLock({ $0 == nil }) else { return }
            do { try body(place) } catch {
                failure.withLock { first in if first == nil || place < first!.place { first = (place, error) } }
            }
        }
    }
    if let (_, error) = failure.withLock({ $0 }) { throw error }
}
