import Kernels
public import Numerics

/// Calls `body` with every row, in order, and its `k` nearest by inner product among `columns`, or, where that is `nil`, among
/// the other rows: exact, ties to the lower index. Rows are of length 1, or zero: those have no neighbours and are none.
///
/// - Parameters:
///   - rows: (rows × width), of at most 65,536 numbers a row; `columns` as wide.
///   - threads: answers do not depend on it.
public func forEachNearestList(of rows: consuming Matrix, among columns: consuming Matrix?, k: Int, threads: Int, _ body: (Int, [Neighbour]) throws -> Void) rethrows {
    guard k > 0, rows.rows > 0 else { return }
    let coded = CodedRows(rows, threads: threads)
    let target: CodedRows? = if let columns { CodedRows(columns, threads: threads) } else { nil }
    let search = GraphSearch(coded, among: target, k: k, threads: threads)
    while try search.step(body) {}
}

/// The k nearest rows of every row, stripe by stripe: see graph.h for the bound that makes it exact.
///
/// A stripe is a few rows whose codes stay in the processor's cache; threads take the columns in portions and keep lists of
/// their own for the stripe's rows. Among a dictionary's own rows each pair is judged once, for both: a column's list, which
/// lives until its turn comes, is written by the one thread that has the column. So memory does not grow with threads:
/// 5 bytes a number of the rows, and, for a symmetric search, a list of 2 k + 108 candidates of 8 bytes for each row.
/// At 131,072 × 512, k = 15: 335 MB and 145 MB; at 1,048,576 × 512: 2.7 GB and 1.2 GB.
final class GraphSearch {
    let rows: CodedRows, columns: CodedRows
    let k: Int
    let isSymmetric: Bool
    /// The first row whose turn has not come.
    private(set) var next = 0

    private let level: Int32
    private let threads: Int
    private let capacity: Int
    private let slack: Float
    private let stripeRows: Int
    /// A list for each row, of a symmetric search.
    private let all: Lists?
    /// Each thread's lists for the rows of a stripe; their limits are shared.
    private let own: [Lists]
    private let packed: UnsafeMutablePointer<Int8>
    private let starts: UnsafeMutablePointer<Int32>

    /// Columns that a thread takes at once.
    private static let portion = 32 * Int(GRAPH_COLUMNS)
    /// Rows of a stripe fill three quarters of a cache of 1 MB.
    private static let stripeBytes = 3 << 18

    /// - Parameters:
    ///   - columns: what is searched; `nil` for the rows themselves, each without itself.
    ///   - level: the kernel, at most `kernel_graph_best()`; answers are the same.
    ///   - stripeRows: rounded up to a multiple of the kernels' tiles; answers are the same.
    init(_ rows: CodedRows, among columns: CodedRows?, k: Int, threads: Int, level: Int32 = kernel_graph_best(), stripeRows: Int? = nil) {
        precondition(k >= 1 && threads >= 1 && (columns == nil || columns!.side.width == rows.side.width))
        self.rows = rows
        self.columns = columns ?? rows
        isSymmetric = columns == nil
        self.k = min(k, max(1, self.columns.count - (columns == nil ? 1 : 0)))
        self.threads = threads
        self.level = level
        let most = max(rows.lengthMaximum, self.columns.lengthMaximum)
        rows.scaleErrors(by: most)
        columns?.scaleErrors(by: most)
        slack = Float(32 * 0x1p-24 * most * most)
        capacity = 2 * self.k + 108 // where directions are evenly spread, bounds leave a hundred candidates
        let tile = 96 // of both kinds: 8 groups of 12, 3 panels of 32
        self.stripeRows = max(tile, ((stripeRows ?? GraphSearch.stripeBytes / rows.side.padded) + tile - 1) / tile * tile)
        all = columns == nil ? Lists(rows.count, capacity: capacity, limits: nil) : nil
        if let all { for row in 0..<rows.count { all.limits[row] = rows.isZero(row) ? .infinity : -.greatestFiniteMagnitude } }
        let first = Lists(self.stripeRows, capacity: capacity, limits: nil)
        let capacity = capacity, height = self.stripeRows
        own = [first] + (1..<threads).map { _ in Lists(height, capacity: capacity, limits: first.limits) }
        packed = UnsafeMutableRawPointer.allocate(byteCount: height * rows.side.padded, alignment: 64).assumingMemoryBound(to: Int8.self)
        starts = .allocate(capacity: height)
    }

