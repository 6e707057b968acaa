import Diagnostics

/// One safetensors file, mapped into memory and checked whole when it is opened.
///
/// Layout: u64 length of the header, the header as JSON, then the bytes of all tensors. Judged as the reference
/// implementation (safetensors 0.8) judges, and stricter in two places where silence would hide a broken file: a key
/// that stands twice, and a header that does not begin with `{`.
public final class SafetensorsFile: Sendable {
    public let path: String
    /// The free-form `__metadata__` of the header.
    public let metadata: [String: String]
    /// The tensors' names in the header's order.
    public let names: [String]
    private let file: MappedFile
    private let entries: [String: SafetensorsEntry]

    /// - Throws: `MonosemeError` naming the file, the tensor and the rule that was broken.
    public init(_ path: String) throws {
        let file = try MappedFile(path)
        let header: SafetensorsHeader
        do {
            header = try SafetensorsHeader(file.bytes)
        } catch let problem as SafetensorsProblem {
            let isPointer = file.bytes.starts(with: "version https://git-lfs".utf8)
            throw MonosemeError(
                "\(quoted(path, limit: 400)) is not a valid safetensors file: \(problem.text)",
                hint: isPointer ? "this is a Git LFS pointer: fetch the file itself with 'git lfs pull'" : "the file may be cut short or damaged: fetch or write it again")
        }
        self.path = path
        self.file = file
        metadata = header.metadata
        names = header.entries.map(\.name)
        entries = Swift.Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
    }

    public subscript(name: String) -> SafetensorsTensor? {
        entries[name].map { SafetensorsTensor(file: file, entry: $0) }
    }

    /// The SHA-256 of the whole file in hexadecimal; every call reads the file.
    public var sha256: String { hexadecimal(SHA256.digest(of: file.bytes)) }
}

/// A type of element that safetensors knows.
public enum DType: String, Sendable, CaseIterable {
    case bool = "BOOL", f4 = "F4", f6E2M3 = "F6_E2M3", f6E3M2 = "F6_E3M2", u8 = "U8", i8 = "I8"
    case f8E5M2 = "F8_E5M2", f8E4M3 = "F8_E4M3", f8E8M0 = "F8_E8M0", f8E4M3FNUZ = "F8_E4M3FNUZ", f8E5M2FNUZ = "F8_E5M2FNUZ"
    case i16 = "I16", u16 = "U16", f16 = "F16", bf16 = "BF16", i32 = "I32", u32 = "U32", f32 = "F32"
    case c64 = "C64", f64 = "F64", i64 = "I64", u64 = "U64"

    /// Bits of one element.
    public var bits: Int {
        switch self {
        case .f4: 4
        case .f6E2M3, .f6E3M2: 6
        case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ: 8
        case .i16, .u16, .f16, .bf16: 16
        case .i32, .u32, .f32: 32
        case .c64, .f64, .i64, .u64: 64
        }
    }
}

/// What the header says of one tensor; `start ..< end` are offsets into the file.
struct SafetensorsEntry: Sendable {
    let name: String
    let dtype: DType
    let shape: [Int]
    let start: Int
    let end: Int
}

struct SafetensorsProblem: Error { let text: String }

/// The header, read and judged.
private struct SafetensorsHeader {
    /// The reference's own bound, which keeps a hostile length from exhausting memory.
    static let lengthMaximum = 100_000_000

    var metadata: [String: String] = [:]
    var entries: [SafetensorsEntry] = []

