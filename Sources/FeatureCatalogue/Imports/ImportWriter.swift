import Diagnostics
import Formats
import Glibc
import Kernels
import SQLite

/// What a source says of one feature.
public struct ImportedFeature: Sendable {
    public var index: Int
    /// The share of tokens on which it fires.
    public var density: Double?
    /// Tokens by `ImportWriter.intern`, the most raised and the most lowered first.
    public var raisedLogits: [(token: UInt32, value: Double)] = []
    public var loweredLogits: [(token: UInt32, value: Double)] = []
    /// By decoder weight, the strongest first.
    public var neurons: [(neuron: Int, value: Double)] = []
    /// What else it says, a JSON object.
    public var residue = "{}"

    public init(index: Int, density: Double?) { (self.index, self.density) = (index, density) }
}

/// One example row, its tokens by `ImportWriter.intern`.
public struct ImportedRow {
    public var feature: Int
    public var tokens: UnsafeBufferPointer<UInt32>
    /// Activations other than 0, by place in the window.
    public var fired: UnsafeBufferPointer<kernel_json_fired>
    /// What else the source says of it, a JSON object.
    public var residue: UnsafeBufferPointer<UInt8>
    /// Of the source's file, from 1.
    public var line: Int?

    public init(feature: Int, tokens: UnsafeBufferPointer<UInt32>, fired: UnsafeBufferPointer<kernel_json_fired>, residue: UnsafeBufferPointer<UInt8>, line: Int?) {
        (self.feature, self.tokens, self.fired, self.residue, self.line) = (feature, tokens, fired, residue, line)
    }
}

/// Writes a dictionary version that came as text: features with examples, each a window of spelled tokens with its activations.
///
/// The windows, each once among those of a segment, are laid end to end as the documents of a corpus of their own; their spellings, numbered as they come, are
/// its vocabulary. What fires in them makes posting lists like any others. The caller holds one transaction from beginning to end, in which everything is kept or nothing.
public final class ImportWriter {
    private let catalogue: Catalogue
    private let connection: Connection
    private let name: DictionaryName
    private let origin: ImportOrigin
    private let time: String
    private let tokenizer, model, corpus, run, topic: Int
    private let dictionary: Int

    // The vocabulary.
    private var spellings: [[UInt8]: UInt32] = [:]
    private var vocabulary: [[UInt8]] = []
    private var writesShortTokens = true

    // By feature.
    private var statistics: [ActivationStatistics] = []
    private var densities: [Double] = [] // NaN: not stated
    private var isStated: [Bool] = []
    private var isScattered: Set<Int> = []

    // What has been written of the corpus.
    private var corpusTokens = 0, documents = 0, segments = 0, firings = 0, longest = 0
    private var sources: [String: Int] = [:]

    // The segment that is being filled.
    private var tokens: [UInt32] = []
    private var windows: [Window] = []
    private var slots = [UInt32](repeating: 0, count: 1 << 12) // window + 1, by hash
    private var rows: [Row] = []
    private var fired: [kernel_json_fired] = []
    private var residue: [UInt8] = []
    private var source = 0

    public private(set) var examples = 0
    public var features: Int { statistics.count }

    /// `feature` and `row`: who last had activations in it.
    private struct Window { var hash: UInt64; var start, tokens: UInt32; var source, line: Int32; var feature = UInt32.max, row = 0 }
    private struct Row { var feature: UInt32, window: UInt32; var firstFired, fired, firstResidue, residueBytes: Int }

    /// Tokens from which on a segment is ended at the next feature; at eight times as many, at once.
    private let segmentTokens: Int
    private static let blockTokens = 1 << 16
    private static let noWindow = UInt32.max

