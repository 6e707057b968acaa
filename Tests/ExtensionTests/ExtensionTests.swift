import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct ExtensionTests {
    /// SQLITE_DIRECTONLY: statements only. SQLITE_INNOCUOUS: views too.
    static let functions = [
        "context/3 statements", "decoder/1 statements", "feature/1 statements", "feature_name/1 statements", "vector/1 views", "vector_add/2 views", "vector_cosine/2 views",
        "vector_dot/2 views", "vector_norm/1 views", "vector_scale/2 views", "vector_sub/2 views", "vector_to_json/1 views",
    ]
    static let modules = ["activations", "cofiring", "examples", "nearest", "neighbours", "tag_positions", "tagged"]

    @Test func `loading adds exactly these functions and modules`() throws {
        let plain = try Host(loading: []), loaded = try Host()
        let functions = """
            SELECT name || '/' || narg || CASE flags & 0x280000 WHEN 0x80000 THEN ' statements' WHEN 0x200000 THEN ' views' ELSE ' ?' END FROM pragma_function_list ORDER BY 1
            """
        let modules = "SELECT name FROM pragma_module_list ORDER BY 1"
        func added(_ sql: String) throws -> [String] { try Set(loaded.ask(sql)).subtracting(plain.ask(sql)).map { $0[0] }.sorted() }
        #expect(try added(functions) == ExtensionTests.functions)
        #expect(try added(modules) == ExtensionTests.modules)
    }

    @Test func `it answers from the catalogue its host has open`() throws {
        try withCatalogue { (path) throws in
            let host = try Host(path)
            #expect(try host.ask("SELECT feature, round(cosine, 6) FROM nearest('P/0/1', 2)") == [["P/0/2", "0.96"], ["P/0/0", "0.6"]])
            #expect(try host.ask("SELECT count(*), sum(value) FROM activations('P/0/0')") == [["9", "36.5"]])
            #expect(try host.ask("SELECT hex(decoder('P/0/0'))") == [["0000803F0000000000000000"]])
            #expect(host.refusal("SELECT * FROM nearest('P/9/1')") == "no dictionary \"P/9\" in \"\(path)\"\n  hint: there is P/0")
            #expect(host.close() == SQLITE_OK)
        }
    }

    @Test func `any database takes it, and an attached catalogue is not looked at`() throws {
        try withCatalogue { (path) throws in
            let host = try Host()
            #expect(try host.ask("SELECT vector_norm('[3, 4]')") == [["5.0"]])
            _ = try host.ask("ATTACH '\(path)' AS catalogue")
            #expect(host.refusal("SELECT decoder('P/0/0')") == "\":memory:\" is empty: it holds no catalogue\n  hint: open a catalogue as the connection's main database; attached ones are not looked at")
        }
    }

    @Test func `a connection closes while its cursors are open, and again and again`() throws {
        try withCatalogue { (path) throws in
            for _ in 0..<50 {
                let host = try Host(path)
                let statement = try host.prepare("SELECT * FROM activations('P/0/1') AS a, nearest('P/0/0') AS n")
                #expect(sqlite3_step(statement) == SQLITE_ROW)
                #expect(host.close() == SQLITE_BUSY)
                sqlite3_reset(statement)
                sqlite3_finalize(statement)
                // Whatever a call has read, it holds no statement of its own.
                #expect(sqlite3_next_stmt(host.database, nil) == nil)
                #expect(host.close() == SQLITE_OK)
            }
        }
    }

    @Test func `two copies in one process do not meet`() throws {
        try withCatalogue { (path) throws in
            let copy = path + "-copy.so"
            try FileManager.default.copyItem(atPath: library, toPath: copy)
            let first = try Host(path), second = try Host(path, loading: [copy]), both = try Host(path, loading: [library, copy, library])
            for host in [first, second, both, first] { #expect(try host.ask("SELECT feature FROM nearest('P/0/1', 1)") == [["P/0/2"]]) }
            #expect(second.close() == SQLITE_OK && both.close() == SQLITE_OK)
            #expect(try first.ask("SELECT vector_to_json(decoder('P/0/0'))") == [["[1,0,0]"]])
        }
    }

    @Test func `threads with connections of their own do not meet`() throws {
        try withCatalogue { (path) throws in
            let wrong = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                for _ in 0..<20 {
                    let rows = try? Host(path).ask("SELECT f.feature, round(n.cosine, 6) FROM nearest('P/0/1', 1) AS n JOIN feature_overview AS f USING (feature_id)")
                    if rows != [["P/0/2", "0.96"]] { wrong.add(1, ordering: .relaxed) }
                }
            }
            #expect(wrong.load(ordering: .relaxed) == 0)
        }
    }

    @Test func `a call that its host interrupts ends as interrupted`() throws {
        try withCatalogue { (path) throws in
            let host = try Host(path)
            sqlite3_progress_handler(host.database, 20, { _ in 1 }, nil)
            #expect(host.refusal("SELECT * FROM cofiring('P/0/1')") == "interrupted")
            #expect(host.refusal("SELECT decoder('P/0/1')") == "interrupted")
            sqlite3_progress_handler(host.database, 0, nil, nil)
            #expect(try host.ask("SELECT count(*) FROM cofiring('P/0/1')") == [["2"]])
        }
    }

    @Test(arguments: [(3_008_003, "3.8.3"), (3_036_000, "3.36.0"), (3_000_999, "3.0.999")]) func `an SQLite that is too old is told so, and nothing else of it is touched`(version: Int, words: String) throws {
        let handle = try #require(dlopen(library, RTLD_NOW | RTLD_LOCAL))
        typealias Entry = @convention(c) (OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, UnsafeRawPointer) -> Int32
        let entry = unsafeBitCast(try #require(dlsym(handle, "sqlite3_monoseme_init")), to: Entry.self)
        // Their places in the table are SQLite's promise; all others are null.
        var table = [UnsafeRawPointer?](repeating: nil, count: 80)
        OldSQLite.version.store(version, ordering: .relaxed)
        let libversionNumber: @convention(c) () -> Int32 = { Int32(OldSQLite.version.load(ordering: .relaxed)) }
        let allocate: @convention(c) (Int32) -> UnsafeMutableRawPointer? = { malloc(Int($0)) }
        table[67] = unsafeBitCast(libversionNumber, to: UnsafeRawPointer.self)
        table[68] = unsafeBitCast(allocate, to: UnsafeRawPointer.self)
        var message: UnsafeMutablePointer<CChar>?
        #expect(table.withUnsafeBytes { entry(nil, &message, $0.baseAddress!) } == SQLITE_ERROR)
        #expect(message.map { String(cString: $0) } == "monoseme needs SQLite 3.37 or newer; this program has \(words): load it into a newer one")
        free(message)
    }
}

private enum OldSQLite { static let version = Atomic(0) }
