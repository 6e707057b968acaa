import Diagnostics
import Formats
import Foundation
import Testing

/// An `.npy` file's bytes, as `numpy.save` lays them out.
private func array(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let length = version == 1 ? withUnsafeBytes(of: UInt16(header.utf8.count), Array.init) : withUnsafeBytes(of: UInt32(header.utf8.count), Array.init)
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + Array(header.utf8) + data
}

private func literal(_ descriptor: String, _ shape: String, fortran: Bool = false) -> String {
    "{'descr': '\(descriptor)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape), }          \n"
}

private func littleEndian<Number>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

private func parse(_ bytes: [UInt8]) throws -> NumPyArray { try bytes.withUnsafeBytes { try NumPyArray(parsing: $0) } }

@Suite struct NumPyArrayTests {
    @Test(arguments: [
        (literal("<f4", "(2, 3)"), littleEndian([Float(1), 2, 3, 4, 5, 6]), [2, 3], [Float(1), 2, 3, 4, 5, 6]),
        (literal("<f4", "(2, 3)", fortran: true), littleEndian([Float(1), 2, 3, 4, 5, 6]), [2, 3], [1, 3, 5, 2, 4, 6]),
        (literal("<f4", "(2,)", fortran: true), littleEndian([Float(1), 2]), [2], [1, 2]),
        (literal("<f2", "(2,)"), littleEndian([Float16(0.5).bitPattern, Float16(-3).bitPattern]), [2], [0.5, -3]),
        (literal("<f8", "()"), littleEndian([0.25]), [], [0.25]),
        (literal(">f4", "(2,)"), [0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0], [2], [1, -2]),
        (literal(">i2", "(1,)"), [1, 2], [1], [258]),
        (literal("<i8", "(1,)"), littleEndian([Int64(-9)]), [1], [-9]),
        (literal("<u4", "(1,)"), littleEndian([UInt32(4_000_000_000)]), [1], [4_000_000_000]),
        (literal("|b1", "(2,)"), [0, 1], [2], [0, 1]),
        (literal("|i1", "(1L,)"), [0xfe], [1], [-2]),
        (literal("<f4", "(0, 5)"), [], [0, 5], []),
        (literal("<f4", "(1152921504606846976, 0)", fortran: true), [], [1 << 60, 0], []),
    ] as [(String, [UInt8], [Int], [Float])])
    func `arrays of every supported kind are read`(header: String, data: [UInt8], shape: [Int], values: [Float]) throws {
        for version: UInt8 in 1...3 {
            let found = try parse(array(header, data, version: version))
            #expect(found.shape == shape && found.values == values)
        }
    }

    @Test(arguments: [
        (literal("|O", "(1,)"), 8, #"holds "|O""#),
        (literal("<c8", "(1,)"), 8, #"holds "<c8""#),
        (literal("=f4", "(1,)"), 4, #"holds "=f4""#),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, "records are not supported"),
        (literal("<f4", "(3,)"), 4, "takes 12 bytes, but 4"),
        (literal("<f4", "(4611686018427387904, 4611686018427387904)"), 4, "larger than any memory"),
        (literal("<f4", "(99999999999999999999,)"), 4, "beyond"),
        (literal("<f4", "(-1,)"), 4, "expected a size"),
        (literal("<f4", "(1, 1, 1)", fortran: true), 4, "Fortran order with 3"),
        ("{'descr': '<f4', 'shape': (1,)}", 4, "it lacks"),
        ("{'descr': '<f4", 4, "a string without end"),
        ("", 0, "expected '{'"),
    ])
    func `what cannot be read is refused with its reason`(header: String, dataCount: Int, reason: String) {
        #expect { _ = try parse(array(header, Array(repeating: 0, count: dataCount))) } throws: { "\($0)".contains(reason) }
    }

    @Test func `damaged arrays are refused or read, never a crash`() {
        let whole = array(literal("<f4", "(2, 3)", fortran: true), littleEndian([Float(1), 2, 3, 4, 5, 6]))
        var random = SeededGenerator(seed: 2)
        for length in whole.indices { #expect(throws: MonosemeError.self) { try parse(Array(whole[..<length])) } }
        for _ in 0..<20000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) { bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
            if let array = try? parse(bytes) { #expect(array.values.count == array.shape.reduce(1, *)) }
        }
    }
}
