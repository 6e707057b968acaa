import Diagnostics
public import FeatureCatalogue
import Formats
import Glibc

/// What an export for Neuronpedia is called there. What is `nil` is told by the dictionary.
public struct NeuronpediaNames: Sendable {
    /// The model's id there.
    public var model: String?
    /// The layer of the hook point.
    public var layer: Int?
    /// The source set: the source is `LAYER-SET`.
    public var sourceSet: String?
    public var release: String?
    /// A user's id there, whose rows they are.
    public var creator = "clkht01d40000jv08hvalcvly" // the bot that every installation has, and whose examples all may see
    /// Decoder vectors are taken there for steering, and left out unless they are asked for.
    public var hasVectors = false

    public init() {}
}

/// Features to a file: the importer looks at no more than 1,000 files of each kind.
private let featuresPerFile = 1024

private let featureKeys = ["modelId", "layer", "index", "creatorId", "maxActApprox", "frac_nonzero", "freq_hist_data_bar_heights", "freq_hist_data_bar_values", "logits_hist_data_bar_heights",
                           "logits_hist_data_bar_values", "neuron_alignment_indices", "neuron_alignment_l1", "neuron_alignment_values", "correlated_neurons_indices", "correlated_neurons_l1",
                           "correlated_neurons_pearson", "decoder_weights_dist", "neg_str", "neg_values", "pos_str", "pos_values", "sourceSetName", "topkCosSimIndices", "topkCosSimValues", "vector",
                           "vectorLabel", "hookName", "vectorDefaultSteerStrength", "hasVector"]
private let exampleKeys = ["id", "modelId", "layer", "index", "creatorId", "dataSource", "tokens", "maxValue", "minValue", "values", "maxValueTokenIndex", "dfaValues", "dfaMaxValue", "dfaTargetIndex",
                           "binContains", "binMin", "binMax"]
private let labelKeys = ["id", "modelId", "layer", "index", "authorId", "description", "embedding", "typeName", "explanationModelName", "umap_x", "umap_y", "umap_cluster", "umap_log_feature_sparsity"]
/// What SAEDashboard calls members of examples, and Neuronpedia does.
private let renamed = ["bin_min": "binMin", "bin_max": "binMax", "bin_contains": "binContains", "qualifying_token_index": "qualifyingTokenIndex", "dfa_values": "dfaValues", "dfa_maxValue": "dfaMaxValue",
                       "dfa_targetIndex": "dfaTargetIndex"]

