import Glibc
import Synchronization

// Threads without Dispatch, which the loadable extension would have to carry.

/// Calls `body` with each of 0 ..< `count` on up to `threads` threads, the caller's among them, and waits for all. `body` is
/// told which thread it runs on, too (0 ..< `threads`).
///
/// Which thread takes which number is left to chance; results must not depend on it.
public func forEachOnThreads(_ count: Int, threads: Int, _ body: @Sendable (_ place: Int, _ thread: Int) -> Void) {
    let next = Atomic<Int>(0)
    withoutActuallyEscaping(body) { body in
        let work = Work { thread in
            while true {
                let place = next.add(1, ordering: .relaxed).oldValue
                guard place < count else { return }
                body(place, thread)
            }
        }
        var others: [pthread_t] = []
        for thread in 1..<max(1, min(threads, count)) {
            let entry = Unmanaged.passRetained(Entry(work: work, thread: thread))
            var handle = pthread_t()
            let status = pthread_create(&handle, nil, { argument in
                let entry = Unmanaged<Entry>.fromOpaque(argument!).takeRetainedValue()
                entry.work.run(entry.thread)
                return nil
            }, entry.toOpaque())
            // No more threads to be had: those there are do it all.
            guard status == 0 else { entry.release(); break }
            others.append(handle)
        }
        work.run(0)
        for handle in others { pthread_join(handle, nil) }
    }
}

private final class Work: Sendable {
    let run: @Sendable (Int) -> Void
    init(_ run: @escaping @Sendable (Int) -> Void) { self.run = run }
}

private final class Entry: Sendable {
    let work: Work, thread: Int
    init(work: Work, thread: Int) { (self.work, self.thread) = (work, thread) }
}
