import Diagnostics
import FeatureCatalogue
import Formats

/// A results folder of delphi and the module of it that is imported.
///
/// ```
/// run_config.json                                    what was run
/// latents/MODULE/config.json                         what was read: dataset, context, model
/// latents/MODULE/START_END.safetensors               every activation of latents START to END, the last included
/// explanations/MODULE_latentI.txt                    a JSON string
/// scores/fuzz|detection|simulation/MODULE_latentI.txt   a JSON array, an element an example
/// ```
struct DelphiFolder {
    let path: String
    let module: String
    /// In order of latents.
    let shards: [(path: String, latents: Range<Int>)]
    /// Latents that no shard covers, before or between them.
    let gaps: [Range<Int>]
    let run: JSON
    let cache: JSON

    /// One past the last latent of the last shard: what lies beyond is not known.
    var features: Int { shards.last!.latents.upperBound }

    init(_ path: String, module: String?) throws {
        guard kind(of: path) != .missing else { throw MonosemeError("there is no folder \(quoted(path, limit: 400))") }
        guard kind(of: path + "/latents") == .folder else {
            throw MonosemeError("\(quoted(path, limit: 400)) is no results folder of delphi: it has no folder \"latents\"", hint: "give the folder that holds latents, explanations and scores")
        }
        self.path = path
        self.module = try DelphiFolder.module(of: path + "/latents", asked: module)
        let folder = "\(path)/latents/\(self.module)"
        shards = try DelphiFolder.shards(of: folder)
        gaps = try DelphiFolder.gaps(between: shards)
        run = try DelphiFolder.settings(path + "/run_config.json")
        cache = try DelphiFolder.settings(folder + "/config.json")
    }

    private static func module(of latents: String, asked: String?) throws -> String {
        let modules = try contents(ofFolder: latents).filter { kind(of: "\(latents)/\($0)") == .folder }
        guard !modules.isEmpty else { throw MonosemeError("\(quoted(latents, limit: 400)) holds no folder of a module", hint: "delphi writes latents/MODULE/START_END.safetensors") }
        let known = modules.prefix(20).map { quoted($0) }.joined(separator: ", ") + (modules.count > 20 ? ", …" : "")
        if let asked {
            guard modules.contains(asked) else { throw MonosemeError("there is no module \(quoted(asked)) in \(quoted(latents, limit: 400))", hint: "there \(modules.count == 1 ? "is" : "are") \(known)") }
            return asked
        }
        guard modules.count == 1 else { throw MonosemeError("\(quoted(latents, limit: 400)) holds \(modules.count) modules: \(known)", hint: "name one with --module, and import the others under other names") }
        return modules[0]
    }

    private static func shards(of folder: String) throws -> [(path: String, latents: Range<Int>)] {
        var shards: [(path: String, latents: Range<Int>)] = []
        for name in try contents(ofFolder: folder) where name.hasSuffix(".safetensors") {
            let path = "\(folder)/\(name)"
            guard let latents = latents(inName: name) else {
                throw MonosemeError("\(quoted(path, limit: 400)) is not named START_END.safetensors, by its first and last latent of 0 to \(featuresMaximum - 1)", hint: "caches in one file or by other names are not read")
            }
            shards.append((path, latents))
        }
        guard !shards.isEmpty else { throw MonosemeError("\(quoted(folder, limit: 400)) holds no START_END.safetensors", hint: "delphi's cache writes them with save_splits") }
        return shards.sorted { ($0.latents.lowerBound, $0.latents.upperBound) < ($1.latents.lowerBound, $1.latents.upperBound) }
    }

    /// `0_1023.safetensors` holds 1,024 latents: the second number is the last one.
    static func latents(inName name: String) -> Range<Int>? {
        let parts = name.dropLast(".safetensors".utf8.count).split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 9 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
        guard let first = Int(parts[0]), let last = Int(parts[1]), first <= last, last < featuresMaximum else { return nil }
        return first..<last + 1
    }

