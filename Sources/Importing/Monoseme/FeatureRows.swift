import Diagnostics
import FeatureCatalogue
import Formats
import Kernels
import SQLite

/// Writes the rows of one feature after the other.
final class FeatureRows {
    private unowned let rows: ExportedRows
    private let head: ExportedHead
    private let dictionary: FeatureDictionary
    private let ledger: LedgerRows
    private var feature: Statement, statistic: Statement, posting: Statement
    private var topics: RowWriter, examples: RowWriter, tokens: RowWriter, logits: RowWriter, neurons: RowWriter, groups: RowWriter, edges: RowWriter, facts: RowWriter, neighbours: RowWriter
    /// Unit decoder rows that have not been written.
    private var vectors: [UInt8] = []
    private var firstVector = 0
    /// Of the feature at hand: where it fires within windows.
    private var firings: [(position: Int, value: Float)] = []

    private static let rowsPerBlock = 1024

    init(_ rows: ExportedRows) throws {
        (self.rows, head, dictionary) = (rows, rows.head, rows.dictionary)
        let connection = rows.connection
        ledger = try LedgerRows(rows)
        feature = try Statement("INSERT INTO feature (id, dictionary_id, feature_index, decoder_norm, activation_scale, encoder_decoder_cosine) VALUES (?, ?, ?, ?, ?, ?)", on: connection)
        statistic = try Statement("""
            INSERT INTO statistic (run_id, feature_id, firings, documents, sum, sum_of_squares, maximum, maximum_position, last_position, histogram, density) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, on: connection)
        posting = try Statement("INSERT INTO posting (id, list) VALUES (?, ?)", on: connection)
        topics = try RowWriter(into: "feature_topic (run_id, feature_id, topic_id, firings, documents, sum, maximum, threshold, precision, recall, f1, z, q, auroc)", columns: 14, on: connection)
        examples = try RowWriter(into: "feature_example (run_id, feature_id, rank, position, value)", columns: 5, on: connection)
        tokens = try RowWriter(into: "feature_token (run_id, feature_id, rank, token, firings, sum)", columns: 6, on: connection)
        logits = try RowWriter(into: "feature_logit (feature_id, rank, token, value)", columns: 4, on: connection)
        neurons = try RowWriter(into: "feature_neuron (run_id, feature_id, basis, rank, neuron, value)", columns: 6, on: connection)
        groups = try RowWriter(into: "feature_group (run_id, feature_id, kind, ordinal, low, high, firings, position)", columns: 8, on: connection)
        edges = try RowWriter(into: """
            lineage_edge (build_id, child_id, parent_id, kind, tier, confidence, coverage_low, mass_coverage, mass_coverage_low, mass_keep, masked_cosine, activation_correlation, decoder_cosine,
                containment, weight, share, parent_firings, child_firings, firings_together)
            """, columns: 19, on: connection)
        facts = try RowWriter(into: "lineage_feature (build_id, feature_id, kind, children, union_coverage, explained, best_coverage, best_cosine)", columns: 8, on: connection)
        neighbours = try RowWriter(into: "feature_neighbour (feature_id, graph_id, rank, neighbour_id, cosine)", columns: 5, on: connection)
    }

    // MARK: Forms

    private static let form = ObjectForm(
        .text("feature"), .count("index"), .derived("label"), .derived("status"), .nested("statistics"), .nested("labels"), .nested("omissions"), .nested("top_tokens"), .nested("logits"), .nested("neurons"),
        .nested("topics"), .nested("examples"), .nested("intervals"), .nested("quantiles"), .nested("nearest"), .nested("lineage"), .derived("label_suggestions"), .nested("example_values", isNullable: true),
        .nested("neighbours"), .nested("vector", isOptional: true))
    private static let statisticsForm = ObjectForm(
        .derived("tokens"), .count("firings"), .derived("density"), .real("stated_density", isNullable: true), .count("documents"), .real("sum"), .real("sum_of_squares"), .single("maximum"),
        .count("maximum_position", isNullable: true), .count("last_position", isNullable: true), .derived("mean_when_active"), .real("decoder_norm"), .real("activation_scale"),
        .real("encoder_decoder_cosine", isNullable: true), .derived("kept_firings"), .nested("histogram"))
    private static let histogramForm = ObjectForm(.integer("first", -128...127), .nested("counts"))
    private static let tokenForm = ObjectForm(.count("id"), .derived("text"), .count("firings"), .real("sum"))
    private static let logitForm = ObjectForm(.count("id"), .derived("text"), .real("value"))
    private static let neuronForm = ObjectForm(.count("index"), .real("value"))
    private static let topicForm = ObjectForm(
        .text("topic"), .count("firings"), .derived("topic_tokens"), .derived("rate"), .derived("share"), .derived("lift"), .derived("log_odds"), .derived("mean_when_active"), .real("sum"), .real("maximum"),
        .count("documents_firing"), .derived("topic_documents"), .derived("mass_specificity"), .real("z", isNullable: true), .real("q", isNullable: true), .real("auroc", isNullable: true), .nested("detector", isNullable: true))
    private static let detectorForm = ObjectForm(.single("threshold"), .real("precision"), .real("recall"), .real("f1"))
    private static let exampleForm = ObjectForm(
        .single("activation"), .count("position"), .derived("document"), .derived("position_in_document"), .derived("topic"), .derived("text"), .nested("token_ids"), .derived("tokens"), .nested("activations"), .count("focus"))
    private static let intervalForm = ObjectForm(.single("centre"), .count("firings"), .nested("samples"))
    private static let quantileForm = ObjectForm(.single("lowest"), .single("highest"), .count("firings"), .nested("samples"))
    private static let nearestForm = ObjectForm(.text("feature"), .single("cosine"), .derived("label"), .derived("density"), .derived("top_token"))
    private static let edgeForm = ObjectForm(
        .text("parent"), .text("child"), .word("kind", LineageKind.allCases.map(\.rawValue)), .word("tier", LineageTier.allCases.map(\.rawValue)), .real("confidence"), .derived("coverage"),
        .real("coverage_low", isNullable: true), .derived("keep"), .real("mass_coverage", isNullable: true), .real("mass_coverage_low", isNullable: true), .real("mass_keep", isNullable: true),
        .real("masked_cosine", isNullable: true), .real("activation_correlation", isNullable: true), .real("decoder_cosine", isNullable: true), .real("containment", isNullable: true), .real("weight", isNullable: true),
        .real("share", isNullable: true), .count("parent_firings"), .count("child_firings"), .count("firings_together", isNullable: true))
    private static let factForm = ObjectForm(
        .text("parent_dictionary"), .text("child_dictionary"), .word("kind", ["novel", "vanished", "noise"], isNullable: true), .count("children", isNullable: true), .real("union_coverage", isNullable: true),
        .real("explained", isNullable: true), .real("best_coverage", isNullable: true), .real("best_cosine", isNullable: true))

    private struct Example { var position = 0; var activation = 0.0 }

    // MARK: One feature

    /// Takes the next feature, which must be the one of this index.
    func add(_ index: Int, _ cursor: inout JSONCursor) throws {
        guard index < head.features else { throw cursor.fail("more features than the dictionary has, \(head.features)") }
        let id = dictionary.featureID(index), run = rows.run
        firings.removeAll(keepingCapacity: true)
        var found: [Example] = [], values: [Double]?, hasVector = false
        let members = try Self.form.read(&cursor) { place, cursor in
            switch place {
            case 4: try addStatistics(id, index, &cursor)
            case 5: try ledger.addLabels(of: index, &cursor)
            case 6: try ledger.addOmissions(of: index, &cursor)
            case 7:
                try forEach(Self.tokenForm, &cursor) { rank, token in try tokens.add(.init(run), .init(id), .init(rank), token[0], token[2], token[3]) }
            case 8:
                _ = try ObjectForm(.nested("raised"), .nested("lowered")).read(&cursor) { side, cursor in
                    try forEach(Self.logitForm, &cursor) { rank, logit in try logits.add(.init(id), .init(side == 0 ? rank : -rank), logit[0], logit[2]) }
                }
            case 9:
                _ = try ObjectForm(.nested("by_weight"), .nested("by_correlation")).read(&cursor) { side, cursor in
                    try forEach(Self.neuronForm, &cursor) { rank, neuron in try neurons.add(.init(run), .init(id), .text(side == 0 ? "weight" : "correlation"), .init(rank), neuron[0], neuron[1]) }
                }
            case 10: try addTopics(id, &cursor)
            case 11: try cursor.array { cursor in found.append(try readExample(&cursor)) }
            case 12: try addGroups(id, "interval", Self.intervalForm, &cursor)
            case 13: try addGroups(id, "quantile", Self.quantileForm, &cursor)
            case 14: try addNearest(index, &cursor)
            case 15: try addLineage(index, &cursor)
            case 17:
                var read: [Double] = []
                try cursor.array { cursor in read.append(try cursor.real()) }
                values = read
            case 18: try addNeighbours(id, &cursor)
            case 19:
                try addVector(index, &cursor)
                hasVector = true
            default: try cursor.skip()
            }
        }
        guard members[1].integer == index, members[0].string == "\(head.name)/\(index)" else { throw cursor.fail("the feature \(quoted(members[0].string ?? "")) with index \(members[1].integer ?? -1), where \(head.name)/\(index) is next") }
        guard hasVector == head.hasVectors else { throw cursor.fail("\(head.name)/\(index) comes \(hasVector ? "with a vector, and the head says that there are none" : "without its vector")") }
        if let values, values.count != found.count { throw cursor.fail("\(values.count) values of \(found.count) examples") }
        for (place, example) in found.enumerated() { try examples.add(.init(run), .init(id), .init(place + 1), .init(example.position), .real(values?[place] ?? example.activation)) }
        if !head.hasFirings { try addFirings(index, cursor) }
    }

    /// Calls `body` for each object of an array with its rank, from 1.
    private func forEach(_ form: ObjectForm, _ cursor: inout JSONCursor, _ body: (Int, [SQLiteValue]) throws -> Void) throws {
        var rank = 0
        try cursor.array { cursor in
            rank += 1
            try body(rank, try form.read(&cursor))
        }
    }

    private func addStatistics(_ id: Int, _ index: Int, _ cursor: inout JSONCursor) throws {
        var histogram = ActivationHistogram()
        let s = try Self.statisticsForm.read(&cursor) { _, cursor in
            var counts: [Int] = []
            let first = try Self.histogramForm.read(&cursor) { _, cursor in
                try cursor.array { cursor in
                    guard counts.count < 256 else { throw cursor.fail("a histogram of more than 256 bins") }
                    counts.append(try cursor.integer(in: 0...1 << 47))
                }
            }[0].integer!
            guard first + counts.count <= 128 else { throw cursor.fail("a histogram beyond bin 127") }
            histogram = ActivationHistogram(first: first, counts: counts)
        }
        for place in [8, 9] { if let position = s[place].integer, position >= head.tokens { throw cursor.fail("the position \(position) in a corpus of \(head.tokens) tokens") } }
        rows.firingsCounted += s[1].integer!
        if head.hasFirings, head.run[0].string == "firings", case let listed = rows.firingsListed[index], case let kept = min(s[1].integer!, head.keepTop ?? .max), listed != kept {
            throw cursor.fail("\(listed) firings in the posting lists of \(head.name)/\(index), where \(kept) are said to be")
        }
        try feature.run(.init(id), .init(dictionary.id), .init(index), s[11], s[12], s[13])
        try statistic.run(.init(rows.run), .init(id), s[1], s[4], s[5], s[6], s[7], s[8], s[9], .blob(histogram.bytes), s[3])
    }

    private func addTopics(_ id: Int, _ cursor: inout JSONCursor) throws {
        try cursor.array { cursor in
            var detector: [SQLiteValue] = [.null, .null, .null, .null]
            let t = try Self.topicForm.read(&cursor) { _, cursor in detector = try Self.detectorForm.read(&cursor) }
            guard let topic = rows.topics[t[0].string!] else { throw cursor.fail("the topic \(quoted(t[0].string!)), which the corpus does not have") }
            try topics.add(.init(rows.run), .init(id), .init(topic), t[1], t[10], t[8], t[9], detector[0], detector[1], detector[2], detector[3], t[13], t[14], t[15])
        }
    }

    /// Reads an example and keeps what its window tells of tokens and firings.
    private func readExample(_ cursor: inout JSONCursor) throws -> Example {
        var ids: [Int] = [], activations: [Float] = []
        let e = try Self.exampleForm.read(&cursor) { place, cursor in
            try cursor.array { cursor in
                guard ids.count <= 1 << 20, activations.count <= 1 << 20 else { throw cursor.fail("a window of more than \(1 << 20) tokens") }
                if place == 6 { ids.append(try cursor.integer()) } else { activations.append(try cursor.single()) }
            }
        }
        let position = e[1].integer!, focus = e[9].integer!
        guard ids.count == activations.count, focus < ids.count, position >= focus, position < head.tokens else { throw cursor.fail("an example whose tokens, activations and focus do not fit one another") }
        rows.examples += 1
        if !head.hasFirings {
            if let problem = rows.windows.add(ids, from: position - focus) { throw cursor.fail(problem) }
            for (place, activation) in activations.enumerated() where activation != 0 {
                guard activation > 0 else { throw cursor.fail("an activation below zero") }
                firings.append((position - focus + place, activation))
            }
        }
        return Example(position: position, activation: e[0].real!)
    }

    private func addGroups(_ id: Int, _ kind: String, _ form: ObjectForm, _ cursor: inout JSONCursor) throws {
        var ordinal = 0
        try cursor.array { cursor in
            var sample: Example?
            let g = try form.read(&cursor) { _, cursor in
                try cursor.array { cursor in
                    guard sample == nil else { throw cursor.fail("more than one sample of a group") }
                    sample = try readExample(&cursor)
                }
            }
            if !head.hasFirings { try groups.add(.init(rows.run), .init(id), .text(kind), .init(ordinal), g[0], g[kind == "interval" ? 0 : 1], g[kind == "interval" ? 1 : 2], .init(sample?.position)) }
            ordinal += 1
        }
    }

    // MARK: Other features

    private func index(_ text: String, of name: DictionaryName, below features: Int, _ cursor: JSONCursor) throws -> Int {
        guard let found = FeatureName(text), found.dictionary == name, found.index < features else { throw cursor.fail("the feature \(quoted(text)), where one of \(name) was expected") }
        return found.index
    }

    private func addNearest(_ own: Int, _ cursor: inout JSONCursor) throws {
        var rank = 0
        try cursor.array { cursor in
            let nearest = try Self.nearestForm.read(&cursor), other = try index(nearest[0].string!, of: head.name, below: head.features, cursor)
            rank += 1
            guard rank <= nearestKept, other != own else { throw cursor.fail("a neighbour too many") }
            if let graph = rows.nearestGraph { try neighbours.add(.init(dictionary.featureID(own)), .init(graph), .init(rank), .init(dictionary.featureID(other)), nearest[1]) }
        }
    }

    private func addNeighbours(_ id: Int, _ cursor: inout JSONCursor) throws {
        var place = 0
        try cursor.array { cursor in
            guard rows.graphs.indices.contains(place) else { throw cursor.fail("neighbours of no graph that there is") }
            let graph = rows.graphs[place]
            place += 1
            var rank = 0
            try cursor.array { cursor in
                rank += 1
                var other: Int?, cosine: Float?
                try cursor.array { cursor in
                    if other == nil { other = try cursor.integer(in: 0...(graph?.target.features ?? featuresMaximum) - 1) } else if cosine == nil { cosine = try cursor.single() } else { throw cursor.fail("a neighbour of more than two numbers") }
                }
                guard let other, let cosine else { throw cursor.fail("a neighbour of less than two numbers") }
                if let graph { try neighbours.add(.init(id), .init(graph.id), .init(rank), .init(graph.target.featureID(other)), .init(cosine)) }
            }
        }
        guard place == rows.graphs.count else { throw cursor.fail("neighbours in \(place) of \(rows.graphs.count) graphs") }
    }

    private func addLineage(_ own: Int, _ cursor: inout JSONCursor) throws {
        _ = try ObjectForm(.nested("parents"), .nested("children"), .nested("facts")).read(&cursor) { place, cursor in
            if place == 2 { return try addFacts(own, &cursor) }
            try cursor.array { cursor in
                let e = try Self.edgeForm.read(&cursor)
                // Which lineage: by the names of its versions, under which they were exported.
                guard let parent = FeatureName(e[0].string!), let child = FeatureName(e[1].string!), (place == 0 ? child : parent) == FeatureName(dictionary: head.name, index: own),
                      let number = head.lineages.firstIndex(where: { $0.coarse == parent.dictionary && $0.fine == child.dictionary }) else {
                    throw cursor.fail("an edge from \(quoted(e[0].string!)) to \(quoted(e[1].string!)) that is of no lineage of \(head.name)/\(own)")
                }
                guard let lineage = rows.lineages[number] else { return }
                guard parent.index < lineage.coarse.features, child.index < lineage.fine.features else { throw cursor.fail("an edge from \(parent) to \(child), of which one is not there") }
                try edges.add(.init(lineage.build), .init(lineage.fine.featureID(child.index)), .init(lineage.coarse.featureID(parent.index)), e[2], e[3], e[4], e[6], e[8], e[9], e[10], e[11], e[12], e[13], e[14], e[15],
                              e[16], e[17], e[18], e[19])
            }
        }
    }

    private func addFacts(_ own: Int, _ cursor: inout JSONCursor) throws {
        try cursor.array { cursor in
            let f = try Self.factForm.read(&cursor)
            guard let number = head.lineages.firstIndex(where: { $0.coarse.description == f[0].string && $0.fine.description == f[1].string }) else { throw cursor.fail("a fact of no lineage that there is") }
            guard let lineage = rows.lineages[number] else { return }
            try facts.add(.init(lineage.build), .init(dictionary.featureID(own)), f[2], f[3], f[4], f[5], f[6], f[7])
        }
    }

    // MARK: Vectors and firings

    private func addVector(_ index: Int, _ cursor: inout JSONCursor) throws {
        let bytes = try cursor.base64()
        guard head.hasVectors, bytes.count == 4 * head.width else { throw cursor.fail("a vector of \(bytes.count) bytes, where \(head.hasVectors ? "\(4 * head.width) are" : "none is") expected") }
        let squares = bytes.withUnsafeBytes { raw in
            (0..<head.width).reduce(0.0) { sum, axis in
                let value = Double(Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * axis, as: UInt32.self))))
                return sum + value * value
            }
        }
        guard squares == 0 || abs(squares.squareRoot() - 1) <= 1e-4 else { throw cursor.fail("a vector of length \(squares.squareRoot()), not 1") }
        vectors += bytes
        if index - firstVector + 1 == Self.rowsPerBlock { try writeVectors() }
    }

    private func writeVectors() throws {
        guard head.hasVectors, head.width > 0, !vectors.isEmpty else { return }
        let count = vectors.count / (4 * head.width)
        try rows.connection.run("INSERT INTO decoder_block (dictionary_id, first_index, rows, vectors, sha256) VALUES (?, ?, ?, ?, ?)", .init(dictionary.id), .init(firstVector), .init(count), .blob(vectors),
                                .text(vectors.withUnsafeBytes { hexadecimal(SHA256.digest(of: $0)) }))
        firstVector += count
        vectors.removeAll(keepingCapacity: true)
    }

    /// Writes the firings within the windows as posting lists, segment by segment.
    private func addFirings(_ index: Int, _ cursor: JSONCursor) throws {
        guard !firings.isEmpty else { return }
        firings.sort { $0.position < $1.position }
        var place = 0, segment = 0
        while place < firings.count {
            while segment < head.segments.count, firings[place].position >= head.segments[segment].firstPosition + head.segments[segment].tokens { segment += 1 }
            guard segment < head.segments.count else { throw cursor.fail("a firing at position \(firings[place].position), behind all segments") }
            let bounds = head.segments[segment], end = bounds.firstPosition + bounds.tokens
            var positions: [UInt32] = [], values: [Float] = []
            while place < firings.count, firings[place].position < end {
                let (position, value) = firings[place], relative = UInt32(position - bounds.firstPosition)
                if positions.last == relative {
                    guard values.last == value else { throw cursor.fail("two activations at position \(position), \(values.last!) and \(value)") }
                } else {
                    positions.append(relative)
                    values.append(value)
                }
                place += 1
            }
            let list = try postingList(positions, values, cursor)
            posting.bind(firstPostingID(ofSegment: rows.segments[segment]) + index, at: 0)
            try list.withUnsafeBytes { bytes in
                posting.bind(borrowing: bytes, at: 1)
                try posting.run()
            }
        }
    }

    /// A list that reads back as exactly these values, which are some of a longer list's.
    private func postingList(_ positions: [UInt32], _ values: [Float], _ cursor: JSONCursor) throws -> [UInt8] {
        var list = [UInt8](repeating: 0, count: kernel_posting_bound(values.count)), rounded = [Float](repeating: 0, count: values.count)
        let count = kernel_posting_encode(positions, values, values.count, &list, &rounded)
        list.removeSubrange(count...)
        if rounded == values { return list }
        // The longer list's largest value was rounded up to a power of two, so that its exponent was one less.
        let exponent = Int8(bitPattern: list[0]), halves = count - 2 * values.count
        guard exponent > -112 else { return list }
        list[0] = UInt8(bitPattern: exponent - 1)
        let down = Float(sign: .plus, exponent: 1 - Int(exponent), significand: 1)
        for (place, value) in values.enumerated() {
            let half = Float16(value * down)
            // Values of another catalogue's making have been rounded before, or are rounded now.
            guard half.isFinite, half > 0 else { throw cursor.fail("activations too far from one another") }
            (list[halves + 2 * place], list[halves + 2 * place + 1]) = (UInt8(truncatingIfNeeded: half.bitPattern), UInt8(truncatingIfNeeded: half.bitPattern >> 8))
        }
        return list
    }

    /// Writes what is left.
    func finish(_ damaged: (String) -> MonosemeError) throws {
        try writeVectors()
        try topics.finish()
        try examples.finish()
        try tokens.finish()
        try logits.finish()
        try neurons.finish()
        try groups.finish()
        try edges.finish()
        try facts.finish()
        try neighbours.finish()
        for sentence in ledger.missing { rows.summary.missing.append(sentence) }
    }
}
