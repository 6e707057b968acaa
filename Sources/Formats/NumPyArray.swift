import Diagnostics
import Kernels

/// An array in NumPy's `.npy` format, widened to single precision and laid out row after row.
///
/// Format: `\x93NUMPY`, two bytes of version, the header's length (u16 in version 1, u32 after), a Python literal with
/// `descr`, `fortran_order` and `shape`, then the numbers. Objects (pickles) are refused: reading them runs code.
public struct NumPyArray: Sendable {
    /// Sizes; empty for a scalar.
    public let shape: [Int]
    /// Row-major, whatever the order in the file.
    public let values: [Float]
    /// The type in the file, as NumPy spells it: `<f4`.
    public let descriptor: String
    /// Whether the file holds the array column after column.
    public let isFortranOrder: Bool

    /// Reads an array that fills `bytes`: floats of 2, 4 or 8 bytes and integers, in either byte order.
    /// - Throws: `MonosemeError` that says what was found; the caller adds the file's name.
    public init(parsing bytes: UnsafeRawBufferPointer) throws {
        func problem(_ text: String) -> MonosemeError { MonosemeError("not a readable .npy array: \(text)") }
        guard bytes.count >= 10, bytes.starts(with: [0x93] + Array("NUMPY".utf8)) else { throw problem("it does not begin with \\x93NUMPY") }
        let version = bytes[6]
        guard (1...3).contains(version) else { throw problem("version \(version) is unknown") }
        let headerStart = version == 1 ? 10 : 12
        guard bytes.count >= headerStart else { throw problem("it ends inside the header") }
        let length = version == 1
            ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
            : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        guard bytes.count - headerStart >= length else { throw problem("it ends inside the header") }
        let dataStart = headerStart + length
        let header = try NumPyHeader(parsing: UnsafeRawBufferPointer(rebasing: bytes[headerStart..<dataStart]))

        guard let element = Element(header.descriptor) else {
            throw MonosemeError(
                "the .npy array holds \(quoted(header.descriptor)), which is not supported",
                hint: "save it as float32, without objects: numpy.save(path, array.astype('float32'))")
        }
        var size = element.size
        for dimension in header.shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            guard !overflow else { throw problem("shape \(header.shape) is larger than any memory") }
            size = product
        }
        guard bytes.count - dataStart == size else {
            throw problem("shape \(header.shape) of \(quoted(header.descriptor)) takes \(size) bytes, but \(bytes.count - dataStart) follow the header")
        }
        guard !header.isFortranOrder || header.shape.count <= 2 else { throw problem("Fortran order with \(header.shape.count) dimensions is not supported") }
        var values = element.floats(in: UnsafeRawBufferPointer(rebasing: bytes[dataStart...]))
        if header.isFortranOrder, header.shape.count == 2, !values.isEmpty {
            let (rows, columns) = (header.shape[0], header.shape[1])
            let columnMajor = values
            for row in 0..<rows { for column in 0..<columns { values[row * columns + column] = columnMajor[column * rows + row] } }
        }
        shape = header.shape
        (descriptor, isFortranOrder) = (header.descriptor, header.isFortranOrder)
        self.values = values
    }
}

/// A type of element: NumPy's letter and size, and whether its bytes must be turned round.
private struct Element {
    let letter: Character
    let size: Int
    let isBigEndian: Bool

    init?(_ descriptor: String) {
        let letters = Array(descriptor)
        guard letters.count == 3, "<>|=".contains(letters[0]), let size = letters[2].wholeNumberValue else { return nil }
        switch (letters[1], size) {
        case ("f", 2), ("f", 4), ("f", 8), ("i", 1), ("i", 2), ("i", 4), ("i", 8), ("u", 1), ("u", 2), ("u", 4), ("u", 8), ("b", 1): break
        default: return nil
        }
        // '|' says that there is no order, '=' that it is the writer's own: only bytes can do with that.
        guard size == 1 || letters[0] == "<" || letters[0] == ">" else { return nil }
        (letter, self.size, isBigEndian) = (letters[1], size, letters[0] == ">" && size > 1)
    }

    func floats(in bytes: UnsafeRawBufferPointer) -> [Float] {
        guard isBigEndian else { return littleEndianFloats(in: bytes) }
        var turned = [UInt8](repeating: 0, count: bytes.count)
        for start in stride(from: 0, to: bytes.count, by: size) {
            for i in 0..<size { turned[start + i] = bytes[start + size - 1 - i] }
        }
        return turned.withUnsafeBytes(littleEndianFloats)
    }