    init(_ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count >= 8 else { throw SafetensorsProblem(text: "it has \(bytes.count) bytes, too few for the header's length") }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.lengthMaximum) else {
            throw SafetensorsProblem(text: "the header would have \(length) bytes, more than \(Self.lengthMaximum)")
        }
        let dataStart = 8 + Int(length)
        guard dataStart <= bytes.count else {
            throw SafetensorsProblem(text: "the header of \(length) bytes does not fit in the file's \(bytes.count)")
        }
        let text = UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])
        guard text.first == UInt8(ascii: "{") else { throw SafetensorsProblem(text: "the header does not begin with '{'") }
        let json: JSON
        do { json = try JSON(parsing: text, duplicateKeys: .refused) } catch { throw SafetensorsProblem(text: "header: \(error)") }
        guard let object = json.object else { throw SafetensorsProblem(text: "the header is \(json.kind), not an object") }

        entries.reserveCapacity(object.members.count)
        for (name, value) in object.members {
            if name == "__metadata__" { metadata = try Self.metadata(value) } else { entries.append(try Self.entry(name, value)) }
        }
        try checkTiling(of: bytes.count - dataStart)
        entries = entries.map { .init(name: $0.name, dtype: $0.dtype, shape: $0.shape, start: $0.start + dataStart, end: $0.end + dataStart) }
    }

    static func metadata(_ value: JSON) throws -> [String: String] {
        if value.isNull { return [:] }
        guard let object = value.object else { throw SafetensorsProblem(text: "__metadata__ is \(value.kind), not an object") }
        var metadata: [String: String] = [:]
        for (key, value) in object.members {
            guard let text = value.string else { throw SafetensorsProblem(text: "__metadata__ \(quoted(key)) is \(value.kind), not a string") }
            metadata[key] = text
        }
        return metadata
    }

    static func entry(_ name: String, _ value: JSON) throws -> SafetensorsEntry {
        func problem(_ text: String) -> SafetensorsProblem { SafetensorsProblem(text: "tensor \(quoted(name)): \(text)") }
        func sizes(_ key: String) throws -> [Int] {
            guard let elements = value[key]?.array else { throw problem("\(key) is \(value[key]?.kind ?? "missing"), not an array") }
            return try elements.map { element in
                guard case .unsigned(let size) = element, let size = Int(exactly: size) else {
                    throw problem("\(key) holds \(element.kind) that is not a whole number of 0 … 2⁶³−1")
                }
                return size
            }
        }
        guard value.object != nil else { throw problem("the entry is \(value.kind), not an object") }
        guard let dtypeName = value["dtype"]?.string else { throw problem("dtype is \(value["dtype"]?.kind ?? "missing"), not a string") }
        guard let dtype = DType(rawValue: dtypeName) else { throw problem("unknown dtype \(quoted(dtypeName))") }
        let shape = try sizes("shape")
        let offsets = try sizes("data_offsets")
        guard offsets.count == 2 else { throw problem("data_offsets has \(offsets.count) numbers, not 2") }
        guard offsets[0] <= offsets[1] else { throw problem("data_offsets run backwards, \(offsets[0]) to \(offsets[1])") }

        var bits = 1
        for size in shape + [dtype.bits] {
            let (product, overflow) = bits.multipliedReportingOverflow(by: size)
            guard !overflow else { throw problem("shape \(shape) is larger than any memory") }
            bits = product
        }
        guard bits % 8 == 0 else { throw problem("\(bits) bits of \(dtype.rawValue) do not fill whole bytes") }
        guard bits / 8 == offsets[1] - offsets[0] else {
            throw problem("shape \(shape) of \(dtype.rawValue) takes \(bits / 8) bytes, but data_offsets give \(offsets[1] - offsets[0])")
        }
        return SafetensorsEntry(name: name, dtype: dtype, shape: shape, start: offsets[0], end: offsets[1])
    }

    /// Every byte of the buffer belongs to exactly one tensor.
    func checkTiling(of length: Int) throws {
        var end = 0
        for entry in entries.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            guard entry.start == end else {
                throw SafetensorsProblem(text: "tensor \(quoted(entry.name)) begins at byte \(entry.start) of the data where \(end) was due")
            }
            end = entry.end
        }
        guard end == length else { throw SafetensorsProblem(text: "the tensors take \(end) bytes, but the file holds \(length) after the header") }
    }
}
