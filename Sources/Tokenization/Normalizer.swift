import Diagnostics
import Formats
import Kernels

/// What is done to text before it is cut into words.
struct Normalizer: Sendable {
    enum Step: Sendable, Equatable {
        case nfc
        case prepend([UInt8])
        case replace([UInt8], with: [UInt8])
    }

    private(set) var steps: [Step] = []

    /// - Parameter json: the member `normalizer`; nothing is the same as null.
    init(_ json: JSON?) throws(MonosemeError) { try add(json ?? .null) }

    private mutating func add(_ json: JSON) throws(MonosemeError) {
        if json.isNull { return }
        switch try Section.type(of: json, in: "normalizer") {
        case "NFC": steps.append(.nfc)
        case "Sequence":
            for step in try Section.array("normalizers", of: json, in: "normalizer") { try add(step) }
        case "Prepend":
            steps.append(.prepend(Array(try Section.string("prepend", of: json, in: "normalizer").utf8)))
        case "Replace":
            guard let pattern = json["pattern"]?["String"]?.string, !pattern.isEmpty else {
                throw Section.unsupported("normalizer", "Replace with a pattern other than a plain string")
            }
            steps.append(.replace(Array(pattern.utf8), with: Array(try Section.string("content", of: json, in: "normalizer").utf8)))
        case let type: throw Section.unsupported("normalizer", type)
        }
    }

    /// The normalised form of well-formed UTF-8, or nil if it is `text` itself.
    func normalized(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var changed: [UInt8]?
        for step in steps {
            changed = changed.map { current in current.withUnsafeBufferPointer { apply(step, to: $0) } ?? current } ?? apply(step, to: text)
        }
        return changed
    }

    func normalized(_ text: [UInt8]) -> [UInt8] { text.withUnsafeBufferPointer { normalized($0) } ?? text }

    private func apply(_ step: Step, to text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard let start = text.baseAddress, !text.isEmpty else { return nil }
        switch step {
        case .nfc:
            CharacterTables.prepare
            if kernel_nfc_stable_prefix(start, text.count) == text.count { return nil }
            return [UInt8](unsafeUninitializedCapacity: 3 * text.count) { out, count in count = kernel_nfc(start, text.count, out.baseAddress!) }
        case .prepend(let prefix): return prefix + text
        case .replace(let pattern, let replacement):
            var out: [UInt8] = []
            var at = 0
            while at < text.count {
                if text[at] == pattern[0], text[at...].starts(with: pattern) {
                    out += replacement
                    at += pattern.count
                } else {
                    out.append(text[at])
                    at += 1
                }
            }
            return out
        }
    }
}

/// The character tables of the kernels: letters and numbers of Unicode 16, and the older marks and compositions (Unicode 9)
/// that the library's normalizer has, so that newer marks stay where they are as they do there.
enum CharacterTables {
    /// Expands them, the first time it is read.
    static let prepare: Void = kernel_unicode_prepare()
}

/// What the readers of the file's small sections share.
enum Section {
    static func type(of json: JSON, in section: String) throws(MonosemeError) -> String {
        guard let type = json["type"]?.string else { throw MonosemeError("\(section) is \(json.kind) without a type") }
        return type
    }

    static func array(_ key: String, of json: JSON, in section: String) throws(MonosemeError) -> [JSON] {
        guard let array = json[key]?.array else { throw wrong(key, json, section, "an array") }
        return array
    }

    static func string(_ key: String, of json: JSON, in section: String) throws(MonosemeError) -> String {
        guard let string = json[key]?.string else { throw wrong(key, json, section, "a string") }
        return string
    }

    static func bool(_ key: String, of json: JSON, in section: String, default absent: Bool? = nil) throws(MonosemeError) -> Bool {
        if json[key] == nil, let absent { return absent }
        guard let bool = json[key]?.bool else { throw wrong(key, json, section, "a boolean") }
        return bool
    }

    private static func wrong(_ key: String, _ json: JSON, _ section: String, _ expected: String) -> MonosemeError {
        MonosemeError("\(section).\(key) is \(json[key]?.kind ?? "missing"), not \(expected)")
    }

    static func unsupported(_ section: String, _ what: String) -> MonosemeError {
        MonosemeError("\(section): \(quoted(what, limit: 300)) is not supported",
                      hint: "byte-level BPE in the manner of GPT-2, GPT-NeoX, Llama 3 and Qwen 2 is read")
    }
}
