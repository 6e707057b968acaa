import Diagnostics
import Formats
import SQLite

// Labels as text: JSON Lines or CSV, one label to a line, under the same names in both. What the writer writes the reader reads.

public enum LabelFileFormat: String, Sendable, CaseIterable { case jsonl, csv }

/// What lines that leave it open mean.
public struct LabelFileDefaults: Sendable {
    public var author: String
    public var status: LabelStatus
    /// The dictionary that `feature` is within; it may then be an index alone.
    public var dictionary: DictionaryName?

    public init(author: String, status: LabelStatus = .accepted, dictionary: DictionaryName? = nil) { (self.author, self.status, self.dictionary) = (author, status, dictionary) }
}

/// Longest line or record, in bytes.
private let lineLimit = 1 << 20
/// Longest parameters, in bytes.
private let parametersLimit = 1 << 16

/// The fields of a line, in the order in which they are written.
private enum Field: String, CaseIterable {
    case feature, label, author, authorKind = "author_kind", method, status, isUnknown = "is_unknown", rule, parameters, createdAt = "created_at", decidedBy = "decided_by", reason
}

/// Reads labels: `feature` and `label` on every line, and as far as they are given `author`, `author_kind` (person, model, program), `method`,
/// `status` (draft, accepted, rejected), `is_unknown`, `rule`, `parameters` (a JSON object), `created_at`, `decided_by` and `reason`.
///
/// - Parameters:
///   - bytes: UTF-8, with or without a byte order mark; CSV with a line of titles.
///   - format: `nil`: JSON Lines if the text begins with `{`, else CSV.
/// - Throws: `MonosemeError` that begins with `line 17: ` for the first line that is wrong.
public func labelLines(in bytes: UnsafeRawBufferPointer, as format: LabelFileFormat? = nil, defaults: LabelFileDefaults) throws -> [LabelLine] {
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] as [[UInt8]] where bytes.starts(with: mark) {
        throw MonosemeError("line 1: the text is UTF-16", hint: "save it as UTF-8; nothing was entered")
    }
    let bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? UnsafeRawBufferPointer(rebasing: bytes[3...]) : bytes
    let first = bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0a && $0 != 0x0d }
    switch format ?? (first == UInt8(ascii: "{") ? .jsonl : .csv) {
    case .jsonl: return try linesOfJSON(bytes, defaults)
    case .csv: return try linesOfCSV(bytes, defaults)
    }
}

private func linesOfJSON(_ bytes: UnsafeRawBufferPointer, _ defaults: LabelFileDefaults) throws -> [LabelLine] {
    var lines: [LabelLine] = [], at = 0, number = 0
    while at < bytes.count {
        let end = bytes[at...].firstIndex(of: 0x0a) ?? bytes.count
        let line = UnsafeRawBufferPointer(rebasing: bytes[at..<end])
        at = end + 1
        number += 1
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }) else { continue }
        lines.append(try atLine(number) {
            guard line.count <= lineLimit else { throw MonosemeError("it has \(line.count) bytes; at most \(lineLimit) are read", hint: "a label is a phrase or a sentence") }
            let json: JSON
            do { json = try JSON(parsing: line, duplicateKeys: .refused) } catch let error as JSONError { throw MonosemeError("no JSON: \(error.problem) at byte \(error.offset + 1) of the line") }
            guard let object = json.object else { throw MonosemeError("expected a JSON object, found \(json.kind)") }
            var values: [Field: String] = [:]
            for (key, value) in object.members {
                guard let field = Field(rawValue: key) else { throw unknown(key, "key") }
                values[field] = try text(of: value, field)
            }
            return try label(values, number, defaults)
        })
    }
    return lines
}

/// The text that a column of CSV would hold; `nil` for null.
private func text(of value: JSON, _ field: Field) throws -> String? {
    switch (field, value) {
    case (_, .null): return nil
    case (_, .string(let text)): return text
    case (.feature, .unsigned(let index)): return String(index)
    case (.isUnknown, .bool(let value)): return value ? "true" : "false"
    case (.parameters, .object):
        var writer = JSONWriter()
        writer.value(value)
        return writer.text
    default:
        let expected = field == .isUnknown ? "a boolean" : field == .parameters ? "an object" : "a string"
        throw MonosemeError("\(field.rawValue): expected \(expected), found \(value.kind)")
    }
}