    deinit {
        packed.deallocate()
        starts.deallocate()
    }

    /// Pairs that the rows `first ..< end` are judged in.
    func pairs(_ first: Int, _ end: Int) -> Int {
        isSymmetric ? (end - first) * (rows.count - 1) - (end * (end - 1) - first * (first - 1)) / 2 : (end - first) * columns.count
    }

    /// Searches for the next rows, and calls `body` with each and its neighbours, in order; `false` when all have been.
    func step(_ body: (Int, [Neighbour]) throws -> Void) rethrows -> Bool {
        guard next < rows.count else { return false }
        let first = next, count = min(stripeRows, rows.count - first)
        var stripe = graph_stripe(first: first, count: count, packed: packed, starts: starts)
        withUnsafePointer(to: rows.side) { kernel_graph_pack($0, &stripe) }
        for lists in own { lists.counts.update(repeating: 0, count: count) }
        for row in 0..<count { own[0].limits[row] = all?.limits[first + row] ?? (rows.isZero(first + row) ? .infinity : -.greatestFiniteMagnitude) }

        let begin = isSymmetric ? first / GraphSearch.portion * GraphSearch.portion : 0, end = columns.count
        let search = self.search
        nonisolated(unsafe) let (work, judged) = (self, stripe)
        forEachOnThreads((end - begin + GraphSearch.portion - 1) / GraphSearch.portion, threads: threads) { place, thread in
            let from = begin + place * GraphSearch.portion
            work.judge(judged, search, from, min(end, from + GraphSearch.portion), thread)
        }

        // What threads found apart comes together in the first one's lists.
        let found = Lists(count, capacity: k, limits: own[0].limits), portion = 64
        forEachOnThreads((count + portion - 1) / portion, threads: threads) { place, _ in
            work.settle(search, place * portion..<min(count, (place + 1) * portion), first, found)
        }
        next = first + count
        for row in 0..<count {
            try body(first + row, (0..<Int(found.counts[row])).map { Neighbour(feature: Int(found[row][$0].feature & ~GRAPH_EXACT), cosine: found[row][$0].value) })
        }
        return true
    }

    /// What every kernel is told; it points into this object.
    private var search: Search { Search(rows: rows, columns: columns, isSymmetric: isSymmetric, k: k, capacity: capacity, slack: slack) }

