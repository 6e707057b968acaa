import Kernels

/// Sums of every unit over disjoint sets of documents, from posting lists read once in order of segment and feature.
private struct DocumentTally {
    /// By document, its set, or `sets` for a document of none; and its tokens.
    private let setOf: [Int], tokens: [Double]
    private let sets: Int
    /// Of each unit, the document that may go on in the next segment, and its firings so far.
    private var pending: [(document: Int, firings: Int)]
    /// Unit by unit, one for each set.
    private var sums: [DocumentSums]

    init(units: Int, sets: Int, setOf: [Int], lengths: [Int]) {
        (self.setOf, self.sets) = (setOf, sets)
        tokens = lengths.map(Double.init)
        pending = .init(repeating: (-1, 0), count: units)
        sums = .init(repeating: DocumentSums(), count: units * sets)
    }

    /// Documents come in ascending order, one perhaps several times in a row.
    mutating func add(_ firings: Int, of unit: Int, in document: Int) {
        if pending[unit].document == document { pending[unit].firings += firings; return }
        flush(unit)
        pending[unit] = (document, firings)
    }

    private mutating func flush(_ unit: Int) {
        let (document, firings) = pending[unit]
        guard document >= 0, setOf[document] < sets else { return }
        sums[unit * sets + setOf[document]].add(Double(firings), tokens[document])
    }

    mutating func finish() -> [DocumentSums] {
        for unit in pending.indices { flush(unit) }
        return sums
    }
}

/// The documents of one segment, numbered from 0.
struct SegmentDocuments {
    /// Place in the document table of document 0.
    let first: Int
    /// By position in the segment; by document, the position behind it.
    let documentOf, ends: [UInt32]

    init(_ segment: Segment, _ table: DocumentTable) {
        first = table.index(of: segment.firstPosition)
        var documentOf: [UInt32] = [], ends: [UInt32] = []
        documentOf.reserveCapacity(segment.tokens)
        while documentOf.count < segment.tokens {
            let next = first + ends.count + 1
            let end = next < table.count ? max(0, table.starts[next]) - max(0, segment.firstPosition) : segment.tokens
            documentOf.append(contentsOf: repeatElement(UInt32(ends.count), count: max(0, min(end, segment.tokens) - documentOf.count)))
            ends.append(UInt32(documentOf.count))
        }
        (self.documentOf, self.ends) = (documentOf, ends)
    }
}

extension Catalogue {
    /// The sums of every unit over each of `sets` sets of documents: unit by unit, one for each set.
    ///
    /// Reads every posting list of the run once, positions only: some nanoseconds a firing. A family's firings in a document are those of its
    /// members together.
    /// - Parameter setOf: of each document of `table`, its set, or `sets`.
    func documentSums(of run: Run, _ units: FeatureUnits, setOf: [Int], sets: Int, _ table: DocumentTable) throws -> [DocumentSums] {
        var tally = DocumentTally(units: units.units.count, sets: sets, setOf: setOf, lengths: table.lengths)
        let isFamily = units.units.map(\.isFamily)
        for segment in try segments(of: run) {
            guard (0...1 << 28).contains(segment.tokens), !table.starts.isEmpty else { throw damagedList("segment \(segment.id)") }
            let place = SegmentDocuments(segment, table), count = place.ends.count
            var documents = [UInt32](repeating: 0, count: count), counts = documents
            var families = FamilyCounts(documents: count)
            let first = firstPostingID(ofSegment: segment.id)
            try connection.query("SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(first), .init(firstPostingID(ofSegment: segment.id + 1))]) { row in
                let feature = row.integer(0) - first
                let entries = row.withBlob(1) { list in
                    list.baseAddress.map {
                        kernel_posting_count_by_document($0.assumingMemoryBound(to: UInt8.self), list.count, place.documentOf, place.ends, segment.tokens, &documents, &counts)
                    } ?? -1
                }
                guard units.unitOf.indices.contains(feature), entries >= 0 else { throw damagedList("feature \(feature), segment \(segment.id)") }
                let unit = units.unitOf[feature]
                if isFamily[unit] { families.append(documents[..<entries], counts[..<entries], to: unit); return }
                for entry in 0..<entries { tally.add(Int(counts[entry]), of: unit, in: place.first + Int(documents[entry])) }
            }
            families.forEach { unit, document, firings in tally.add(firings, of: unit, in: place.first + document) }
        }
        return tally.finish()
    }
}

/// Members' firings in the documents of one segment, until all members have been read.
private struct FamilyCounts {
    private var entries: [Int: [(document: UInt32, firings: UInt32)]] = [:]
    private let documents: Int

    init(documents: Int) { self.documents = documents }

    mutating func append(_ documents: ArraySlice<UInt32>, _ counts: ArraySlice<UInt32>, to unit: Int) {
        entries[unit, default: []].append(contentsOf: zip(documents, counts).lazy.map { (document: $0, firings: $1) })
    }

    /// Each family's documents ascending, each document once.
    func forEach(_ body: (_ unit: Int, _ document: Int, _ firings: Int) -> Void) {
        var firings = [Int](repeating: 0, count: documents), isMet = [UInt64](repeating: 0, count: (documents + 63) / 64)
        for (unit, entries) in entries {
            for entry in entries {
                firings[Int(entry.document)] += Int(entry.firings)
                isMet[Int(entry.document) / 64] |= 1 << UInt64(entry.document % 64)
            }
            for word in isMet.indices {
                while isMet[word] != 0 {
                    let document = word * 64 + isMet[word].trailingZeroBitCount
                    body(unit, document, firings[document])
                    firings[document] = 0
                    isMet[word] &= isMet[word] - 1
                }
            }
        }
    }
}
