import Dispatch
import SparseCoding
import Synchronization

/// Results made in any order and read in theirs. Each place is written by one thread, before anybody reads.
public final class Slots<Value: Sendable>: @unchecked Sendable {
    private let storage: UnsafeMutableBufferPointer<Value?>

    public init(_ count: Int) {
        storage = .allocate(capacity: count)
        storage.initialize(repeating: nil)
    }

    deinit { storage.deinitialize().deallocate() }

    public subscript(place: Int) -> Value? {
        get { storage[place] }
        set { storage[place] = newValue }
    }

    /// One value, taken out; there must be one.
    public func take(_ place: Int) -> Value {
        defer { storage[place] = nil }
        return storage[place]!
    }

    /// Every value, in order, taken out.
    func take() -> [Value] {
        defer { for place in storage.indices { storage[place] = nil } }
        return storage.map { $0! }
    }
}

/// Work done in order behind the caller's back, one piece at a time; with one thread, at once.
final class Background: @unchecked Sendable {
    private let queue = DispatchQueue(label: "monoseme.writer")
    private let group = DispatchGroup()
    private let failure = Mutex<(any Error)?>(nil)
    private let pending = Mutex<(@Sendable () throws -> Void)?>(nil)
    private let isInline: Bool

    init(threads: Int) { isInline = threads <= 1 }

    /// Waits for the piece before, throws what it threw, and starts this one.
    func submit(_ work: @escaping @Sendable () throws -> Void) throws {
        try finish()
        if isInline { return try work() }
        // Handed over rather than captured: once finished, the work and all it holds (the catalogue) are let go of.
        pending.withLock { $0 = work }
        queue.async(group: group) { [self] in
            let work = pending.withLock { $0.take() }
            do { try work?() } catch { failure.withLock { $0 = error } }
        }
    }

    func finish() throws {
        group.wait()
        if let error = failure.withLock({ $0.take() }) { throw error }
    }
}

/// The memory that encoding works in and writes to, lent to whoever encodes and kept from batch to batch.
final class ScratchPool: Sendable {
    private final class Box: @unchecked Sendable {
        var scratch = EncoderScratch()
        var firings = Firings()
    }
    private let idle = Mutex<[Box]>([])

    /// - Parameter body: gets firings that are empty.
    func withScratch<Result>(_ body: (inout EncoderScratch, inout Firings) throws -> Result) rethrows -> Result {
        let box = idle.withLock { $0.popLast() } ?? Box()
        defer { idle.withLock { $0.append(box) } }
        box.firings.removeAll()
        return try body(&box.scratch, &box.firings)
    }
}
