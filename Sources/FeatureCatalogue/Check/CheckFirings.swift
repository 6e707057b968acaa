import Diagnostics
import Kernels
import SQLite

// Every firing is read once more and everything that is said about firings is counted from them.
//
// Features go in groups, so that memory is bounded whatever the dictionary: a group has some 2 KB a feature for histograms,
// 32 bytes a feature and topic, and 12 bytes a feature and document on which it fires. Within a group, segments go in order;
// their lists lie side by side in the file.

/// A value is stored with 11 significant bits, so it is within 2⁻¹¹ of itself, and sums are; twice that is allowed, for sums of squares four times.
private let rounding = 0x1p-10
/// What is left of the smallest values, against the largest of the same list.
private let smallest = 0x1p-38

/// What is counted again of one feature, or of one feature and topic.
private struct Recount {
    var firings = 0, documents = 0, lastDocument = -1
    var sum = 0.0, squares = 0.0
    var maximum: Float = 0
}

/// The rows about one feature that can only be judged with its firings at hand.
private struct Claims {
    struct Example { let rank: Int, position: Int; let value: Double; var stored: Float = 0; var document = -1 }
    struct Token { let rank: Int, token: Int, firings: Int; let sum: Double; var firingsFound = 0; var sumFound = 0.0 }
    var examples: [Example] = []
    var tokens: [Token] = []
    var maximumPosition: Int?
}

private struct FeatureState {
    var total = Recount()
    var claims = Claims()
    /// Of each document in which it fires.
    var documents: [kernel_document_tally] = []
    var firstMaximumPosition = -1, lastPosition = -1
    var valueAtMaximumPosition: Float = 0
}

extension Examination {
    func examineFirings(of run: Run, _ segments: [Segment], _ corpus: Corpus) throws {
        let documents = try catalogue.documentTable(of: corpus.id)
        guard documents.covers(segments.reduce(0) { $0 + $1.tokens }) else { return } // said already where documents were examined
        let topics = try catalogue.topics(of: corpus.id)
        let places = Dictionary(uniqueKeysWithValues: topics.enumerated().map { ($1.id, $0) })
        let topicOf = documents.topics.map { places[$0] ?? topics.count }
        let features = run.dictionary.features
        let groupSize = max(16, min(4096, (64 << 20) / (2048 + 512 + MemoryLayout<Recount>.stride * (topics.count + 1)), (1 << 22) / max(1, documents.count)))
        var evidence = EvidenceExamination(of: run, documents)
        var checksums = [UInt64](repeating: 0, count: segments.count)
        var firingsOfSegment = [Int](repeating: 0, count: segments.count)

        for first in stride(from: 0, to: features, by: groupSize) {
            let group = first..<min(features, first + groupSize)
            var counter = try FiringCounter(run, group, topics: topics.count, self)
            for (place, segment) in segments.enumerated() {
                stage("counting the firings of \(run.dictionary.name)")
                // The last group also takes what is numbered beyond the features there are.
                let end = group.upperBound == features ? firstPostingID(ofSegment: segment.id + 1) : firstPostingID(ofSegment: segment.id) + group.upperBound
                let ids = try catalogue.tokens(of: corpus.id, at: segment.firstPosition..<segment.firstPosition + segment.tokens)
                counter.enter(segment, documents, topicOf, ids)
                try connection.query("SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(firstPostingID(ofSegment: segment.id) + first), .init(end)]) { row in
                    row.withBlob(1) { bytes in
                        if let start = bytes.baseAddress { checksums[place] = kernel_checksum(checksums[place], start.assumingMemoryBound(to: UInt8.self), bytes.count) }
                        counter.count(row.integer(0) - firstPostingID(ofSegment: segment.id), bytes)
                    }
                }
                firingsOfSegment[place] += counter.firingsInSegment
                tokensDone &+= segment.tokens * group.count / features
            }
            try counter.judge(topics)
            if run.isComplete, run.evidence == .firings { try examineEvidence(of: run, counter.tallies, from: first, topics, &evidence) }
        }
        if run.isComplete, run.evidence == .firings { examineRates(of: run, evidence) }
        for (place, segment) in segments.enumerated() {
            let here = "\(run.dictionary.name) segment \(segment.ordinal)"
            expect(try connection.integer("SELECT checksum FROM segment WHERE id = ?", .init(segment.id)), Int(bitPattern: UInt(checksums[place])), "checksum of a segment", at: here)
            if run.keepTop == nil { expect(segment.firings, firingsOfSegment[place], "firings of a segment", at: here) }
            else if segment.firings < firingsOfSegment[place] { damage("firings of a segment", at: here, found: "\(segment.firings)", expected: "at least the \(firingsOfSegment[place]) kept") }
        }
    }
}

