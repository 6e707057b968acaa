import Diagnostics
import Formats
import SQLite

/// What the members of one kind of object are: read into values in this order, each of them once.
struct ObjectForm {
    enum Kind {
        case integer(ClosedRange<Int>)
        case real
        /// A number that is kept in single precision.
        case single
        case text
        /// One of some words.
        case word([String])
        /// Kept as 0 and 1.
        case bool
        /// Told by what is given for it.
        case nested
        /// Follows from others, and is not looked at.
        case derived
    }

    struct Member {
        let name: StaticString
        let kind: Kind
        var isNullable = false
        var isOptional = false
    }

    let members: [Member]

    init(_ members: Member...) { self.members = members }

    static let count = 0...Int.max >> 8

    /// Reads one object.
    /// - Parameter nested: reads the value of a member of that kind, by its place in `members`.
    /// - Throws: `JSONError` where it is not of this form.
    func read(_ cursor: inout JSONCursor, nested: (Int, inout JSONCursor) throws -> Void = { _, cursor in try cursor.skip() }) throws -> [SQLiteValue] {
        var values = [SQLiteValue](repeating: .null, count: members.count), seen: UInt64 = 0, next = 0
        try cursor.object { cursor, key in
            // They come in order, mostly.
            if next == members.count || !key.isEqual(to: members[next].name) {
                guard let place = members.firstIndex(where: { key.isEqual(to: $0.name) }) else { throw cursor.fail("an unknown member \(quoted(key.text))") }
                next = place
            }
            let member = members[next]
            guard seen >> UInt64(next) & 1 == 0 else { throw cursor.fail("a second member \(member.name)") }
            seen |= 1 << UInt64(next)
            if !member.isNullable { values[next] = try value(member.kind, next, &cursor, nested) } else if try !cursor.null() { values[next] = try value(member.kind, next, &cursor, nested) }
            next += 1
        }
        for (place, member) in members.enumerated() where seen >> UInt64(place) & 1 == 0 && !member.isOptional { throw cursor.fail("no member \(member.name)") }
        return values
    }

    private func value(_ kind: Kind, _ place: Int, _ cursor: inout JSONCursor, _ nested: (Int, inout JSONCursor) throws -> Void) throws -> SQLiteValue {
        switch kind {
        case .integer(let range): return .init(try cursor.integer(in: range))
        case .real: return .real(try cursor.real())
        case .single: return .real(Double(try cursor.single()))
        case .bool: return .integer(try cursor.bool() ? 1 : 0)
        case .text:
            let text = try cursor.string()
            guard !text.utf8.contains(0) else { throw cursor.fail("a NUL character in \(members[place].name)") }
            return .text(text)
        case .word(let words):
            let word = try cursor.string()
            guard words.contains(word) else { throw cursor.fail("\(members[place].name) is \(quoted(word)), not one of \(words.joined(separator: ", "))") }
            return .text(word)
        case .nested: try nested(place, &cursor)
        case .derived: try cursor.skip()
        }
        return .null
    }
}

extension ObjectForm.Member {
    static func count(_ name: StaticString, isNullable: Bool = false) -> Self { .init(name: name, kind: .integer(ObjectForm.count), isNullable: isNullable) }
    static func integer(_ name: StaticString, _ range: ClosedRange<Int>, isNullable: Bool = false) -> Self { .init(name: name, kind: .integer(range), isNullable: isNullable) }
    static func real(_ name: StaticString, isNullable: Bool = false) -> Self { .init(name: name, kind: .real, isNullable: isNullable) }
    static func single(_ name: StaticString, isNullable: Bool = false) -> Self { .init(name: name, kind: .single, isNullable: isNullable) }
    static func text(_ name: StaticString, isNullable: Bool = false) -> Self { .init(name: name, kind: .text, isNullable: isNullable) }
    static func word(_ name: StaticString, _ words: [String], isNullable: Bool = false) -> Self { .init(name: name, kind: .word(words), isNullable: isNullable) }
    static func bool(_ name: StaticString, isNullable: Bool = false) -> Self { .init(name: name, kind: .bool, isNullable: isNullable) }
    static func nested(_ name: StaticString, isNullable: Bool = false, isOptional: Bool = false) -> Self { .init(name: name, kind: .nested, isNullable: isNullable, isOptional: isOptional) }
    static func derived(_ name: StaticString) -> Self { .init(name: name, kind: .derived) }
}

extension SQLiteValue {
    /// Of values that a form has checked.
    var integer: Int? { if case .integer(let n) = self { Int(n) } else { nil } }
    var real: Double? { if case .real(let r) = self { r } else { nil } }
    var string: String? { if case .text(let t) = self { t } else { nil } }
    var isNull: Bool { self == .null }
}
