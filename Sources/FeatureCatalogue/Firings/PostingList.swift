import Diagnostics
import Kernels
import SQLite

/// A feature's firings, positions ascending.
///
/// As bytes, for one segment (a list in the table `posting`):
/// ```
/// int8     exponent e
/// varint   n, the number of firings                   (7 bits a byte, low bits first)
/// n varint steps: the first position less the segment's first, then each less the one before (≥ 1)
/// n uint16 halves h, little-endian: the activation is h · 2ᵉ
/// ```
/// e is chosen so that the list's largest value lies in [2¹⁴, 2¹⁵) before rounding; a value is within 2⁻¹¹ of itself
/// over 29 powers of two below the largest, and never rounds to zero. At a density of 1 % a firing costs 3.2 bytes.
public struct PostingList: Sendable {
    public var positions: [Int] = []
    public var values: [Float] = []

    public init() {}
    public var count: Int { positions.count }
    public var isEmpty: Bool { positions.isEmpty }
}

/// Where posting lists of one segment are numbered from: `posting.id` = this + feature index.
@inlinable public func firstPostingID(ofSegment id: Int) -> Int { id << 24 }

/// The most features a dictionary may have, so that their postings can be numbered.
public let featuresMaximum = 1 << 24

extension Catalogue {
    /// Every firing of a feature, in order of position: exact, or the strongest where the run kept only those.
    public func firings(of feature: Int, in run: Run) throws -> PostingList {
        var firings = PostingList()
        try connection.query("SELECT s.id, s.first_position, p.list FROM segment AS s CROSS JOIN posting AS p ON p.id = (s.id << 24) + ? WHERE s.run_id = ? ORDER BY s.ordinal",
                             [.init(feature), .init(run.id)]) { row in // numbered as firstPostingID(ofSegment:) says
            try row.withBlob(2) { try append($0, from: row.integer(1), to: &firings) { "feature \(feature), segment \(row.integer(0))" } }
        }
        return firings
    }

    /// A feature's firings in one segment, positions counted in the corpus.
    public func firings(of feature: Int, in segment: Segment) throws -> PostingList {
        var firings = PostingList()
        var lists = try Statement("SELECT list FROM posting WHERE id = ?", on: connection)
        lists.bind(firstPostingID(ofSegment: segment.id) + feature, at: 0)
        if try lists.step() { try lists.withBlob(0) { try append($0, from: segment.firstPosition, to: &firings) { "feature \(feature), segment \(segment.id)" } } }
        return firings
    }

    /// Reads one list, its positions counted from `first`, to the end of `firings`.
    func append(_ list: UnsafeRawBufferPointer, from first: Int, to firings: inout PostingList, place: () -> String) throws {
        let bytes = list.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let bytes, (0...Int.max / 2).contains(first), case let count = kernel_posting_count(bytes, list.count), count >= 0 else { throw damagedList(place()) }
        var isSound = true
        let positions = [UInt32](unsafeUninitializedCapacity: count) { positions, initialized in
            firings.values.append(contentsOf: [Float](unsafeUninitializedCapacity: count) { values, initialized in
                isSound = count == 0 || kernel_posting_decode(bytes, list.count, count, positions.baseAddress!, values.baseAddress!) == 0
                initialized = count
            })
            initialized = count
        }
        guard isSound else { firings.values.removeLast(count); throw damagedList(place()) }
        firings.positions.append(contentsOf: [Int](unsafeUninitializedCapacity: count) { wide, initialized in
            for place in 0..<count { wide[place] = first + Int(positions[place]) }
            initialized = count
        })
    }

    func damagedList(_ place: String) -> MonosemeError {
        MonosemeError("a posting list in \(quoted(path, limit: 400)) is damaged (\(place))", hint: "monoseme check lists all damage; ingest again or restore a copy")
    }
}

extension Catalogue {
    /// Calls `body` with each feature that fires in a segment and its firings there, positions counted in the corpus.
    public func forEachPostingList(of run: Run, in segment: Segment, _ body: (Int, PostingList) throws -> Void) throws {
        let first = firstPostingID(ofSegment: segment.id)
        try connection.query("SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(first), .init(firstPostingID(ofSegment: segment.id + 1))]) { row in
            let feature = row.integer(0) - first
            var firings = PostingList()
            try row.withBlob(1) { try append($0, from: segment.firstPosition, to: &firings) { "feature \(feature), segment \(segment.id)" } }
            guard feature < run.dictionary.features, firings.positions.last.map({ $0 < segment.firstPosition + segment.tokens }) ?? false else { throw damagedList("feature \(feature), segment \(segment.id)") }
            try body(feature, firings)
        }
    }
}
