import Diagnostics
import Foundation
import Testing
import TestSupport
import Training

private struct Refusal: CustomTestStringConvertible {
    let testDescription: String
    let files: [(name: String, file: ShardFile)]
    var paths = [""]
    let message: String
    let hint: String
}

private func file(_ tensors: (String, String, [Int], [Double])...) -> ShardFile {
    tensors.reduce(into: ShardFile()) { $0.add($1.0, $1.1, $1.2, $1.3) }
}

@Suite struct ActivationsShardTests {
    @Test(arguments: ["F32", "F16", "BF16", "F64"])
    func `rows come in order of the shards, in every precision`(dtype: String) throws {
        try withTemporaryFolder { folder in
            // In order of their names, not of their making; the one in the middle is empty.
            try ShardFile(dtype, rows: 100..<250).write(to: folder.appending(path: "c.safetensors"))
            try ShardFile(dtype, rows: 100..<100).write(to: folder.appending(path: "b.safetensors"))
            try ShardFile(dtype, rows: 0..<100).write(to: folder.appending(path: "a.safetensors"))
            try Data("not a shard".utf8).write(to: folder.appending(path: "notes.txt"))
            let expected = ShardFile.numbered(0..<250, 3).map(Float.init)
            for (rows, threads) in [(1, 1), (7, 2), (250, 1), (1000, 2)] {
                let source = try ShardActivations([folder.path])
                #expect(source.width == 3 && source.rowCount == .exactly(250))
                #expect(try readAll(source, rows, threads: threads) == expected)
                try source.seek(to: ActivationPosition(rows: 99))
                #expect(try readAll(source, rows, threads: threads) == Array(expected[(99 * 3)...]))
            }
        }
    }

    @Test func `of many rows each is read once by many threads`() throws {
        try withTemporaryFolder { folder in
            let names = ["1", "2", "3"].map { folder.appending(path: $0).path }
            for (name, rows) in zip(names, [0..<5_000, 5_000..<5_001, 5_001..<9_000]) { try ShardFile(rows: rows, width: 5).write(to: URL(filePath: name)) }
            #expect(try readAll(ShardActivations(names), 4_097, threads: 3) == ShardFile.numbered(0..<9_000, 5).map(Float.init))
        }
    }

    @Test func `of several matrices the one called activations is read, and of one any`() throws {
        try withTemporaryFolder { folder in
            let ones = folder.appending(path: "1"), twos = folder.appending(path: "2")
            try file(("ids", "I32", [4], [1, 2, 3, 4]), ("acts", "F32", [1, 2], [5, 6])).write(to: ones)
            try file(("ids", "I32", [1, 2], [1, 2]), ("activations", "F16", [1, 2], [7, 8])).write(to: twos)
            #expect(try readAll(ShardActivations([twos.path, ones.path]), 10) == [7, 8, 5, 6])
        }
    }

    @Test func `the same numbers have the same fingerprint wherever they lie, and others another`() throws {
        try withTemporaryFolder { folder in
            // 4,400 rows of 1,000 bytes are more than the fingerprint reads.
            func fingerprint(_ name: String, rows: Int, change: [Int: Double] = [:], dtype: String = "F32") throws -> String {
                var values = ShardFile.numbered(0..<rows, 250)
                for (place, value) in change { values[place] = value }
                try file(("x", dtype, [rows, 250], values)).write(to: folder.appending(path: name))
                return try ShardActivations([folder.appending(path: name).path]).fingerprint()
            }
            let large = try fingerprint("1", rows: 4_400), small = try fingerprint("2", rows: 10)
            #expect(try fingerprint("3", rows: 4_400) == large && fingerprint("4", rows: 10) == small)
            let others = try [
                fingerprint("5", rows: 4_399), fingerprint("6", rows: 4_400, change: [0: 9]), fingerprint("7", rows: 4_400, change: [1_099_999: 9]),
                fingerprint("8", rows: 10, change: [1_234: 9]), fingerprint("9", rows: 10, dtype: "F64"),
            ]
            #expect(Set(others + [large, small]).count == 7)
        }
    }

