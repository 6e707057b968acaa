import Diagnostics
import DictionaryLearning
import Formats
import Ingestion

/// What a run is: everything that its result depends on. Kept as `run.json`, so that the same command is known again and
/// another is refused.
struct RunDescription {
    /// An object.
    let json: JSON

    static let fileName = "run.json"
    private static let format = "monoseme training run 1"

    /// - Parameters:
    ///   - members: what the result depends on besides the format and the program's version.
    init(_ members: [(key: String, value: JSON)]) {
        let object = JSON.Object([("format", .string(Self.format)), ("engine", .string(engineVersion))] + members)
        // As it is read back: 5.0 becomes 5.
        var writer = JSONWriter()
        writer.value(.object(object))
        json = try! JSON(parsing: writer.text)
    }

    private init(json: JSON) { self.json = json }

    /// - Throws: `MonosemeError` where the file is none of ours.
    init(contentsOf path: String) throws {
        let file = try MappedFile(path)
        let hint = "give another folder with -o, or remove this one"
        do { json = try file.withBytes { try JSON(parsing: $0, duplicateKeys: .refused) } } catch {
            throw MonosemeError("\(quoted(path, limit: 400)) is not valid JSON: \(error)", hint: hint)
        }
        guard json["format"]?.string == Self.format else { throw MonosemeError("\(quoted(path, limit: 400)) is not the record of a training run", hint: hint) }
    }

    /// Whether the run it was read for has been completed.
    var isComplete: Bool { json["complete"]?.bool == true }

    /// The run's digest: what its checkpoints are known by.
    var digest: String {
        var hash = SHA256()
        var writer = JSONWriter()
        writer.value(identity)
        hash.update(writer.text)
        return hexadecimal(hash.finalize())
    }

    /// Without what may change until it is complete.
    private var identity: JSON {
        var object = json.object!
        object["complete"] = nil
        if !isComplete { object["weights"] = nil }
        return .object(object)
    }

    func text(isComplete: Bool) -> String {
        var object = json.object!
        object["complete"] = .bool(isComplete)
        var writer = JSONWriter(indentation: 2)
        writer.value(.object(object))
        return writer.text + "\n"
    }

    /// What differs, in words, `other` being the run that is asked for: `seed is 0 there and 1 here`.
    func differences(from other: RunDescription) -> [String] {
        var asked = other.json.object!
        if isComplete { asked["complete"] = .bool(true) }
        return Self.differences(identity, RunDescription(json: .object(asked)).identity, path: [])
    }

    private static func differences(_ there: JSON?, _ here: JSON?, path: [String]) -> [String] {
        if there == here { return [] }
        if let a = there?.object, let b = here?.object {
            let keys = a.members.map(\.key) + b.members.map(\.key).filter { a[$0] == nil }
            // Constants of sizes that only one of them has say nothing beyond that.
            let common = path == ["constants"] ? keys.filter { a[$0] != nil && b[$0] != nil } : keys
            return common.flatMap { differences(a[$0], b[$0], path: path + [$0]) }
        }
        return ["\(path.joined(separator: " ").replacing("_", with: " ")) is \(words(there)) there and \(words(here)) here"]
    }

    private static func words(_ value: JSON?) -> String {
        guard let value, !value.isNull else { return "not given" }
        // A digest is enough to see that it is another.
        if let text = value.string { return text.count == 64 ? String(text.prefix(12)) + "…" : quoted(text, limit: 200) }
        var writer = JSONWriter()
        writer.value(value)
        let text = writer.text
        return text.count > 100 ? String(text.prefix(100)) + "…" : text
    }
}
