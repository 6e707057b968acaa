import Diagnostics
import Kernels
import SQLite

/// How often a feature fires on some tokens.
public struct FiringCount: Sendable, Equatable {
    public let feature: Int
    /// Firings there, the documents these are in, and the sum of their activations.
    public let count: Int
    public let documents: Int
    public let sum: Double
}

extension Catalogue {
    /// The tokens on which a feature fires, as a set over the run's corpus.
    /// - Throws: where the run kept only the strongest firings.
    public func firingPositions(of feature: Int, in run: Run) throws -> PositionSet {
        try demandEveryFiring(of: run)
        let length = try positionCount(of: run.corpus), positions = try firings(of: feature, in: run).positions
        guard positions.last.map({ $0 < length }) ?? true else { throw damagedList("feature \(feature)") }
        return PositionSet(positions, length: length)
    }

    /// Which features fire on the tokens at `marks`, and how often: most often first, ties by feature.
    ///
    /// "Who fires in the holes?" is this question, asked about the tokens where a tag holds, or a parent fires, and the feature in
    /// question does not. Reads the posting lists of all features in the segments that hold a mark: some nanoseconds a firing there.
    /// - Throws: where the run kept only the strongest firings, from which nothing exact can be counted.
    public func firingCounts(at marks: PositionSet, in run: Run) throws -> [FiringCount] {
        try demandEveryFiring(of: run)
        try demandSoundShape(run.dictionary)
        var tallies = [kernel_marked_tally](repeating: kernel_marked_tally(), count: run.dictionary.features)
        for segment in try soundSegments(of: run) where marks.count(in: segment.firstPosition..<segment.firstPosition + segment.tokens) > 0 {
            let documents = try documents(of: segment, in: run.corpus)
            try forEachList(in: segment) { feature, list in
                guard tallies.indices.contains(feature),
                      kernel_posting_tally_marked(list.bytes, list.count, segment.firstPosition, marks.words, marks.length, documents, segment.tokens, &tallies[feature]) == 0 else {
                    throw damagedList("feature \(feature), segment \(segment.id)")
                }
            }
        }
        return tallies.indices.lazy.filter { tallies[$0].count > 0 }
            .map { FiringCount(feature: $0, count: tallies[$0].count, documents: tallies[$0].documents, sum: tallies[$0].sum) }
            .sorted { $0.count != $1.count ? $0.count > $1.count : $0.feature < $1.feature }
    }

    /// A segment's lists as they lie in the file, in order of features.
    func forEachList(in segment: Segment, _ body: (Int, (bytes: UnsafePointer<UInt8>, count: Int)) throws -> Void) throws {
        let first = firstPostingID(ofSegment: segment.id)
        try connection.query("SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(first), .init(firstPostingID(ofSegment: segment.id + 1))]) { row in
            let feature = row.integer(0) - first
            try row.withBlob(1) { list in
                guard let bytes = list.baseAddress else { throw damagedList("feature \(feature), segment \(segment.id)") }
                try body(feature, (bytes.assumingMemoryBound(to: UInt8.self), list.count))
            }
        }
    }

    /// The document of each token of a segment, numbered by where it begins in order, the same in all segments.
    func documents(of segment: Segment, in corpus: Int) throws -> [UInt32] {
        let start = try connection.integer("SELECT max(first_position) FROM document WHERE corpus_id = ? AND first_position <= ?", .init(corpus), .init(segment.firstPosition)) ?? 0
        var documents = [UInt32](repeating: 0, count: segment.tokens)
        try connection.query("SELECT first_position, tokens, ordinal FROM document WHERE corpus_id = ? AND first_position >= ? AND first_position < ? ORDER BY first_position",
                             [.init(corpus), .init(start), .init(segment.firstPosition + segment.tokens)]) { row in
            let first = row.integer(0) &- segment.firstPosition, (end, isTooFar) = first.addingReportingOverflow(row.integer(1))
            guard !isTooFar, first <= end else { return }
            for place in max(0, first)..<max(0, first, min(end, segment.tokens)) { documents[place] = UInt32(truncatingIfNeeded: row.integer(2)) }
        }
        return documents
    }

    /// The segments of what `run` says it has read, made sure that they lie end to end, so that positions in them are positions.
    /// An ingest may have added others since.
    func soundSegments(of run: Run) throws -> [Segment] {
        var next = 0
        let length = try positionCount(of: run.corpus)
        return try segments(of: run).filter { segment in
            if next == run.tokens { return false }
            guard segment.firstPosition == next, segment.tokens > 0, segment.tokens <= run.tokens - next, segment.tokens <= length - next else {
                throw MonosemeError("segment \(segment.ordinal) of \(run.dictionary.name) in \(quoted(path, limit: 400)) is damaged", hint: "monoseme check lists all damage; ingest again or restore a copy")
            }
            next += segment.tokens
            return true
        }
    }

    /// - Throws: where the run kept only the strongest firings, from which nothing exact can be counted.
    public func demandEveryFiring(of run: Run, for what: String = "on which tokens a feature fires cannot be told") throws {
        if run.evidence == .examples {
            let origin = try importOrigin(of: run)
            throw MonosemeError("\(run.dictionary.name) was imported\(origin.map { " from \($0.title)" } ?? ""): it has the firings of its example windows only, \(what) from these",
                                hint: "ingest the autoencoder over a corpus under another name: monoseme ingest --model DIR --sae DIR --corpus FILE --name NAME")
        }
        guard let keepTop = run.keepTop else { return }
        throw MonosemeError("\(run.dictionary.name) keeps only the \(keepTop) strongest firings of each feature: \(what) from these", hint: "ingest it again without --keep top")
    }
}
