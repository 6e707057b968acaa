import Diagnostics
import FeatureCatalogue
import Formats
import Kernels
import SQLite

/// Writes what an export holds into the catalogue, part by part, within the caller's transaction.
final class ExportedRows {
    let head: ExportedHead
    let catalogue: Catalogue
    var connection: Connection { catalogue.connection }
    let name: DictionaryName
    var summary: ImportSummary

    let dictionary: FeatureDictionary
    let run: Int
    let tokenizer: Int, corpus: Int
    /// Rows of the head's lists, by their places in them; `nil`: what they need is not in the catalogue, or they are there already.
    let topics: [String: Int]
    private let sources: [Int]
    let segments: [Int]
    private let tags: [Int?]
    let lineages: [(build: Int, coarse: FeatureDictionary, fine: FeatureDictionary)?]
    let graphs: [(id: Int, target: FeatureDictionary)?]
    /// Of the ten nearest features of each, where no vectors come by which they could be found.
    let nearestGraph: Int?
    let bases: [Int]
    let prompts: [String: Int]
    /// What numbers of rows a label, a decision and a score begin after.
    let ledgerStart: (label: Int, event: Int, score: Int)

    /// Whether the corpus came with this import, all that is known of it.
    private let isNewCorpus: Bool
    /// Whether the catalogue had windows of the corpus only.
    private let hadWindows: Bool
    private let isNewTokenizer: Bool
    private var tokensDone = 0, documentsDone = 0, documentsEnd = 0, nextToken = 0
    private var checksums: [UInt64]
    /// Of each feature, the firings in its posting lists.
    private(set) var firingsListed: [Int]
    private var lastList: (segment: Int, feature: Int) = (-1, -1)
    private var insertPosting: Statement
    private var blocksGone = false

    let windows: CorpusWindows
    private var featureRows: FeatureRows!
    private(set) var features = 0
    var examples = 0, labels = 0, scores = 0, firingsCounted = 0

