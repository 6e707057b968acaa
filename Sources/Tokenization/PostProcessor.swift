import Diagnostics
import Formats

/// The special tokens that go before and after a text when they are asked for.
struct PostProcessor: Sendable {
    private(set) var prefix: [Int32] = []
    private(set) var suffix: [Int32] = []

    /// - Parameter size: of the vocabulary, added tokens included; a template's ids lie below it.
    init(_ json: JSON?, size: Int) throws(MonosemeError) { try add(json ?? .null, size: size) }

    private mutating func add(_ json: JSON, size: Int) throws(MonosemeError) {
        if json.isNull { return }
        let section = "post_processor"
        switch try Section.type(of: json, in: section) {
        case "ByteLevel": break // moves offsets, not ids
        case "Sequence":
            for step in try Section.array("processors", of: json, in: section) { try add(step, size: size) }
        case "TemplateProcessing":
            var before: [Int32] = [], after: [Int32] = [], sequences = 0
            for piece in try Section.array("single", of: json, in: section) {
                if let sequence = piece["Sequence"] {
                    guard sequence["id"]?.string == "A", sequences == 0 else {
                        throw Section.unsupported(section, "TemplateProcessing whose single template is not one sequence A")
                    }
                    sequences = 1
                } else if let name = piece["SpecialToken"]?["id"]?.string {
                    guard let ids = json["special_tokens"]?[name]?["ids"]?.array else {
                        throw MonosemeError("post_processor: the template names \(quoted(name)), which its special_tokens lack")
                    }
                    for id in ids {
                        guard let id = id.integer, id >= 0, id < size else {
                            throw MonosemeError("post_processor: the template's token \(quoted(name)) has an id that is not one of the \(size) of the vocabulary")
                        }
                        if sequences == 0 { before.append(Int32(id)) } else { after.append(Int32(id)) }
                    }
                } else {
                    throw MonosemeError("post_processor: the template has a piece that is neither a Sequence nor a SpecialToken")
                }
            }
            guard sequences == 1 else { throw Section.unsupported(section, "TemplateProcessing whose single template is not one sequence A") }
            prefix = before + prefix
            suffix += after
        case let type: throw Section.unsupported(section, type)
        }
    }
}
