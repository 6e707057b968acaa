public import Formats

/// Says where `value` breaks `schema`: the part of JSON Schema 2020-12 that our schemas use, written plainly.
///
/// A keyword it does not know is a mistake of ours and reported, so that no rule is passed over in silence.
public func violations(of schema: JSON, by value: JSON) -> [String] {
    var found: [String] = []
    Validator(root: schema).check(value, schema, "$", &found)
    return found
}

private struct Validator {
    let root: JSON
    private static let known: Set<String> = ["$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties", "items", "const",
                                             "enum", "anyOf", "minimum", "maximum", "pattern"]

    init(root: JSON) { self.root = root }

    func check(_ value: JSON, _ schema: JSON, _ path: String, _ found: inout [String]) {
        guard found.count < 20, let rules = schema.object else { return }
        for (keyword, rule) in rules.members {
            switch keyword {
            case "$ref":
                let target = rule.string!.split(separator: "/").dropFirst().reduce(Optional(root)) { $0?[String($1)] }
                guard let target else { found.append("\(path): \(rule.string!) leads nowhere"); continue }
                check(value, target, path, &found)
            case "type":
                let allowed = rule.array?.compactMap(\.string) ?? [rule.string!]
                if !allowed.contains(where: { Validator.isA($0, value) }) { found.append("\(path): \(value.kind), not \(allowed)") }
            case "properties":
                for (name, member) in rule.object!.members { if let inner = value[name] { check(inner, member, "\(path).\(name)", &found) } }
            case "required":
                for name in rule.array!.compactMap(\.string) where value.object != nil && value[name] == nil { found.append("\(path): no member \(name)") }
            case "additionalProperties":
                guard rule == .bool(false), let object = value.object else { continue }
                for (name, _) in object.members where rules["properties"]?[name] == nil { found.append("\(path): an unknown member \(name)") }
            case "items": for (index, element) in (value.array ?? []).enumerated() { check(element, rule, "\(path)[\(index)]", &found) }
            case "const": if value != rule { found.append("\(path): not the constant") }
            case "enum": if !rule.array!.contains(value) { found.append("\(path): not one of the values allowed") }
            case "anyOf":
                let fits = rule.array!.contains { option in
                    var inner: [String] = []
                    check(value, option, path, &inner)
                    return inner.isEmpty
                }
                if !fits { found.append("\(path): fits none of the alternatives") }
            case "minimum": if let n = value.number, n < rule.number! { found.append("\(path): \(n) is below \(rule.number!)") }
            case "maximum": if let n = value.number, n > rule.number! { found.append("\(path): \(n) is above \(rule.number!)") }
            case "pattern": // only the digest's pattern is used
                if rule.string != "^[0-9a-f]{64}$" { found.append("\(path): a pattern the validator does not know") }
                if let text = value.string, text.utf8.count != 64 || !text.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) { found.append("\(path): not a digest") }
            default: if !Validator.known.contains(keyword) { found.append("\(path): the schema's keyword \(keyword) is not known here") }
            }
        }
    }

    private static func isA(_ type: String, _ value: JSON) -> Bool {
        switch type {
        case "object": value.object != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "boolean": value.bool != nil
        case "null": value.isNull
        case "integer": value.integer != nil
        case "number": value.number != nil
        default: false
        }
    }
}
