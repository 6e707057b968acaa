import Diagnostics
import Kernels

/// The tokens of a byte-level BPE model, as bytes, by id and by content.
final class Vocabulary: Sendable {
    /// The number of tokens in the file.
    let count: Int
    /// 1 + the largest id.
    let size: Int
    /// The id of each byte's own token.
    let byteIDs: Buffer<UInt32>
    /// Tokens in the file's order: what they decode to, and their ids.
    let bytes: Buffer<UInt8>
    let offsets: Buffer<UInt32>
    let ids: Buffer<UInt32>
    /// Tokens written wholly in the byte alphabet; only these can come out of text.
    let isByteLevel: Buffer<Bool>
    /// The place of each id in the file's order, or -1.
    private let places: Buffer<Int32>
    // What the file calls the tokens, for the merges and added tokens that name them.
    private let names: Buffer<UInt8>
    private let nameOffsets: Buffer<UInt32>
    private let nameSlots: Buffer<UInt32>

    /// The largest id accepted. Real vocabularies end below 300,000; a table by id must not be a way to exhaust memory.
    static let largestID = 1 << 22 - 1

    init(_ reader: consuming TableReader) throws(MonosemeError) {
        var reader = reader
        var names: [UInt8] = [], nameOffsets: [UInt32] = [0], ids: [UInt32] = []
        var bytes: [UInt8] = [], offsets: [UInt32] = [0], isByteLevel: [Bool] = []
        var largest: UInt32 = 0
        try reader.expect(UInt8(ascii: "{"))
        if !reader.take(UInt8(ascii: "}")) {
            repeat {
                let start = names.count
                try reader.string(into: &names)
                try reader.expect(UInt8(ascii: ":"))
                let id = try reader.id(of: names[start...], limit: Self.largestID)
                ids.append(id)
                largest = max(largest, id)
                nameOffsets.append(UInt32(names.count))
                isByteLevel.append(ByteAlphabet.decode(names, from: start, into: &bytes))
                offsets.append(UInt32(bytes.count))
            } while try reader.another(closing: UInt8(ascii: "}"))
        }
        try reader.finish()
        guard !ids.isEmpty else { throw MonosemeError("model.vocab is empty") }
        count = ids.count
        size = Int(largest) + 1
        self.names = Buffer(names)
        self.nameOffsets = Buffer(nameOffsets)
        nameSlots = Buffer(repeating: 0, count: slots(for: ids.count))
        self.bytes = Buffer(bytes)
        self.offsets = Buffer(offsets)
        self.ids = Buffer(ids)
        self.isByteLevel = Buffer(isByteLevel)
        places = Buffer(repeating: -1, count: size)
        byteIDs = Buffer(repeating: 0, count: 256)

        var set = kernel_strings(bytes: self.names.base, offsets: self.nameOffsets.base, slots: nameSlots.base, mask: UInt32(nameSlots.count - 1))
        for place in 0..<count {
            let name = { quoted(String(decoding: names[Int(nameOffsets[place])..<Int(nameOffsets[place + 1])], as: UTF8.self)) }
            guard kernel_strings_insert(&set, UInt32(place)) == place else { throw MonosemeError("model.vocab: the token \(name()) stands twice") }
            let id = Int(ids[place])
            guard places.base[id] < 0 else { throw MonosemeError("model.vocab: the id \(id) is given twice, the second time to \(name())") }
            places.base[id] = Int32(place)
        }
        for byte in UInt8.min...UInt8.max {
            if let id = find(ByteAlphabet.name(of: byte)) {
                byteIDs.base[Int(byte)] = id
            } else if byte < 0xc0 || byte > 0xc1 && byte < 0xf5 { // the others never occur in UTF-8
                throw MonosemeError(
                    "model.vocab has no token for the byte 0x\(String(byte, radix: 16)), \(quoted(String(decoding: ByteAlphabet.name(of: byte), as: UTF8.self)))",
                    hint: "only byte-level BPE is read, and it has a token for each byte")
            }
        }
    }

    /// The id of the token the file calls `name`.
    func find(_ name: [UInt8]) -> UInt32? { name.withUnsafeBufferPointer { find($0) } }

    func find(_ name: UnsafeBufferPointer<UInt8>) -> UInt32? {
        guard let start = name.baseAddress else { return nil }
        var set = kernel_strings(bytes: names.base, offsets: nameOffsets.base, slots: nameSlots.base, mask: UInt32(nameSlots.count - 1))
        let place = kernel_strings_find(&set, start, name.count)
        return place < 0 ? nil : ids.base[Int(place)]
    }

    /// What the token decodes to; none for an id no token has.
    func decoded(_ id: Int32) -> UnsafeBufferPointer<UInt8> {
        guard id >= 0, id < size, places.base[Int(id)] >= 0 else { return .init(start: nil, count: 0) }
        let place = Int(places.base[Int(id)])
        return .init(start: bytes.base + Int(offsets.base[place]), count: Int(offsets.base[place + 1] - offsets.base[place]))
    }
}

/// GPT-2's way to write bytes as printable characters: 0x21–0x7E, 0xA1–0xAC and 0xAE–0xFF stand for themselves, the other
/// 68 are U+0100… in their order.
enum ByteAlphabet {
    private static let scalars: [UInt16] = {
        var next: UInt16 = 0x100
        return (0..<256).map { (byte: UInt16) -> UInt16 in
            if (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || byte >= 0xae { return byte }
            defer { next += 1 }
            return next
        }
    }()
    /// By scalar below U+0144: its byte, or -1.
    private static let values: [Int16] = {
        var values = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { values[Int(scalar)] = Int16(byte) }
        return values
    }()

    static func name(of byte: UInt8) -> [UInt8] { Array(String(Character(Unicode.Scalar(scalars[Int(byte)])!)).utf8) }

    /// Appends the bytes that the well-formed UTF-8 `name[from...]` stands for, or, where a character is not of the
    /// alphabet, `name` itself; tells which.
    static func decode(_ name: [UInt8], from start: Int, into out: inout [UInt8]) -> Bool {
        let mark = out.count
        var at = start
        while at < name.count {
            var scalar = Int(name[at])
            at += 1
            if scalar >= 0x80 {
                scalar = scalar < 0xc6 && at < name.count ? (scalar & 31) << 6 | Int(name[at] & 63) : values.count
                at += 1
            }
            guard scalar < values.count, values[scalar] >= 0 else {
                out.removeSubrange(mark...)
                out.append(contentsOf: name[start...])
                return false
            }
            out.append(UInt8(values[scalar]))
        }
        return true
    }
}