    private func judge(_ stripe: graph_stripe, _ search: Search, _ first: Int, _ end: Int, _ thread: Int) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: capacity) { scratch in
            search.withKernel { kernel in
                withUnsafePointer(to: stripe) { stripe in
                    withUnsafePointer(to: own[thread].kernel) { own in
                        withUnsafePointer(to: (all ?? self.own[thread]).kernel) { all in
                            kernel_graph_search(level, kernel, stripe, first, end, own, all, scratch.baseAddress!)
                        }
                    }
                }
            }
        }
    }

    private func settle(_ search: Search, _ places: Range<Int>, _ first: Int, _ found: Lists) {
        let room = (threads + 1) * capacity
        withUnsafeTemporaryAllocation(of: graph_candidate.self, capacity: room) { candidates in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: room) { scratch in
                for place in places where !rows.isZero(first + place) {
                    var count = 0
                    func gather(_ lists: Lists, _ list: Int) {
                        (candidates.baseAddress! + count).initialize(from: lists[list], count: Int(lists.counts[list]))
                        count += Int(lists.counts[list])
                    }
                    if let all { gather(all, first + place) }
                    for lists in own { gather(lists, place) }
                    let kept = search.withKernel { kernel_graph_settle($0, first + place, candidates.baseAddress!, UInt32(count), found.limits + place, scratch.baseAddress!) }
                    found[place].update(from: candidates.baseAddress!, count: Int(kept))
                    found.counts[place] = kept
                }
            }
        }
    }

    // MARK: Going on later

    /// The candidates so far of a row whose turn has not come; as few as the bounds allow. Valid until the next step.
    func candidates(of row: Int) -> UnsafeBufferPointer<graph_candidate> {
        guard let all, row >= next, !rows.isZero(row) else { return UnsafeBufferPointer(start: nil, count: 0) }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: capacity) { scratch in
            all.counts[row] = search.withKernel { kernel_graph_prune($0, row, all[row], all.counts[row], all.limits + row, scratch.baseAddress!) }
        }
        return UnsafeBufferPointer(start: all[row], count: Int(all.counts[row]))
    }

    /// Goes on at `row`, with the candidates that `candidates(of:)` gave for it and those behind it.
    ///
    /// - Returns: whether they can be such candidates at all. If not, nothing is changed.
    func resume(at row: Int, with carried: [[graph_candidate]]) -> Bool {
        precondition(next == 0)
        guard (0...rows.count).contains(row) else { return false }
        guard let all else { next = row; return true }
        guard carried.count == rows.count - row else { return false }
        func isPossible(_ candidate: graph_candidate) -> Bool {
            let feature = Int(candidate.feature & ~GRAPH_EXACT)
            return candidate.value.isFinite && feature < row && !rows.isZero(feature)
        }
        guard carried.allSatisfy({ $0.count < capacity && $0.allSatisfy(isPossible) }) else { return false }
        next = row
        for (place, list) in carried.enumerated() where !rows.isZero(row + place) {
            list.withUnsafeBufferPointer { if let start = $0.baseAddress { all[row + place].update(from: start, count: list.count) } }
            all.counts[row + place] = UInt32(list.count)
            _ = candidates(of: row + place) // raises the limit to where it was
        }
        return true
    }
}

/// `graph_search`, for the time of a call.
private struct Search: @unchecked Sendable {
    let rows, columns: CodedRows
    let isSymmetric: Bool
    let k, capacity: Int
    let slack: Float

    func withKernel<Result>(_ body: (UnsafePointer<graph_search>) -> Result) -> Result {
        withUnsafePointer(to: rows.side) { rows in
            withUnsafePointer(to: columns.side) { columns in
                withUnsafePointer(to: graph_search(rows: rows, columns: columns, is_symmetric: isSymmetric ? 1 : 0, k: k, capacity: capacity, slack: slack), body)
            }
        }
    }
}

/// Lists of candidates, `capacity` places each.
private final class Lists: @unchecked Sendable {
    let capacity: Int
    let candidates: UnsafeMutablePointer<graph_candidate>
    let counts: UnsafeMutablePointer<UInt32>
    let limits: UnsafeMutablePointer<Float>
    private let ownsLimits: Bool

    /// - Parameter limits: those of other lists, which must live as long; `nil` for limits of their own, to be filled in.
    init(_ count: Int, capacity: Int, limits: UnsafeMutablePointer<Float>?) {
        self.capacity = capacity
        candidates = .allocate(capacity: max(1, count * capacity))
        counts = .allocate(capacity: max(1, count))
        counts.initialize(repeating: 0, count: max(1, count))
        ownsLimits = limits == nil
        self.limits = limits ?? .allocate(capacity: max(1, count))
        if ownsLimits { self.limits.initialize(repeating: .infinity, count: max(1, count)) }
    }

    deinit {
        candidates.deallocate()
        counts.deallocate()
        if ownsLimits { limits.deallocate() }
    }

    subscript(list: Int) -> UnsafeMutablePointer<graph_candidate> { candidates + list * capacity }

    var kernel: graph_lists { graph_lists(candidates: candidates, counts: counts, limits: limits) }
}