    private func littleEndianFloats(in bytes: UnsafeRawBufferPointer) -> [Float] {
        let count = bytes.count / size
        return [Float](unsafeUninitializedCapacity: count) { buffer, written in
            written = count
            guard count > 0, let target = buffer.baseAddress, let source = bytes.baseAddress else { return }
            func convert<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) {
                for i in 0..<count { target[i] = Float(source.loadUnaligned(fromByteOffset: i * size, as: Number.self)) }
            }
            switch (letter, size) {
            case ("f", 2): kernel_floats_from_f16(source, target, count)
            case ("f", 4): UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: bytes.count)
            case ("f", 8): kernel_floats_from_f64(source, target, count)
            case ("i", 1): convert(Int8.self)
            case ("i", 2): convert(Int16.self)
            case ("i", 4): convert(Int32.self)
            case ("i", 8): convert(Int64.self)
            case ("u", 2): convert(UInt16.self)
            case ("u", 4): convert(UInt32.self)
            case ("u", 8): convert(UInt64.self)
            default: convert(UInt8.self)
            }
        }
    }
}

/// The header's Python literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
private struct NumPyHeader {
    var descriptor = ""
    var isFortranOrder = false
    var shape: [Int] = []

    init(parsing bytes: UnsafeRawBufferPointer) throws {
        var reader = LiteralReader(bytes: bytes)
        var seen: Set<String> = []
        try reader.expect("{")
        while !reader.take("}") {
            let key = try reader.string()
            guard seen.insert(key).inserted else { throw reader.problem("\(quoted(key)) stands twice") }
            try reader.expect(":")
            switch key {
            case "descr":
                guard reader.next == UInt8(ascii: "'") || reader.next == UInt8(ascii: "\"") else { throw reader.problem("records are not supported") }
                descriptor = try reader.string()
            case "fortran_order": isFortranOrder = try reader.bool()
            case "shape": shape = try reader.tuple()
            default: throw reader.problem("unknown key \(quoted(key))")
            }
            if !reader.take(",") { try reader.expect("}"); break }
        }
        guard seen.count == 3 else { throw reader.problem("it lacks descr, fortran_order or shape") }
        guard reader.next == nil else { throw reader.problem("text follows the literal") }
    }
}

private struct LiteralReader {
    let bytes: UnsafeRawBufferPointer
    var at = 0

    func problem(_ text: String) -> MonosemeError { MonosemeError("not a readable .npy array: header: \(text) at byte \(at)") }

    /// The next byte that is no space.
    var next: UInt8? {
        mutating get {
            while at < bytes.count, bytes[at] == 0x20 || (0x09...0x0d).contains(bytes[at]) { at += 1 }
            return at < bytes.count ? bytes[at] : nil
        }
    }

    mutating func take(_ sign: Unicode.Scalar) -> Bool {
        guard let byte = next, UInt32(byte) == sign.value else { return false }
        at += 1
        return true
    }

    mutating func expect(_ sign: Unicode.Scalar) throws { if !take(sign) { throw problem("expected '\(sign)'") } }

    mutating func string() throws -> String {
        guard let quote = next, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else { throw problem("expected a string") }
        let start = at + 1
        guard let end = bytes[start...].firstIndex(of: quote) else { throw problem("a string without end") }
        guard !bytes[start..<end].contains(UInt8(ascii: "\\")) else { throw problem("an escape in a string") }
        at = end + 1
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    mutating func bool() throws -> Bool {
        _ = next
        for (word, value) in [("True", true), ("False", false)] where bytes[at...].starts(with: word.utf8) { at += word.utf8.count; return value }
        throw problem("expected True or False")
    }

    mutating func tuple() throws -> [Int] {
        try expect("(")
        var sizes: [Int] = []
        while !take(")") {
            var size = 0, digits = 0
            while let byte = digits == 0 ? next : (at < bytes.count ? bytes[at] : nil), (0x30...0x39).contains(byte) {
                let (tens, o1) = size.multipliedReportingOverflow(by: 10)
                let (sum, o2) = tens.addingReportingOverflow(Int(byte - 0x30))
                guard !o1, !o2 else { throw problem("a size beyond 2⁶³−1") }
                (size, digits, at) = (sum, digits + 1, at + 1)
            }
            guard digits > 0 else { throw problem("expected a size") }
            // Python 2 wrote long integers with an L.
            _ = take("L")
            sizes.append(size)
            guard sizes.count <= 32 else { throw problem("more dimensions than NumPy has") }
            if !take(",") { try expect(")"); break }
        }
        return sizes
    }
}