    /// - Parameters:
    ///   - hook: where the dictionary reads, in the source's words.
    ///   - topic: of all documents, such as the data set's name.
    ///   - segmentTokens: from so many on a segment is ended at the next feature.
    /// - Throws: where the name is taken.
    public init(_ catalogue: Catalogue, _ name: DictionaryName, model modelName: String, hook: String, topic topicName: String, from origin: ImportOrigin, engine: String, at time: String, segmentTokens: Int = 1 << 21) throws {
        guard try catalogue.dictionaryIfAny(named: name) == nil else {
            throw MonosemeError("the name \(name) is taken in \(quoted(catalogue.path, limit: 400))", hint: "give what you import another name with --name, or use another catalogue")
        }
        (self.catalogue, connection, self.name, self.origin, self.time, self.segmentTokens) = (catalogue, catalogue.connection, name, origin, time, segmentTokens)
        // Digests are put in at the end, when all has been seen.
        try connection.run("INSERT INTO tokenizer (sha256, vocabulary) VALUES (?, 0)", .text("of \(name)"))
        tokenizer = connection.lastInsertedRow
        try connection.run("""
            INSERT INTO model (name, architecture, layers, width, mlp_width, vocabulary, context_length, weights_sha256, tokenizer_id) VALUES (?, '', 0, 0, 0, 0, 0, '', ?)
            """, .text(modelName), .init(tokenizer))
        model = connection.lastInsertedRow
        try connection.run("INSERT INTO corpus (name, fingerprint, settings, tokenizer_id) VALUES (?, ?, '{}', ?)", .text("examples of \(name)"), .text("of \(name)"), .init(tokenizer))
        corpus = connection.lastInsertedRow
        try connection.run("INSERT INTO topic (corpus_id, name) VALUES (?, ?)", .init(corpus), .text(topicName))
        topic = connection.lastInsertedRow
        try connection.run("INSERT INTO dictionary (family, version, name, model_id, hook, width, features, architecture, settings, weights_sha256) VALUES (?, ?, ?, ?, ?, 0, 0, '', '{}', '')",
                           .text(name.family), .text(name.version), .text(name.description), .init(model), .text(hook))
        dictionary = connection.lastInsertedRow
        try connection.run("INSERT INTO run (dictionary_id, corpus_id, context_length, prepend_bos, tokens, engine, started_at, evidence) VALUES (?, ?, 1, 0, ?, ?, ?, 'examples')",
                           .init(dictionary), .init(corpus), .init(origin.tokens ?? 0), .text(engine), .text(time))
        run = connection.lastInsertedRow
    }

    private func featureID(_ index: Int) -> Int { dictionary << 32 + index }

    // MARK: Vocabulary

    /// The number of a spelling, from 0 in order of first appearance.
    public func intern(_ bytes: [UInt8]) throws -> UInt32 {
        if let known = spellings[bytes] { return known }
        guard vocabulary.count < 1 << 30 else { throw MonosemeError("there are more than \(1 << 30) different tokens") }
        let id = UInt32(vocabulary.count)
        spellings[bytes] = id
        vocabulary.append(bytes)
        return id
    }

    // MARK: Features

    /// Makes room for features up to this index.
    private func makeRoom(for index: Int) throws {
        guard index >= statistics.count else { return }
        guard index < featuresMaximum else { throw MonosemeError("the feature index \(index) is too large; at most \(featuresMaximum) features can be catalogued") }
        var writer = try RowWriter(into: "feature (id, dictionary_id, feature_index, decoder_norm, activation_scale)", columns: 5, on: connection)
        for new in statistics.count...index { try writer.add(.init(featureID(new)), .init(dictionary), .init(new), 1.0, 1.0) }
        try writer.finish()
        let count = index + 1 - statistics.count
        statistics.append(contentsOf: repeatElement(ActivationStatistics(), count: count))
        densities.append(contentsOf: repeatElement(.nan, count: count))
        isStated.append(contentsOf: repeatElement(false, count: count))
    }

    /// Makes room for features that nothing is said of.
    public func makeRoom(upTo index: Int) throws { try makeRoom(for: index) }

    /// Whether the source has said something of this feature.
    public func has(_ index: Int) -> Bool { isStated.indices.contains(index) && isStated[index] }

