public import Diagnostics
import Kernels
import SQLite

/// The posting lists of some features in one segment, as they are stored, end to end.
public struct PostingSlice: Sendable {
    public fileprivate(set) var bytes: [UInt8] = []
    /// Only features that fire there, ascending; ranges of `bytes`.
    public fileprivate(set) var lists: [(feature: Int, range: Range<Int>)] = []
    public let segment: Segment

    fileprivate init(segment: Segment) { self.segment = segment }
}

/// Firings of one feature in one segment: positions counted in the segment. Kept for the next list.
public struct DecodedList {
    private var positions: [UInt32] = []
    private var values: [Float] = []
    public private(set) var count = 0

    public init() {}

    /// Reads one list of a slice.
    /// - Returns: false when the list is damaged or points beyond its segment.
    public mutating func read(_ range: Range<Int>, of slice: PostingSlice) -> Bool {
        slice.bytes.withUnsafeBufferPointer { bytes in
            let list = UnsafeBufferPointer(rebasing: bytes[range])
            guard let start = list.baseAddress, case let found = kernel_posting_count(start, list.count), found > 0 else { return false }
            if positions.count < found {
                positions = .init(repeating: 0, count: 2 * found)
                values = .init(repeating: 0, count: 2 * found)
            }
            count = found
            return kernel_posting_decode(start, list.count, found, &positions, &values) == 0 && Int(positions[found - 1]) < slice.segment.tokens
        }
    }

    /// The positions, ascending, and the values of the list that was read last.
    public func withFirings<Result>(_ body: (UnsafeBufferPointer<UInt32>, UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        try positions.withUnsafeBufferPointer { positions in
            try values.withUnsafeBufferPointer { values in try body(.init(rebasing: positions[..<count]), .init(rebasing: values[..<count])) }
        }
    }
}

extension Catalogue {
    /// The lists of some features in one segment.
    public func postings(of features: Range<Int>, in segment: Segment) throws -> PostingSlice {
        let first = firstPostingID(ofSegment: segment.id)
        var slice = PostingSlice(segment: segment)
        try connection.query("SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(first + features.lowerBound), .init(first + features.upperBound)]) { row in
            let start = slice.bytes.count
            row.withBlob(1) { slice.bytes.append(contentsOf: $0) }
            slice.lists.append((row.integer(0) - first, start..<slice.bytes.count))
        }
        return slice
    }

    /// What to say of a list that `DecodedList.read` refuses.
    public func damaged(_ feature: Int, in segment: Segment) -> MonosemeError { damagedList("feature \(feature), segment \(segment.id)") }

    /// What to say of a feature that has not as many firings as its statistics say.
    public func contradicted(_ feature: Int, in run: Run) -> MonosemeError {
        MonosemeError("the posting lists of \(run.dictionary.name)/\(feature) in \(quoted(path, limit: 400)) do not hold as many firings as were counted", hint: "monoseme check lists all damage; ingest again or restore a copy")
    }
}
