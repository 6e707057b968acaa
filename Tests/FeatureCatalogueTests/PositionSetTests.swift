@testable import FeatureCatalogue
import Kernels
import Testing

// Against Set<Int> and plain loops. Mutations tried: a mask of one bit more or less at either end of a range; bits behind the length kept;
// subtract without its complement; `position` for `first + position`; documents counted anew in each segment; a step of zero let through.

@Suite struct PositionSetTests {
    @Test(arguments: [0, 1, 63, 64, 65, 128, 1000]) func `a set of positions does what a set of numbers does`(length: Int) {
        var random = Seeded(UInt64(length) + 1)
        func some() -> Set<Int> { Set((0..<length).filter { _ in Bool.random(using: &random) }) }
        for _ in 0..<20 {
            let a = some(), b = some(), first = PositionSet(a.sorted(), length: length), second = PositionSet(b.sorted(), length: length)
            #expect(first.positions == a.sorted() && first.count == a.count && first.isEmpty == a.isEmpty)
            #expect((-1...length).allSatisfy { first.contains($0) == a.contains($0) })
            var union = first, intersection = first, difference = first, cut = first
            union.formUnion(second)
            intersection.formIntersection(second)
            difference.subtract(second)
            let low = Int.random(in: -2...length + 2, using: &random), high = Int.random(in: low...length + 70, using: &random)
            cut.removeAll(from: max(0, low))
            #expect(union.positions == a.union(b).sorted() && intersection.positions == a.intersection(b).sorted() && difference.positions == a.subtracting(b).sorted())
            #expect(cut.positions == a.filter { $0 < max(0, low) }.sorted())
            #expect(first.count(in: low..<high) == a.count { $0 >= low && $0 < high })
            var listed: [Int] = []
            first.forEach(in: low..<high) { listed.append($0) }
            #expect(listed == a.filter { $0 >= low && $0 < high }.sorted())
        }
        let ends = length == 0 ? [] : length == 1 ? [0] : [0, length - 1]
        #expect(PositionSet([-1, 0, length - 1, length, length + 64], length: length).positions == ends)
        #expect(PositionSet(words: .init(repeating: .max, count: (length + 63) / 64), length: length).count == length)
    }

    /// Random lists of three segments, some marks, and the same counted firing by firing.
    @Test(arguments: 1...6) func `kernels count marked firings as a plain loop does`(seed: Int) {
        var random = Seeded(UInt64(seed))
        let segments = [0..<100, 100..<130, 130..<431], documents = (0..<431).map { UInt32($0 / 70) }
        let marked = PositionSet((0..<431).filter { _ in Int.random(in: 0..<seed, using: &random) == 0 }, length: 400)
        var tally = kernel_marked_tally(), sums = kernel_posting_sums(), expected = kernel_marked_tally(), all = kernel_posting_sums(), last: UInt32?
        for segment in segments {
            let positions = segment.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            let values = positions.map { _ in Float.random(in: 1e-6...3, using: &random) }
            var list = [UInt8](repeating: 0, count: kernel_posting_bound(values.count)), rounded = [Float](repeating: 0, count: values.count)
            let bytes = kernel_posting_encode(positions.map { UInt32($0 - segment.lowerBound) }, values, values.count, &list, &rounded)
            #expect(kernel_posting_tally_marked(list, bytes, segment.lowerBound, marked.words, marked.length, Array(documents[segment]), segment.count, &tally) == 0)
            #expect(kernel_posting_sums(list, bytes, &sums) == 0)
            for (position, value) in zip(positions, rounded) {
                (all.count, all.sum, all.squares) = (all.count + 1, all.sum + Double(value), all.squares + Double(value) * Double(value))
                guard position < 400, marked.contains(position) else { continue }
                (expected.count, expected.sum) = (expected.count + 1, expected.sum + Double(value))
                expected.documents += documents[position] == last ? 0 : 1
                last = documents[position]
            }
            // Cut short, told another length, or with a position twice, a list is malformed.
            var ignored = kernel_marked_tally(), none = kernel_posting_sums()
            #expect((0..<bytes).allSatisfy { kernel_posting_tally_marked(list, $0, segment.lowerBound, marked.words, marked.length, Array(documents[segment]), segment.count, &ignored) == -1 })
            #expect(kernel_posting_tally_marked(list, bytes, segment.lowerBound, marked.words, marked.length, Array(documents[segment]), positions.last! - segment.lowerBound, &ignored) == -1)
            #expect(kernel_posting_sums(list, bytes / 4, &none) == -1)
        }
        #expect(tally.count == expected.count && tally.documents == expected.documents && abs(tally.sum - expected.sum) < 1e-9)
        #expect(sums.count == all.count && abs(sums.sum - all.sum) < 1e-9 && abs(sums.squares - all.squares) < 1e-9)
        var ignored = kernel_marked_tally(), none = kernel_posting_sums()
        #expect(kernel_posting_tally_marked([0, 2, 5, 0, 1, 0x3c, 1, 0x3c], 8, 0, [.max], 64, [UInt32](repeating: 0, count: 64), 64, &ignored) == -1)
        #expect(kernel_posting_tally_marked([0, 2, 5, 1, 1, 0x3c, 1, 0x3c], 8, 0, [.max], 64, [UInt32](repeating: 0, count: 64), 64, &ignored) == 0)
        // Zero and infinity are no activations.
        #expect(kernel_posting_sums([0, 1, 5, 0, 0], 5, &none) == -1 && kernel_posting_sums([0, 1, 5, 0, 0x7c], 5, &none) == -1)
    }
}