/// Counts the firings of one group of features, segment after segment.
private struct FiringCounter {
    let run: Run
    let group: Range<Int>
    let topicCount: Int
    let examination: Examination
    var states: [FeatureState]
    var byTopic: [Recount] // (features × (topics + 1)); the last for topics of other corpora
    var bins: [Int] // (features × KERNEL_BINS)
    var segment = Segment(id: 0, ordinal: 0, firstPosition: 0, tokens: 0, firings: 0)
    var documentOf: [Int32] = [] // of each position of the segment, its place in the table
    var topicOf: [Int] = []
    var ids: [Int32] = []
    var firingsInSegment = 0
    private var positions: [UInt32] = []
    private var values: [Float] = []

    init(_ run: Run, _ group: Range<Int>, topics: Int, _ examination: Examination) throws {
        (self.run, self.group, topicCount, self.examination) = (run, group, topics, examination)
        states = [FeatureState](repeating: FeatureState(), count: group.count)
        byTopic = [Recount](repeating: Recount(), count: group.count * (topics + 1))
        bins = [Int](repeating: 0, count: group.count * Int(KERNEL_BINS))
        try readClaims()
    }

    private var ids64: [SQLiteValue] { [.init(run.id), .init(run.dictionary.featureID(group.lowerBound)), .init(run.dictionary.featureID(group.upperBound))] }

    /// What the tables say of single firings, so that it can be compared when they pass by.
    private mutating func readClaims() throws {
        let low = run.dictionary.featureID(group.lowerBound)
        var states = states
        try examination.connection.query("SELECT feature_id, maximum_position FROM statistic WHERE run_id = ? AND feature_id >= ? AND feature_id < ?", ids64) {
            states[$0.integer(0) - low].claims.maximumPosition = $0.optionalInteger(1)
        }
        try examination.connection.query("SELECT feature_id, rank, position, value FROM feature_example WHERE run_id = ? AND feature_id >= ? AND feature_id < ? ORDER BY feature_id, rank", ids64) {
            states[$0.integer(0) - low].claims.examples.append(.init(rank: $0.integer(1), position: $0.integer(2), value: $0.real(3)))
        }
        try examination.connection.query("SELECT feature_id, rank, token, firings, sum FROM feature_token WHERE run_id = ? AND feature_id >= ? AND feature_id < ? ORDER BY feature_id, rank", ids64) {
            states[$0.integer(0) - low].claims.tokens.append(.init(rank: $0.integer(1), token: $0.integer(2), firings: $0.integer(3), sum: $0.real(4)))
        }
        self.states = states
    }

    mutating func enter(_ segment: Segment, _ documents: DocumentTable, _ topicOf: [Int], _ ids: [Int32]) {
        (self.segment, self.topicOf, self.ids) = (segment, topicOf, ids)
        firingsInSegment = 0
        documentOf.removeAll(keepingCapacity: true)
        var document = documents.index(of: segment.firstPosition)
        while documentOf.count < segment.tokens {
            let end = documents.starts[document] + documents.lengths[document] - segment.firstPosition
            documentOf.append(contentsOf: repeatElement(Int32(truncatingIfNeeded: document), count: min(end, segment.tokens) - documentOf.count))
            document += 1
        }
    }

