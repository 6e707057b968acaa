import Diagnostics

/// The tensors of a folder: one `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
public struct SafetensorsFolder: Sendable {
    /// All tensors' names: in the header's order for one file, in the index's order for shards.
    public let names: [String]
    private let files: [SafetensorsFile]
    /// For shards: the place in `files` of each tensor.
    private let places: [String: Int]

    /// Opens `folder/stem.safetensors`, or where that is missing `folder/stem.safetensors.index.json` and its shards.
    /// - Throws: `MonosemeError` naming the folder, shard or tensor that is missing or broken.
    public init(folder: String, stem: String = "model") throws {
        let single = "\(folder)/\(stem).safetensors", index = single + ".index.json"
        if kind(of: single) == .missing && kind(of: index) == .missing {
            guard kind(of: folder) == .folder else { throw MonosemeError("there is no folder \(quoted(folder, limit: 400))") }
            throw MonosemeError(
                "\(quoted(folder, limit: 400)) holds neither \(stem).safetensors nor \(stem).safetensors.index.json",
                hint: "weights must be in the safetensors format")
        }
        if kind(of: single) != .missing {
            let file = try SafetensorsFile(single)
            (names, files, places) = (file.names, [file], [:])
            return
        }

        func problem(_ text: String) -> MonosemeError { MonosemeError("\(quoted(index, limit: 400)): \(text)") }
        let json: JSON, text = try MappedFile(index)
        do { json = try text.withBytes { try JSON(parsing: $0, duplicateKeys: .refused) } } catch { throw problem("\(error)") }
        guard let map = json["weight_map"]?.object else { throw problem("weight_map is \(json["weight_map"]?.kind ?? "missing"), not an object") }
        guard !map.members.isEmpty else { throw problem("weight_map lists no tensors") }
        var files: [SafetensorsFile] = [], known: [String: Int] = [:], places: [String: Int] = [:]
        for (name, value) in map.members {
            guard let shard = value.string else { throw problem("tensor \(quoted(name)) is in \(value.kind), not in a named file") }
            if known[shard] == nil {
                // A shard lies beside its index: a name that leads elsewhere is a mistake or an attack.
                guard !shard.isEmpty, shard != ".", shard != "..", !shard.utf8.contains(where: { $0 == 0x2f || $0 == 0x5c || $0 == 0 }) else {
                    throw problem("shard name \(quoted(shard)) is not a plain file name")
                }
                guard kind(of: "\(folder)/\(shard)") != .missing else {
                    throw MonosemeError("\(quoted(folder, limit: 400)) lacks the shard \(quoted(shard)) that its index lists", hint: "fetch the missing file")
                }
                known[shard] = files.count
                files.append(try SafetensorsFile("\(folder)/\(shard)"))
            }
            let place = known[shard]!
            guard files[place][name] != nil else { throw problem("tensor \(quoted(name)) is not in its shard \(quoted(shard))") }
            places[name] = place
        }
        (names, self.files, self.places) = (map.members.map(\.key), files, places)
    }

    public subscript(name: String) -> SafetensorsTensor? {
        files.count == 1 && places.isEmpty ? files[0][name] : places[name].flatMap { files[$0][name] }
    }

    /// The file's SHA-256 in hexadecimal; for shards the SHA-256 of their sorted digests, a line each. Every call reads
    /// all files.
    public var sha256: String {
        if files.count == 1 { return files[0].sha256 }
        var hash = SHA256()
        for digest in files.map(\.sha256).sorted() { hash.update(digest + "\n") }
        return hexadecimal(hash.finalize())
    }
}
