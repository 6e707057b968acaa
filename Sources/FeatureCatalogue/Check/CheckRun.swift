import Diagnostics
import SQLite

extension Examination {
    func examineRuns() {
        part("runs") {
            let runs = try catalogue.dictionaries().filter(\.hasSoundShape).compactMap { try catalogue.runIfAny(of: $0) }
            counted("runs", runs.count)
            for run in runs { tokensExpected &+= max(0, run.tokens) }
            for run in runs {
                let place = run.dictionary.name.description
                part("ledger of a run") {
                    let corpus = try catalogue.corpus(run.corpus)
                    let segments = try examineLedger(of: run, corpus)
                    if !run.isComplete {
                        report.findings.append(Finding(kind: .unfinished, what: "unfinished run", place: place, found: "\(run.tokens) tokens",
                                                       expected: corpus.isComplete ? "\(corpus.tokens)" : "a corpus that has not been read to its end"))
                    }
                    guard let segments else { return }
                    // Nothing can be counted again from the firings within some windows.
                    guard try connection.integer("SELECT evidence = 'firings' OR EXISTS (SELECT 1 FROM import_source WHERE run_id = run.id) FROM run WHERE id = ?", .init(run.id)) != 0 else { return try examineTotals(of: run) }
                    part("firings of a run") { try examineFirings(of: run, segments, corpus) }
                    part("firings of a run") { try examineTotals(of: run) }
                }
                if run.evidence == .examples { part("imported examples of a run") { try examineImportedExamples(of: run) } }
                part("neurons of a feature") { try examineNeurons(of: run) }
                part("evaluation of a run") { try examineEvaluation(of: run) }
            }
            try examineStrays()
        }
    }

    /// The segments, where they lie end to end, so that positions mean something.
    private func examineLedger(of run: Run, _ corpus: Corpus) throws -> [Segment]? {
        let place = run.dictionary.name.description
        let segments = try catalogue.segments(of: run)
        counted("segments", segments.count)
        var next = 0, firings = 0, isSound = true
        for (ordinal, segment) in segments.enumerated() {
            let here = "\(place) segment \(segment.ordinal)"
            expect(segment.ordinal, ordinal, "order of segments", at: here)
            expect(segment.firstPosition, next, "place of a segment", at: here)
            if !(1...Int(UInt32.max)).contains(segment.tokens) { damage("tokens of a segment", at: here, found: "\(segment.tokens)", expected: "1 or more") }
            isSound = isSound && segment.firstPosition == next && (1...Int(UInt32.max)).contains(segment.tokens) && (0..<1 << 38).contains(segment.id)
            next = next &+ segment.tokens
            firings = firings &+ segment.firings
        }
        // What was imported as examples says how many tokens its source saw, and keeps those of its windows.
        let hasAllTokens = run.evidence == .firings
        if hasAllTokens { expect(run.tokens, next, "tokens of a run", at: place) }
        expect(run.firings, firings, "firings of a run", at: place)
        if next > corpus.tokens { damage("tokens of a run", at: place, found: "\(next) in segments", expected: "no more than the corpus has, \(corpus.tokens)") }
        if run.isComplete { expect(hasAllTokens ? run.tokens : next, corpus.tokens, "tokens of a complete run", at: place) }
        return isSound ? segments : nil
    }

    /// One row of statistics for each feature, no row beyond, and rows of examples and tokens only for features there are.
    private func examineTotals(of run: Run) throws {
        let place = run.dictionary.name.description
        let low = run.dictionary.featureID(0), high = run.dictionary.featureID(run.dictionary.features)
        expect(try connection.integer("SELECT count(*) FROM statistic WHERE run_id = ?", .init(run.id)), run.dictionary.features, "rows of statistics", at: place)
        for table in ["statistic", "feature_topic", "feature_example", "feature_token", "feature_neuron"] {
            let strays = try connection.integer("SELECT count(*) FROM \(table) WHERE run_id = ? AND NOT (feature_id >= ? AND feature_id < ?)", .init(run.id), .init(low), .init(high))
            expect(strays ?? 0, 0, "rows of features of another dictionary", at: "\(place) table \(table)")
        }
        let strangers = try connection.integer("SELECT count(*) FROM feature_topic WHERE run_id = ? AND topic_id NOT IN (SELECT id FROM topic WHERE corpus_id = ?)", .init(run.id), .init(run.corpus))
        expect(strangers ?? 0, 0, "rows of topics of another corpus", at: "\(place) table feature_topic")
    }

