import Diagnostics
import Formats
import SQLite

/// Writes segments of one corpus for one or more runs: each call is one transaction.
///
/// Holds the running statistics of each run, so that a segment's share is added in memory and written as whole rows;
/// what is in the file always equals what is held here.
public final class SegmentWriter {
    private let catalogue: Catalogue
    private let corpus: Int
    private let usesShortTokens: Bool
    private var corpusTokens: Int
    private var topicIDs: [String: Int] = [:]
    private var sourceIDs: [String: Int] = [:]
    /// Of each run, by run id.
    private var statistics: [Int: [ActivationStatistics]] = [:]

    public init(_ catalogue: Catalogue, corpus: Corpus, runs: [Run]) throws {
        self.catalogue = catalogue
        self.corpus = corpus.id
        corpusTokens = corpus.tokens
        try catalogue.demandWholeText(of: corpus)
        usesShortTokens = try catalogue.connection.integer("SELECT vocabulary FROM tokenizer WHERE id = ?", .init(corpus.tokenizer)) ?? 0 <= 65_536
        for run in runs { statistics[run.id] = try catalogue.statistics(of: run) }
    }

    /// Tokens of the corpus that are in the catalogue already.
    public var knownTokens: Int { corpusTokens }

    /// Where each feature of `run` last fired; −1 where it has not.
    public func lastPositions(of run: Run) -> [Int] { statistics[run.id]!.map { $0.lastPosition ?? -1 } }

    /// Keeps one segment: its tokens and documents where the corpus does not hold them yet, and each run's share.
    /// - Throws: when the tokens differ from those the corpus already holds at this place; nothing is kept then.
    public func commit(_ layout: SegmentLayout, _ indexes: [(run: Run, index: SegmentIndex)], at time: String) throws {
        var updated: [(run: Int, merged: [(feature: Int, statistics: ActivationStatistics)])] = []
        do {
            try catalogue.connection.transaction {
                try keepTokens(of: layout)
                for (run, index) in indexes { updated.append((run.id, try keep(index, of: run, layout, at: time))) }
            }
        } catch {
            // Topics and sources that were added have been taken back, and their ids may be given to others.
            topicIDs = [:]
            sourceIDs = [:]
            throw error
        }
        // Only after the commit: a transaction that failed has changed nothing here either.
        corpusTokens = max(corpusTokens, layout.firstPosition + layout.tokens.count)
        for (run, merged) in updated { for (feature, value) in merged { statistics[run]![feature] = value } }
    }

