import Assets
import Diagnostics
@testable import FeatureCatalogue
import Foundation
import Glibc
import SQLite
import TestSupport
import Testing

struct MigrationTests {
    @Test func `every file of Migrations is embedded, in order and to the letter`() throws {
        let folder = repository.appending(path: "Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }.sorted()
        #expect((0..<Int(migration_count)).map { String(cString: migrations[$0].name) + ".sql" } == files)
        for (place, file) in files.enumerated() {
            #expect(String(cString: migrations[place].sql) == (try String(contentsOf: folder.appending(path: file), encoding: .utf8)))
            #expect(file.hasPrefix(String(repeating: "0", count: 4 - "\(place + 1)".count) + "\(place + 1)_"))
        }
    }

    @Test func `a new catalogue has the schema, the version and the mark`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let catalogue = try makeCatalogue(at: path)
            #expect(try catalogue.version == Int(migration_count))
            #expect(try catalogue.connection.integer("PRAGMA application_id") == 0x4D4F4E4F)
            #expect(try catalogue.connection.integer("PRAGMA foreign_keys") == 1)
            #expect(try catalogue.connection.first("PRAGMA journal_mode") { $0.text(0) } == "wal")
            #expect(try catalogue.connection.integer("PRAGMA page_size") == 16384)
            // Every view can be read.
            for view in try catalogue.connection.rows("SELECT name FROM sqlite_schema WHERE type = 'view'", make: { $0.text(0) }) { try catalogue.connection.query("SELECT * FROM \(view)") { _ in } }
            #expect(try catalogue.check().findings.isEmpty)
        }
    }

    @Test(arguments: 1..<Int(migration_count)) func `an older schema is refused to readers and brought up to date by writers`(version: Int) throws {
        try withTemporaryFolder { folder in
            let path = folder.path + "/c.sqlite"
            do {
                let old = try Connection(path: path, access: .create)
                for step in 0..<version { try old.execute(String(cString: migrations[step].sql)) }
                try old.execute("PRAGMA application_id = \(Catalogue.applicationID); PRAGMA user_version = \(version)")
            }
            #expect(failure { _ = try Catalogue(path: path, for: .reading) } == MonosemeError(
                "\(quoted(path, limit: 400)) is of an older version of Monoseme (schema \(version), this is \(migration_count))", hint: "any command that writes brings it up to date, such as monoseme check --rebuild-codes"))
            #expect(try Catalogue(path: path, for: .writing).version == Int(migration_count))
            #expect(try Catalogue(path: path, for: .reading).check().findings.isEmpty)
        }
    }
}

