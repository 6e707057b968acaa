import Diagnostics
import FeatureCatalogue
import Formats
import SQLite

/// What the head of an export says: the dictionary, what it was run on, and all short lists. Values stand in the order of their forms.
struct ExportedHead {
    struct Lineage { let coarse, fine: DictionaryName; let values: [SQLiteValue] }
    struct Graph { let target: DictionaryName; let values: [SQLiteValue] }
    struct Segment { let ordinal, firstPosition, tokens, firings: Int; let checksum: UInt64; let finishedAt: String }

    var hasVectors = false, hasFirings = false
    var name = DictionaryName("-/-")!
    var dictionary: [SQLiteValue] = [], model: [SQLiteValue] = [], tokenizer: [SQLiteValue] = [], corpus: [SQLiteValue] = [], settings = "", run: [SQLiteValue] = []
    var evaluation: [SQLiteValue]?
    var topics: [[SQLiteValue]] = [], sources: [String] = [], segments: [Segment] = [], tags: [[SQLiteValue]] = [], lineages: [Lineage] = [], graphs: [Graph] = []
    var bases: [(weights: String, corpus: String)] = [], prompts: [(name: String, sha256: String, text: String)] = []

    var features: Int { dictionary[DictionaryPlace.features].integer! }
    var width: Int { dictionary[DictionaryPlace.width].integer! }
    var weights: String { dictionary[DictionaryPlace.weights].string! }
    var vocabulary: Int { tokenizer[1].integer! }
    var corpusName: String { corpus[0].string! }
    var fingerprint: String { corpus[1].string! }
    var tokens: Int { corpus[3].integer! }
    var documents: Int { corpus[4].integer! }
    var keepTop: Int? { run[3].integer }

    enum DictionaryPlace { static let name = 0, hook = 4, architecture = 5, features = 6, width = 7, weights = 28 }

    private static let dictionaryForm = ObjectForm(
        .text("dictionary"), .derived("family"), .derived("version"), .derived("model"), .text("hook"), .text("architecture"), .integer("features", 0...featuresMaximum),
        .integer("width", 0...1 << 28), .derived("expansion_factor"), .derived("corpus"), .derived("tokens"), .derived("firings"), .derived("l0"), .derived("dead"), .derived("ultralow"),
        .derived("dead_density_bound"), .derived("explained_variance"), .derived("loss_recovered"), .derived("loss_recovered_mean_ablated"), .derived("loss_original"), .derived("loss_spliced"),
        .derived("loss_zero_ablated"), .derived("loss_mean_ablated"), .derived("evaluation_tokens"), .derived("context_length"), .derived("prepend_bos"), .derived("keep_top"), .derived("engine"),
        .text("weights_sha256"), .derived("model_sha256"), .derived("tokenizer_sha256"))
    static let modelForm = ObjectForm(.text("name"), .text("architecture"), .count("layers"), .count("width"), .count("mlp_width"), .count("vocabulary"), .count("context_length"), .text("weights_sha256"))
    private static let tokenizerForm = ObjectForm(.text("sha256"), .integer("vocabulary", 0...1 << 30))
    static let corpusForm = ObjectForm(.text("name"), .text("fingerprint"), .text("settings"), .count("tokens"), .count("documents"), .count("empty_documents"), .count("malformed_lines"))
    static let runForm = ObjectForm(
        .word("evidence", ["firings", "examples"]), .integer("context_length", 1...1 << 40), .bool("prepend_bos"), .count("keep_top", isNullable: true), .real("input_scale", isNullable: true), .count("tokens"), .count("firings"),
        .count("topic_tests", isNullable: true), .text("engine"), .text("started_at"), .text("finished_at", isNullable: true))
    private static let evaluationForm = ObjectForm(
        .count("contexts"), .count("tokens"), .real("l0"), .real("mean_squared_error"), .real("explained_variance"), .real("loss_original"), .real("loss_spliced"), .real("loss_zero_ablated"),
        .real("loss_mean_ablated"), .count("neuron_tokens", isNullable: true))
    private static let topicForm = ObjectForm(.text("name"), .count("documents"), .count("tokens"))
    private static let segmentForm = ObjectForm(.count("ordinal"), .count("first_position"), .integer("tokens", 1...Int(UInt32.max)), .count("firings"), .integer("checksum", Int.min...Int.max), .text("finished_at"))
    private static let tagForm = ObjectForm(.text("name"), .word("kind", ["regex", "range"]), .text("definition"), .count("tokens"), .count("documents"), .text("engine"), .text("created_at"))
    private static let lineageForm = ObjectForm(
        .text("coarse"), .text("fine"), .bool("has_activation_evidence"), .bool("has_decoder_evidence"), .count("rules"), .text("engine"), .text("started_at"), .text("finished_at", isNullable: true))
    private static let graphForm = ObjectForm(.text("target"), .integer("k", 1...featuresMaximum), .integer("neighbours", 0...featuresMaximum), .text("engine"), .text("started_at"), .text("finished_at", isNullable: true))
    private static let basisForm = ObjectForm(.text("weights_sha256"), .text("corpus_fingerprint"))
    private static let promptForm = ObjectForm(.text("name"), .text("sha256"), .text("text"))

