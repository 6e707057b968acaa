import Diagnostics
import FeatureCatalogue
import Kernels
import Synchronization

/// What the features of one slice have in common with every parent: the sparse product of two activation matrices, straight from posting lists.
///
/// A feature's list is read once and each of its firings meets the parents' firings on that token, so that a product of (tokens × parents) and
/// (tokens × features) at L0 a and b costs a · b steps a token, whatever the numbers of features. One step adds all six sums of a pair.
struct Cofirings {
    /// One feature against one parent.
    struct Pair {
        let parent: Int
        let sums: kernel_cofiring
    }

    /// One feature.
    struct Child {
        var firings = 0
        var sum = 0.0, squares = 0.0
        /// The greatest coverage above chance.
        var bestCoverage = 0.0
        var pairs: [Pair] = []
    }

    let coarse: CoarseFirings
    let slices: [PostingSlice]
    /// Where each feature's lists are: (segment, range), by place in `features`.
    private let lists: [[(segment: Int, range: Range<Int>)]]
    let features: Range<Int>

    init(of features: Range<Int>, in run: Run, _ coarse: CoarseFirings, _ catalogue: Catalogue) throws {
        (self.features, self.coarse) = (features, coarse)
        let segments = try catalogue.segments(of: run)
        guard segments.allSatisfy({ $0.firstPosition >= 0 && $0.tokens >= 0 && $0.firstPosition <= coarse.tokens - $0.tokens }) else {
            throw MonosemeError("the segments of \(run.dictionary.name) in \(quoted(catalogue.path, limit: 400)) do not lie within the corpus's \(coarse.tokens) tokens", hint: "monoseme check lists all damage")
        }
        slices = try segments.map { try catalogue.postings(of: features, in: $0) }
        var lists = [[(segment: Int, range: Range<Int>)]](repeating: [], count: features.count)
        for (place, slice) in slices.enumerated() {
            for (feature, range) in slice.lists where features.contains(feature) { lists[feature - features.lowerBound].append((place, range)) }
        }
        self.lists = lists
    }

    /// - Parameters:
    ///   - wanted: parents to report whatever they have in common, ascending.
    ///   - floor: what others must have in common to be reported.
    /// - Throws: `DamagedPosting`.
    func child(_ feature: Int, wanted: ArraySlice<UInt32>, floor: kernel_cofire_floor, _ work: Workspace) throws -> Child {
        var child = Child()
        for (segment, range) in lists[feature - features.lowerBound] {
            try read(feature, segment, range, work)
            work.list.withFirings { positions, values in
                child.firings += values.count
                for value in values {
                    child.sum += Double(value)
                    child.squares += Double(value) * Double(value)
                }
                kernel_cofire_add(positions.baseAddress, values.baseAddress, values.count, offsets(of: segment), coarse.rows.baseAddress, work.sums.baseAddress)
            }
        }
        let count = wanted.withUnsafeBufferPointer {
            kernel_cofire_select(work.sums.baseAddress, coarse.parents.count, coarse.squares, coarse.densities, max(child.sum, .leastNormalMagnitude), child.squares, floor, $0.baseAddress, $0.count,
                                 work.found.baseAddress, work.selected.baseAddress, &child.bestCoverage)
        }
        child.pairs = (0..<count).map { Pair(parent: Int(work.found[$0]), sums: work.selected[$0]) }
        return child
    }

    /// The feature's mass on tokens on which two of some parents (at most 64) fire: (count × count).
    func joint(_ feature: Int, _ parents: [Int], _ work: Workspace) throws -> [Double] {
        var joint = [Double](repeating: 0, count: parents.count * parents.count)
        for (slot, parent) in parents.enumerated() { work.slots[parent] = UInt32(slot) }
        defer { for parent in parents { work.slots[parent] = .max } }
        for (segment, range) in lists[feature - features.lowerBound] {
            try read(feature, segment, range, work)
            work.list.withFirings { positions, values in
                kernel_cofire_joint(positions.baseAddress, values.baseAddress, positions.count, offsets(of: segment), coarse.rows.baseAddress, work.slots.baseAddress, parents.count, &joint)
            }
        }
        return joint
    }

    private func offsets(of segment: Int) -> UnsafePointer<UInt32> { UnsafePointer(coarse.offsets.baseAddress! + slices[segment].segment.firstPosition) }

    private func read(_ feature: Int, _ segment: Int, _ range: Range<Int>, _ work: Workspace) throws {
        guard work.list.read(range, of: slices[segment]) else { throw DamagedPosting(feature: feature, segment: slices[segment].segment) }
    }

    /// What one thread works in; `sums` are zero between features.
    final class Workspace: @unchecked Sendable {
        let sums, selected: UnsafeMutableBufferPointer<kernel_cofiring>
        let found, slots: UnsafeMutableBufferPointer<UInt32>
        var list = DecodedList()

        init(parents: Int) {
            func lines() -> UnsafeMutableBufferPointer<kernel_cofiring> {
                let raw = UnsafeMutableRawPointer.allocate(byteCount: 64 * max(1, parents), alignment: 64)
                let lines = UnsafeMutableBufferPointer(start: raw.bindMemory(to: kernel_cofiring.self, capacity: max(1, parents)), count: parents)
                lines.initialize(repeating: kernel_cofiring())
                return lines
            }
            (sums, selected) = (lines(), lines())
            (found, slots) = (.allocate(capacity: max(1, parents)), .allocate(capacity: max(1, parents)))
            found.initialize(repeating: 0)
            slots.initialize(repeating: .max)
        }

        deinit {
            UnsafeMutableRawPointer(sums.baseAddress!).deallocate()
            UnsafeMutableRawPointer(selected.baseAddress!).deallocate()
            found.deallocate()
            slots.deallocate()
        }
    }
}

/// Things that threads take, use and give back.
final class Pool<Item: AnyObject & Sendable>: Sendable {
    private let free = Mutex<[Item]>([])
    private let make: @Sendable () -> Item

    init(_ make: @escaping @Sendable () -> Item) { self.make = make }

    func with<Result>(_ body: (Item) throws -> Result) rethrows -> Result {
        let item = free.withLock { $0.popLast() } ?? make()
        defer { free.withLock { $0.append(item) } }
        return try body(item)
    }
}
