import CSQLite
import Glibc

// FTS5's bm25() asks the table of lengths (%_docsize) for each row that matches, by a search of its tree: half a microsecond each, and most
// of what a query for a frequent word costs (40,000 rows of 131,072: 25 ms). Rows come in the order of that table, so here it is read along with
// them, and searched only over gaps: 13 ms for the same numbers.

/// One query's ranking: what its words weigh, and where in the table of lengths it is.
private final class Relevance {
    /// Rows that are read over rather than searched for the next: a search costs as much as reading some eight.
    static let gap: Int64 = 8

    let weights: [Double]
    private let inverseFrequencies: [Double]
    private let averageLength: Double
    private let lengths: OpaquePointer
    /// The row of `lengths`; before the first, and behind the last, none.
    private var at: Int64?

    init?(_ api: UnsafePointer<Fts5ExtensionApi>, _ context: OpaquePointer, _ weights: [Double], _ lengths: OpaquePointer) {
        self.weights = weights
        self.lengths = lengths
        var rows: sqlite3_int64 = 0, words: sqlite3_int64 = 0
        guard api.pointee.xRowCount(context, &rows) == SQLITE_OK, api.pointee.xColumnTotalSize(context, -1, &words) == SQLITE_OK, rows > 0 else { sqlite3_finalize(lengths); return nil }
        averageLength = Double(words) / Double(rows)
        var inverse: [Double] = []
        for phrase in 0..<api.pointee.xPhraseCount(context) {
            var hits: sqlite3_int64 = 0
            guard api.pointee.xQueryPhrase(context, phrase, &hits, { _, _, hits in
                hits!.assumingMemoryBound(to: sqlite3_int64.self).pointee += 1
                return SQLITE_OK
            }) == SQLITE_OK else { sqlite3_finalize(lengths); return nil }
            // FTS5's: a word that is in more than half of the rows says next to nothing, not less.
            let frequency = log((Double(rows - hits) + 0.5) / (Double(hits) + 0.5))
            inverse.append(frequency <= 0 ? 1e-6 : frequency)
        }
        inverseFrequencies = inverse
    }

    deinit { sqlite3_finalize(lengths) }

    /// Words in all columns of a row; `nil` where the table of lengths has no such row.
    private func length(of row: Int64) -> Double? {
        if let here = at, here <= row, row - here <= Relevance.gap {
            while let here = at, here < row { step() }
        } else {
            sqlite3_reset(lengths)
            sqlite3_bind_int64(lengths, 1, row)
            step()
        }
        guard at == row, let start = sqlite3_column_blob(lengths, 1) else { return nil }
        // One varint for each column, the high groups first.
        var sum: UInt32 = 0, value: UInt32 = 0
        for byte in UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(lengths, 1))) {
            value = value << 7 | UInt32(byte & 0x7f)
            if byte & 0x80 == 0 { sum &+= value; value = 0 }
        }
        return Double(sum)
    }

    private func step() { at = sqlite3_step(lengths) == SQLITE_ROW ? sqlite3_column_int64(lengths, 0) : nil }

    /// BM25 of the current row, as bm25() has it: less is better.
    func rank(_ api: UnsafePointer<Fts5ExtensionApi>, _ context: OpaquePointer) -> Double? {
        guard let length = length(of: api.pointee.xRowid(context)) else { return nil }
        let norm = 1.2 * (0.25 + 0.75 * length / averageLength)
        var sum = 0.0
        for (phrase, inverse) in inverseFrequencies.enumerated() {
            var iterator = Fts5PhraseIter(), column: Int32 = 0, offset: Int32 = 0, frequency = 0.0
            guard api.pointee.xPhraseFirst(context, Int32(phrase), &iterator, &column, &offset) == SQLITE_OK else { return nil }
            while column >= 0 {
                frequency += Int(column) < weights.count ? weights[Int(column)] : 1
                api.pointee.xPhraseNext(context, &iterator, &column, &offset)
            }
            sum += inverse * frequency * 2.2 / (frequency + norm)
        }
        return -sum
    }
}

extension Connection {
    /// Registers `relevance(table, weight, …)`: the numbers of FTS5's `bm25(table, weight, …)`, in half of the time where many rows match.
    ///
    /// - Parameter table: the one full-text table that it is for, which keeps the lengths of its columns (columnsize=1).
    public func registerRelevance(of table: String) throws(SQLiteError) {
        var api: UnsafeMutablePointer<fts5_api>?
        do {
            var prepared: OpaquePointer?
            guard sqlite3_prepare_v2(handle, "SELECT fts5(?1)", -1, &prepared, nil) == SQLITE_OK else { throw SQLiteError(handle, sql: nil) }
            defer { sqlite3_finalize(prepared) }
            withUnsafeMutablePointer(to: &api) { _ = sqlite3_bind_pointer(prepared, 1, $0, "fts5_api_ptr", nil) }
            sqlite3_step(prepared)
        }
        guard let api else { throw SQLiteError(code: SQLITE_ERROR, message: "this SQLite has no full-text search (FTS5)", sql: nil) }
        final class Source {
            let handle: OpaquePointer, sql: String
            init(_ handle: OpaquePointer, _ sql: String) { (self.handle, self.sql) = (handle, sql) }
        }
        // The connection outlives its functions.
        let source = Unmanaged.passRetained(Source(handle, "SELECT id, sz FROM main.\"\(table)_docsize\" WHERE id >= ?1 ORDER BY id"))
        let code = api.pointee.xCreateFunction(api, "relevance", source.toOpaque(), { api, fts, context, count, values in
            guard let api, let fts else { return }
            let relevance: Relevance
            if let known = api.pointee.xGetAuxdata(fts, 0) {
                relevance = Unmanaged<Relevance>.fromOpaque(known).takeUnretainedValue()
            } else {
                let source = Unmanaged<Source>.fromOpaque(api.pointee.xUserData(fts)!).takeUnretainedValue()
                var lengths: OpaquePointer?
                guard sqlite3_prepare_v2(source.handle, source.sql, -1, &lengths, nil) == SQLITE_OK, let lengths,
                      let made = Relevance(api, fts, (0..<Int(count)).map { sqlite3_value_double(values![$0]) }, lengths) else { return sqlite3_result_error(context, "the lengths of the words cannot be read", -1) }
                // Even where it refuses, it has let go of what it was given.
                guard api.pointee.xSetAuxdata(fts, Unmanaged.passRetained(made).toOpaque(), { Unmanaged<Relevance>.fromOpaque($0!).release() }) == SQLITE_OK else { return sqlite3_result_error(context, "out of memory", -1) }
                relevance = made
            }
            if let rank = relevance.rank(api, fts) { sqlite3_result_double(context, rank) } else { sqlite3_result_error(context, "the words are damaged: a row has no length", -1) }
        }, { Unmanaged<Source>.fromOpaque($0!).release() })
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "cannot register the function relevance", sql: nil) }
    }
}
