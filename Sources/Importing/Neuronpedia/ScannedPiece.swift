import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Kernels

/// A feature with its tokens not yet numbered.
struct ScannedFeature {
    var index = 0
    var density: Double?
    var raised: [(token: String, value: Double)] = []
    var lowered: [(token: String, value: Double)] = []
    var neurons: [(neuron: Int, value: Double)] = []
    var residue = "{}"
    /// Whose feature it is, where each row says so.
    var model, layer: String?
    var line: Int?
}

/// An explanation before it is a label.
struct ScannedLabel {
    var feature = 0
    var id: String?
    var text = ""
    var author: String?
    var model: String?
    var type: String?
    var createdAt: String?
    var modelID, layer: String?
    var residue = "{}"
    var line = 0
}

/// One piece of text and what was found in it. The memory is used again for the next.
final class ScannedPiece: @unchecked Sendable {
    let text = TextBuffer(PieceSource.pieceBytes)
    private var room = 0
    private(set) var rows = kernel_json_rows()
    /// Spellings that this piece's reader had not met before, in their order.
    var spellings: [[UInt8]] = []
    var features: [ScannedFeature] = []
    var labels: [ScannedLabel] = []
    /// Of a document, the members before its features, as they are written.
    var head: [String: String] = [:]
    /// Which reader's numbers its tokens have.
    var reader = 0
    var file = 0
    var lines = 0
    var problem: RowProblem?

    deinit { release() }

    private func release() {
        free(rows.ids)
        free(rows.fired)
        free(rows.residue)
        free(rows.rows)
    }

    /// Makes ready for what the text may hold.
    private func makeReady() throws {
        let count = text.count
        if count > room {
            release()
            room = count
            rows = kernel_json_rows()
            rows.ids = malloc((count / 2 + 1) * 4)?.assumingMemoryBound(to: UInt32.self)
            rows.fired = malloc((count / 2 + 1) * MemoryLayout<kernel_json_fired>.stride)?.assumingMemoryBound(to: kernel_json_fired.self)
            rows.residue = malloc(2 * count + 64)?.assumingMemoryBound(to: UInt8.self)
            rows.rows = malloc((count / 8 + 1) * MemoryLayout<kernel_json_row>.stride)?.assumingMemoryBound(to: kernel_json_row.self)
            guard rows.ids != nil, rows.fired != nil, rows.residue != nil, rows.rows != nil else { throw MonosemeError("there is no memory for \(count) bytes of rows") }
        }
        (rows.id_count, rows.fired_count, rows.residue_count, rows.row_count) = (0, 0, 0, 0)
        (spellings, features, labels, head, lines, problem) = ([], [], [], [:], 0, nil)
    }

    /// Reads the text. What is wrong with it is kept in `problem`, for whoever comes to it in order.
    func scan(_ content: RowFile.Content, _ template: RowTemplate, _ strings: OpaquePointer) {
        do {
            try makeReady()
            let known = kernel_json_strings_count(strings)
            defer { takeSpellings(from: known, strings) }
            switch content {
            case .examples:
                var line = 0
                let code = kernel_json_read_lines(&rows, strings, template.raw.baseAddress, template.raw.count, text.base, text.count, &line)
                lines = line
                if code < 0 { throw RowProblem(what: Importing.problem(Int(code), member: template.members[min(rows.missing, template.members.count - 1)].key), line: line) }
            case .features: try forEachLine { object, line in
                var feature = try scannedFeature(object, index: "index")
                feature.line = line
                features.append(feature)
            }
            case .explanations: try forEachLine { object, line in labels.append(try scannedLabel(object, line)) }
            case .dashboard: try scanDashboard(template, strings)
            }
            let residue = UnsafeRawBufferPointer(start: rows.residue, count: rows.residue_count)
            if residue.contains(where: { $0 >= 0x80 }), String(validating: residue, as: UTF8.self) == nil {
                let row = (0..<rows.row_count).first { String(validating: UnsafeRawBufferPointer(start: rows.residue + rows.rows[$0].residue, count: rows.rows[$0].residue_bytes), as: UTF8.self) == nil }
                throw RowProblem(what: "it is not UTF-8", line: row.map { rows.rows[$0].line })
            }
        } catch let found as RowProblem {
            if problem == nil { problem = found }
        } catch { problem = RowProblem(what: "\(error)") }
    }

