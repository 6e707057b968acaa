import Diagnostics
import FeatureCatalogue
import Formats
import Kernels

/// Whether a path looks like what SAEDashboard wrote: a folder of `batch-N.json`, or one of these.
func isSAEDashboard(_ path: String) -> Bool {
    switch kind(of: path) {
    case .folder: ((try? contents(ofFolder: path)) ?? []).contains { batchNumber($0, [".json"]) != nil }
    case .file: path.split(separator: "/").last.map { batchNumber(String($0), [".json"]) != nil } ?? false
    case .missing, .other: false
    }
}

/// SAEDashboard's folder of `batch-N.json` for Neuronpedia, or one such file; `run_settings.json` and `skipped_indexes.json` beside them.
func importSAEDashboard(_ request: ImportRequest, into catalogue: Catalogue, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
    var files: [RowFile] = [], folder: String?
    switch kind(of: request.path) {
    case .file:
        let name = String(request.path.split(separator: "/").last ?? "")
        files = [RowFile(path: request.path, name: name, content: .dashboard)]
    case .folder:
        folder = request.path
        files = try contents(ofFolder: request.path).compactMap { name -> (Int, RowFile)? in
            batchNumber(name, [".json"]).map { ($0, RowFile(path: "\(request.path)/\(name)", name: name, content: .dashboard)) }
        }.sorted { ($0.0, $0.1.name) < ($1.0, $1.1.name) }.map(\.1)
    case .missing, .other: throw MonosemeError("there is no file or folder \(quoted(request.path, limit: 400))")
    }
    guard let first = files.first else { throw MonosemeError("there are no batch-N.json files in \(quoted(request.path, limit: 400))", hint: "name the folder that SAEDashboard wrote for Neuronpedia") }

    // What the first file says is expected of all.
    let (head, feature) = try beginning(of: first, request)
    func text(_ key: String) -> String? {
        guard let raw = head[key], let value = try? JSON(parsing: raw) else { return nil }
        return value.string ?? value.integer.map(String.init)
    }
    guard let model = text("model_id"), let layer = text("layer"), let set = text("sae_set") else {
        throw MonosemeError("\(first.name) has no model_id, layer and sae_set", hint: "check that SAEDashboard wrote it for Neuronpedia")
    }
    let subject = RowSubject(model: model, layer: "\(layer)-\(set)" + (text("sae_id_suffix").map { "__\($0)" } ?? ""))
    let usual = Int32(KERNEL_JSON_IS_USUAL)
    let template = RowTemplate([
        ("bin_min", usual, "-1"), ("bin_max", usual, ""), ("bin_contains", usual, "-1"), ("tokens", Int32(KERNEL_JSON_IS_TOKENS), ""), ("values", Int32(KERNEL_JSON_IS_VALUES), ""),
        ("qualifying_token_index", usual, ""), ("dfa_values", usual, "[]"), ("dfa_maxValue", usual, "0"), ("dfa_targetIndex", usual, "-1"),
    ])
    var residue = JSON.Object(), silent = 0
    for part in ["run_settings", "skipped_indexes"] {
        guard let path = folder.map({ "\($0)/\(part).json" }), kind(of: path) == .file else { continue }
        let file = try MappedFile(path)
        do { residue[part] = try file.withBytes { try JSON(parsing: $0) } } catch let error as JSONError { throw MonosemeError("\(part).json: \(error)") }
    }
    if let skipped = residue["skipped_indexes"]?["skipped_indexes"]?.array?.compactMap(\.integer).max() {
        guard (0..<featuresMaximum).contains(skipped) else { throw MonosemeError("skipped_indexes.json: the feature index \(skipped) is too large; at most \(featuresMaximum) features can be catalogued") }
        silent = skipped + 1
    }
    residue["examples"] = template.json
    residue["subject"] = .object(JSON.Object([(key: "modelId", value: .string(subject.model)), (key: "layer", value: .string(subject.layer))]))
    let prompts = feature?["n_prompts_total"]?.integer, promptTokens = feature?["n_tokens_in_prompt"]?.integer
    let dataset = feature?["dataset"]?.string ?? ""
    return try RowImport(request: request, files: files, template: template, subject: subject, name: try dictionaryName(for: subject, request),
                         origin: ImportOrigin(origin: "saedashboard", path: request.path, prompts: prompts, promptTokens: promptTokens, residue: JSON.object(residue).text),
                         hook: subject.layer, topic: dataset.isEmpty ? "imported" : dataset, silentFeatures: silent,
                         head: head).run(into: catalogue, report: report, warn: warn)
}

/// The members of a document before its features, as they are written, and what it says of the first feature but for its examples.
private func beginning(of file: RowFile, _ request: ImportRequest) throws -> ([String: String], JSON?) {
    let buffer = TextBuffer(1 << 16)
    guard try PieceSource([file], unpackLimit: request.unpackLimit).next(buffer) != nil else { throw MonosemeError("\(file.name) is empty") }
    do {
        var feature: JSON?
        let document = try RawObject(buffer.base, count: buffer.count, at: kernel_json_space(buffer.base, buffer.count, 0)) { key, place in
            guard String(decoding: UnsafeRawBufferPointer(start: buffer.base + key.lowerBound, count: key.count), as: UTF8.self) == "features", buffer.base[place] == UInt8(ascii: "[") else { return nil }
            let start = kernel_json_space(buffer.base, buffer.count, place + 1)
            if start < buffer.count, buffer.base[start] == UInt8(ascii: "{") {
                let object = try RawObject(buffer.base, count: buffer.count, at: start)
                feature = .object(JSON.Object(try ["n_prompts_total", "n_tokens_in_prompt", "dataset"].compactMap { key in try object.json(key).map { (key: "\(key)", value: $0) } }))
            }
            return nil
        }
        return (Dictionary(uniqueKeysWithValues: document.members.filter { document.string($0.key) != "features" }.map { (document.string($0.key), document.string($0.value)) }), feature)
    } catch let problem as RowProblem { throw MonosemeError("\(file.name): \(problem.what)", hint: "nothing was imported") }
}
