import Diagnostics
import Formats
import Kernels

/// What is wrong with a text of rows, and where in it.
struct RowProblem: Error {
    let what: String
    /// From 0 on, of the piece; `nil` for a document that is not made of lines.
    var line: Int?
}

/// The members of one JSON object as they are written.
struct RawObject {
    let text: UnsafePointer<UInt8>
    /// Of the keys, without their quotes, and of the values.
    private(set) var members: [(key: Range<Int>, value: Range<Int>)] = []
    /// Where the text goes on behind it.
    private(set) var end = 0

    /// Reads the object that begins at `at`.
    /// - Parameter other: is offered each member first, at its value: says where the value ends, or `nil` to have it read like the others.
    init(_ text: UnsafePointer<UInt8>, count: Int, at: Int, other: (Range<Int>, Int) throws -> Int? = { _, _ in nil }) throws {
        self.text = text
        var place = at
        guard place < count, text[place] == UInt8(ascii: "{") else { throw RowProblem(what: "there is no object") }
        place += 1
        var isFirst = true
        while true {
            var key = 0, keyBytes = 0
            let more = kernel_json_next(text, count, &place, isFirst ? 1 : 0, &key, &keyBytes)
            guard more >= 0 else { throw RowProblem(what: problem(Int(more))) }
            if more == 0 { break }
            isFirst = false
            let keyRange = key..<key + keyBytes
            if let end = try other(keyRange, place) {
                place = end
                continue
            }
            let end = kernel_json_skip(text, count, place)
            guard end >= 0 else { throw RowProblem(what: problem(end)) }
            guard members.count < 1024 else { throw RowProblem(what: "it has more than 1024 members") }
            if members.contains(where: { equals($0.key, keyRange) }) { throw RowProblem(what: "it has \(quoted(string(keyRange))) twice") }
            members.append((keyRange, place..<end))
            place = end
        }
        end = place
    }

    private func equals(_ a: Range<Int>, _ b: Range<Int>) -> Bool { a.count == b.count && (0..<a.count).allSatisfy { text[a.lowerBound + $0] == text[b.lowerBound + $0] } }

    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: text + range.lowerBound, count: range.count) }
    func string(_ range: Range<Int>) -> String { String(decoding: bytes(range), as: UTF8.self) }

    func isKey(_ range: Range<Int>, _ key: StaticString) -> Bool {
        range.count == key.utf8CodeUnitCount && (0..<range.count).allSatisfy { text[range.lowerBound + $0] == key.utf8Start[$0] }
    }

    /// A value as it is written.
    subscript(key: StaticString) -> Range<Int>? { members.first { isKey($0.key, key) }?.value }

    /// A value; `nil` where there is none or it is null.
    func json(_ key: StaticString) throws -> JSON? {
        guard let range = self[key] else { return nil }
        do {
            let value = try JSON(parsing: bytes(range))
            return value.isNull ? nil : value
        } catch { throw RowProblem(what: "\(key) is no JSON: \(error.problem)") }
    }

    func text(_ key: StaticString) throws -> String? {
        guard let value = try json(key) else { return nil }
        guard let text = value.string else { throw RowProblem(what: "\(key) is \(value.kind), not a string") }
        return text
    }

    func number(_ key: StaticString) throws -> Double? {
        guard let value = try json(key) else { return nil }
        guard let number = value.number else { throw RowProblem(what: "\(key) is \(value.kind), not a number") }
        return number
    }

    /// An array of as many numbers as there are; `nil` where there is none.
    func numbers(_ key: StaticString) throws -> [Double]? {
        guard let value = try json(key) else { return nil }
        guard let elements = value.array, case let numbers = elements.compactMap(\.number), numbers.count == elements.count else { throw RowProblem(what: "\(key) is no array of numbers") }
        return numbers
    }

    func texts(_ key: StaticString) throws -> [String]? {
        guard let value = try json(key) else { return nil }
        guard let elements = value.array, case let texts = elements.compactMap(\.string), texts.count == elements.count else { throw RowProblem(what: "\(key) is no array of strings") }
        return texts
    }

    /// A feature's number, which some write as a number and others as text.
    func index(_ key: StaticString) throws -> Int {
        let value = try json(key)
        guard value != nil else { throw RowProblem(what: "it has no \(key)") }
        let index = value?.integer ?? value?.string.flatMap { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int($0) : nil }
        guard let index, index >= 0 else { throw RowProblem(what: "\(key) is \(value?.string.map { quoted($0) } ?? value!.kind), not the number of a feature") }
        return index
    }

    /// The members but for some, as an object.
    func residue(without dropped: (Range<Int>) -> Bool) throws -> String {
        var out: [UInt8] = [UInt8(ascii: "{")]
        for (key, value) in members where !dropped(key) {
            if out.count > 1 { out.append(UInt8(ascii: ",")) }
            out.append(UInt8(ascii: "\""))
            out.append(contentsOf: bytes(key))
            out.append(UInt8(ascii: "\""))
            out.append(UInt8(ascii: ":"))
            out.append(contentsOf: bytes(value))
        }
        out.append(UInt8(ascii: "}"))
        guard let text = String(validating: out, as: UTF8.self) else { throw RowProblem(what: "it is not UTF-8") }
        return text
    }
}

/// A kernel's error in words; `member` is the one it is about.
func problem(_ code: Int, member: String = "") -> String {
    switch code {
    case Int(KERNEL_JSON_DEEP): "it is nested more than 64 deep"
    case Int(KERNEL_JSON_NOT_A_NUMBER): "it holds NaN or Infinity, which are not JSON"
    case Int(KERNEL_JSON_TOKENS): "tokens is no array of strings"
    case Int(KERNEL_JSON_VALUES): "values is no array of numbers"
    case Int(KERNEL_JSON_LENGTHS): "tokens and values have different lengths"
    case Int(KERNEL_JSON_MISSING): "it has no \(member)"
    case Int(KERNEL_JSON_STRANGER): "its \(member) is not that of the rows before"
    case Int(KERNEL_JSON_INDEX): "index is not the number of a feature"
    case Int(KERNEL_JSON_TWICE): "it has \(member) twice"
    case Int(KERNEL_JSON_MEMORY): "it takes more memory than there is"
    default: "it is not JSON"
    }
}