/// Writes a dictionary as Neuronpedia's exports are, v1, for its importer: `release`, `model`, `sourceset` and `source.jsonl`, and
/// `features`, `activations` and `explanations` as `batch-N.jsonl.gz`, batch by batch of the same features. What has no place there is in
/// `catalogue/dictionary.jsonl.gz`, an export of our own.
///
/// The folder is there when it is whole. The same catalogue gives the same bytes.
/// - Returns: what the rows cannot carry, a sentence each.
public func exportNeuronpedia(_ name: DictionaryName, of catalogue: Catalogue, as names: NeuronpediaNames, to folder: String, progress: (Int, Int) -> Void = { _, _ in }) throws -> [String] {
    let run = try catalogue.run(of: name)
    guard run.isComplete else { throw MonosemeError("the ingest of \(name) is unfinished", hint: "run the same monoseme ingest again: it goes on where it stopped") }
    var path = folder
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    switch kind(of: path) {
    case .missing: break
    case .folder: guard try contents(ofFolder: path).isEmpty else { throw MonosemeError("the folder \(quoted(path, limit: 400)) is not empty", hint: "name one that is not there yet") }
    case .file, .other: throw MonosemeError("\(quoted(path, limit: 400)) is there and is no folder", hint: "name a folder that is not there yet")
    }
    let partial = path + ".part"
    try removeExport(partial)
    do {
        for part in ["", "/features", "/activations", "/explanations", "/catalogue"] {
            guard mkdir(partial + part, 0o777) == 0 else { throw MonosemeError("cannot make the folder \(quoted(partial + part, limit: 400)): \(String(cString: strerror(errno)))") }
        }
        let writer = try NeuronpediaWriter(catalogue, run, names)
        catalogue.connection.keepsStatements = true
        defer { catalogue.connection.keepsStatements = false }
        let losses = try catalogue.connection.snapshot { try writer.write(to: partial, progress: progress) }
        let sidecar = try GzipFile(partial + "/catalogue/dictionary.jsonl.gz")
        try export(name, of: catalogue, ExportOptions(format: .jsonl)) { try sidecar.write($0) }
        try sidecar.finish()
        rmdir(path)
        guard rename(partial, path) == 0 else { throw MonosemeError("cannot write \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
        return losses
    } catch {
        try? removeExport(partial)
        throw error
    }
}

/// Removes what an export that did not come to its end has left.
private func removeExport(_ path: String) throws {
    guard kind(of: path) == .folder else { return }
    for part in ["features", "activations", "explanations", "catalogue"] where kind(of: "\(path)/\(part)") == .folder {
        for name in try contents(ofFolder: "\(path)/\(part)") { unlink("\(path)/\(part)/\(name)") }
        rmdir("\(path)/\(part)")
    }
    for name in try contents(ofFolder: path) { unlink("\(path)/\(name)") }
    guard rmdir(path) == 0 else { throw MonosemeError("the folder \(quoted(path, limit: 400)) is in the way", hint: "remove it") }
}

/// Rows of one dictionary.
private final class NeuronpediaWriter {
    private let catalogue: Catalogue, run: Run, names: NeuronpediaNames, name: DictionaryName
    private let reporter: Reporter
    private let origin: ImportOrigin?
    private let residue: JSON
    private let model, layer, set: String
    private let extraFeatureKeys, extraExampleKeys, extraLabelKeys: [String]
    /// What example rows of the source usually say, and its members in the order of the bits that say which are not there.
    private let usual: [(key: String, value: JSON?)]

    init(_ catalogue: Catalogue, _ run: Run, _ names: NeuronpediaNames) throws {
        (self.catalogue, self.run, self.names, name) = (catalogue, run, names, run.dictionary.name)
        reporter = try Reporter(catalogue, run)
        origin = try catalogue.importOrigin(of: run)
        let residue = try origin.map { origin in
            do { return try JSON(parsing: origin.residue) } catch { throw MonosemeError("what is kept of the source of \(run.dictionary.name) is damaged", hint: "monoseme check lists all damage") }
        } ?? JSON.null
        self.residue = residue
        let dictionary = run.dictionary, provenance = try catalogue.provenance(of: dictionary)
        let known = residue["subject"]?["layer"]?.string
        // A source's name is its layer and its set.
        let dash = known?.firstIndex(of: "-"), knownLayer = dash.flatMap { Int(known![..<$0]) }, knownSet = dash.map { String(known![known!.index(after: $0)...]) }
        let model = names.model ?? residue["subject"]?["modelId"]?.string ?? provenance.model.lowercased()
        guard !model.isEmpty, model.utf8.count <= 128, model.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d || $0 == 0x5f }) else {
            throw MonosemeError("\(quoted(model)) is no model's id on Neuronpedia", hint: "give one in letters, digits, - and _ with --model-id")
        }
        self.model = model
        guard let number = names.layer ?? knownLayer ?? NeuronpediaWriter.layer(of: dictionary.hook) else {
            throw MonosemeError("the hook point \(quoted(dictionary.hook)) of \(dictionary.name) does not say its layer", hint: "give it with --layer N")
        }
        set = names.sourceSet ?? knownSet ?? "\(dictionary.name.family)-\(dictionary.name.version)".lowercased()
        layer = names.layer == nil && names.sourceSet == nil ? known ?? "\(number)-\(set)" : "\(number)-\(set)"
        func extra(_ part: String, _ keys: [String]) -> [String] { (residue["keys"]?[part]?.array ?? []).compactMap(\.string).filter { !keys.contains($0) } }
        (extraFeatureKeys, extraExampleKeys, extraLabelKeys) = (extra("features", featureKeys), extra("activations", exampleKeys), extra("explanations", labelKeys))
        usual = (residue["examples"]?.array ?? []).compactMap { member in member["key"]?.string.map { (renamed[$0] ?? $0, member["usual"]) } }
    }

    /// N of `blocks.N.…`.
    private static func layer(of hook: String) -> Int? {
        let parts = hook.split(separator: ".")
        return parts.count > 1 && parts[0] == "blocks" ? Int(parts[1]) : nil
    }

    /// An id that looks like theirs, and is the same every time.
    private func id(_ parts: String...) -> JSON {
        let digest = Array(([model, layer] + parts).joined(separator: "\n").utf8).withUnsafeBytes { SHA256.digest(of: $0) }
        return .string("c" + digest.prefix(24).map { String($0 % 36, radix: 36) }.joined())
    }

    private static func number(_ value: Double?) -> JSON {
        guard let value, value.isFinite else { return .null }
        return .real(value)
    }

    private static func number(_ value: Float) -> JSON {
        // The shortest that reads back to the same float, not the double that it is.
        value.isFinite ? Double(value.description).map { .real($0) } ?? .null : .null
    }

    private static func integer(_ value: Int) -> JSON { value < 0 ? .negative(Int64(value)) : .unsigned(UInt64(value)) }

    // MARK: Files

    func write(to folder: String, progress: (Int, Int) -> Void) throws -> [String] {
        for (part, row) in try descriptions() {
            var writer = JSONWriter()
            writer.value(row)
            writer.endLine()
            try writeFile("\(folder)/\(part).jsonl", writer.bytes)
        }
        let present = try origin == nil ? Array(0..<run.dictionary.features) : (0..<run.dictionary.features).filter { try catalogue.importResidue(of: $0, in: run) != nil }
        for (batch, first) in stride(from: 0, to: present.count, by: featuresPerFile).enumerated() {
            let files = try ["features", "activations", "explanations"].map { try GzipFile("\(folder)/\($0)/batch-\(batch).jsonl.gz") }
            for place in first..<min(present.count, first + featuresPerFile) {
                let feature = present[place]
                var writers = [JSONWriter(), JSONWriter(), JSONWriter()]
                try writeRows(of: feature, &writers)
                for (file, writer) in zip(files, writers) { try file.write(writer.bytes) }
                progress(place + 1, present.count)
            }
            for file in files { try file.finish() }
        }
        return try losses(present.count)
    }

    private func writeFile(_ path: String, _ bytes: [UInt8]) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw MonosemeError("cannot write \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw MonosemeError("cannot write \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
    }

    /// The rows that features refer to: what the source said, where they came from one.
    private func descriptions() throws -> [(String, JSON)] {
        let provenance = try catalogue.provenance(of: run.dictionary), corpus = try catalogue.corpus(run.corpus)
        let release = names.release ?? residue["release"]?["name"]?.string ?? set
        func object(_ kept: JSON?, _ own: [(String, JSON)], _ decided: [(String, JSON)]) -> JSON {
            var object = kept?.object ?? JSON.Object()
            for (key, value) in own where object[key] == nil { object[key] = value }
            for (key, value) in decided { object[key] = value }
            return .object(object)
        }
        let creator = JSON.string(names.creator), title = JSON.string("\(name) of \(provenance.model)")
        let prompts = origin.map { $0.prompts } ?? (run.tokens + max(1, run.corpusTokensPerContext) - 1) / max(1, run.corpusTokensPerContext)
        let promptTokens = origin.map { $0.promptTokens } ?? run.contextLength
        let layers = try catalogue.connection.first("SELECT layers, mlp_width FROM model WHERE id = ?", .init(run.dictionary.model)) { ($0.integer(0), $0.integer(1)) } ?? (0, 0)
        return [
            ("release", object(residue["release"], [("description", title), ("descriptionShort", title), ("creatorName", .string("monoseme")), ("creatorNameShort", .string("monoseme")), ("creatorId", creator),
                                                     ("visibility", .string("PUBLIC")), ("urls", .array([]))], [("name", .string(release))])),
            ("model", object(residue["model"], [("instruct", .bool(false)), ("creatorId", creator), ("displayNameShort", .string(provenance.model)), ("displayName", .string(provenance.model)),
                                                 ("visibility", .string("PUBLIC")), ("inferenceEnabled", .bool(false)), ("layers", Self.integer(layers.0)), ("neuronsPerLayer", Self.integer(layers.1)),
                                                 ("owner", .string("monoseme"))], [("id", .string(model))])),
            ("sourceset", object(residue["sourceset"], [("creatorId", creator), ("description", title), ("creatorName", .string("monoseme")), ("visibility", .string("PUBLIC")), ("hasDashboards", .bool(true))],
                                 [("modelId", .string(model)), ("name", .string(set)), ("releaseName", .string(release))])),
            ("source", object(residue["source"], [("creatorId", creator), ("visibility", .string("PUBLIC")), ("dataset", .string(origin == nil ? corpus.name : "")),
                                                   ("num_prompts", prompts.map(Self.integer) ?? .null), ("num_tokens_in_prompt", promptTokens.map(Self.integer) ?? .null)],
                              [("id", .string(layer)), ("modelId", .string(model)), ("setName", .string(set))])),
        ]
    }

    // MARK: Rows

    private func row(_ keys: [String], _ extra: [String], _ values: JSON.Object, to writer: inout JSONWriter) {
        writer.object { writer in
            for key in keys + extra {
                writer.key(key)
                writer.value(values[key] ?? .null)
            }
        }
        writer.endLine()
    }

    private func triple(_ feature: Int) -> [(key: String, value: JSON)] { [("modelId", .string(model)), ("layer", .string(layer)), ("index", indexValue(feature))] }

    /// Text as in the public exports. Both files of a batch have it alike.
    private func indexValue(_ feature: Int) -> JSON { .string(String(feature)) }

    private func writeRows(of feature: Int, _ writers: inout [JSONWriter]) throws {
        let kept: JSON.Object? = try catalogue.importResidue(of: feature, in: run).map { text in
            do { return try JSON(parsing: text).object ?? JSON.Object() } catch { throw MonosemeError("what is kept of \(name)/\(feature) is damaged", hint: "monoseme check lists all damage") }
        }
        var scope = ReportScope()
        (scope.examples, scope.window, scope.samples, scope.topics) = kept == nil ? (20, 63, 2, 0) : (0, 0, 0, 0)
        scope.neighbours = kept == nil && run.dictionary.width > 0 ? 10 : 0
        let report = try reporter.report(on: feature, scope)
        row(featureKeys, extraFeatureKeys, try featureValues(feature, report, kept), to: &writers[0])
        if kept == nil { try writeExamples(feature, report, &writers[1]) } else { try writeImportedExamples(feature, &writers[1]) }
        try writeLabels(feature, report, &writers[2])
    }

    private func featureValues(_ feature: Int, _ report: FeatureReport, _ kept: JSON.Object?) throws -> JSON.Object {
        var values = JSON.Object(triple(feature))
        func texts(_ logits: [FeatureReport.Logit]) -> JSON { .array(logits.map { .string($0.text) }) }
        func numbers(_ logits: [FeatureReport.Logit]) -> JSON { .array(logits.map { Self.number($0.value) }) }
        values["creatorId"] = .string(names.creator)
        values["maxActApprox"] = Self.number(Float(report.overview.maximum))
        values["frac_nonzero"] = Self.number(report.overview.density) == .null ? .unsigned(0) : Self.number(report.overview.density)
        let empty = JSON.array([])
        for key in ["freq_hist_data_bar_heights", "freq_hist_data_bar_values", "logits_hist_data_bar_heights", "logits_hist_data_bar_values", "neuron_alignment_l1", "correlated_neurons_l1",
                    "decoder_weights_dist", "topkCosSimIndices", "topkCosSimValues", "vector"] { values[key] = empty }
        (values["pos_str"], values["pos_values"], values["neg_str"], values["neg_values"]) = (texts(report.raisedLogits), numbers(report.raisedLogits), texts(report.loweredLogits), numbers(report.loweredLogits))
        values["neuron_alignment_indices"] = .array(report.neuronsByWeight.map { Self.integer($0.index) })
        values["neuron_alignment_values"] = .array(report.neuronsByWeight.map { Self.number($0.value) })
        values["correlated_neurons_indices"] = .array(report.neuronsByCorrelation.map { Self.integer($0.index) })
        values["correlated_neurons_pearson"] = .array(report.neuronsByCorrelation.map { Self.number($0.value) })
        values["sourceSetName"] = .string(set)
        values["hookName"] = kept == nil ? .string(run.dictionary.hook) : .null
        values["vectorDefaultSteerStrength"] = .unsigned(10)
        values["hasVector"] = .bool(false)
        if let kept {
            for (key, value) in kept.members { values[key] = value }
            return values
        }
        if run.dictionary.width > 0 {
            let vector = try catalogue.decoder(of: feature, in: run.dictionary), sum = vector.reduce(0) { $0 + Double(abs($1)) }
            if sum > 0 { values["neuron_alignment_l1"] = .array(report.neuronsByWeight.map { Self.number(abs($0.value) / sum) }) }
            if names.hasVectors { (values["vector"], values["hasVector"]) = (.array(vector.map { Self.number($0) }), .bool(true)) }
            values["topkCosSimIndices"] = .array(report.neighbours.map { Self.integer($0.feature.index) })
            values["topkCosSimValues"] = .array(report.neighbours.map { Self.number($0.cosine) })
        }
        let bars = Self.histogram(try catalogue.firings(of: feature, in: run).values)
        values["freq_hist_data_bar_heights"] = .array(bars.map { Self.integer($0.count) })
        values["freq_hist_data_bar_values"] = .array(bars.map { Self.number($0.centre) })
        return values
    }

    /// Fifty bars from the least to the greatest activation.
    private static func histogram(_ values: [Float]) -> [(centre: Float, count: Int)] {
        guard let low = values.min(), let high = values.max() else { return [] }
        guard high > low else { return [(high, values.count)] }
        let bars = 50, width = (high - low) / Float(bars)
        var counts = [Int](repeating: 0, count: bars)
        for value in values { counts[min(bars - 1, max(0, Int((value - low) / width)))] += 1 }
        return counts.enumerated().map { (low + (Float($0.offset) + 0.5) * width, $0.element) }
    }

    private func example(_ feature: Int, _ number: Int, tokens: [String], _ activations: [Float]) -> JSON.Object {
        var values = JSON.Object([("id", id("activation", String(feature), String(number)))] + triple(feature))
        values["creatorId"] = .string(names.creator)
        values["tokens"] = .array(tokens.map { .string($0) })
        values["values"] = .array(activations.map { Self.number($0) })
        let maximum = activations.max() ?? 0
        values["maxValue"] = Self.number(maximum)
        values["minValue"] = Self.number(activations.min() ?? 0)
        values["maxValueTokenIndex"] = Self.integer(activations.firstIndex(of: maximum) ?? 0)
        values["dfaValues"] = .array([])
        return values
    }

    private func writeExamples(_ feature: Int, _ report: FeatureReport, _ writer: inout JSONWriter) throws {
        let maximum = Float(report.overview.maximum), step = maximum / Float(activationIntervals - 1)
        var number = 0
        func write(_ example: FeatureReport.Example, low: Float, high: Float, share: Double, _ writer: inout JSONWriter) {
            var values = self.example(feature, number, tokens: example.window.spellings.map { String(decoding: $0, as: UTF8.self) }, example.activations)
            (values["binMin"], values["binMax"], values["binContains"]) = (Self.number(low), Self.number(high), Self.number(share))
            row(exampleKeys, extraExampleKeys, values, to: &writer)
            number += 1
        }
        // The strongest go by a bin of −1.
        for example in report.examples { write(example, low: -1, high: maximum, share: -1, &writer) }
        for interval in report.intervals.reversed() {
            let share = Double(interval.firings) / Double(max(1, report.overview.tokens))
            for example in interval.samples { write(example, low: max(0, interval.centre - step / 2), high: min(maximum, interval.centre + step / 2), share: share, &writer) }
        }
    }

    private func writeImportedExamples(_ feature: Int, _ writer: inout JSONWriter) throws {
        var number = 0
        try catalogue.forEachImportedExamples(of: feature, in: run) { examples, text in
            guard let residues = (try? JSON(parsing: text))?.array, residues.count == examples.count else {
                throw MonosemeError("what is kept of the examples of \(name)/\(feature) is damaged", hint: "monoseme check lists all damage")
            }
            for (example, residue) in zip(examples, residues) {
                var activations = [Float](repeating: 0, count: example.tokens)
                for (place, value) in example.activations { activations[place] = value }
                let ids = try reporter.text.tokens(at: example.firstPosition..<example.firstPosition + example.tokens)
                var values = self.example(feature, number, tokens: try ids.map { String(decoding: try reporter.text.bytes(of: $0), as: UTF8.self) }, activations)
                // Bits of members that the row does not have.
                let absent = residue[""]?.number.map { UInt64($0) } ?? 0
                for (place, member) in usual.enumerated() {
                    guard let value = member.value, absent >> UInt64(place) & 1 == 0 else { continue }
                    values[member.key] = value
                }
                for (key, value) in residue.object?.members ?? [] where !key.isEmpty { values[renamed[key] ?? key] = value }
                row(exampleKeys, extraExampleKeys, values, to: &writer)
                number += 1
            }
        }
    }

    private func writeLabels(_ feature: Int, _ report: FeatureReport, _ writer: inout JSONWriter) throws {
        // The oldest first, as they came: those of the source, and the one that the feature goes by now.
        for label in report.labels.sorted(by: { $0.id < $1.id }) where label.status != .rejected && !label.isUnknown {
            let kept = try catalogue.importResidue(ofLabel: label.id)
            guard kept != nil || label.isCurrent && label.status != .draft else { continue }
            var values = JSON.Object([("id", id("explanation", String(feature), String(label.id)))] + triple(feature))
            values["authorId"] = .string(names.creator)
            for key in ["umap_x", "umap_y", "umap_cluster", "umap_log_feature_sparsity"] { values[key] = .unsigned(0) }
            values["description"] = .string(label.text)
            if let kept, let object = (try? JSON(parsing: kept))?.object { for (key, value) in object.members { values[key] = value } }
            row(labelKeys, extraLabelKeys, values, to: &writer)
        }
    }

    // MARK: What is lost

    private func losses(_ features: Int) throws -> [String] {
        let connection = catalogue.connection, dictionary = run.dictionary
        func count(_ sql: String) throws -> Int {
            try connection.first(sql, .init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))) { $0.integer(0) } ?? 0
        }
        var losses: [String] = []
        func lose(_ count: Int, _ one: String, _ many: String, _ what: String) { if count > 0 { losses.append("\(count) \(count == 1 ? one : many) \(what)") } }
        let scores = try count("SELECT count(*) FROM label_score WHERE feature_id >= ? AND feature_id < ?")
        let labels = try count("SELECT count(*) FROM label WHERE feature_id >= ? AND feature_id < ?")
        let written = try count("""
            SELECT count(*) FROM label AS l JOIN label_decision AS n ON n.label_id = l.id LEFT JOIN import_label AS i ON i.label_id = l.id LEFT JOIN feature_label AS c ON c.label_id = l.id
            WHERE l.feature_id >= ? AND l.feature_id < ? AND n.status <> 'rejected' AND NOT l.is_unknown AND (i.label_id IS NOT NULL OR c.label_id IS NOT NULL AND n.status = 'accepted')
            """)
        lose(scores, "score of labels has", "scores of labels have", "no place in the export")
        lose(labels - written, "label (earlier, draft, rejected or unknown) has", "labels (earlier, draft, rejected or unknown) have", "no place in the export")
        if origin == nil {
            lose(written, "label loses", "labels lose", "author, method, time and rule")
            lose(features, "feature loses", "features lose", "exact counts of firings, which become a share, and its firings but for examples")
            lose(features, "feature has", "features have", "no histogram of logits and no cosines with neurons")
            if !names.hasVectors, dictionary.width > 0 { lose(features, "decoder vector is", "decoder vectors are", "left out (--vectors takes them in, as steering vectors)") }
        }
        lose(try count("SELECT count(*) FROM feature_topic WHERE feature_id >= ? AND feature_id < ?"), "rate on a topic has", "rates on topics have", "no place in the export")
        lose(try count("SELECT count(*) FROM lineage_edge WHERE child_id >= ?1 AND child_id < ?2 OR parent_id >= ?1 AND parent_id < ?2"), "edge of lineage has", "edges of lineage have", "no place in the export")
        lose(try connection.first("SELECT count(*) FROM tag WHERE corpus_id = ?", .init(run.corpus)) { $0.integer(0) } ?? 0, "tag has", "tags have", "no place in the export")
        losses.append("all tokens lose their ids")
        return losses
    }
}