    /// Takes one list in.
    mutating func count(_ feature: Int, _ list: UnsafeRawBufferPointer) {
        let here = "\(run.dictionary.name)/\(feature) segment \(segment.ordinal)"
        examination.counted("posting lists", 1)
        guard group.contains(feature) else { return examination.damage("feature of a posting list", at: here, found: "\(feature)", expected: "0 to \(run.dictionary.features - 1)") }
        guard let bytes = list.baseAddress?.assumingMemoryBound(to: UInt8.self), case let count = kernel_posting_count(bytes, list.count), count > 0 else {
            return examination.damage("bytes of a posting list", at: here, found: "\(list.count) bytes that do not begin as a list", expected: "a list of one firing or more")
        }
        if positions.count < count {
            positions = [UInt32](repeating: 0, count: count)
            values = [Float](repeating: 0, count: count)
        }
        guard kernel_posting_decode(bytes, list.count, count, &positions, &values) == 0 else {
            return examination.damage("bytes of a posting list", at: here, found: "\(list.count) bytes that are not a list of \(count) firings", expected: "ascending positions and positive values")
        }
        guard Int(positions[count - 1]) < segment.tokens else {
            return examination.damage("positions of a posting list", at: here, found: "\(positions[count - 1])", expected: "less than the segment's \(segment.tokens) tokens")
        }
        examination.counted("firings", count)
        firingsInSegment += count
        let place = feature - group.lowerBound, row = place * Int(KERNEL_BINS), topicRow = place * (topicCount + 1)
        var state = states[place]
        for at in 0..<count {
            let local = Int(positions[at]), value = values[at], document = Int(documentOf[local])
            if document != state.total.lastDocument {
                state.total.documents += 1
                state.total.lastDocument = document
                state.documents.append(kernel_document_tally(document: UInt32(document), firings: 0, maximum: 0))
            }
            let last = state.documents.count - 1
            state.documents[last].firings += 1
            state.documents[last].maximum = max(state.documents[last].maximum, value)
            state.total.sum += Double(value)
            state.total.squares += Double(value) * Double(value)
            if value > state.total.maximum { state.total.maximum = value; state.firstMaximumPosition = segment.firstPosition + local }
            bins[row + Int(kernel_bin(value))] += 1
            let topic = topicRow + topicOf[document]
            if document != byTopic[topic].lastDocument { byTopic[topic].documents += 1; byTopic[topic].lastDocument = document }
            byTopic[topic].firings += 1
            byTopic[topic].sum += Double(value)
            byTopic[topic].maximum = max(byTopic[topic].maximum, value)
            guard local < ids.count else { continue }
            for token in state.claims.tokens.indices where state.claims.tokens[token].token == Int(ids[local]) {
                state.claims.tokens[token].firingsFound += 1
                state.claims.tokens[token].sumFound += Double(value)
            }
        }
        state.total.firings += count
        state.lastPosition = segment.firstPosition + Int(positions[count - 1])
        if let value = value(at: state.claims.maximumPosition, count) { state.valueAtMaximumPosition = value }
        for example in state.claims.examples.indices {
            guard let value = value(at: state.claims.examples[example].position, count) else { continue }
            state.claims.examples[example].stored = value
            state.claims.examples[example].document = Int(documentOf[state.claims.examples[example].position - segment.firstPosition])
        }
        states[place] = state
    }

