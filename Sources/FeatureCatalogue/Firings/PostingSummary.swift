import Diagnostics
import Kernels
import SQLite

// One pass over all postings of a run: examples, tokens and topics of each feature, written as rows of references.

/// Examples kept for each feature, at most.
public let examplesKept = 20
/// Of the strongest firings, how many are looked at to find examples that differ.
private let candidatesKept = 512
/// Examples from one document, at most.
public let examplesPerDocument = 3
/// Tokens kept for each feature.
let tokensKept = 5
/// Features that are counted in one pass: as many as have tallies by token (16 bytes) in 48 MB, and fewer where there are so many
/// documents that tallies by document (12 bytes) would fill 48 MB instead.
private func featuresPerPass(vocabulary: Int, documents: Int) -> Int {
    max(1, min(max(16, min(256, (3 << 24) / 16 / max(1, vocabulary))), (1 << 22) / max(1, documents)))
}

/// Calls a body for each of 0 ..< count, on several threads if it likes.
public typealias ForEach = (_ count: Int, _ body: @Sendable (Int) throws -> Void) throws -> Void

private struct Candidate {
    let position: Int
    let value: Float
    /// Place in the document table.
    let document: Int
    /// Of the token and the four to either side (as the paper shows them) that lie in its document and segment.
    let window: UInt64
}

/// The strongest of a stream of firings, in bounded memory.
private struct Strongest {
    var candidates: [Candidate] = []
    var threshold: Float = 0

    /// Equal values come in order of position: what only ties with the weakest kept is later, and loses.
    func wants(_ value: Float) -> Bool { value > threshold }

    mutating func add(_ candidate: Candidate) {
        candidates.append(candidate)
        if candidates.count == 2 * candidatesKept { trim() }
    }

    /// Sorts and keeps the first. Ties stand in order of position already, and stay so.
    mutating func trim() {
        let values = candidates.map(\.value), count = values.count
        let order = [UInt32](unsafeUninitializedCapacity: count) { kernel_order_descending(values, count, $0.baseAddress); $1 = count }
        candidates = order.prefix(candidatesKept).map { candidates[Int($0)] }
        if candidates.count == candidatesKept { threshold = candidates.last!.value }
    }
}

/// One segment's text, as far as examples need it.
private struct SegmentText: Sendable {
    let segment: Segment
    let ids: [Int32]
    let documents: DocumentTable
    /// Each position's place in the document table.
    let documentOf: [UInt32]

    init(_ segment: Segment, _ ids: [Int32], _ documents: DocumentTable) {
        (self.segment, self.ids, self.documents) = (segment, ids, documents)
        var documentOf: [UInt32] = []
        documentOf.reserveCapacity(ids.count)
        var document = documents.index(of: segment.firstPosition)
        while documentOf.count < ids.count {
            let next = document + 1 < documents.count ? documents.starts[document + 1] - segment.firstPosition : ids.count
            documentOf.append(contentsOf: repeatElement(UInt32(document), count: max(0, min(next, ids.count) - documentOf.count)))
            document += 1
        }
        self.documentOf = documentOf
    }

    /// Of the token at `position` of the segment and the four to either side that lie in its document.
    func candidate(at position: Int, _ value: Float, document: Int) -> Candidate {
        let start = max(0, documents.starts[document] - segment.firstPosition)
        let end = min(ids.count, documents.starts[document] + documents.lengths[document] - segment.firstPosition)
        let window = ids[max(start, position - 4)..<min(end, position + 5)].withUnsafeBytes { kernel_checksum(0, $0.baseAddress!.assumingMemoryBound(to: UInt8.self), $0.count) }
        return Candidate(position: segment.firstPosition + position, value: value, document: document, window: window)
    }
}

/// What each feature of a group gets; each place is written by one thread.
private final class Found: @unchecked Sendable {
    typealias Row = (examples: [(Int, Float)], tokens: [Int], topics: [TopicEvidence])
    let rows: UnsafeMutableBufferPointer<Row>

    init(_ count: Int) {
        rows = .allocate(capacity: count)
        rows.initialize(repeating: ([], [], []))
    }

    deinit { rows.deinitialize().deallocate() }
}

private struct DamagedList: Error { let feature: Int }

/// One feature's part of the pass; one thread at a time works on it.
private final class FeatureScan: @unchecked Sendable {
    var strongest = Strongest()
    /// By token of the vocabulary.
    private(set) var tokens: [kernel_token_tally]
    /// Of each document in which it fires: the first `documentCount`.
    private var documents: [kernel_document_tally] = []
    private var documentCount = 0
    private var positions: [UInt32] = []
    private var values: [Float] = []
    private var places: [UInt32] = []