private func linesOfCSV(_ bytes: UnsafeRawBufferPointer, _ defaults: LabelFileDefaults) throws -> [LabelLine] {
    var reader = CSVReader(bytes, recordLimit: lineLimit)
    func next() throws -> CSVRecord? {
        do { return try reader.next() } catch {
            return try atLine(error.line) { throw MonosemeError("no CSV: \(error.problem)", hint: "fields are separated by commas; one with a comma, a quote or a line break stands in double quotes") }
        }
    }
    guard let titles = try next() else { return [] }
    let columns: [Field] = try atLine(titles.line) {
        let columns = try titles.fields.map { title in
            guard let field = Field(rawValue: title.trimmed) else { throw unknown(title, "column") }
            return field
        }
        for (place, column) in columns.enumerated() where columns[..<place].contains(column) { throw MonosemeError("the column \(column.rawValue) is there twice") }
        for column in [Field.feature, .label] where !columns.contains(column) { throw MonosemeError("there is no column \(column.rawValue)", hint: "the first line names the columns, such as feature,label,author") }
        return columns
    }
    var lines: [LabelLine] = []
    while let record = try next() {
        lines.append(try atLine(record.line) {
            guard record.fields.count == columns.count else {
                throw MonosemeError("it has \(record.fields.count) field\(record.fields.count == 1 ? "" : "s"), and the first line names \(columns.count) columns", hint: "a field with a comma in it stands in double quotes")
            }
            // An empty field says nothing, as null does; but an empty label is one that is none.
            return try label(Dictionary(uniqueKeysWithValues: zip(columns, record.fields).filter { $0.0 == .label || !$0.1.isEmpty }), record.line, defaults)
        })
    }
    return lines
}

private func unknown(_ name: String, _ what: String) -> MonosemeError {
    MonosemeError("there is no \(what) \(quoted(name))", hint: "known are \(Field.allCases.map(\.rawValue).joined(separator: ", "))")
}

private func label(_ values: [Field: String], _ line: Int, _ defaults: LabelFileDefaults) throws -> LabelLine {
    func choice<Choice: RawRepresentable<String>>(_ field: Field, _ choices: [Choice]) throws -> Choice? {
        guard let text = values[field] else { return nil }
        guard let chosen = choices.first(where: { $0.rawValue == text }) else {
            throw MonosemeError("\(field.rawValue): found \(quoted(text)), expected one of \(choices.map(\.rawValue).joined(separator: ", "))")
        }
        return chosen
    }
    guard let feature = values[.feature] else { throw MonosemeError("there is no feature", hint: "name it, such as A/1/2357") }
    guard let text = values[.label] else { throw MonosemeError("there is no label", hint: "say what the feature means in a few words") }
    let kind = try choice(.authorKind, LabelAuthorKind.allCases) ?? .person
    var entry = LabelEntry(text, for: try name(feature, defaults), author: values[.author] ?? defaults.author, authorKind: kind, method: values[.method]?.trimmed ?? (kind == .person ? "hand" : "import"))
    let status = try choice(.status, [LabelStatus.draft, .accepted, .rejected]) ?? defaults.status
    entry.status = status == .rejected ? .draft : status
    if let answer = values[.isUnknown] {
        guard answer == "true" || answer == "false" else { throw MonosemeError("is_unknown: found \(quoted(answer)), expected true or false") }
        entry.isUnknown = answer == "true"
    }
    if let rule = values[.rule] {
        guard let rule = LabelRule(rule) else { throw MonosemeError("rule: found \(quoted(rule)), expected \(LabelRule.expectation)") }
        entry.rule = rule
    }
    if let parameters = values[.parameters] { entry.parameters = try checkedParameters(parameters) }
    if let time = values[.createdAt], !isTime(time) { throw MonosemeError("created_at: found \(quoted(time)), expected a time such as 2026-11-28T12:00:00Z") }
    if values[.reason] != nil, values[.decidedBy] == nil, status != .rejected { throw MonosemeError("there is a reason, but nobody who decided", hint: "name them in decided_by") }
    let decider = values[.decidedBy] ?? (status == .rejected ? entry.author : nil)
    if decider != nil, status == .draft { throw MonosemeError("it was decided by \(quoted(decider!)), but is a draft", hint: "say status accepted or rejected") }
    return LabelLine(line: line, entry, createdAt: values[.createdAt], decision: decider.map { (status, $0, values[.reason]) })
}

