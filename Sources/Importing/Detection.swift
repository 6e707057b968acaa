import Diagnostics
import Formats
import Glibc
import Ingestion

/// What kind of thing lies at a path, told by its files' names and, of a single file, its first bytes.
public func importSource(at path: String) throws -> ImportSource {
    switch kind(of: path) {
    case .missing: throw MonosemeError("there is nothing at \(quoted(path, limit: 400))", hint: "name the file or folder to import")
    case .folder: if let source = sourceOfFolder(path) { return source }
    default: if let source = try sourceOfFile(path) { return source }
    }
    throw MonosemeError("cannot tell what \(quoted(path, limit: 400)) is", hint: "say it with --from \(ImportSource.allCases.map(\.rawValue).joined(separator: "|"))")
}

/// Names in a folder, sorted; empty where it cannot be read.
private func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if !name.hasPrefix(".") { names.append(name) }
        // A folder of others may hold anything.
        if names.count == 100_000 { break }
    }
    return names.sorted()
}

private func sourceOfFolder(_ path: String) -> ImportSource? {
    let all = names(in: path)
    // Neuronpedia: features/batch-0.jsonl(.gz); or the folder `features` itself.
    func hasBatches(_ folder: String) -> Bool { names(in: folder).contains { $0.hasPrefix("batch-") && ($0.hasSuffix(".jsonl") || $0.hasSuffix(".jsonl.gz")) } }
    if ["features", "activations", "explanations"].contains(where: { all.contains($0) && hasBatches("\(path)/\($0)") }) || hasBatches(path) { return .neuronpedia }
    // delphi: latents/HOOK/0_1023.safetensors; or the folder `latents` itself.
    func hasShards(_ folder: String) -> Bool {
        names(in: folder).prefix(1000).contains { hook in names(in: "\(folder)/\(hook)").contains { $0.hasSuffix(".safetensors") } }
    }
    if all.contains("latents") && hasShards("\(path)/latents") || hasShards(path) { return .delphi }
    // SAEDashboard: batch-0.json with what its first file says.
    if let batch = all.first(where: { $0.hasPrefix("batch-") && $0.hasSuffix(".json") }) { return (try? sourceOfFile("\(path)/\(batch)")) ?? nil }
    return nil
}

/// Of a file, what its first 64 KiB say.
private func sourceOfFile(_ path: String) throws -> ImportSource? {
    let source = try ByteSource(path)
    var start: [UInt8] = []
    while start.count < 1 << 16, try source.append(to: &start) {}
    var members: [String] = [], format: String?
    // The start of a document is cut off somewhere: what comes before is enough.
    _ = try? start.withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        try cursor.object { cursor, key in
            members.append(key.text)
            if key.text == "format" { format = try cursor.string() } else { try cursor.skip() }
        }
    }
    if format?.hasPrefix("monoseme-export-") == true { return .monoseme }
    let found = Set(members)
    if found.contains("sae_set") || found.contains("sae_id_suffix") || found.contains("features") && found.contains("n_prompts_total") { return .saedashboard }
    // A line of a dump: features, activations and explanations have these two.
    if found.contains("modelId"), found.contains("layer") { return .neuronpedia }
    return nil
}
