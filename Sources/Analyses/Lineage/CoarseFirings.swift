import Diagnostics
import FeatureCatalogue
import Kernels
import LinearAlgebra

/// All firings of the coarse features of a run, token by token: what every fine feature's posting lists are held against.
///
/// 8 bytes a firing and 4 a token, for as long as a lineage is being built: 1.9 GB for 10 million tokens at L0 24. Features that fire too rarely to be
/// judged are left out; the others are *parents*, known by their places.
final class CoarseFirings: @unchecked Sendable {
    /// Feature indices, ascending.
    let parents: [Int]
    /// Of each parent: tokens it fires on, Σ f, Σ f² (as stored, rounded), and its density.
    private(set) var firings: [Int], sums, squares, densities: [Double]
    let tokens: Int
    /// The firings on the corpus's token t are `rows[offsets[t]] ..< rows[offsets[t + 1]]`, parents ascending.
    let offsets: UnsafeMutableBufferPointer<UInt32>
    private(set) var rows = UnsafeMutableBufferPointer<kernel_firing>(start: nil, count: 0)

    /// - Throws: when a posting list is damaged or does not hold as many firings as were counted.
    init(of run: Run, in catalogue: Catalogue, threads: Int) throws {
        let statistics = try catalogue.statistics(of: run)
        let parents = statistics.indices.filter { statistics[$0].firings >= LineageRule.firingsMinimum }
        let total = parents.reduce(0) { $0 + statistics[$1].firings }
        guard total < UInt32.max else {
            throw MonosemeError("\(run.dictionary.name) has \(total) firings; a lineage can be built over \(UInt32.max) at most", hint: "ingest fewer tokens")
        }
        (self.parents, tokens) = (parents, run.tokens)
        (firings, sums, squares) = (.init(repeating: 0, count: parents.count), .init(repeating: 0, count: parents.count), .init(repeating: 0, count: parents.count))
        densities = []
        offsets = .allocate(capacity: run.tokens + 1)
        offsets.initialize(repeating: 0)
        var placeOf = [Int](repeating: -1, count: run.dictionary.features)
        for (place, feature) in parents.enumerated() { placeOf[feature] = place }
        let places = placeOf, offsets = Shared(offsets)

        try forEachSegment(of: run, catalogue, threads, { slice in try Tallies(slice, places, parents.count, offsets.buffer) }) { tallies in
            for parent in parents.indices {
                firings[parent] += tallies.firings[parent]
                sums[parent] += tallies.sums[parent]
                squares[parent] += tallies.squares[parent]
            }
        }
        densities = firings.map { Double($0) / Double(max(1, tokens)) }
        if let wrong = parents.indices.first(where: { firings[$0] != statistics[parents[$0]].firings }) { throw catalogue.contradicted(parents[wrong], in: run) }
        for token in 0..<run.tokens { self.offsets[token + 1] += self.offsets[token] }
        rows = .allocate(capacity: max(1, total))
        rows.initialize(repeating: kernel_firing())
        let rows = Shared(rows)
        try forEachSegment(of: run, catalogue, threads, { slice in scatter(slice, places, offsets.buffer, rows.buffer) }) { (_: Int) in }
    }

    deinit {
        offsets.deallocate()
        rows.deallocate()
    }

    /// Reads segments in groups, works on each group in parallel, and hands on what came of them in order.
    private func forEachSegment<Result>(
        of run: Run, _ catalogue: Catalogue, _ threads: Int, _ work: @Sendable (PostingSlice) throws -> Result, _ body: (Result) throws -> Void
    ) throws {
        let segments = try catalogue.segments(of: run), group = max(1, threads)
        for start in stride(from: 0, to: segments.count, by: group) {
            let slices = try segments[start..<min(segments.count, start + group)].map { try catalogue.postings(of: 0..<run.dictionary.features, in: $0) }
            guard slices.allSatisfy({ $0.segment.firstPosition >= 0 && $0.segment.tokens >= 0 && $0.segment.firstPosition <= run.tokens - $0.segment.tokens }) else {
                throw MonosemeError("the segments of \(run.dictionary.name) in \(quoted(catalogue.path, limit: 400)) do not lie within its \(run.tokens) tokens", hint: "monoseme check lists all damage")
            }
            let results = Slots<Result>(slices.count)
            do { try forEachInParallel(slices.count, threads: threads) { results[$0] = try work(slices[$0]) } } catch let damage as DamagedPosting {
                throw catalogue.damaged(damage.feature, in: damage.segment)
            }
            for place in slices.indices { try body(results[place]!) }
        }
    }
}

/// Memory that several threads write at places of their own.
struct Shared<Element>: @unchecked Sendable {
    let buffer: UnsafeMutableBufferPointer<Element>
    init(_ buffer: UnsafeMutableBufferPointer<Element>) { self.buffer = buffer }
}

/// A posting list that cannot be read.
struct DamagedPosting: Error {
    let feature: Int
    let segment: Segment
}

/// Of each parent in one segment; each token's firings are counted on the way, one place behind it.
private struct Tallies {
    var firings: [Int], sums, squares: [Double]

    init(_ slice: PostingSlice, _ placeOf: [Int], _ parents: Int, _ offsets: UnsafeMutableBufferPointer<UInt32>) throws {
        (firings, sums, squares) = (.init(repeating: 0, count: parents), .init(repeating: 0, count: parents), .init(repeating: 0, count: parents))
        let counts = offsets.baseAddress! + slice.segment.firstPosition + 1
        var list = DecodedList()
        for (feature, range) in slice.lists {
            guard placeOf.indices.contains(feature), list.read(range, of: slice) else { throw DamagedPosting(feature: feature, segment: slice.segment) }
            let parent = placeOf[feature]
            guard parent >= 0 else { continue }
            firings[parent] = list.count
            var sum = 0.0, square = 0.0
            list.withFirings { positions, values in
                for at in positions.indices {
                    counts[Int(positions[at])] += 1
                    let value = Double(values[at])
                    sum += value
                    square += value * value
                }
            }
            (sums[parent], squares[parent]) = (sum, square)
        }
    }
}

private func scatter(_ slice: PostingSlice, _ placeOf: [Int], _ offsets: UnsafeMutableBufferPointer<UInt32>, _ rows: UnsafeMutableBufferPointer<kernel_firing>) -> Int {
    let first = slice.segment.firstPosition
    var cursors = Array(offsets[first..<first + slice.segment.tokens])
    var list = DecodedList()
    for (feature, range) in slice.lists where placeOf[feature] >= 0 && list.read(range, of: slice) {
        list.withFirings { kernel_cofire_scatter($0.baseAddress, $1.baseAddress, $0.count, UInt32(placeOf[feature]), &cursors, rows.baseAddress) }
    }
    return slice.lists.count
}

/// Results of parallel work: each place is written by one thread.
final class Slots<Value>: @unchecked Sendable {
    private let values: UnsafeMutableBufferPointer<Value?>

    init(_ count: Int) {
        values = .allocate(capacity: count)
        values.initialize(repeating: nil)
    }

    deinit { values.deinitialize().deallocate() }

    subscript(place: Int) -> Value? {
        get { values[place] }
        set { values[place] = newValue }
    }
}