    /// Reads the members up to the sections.
    init(_ reader: PartReader, _ path: String) throws {
        var seen: Set<String> = []
        loop: while let part = try reader.next() {
            switch part {
            case .element: throw reader.damaged("a part before the head", at: reader.valueOffset)
            case .endOfHead: break loop
            case .member(let key):
                if seen.isEmpty {
                    let format = key == "format" ? try reader.withValue { try $0.string() } : nil
                    if format == "monoseme-export-1" {
                        throw MonosemeError("\(quoted(path, limit: 400)) is of monoseme-export-1, which does not hold all that an import needs", hint: "export it anew with this version: monoseme export NAME")
                    }
                    guard format == "monoseme-export-2" else {
                        throw MonosemeError("\(quoted(path, limit: 400)) is no export of this version of Monoseme: it begins with \(format.map { "the format \(quoted($0))" } ?? "the member \(quoted(key))")",
                                            hint: "its first member is \"format\": \"monoseme-export-2\"")
                    }
                }
                guard seen.insert(key).inserted else { throw reader.damaged("a second member \(quoted(key))", at: reader.valueOffset) }
                try reader.withValue { try read(key, &$0) }
            }
        }
        let expected = ["format", "carries", "dictionary", "provenance", "evaluation", "topics", "sources", "segments", "tags", "lineages", "neighbour_graphs", "bases", "prompts"]
        for key in expected where !seen.contains(key) {
            if !seen.contains("format") { throw MonosemeError("\(quoted(path, limit: 400)) is no export of Monoseme", hint: "its first member is \"format\": \"monoseme-export-2\"") }
            throw reader.damaged("no member \(key)", at: reader.bytesRead)
        }
    }

    private mutating func read(_ key: String, _ cursor: inout JSONCursor) throws {
        func rows(_ form: ObjectForm, _ cursor: inout JSONCursor) throws -> [[SQLiteValue]] {
            var rows: [[SQLiteValue]] = []
            try cursor.array { cursor in rows.append(try form.read(&cursor)) }
            return rows
        }
        func name(_ value: SQLiteValue, _ cursor: JSONCursor) throws -> DictionaryName {
            guard let name = DictionaryName(value.string!) else { throw cursor.fail("\(quoted(value.string!)) is not the name of a dictionary") }
            return name
        }
        switch key {
        case "format": try cursor.skip()
        case "carries":
            let values = try ObjectForm(.bool("vectors"), .bool("firings")).read(&cursor)
            (hasVectors, hasFirings) = (values[0].integer == 1, values[1].integer == 1)
        case "dictionary":
            dictionary = try Self.dictionaryForm.read(&cursor)
            self.name = try name(dictionary[DictionaryPlace.name], cursor)
        case "provenance":
            var model: [SQLiteValue] = [], tokenizer: [SQLiteValue] = [], corpus: [SQLiteValue] = [], settings = "", run: [SQLiteValue] = []
            _ = try ObjectForm(.nested("model"), .nested("tokenizer"), .nested("corpus"), .nested("autoencoder"), .nested("run")).read(&cursor) { place, cursor in
                switch place {
                case 0: model = try Self.modelForm.read(&cursor)
                case 1: tokenizer = try Self.tokenizerForm.read(&cursor)
                case 2:
                    corpus = try Self.corpusForm.read(&cursor)
                    guard isJSON(corpus[2].string!) else { throw cursor.fail("settings that are not JSON") }
                case 3:
                    settings = try ObjectForm(.text("settings")).read(&cursor)[0].string!
                    guard isJSON(settings) else { throw cursor.fail("settings that are not JSON") }
                default: run = try Self.runForm.read(&cursor)
                }
            }
            (self.model, self.tokenizer, self.corpus, self.settings, self.run) = (model, tokenizer, corpus, settings, run)
        case "evaluation": evaluation = try cursor.null() ? nil : Self.evaluationForm.read(&cursor)
        case "topics": topics = try rows(Self.topicForm, &cursor)
        case "sources":
            var sources: [String] = []
            try cursor.array { cursor in sources.append(try cursor.string()) }
            self.sources = sources
        case "segments":
            segments = try rows(Self.segmentForm, &cursor).map {
                Segment(ordinal: $0[0].integer!, firstPosition: $0[1].integer!, tokens: $0[2].integer!, firings: $0[3].integer!, checksum: UInt64(bitPattern: Int64($0[4].integer!)), finishedAt: $0[5].string!)
            }
            var next = 0
            for (place, segment) in segments.enumerated() {
                guard segment.ordinal == place, segment.firstPosition == next else { throw cursor.fail("segment \(segment.ordinal) does not follow the one before") }
                next += segment.tokens
            }
        case "tags": tags = try rows(Self.tagForm, &cursor)
        case "lineages": lineages = try rows(Self.lineageForm, &cursor).map { Lineage(coarse: try name($0[0], cursor), fine: try name($0[1], cursor), values: $0) }
        case "neighbour_graphs": graphs = try rows(Self.graphForm, &cursor).map { Graph(target: try name($0[0], cursor), values: $0) }
        case "bases": bases = try rows(Self.basisForm, &cursor).map { ($0[0].string!, $0[1].string!) }
        case "prompts":
            prompts = try rows(Self.promptForm, &cursor).map { ($0[0].string!, $0[1].string!, $0[2].string!) }
            for prompt in prompts where Array(prompt.text.utf8).withUnsafeBytes({ hexadecimal(SHA256.digest(of: $0)) }) != prompt.sha256 { throw cursor.fail("the text of the prompt \(quoted(prompt.name)) is not that of its sha256") }
        default: throw cursor.fail("an unknown member \(quoted(key))")
        }
    }
}

/// Whether a text is JSON, as the catalogue demands of settings and parameters.
func isJSON(_ text: String) -> Bool { (try? JSON(parsing: text)) != nil }
