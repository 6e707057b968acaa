import Foundation
@testable import SQLite
import Testing
import TestSupport

struct FileBlobsTests {
    /// A table of blobs of many lengths behind other columns, in a file of its own.
    private func withTable(pageSize: Int, journal: String = "DELETE", _ body: (Connection, String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "t.sqlite").path
            let connection = try Connection(path: path, access: .create)
            try connection.execute("PRAGMA page_size = \(pageSize); PRAGMA journal_mode = \(journal); CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER, r REAL, b BLOB, c TEXT)")
            try connection.transaction {
                var insert = try Statement("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", on: connection)
                for row in 1...60 {
                    let length = [0, 1, 100, pageSize - 60, pageSize, 3 * pageSize + 17, 20 * pageSize][row % 7]
                    let before = [0, 10, 2 * pageSize][row % 3], number: Int64 = [0, 1, 200, 70_000, 1 << 30, 1 << 40, -1][row % 7]
                    try insert.run(.init(row * 5), .text(String(repeating: "a", count: before)), .integer(number), row % 2 == 0 ? .real(0.5) : .null,
                                   .blob((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ row &+ $0 >> 8) }), .text("end"))
                }
            }
            try body(connection, path)
        }
    }

    private func parts(_ count: Int) -> [(offset: Int, count: Int)] {
        [(0, count), (count / 2, count - count / 2), (max(0, count - 5), min(5, count)), (count / 3, min(700, count - count / 3))]
    }

    @Test(arguments: [512, 1_024, 4_096, 16_384, 65_536]) func `a part of a blob is what SQLite itself reads`(pageSize: Int) throws {
        try withTable(pageSize: pageSize) { connection, _ in
            let file = try #require(FileBlobs(column: 4, of: "t", on: connection))
            for row in stride(from: 5, through: 300, by: 5) {
                let blob = try Blob("b", of: "t", row: row, on: connection)
                for part in parts(blob.count) {
                    var expected = [UInt8](repeating: 1, count: part.count), found = [UInt8](repeating: 2, count: part.count)
                    try expected.withUnsafeMutableBytes { try blob.read(into: $0, at: part.offset) }
                    #expect(found.withUnsafeMutableBytes { file.read(into: $0, at: part.offset, row: row) })
                    #expect(found == expected, "row \(row), \(part)")
                }
                var one: [UInt8] = [0]
                #expect(!one.withUnsafeMutableBytes { file.read(into: $0, at: blob.count, row: row) })
                #expect(!one.withUnsafeMutableBytes { file.read(into: $0, at: -1, row: row) })
            }
            var none: [UInt8] = [0]
            for row in [-1, 0, 4, 301, .max] { #expect(!none.withUnsafeMutableBytes { file.read(into: $0, at: 0, row: row) }) }
            for column in [1, 2, 3, 5, 6] {
                let other = try #require(FileBlobs(column: column, of: "t", on: connection))
                #expect(!none.withUnsafeMutableBytes { other.read(into: $0, at: 0, row: 5) })
            }
        }
    }

    @Test func `a chain of scattered pages is read once it has been followed`() throws {
        try withTable(pageSize: 1_024) { connection, _ in
            // Pages set free here and there, and taken again from the last to the first.
            try connection.execute("DELETE FROM t WHERE id % 2 = 0")
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
            try connection.run("INSERT INTO t VALUES (1000, 'x', 1, NULL, ?, 'y')", .blob(bytes))
            let file = try #require(FileBlobs(column: 4, of: "t", on: connection))
            var found = [UInt8](repeating: 0, count: bytes.count)
            #expect(found.withUnsafeMutableBytes { file.read(into: $0, at: 0, row: 1_000) } && found != bytes)
            #expect(file.follow(row: 1_000) && !file.follow(row: 1_000))
            for part in parts(bytes.count) {
                var found = [UInt8](repeating: 0, count: part.count)
                #expect(found.withUnsafeMutableBytes { file.read(into: $0, at: part.offset, row: 1_000) })
                #expect(found[...] == bytes[part.offset..<part.offset + part.count])
            }
            #expect(!file.follow(row: 77))
        }
    }

    @Test func `where there is no file, or no such table, there is no answer`() throws {
        #expect(FileBlobs(column: 0, of: "t", on: try Connection(path: ":memory:", access: .create)) == nil)
        try withTable(pageSize: 4_096) { connection, _ in #expect(FileBlobs(column: 4, of: "u", on: connection) == nil) }
    }

    /// What a log holds is not in the file yet: the answer is refused or old, never a crash.
    @Test func `a table that is still in the log is not found in the file`() throws {
        try withTable(pageSize: 4_096, journal: "WAL") { connection, _ in
            var byte: [UInt8] = [0]
            let file = FileBlobs(column: 4, of: "t", on: connection)
            #expect(file.map { file in byte.withUnsafeMutableBytes { file.read(into: $0, at: 0, row: 5) } } ?? false == false)
            try connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            let later = try #require(FileBlobs(column: 4, of: "t", on: connection))
            #expect(byte.withUnsafeMutableBytes { later.read(into: $0, at: 0, row: 10) })
        }
    }

    @Test func `a damaged file crashes nothing`() throws {
        try withTable(pageSize: 1_024) { connection, path in
            let whole = try Data(contentsOf: URL(filePath: path))
            var state: UInt64 = 1
            func next(_ bound: Int) -> Int { state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407; return Int(state >> 33) % bound }
            for round in 0..<400 {
                var bytes = whole
                // Where cells and headers are, and anywhere.
                for _ in 0..<20 { bytes[round % 2 == 0 ? next(bytes.count / 1_024) * 1_024 + next(60) : 100 + next(bytes.count - 100)] = UInt8(next(256)) }
                if round % 10 == 9 { bytes.removeLast(next(bytes.count / 2)) }
                let damaged = path + "-\(round)"
                try bytes.write(to: URL(filePath: damaged))
                guard let other = try? Connection(path: damaged, access: .readOnly), let file = FileBlobs(column: 4, of: "t", on: other) else { continue }
                var part = [UInt8](repeating: 0, count: 2_000)
                for row in stride(from: 5, through: 300, by: 5) {
                    if row % 3 == 0 { _ = file.follow(row: row) }
                    _ = part.withUnsafeMutableBytes { file.read(into: $0, at: next(4_000), row: row) }
                }
                try FileManager.default.removeItem(atPath: damaged)
            }
        }
    }
}
