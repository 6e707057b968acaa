import CSQLite
import SQLFunctions
import SQLite
import SQLiteHost

/// Called by SQLite when `.load ./libmonoseme` or `load_extension()` brings the library in: adds the functions that
/// SQL.md describes to that connection, whatever it is open on.
///
/// The library stays loaded: Swift's runtime cannot be taken out of a process.
@c(sqlite3_monoseme_init)
public func enter(_ database: OpaquePointer, _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ host: UnsafeRawPointer) -> Int32 {
    guard sqlite_host_adopt(host, message) == SQLITE_OK else { return SQLITE_ERROR }
    do {
        try registerFunctions(on: Connection(borrowing: database))
        return SQLITE_OK | (1 << 8) // SQLITE_OK_LOAD_PERMANENTLY
    } catch {
        return (error as? SQLiteError)?.code ?? SQLITE_ERROR
    }
}

/// The package manager makes a file of exactly this name, libmonoseme.so, of a program only (a library named monoseme
/// would be the program's namesake), and a program has a beginning; a library that is loaded never comes here.
@main enum Loadable { static func main() {} }
