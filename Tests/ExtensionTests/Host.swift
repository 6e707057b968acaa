import CSQLite
import Foundation
import IngestionSupport
import TestSupport

/// libmonoseme.so as it was built, beside the test bundle.
let library: String = {
    let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(filePath: runner).deletingLastPathComponent().appending(path: "libmonoseme.so").path
}()

/// A program that has SQLite and knows nothing of us: this process, with the system's library.
final class Host {
    struct Failure: Error, Equatable { let message: String }

    private(set) var database: OpaquePointer?

    /// - Parameter libraries: extensions to load.
    init(_ path: String = ":memory:", loading libraries: [String] = [library]) throws {
        guard sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil) == SQLITE_OK else { throw Failure(message: String(cString: sqlite3_errmsg(database))) }
        // The last to close a database in WAL locks the others out for a moment.
        sqlite3_busy_timeout(database, 10_000)
        sqlite3_enable_load_extension(database, 1)
        for library in libraries { try load(library) }
    }

    func load(_ library: String) throws {
        var message: UnsafeMutablePointer<CChar>?
        defer { sqlite3_free(message) }
        // A copy has another name, and SQLite guesses the entry's from the file's.
        guard sqlite3_load_extension(database, library, "sqlite3_monoseme_init", &message) == SQLITE_OK else { throw Failure(message: message.map { String(cString: $0) } ?? "no reason given") }
    }

    func prepare(_ sql: String) throws -> OpaquePointer {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK, let statement else { throw Failure(message: String(cString: sqlite3_errmsg(database))) }
        return statement
    }

    /// The rows of an answer, values as text.
    func ask(_ sql: String) throws -> [[String]] {
        let statement = try prepare(sql)
        defer { sqlite3_finalize(statement) }
        var rows: [[String]] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: rows.append((0..<sqlite3_column_count(statement)).map { sqlite3_column_text(statement, $0).map { String(cString: $0) } ?? "null" })
            case SQLITE_DONE: return rows
            default: throw Failure(message: String(cString: sqlite3_errmsg(database)))
            }
        }
    }

    func refusal(_ sql: String) -> String? { do { _ = try ask(sql) } catch { return (error as? Failure)?.message }; return nil }

    /// The result code: not SQLITE_OK while a statement is left.
    func close() -> Int32 {
        let code = sqlite3_close(database)
        if code == SQLITE_OK { database = nil }
        return code
    }

    deinit { sqlite3_close_v2(database) }
}

/// Runs `body` with the path of a planted catalogue.
func withCatalogue<Result>(_ body: (String) throws -> Result) throws -> Result {
    try withTemporaryFolder { folder in
        let path = folder.appending(path: "c.sqlite").path
        _ = try PlantedCatalogue(at: path)
        return try body(path)
    }
}