    var documentTallies: ArraySlice<kernel_document_tally> { documents[..<documentCount] }

    init(vocabulary: Int) {
        tokens = .init(repeating: kernel_token_tally(), count: vocabulary)
    }

    func reset() {
        strongest = Strongest()
        documentCount = 0
        tokens.withUnsafeMutableBufferPointer { $0.update(repeating: kernel_token_tally()) }
    }

    /// Takes in one list; false when it is damaged or points beyond its segment or vocabulary.
    func add(_ list: UnsafeRawBufferPointer, _ text: SegmentText) -> Bool {
        guard let bytes = list.baseAddress?.assumingMemoryBound(to: UInt8.self), case let count = kernel_posting_count(bytes, list.count), count > 0 else { return false }
        if positions.count < count {
            positions = .init(repeating: 0, count: 2 * count)
            values = .init(repeating: 0, count: 2 * count)
            places = .init(repeating: 0, count: 2 * count)
        }
        guard kernel_posting_decode(bytes, list.count, count, &positions, &values) == 0, Int(positions[count - 1]) < text.ids.count else { return false }
        guard kernel_tally_tokens(positions, values, count, text.ids, tokens.count, &tokens) == 0 else { return false }
        // One more document for each firing, or for each document of the segment, is the most there can be.
        let room = documentCount + min(count, Int(text.documentOf.last! - text.documentOf.first!) + 1)
        if documents.count < room { documents.append(contentsOf: repeatElement(kernel_document_tally(), count: max(room, 2 * documents.count) - documents.count)) }
        let found = kernel_scan_firings(positions, values, count, text.documentOf, strongest.threshold, &documents, &documentCount, &places)
        for place in places[..<found] where strongest.wants(values[Int(place)]) {
            let position = Int(positions[Int(place)])
            strongest.add(text.candidate(at: position, values[Int(place)], document: Int(text.documentOf[position])))
        }
        return true
    }
}

extension Catalogue {
    func writePostingSummary(of run: Run, forEach: ForEach) throws {
        let vocabulary = try connection.integer("SELECT vocabulary FROM tokenizer JOIN corpus ON tokenizer.id = tokenizer_id WHERE corpus.id = ?", .init(run.corpus)) ?? 0
        let segments = try segments(of: run), documents = try documentTable(of: run.corpus)
        var exampleWriter = try RowWriter(into: "feature_example (run_id, feature_id, rank, position, value)", columns: 5, on: connection)
        var tokenWriter = try RowWriter(into: "feature_token (run_id, feature_id, rank, token, firings, sum)", columns: 6, on: connection)
        let features = run.dictionary.features
        let topics = TopicTable(documents)
        var evidence = RunEvidence(topics)
        // Firings of each feature: of some, `keepTop` may have left out the weaker ones.
        let firings = try firings(of: 0..<features, in: run)
        let scans = (0..<min(features, featuresPerPass(vocabulary: vocabulary, documents: documents.count))).map { _ in FeatureScan(vocabulary: vocabulary) }

        for first in stride(from: 0, to: features, by: scans.count) {
            let group = first..<min(features, first + scans.count)
            try forEach(group.count) { scans[$0].reset() }
            for segment in segments {
                let text = SegmentText(segment, try tokens(of: run.corpus, at: segment.firstPosition..<segment.firstPosition + segment.tokens), documents)
                let slice = try postings(of: group, in: segment)
                do {
                    try forEach(slice.lists.count) { place in
                        let (feature, range) = slice.lists[place]
                        guard slice.bytes.withUnsafeBytes({ scans[feature - first].add(.init(rebasing: $0[range]), text) }) else { throw DamagedList(feature: feature) }
                    }
                } catch let damaged as DamagedList {
                    throw damagedList("feature \(damaged.feature), segment \(segment.id)")
                }
            }
            let found = Found(group.count)
            try forEach(group.count) { place in
                let scan = scans[place], tallies = scan.documentTallies, hasAll = tallies.reduce(0) { $0 + Int($1.firings) } == firings[first + place]
                found.rows[place] = (Catalogue.examples(&scan.strongest), Catalogue.top(tokensKept, of: scan.tokens), topics.evidence(of: tallies, hasAll: hasAll))
            }
            for feature in group {
                let id = run.dictionary.featureID(feature), scan = scans[feature - first], (examples, tokens, topics) = found.rows[feature - first]
                for (place, (position, value)) in examples.enumerated() {
                    try exampleWriter.add(.init(run.id), .init(id), .init(place + 1), .init(position), .init(value))
                }
                for (place, best) in tokens.enumerated() {
                    try tokenWriter.add(.init(run.id), .init(id), .init(place + 1), .init(best), .init(scan.tokens[best].firings), .real(scan.tokens[best].sum))
                }
                evidence.add(topics, of: feature)
            }
        }
        try exampleWriter.finish()
        try tokenWriter.finish()
        try write(evidence, of: run)
    }

