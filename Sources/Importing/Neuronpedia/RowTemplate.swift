import Formats
import Kernels

/// What rows of examples look like: the members that are understood, and what the others usually are.
final class RowTemplate: @unchecked Sendable {
    /// In the order in which rows have them.
    let members: [(key: String, role: Int32, value: String)]
    /// The same for the kernel; the text lives as long as this does.
    let raw: UnsafeMutableBufferPointer<kernel_json_member>
    private let text: UnsafeMutablePointer<UInt8>

    init(_ members: [(key: String, role: Int32, value: String)]) {
        self.members = members
        let bytes = members.flatMap { Array($0.key.utf8) + Array($0.value.utf8) }
        text = .allocate(capacity: bytes.count + 1)
        text.initialize(from: bytes + [0], count: bytes.count + 1)
        raw = .allocate(capacity: members.count)
        var at = 0
        for (place, member) in members.enumerated() {
            let key = member.key.utf8.count, value = member.value.utf8.count
            (raw.baseAddress! + place).initialize(to: kernel_json_member(key: text + at, value: text + at + key, key_bytes: key, value_bytes: value, role: member.role))
            at += key + value
        }
    }

    deinit {
        raw.deallocate()
        text.deallocate()
    }

    /// The roles, by key, for the catalogue: an array of `{"key": …, "usual": …}`, the latter where the residues of rows leave it out.
    var json: JSON {
        .array(members.map { member in
            var object = JSON.Object([(key: "key", value: .string(member.key))])
            if member.role == Int32(KERNEL_JSON_IS_USUAL) { object["usual"] = (try? JSON(parsing: member.value)) ?? .null }
            return .object(object)
        })
    }
}
