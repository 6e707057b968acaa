import Diagnostics
import Kernels
import SQLite

// One pass over all postings of a run: examples and tokens of each feature, written as rows of references.

/// Examples kept for each feature, at most.
let examplesKept = 20
/// Of the strongest firings, how many are looked at to find examples that differ.
private let candidatesKept = 512
/// Examples from one document, at most.
let examplesPerDocument = 3
/// Tokens kept for each feature.
let tokensKept = 5
/// Features that are counted in one pass: 64 × the vocabulary × 12 bytes, and fewer where there are so many documents
/// that their maxima would fill the memory instead.
private func featuresPerPass(documents: Int) -> Int { max(1, min(64, (1 << 22) / max(1, documents))) }

private struct Candidate {
    let position: Int
    let value: Float
    /// Place in the document table.
    let document: Int
    /// Of the token and the four to either side (as the paper shows them) that lie in its document and segment.
    let window: UInt64

    static func precedes(_ a: Candidate, _ b: Candidate) -> Bool { a.value == b.value ? a.position < b.position : a.value > b.value }
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

    mutating func trim() {
        candidates.sort(by: Candidate.precedes)
        if candidates.count >= candidatesKept {
            candidates.removeLast(candidates.count - candidatesKept)
            threshold = candidates.last!.value
        }
    }
}

extension Catalogue {
    func writePostingSummary(of run: Run) throws {
        let vocabulary = try connection.integer("SELECT vocabulary FROM tokenizer JOIN corpus ON tokenizer.id = tokenizer_id WHERE corpus.id = ?", .init(run.corpus)) ?? 0
        let segments = try segments(of: run), documents = try documentTable(of: run.corpus)
        var lists = try Statement("SELECT list FROM posting WHERE id = ?", on: connection)
        var example = try Statement("INSERT INTO feature_example (run_id, feature_id, rank, position, value) VALUES (?, ?, ?, ?, ?)", on: connection)
        var token = try Statement("INSERT INTO feature_token (run_id, feature_id, rank, token, firings, sum) VALUES (?, ?, ?, ?, ?, ?)", on: connection)
        let features = run.dictionary.features

        var detector = try Statement("UPDATE feature_topic SET threshold = ?, precision = ?, recall = ?, f1 = ? WHERE run_id = ? AND topic_id = ? AND feature_id = ?", on: connection)
        let detectors = TopicDetectors(documents)
        let step = featuresPerPass(documents: documents.count)

        for first in stride(from: 0, to: features, by: step) {
            let group = first..<min(features, first + step)
            var maxima = [[(document: Int, value: Float)]](repeating: [], count: group.count)
            var counts = [UInt32](repeating: 0, count: group.count * vocabulary)
            var sums = [Double](repeating: 0, count: group.count * vocabulary)
            var strongest = [Strongest](repeating: Strongest(), count: group.count)
            for segment in segments {
                let ids = try tokens(of: run.corpus, at: segment.firstPosition..<segment.firstPosition + segment.tokens)
                guard ids.allSatisfy({ $0 >= 0 && $0 < vocabulary }) else {
                    throw MonosemeError("segment \(segment.id) has tokens that are not in the vocabulary", hint: "monoseme check lists all damage")
                }
                for feature in group {
                    lists.bind(firstPostingID(ofSegment: segment.id) + feature, at: 0)
                    guard try lists.step() else { continue }
                    var firings = PostingList()
                    try lists.withBlob(0) { try append($0, from: 0, to: &firings) { "feature \(feature), segment \(segment.id)" } }
                    lists.reset()
                    guard let last = firings.positions.last, last < ids.count else { throw MonosemeError("a posting list points beyond its segment (feature \(feature), segment \(segment.id))", hint: "monoseme check lists all damage") }
                    let row = (feature - first) * vocabulary
                    var document = documents.index(of: segment.firstPosition + firings.positions[0])
                    for (position, value) in zip(firings.positions, firings.values) {
                        let id = row + Int(ids[position])
                        counts[id] += 1
                        sums[id] += Double(value)
                        while document + 1 < documents.count, documents.starts[document + 1] <= segment.firstPosition + position { document += 1 }
                        maxima[feature - first].raise(document, to: value)
                        guard strongest[feature - first].wants(value) else { continue }
                        let start = max(0, documents.starts[document] - segment.firstPosition)
                        let end = min(ids.count, documents.starts[document] + documents.lengths[document] - segment.firstPosition)
                        let window = ids[max(start, position - 4)..<min(end, position + 5)].withUnsafeBytes { kernel_checksum(0, $0.baseAddress!.assumingMemoryBound(to: UInt8.self), $0.count) }
                        strongest[feature - first].add(Candidate(position: segment.firstPosition + position, value: value, document: document, window: window))
                    }
                }
            }
            for feature in group {
                let row = (feature - first) * vocabulary, id = run.dictionary.featureID(feature)
                for (place, (position, value)) in examples(&strongest[feature - first]).enumerated() {
                    try example.run(.init(run.id), .init(id), .init(place + 1), .init(position), .init(value))
                }
                for (place, best) in top(tokensKept, of: sums[row..<row + vocabulary]).enumerated() {
                    try token.run(.init(run.id), .init(id), .init(place + 1), .init(best), .init(Int(counts[row + best])), .real(sums[row + best]))
                }
                for (topic, best) in detectors.best(&maxima[feature - first]) {
                    try detector.run(.init(best.threshold), .real(best.precision), .real(best.recall), .real(best.f1), .init(run.id), .init(topic), .init(id))
                }
            }
        }
    }

    /// The strongest firings that show something new: not the same tokens again, and few from any one document.
    private func examples(_ strongest: inout Strongest) -> [(Int, Float)] {
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

    /// The places of the `count` largest positive numbers, largest first, ties to the earlier.
    private func top(_ count: Int, of numbers: ArraySlice<Double>) -> [Int] {
        var best: [(place: Int, value: Double)] = []
        for (place, value) in numbers.enumerated() where value > 0 {
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