    /// Adds many features.
    public func add(_ features: [ImportedFeature]) throws {
        guard let highest = features.map(\.index).max() else { return }
        try makeRoom(for: highest)
        var residues = try RowWriter(into: "import_feature (feature_id, residue)", columns: 2, on: connection)
        var logits = try RowWriter(into: "feature_logit (feature_id, rank, token, value)", columns: 4, on: connection)
        var neurons = try RowWriter(into: "feature_neuron (run_id, feature_id, basis, rank, neuron, value)", columns: 6, on: connection)
        for feature in features {
            precondition(!isStated[feature.index], "a feature is added once")
            isStated[feature.index] = true
            if let density = feature.density { densities[feature.index] = density }
            let id = SQLiteValue(featureID(feature.index))
            try residues.add(id, .text(feature.residue))
            for (place, logit) in feature.loweredLogits.enumerated().reversed() { try logits.add(id, .init(-1 - place), .init(logit.token), .real(logit.value)) }
            for (place, logit) in feature.raisedLogits.enumerated() { try logits.add(id, .init(1 + place), .init(logit.token), .real(logit.value)) }
            for (place, neuron) in feature.neurons.enumerated() { try neurons.add(.init(run), id, "weight", .init(place + 1), .init(neuron.neuron), .real(neuron.value)) }
        }
        try residues.finish()
        try logits.finish()
        try neurons.finish()
    }

    // MARK: Examples

    /// Says which file the rows to come are from.
    public func enter(file: String) throws {
        if let known = sources[file] { source = known; return }
        try connection.run("INSERT INTO source (corpus_id, path) VALUES (?, ?)", .init(corpus), .text(file))
        source = connection.lastInsertedRow
        sources[file] = source
    }

    /// Adds one example row; those of one feature had better come together.
    public func add(_ row: ImportedRow) throws {
        try makeRoom(for: row.feature)
        if tokens.count >= segmentTokens, rows.last.map({ $0.feature != row.feature }) ?? false || tokens.count >= 8 * segmentTokens { try flush() }
        let window = row.tokens.isEmpty ? ImportWriter.noWindow : window(row.tokens, row.line)
        rows.append(Row(feature: UInt32(row.feature), window: window, firstFired: fired.count, fired: row.fired.count, firstResidue: residue.count, residueBytes: row.residue.count))
        fired.append(contentsOf: row.fired)
        residue.append(contentsOf: row.residue)
        examples += 1
    }