    fileprivate static let refusals: [Refusal] = [
        Refusal(testDescription: "nothing there", files: [], paths: ["/none"], message: "there are no activations at \"FOLDER/none\"", hint: "check the path given with --activations"),
        Refusal(testDescription: "a folder without shards", files: [], message: "the folder \"FOLDER\" holds no safetensors files", hint: "give the folder with the shards themselves"),
        Refusal(testDescription: "widths that differ", files: [("a", ShardFile(rows: 0..<2, width: 3)), ("b", ShardFile(rows: 2..<2, width: 4))],
                message: "\"FOLDER/b.safetensors\" has rows of 4 numbers, \"FOLDER/a.safetensors\" of 3", hint: "give activations of one model and hook point"),
        Refusal(testDescription: "no matrix", files: [("a", file(("x", "F32", [1, 2, 2], [1, 2, 3, 4])))],
                message: "\"FOLDER/a.safetensors\" holds no matrices of rows × width: \"x\" [1, 2, 2]", hint: "flatten what has more dimensions to [tokens, width]"),
        Refusal(testDescription: "several matrices", files: [("a", file(("x", "F32", [1, 2], [1, 2]), ("y", "F32", [1, 1], [3])))],
                message: "\"FOLDER/a.safetensors\" holds 2 matrices of rows × width: \"x\" [1, 2], \"y\" [1, 1]", hint: "call the one that is meant \"activations\""),
        Refusal(testDescription: "whole numbers", files: [("a", file(("x", "I32", [1, 2], [1, 2])))],
                message: "\"FOLDER/a.safetensors\": tensor \"x\" holds I32, which is not supported", hint: "convert it to F32, F16 or BF16"),
        Refusal(testDescription: "rows without numbers", files: [("a", file(("x", "F32", [7, 0], [])))],
                message: "\"FOLDER/a.safetensors\": tensor \"x\" has shape [7, 0], rows without numbers", hint: "-"),
        Refusal(testDescription: "NaN", files: [("a", ShardFile(rows: 0..<3_000)), ("b", file(("x", "F32", [2, 3], [1, 2, 3, 4, .nan, 6])))],
                message: "\"FOLDER/b.safetensors\": tensor \"x\" holds NaN in row 1 (of 2, counted from 0)", hint: "leave such rows out, or make the activations anew"),
        Refusal(testDescription: "an infinite number in half precision", files: [("a", file(("h", "F16", [3, 1], [1, 2, -.infinity])))],
                message: "\"FOLDER/a.safetensors\": tensor \"h\" holds an infinite number in row 2 (of 3, counted from 0)", hint: "leave such rows out, or make the activations anew"),
        Refusal(testDescription: "a number too large for single precision", files: [("a", file(("d", "F64", [1, 2], [1, 1e300])))],
                message: "\"FOLDER/a.safetensors\": tensor \"d\" holds an infinite number in row 0 (of 1, counted from 0)", hint: "leave such rows out, or make the activations anew"),
    ]

    @Test(arguments: refusals)
    fileprivate func `what cannot be read is named, with its place`(refusal: Refusal) throws {
        try withTemporaryFolder { folder in
            for (name, file) in refusal.files { try file.write(to: folder.appending(path: "\(name).safetensors")) }
            let error = try #require(throws: MonosemeError.self) { _ = try readAll(ShardActivations(refusal.paths.map { folder.path + $0 }), 2_000, threads: 2) }
            #expect(error.message.replacingOccurrences(of: folder.path, with: "FOLDER") == refusal.message)
            #expect(error.hint ?? "-" == refusal.hint)
        }
    }

    @Test func `a stream of shards without a row says so`() throws {
        try withTemporaryFolder { folder in
            try ShardFile(rows: 0..<0).write(to: folder.appending(path: "a"))
            let stream = try ActivationStream(ShardActivations([folder.appending(path: "a").path]), batchSize: 4, seed: 1, threads: 1)
            let error = try #require(throws: MonosemeError.self) { try stream.advance() }
            #expect(error.message.hasSuffix("/a\" holds no rows"))
        }
    }
}