    /// The value that the list just decoded holds for a position of the corpus.
    private func value(at position: Int?, _ count: Int) -> Float? {
        guard let position, position >= segment.firstPosition, position - segment.firstPosition < segment.tokens else { return nil }
        let wanted = UInt32(position - segment.firstPosition)
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if positions[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < count && positions[low] == wanted ? values[low] : nil
    }

    /// By feature of the group: the documents in which it fires.
    var tallies: [[kernel_document_tally]] { states.map(\.documents) }

    // MARK: Judging

    func judge(_ topics: [Topic]) throws {
        let low = run.dictionary.featureID(group.lowerBound)
        try examination.connection.query("""
            SELECT feature_id, firings, documents, sum, sum_of_squares, maximum, maximum_position, last_position, histogram FROM statistic
            WHERE run_id = ? AND feature_id >= ? AND feature_id < ? ORDER BY feature_id
            """, ids64) { row in judgeStatistic(row, row.integer(0) - low) }
        try judgeTopics(topics)
        for place in states.indices { judgeExamples(place); judgeTokens(place) }
    }

    private func here(_ place: Int) -> String { "\(run.dictionary.name)/\(group.lowerBound + place)" }

    private func judgeStatistic(_ row: borrowing Statement, _ place: Int) {
        let state = states[place], total = state.total, here = here(place), examination = examination
        let firings = row.integer(1), documents = row.integer(2), maximum = row.real(5)
        let histogram = row.withBlob(8) { ActivationHistogram(bytes: $0) }
        let counts = (0..<Int(KERNEL_BINS)).map { bin in histogram.map { h in h.counts.indices.contains(bin - Int(KERNEL_BIN_ZERO) - h.first) ? h.counts[bin - Int(KERNEL_BIN_ZERO) - h.first] : 0 } ?? 0 }
        let recounted = bins[place * Int(KERNEL_BINS)..<(place + 1) * Int(KERNEL_BINS)]
        if histogram == nil { examination.damage("histogram of a feature", at: here, found: "bytes that are not a histogram", expected: "a first bin and counts") }

        if run.evidence == .examples {
            // How often it fires is the source's word; the rest is counted from the windows that are here.
            if firings < total.firings { examination.damage("firings of a feature", at: here, found: "\(firings)", expected: "at least the \(total.firings) of its examples") }
            examination.expect(documents, total.documents, "documents of a feature", at: here)
            examination.expect(row.optionalInteger(7) ?? -1, state.lastPosition, "last position of a feature", at: here)
            if histogram != nil { examination.expect(counts, Array(recounted), "histogram of a feature", at: here) }
            examination.expect(row.real(3), near: total.sum, within: rounding * total.sum, "sum of a feature", at: here)
            examination.expect(row.real(4), near: total.squares, within: 4 * rounding * total.squares, "sum of squares of a feature", at: here)
        } else if let keep = run.keepTop {
            // What was left out cannot be counted again; but no more can be there than was counted.
            if run.isComplete { examination.expect(total.firings, min(keep, firings), "firings kept of a feature", at: here) }
            func atLeast(_ found: Int, _ kept: Int, _ what: String) { if found < kept { examination.damage(what, at: here, found: "\(found)", expected: "at least the \(kept) of the firings kept") } }
            atLeast(firings, total.firings, "firings of a feature")
            atLeast(documents, total.documents, "documents of a feature")
            atLeast(row.optionalInteger(7) ?? -1, state.lastPosition, "last position of a feature")
            if histogram != nil {
                for (bin, kept) in zip(counts.indices, recounted) { atLeast(counts[bin], kept, "histogram of a feature") }
                examination.expect(counts.reduce(0, &+), firings, "histogram of a feature", at: here)
            }
            if !(row.real(3) >= total.sum * (1 - rounding)) { examination.damage("sum of a feature", at: here, found: "\(row.real(3))", expected: "at least the \(total.sum) of the firings kept") }
            if !(row.real(4) >= total.squares * (1 - 4 * rounding)) { examination.damage("sum of squares of a feature", at: here, found: "\(row.real(4))", expected: "at least the \(total.squares) of the firings kept") }
        } else {
            examination.expect(firings, total.firings, "firings of a feature", at: here)
            examination.expect(documents, total.documents, "documents of a feature", at: here)
            examination.expect(row.optionalInteger(7) ?? -1, state.lastPosition, "last position of a feature", at: here)
            if histogram != nil, let bin = zip(counts.indices, zip(counts, recounted)).first(where: { $0.1.0 != $0.1.1 }) {
                examination.damage("histogram of a feature", at: "\(here) bin \(bin.0 - Int(KERNEL_BIN_ZERO))", found: "\(bin.1.0)", expected: "\(bin.1.1)")
            }
            examination.expect(row.real(3), near: total.sum, within: rounding * total.sum, "sum of a feature", at: here)
            examination.expect(row.real(4), near: total.squares, within: 4 * rounding * total.squares, "sum of squares of a feature", at: here)
        }
        examination.expect(FiringCounter.rounded(maximum), total.maximum, "maximum of a feature", at: here)
        if total.firings > 0, run.keepTop == nil || state.valueAtMaximumPosition > 0 {
            if state.valueAtMaximumPosition != total.maximum {
                examination.damage("position of a feature's maximum", at: here, found: "\(row.optionalInteger(6) ?? -1), where the value is \(state.valueAtMaximumPosition)", expected: "a firing of \(total.maximum)")
            }
        } else if total.firings == 0, let position = row.optionalInteger(6) {
            examination.damage("position of a feature's maximum", at: here, found: "\(position)", expected: "none")
        }
    }

    /// A maximum as a posting list would store it.
    private static func rounded(_ maximum: Double) -> Float {
        guard maximum > 0, maximum.isFinite, Float(maximum).isFinite, Float(maximum) > 0 else { return Float(maximum) }
        var list = [UInt8](repeating: 0, count: kernel_posting_bound(1)), value: Float = 0
        _ = kernel_posting_encode([0], [Float(maximum)], 1, &list, &value)
        return value
    }

    private func judgeTopics(_ topics: [Topic]) throws {
        if run.evidence == .examples { return }
        let low = run.dictionary.featureID(group.lowerBound), examination = examination
        for (at, topic) in topics.enumerated() {
            var seen = [Bool](repeating: false, count: group.count)
            try examination.connection.query("SELECT feature_id, firings, documents, sum, maximum FROM feature_topic WHERE run_id = ? AND feature_id >= ? AND feature_id < ? AND topic_id = ?", ids64 + [.init(topic.id)]) { row in
                let place = row.integer(0) - low, recount = byTopic[place * (topicCount + 1) + at], largest = Double(states[place].total.maximum)
                let here = "\(here(place)) topic \(quoted(topic.name))"
                seen[place] = true
                let slack = smallest * largest
                if run.keepTop != nil {
                    if row.integer(1) < recount.firings { examination.damage("firings of a topic", at: here, found: "\(row.integer(1))", expected: "at least the \(recount.firings) kept") }
                    if row.integer(2) < recount.documents { examination.damage("documents of a feature and topic", at: here, found: "\(row.integer(2))", expected: "at least the \(recount.documents) of the firings kept") }
                    if !(row.real(3) >= recount.sum * (1 - rounding) - slack * Double(recount.firings)) { examination.damage("sum of a topic", at: here, found: "\(row.real(3))", expected: "at least the \(recount.sum) of the firings kept") }
                    if !(row.real(4) >= Double(recount.maximum) * (1 - rounding) - slack) { examination.damage("maximum of a topic", at: here, found: "\(row.real(4))", expected: "at least \(recount.maximum)") }
                    return
                }
                examination.expect(row.integer(1), recount.firings, "firings of a topic", at: here)
                examination.expect(row.integer(2), recount.documents, "documents of a feature and topic", at: here)
                examination.expect(row.real(3), near: recount.sum, within: rounding * recount.sum + slack * Double(recount.firings), "sum of a topic", at: here)
                examination.expect(row.real(4), near: Double(recount.maximum), within: rounding * Double(recount.maximum) + slack, "maximum of a topic", at: here)
            }
            for place in seen.indices where !seen[place] && byTopic[place * (topicCount + 1) + at].firings > 0 {
                examination.damage("firings of a topic", at: "\(here(place)) topic \(quoted(topic.name))", found: "no row", expected: "\(byTopic[place * (topicCount + 1) + at].firings)")
            }
        }
    }

    private func judgeExamples(_ place: Int) {
        let state = states[place], examples = state.claims.examples, here = here(place), examination = examination
        examination.counted("examples", examples.count)
        if run.isComplete, state.total.firings > 0, examples.isEmpty { examination.damage("examples of a feature", at: here, found: "none", expected: "at least one") }
        if examples.count > examplesKept { examination.damage("examples of a feature", at: here, found: "\(examples.count)", expected: "at most \(examplesKept)") }
        var perDocument: [Int: Int] = [:]
        for (at, example) in examples.enumerated() {
            let here = "\(here) example \(example.rank)"
            examination.expect(example.rank, at + 1, "rank of an example", at: here)
            examination.expect(example.value, Double(example.stored), "value of an example", at: "\(here) at position \(example.position)")
            if at == 0, example.position != state.firstMaximumPosition {
                examination.damage("strongest example", at: here, found: "\(example.value) at position \(example.position)", expected: "\(state.total.maximum) at position \(state.firstMaximumPosition)")
            }
            if at > 0, case let before = examples[at - 1], !(example.value < before.value || example.value == before.value && example.position > before.position) {
                examination.damage("order of examples", at: here, found: "\(example.value) at position \(example.position)", expected: "less than \(before.value) at position \(before.position)")
            }
            guard example.document >= 0 else { continue }
            perDocument[example.document, default: 0] += 1
            if perDocument[example.document] == examplesPerDocument + 1 {
                examination.damage("examples from one document", at: here, found: "\(examplesPerDocument + 1)", expected: "at most \(examplesPerDocument)")
            }
        }
    }

    private func judgeTokens(_ place: Int) {
        let state = states[place], tokens = state.claims.tokens, here = here(place), examination = examination
        examination.counted("top tokens", tokens.count)
        if run.isComplete, state.total.firings > 0, tokens.isEmpty { examination.damage("top tokens of a feature", at: here, found: "none", expected: "at least one") }
        if tokens.count > tokensKept { examination.damage("top tokens of a feature", at: here, found: "\(tokens.count)", expected: "at most \(tokensKept)") }
        for (at, token) in tokens.enumerated() {
            let here = "\(here) top token \(token.rank)"
            examination.expect(token.rank, at + 1, "rank of a top token", at: here)
            examination.expect(token.firings, token.firingsFound, "firings of a top token", at: here)
            examination.expect(token.sum, near: token.sumFound, within: 1e-9 * token.sumFound, "sum of a top token", at: here)
            if at > 0, case let before = tokens[at - 1], !(token.sum < before.sum || token.sum == before.sum && token.token > before.token) {
                examination.damage("order of top tokens", at: here, found: "\(token.sum)", expected: "less than \(before.sum)")
            }
        }
    }
}