    /// The strongest firings that show something new: not the same tokens again, and few from any one document.
    private static func examples(_ strongest: inout Strongest) -> [(Int, Float)] {
        strongest.trim()
        var taken: [(Int, Float)] = []
        var windows: Set<UInt64> = [], perDocument: [Int: Int] = [:]
        for candidate in strongest.candidates {
            guard perDocument[candidate.document, default: 0] < examplesPerDocument, windows.insert(candidate.window).inserted else { continue }
            perDocument[candidate.document, default: 0] += 1
            taken.append((candidate.position, candidate.value))
            if taken.count == examplesKept { break }
        }
        return taken
    }

    /// The places of the `count` largest positive sums, largest first, ties to the earlier.
    private static func top(_ count: Int, of tallies: [kernel_token_tally]) -> [Int] {
        var best: [(place: Int, value: Double)] = []
        for place in tallies.indices where tallies[place].sum > 0 {
            let value = tallies[place].sum
            if best.count == count, value <= best[count - 1].value { continue }
            let at = best.firstIndex { $0.value < value } ?? best.count
            best.insert((place, value), at: at)
            if best.count > count { best.removeLast() }
        }
        return best.map(\.place)
    }

    /// Leaves only the `keep` strongest firings of each feature, ties to the earlier.
    func prune(_ run: Run, to keep: Int) throws {
        let segments = try segments(of: run)
        var read = try Statement("SELECT list FROM posting WHERE id = ?", on: connection)
        var write = try Statement("UPDATE posting SET list = ? WHERE id = ?", on: connection)
        var remove = try Statement("DELETE FROM posting WHERE id = ?", on: connection)
        for feature in 0..<run.dictionary.features {
            var all = PostingList()
            var ends: [Int] = []
            for segment in segments {
                read.bind(firstPostingID(ofSegment: segment.id) + feature, at: 0)
                if try read.step() {
                    try read.withBlob(0) { try append($0, from: segment.firstPosition, to: &all) { "feature \(feature), segment \(segment.id)" } }
                    read.reset()
                }
                ends.append(all.count)
            }
            guard all.count > keep else { continue }
            let kept = Set(all.values.indices.sorted { all.values[$0] == all.values[$1] ? $0 < $1 : all.values[$0] > all.values[$1] }.prefix(keep))
            var start = 0
            for (segment, end) in zip(segments, ends) {
                let places = (start..<end).filter(kept.contains)
                start = end
                let id = firstPostingID(ofSegment: segment.id) + feature
                if places.isEmpty { try remove.run(.init(id)); continue }
                var list = [UInt8](repeating: 0, count: kernel_posting_bound(places.count))
                var rounded = [Float](repeating: 0, count: places.count)
                let bytes = kernel_posting_encode(places.map { UInt32(all.positions[$0] - segment.firstPosition) }, places.map { all.values[$0] }, places.count, &list, &rounded)
                try write.run(.blob(Array(list[..<bytes])), .init(id))
            }
        }
        var checksum = try Statement("UPDATE segment SET checksum = ? WHERE id = ?", on: connection)
        for segment in segments { try checksum.run(.integer(Int64(bitPattern: try self.checksum(ofSegment: segment.id))), .init(segment.id)) }
    }

    /// The checksum of a segment's posting lists as they are, in feature order.
    func checksum(ofSegment id: Int) throws -> UInt64 {
        var sum: UInt64 = 0
        try connection.query("SELECT list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(firstPostingID(ofSegment: id)), .init(firstPostingID(ofSegment: id + 1))]) { row in
            row.withBlob(0) { bytes in
                if let start = bytes.baseAddress { sum = kernel_checksum(sum, start.assumingMemoryBound(to: UInt8.self), bytes.count) }
            }
        }
        return sum
    }
}