    init(_ head: ExportedHead, as name: DictionaryName, in catalogue: Catalogue, warn: (String) -> Void) throws {
        (self.head, self.name, self.catalogue) = (head, name, catalogue)
        let connection = catalogue.connection
        summary = ImportSummary(name)
        // The tokenizer, the model, the corpus: found or added.
        let knownTokenizer = try connection.first("SELECT id, vocabulary FROM tokenizer WHERE sha256 = ?", .init(head.tokenizer[0].string)) { ($0.integer(0), $0.integer(1)) }
        if let knownTokenizer {
            guard knownTokenizer.1 == head.vocabulary else { throw MonosemeError("the tokenizer has \(knownTokenizer.1) ids in \(quoted(catalogue.path, limit: 400)) and \(head.vocabulary) in what is imported", hint: "import into another catalogue") }
            tokenizer = knownTokenizer.0
        } else {
            try connection.run("INSERT INTO tokenizer (sha256, vocabulary) VALUES (?, ?)", head.tokenizer[0], head.tokenizer[1])
            tokenizer = connection.lastInsertedRow
        }
        isNewTokenizer = knownTokenizer == nil
        let model: Int
        if let known = try connection.integer("SELECT id FROM model WHERE weights_sha256 = ? AND tokenizer_id = ?", head.model[7], .init(tokenizer)) { model = known } else {
            try connection.run("INSERT INTO model (name, architecture, layers, width, mlp_width, vocabulary, context_length, weights_sha256, tokenizer_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                               head.model[0], head.model[1], head.model[2], head.model[3], head.model[4], head.model[5], head.model[6], head.model[7], .init(tokenizer))
            model = connection.lastInsertedRow
        }
        let knownCorpus = try connection.first("SELECT id, tokens, documents, is_complete, coverage FROM corpus WHERE fingerprint = ? AND tokenizer_id = ?", head.corpus[1], .init(tokenizer)) {
            (id: $0.integer(0), tokens: $0.integer(1), documents: $0.integer(2), isComplete: $0.integer(3) != 0, coverage: $0.text(4))
        }
        if let known = knownCorpus {
            guard known.isComplete, known.tokens == head.tokens, known.documents == head.documents else {
                throw MonosemeError("the corpus \(quoted(head.corpusName)) in \(quoted(catalogue.path, limit: 400)) has \(known.tokens) tokens in \(known.documents) documents, in what is imported \(head.tokens) in \(head.documents)",
                                    hint: known.isComplete ? "import into another catalogue" : "finish its ingest first, or import into another catalogue")
            }
            corpus = known.id
        } else {
            try connection.run("INSERT INTO corpus (name, fingerprint, settings, tokenizer_id, tokens, documents, empty_documents, malformed_lines, is_complete, coverage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
                               head.corpus[0], head.corpus[1], head.corpus[2], .init(tokenizer), head.corpus[3], head.corpus[4], head.corpus[5], head.corpus[6], .text(head.hasFirings ? "whole" : "windows"))
            corpus = connection.lastInsertedRow
        }
        (isNewCorpus, hadWindows) = (knownCorpus == nil, knownCorpus?.coverage == "windows")
        var topics: [String: Int] = [:]
        for topic in head.topics {
            if isNewCorpus {
                try connection.run("INSERT INTO topic (corpus_id, name, documents, tokens) VALUES (?, ?, ?, ?)", .init(corpus), topic[0], topic[1], topic[2])
                topics[topic[0].string!] = connection.lastInsertedRow
            } else {
                guard let known = try connection.integer("SELECT id FROM topic WHERE corpus_id = ? AND name = ? AND documents = ? AND tokens = ?", .init(corpus), topic[0], topic[1], topic[2]) else {
                    throw MonosemeError("the topic \(quoted(topic[0].string!)) of the corpus \(quoted(head.corpusName)) is another in \(quoted(catalogue.path, limit: 400))", hint: "import into another catalogue")
                }
                topics[topic[0].string!] = known
            }
        }
        self.topics = topics
        let corpus = self.corpus, isNewCorpus = self.isNewCorpus
        sources = try head.sources.map { path in
            try connection.run("INSERT OR IGNORE INTO source (corpus_id, path) VALUES (?, ?)", .init(corpus), .text(path))
            return try connection.integer("SELECT id FROM source WHERE corpus_id = ? AND path = ?", .init(corpus), .text(path))!
        }
        // The dictionary and its run.
        let width = head.hasVectors ? head.width : 0
        try connection.run("INSERT INTO dictionary (family, version, name, model_id, hook, width, features, architecture, settings, weights_sha256, stated_width) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           .text(name.family), .text(name.version), .text(name.description), .init(model), head.dictionary[ExportedHead.DictionaryPlace.hook], .init(width), .init(head.features),
                           head.dictionary[ExportedHead.DictionaryPlace.architecture], .text(head.settings), .text(head.weights), head.hasVectors || head.width == 0 ? .null : .init(head.width))
        let dictionary = try catalogue.dictionary(named: name)
        self.dictionary = dictionary
        let r = head.run
        try connection.run("""
            INSERT INTO run (dictionary_id, corpus_id, evidence, context_length, prepend_bos, keep_top, input_scale, tokens, firings, topic_tests, engine, started_at, finished_at, is_complete)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
            """, .init(dictionary.id), .init(corpus), r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10])
        let run = connection.lastInsertedRow
        self.run = run
        segments = try head.segments.map {
            try connection.run("INSERT INTO segment (run_id, ordinal, first_position, tokens, firings, checksum, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                               .init(run), .init($0.ordinal), .init($0.firstPosition), .init($0.tokens), .init($0.firings), .integer(Int64(bitPattern: $0.checksum)), .text($0.finishedAt))
            return connection.lastInsertedRow
        }
        checksums = [UInt64](repeating: 0, count: segments.count)
        firingsListed = [Int](repeating: 0, count: head.hasFirings ? head.features : 0)
        if let e = head.evaluation {
            try connection.run("""
                INSERT INTO evaluation (run_id, contexts, tokens, l0, mean_squared_error, explained_variance, loss_original, loss_spliced, loss_zero_ablated, loss_mean_ablated, neuron_tokens)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, .init(run), e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7], e[8], e[9])
        }
        // Tags that are there have been evaluated here.
        tags = try head.tags.map { tag in
            if try connection.integer("SELECT 1 FROM tag WHERE corpus_id = ? AND name = ?", .init(corpus), tag[0]) != nil { return nil }
            // Bits come with the whole corpus; of windows there is the definition only.
            guard head.hasFirings || isNewCorpus || knownCorpus?.coverage == "windows" else { return nil }
            try connection.run("INSERT INTO tag (corpus_id, name, kind, definition, tokens, documents, engine, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                               .init(corpus), tag[0], tag[1], tag[2], tag[3], tag[4], tag[5], tag[6])
            return connection.lastInsertedRow
        }
        lineages = try ExportedRows.lineages(head, dictionary, corpus, catalogue, warn)
        graphs = try ExportedRows.graphs(head, dictionary, catalogue, warn)
        if head.hasVectors || head.width == 0 || head.graphs.contains(where: { $0.target == head.name && $0.values[1].integer! >= nearestKept }) { nearestGraph = nil } else {
            try connection.run("INSERT INTO neighbour_graph (dictionary_id, target_id, k, neighbours, features_done, is_complete, engine, started_at) VALUES (?1, ?1, ?2, 0, ?3, 1, '', '')",
                               .init(dictionary.id), .init(nearestKept), .init(head.features))
            nearestGraph = connection.lastInsertedRow
        }
        bases = try head.bases.map { basis in
            try connection.run("INSERT OR IGNORE INTO label_basis (dictionary_id, weights_sha256, corpus_fingerprint) VALUES (?, ?, ?)", .init(dictionary.id), .text(basis.weights), .text(basis.corpus))
            return try connection.integer("SELECT id FROM label_basis WHERE dictionary_id = ? AND weights_sha256 = ? AND corpus_fingerprint = ?", .init(dictionary.id), .text(basis.weights), .text(basis.corpus))!
        }
        var prompts: [String: Int] = [:]
        for prompt in head.prompts { prompts[prompt.sha256] = try catalogue.promptID(Prompt(name: prompt.name, text: prompt.text)) }
        self.prompts = prompts
        ledgerStart = (try connection.integer("SELECT max(id) FROM label") ?? 0, try connection.integer("SELECT max(id) FROM label_event") ?? 0, try connection.integer("SELECT max(id) FROM label_score") ?? 0)
        insertPosting = try Statement("INSERT INTO posting (id, list) VALUES (?, ?)", on: connection)
        windows = CorpusWindows(tokens: head.tokens, vocabulary: head.vocabulary)
        featureRows = try FeatureRows(self)
    }

    private static func lineages(_ head: ExportedHead, _ dictionary: FeatureDictionary, _ corpus: Int, _ catalogue: Catalogue, _ warn: (String) -> Void) throws -> [(build: Int, coarse: FeatureDictionary, fine: FeatureDictionary)?] {
        try head.lineages.map { lineage in
            guard (lineage.coarse == head.name) != (lineage.fine == head.name) else { throw MonosemeError("a lineage from \(lineage.coarse) to \(lineage.fine) in what is imported as \(head.name)", hint: "export it anew") }
            let other = lineage.coarse == head.name ? lineage.fine : lineage.coarse
            guard let kin = try catalogue.dictionaryIfAny(named: other) else {
                warn("the lineage from \(lineage.coarse) to \(lineage.fine) is left out, since \(other) is not in the catalogue: it comes with the import of \(other), which has it too")
                return nil
            }
            let (coarse, fine) = lineage.coarse == head.name ? (dictionary, kin) : (kin, dictionary), v = lineage.values
            guard coarse.features < fine.features else { throw MonosemeError("\(coarse.name) has \(coarse.features) features and \(fine.name) \(fine.features): a lineage runs from a smaller version to a larger", hint: "export it anew") }
            try catalogue.connection.run("""
                INSERT INTO lineage_build (coarse_id, fine_id, corpus_id, has_decoder_evidence, rules, features_done, families_done, is_complete, engine, started_at, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
                """, .init(coarse.id), .init(fine.id), v[2].integer == 1 ? .init(corpus) : .null, v[3], v[4], .init(fine.features), .init(coarse.features), v[5], v[6], v[7])
            return (catalogue.connection.lastInsertedRow, coarse, fine)
        }
    }

    private static func graphs(_ head: ExportedHead, _ dictionary: FeatureDictionary, _ catalogue: Catalogue, _ warn: (String) -> Void) throws -> [(id: Int, target: FeatureDictionary)?] {
        try head.graphs.map { graph in
            guard let target = graph.target == head.name ? dictionary : try catalogue.dictionaryIfAny(named: graph.target) else {
                warn("the neighbours in \(graph.target) are left out, since it is not in the catalogue: import \(graph.target) first, or build them anew with monoseme neighbours")
                return nil
            }
            let v = graph.values
            try catalogue.connection.run("INSERT INTO neighbour_graph (dictionary_id, target_id, k, neighbours, features_done, is_complete, engine, started_at, finished_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)",
                                         .init(dictionary.id), .init(target.id), v[1], v[2], .init(head.features), v[3], v[4], v[5])
            return (catalogue.connection.lastInsertedRow, target)
        }
    }

    // MARK: Parts

    private static let order: [(first: StaticString, section: String)] = [
        ("first_token", "vocabulary"), ("documents", "documents"), ("first_position", "token_blocks"), ("tag", "tag_blocks"), ("segment", "postings"), ("lineage", "kin_facts"), ("feature", "features"),
    ]

    /// Takes one part. Of a line the first member tells the section.
    func add(_ section: String?, _ cursor: inout JSONCursor) throws {
        var told = section
        if told == nil {
            var probe = cursor
            struct Enough: Error {}
            do {
                try probe.object { cursor, key in
                    told = ExportedRows.order.first { key.isEqual(to: $0.first) }?.section
                    throw Enough()
                }
            } catch is Enough {}
        }
        switch told {
        case "vocabulary": try addTokens(&cursor)
        case "documents": try addDocuments(&cursor)
        case "token_blocks": try addTokenBlock(&cursor)
        case "tag_blocks": try addTagBlock(&cursor)
        case "postings": try addPostings(&cursor)
        case "kin_facts": try addKinFacts(&cursor)
        case "features":
            try featureRows.add(features, &cursor)
            features += 1
        default: throw cursor.fail("a part of no kind that there is")
        }
        try cursor.end()
    }

    private func addTokens(_ cursor: inout JSONCursor) throws {
        var first: Int?
        try cursor.object { cursor, key in
            switch key {
            case "first_token":
                first = try cursor.integer()
                guard first == nextToken else { throw cursor.fail("tokens from \(first!) on where \(nextToken) is next") }
            case "tokens":
                guard first != nil else { throw cursor.fail("tokens without a first one") }
                try cursor.array { cursor in
                    guard nextToken < head.vocabulary else { throw cursor.fail("more tokens than the vocabulary has, \(head.vocabulary)") }
                    defer { nextToken += 1 }
                    if try cursor.null() { return }
                    let bytes: [UInt8]
                    if let text = try cursor.stringIfAny() { bytes = Array(text.utf8) } else {
                        var decoded: [UInt8]?
                        try cursor.object { cursor, key in
                            guard case "base64" = key else { throw cursor.fail("an unknown member \(quoted(key.text))") }
                            decoded = try cursor.base64()
                        }
                        guard let decoded else { throw cursor.fail("a token without bytes") }
                        bytes = decoded
                    }
                    // One that is known keeps its spelling: the tokenizer is the same.
                    try connection.run("INSERT OR IGNORE INTO token (tokenizer_id, token, bytes, text) VALUES (?, ?, ?, ?)", .init(tokenizer), .init(nextToken), .blob(bytes), .text(String(decoding: bytes, as: UTF8.self)))
                }
            default: throw cursor.fail("an unknown member \(quoted(key.text))")
            }
        }
    }

    private func addDocuments(_ cursor: inout JSONCursor) throws {
        _ = try ObjectForm(.nested("documents")).read(&cursor) { _, cursor in
            try cursor.array { cursor in
                var values: [Int?] = []
                try cursor.array { cursor in
                    guard values.count < 6 else { throw cursor.fail("a document of more than six numbers") }
                    values.append(try cursor.optionalInteger())
                }
                guard values.count == 6, let first = values[0], let tokens = values[1], let ordinal = values[2], let topic = values[3], let source = values[4], first >= documentsEnd, first < head.tokens, tokens >= 0,
                      tokens <= head.tokens - first, ordinal >= 0, head.topics.indices.contains(topic), sources.indices.contains(source) else { throw cursor.fail("a document that does not lie in the corpus, its topics and sources") }
                documentsDone += 1
                documentsEnd = first + tokens
                guard isNewCorpus else { return }
                try connection.run("INSERT INTO document (corpus_id, first_position, tokens, ordinal, topic_id, source_id, line) VALUES (?, ?, ?, ?, ?, ?, ?)",
                                   .init(corpus), .init(first), .init(tokens), .init(ordinal), .init(topics[head.topics[topic][0].string!]!), .init(sources[source]), .init(values[5]))
            }
        }
    }

    private func addTokenBlock(_ cursor: inout JSONCursor) throws {
        var bytes: [UInt8] = []
        let values = try ObjectForm(.count("first_position"), .count("tokens"), .nested("token_ids")).read(&cursor) { _, cursor in bytes = try cursor.base64() }
        guard head.hasFirings else { throw cursor.fail("a block of tokens in an export without firings") }
        let first = values[0].integer!, tokens = values[1].integer!, size = head.vocabulary <= 65_536 ? 2 : 4
        guard first == tokensDone, tokens > 0, tokens <= head.tokens - first, bytes.count == tokens * size else { throw cursor.fail("a block of \(tokens) tokens at \(first) in \(bytes.count) bytes, where \(tokensDone) is next of \(head.tokens)") }
        let largest = bytes.withUnsafeBytes { raw in
            size == 2 ? (0..<tokens).reduce(0) { max($0, Int(UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * $1, as: UInt16.self)))) }
                : (0..<tokens).reduce(0) { max($0, Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $1, as: UInt32.self)))) }
        }
        guard largest < head.vocabulary else { throw cursor.fail("the token \(largest) of a vocabulary of \(head.vocabulary)") }
        tokensDone += tokens
        guard isNewCorpus || hadWindows else { return }
        if hadWindows, !blocksGone {
            // All of it takes the place of the windows that were there.
            try connection.run("DELETE FROM token_block WHERE corpus_id = ?", .init(corpus))
            try connection.run("UPDATE corpus SET coverage = 'whole' WHERE id = ?", .init(corpus))
            blocksGone = true
        }
        try connection.run("INSERT INTO token_block (corpus_id, first_position, tokens, token_ids, sha256) VALUES (?, ?, ?, ?, ?)",
                           .init(corpus), .init(first), .init(tokens), .blob(bytes), .text(bytes.withUnsafeBytes { hexadecimal(SHA256.digest(of: $0)) }))
    }

    private func addTagBlock(_ cursor: inout JSONCursor) throws {
        var bytes: [UInt8] = []
        let values = try ObjectForm(.count("tag"), .count("first_position"), .nested("bits")).read(&cursor) { _, cursor in bytes = try cursor.base64() }
        let tag = values[0].integer!, first = values[1].integer!, length = min(65_536, max(0, head.tokens - first))
        guard head.hasFirings, tags.indices.contains(tag), first % 65_536 == 0, length > 0, bytes.count == (length + 63) / 64 * 8 else { throw cursor.fail("bits of a tag that do not lie in the corpus") }
        guard let id = tags[tag] else { return }
        try connection.run("INSERT INTO tag_block (tag_id, first_position, bits, checksum) VALUES (?, ?, ?, ?)", .init(id), .init(first), .blob(bytes),
                           .integer(Int64(bitPattern: kernel_checksum(UInt64(first), bytes, bytes.count))))
    }

    private func addPostings(_ cursor: inout JSONCursor) throws {
        var segment = -1, positions: [UInt32] = [], values: [Float] = []
        _ = try ObjectForm(.nested("segment"), .nested("lists")).read(&cursor) { place, cursor in
            guard place == 1 else { segment = try cursor.integer(in: 0...max(0, segments.count - 1)); return }
            guard head.hasFirings, segments.indices.contains(segment) else { throw cursor.fail("postings of no segment that there is") }
            try cursor.array { cursor in
                var feature: Int?, list: [UInt8]?
                try cursor.array { cursor in
                    if feature == nil { feature = try cursor.integer(in: 0...max(0, head.features - 1)) } else if list == nil { list = try cursor.base64() } else { throw cursor.fail("a list of more than two values") }
                }
                guard let feature, let list, (segment, feature) > lastList, feature < head.features else { throw cursor.fail("a posting list that does not follow the one before") }
                lastList = (segment, feature)
                let count = kernel_posting_count(list, list.count)
                guard count > 0 else { throw cursor.fail("a posting list that is malformed") }
                if positions.count < count { (positions, values) = (.init(repeating: 0, count: 2 * count), .init(repeating: 0, count: 2 * count)) }
                guard kernel_posting_decode(list, list.count, count, &positions, &values) == 0, Int(positions[count - 1]) < head.segments[segment].tokens else { throw cursor.fail("a posting list that is malformed") }
                firingsListed[feature] += count
                checksums[segment] = kernel_checksum(checksums[segment], list, list.count)
                insertPosting.bind(firstPostingID(ofSegment: segments[segment]) + feature, at: 0)
                try list.withUnsafeBytes { bytes in
                    insertPosting.bind(borrowing: bytes, at: 1)
                    try insertPosting.run()
                }
            }
        }
    }

    private func addKinFacts(_ cursor: inout JSONCursor) throws {
        var lineage = -1
        _ = try ObjectForm(.nested("lineage"), .nested("facts")).read(&cursor) { place, cursor in
            guard place == 1 else { lineage = try cursor.integer(in: 0...max(0, lineages.count - 1)); return }
            guard lineages.indices.contains(lineage) else { throw cursor.fail("facts of no lineage that there is") }
            guard let known = lineages[lineage] else { return try cursor.skip() }
            let kin = known.coarse.id == dictionary.id ? known.fine : known.coarse
            try cursor.array { cursor in
                var values: [SQLiteValue] = []
                try cursor.array { cursor in
                    switch values.count {
                    case 0: values.append(.init(try cursor.integer(in: 0...max(0, kin.features - 1))))
                    case 1: values.append(.init(try cursor.optionalString()))
                    case 4: values.append(.init(try cursor.optionalInteger()))
                    case 2, 3, 5, 6: values.append(.init(try cursor.optionalReal()))
                    default: throw cursor.fail("a fact of more than seven values")
                    }
                }
                guard values.count == 7 else { throw cursor.fail("a fact of less than seven values") }
                try connection.run("INSERT INTO lineage_feature (build_id, feature_id, kind, best_coverage, best_cosine, children, union_coverage, explained) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                                   .init(known.build), .init(kin.featureID(values[0].integer!)), values[1], values[2], values[3], values[4], values[5], values[6])
            }
        }
    }

    // MARK: The end

    /// Makes sure that all has come, and writes what could be only now.
    /// - Parameter damaged: what to throw of a file that is not whole.
    func finish(_ damaged: (String) -> MonosemeError) throws {
        guard features == head.features else { throw damaged("it ends after \(features) of \(head.features) features") }
        guard documentsDone == head.documents else { throw damaged("it has \(documentsDone) of \(head.documents) documents") }
        guard nextToken == head.vocabulary else { throw damaged("it has \(nextToken) of \(head.vocabulary) tokens of the vocabulary") }
        if head.hasFirings {
            guard tokensDone == head.tokens else { throw damaged("it has \(tokensDone) of \(head.tokens) tokens of the corpus") }
            for (place, segment) in head.segments.enumerated() where checksums[place] != segment.checksum { throw damaged("the posting lists of segment \(place) are not those of its checksum") }
        } else if isNewCorpus || hadWindows {
            try windows.write(to: catalogue, corpus: corpus, isNew: isNewCorpus)
        } else {
            try windows.compare(with: catalogue, corpus: corpus)
        }
        // Of a dictionary that was itself imported as examples, the features state how often they fire and the run counts what is in the windows.
        guard !head.hasFirings || firingsCounted == head.run[6].integer! else { throw damaged("its features fire \(firingsCounted) times and its run \(head.run[6].integer!)") }
        try featureRows.finish(damaged)
        if head.hasVectors { try catalogue.writeCodes(of: dictionary) }
        if let nearestGraph { try connection.run("UPDATE neighbour_graph SET neighbours = min(k, max(0, (SELECT count(*) FROM feature WHERE dictionary_id = ?1 AND decoder_norm <> 0) - 1)) WHERE id = ?2", .init(dictionary.id), .init(nearestGraph)) }
        try catalogue.writeText(of: try catalogue.run(of: dictionary.name))
        // Statistics for the planner: without them a join of views may begin at the wrong end.
        try connection.execute("ANALYZE")
        (summary.features, summary.examples, summary.labels, summary.scores) = (features, examples, labels, scores)
        if !head.hasFirings { summary.missing.append("without --firings only the windows of examples are here: what is counted over all firings or all of the corpus is not answered") }
        if !head.hasVectors { summary.missing.append("without --vectors the decoder vectors are not here: near finds nothing until they are attached") }
    }
}

/// Of each feature, what an export says in `nearest`.
let nearestKept = 10