    private func examineNeurons(of run: Run) throws {
        let low = run.dictionary.featureID(0)
        // Of a dictionary without its vectors the width is what its source states, if it does.
        let stated = try connection.first("SELECT stated_width FROM dictionary WHERE id = ?", .init(run.dictionary.id)) { $0.optionalInteger(0) } ?? nil
        let width = run.dictionary.width > 0 ? run.dictionary.width : stated ?? .max
        var previous: (feature: Int, basis: String, rank: Int, strength: Double)?
        try connection.query("SELECT feature_id, basis, rank, neuron, value FROM feature_neuron WHERE run_id = ? ORDER BY feature_id, basis, rank", [.init(run.id)]) { row in
            let feature = row.integer(0), basis = row.text(1), rank = row.integer(2), value = row.real(4)
            // By weight either sign counts; correlations are those that rise together.
            let strength = basis == "weight" ? abs(value) : value
            let here = "\(name(feature &- low, run.dictionary)) neuron \(rank) by \(basis)"
            let before = previous.flatMap { $0.feature == feature && $0.basis == basis ? $0 : nil }
            expect(rank, (before?.rank ?? 0) &+ 1, "rank of a neuron", at: here)
            let most = run.evidence == .firings ? 1.0001 : .greatestFiniteMagnitude
            if !(strength <= before?.strength ?? most) { damage("order of neurons", at: here, found: "\(strength)", expected: "no more than \(before?.strength ?? 1)") }
            if row.integer(3) < 0 || width > 0 && row.integer(3) >= width { damage("neuron of a feature", at: here, found: "\(row.integer(3))", expected: "0 to \(width - 1)") }
            previous = (feature, basis, rank, strength)
            counted("neurons", 1)
        }
    }

    /// Rows that can be read, with a residue for each, of features there are, whose activations above 0 are firings.
    private func examineImportedExamples(of run: Run) throws {
        for segment in try catalogue.segments(of: run) where (0..<1 << 38).contains(segment.id) {
            let low = firstPostingID(ofSegment: segment.id)
            try connection.query("SELECT id, windows, iif(json_valid(residue), json_array_length(residue), -1) FROM import_example WHERE id >= ? AND id < ?", [.init(low), .init(firstPostingID(ofSegment: segment.id + 1))]) { row in
                let feature = row.integer(0) - low, here = "\(name(feature, run.dictionary)) segment \(segment.ordinal)"
                guard feature < run.dictionary.features else { return damage("feature of imported examples", at: here, found: "\(feature)", expected: "0 to \(run.dictionary.features - 1)") }
                guard let examples = row.withBlob(1, { catalogue.importedExamples($0, from: segment) }) else {
                    return damage("bytes of imported examples", at: here, found: "bytes that are no examples", expected: "windows of the segment")
                }
                expect(row.integer(2), examples.count, "residues of imported examples", at: here)
                let firings = try catalogue.firings(of: feature, in: segment).positions
                let missing = examples.reduce(into: Set<Int>()) { positions, example in
                    for (place, value) in example.activations where value > 0 { positions.insert(example.firstPosition + place) }
                }.subtracting(firings)
                // A window that rows disagree about lies there once for each.
                if missing.count > 0 { damage("firings of imported examples", at: here, found: "\(missing.count) that no posting list has", expected: "none") }
                counted("imported examples", examples.count)
            }
        }
    }

    private func examineEvaluation(of run: Run) throws {
        let place = run.dictionary.name.description
        try connection.query("""
            SELECT contexts, tokens, l0, mean_squared_error, explained_variance, loss_original, loss_spliced, loss_zero_ablated, loss_mean_ablated FROM evaluation WHERE run_id = ?
            """, [.init(run.id)]) { row in
            let names = ["contexts", "tokens", "l0", "mean_squared_error", "explained_variance", "loss_original", "loss_spliced", "loss_zero_ablated", "loss_mean_ablated"]
            for (column, name) in names.enumerated() {
                let value = row.real(column)
                let most = name == "explained_variance" ? 1 : name == "tokens" ? Double(run.tokens) : name == "l0" ? Double(run.dictionary.features) : .greatestFiniteMagnitude
                if !(value <= most && (value >= 0 || name == "explained_variance")) || !value.isFinite {
                    damage("evaluation of a run", at: "\(place) \(name)", found: "\(value)", expected: name == "explained_variance" ? "at most 1" : "a number from 0 on\(most < 1e300 ? " to \(most)" : "")")
                }
            }
        }
    }

    /// Posting lists that belong to no segment: nothing refers to them.
    private func examineStrays() throws {
        try connection.query("SELECT id >> 24, count(*) FROM posting WHERE (id >> 24) NOT IN (SELECT id FROM segment) GROUP BY 1 ORDER BY 1") { row in
            damage("posting lists of a segment that is not in the ledger", at: "segment id \(row.integer(0))", found: "\(row.integer(1))", expected: "none")
        }
    }
}