    private func forEachLine(_ body: (RawObject, Int) throws -> Void) throws {
        var at = 0
        while at < text.count {
            let end = memchr(text.base + at, 0x0a, text.count - at).map { UnsafeRawPointer($0) - UnsafeRawPointer(text.base) } ?? text.count
            let start = kernel_json_space(text.base, end, at)
            if start < end {
                do {
                    let object = try RawObject(text.base, count: end, at: start)
                    guard kernel_json_space(text.base, end, object.end) == end else { throw RowProblem(what: "it is not one JSON object") }
                    try body(object, lines)
                } catch var problem as RowProblem {
                    problem.line = lines
                    throw problem
                }
            }
            at = end + 1
            lines += 1
        }
    }

    /// New spellings with their escapes resolved. One that is none makes the row a bad one that has it.
    private func takeSpellings(from known: Int, _ strings: OpaquePointer) {
        let count = kernel_json_strings_count(strings)
        spellings.reserveCapacity(count - known)
        for index in known..<count {
            var bytes = 0
            let start = kernel_json_strings_get(strings, index, &bytes)!
            let raw = UnsafeRawBufferPointer(start: start, count: bytes)
            if memchr(start, 0x5c, bytes) == nil {
                if let text = String(validating: raw, as: UTF8.self) { spellings.append(Array(text.utf8)); continue }
                note(index, "it is not UTF-8")
            } else {
                do {
                    let quoted = [UInt8(ascii: "\"")] + Array(raw) + [UInt8(ascii: "\"")]
                    spellings.append(Array(try quoted.withUnsafeBytes { try JSON(parsing: $0) }.string!.utf8))
                    continue
                } catch { note(index, "a token is no text: \((error as? JSONError)?.problem ?? "\(error)")") }
            }
            spellings.append([])
        }
    }

    private func note(_ spelling: Int, _ what: String) {
        guard problem == nil else { return }
        let row = (0..<rows.row_count).first { row in (0..<Int(rows.rows[row].tokens)).contains { rows.ids[rows.rows[row].first_token + $0] == UInt32(spelling) } }
        problem = RowProblem(what: what, line: row.map { rows.rows[$0].line })
    }

    // MARK: SAEDashboard

    private func scanDashboard(_ template: RowTemplate, _ strings: OpaquePointer) throws {
        let base = UnsafePointer(text.base), count = text.count
        let document = try RawObject(base, count: count, at: kernel_json_space(base, count, 0)) { key, place in
            guard isKey(key, "features") else { return nil }
            return try forEachElement(at: place, "features") { place in
                let first = rows.row_count
                let feature = try RawObject(base, count: count, at: place) { key, place in
                    guard isKey(key, "activations") else { return nil }
                    return try forEachElement(at: place, "activations") { place in
                        var at = place
                        let code = kernel_json_read_row(&rows, strings, template.raw.baseAddress, template.raw.count, base, count, &at)
                        if code < 0 { throw RowProblem(what: "activation \(rows.row_count - first) of \(features.count): " + Importing.problem(Int(code), member: template.members[min(rows.missing, template.members.count - 1)].key)) }
                        return at
                    }
                }
                do { features.append(try scannedFeature(feature, index: "feature_index")) } catch let problem as RowProblem {
                    throw RowProblem(what: "feature number \(features.count) of the file: \(problem.what)")
                }
                for row in first..<rows.row_count { rows.rows[row].feature = Int64(features.last!.index) }
                return feature.end
            }
        }
        guard kernel_json_space(base, count, document.end) == count else { throw RowProblem(what: "there is text behind its end") }
        for member in document.members { head[document.string(member.key)] = document.string(member.value) }
    }

    private func isKey(_ range: Range<Int>, _ key: StaticString) -> Bool {
        range.count == key.utf8CodeUnitCount && memcmp(text.base + range.lowerBound, key.utf8Start, range.count) == 0
    }