private func name(_ feature: String, _ defaults: LabelFileDefaults) throws -> FeatureName {
    guard let dictionary = defaults.dictionary else { return try FeatureName(parsing: feature) }
    if feature.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let index = Int(feature) { return FeatureName(dictionary: dictionary, index: index) }
    let name = try FeatureName(parsing: feature)
    guard name.dictionary == dictionary else { throw MonosemeError("\(name) is not a feature of \(dictionary)", hint: "leave out --in to enter labels of several dictionaries") }
    return name
}

private func checkedParameters(_ text: String) throws -> String {
    guard text.utf8.count <= parametersLimit else { throw MonosemeError("parameters: they have \(text.utf8.count) bytes; at most \(parametersLimit) are kept") }
    guard let json = try? JSON(parsing: text, duplicateKeys: .refused), let object = json.object else { throw MonosemeError("parameters: found \(quoted(text)), expected a JSON object") }
    guard object["created_at"] == nil else { throw MonosemeError("parameters: created_at has a field of its own", hint: "move it there") }
    var writer = JSONWriter()
    writer.value(json)
    return writer.text
}

/// Whether a text is a date, or a date and a time of day, in the form of RFC 3339.
private func isTime(_ text: String) -> Bool {
    let bytes = Array(text.utf8), shape = Array("0000-00-00T00:00:00".utf8)
    guard bytes.count <= 40, bytes.count == 10 || bytes.count >= shape.count else { return false }
    for (byte, form) in zip(bytes, shape) where form == 0x30 ? !(0x30...0x39).contains(byte) : byte != form && !(form == UInt8(ascii: "T") && byte == 0x20) { return false }
    return bytes.dropFirst(shape.count).allSatisfy { (0x30...0x39).contains($0) || [UInt8(ascii: "."), UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":")].contains($0) }
}

extension Catalogue {
    /// Writes the labels of a dictionary: those that its features go by, or all, in order of the features and of entry.
    ///
    /// Prompts, examples and costs are not among it: a whole export has them. Of several decisions about a label the last is written.
    /// - Parameter write: takes the bytes as they come.
    /// - Returns: how many labels there were.
    public func writeLabels(of dictionary: FeatureDictionary, as format: LabelFileFormat, history: Bool, to write: ([UInt8]) throws -> Void) throws -> Int {
        var writer = JSONWriter(), count = 0
        if format == .csv { try write(Array((Field.allCases.map(\.rawValue).joined(separator: ",") + "\n").utf8)) }
        try connection.query("""
            SELECT l.feature_id & 4294967295, l.text, l.author, l.author_kind, l.method, coalesce(e.status, l.status), l.is_unknown, l.rule,
                json_remove(l.parameters, '$.created_at'), coalesce(json_extract(l.parameters, '$.created_at'), l.created_at), e.author, e.reason
            FROM label AS l
            LEFT JOIN label_event AS e ON e.id = (SELECT max(id) FROM label_event WHERE label_id = l.id)
            WHERE l.feature_id >= ?1 AND l.feature_id < ?2
            \(history ? "" : "AND l.id = (SELECT label_id FROM feature_label WHERE feature_id = l.feature_id)")
            ORDER BY l.feature_id, l.id
            """, [.init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))]) { row in
            count += 1
            let values: [(field: Field, value: String?)] = [
                (.feature, "\(dictionary.name)/\(row.integer(0))"), (.label, row.text(1)), (.author, row.text(2)), (.authorKind, row.text(3)), (.method, row.text(4)), (.status, row.text(5)),
                (.isUnknown, row.integer(6) != 0 ? "true" : nil), (.rule, row.optionalText(7)), (.parameters, row.text(8) == "{}" ? nil : row.text(8)), (.createdAt, row.text(9)),
                (.decidedBy, row.optionalText(10)), (.reason, row.optionalText(11)),
            ]
            switch format {
            case .csv: try write(Array((values.map { quotedForCSV($0.value ?? "") }.joined(separator: ",") + "\n").utf8))
            case .jsonl:
                writer.object { writer in
                    for (field, value) in values {
                        guard let value else { continue }
                        switch field {
                        case .isUnknown: writer.member(field.rawValue, true)
                        case .parameters:
                            writer.key(field.rawValue)
                            writer.value((try? JSON(parsing: value)) ?? .null)
                        default: writer.member(field.rawValue, value)
                        }
                    }
                }
                writer.endLine()
                try write(writer.drain())
            }
        }
        return count
    }
}