    /// The window of these tokens in the segment, added where there is none.
    private func window(_ own: UnsafeBufferPointer<UInt32>, _ line: Int?) -> UInt32 {
        let hash = kernel_json_hash(own.baseAddress, own.count)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] > 0 {
            let found = windows[Int(slots[slot]) - 1]
            if found.hash == hash, Int(found.tokens) == own.count, tokens.withUnsafeBufferPointer({ memcmp($0.baseAddress! + Int(found.start), own.baseAddress!, 4 * own.count) }) == 0 { return slots[slot] - 1 }
            slot = (slot + 1) & (slots.count - 1)
        }
        windows.append(Window(hash: hash, start: UInt32(tokens.count), tokens: UInt32(own.count), source: Int32(truncatingIfNeeded: source), line: line.flatMap { Int32(exactly: $0) } ?? 0))
        slots[slot] = UInt32(windows.count)
        tokens.append(contentsOf: own)
        if windows.count * 2 > slots.count {
            slots = [UInt32](repeating: 0, count: 2 * slots.count)
            for (place, window) in windows.enumerated() {
                var slot = Int(truncatingIfNeeded: window.hash) & (slots.count - 1)
                while slots[slot] > 0 { slot = (slot + 1) & (slots.count - 1) }
                slots[slot] = UInt32(place + 1)
            }
        }
        return UInt32(windows.count - 1)
    }

    /// The same window once more, for a feature that has other activations there.
    private func copy(of place: UInt32) -> UInt32 {
        var window = windows[Int(place)]
        let start = Int(window.start)
        window.start = UInt32(tokens.count)
        tokens.append(contentsOf: Array(tokens[start..<start + Int(window.tokens)]))
        windows.append(window)
        return UInt32(windows.count - 1)
    }

    private func isSame(_ a: Row, _ b: Row) -> Bool {
        guard a.fired == b.fired else { return false }
        return (0..<a.fired).allSatisfy { fired[a.firstFired + $0].place == fired[b.firstFired + $0].place && fired[a.firstFired + $0].value == fired[b.firstFired + $0].value }
    }

    /// Writes the segment.
    private func flush() throws {
        guard !rows.isEmpty else { return }
        // By feature; within one, as they came.
        let order = zip(rows, rows.dropFirst()).allSatisfy({ $0.feature <= $1.feature }) ? Array(rows.indices)
            : rows.indices.sorted { rows[$0].feature != rows[$1].feature ? rows[$0].feature < rows[$1].feature : $0 < $1 }
        try connection.run("INSERT INTO segment (run_id, ordinal, first_position, tokens, firings, checksum, finished_at) VALUES (?, ?, ?, 0, 0, 0, ?)",
                           .init(run), .init(segments), .init(corpusTokens), .text(time))
        let segment = connection.lastInsertedRow
        var lists = try Statement("INSERT INTO posting (id, list) VALUES (?, ?)", on: connection)
        var kept = try Statement("INSERT INTO import_example (id, windows, residue) VALUES (?, ?, ?)", on: connection)
        var facts = try FactWriter(run: run, on: connection)
        var scratch = Scratch()
        var checksum: UInt64 = 0, segmentFirings = 0
        var first = 0
        while first < order.count {
            let feature = Int(rows[order[first]].feature)
            var end = first + 1
            while end < order.count, Int(rows[order[end]].feature) == feature { end += 1 }
            let id = firstPostingID(ofSegment: segment) + feature
            // Of rows with a firing: where their windows lie, each once.
            scratch.removeAll()
            for place in first..<end {
                let row = rows[order[place]]
                guard row.fired > 0 else { continue }
                var hasFiring = false
                for at in row.firstFired..<row.firstFired + row.fired where fired[at].value > 0 { hasFiring = true; break }
                // Activations below 0 are no firings, but they are the row's own all the same.
                var own = row.window, isNew = true
                if windows[Int(own)].feature == row.feature {
                    if isSame(rows[windows[Int(own)].row], row) { isNew = false } else {
                        let others = scratch.copies[own, default: []]
                        if let copy = others.first(where: { isSame(rows[windows[Int($0)].row], row) }) { (own, isNew) = (copy, false) } else {
                            own = copy(of: row.window)
                            scratch.copies[row.window, default: []].append(own)
                        }
                    }
                }
                if isNew {
                    (windows[Int(own)].feature, windows[Int(own)].row) = (row.feature, order[place])
                    if hasFiring { scratch.fired.append((windows[Int(own)].start, order[place])) }
                }
                rows[order[place]].window = own
            }
            scratch.fired.sort { $0.start < $1.start }
            for (start, row) in scratch.fired {
                for at in rows[row].firstFired..<rows[row].firstFired + rows[row].fired where fired[at].value > 0 {
                    scratch.positions.append(start + fired[at].place)
                    scratch.values.append(fired[at].value)
                    scratch.starts.append(start)
                }
            }
            if !scratch.positions.isEmpty {
                let count = scratch.positions.count
                scratch.makeRoom(for: count)
                let bytes = kernel_posting_encode(scratch.positions, scratch.values, count, &scratch.list, &scratch.rounded)
                lists.bind(id, at: 0)
                try scratch.list.withUnsafeBytes { list in
                    let list = UnsafeRawBufferPointer(rebasing: list[..<bytes])
                    lists.bind(borrowing: list, at: 1)
                    try lists.run()
                    checksum = kernel_checksum(checksum, list.baseAddress!.assumingMemoryBound(to: UInt8.self), bytes)
                }
                segmentFirings += count
                let known = statistics[feature]
                statistics[feature] = try summarise(&scratch, feature, &facts, offset: corpusTokens, isFirst: known.firings == 0 && !isScattered.contains(feature)) { tokens[Int($0)] }
                if known.firings > 0 {
                    // Its rows do not lie together: what is chosen among all of them is chosen at the end.
                    isScattered.insert(feature)
                    var all = known
                    all.append(statistics[feature])
                    statistics[feature] = all
                }
            }
            keep(order[first..<end], &scratch)
            kept.bind(id, at: 0)
            kept.bind(scratch.kept, at: 1)
            scratch.residue.withUnsafeBytes { kept.bind(text: $0, at: 2) }
            try kept.run()
            first = end
        }
        try facts.finish()
        try writeTokens()
        try writeDocuments()
        try connection.run("UPDATE segment SET tokens = ?, firings = ?, checksum = ? WHERE id = ?", .init(tokens.count), .init(segmentFirings), .integer(Int64(bitPattern: checksum)), .init(segment))
        firings += segmentFirings
        segments += 1
        corpusTokens += tokens.count
        tokens.removeAll(keepingCapacity: true)
        windows.removeAll(keepingCapacity: true)
        rows.removeAll(keepingCapacity: true)
        fired.removeAll(keepingCapacity: true)
        residue.removeAll(keepingCapacity: true)
        for slot in slots.indices { slots[slot] = 0 }
    }

    /// The example rows of one feature as the column `windows` has them, and an array of their residues.
    private func keep(_ places: ArraySlice<Int>, _ scratch: inout Scratch) {
        scratch.kept.removeAll(keepingCapacity: true)
        scratch.residue.removeAll(keepingCapacity: true)
        for place in places {
            let row = rows[place], window = row.window == ImportWriter.noWindow ? nil : windows[Int(row.window)]
            scratch.kept.append(varint: Int(window?.start ?? 0))
            scratch.kept.append(varint: Int(window?.tokens ?? 0))
            scratch.kept.append(varint: row.fired)
            var last: UInt32 = 0
            for at in row.firstFired..<row.firstFired + row.fired {
                scratch.kept.append(varint: Int(fired[at].place - last))
                scratch.kept.append(float: fired[at].value)
                last = fired[at].place
            }
            scratch.residue.append(scratch.residue.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            scratch.residue.append(contentsOf: residue[row.firstResidue..<row.firstResidue + row.residueBytes])
        }
        scratch.residue.append(UInt8(ascii: "]"))
    }

    /// What is worked with, kept from feature to feature.
    private struct Scratch {
        /// Of windows that rows of the feature disagree about, those made for the later ones.
        var copies: [UInt32: [UInt32]] = [:]
        var fired: [(start: UInt32, row: Int)] = []
        /// Firings by position in the segment; where each one's window starts.
        var positions: [UInt32] = [], values: [Float] = [], starts: [UInt32] = []
        var list: [UInt8] = [], rounded: [Float] = []
        var kept: [UInt8] = [], residue: [UInt8] = []

        mutating func removeAll() {
            if !copies.isEmpty { copies.removeAll(keepingCapacity: true) }
            fired.removeAll(keepingCapacity: true)
            positions.removeAll(keepingCapacity: true)
            values.removeAll(keepingCapacity: true)
            starts.removeAll(keepingCapacity: true)
        }

        mutating func makeRoom(for count: Int) {
            let bound = kernel_posting_bound(count)
            if list.count < bound { list = [UInt8](repeating: 0, count: 2 * bound) }
            if rounded.count < count { rounded = [Float](repeating: 0, count: 2 * count) }
        }
    }

    /// Counts the firings in `scratch`, whose `rounded` are as a posting list has them, and writes examples (the strongest firing of each window) and top tokens.
    private func summarise(_ scratch: inout Scratch, _ feature: Int, _ facts: inout FactWriter, offset: Int, isFirst: Bool, token: (UInt32) -> UInt32) throws -> ActivationStatistics {
        let count = scratch.positions.count
        var statistics = ActivationStatistics()
        statistics.firings = count
        var strongest: [(place: Int, value: Float)] = [], tokens: [(token: UInt32, value: Float)] = []
        var place = 0
        while place < count {
            let start = scratch.starts[place]
            var best = place
            while place < count, scratch.starts[place] == start {
                let value = Double(scratch.values[place])
                statistics.sum += value
                statistics.sumOfSquares += value * value
                statistics.maximum = max(statistics.maximum, scratch.values[place])
                if scratch.rounded[place] > scratch.rounded[best] { best = place }
                tokens.append((token(scratch.positions[place]), scratch.rounded[place]))
                place += 1
            }
            statistics.documents += 1
            strongest.append((best, scratch.rounded[best]))
        }
        strongest.sort { $0.value != $1.value ? $0.value > $1.value : $0.place < $1.place }
        statistics.maximumPosition = offset + Int(scratch.positions[strongest[0].place])
        statistics.lastPosition = offset + Int(scratch.positions[count - 1])
        statistics.histogram = ActivationHistogram(of: scratch.rounded[..<count])
        guard isFirst else { return statistics }
        for (rank, example) in strongest.prefix(examplesKept).enumerated() {
            try facts.add(example: rank + 1, of: featureID(feature), at: offset + Int(scratch.positions[example.place]), example.value)
        }
        // A stable order, so that sums are the same every time.
        tokens.sort { $0.token < $1.token }
        var sums: [(token: UInt32, firings: Int, sum: Double)] = []
        for (token, value) in tokens {
            if sums.last?.token == token { sums[sums.count - 1].firings += 1; sums[sums.count - 1].sum += Double(value) } else { sums.append((token, 1, Double(value))) }
        }
        sums.sort { $0.sum != $1.sum ? $0.sum > $1.sum : $0.token < $1.token }
        for (rank, best) in sums.prefix(tokensKept).enumerated() { try facts.add(token: rank + 1, of: featureID(feature), Int(best.token), best.firings, best.sum) }
        return statistics
    }

    private struct FactWriter: ~Copyable {
        private let run: Int
        private var examples: RowWriter
        private var tokens: RowWriter

        private init(_ run: Int, _ examples: consuming RowWriter, _ tokens: consuming RowWriter) {
            self.run = run
            self.examples = examples
            self.tokens = tokens
        }

        init(run: Int, on connection: Connection) throws {
            self.init(run, try RowWriter(into: "feature_example (run_id, feature_id, rank, position, value)", columns: 5, on: connection),
                      try RowWriter(into: "feature_token (run_id, feature_id, rank, token, firings, sum)", columns: 6, on: connection))
        }

        mutating func add(example rank: Int, of feature: Int, at position: Int, _ value: Float) throws {
            try examples.append(.integer(Int64(run)))
            try examples.append(.integer(Int64(feature)))
            try examples.append(.integer(Int64(rank)))
            try examples.append(.integer(Int64(position)))
            try examples.append(.real(Double(value)))
        }

        mutating func add(token rank: Int, of feature: Int, _ token: Int, _ firings: Int, _ sum: Double) throws {
            try tokens.append(.integer(Int64(run)))
            try tokens.append(.integer(Int64(feature)))
            try tokens.append(.integer(Int64(rank)))
            try tokens.append(.integer(Int64(token)))
            try tokens.append(.integer(Int64(firings)))
            try tokens.append(.real(sum))
        }

        mutating func finish() throws {
            try examples.finish()
            try tokens.finish()
        }
    }

    private func writeTokens() throws {
        if writesShortTokens, vocabulary.count > 65_536 { try widenTokens() }
        var insert = try Statement("INSERT INTO token_block (corpus_id, first_position, tokens, token_ids, sha256) VALUES (?, ?, ?, ?, ?)", on: connection)
        for first in stride(from: 0, to: tokens.count, by: ImportWriter.blockTokens) {
            let part = tokens[first..<min(tokens.count, first + ImportWriter.blockTokens)]
            try withBytes(of: part) { bytes in
                let digest = hexadecimal(SHA256.digest(of: bytes))
                insert.bind(corpus, at: 0)
                insert.bind(corpusTokens + first, at: 1)
                insert.bind(part.count, at: 2)
                insert.bind(borrowing: bytes, at: 3)
                insert.bind(digest, at: 4)
                try insert.run()
            }
        }
    }

    private func withBytes(of part: ArraySlice<UInt32>, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        if writesShortTokens { try part.map { UInt16(truncatingIfNeeded: $0).littleEndian }.withUnsafeBytes(body) } else { try part.map(\.littleEndian).withUnsafeBytes(body) }
    }

    /// The vocabulary has outgrown 16 bits: what was written so far is written anew.
    private func widenTokens() throws {
        writesShortTokens = false
        var update = try Statement("UPDATE token_block SET token_ids = ?, sha256 = ? WHERE id = ?", on: connection)
        for id in try connection.rows("SELECT id FROM token_block WHERE corpus_id = ?", .init(corpus), make: { $0.integer(0) }) {
            let wide: [UInt32] = try connection.first("SELECT token_ids FROM token_block WHERE id = ?", .init(id)) { row in
                row.withBlob(0) { bytes in (0..<bytes.count / 2).map { UInt32(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))).littleEndian } }
            } ?? []
            try wide.withUnsafeBytes { bytes in
                let digest = hexadecimal(SHA256.digest(of: bytes))
                update.bind(borrowing: bytes, at: 0)
                update.bind(digest, at: 1)
                update.bind(id, at: 2)
                try update.run()
            }
        }
    }

    private func writeDocuments() throws {
        var writer = try RowWriter(into: "document (corpus_id, first_position, tokens, ordinal, topic_id, source_id, line)", columns: 7, on: connection)
        for window in windows {
            try writer.append(.integer(Int64(corpus)))
            try writer.append(.integer(Int64(corpusTokens + Int(window.start))))
            try writer.append(.integer(Int64(window.tokens)))
            try writer.append(.integer(Int64(documents)))
            try writer.append(.integer(Int64(topic)))
            try writer.append(.integer(Int64(window.source)))
            try writer.append(window.line > 0 ? .integer(Int64(window.line)) : .null)
            documents += 1
            longest = max(longest, Int(window.tokens))
        }
        try writer.finish()
    }

    /// Chooses examples and top tokens of the features whose rows lay apart, from all their firings.
    private func summariseScattered(_ run: Run) throws {
        guard !isScattered.isEmpty else { return }
        let text = try CorpusText(catalogue, corpus: corpus)
        var facts = try FactWriter(run: self.run, on: connection)
        for feature in isScattered.sorted() {
            for table in ["feature_example", "feature_token"] { try connection.run("DELETE FROM \(table) WHERE run_id = ? AND feature_id = ?", .init(self.run), .init(featureID(feature))) }
            let all = try catalogue.firings(of: feature, in: run)
            var scratch = Scratch()
            guard all.positions.last.map({ $0 < UInt32.max }) ?? false else { throw MonosemeError("the examples have more than \(UInt32.max) tokens") }
            scratch.positions = all.positions.map { UInt32($0) }
            (scratch.values, scratch.rounded) = (all.values, all.values)
            scratch.starts = all.positions.map { UInt32(text.documents.starts[text.documents.index(of: $0)]) }
            let ids = try all.positions.map { try text.tokens(at: $0..<$0 + 1).first ?? 0 }
            var at = 0
            let first = try summarise(&scratch, feature, &facts, offset: 0, isFirst: true) { _ in defer { at += 1 }; return UInt32(bitPattern: ids[at]) }
            statistics[feature].documents = first.documents
            (statistics[feature].maximumPosition, statistics[feature].histogram) = (first.maximumPosition, first.histogram)
        }
        try facts.finish()
    }

    // MARK: The end

    /// Writes what is left, and says what all of it is of.
    /// - Returns: the run, to which labels may now be added.
    public func finish() throws -> Run {
        try flush()
        var token = try Statement("INSERT INTO token (tokenizer_id, token, bytes, text) VALUES (?, ?, ?, ?)", on: connection)
        var digest = SHA256()
        // Of the model too, so that two models whose examples are spelled alike stay apart.
        digest.update("monoseme import \(name)\n")
        for (id, bytes) in vocabulary.enumerated() {
            token.bind(tokenizer, at: 0)
            token.bind(id, at: 1)
            token.bind(bytes, at: 2)
            token.bind(String(decoding: bytes, as: UTF8.self), at: 3)
            try token.run()
            digest.update("\(bytes.count) ")
            bytes.withUnsafeBytes { digest.update($0) }
        }
        let vocabularyDigest = hexadecimal(digest.finalize())
        try connection.run("UPDATE tokenizer SET sha256 = ?, vocabulary = ? WHERE id = ?", .text(vocabularyDigest), .init(vocabulary.count), .init(tokenizer))
        try connection.run("UPDATE model SET vocabulary = ? WHERE id = ?", .init(vocabulary.count), .init(model))
        var corpusDigest = SHA256()
        corpusDigest.update("monoseme import \(name), \(documents) documents, \(vocabularyDigest)\n")
        try connection.query("SELECT sha256 FROM token_block WHERE corpus_id = ? ORDER BY first_position", [.init(corpus)]) { corpusDigest.update($0.text(0)) }
        try connection.run("UPDATE corpus SET fingerprint = ?, tokens = ?, documents = ?, is_complete = 1 WHERE id = ?", .text(hexadecimal(corpusDigest.finalize())), .init(corpusTokens), .init(documents), .init(corpus))
        try connection.run("UPDATE topic SET tokens = ?, documents = ? WHERE id = ?", .init(corpusTokens), .init(documents), .init(topic))
        try connection.run("UPDATE dictionary SET features = ? WHERE id = ?", .init(statistics.count), .init(dictionary))
        // Topics are not weighed: what examples there are was chosen by somebody, and not by topic.
        try connection.run("UPDATE run SET context_length = ?, firings = ?, is_complete = 1, finished_at = ?, topic_tests = 0 WHERE id = ?", .init(max(1, longest)), .init(firings), .text(time), .init(run))
        try connection.run("INSERT INTO import_source (run_id, origin, path, prompts, prompt_tokens, residue) VALUES (?, ?, ?, ?, ?, ?)", .init(run), .text(origin.origin), .text(origin.path),
                           .init(origin.prompts), .init(origin.promptTokens), .text(origin.residue))
        let run = try catalogue.run(of: name)
        try summariseScattered(run)
        var writer = try RowWriter(into: "statistic (run_id, feature_id, firings, documents, sum, sum_of_squares, maximum, maximum_position, last_position, histogram, density)", columns: 11, on: connection)
        for (feature, s) in statistics.enumerated() {
            let density = densities[feature].isNaN ? nil : densities[feature]
            // The source's share of the tokens it saw; rounded to 0 as it may be, there are at least those of the examples.
            let stated = density.flatMap { density in origin.tokens.map { Int((density * Double($0)).rounded()) } } ?? 0
            try writer.add(.init(run.id), .init(featureID(feature)), .init(max(s.firings, stated)), .init(s.documents), .real(s.sum), .real(s.sumOfSquares), .init(s.maximum), .init(s.maximumPosition),
                           .init(s.lastPosition), .blob(s.histogram.bytes), .init(density))
        }
        try writer.finish()
        try catalogue.writeText(of: run)
        // Enough of each index for the planner, without reading all of what has just been written.
        try connection.execute("PRAGMA analysis_limit = 1000; ANALYZE; PRAGMA analysis_limit = 0")
        return try catalogue.run(of: name)
    }
}