struct OpeningTests {
    /// What lies at the path, and what each purpose says to it; `nil`: opened.
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let make: @Sendable (String) throws -> Void
        let reading, writing, ingesting: MonosemeError?
        var testDescription: String { name }
    }

    private static func sqlite(_ path: String, _ sql: String) throws { try Connection(path: path, access: .create).execute(sql) }
    private static let file = "\"FILE\""
    private static func both(_ message: String, _ hint: String?) -> MonosemeError { MonosemeError(message, hint: hint) }

    static let missing = both("there is no catalogue at \(file)", "make one with monoseme ingest or monoseme demo, or name yours with --catalogue FILE")
    static let notDatabase = both("\(file) is not an SQLite database", "name a catalogue with --catalogue FILE")
    static let foreign = both("\(file) is an SQLite database, but not a Monoseme catalogue", "name another file with --catalogue FILE")
    static let folder = both("\(file) is a folder, not a catalogue", nil)
    static let newer = both("\(file) was made by a newer version of Monoseme (schema 1000, this one knows up to \(migration_count))", "update monoseme")
    static let negative = both("\(file) is damaged: its schema version is -1", "restore it from a copy or ingest again")
    static let empty = both("\(file) is empty: it holds no catalogue yet", "fill it with monoseme ingest, or name another file with --catalogue FILE")

    static let cases: [Case] = [
        .init(name: "nothing", make: { _ in }, reading: missing, writing: missing, ingesting: nil),
        .init(name: "a folder", make: { try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: false) }, reading: folder, writing: folder, ingesting: folder),
        .init(name: "an empty file", make: { try Data().write(to: URL(filePath: $0)) }, reading: empty, writing: empty, ingesting: nil),
        .init(name: "text", make: { try Data(String(repeating: "No database. ", count: 100).utf8).write(to: URL(filePath: $0)) }, reading: notDatabase, writing: notDatabase, ingesting: notDatabase),
        .init(name: "another program's database", make: { try sqlite($0, "CREATE TABLE t (a)") }, reading: foreign, writing: foreign, ingesting: foreign),
        .init(name: "another program's database with a version", make: { try sqlite($0, "PRAGMA user_version = 3") }, reading: foreign, writing: foreign, ingesting: foreign),
        .init(name: "a newer catalogue", make: { try sqlite($0, "CREATE TABLE t (a); PRAGMA application_id = \(Catalogue.applicationID); PRAGMA user_version = 1000") }, reading: newer, writing: newer, ingesting: newer),
        .init(name: "a negative version", make: { try sqlite($0, "CREATE TABLE t (a); PRAGMA application_id = \(Catalogue.applicationID); PRAGMA user_version = -1") }, reading: negative, writing: negative, ingesting: negative),
        .init(name: "a catalogue", make: { try Planted.small().write(to: $0) }, reading: nil, writing: nil, ingesting: nil),
    ]

    @Test(arguments: cases) func `each purpose opens what it can and says what it cannot`(at one: Case) throws {
        for (purpose, expected) in [(.reading, one.reading), (.writing, one.writing), (.ingesting, one.ingesting)] as [(Catalogue.Purpose, MonosemeError?)] {
            try withTemporaryFolder { folder in
                let path = folder.path + "/c.sqlite"
                try one.make(path)
                let before = try? Data(contentsOf: URL(filePath: path))
                let found = failure { _ = try Catalogue(path: path, for: purpose) }
                #expect(found == expected.map { MonosemeError($0.message.replacing("\"FILE\"", with: quoted(path, limit: 400)), hint: $0.hint) }, "\(purpose)")
                if expected != nil { #expect((try? Data(contentsOf: URL(filePath: path))) == before, "a file that is refused stays as it is") }
            }
        }
    }

    @Test func `a folder that is missing or a file in place of one is said`() throws {
        try withTemporaryFolder { folder in
            let path = folder.path + "/none/c.sqlite"
            #expect(failure { _ = try Catalogue(path: path, for: .ingesting) } == MonosemeError("cannot write \(quoted(path, limit: 400)): No such file or directory", hint: "choose a place you may write to with --catalogue FILE"))
        }
    }

    @Test func `a second ingest is refused while readers and writers of labels go on`() throws {
        try withTemporaryFolder { folder in
            let path = folder.path + "/c.sqlite"
            let world = Planted.small()
            let ingest = try Catalogue(path: path, for: .ingesting)
            let (corpus, run) = try world.register(in: ingest)
            let writer = try SegmentWriter(ingest, corpus: corpus, runs: [run])
            try world.commit(0, writer, run)
            #expect(failure { _ = try Catalogue(path: path, for: .ingesting) } == MonosemeError("another ingest is writing \(quoted(path, limit: 400))", hint: "wait for it to end, or use another file with --catalogue FILE"))
            let reader = try Catalogue(path: path, for: .reading)
            #expect(try reader.run(of: run.dictionary.name).tokens == 250)
            _ = try Catalogue(path: path, for: .writing).addLabel("law", to: FeatureName(parsing: "A/0/2"), author: "Ada", at: Planted.time)
            try world.commit(1, writer, run)
            #expect(try reader.run(of: run.dictionary.name).tokens == 451)
            #expect(try reader.labels(of: FeatureName(parsing: "A/0/2")).map(\.text) == ["law"])
        }
    }

    @Test func `a reader may not write`() throws {
        try withTemporaryFolder { folder in
            let path = folder.path + "/c.sqlite"
            try Planted.small().write(to: path)
            let catalogue = try Catalogue(path: path, for: .reading)
            #expect(throws: SQLiteError.self) { try catalogue.connection.execute("DELETE FROM posting") }
        }
    }

    /// Rights mean nothing to root, so the file's owner becomes somebody else and this thread with it. Effective ids of one
    /// thread only are changed, by the system calls themselves (the C library's functions change all threads).
    private func asNobody(_ body: () -> Void) -> Bool {
        guard geteuid() == 0 else { body(); return true }
        #if arch(x86_64)
        let setresuid = 117
        #else
        let setresuid = 147
        #endif
        guard syscall3(setresuid, -1, 65_534, -1) == 0 else { return false }
        defer { _ = syscall3(setresuid, -1, 0, -1) }
        body()
        return true
    }

    @Test func `a catalogue that may only be read is read, and writing says why not`() throws {
        try withTemporaryFolder { folder in
            let path = folder.path + "/c.sqlite"
            try Planted.small().write(to: path)
            chmod(path, 0o444)
            chmod(folder.path, 0o555)
            defer { chmod(folder.path, 0o755) }
            var features: Int?, writing: MonosemeError?, ingesting: MonosemeError?, elsewhere: MonosemeError?
            let didRun = asNobody {
                features = try? Catalogue(path: path, for: .reading).connection.integer("SELECT count(*) FROM feature_overview")
                writing = failure { _ = try Catalogue(path: path, for: .writing) }
                ingesting = failure { _ = try Catalogue(path: path, for: .ingesting) }
                elsewhere = failure { _ = try Catalogue(path: folder.path + "/new.sqlite", for: .ingesting) }
            }
            guard didRun else { return print("skipped: this process may not become another user") }
            #expect(features == 12)
            #expect(writing == MonosemeError("\(quoted(path, limit: 400)) may not be written", hint: "copy it to a place you may write to, or name another file with --catalogue FILE"))
            let hint = "choose a place you may write to with --catalogue FILE"
            #expect(ingesting == MonosemeError("cannot write \(quoted(path, limit: 400)): Permission denied", hint: hint))
            #expect(elsewhere == MonosemeError("cannot write \(quoted(folder.path + "/new.sqlite", limit: 400)): Permission denied", hint: hint))
        }
    }
}

@_silgen_name("syscall") private func syscall3(_ number: Int, _ a: Int, _ b: Int, _ c: Int) -> Int