    /// Compares with what the corpus holds and adds what is new.
    public func keepTokens(of layout: SegmentLayout) throws {
        let known = max(0, min(layout.tokens.count, corpusTokens - layout.firstPosition))
        if known > 0, try catalogue.tokens(of: corpus, at: layout.firstPosition..<layout.firstPosition + known) != Array(layout.tokens.prefix(known)) {
            let name = try catalogue.corpus(corpus).name
            throw MonosemeError("the text of the corpus \(quoted(name)) has changed: tokens \(layout.firstPosition) to \(layout.firstPosition + known) are not those read before",
                                hint: "restore the text, or ingest what is there now under another name")
        }
        guard known < layout.tokens.count else { return }
        let first = layout.firstPosition + known
        let bytes: [UInt8] = layout.tokens[known...].withContiguousStorageIfAvailable { ids in
            usesShortTokens ? ids.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
                : ids.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } }
        } ?? []
        try catalogue.connection.run("INSERT INTO token_block (corpus_id, first_position, tokens, token_ids, sha256) VALUES (?, ?, ?, ?, ?)", .init(corpus), .init(first),
                                     .init(layout.tokens.count - known), .blob(bytes), .text(hexadecimal(bytes.withUnsafeBytes { SHA256.digest(of: $0) })))
        var insert = try Statement("""
            INSERT INTO document (corpus_id, first_position, tokens, ordinal, topic_id, source_id, line) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET tokens = tokens + excluded.tokens
            """, on: catalogue.connection)
        var count = try Statement("UPDATE topic SET tokens = tokens + ?, documents = documents + ? WHERE id = ?", on: catalogue.connection)
        var position = layout.firstPosition
        var documents = 0
        for part in layout.parts {
            let fresh = position + part.tokens - max(position, first)
            position += part.tokens
            guard fresh > 0 else { continue }
            let isNew = part.documentFirstPosition >= corpusTokens
            let topic = try id(ofTopic: part.topic)
            try insert.run(.init(corpus), .init(part.documentFirstPosition), .init(fresh), .init(part.ordinal), .init(topic), .init(try id(ofSource: part.source)), .init(part.line))
            try count.run(.init(fresh), .init(isNew ? 1 : 0), .init(topic))
            documents += isNew ? 1 : 0
        }
        try catalogue.connection.run("UPDATE corpus SET tokens = tokens + ?, documents = documents + ? WHERE id = ?", .init(layout.tokens.count - known), .init(documents), .init(corpus))
    }

    private func keep(_ index: SegmentIndex, of run: Run, _ layout: SegmentLayout, at time: String) throws -> [(feature: Int, statistics: ActivationStatistics)] {
        let connection = catalogue.connection
        try connection.run("INSERT INTO segment (run_id, ordinal, first_position, tokens, firings, checksum, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                           .init(run.id), .init(layout.ordinal), .init(layout.firstPosition), .init(layout.tokens.count), .init(index.firings),
                           .integer(Int64(bitPattern: index.checksum)), .text(time))
        let segment = connection.lastInsertedRow
        var posting = try Statement("INSERT INTO posting (id, list) VALUES (?, ?)", on: connection)
        var statistic = try Statement("""
            UPDATE statistic SET firings = ?, documents = ?, sum = ?, sum_of_squares = ?, maximum = ?, maximum_position = ?, last_position = ?, histogram = ?
            WHERE run_id = ? AND feature_id = ?
            """, on: connection)
        var topicWriter = try RowWriter(into: "feature_topic (run_id, topic_id, feature_id, firings, documents, sum, maximum)", columns: 7, """
            ON CONFLICT DO UPDATE SET firings = firings + excluded.firings, documents = documents + excluded.documents, sum = sum + excluded.sum,
                maximum = max(maximum, excluded.maximum)
            """, on: connection)
        let topics = try index.topics.map { try id(ofTopic: $0) }
        let before = statistics[run.id]!
        var merged: [(feature: Int, statistics: ActivationStatistics)] = []
        merged.reserveCapacity(index.entries.count)
        try index.lists.withUnsafeBytes { lists in
            for entry in index.entries {
                posting.bind(firstPostingID(ofSegment: segment) + entry.feature, at: 0)
                posting.bind(borrowing: UnsafeRawBufferPointer(rebasing: lists[entry.list]), at: 1)
                try posting.run()
                var total = before[entry.feature]
                total.append(entry.statistics)
                merged.append((entry.feature, total))
                statistic.bind(total.firings, at: 0)
                statistic.bind(total.documents, at: 1)
                statistic.bind(total.sum, at: 2)
                statistic.bind(total.sumOfSquares, at: 3)
                statistic.bind(Double(total.maximum), at: 4)
                statistic.bind(total.maximumPosition!, at: 5)
                statistic.bind(total.lastPosition!, at: 6)
                statistic.bind(total.histogram.bytes, at: 7)
                statistic.bind(run.id, at: 8)
                statistic.bind(run.dictionary.featureID(entry.feature), at: 9)
                try statistic.run()
            }
        }
        // In the order of the table's key, so that neighbouring rows are touched together.
        var byTopic = [[(feature: Int, entry: Int, place: Int)]](repeating: [], count: topics.count)
        for (place, entry) in index.entries.enumerated() { for (at, tally) in entry.topics.enumerated() { byTopic[tally.topic].append((entry.feature, place, at)) } }
        for place in topics.indices.sorted(by: { topics[$0] < topics[$1] }) {
            for (feature, entry, at) in byTopic[place] {
                let tally = index.entries[entry].topics[at].tally
                try topicWriter.append(.init(run.id))
                try topicWriter.append(.init(topics[place]))
                try topicWriter.append(.init(run.dictionary.featureID(feature)))
                try topicWriter.append(.init(tally.firings))
                try topicWriter.append(.init(tally.documents))
                try topicWriter.append(.real(tally.sum))
                try topicWriter.append(.init(tally.maximum))
            }
        }
        try topicWriter.finish()
        try connection.run("UPDATE run SET tokens = tokens + ?, firings = firings + ? WHERE id = ?", .init(layout.tokens.count), .init(index.firings), .init(run.id))
        return merged
    }

    private func id(ofTopic name: String) throws -> Int {
        if let known = topicIDs[name] { return known }
        try catalogue.connection.run("INSERT INTO topic (corpus_id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", .init(corpus), .text(name))
        let id = try catalogue.connection.integer("SELECT id FROM topic WHERE corpus_id = ? AND name = ?", .init(corpus), .text(name))!
        topicIDs[name] = id
        return id
    }

    private func id(ofSource path: String) throws -> Int {
        if let known = sourceIDs[path] { return known }
        try catalogue.connection.run("INSERT INTO source (corpus_id, path) VALUES (?, ?) ON CONFLICT DO NOTHING", .init(corpus), .text(path))
        let id = try catalogue.connection.integer("SELECT id FROM source WHERE corpus_id = ? AND path = ?", .init(corpus), .text(path))!
        sourceIDs[path] = id
        return id
    }
}