    private static func gaps(between shards: [(path: String, latents: Range<Int>)]) throws -> [Range<Int>] {
        var gaps: [Range<Int>] = [], next = 0, previous = ""
        for (path, latents) in shards {
            guard latents.lowerBound >= next else {
                throw MonosemeError("\(quoted(path, limit: 400)) and \(quoted(previous, limit: 400)) both hold latent \(latents.lowerBound)", hint: "these are caches of two runs in one folder: remove one of them")
            }
            if latents.lowerBound > next { gaps.append(next..<latents.lowerBound) }
            (next, previous) = (latents.upperBound, path)
        }
        return gaps
    }

    /// An object; without members where there is no such file.
    private static func settings(_ path: String) throws -> JSON {
        guard kind(of: path) != .missing else { return .object(.init()) }
        let json = try read(path)
        guard json.object != nil else { throw MonosemeError("\(quoted(path, limit: 400)) holds \(json.kind), not an object") }
        return json
    }

    static func read(_ path: String) throws -> JSON {
        do { return try MappedFile(path).withBytes { try JSON(parsing: $0) } } catch let error as JSONError {
            throw MonosemeError("\(quoted(path, limit: 400)) is not valid JSON: \(error)", hint: "the file may be cut short: fetch or write it again, or remove it")
        }
    }

    // MARK: What the settings say

    var model: String? { text(cache["model_name"]) ?? text(run["model"]) }
    var explainer: String? { text(run["explainer_model"]) }
    var dataset: String? {
        // Newer versions keep the cache's settings within those of the run as well.
        let settings = cache["dataset_repo"] == nil ? run["cache_cfg"] ?? cache : cache
        guard let repository = text(settings["dataset_repo"]) else { return nil }
        return [repository, text(settings["dataset_name"])].compactMap { $0 }.joined(separator: "/")
    }

    private func text(_ json: JSON?) -> String? { json?.string.flatMap { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 } }

    /// All that is known of where this comes from, for the catalogue.
    var settings: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("origin", "delphi")
            writer.member("module", module)
            writer.key("shards")
            writer.array { writer in for shard in shards { writer.array { $0.value(shard.latents.lowerBound); $0.value(shard.latents.upperBound - 1) } } }
            writer.key("cache_config")
            writer.value(cache)
            writer.key("run_config")
            writer.value(run)
        }
        return writer.text
    }

    /// The files of a folder beside the latents that are about a latent of this module, in order of latents.
    func files(of folder: String) throws -> [(latent: Int, path: String)] {
        let folder = "\(path)/\(folder)"
        guard kind(of: folder) == .folder else { return [] }
        let prefix = module.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "--") + "_latent"
        var files: [(latent: Int, path: String)] = []
        for name in try contents(ofFolder: folder) where name.hasPrefix(prefix) && name.hasSuffix(".txt") {
            let digits = name.dropFirst(prefix.count).dropLast(4)
            guard !digits.isEmpty, digits.utf8.count <= 9, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let latent = Int(digits) else { continue }
            guard latent < features else {
                throw MonosemeError("\(quoted("\(folder)/\(name)", limit: 400)) is about latent \(latent), but the cache ends at latent \(features - 1)", hint: "is a shard missing from latents/\(module), or the file of another run?")
            }
            files.append((latent, "\(folder)/\(name)"))
        }
        return files.sorted { ($0.latent, $0.path) < ($1.latent, $1.path) }
    }
}

/// Whether a folder looks like results of delphi.
func isDelphiResults(_ path: String) -> Bool {
    guard kind(of: path + "/latents") == .folder, let modules = try? contents(ofFolder: path + "/latents") else { return false }
    return modules.contains { module in ((try? contents(ofFolder: "\(path)/latents/\(module)")) ?? []).contains { $0.hasSuffix(".safetensors") && DelphiFolder.latents(inName: $0) != nil } }
}