    /// Goes through an array; `body` says where each element ends. Returns the array's end.
    private func forEachElement(at start: Int, _ name: String, _ body: (Int) throws -> Int) throws -> Int {
        guard start < text.count, text.base[start] == UInt8(ascii: "[") else { throw RowProblem(what: "\(name) is no array") }
        var place = kernel_json_space(text.base, text.count, start + 1)
        if place < text.count, text.base[place] == UInt8(ascii: "]") { return place + 1 }
        while true {
            place = kernel_json_space(text.base, text.count, try body(place))
            guard place < text.count else { throw RowProblem(what: "it is not JSON: it is cut off") }
            if text.base[place] == UInt8(ascii: "]") { return place + 1 }
            guard text.base[place] == UInt8(ascii: ",") else { throw RowProblem(what: "it is not JSON") }
            place = kernel_json_space(text.base, text.count, place + 1)
        }
    }
}

// MARK: Features and explanations

/// What both sources call a feature's parts. What has no place of ours, or not as it is, stays in the residue.
private func scannedFeature(_ object: RawObject, index: StaticString) throws -> ScannedFeature {
    var feature = ScannedFeature()
    feature.index = try object.index(index)
    feature.density = try object.number("frac_nonzero")
    if let density = feature.density, !(0...1).contains(density) { throw RowProblem(what: "frac_nonzero is \(density), not a share") }
    // What is not in our order is put in order, and kept as it came, too.
    var isKept: [StaticString] = []
    func logits(_ texts: StaticString, _ values: StaticString, sign: Double) throws -> [(token: String, value: Double)] {
        guard let tokens = try object.texts(texts), let numbers = try object.numbers(values) else { isKept += [texts, values]; return [] }
        guard tokens.count == numbers.count else { throw RowProblem(what: "\(texts) and \(values) have different lengths") }
        guard tokens.count <= 1 << 16 else { throw RowProblem(what: "\(texts) has \(tokens.count) tokens") }
        let all = zip(tokens, numbers).map { (token: $0, value: $1) }
        if zip(numbers, numbers.dropFirst()).allSatisfy({ $0 * sign >= $1 * sign }) { return all }
        isKept += [texts, values]
        return all.enumerated().sorted { $0.element.value != $1.element.value ? $0.element.value * sign > $1.element.value * sign : $0.offset < $1.offset }.map(\.element)
    }
    feature.raised = try logits("pos_str", "pos_values", sign: 1)
    feature.lowered = try logits("neg_str", "neg_values", sign: -1)
    if let indices = try object.numbers("neuron_alignment_indices"), let values = try object.numbers("neuron_alignment_values") {
        guard indices.count == values.count else { throw RowProblem(what: "neuron_alignment_indices and neuron_alignment_values have different lengths") }
        guard indices.allSatisfy({ $0 >= 0 && $0 < 2_147_483_648 && $0 == $0.rounded() }) else { throw RowProblem(what: "neuron_alignment_indices are no numbers of neurons") }
        feature.neurons = zip(indices, values).map { (neuron: Int($0), value: $1) }
        if !zip(values, values.dropFirst()).allSatisfy({ abs($0) >= abs($1) }) {
            isKept += ["neuron_alignment_indices", "neuron_alignment_values"]
            feature.neurons = feature.neurons.enumerated().sorted { abs($0.element.value) != abs($1.element.value) ? abs($0.element.value) > abs($1.element.value) : $0.offset < $1.offset }.map(\.element)
        }
    } else { isKept += ["neuron_alignment_indices", "neuron_alignment_values"] }
    feature.model = try object.text("modelId")
    feature.layer = try object.text("layer")
    let known: [StaticString] = [index, "modelId", "layer", "frac_nonzero", "pos_str", "pos_values", "neg_str", "neg_values", "neuron_alignment_indices", "neuron_alignment_values"]
    feature.residue = try object.residue { key in
        known.contains { name in object.isKey(key, name) && !isKept.contains { $0.utf8Start == name.utf8Start || "\($0)" == "\(name)" } }
    }
    return feature
}

private func scannedLabel(_ object: RawObject, _ line: Int) throws -> ScannedLabel {
    var label = ScannedLabel()
    label.feature = try object.index("index")
    guard let text = try object.text("description") else { throw RowProblem(what: "it has no description") }
    (label.text, label.line) = (text, line)
    label.id = try object.text("id")
    label.author = try object.text("authorId")
    label.model = try object.text("explanationModelName")
    label.type = try object.text("typeName")
    label.createdAt = try object.text("createdAt")
    label.modelID = try object.text("modelId")
    label.layer = try object.text("layer")
    label.residue = try object.residue { key in object.isKey(key, "index") || object.isKey(key, "modelId") || object.isKey(key, "layer") }
    return label
}
