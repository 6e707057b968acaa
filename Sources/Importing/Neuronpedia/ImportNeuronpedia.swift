import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Kernels

/// Whether a folder looks like one source of Neuronpedia's public exports.
func isNeuronpedia(_ path: String) -> Bool { ["features", "activations", "explanations"].contains { kind(of: path + "/" + $0) == .folder } }

/// Members of example rows that the catalogue has a place for.
private let understood: [(key: String, role: Int32)] = [
    ("modelId", Int32(KERNEL_JSON_IS_EXPECTED)), ("layer", Int32(KERNEL_JSON_IS_EXPECTED)), ("index", Int32(KERNEL_JSON_IS_INDEX)),
    ("tokens", Int32(KERNEL_JSON_IS_TOKENS)), ("values", Int32(KERNEL_JSON_IS_VALUES)),
]

/// One source of Neuronpedia's exports, v1: `{features,activations,explanations}/batch-N.jsonl[.gz]`, beside them `release.jsonl`, `model.jsonl` and so on.
func importNeuronpedia(_ request: ImportRequest, into catalogue: Catalogue, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
    guard kind(of: request.path) == .folder, isNeuronpedia(request.path) else {
        throw MonosemeError("\(quoted(request.path, limit: 400)) is no export of Neuronpedia's: it has no folder features, activations or explanations", hint: "name the folder of one source, such as v1/gpt2-small/6-res-jb")
    }
    var files: [RowFile] = []
    for (folder, content) in [("features", RowFile.Content.features), ("activations", .examples)] { files += try batches(in: request.path, folder, content) }
    files += try batches(in: request.path, "explanations", .explanations)
    for folder in try contents(ofFolder: request.path) where folder.hasPrefix("explanations-") && kind(of: request.path + "/" + folder) == .folder {
        files += try batches(in: request.path, folder, .explanations)
    }
    guard let first = files.first else { throw MonosemeError("there are no batch-N.jsonl or batch-N.jsonl.gz files in \(quoted(request.path, limit: 400))") }

    // What the first rows say is expected of all.
    guard let row = try firstRow(of: first, request), let model = row["modelId"]?.string, let layer = row["layer"]?.string else {
        throw MonosemeError("\(first.name): its first row has no modelId and layer", hint: "check that it is an export of Neuronpedia's")
    }
    let subject = RowSubject(model: model, layer: layer)
    var members: [(key: String, role: Int32, value: String)] = []
    if let file = files.first(where: { $0.content == .examples }), let raw = try firstRowAsWritten(of: file, request) {
        for (key, value) in raw.prefix(58) {
            let role = understood.first { $0.key == key }?.role ?? Int32(KERNEL_JSON_IS_USUAL)
            // A long value is no usual one.
            members.append((key, role, role == Int32(KERNEL_JSON_IS_EXPECTED) || role == Int32(KERNEL_JSON_IS_USUAL) && value.utf8.count <= 256 ? value : ""))
        }
    }
    for (key, role) in understood where !members.contains(where: { $0.key == key }) { members.append((key, role, JSON.string(key == "modelId" ? model : key == "layer" ? layer : "").text)) }
    let template = RowTemplate(members)

    var residue = JSON.Object(), source: JSON?
    for part in ["release", "model", "sourceset", "source"] {
        guard let path = [request.path, request.path + "/.."].map({ "\($0)/\(part).jsonl" }).first(where: { kind(of: $0) == .file }) else { continue }
        let row = try descriptions(path, "\(part).jsonl").first { part != "source" || $0["id"]?.string == layer }
        if let row { residue[part] = row }
        if part == "source" { source = row }
    }
    residue["examples"] = template.json
    var keys = JSON.Object()
    for (name, content) in [("features", RowFile.Content.features), ("activations", .examples), ("explanations", .explanations)] {
        if let file = files.first(where: { $0.content == content }), let raw = try firstRowAsWritten(of: file, request) { keys[name] = .array(raw.map { .string($0.0) }) }
    }
    residue["keys"] = .object(keys)
    residue["subject"] = .object(JSON.Object([(key: "modelId", value: .string(model)), (key: "layer", value: .string(layer))]))

    let origin = ImportOrigin(origin: "neuronpedia", path: request.path, prompts: source?["num_prompts"]?.integer, promptTokens: source?["num_tokens_in_prompt"]?.integer, residue: JSON.object(residue).text)
    return try RowImport(request: request, files: files, template: template, subject: subject, name: try dictionaryName(for: subject, request), origin: origin,
                         hook: row["hookName"]?.string ?? layer, topic: source?["dataset"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "imported").run(into: catalogue, report: report, warn: warn)
}

/// The name that was asked for, or the source's, which looks like ours.
func dictionaryName(for subject: RowSubject, _ request: ImportRequest) throws -> DictionaryName {
    if let name = request.name { return name }
    guard let name = DictionaryName("\(subject.model)/\(subject.layer)") else {
        throw MonosemeError("\(quoted("\(subject.model)/\(subject.layer)")) is not a dictionary name", hint: "give it one with --name, such as A/1")
    }
    return name
}

extension JSON {
    /// As one line.
    var text: String {
        var writer = JSONWriter()
        writer.value(self)
        return writer.text
    }
}

/// The batch files of one folder, by number.
private func batches(in path: String, _ folder: String, _ content: RowFile.Content) throws -> [RowFile] {
    guard kind(of: "\(path)/\(folder)") == .folder else { return [] }
    return try contents(ofFolder: "\(path)/\(folder)").compactMap { name -> (Int, RowFile)? in
        guard let number = batchNumber(name, [".jsonl", ".jsonl.gz"]) else { return nil }
        return (number, RowFile(path: "\(path)/\(folder)/\(name)", name: "\(folder)/\(name)", content: content))
    }.sorted { ($0.0, $0.1.name) < ($1.0, $1.1.name) }.map(\.1)
}

/// N of `batch-N` with one of these endings.
func batchNumber(_ name: String, _ endings: [String]) -> Int? {
    guard name.hasPrefix("batch-"), let ending = endings.first(where: { name.hasSuffix($0) }) else { return nil }
    let digits = name.dropFirst(6).dropLast(ending.count)
    return !digits.isEmpty && digits.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(digits) : nil
}

/// The members of a file's first row, in order, as they are written; `nil` for an empty file.
private func firstRowAsWritten(of file: RowFile, _ request: ImportRequest) throws -> [(String, String)]? {
    let buffer = TextBuffer(1 << 16)
    guard try PieceSource([file], unpackLimit: request.unpackLimit).next(buffer) != nil else { return nil }
    let start = kernel_json_space(buffer.base, buffer.count, 0)
    guard start < buffer.count else { return nil }
    do {
        let row = try RawObject(buffer.base, count: buffer.count, at: start)
        return row.members.map { (row.string($0.key), row.string($0.value)) }
    } catch let problem as RowProblem { throw MonosemeError("\(file.name) line 1: \(problem.what)", hint: "nothing was imported") }
}

private func firstRow(of file: RowFile, _ request: ImportRequest) throws -> JSON.Object? {
    guard let raw = try firstRowAsWritten(of: file, request) else { return nil }
    var object = JSON.Object()
    for (key, value) in raw where ["modelId", "layer", "hookName"].contains(key) {
        do { object[key] = try JSON(parsing: value) } catch { throw MonosemeError("\(file.name) line 1: \(key) is no JSON: \(error.problem)") }
    }
    return object
}

/// The rows of a small file of descriptions.
private func descriptions(_ path: String, _ name: String) throws -> [JSON] {
    let file = try MappedFile(path)
    guard file.bytes.count <= 1 << 24 else { throw MonosemeError("\(name) has \(file.bytes.count) bytes, which is too much for a description") }
    return try file.withBytes { bytes in
        try bytes.split(separator: 0x0a).enumerated().compactMap { number, line in
            let line = UnsafeRawBufferPointer(rebasing: line)
            guard line.contains(where: { $0 > 0x20 }) else { return nil }
            do { return try JSON(parsing: line) } catch { throw MonosemeError("\(name) line \(number + 1): \(error)") }
        }
    }
}
