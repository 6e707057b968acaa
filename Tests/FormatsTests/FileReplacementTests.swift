import Diagnostics
import Formats
import Foundation
import Testing
import TestSupport

@Suite struct FileReplacementTests {
    @Test func `a file is replaced when all of it is written, and not before`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "f").path
            try replaceFile(path, with: "old")
            let large = [UInt8](repeating: 7, count: 200_000)
            let file = try FileReplacement(path, isAlone: true)
            // Small pieces, one larger than what is gathered, and a small one behind it.
            for piece in [large[..<10], large[10..<150_000], large[150_000...]] { try piece.withUnsafeBytes { try file.write($0) } }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
            try file.commit()
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(large))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])
        }
    }

    @Test func `what is given up on leaves nothing`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "f").path
            do {
                let file = try FileReplacement(path)
                try [UInt8](repeating: 7, count: 200_000).withUnsafeBytes { try file.write($0) }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        }
    }

    @Test func `what a kill left is overwritten by who is alone`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "f").path
            try Data(repeating: 1, count: 1000).write(to: URL(filePath: path + ".partial"))
            try replaceFile(path, with: "new", isAlone: true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])
        }
    }

    @Test func `a place that cannot be written is named`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "no/f").path
            #expect(throws: MonosemeError("cannot write \"\(path)\": No such file or directory")) { try replaceFile(path, with: "") }
            // A folder in the file's place is found out at the end.
            let taken = folder.appending(path: "taken").path
            try FileManager.default.createDirectory(atPath: taken + "/full", withIntermediateDirectories: true)
            #expect(throws: MonosemeError.self) { try replaceFile(taken, with: "x") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["taken"])
        }
    }

    @Test func `tensors in half precision are rounded to nearest, and say so`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "h.safetensors").path
            // 2049 lies between 2048 and 2050, and goes to the even significand; 2⁻²⁵ between 0 and 2⁻²⁴ likewise.
            let values: [Float] = [1, -0.5, 2049, 65504, 0x1p-25, 0x1.8p-25, 1 / 3]
            try writeSafetensors([SafetensorsPart("a", [7], values).halved(), SafetensorsPart("b", [1], [4])], to: path)
            let file = try SafetensorsFile(path)
            #expect(file["a"]?.dtype == .f16 && file["b"]?.dtype == .f32)
            #expect(try file["a"]?.floats() == [1, -0.5, 2048, 65504, 0, 0x1p-24, 0x1.554p-2])
            #expect(try file["b"]?.floats() == [4])
            for (value, isFinite) in [(65_519, true), (65_520, false), (-65_520, false), (Float.nan, false)] { #expect(try SafetensorsPart("x", [1], [value]).isFiniteHalved() == isFinite) }
        }
    }
}
