import Assets
import Diagnostics
import Formats
import Glibc
public import SQLite

/// The catalogue: one SQLite file, opened and brought up to date.
///
/// One object serves one thread at a time; WAL lets any number of readers, in this process and in others, look on
/// while one ingest writes.
public final class Catalogue {
    public let connection: Connection
    public let path: String
    /// Held by the one process that ingests; `-1` for readers. Never closed before the process ends: closing any
    /// descriptor of the file would drop the locks SQLite holds on it (POSIX fcntl semantics).
    private var lock: Int32 = -1
    /// Of the dictionaries last searched.
    var vectorIndexes: [(dictionary: Int, index: VectorIndex)] = []

    /// Whether the connection has `relevance`.
    var ranksByRelevance = false

    /// What `writingTextOnce` will write the words of: dictionaries whose runs are complete by then, by number, and those that have new labels.
    var textWaiting: (runs: Set<Int>, dictionaries: Set<DictionaryName>)?

    /// "MONO", so that `file` and we know one another.
    static let applicationID = 0x4D4F_4E4F

    deinit {
        // Let go of, so that this process may ingest again; not closed, for the reason given above.
        if lock >= 0 { flock(lock, LOCK_UN) }
    }

    public enum Purpose: Sendable {
        /// Look, write nothing. The file must exist.
        case reading
        /// Add to an existing catalogue, beside other writers of small things (labels).
        case writing
        /// Create the file if it is missing, and be the only ingest.
        case ingesting
    }

    /// - Throws: `MonosemeError` when the file is missing (reading), is not a catalogue, comes from a newer version, or is
    ///   being ingested into by somebody else.
    public init(path: String, for purpose: Purpose) throws {
        self.path = path
        do {
            switch purpose {
            case .reading: connection = try Catalogue.openForReading(path)
            case .writing:
                try Catalogue.demandFile(at: path)
                connection = try Connection(path: path, access: .readWrite)
            case .ingesting:
                if kind(of: path) == .folder { throw MonosemeError("\(quoted(path, limit: 400)) is a folder, not a catalogue") }
                if path != ":memory:" {
                    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
                    guard lock >= 0 else {
                        throw MonosemeError("cannot write \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))", hint: "choose a place you may write to with --catalogue FILE")
                    }
                    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                        throw MonosemeError("another ingest is writing \(quoted(path, limit: 400))", hint: "wait for it to end, or use another file with --catalogue FILE")
                    }
                }
                connection = try Connection(path: path, access: .create)
            }
            let version = try Catalogue.judge(connection, path: path)
            switch purpose {
            case .reading:
                if version == 0 { throw Catalogue.empty(path) }
                try Catalogue.demandCurrent(version, path)
                try connection.execute("PRAGMA query_only = 1; PRAGMA mmap_size = 2147418112; PRAGMA cache_size = -32768")
            case .writing, .ingesting:
                if version == 0, purpose == .writing { throw Catalogue.empty(path) }
                if version == 0 { try connection.execute("PRAGMA page_size = 16384; PRAGMA application_id = \(Catalogue.applicationID)") }
                try connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = 1; PRAGMA cache_size = -65536")
                try migrate()
                try writeMissingCodes()
                try writeMissingTopicEvidence()
                try writeMissingText()
            }
        } catch let error as SQLiteError {
            throw explain(error, in: path)
        }
    }

    /// The catalogue that a connection of somebody else's has open as its main database.
    ///
    /// Nothing is changed about the connection. What this object reads, it reads in the connection's transaction.
    /// - Throws: `MonosemeError` when that database is not a catalogue, or of another version.
    public init(borrowing connection: Connection) throws {
        self.connection = connection
        path = connection.path ?? ":memory:"
        let version: Int
        do { version = try Catalogue.judge(connection, path: path) } catch let error as MonosemeError {
            throw MonosemeError(error.message, hint: "open a catalogue as the connection's main database; attached ones are not looked at")
        }
        guard version > 0 else { throw MonosemeError("\(quoted(path, limit: 400)) is empty: it holds no catalogue", hint: "open a catalogue as the connection's main database; attached ones are not looked at") }
        try Catalogue.demandCurrent(version, path)
    }

    private static func demandCurrent(_ version: Int, _ path: String) throws {
        guard version < migration_count else { return }
        throw MonosemeError("\(quoted(path, limit: 400)) is of an older version of Monoseme (schema \(version), this is \(migration_count))", hint: "any command that writes brings it up to date, such as monoseme check --rebuild-codes")
    }

    private static func empty(_ path: String) -> MonosemeError {
        MonosemeError("\(quoted(path, limit: 400)) is empty: it holds no catalogue yet", hint: "fill it with monoseme ingest, or name another file with --catalogue FILE")
    }

    private static func demandFile(at path: String) throws {
        switch kind(of: path) {
        case .missing:
            throw MonosemeError("there is no catalogue at \(quoted(path, limit: 400))", hint: "make one with monoseme ingest or monoseme demo, or name yours with --catalogue FILE")
        case .folder: throw MonosemeError("\(quoted(path, limit: 400)) is a folder, not a catalogue")
        case .file, .other: break
        }
    }

    static func openForReading(_ path: String) throws -> Connection {
        try demandFile(at: path)
        let connection = try Connection(path: path, access: .readOnly)
        do {
            _ = try connection.integer("PRAGMA schema_version")
            return connection
        } catch {
            // A catalogue in a folder we may not write: WAL wants its companion files, unless nothing can be in them.
            guard error.kind == .cannotOpen || error.kind == .readOnly, kind(of: path + "-wal") == .missing else { throw error }
            return try Connection(path: path, access: .immutable)
        }
    }

    /// The schema's version, after making sure that this is a catalogue at all; 0 for an empty file.
    private static func judge(_ connection: Connection, path: String) throws -> Int {
        let version = try connection.integer("PRAGMA user_version") ?? 0
        let identity = try connection.integer("PRAGMA application_id") ?? 0
        let tables = try connection.integer("SELECT count(*) FROM sqlite_schema") ?? 0
        if tables == 0 && version == 0 { return 0 }
        guard identity == applicationID else {
            throw MonosemeError("\(quoted(path, limit: 400)) is an SQLite database, but not a Monoseme catalogue", hint: "name another file with --catalogue FILE")
        }
        guard version >= 0 else { throw MonosemeError("\(quoted(path, limit: 400)) is damaged: its schema version is \(version)", hint: "restore it from a copy or ingest again") }
        guard version <= migration_count else {
            throw MonosemeError("\(quoted(path, limit: 400)) was made by a newer version of Monoseme (schema \(version), this one knows up to \(migration_count))", hint: "update monoseme")
        }
        return version
    }

    public var version: Int { get throws { try connection.integer("PRAGMA user_version") ?? 0 } }

    private func migrate() throws {
        while true {
            let isDone = try connection.transaction {
                let step = try version // read inside the transaction: another process may have been first
                guard step < migration_count else { return true }
                try connection.execute(String(cString: migrations[step].sql))
                try connection.execute("PRAGMA user_version = \(step + 1)")
                return false
            }
            if isDone { return }
        }
    }

    /// Moves what the write-ahead log holds into the file itself, so that one file is the whole catalogue.
    public func checkpoint() throws { try connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") }

    /// Bytes on disk, the write-ahead log included.
    public var bytesOnDisk: Int {
        [path, path + "-wal"].reduce(0) { total, file in
            var status = stat()
            return total + (stat(file, &status) == 0 ? Int(status.st_size) : 0)
        }
    }
}

/// An SQLite failure in words for the person at the keyboard.
public func explain(_ error: SQLiteError, in path: String) -> MonosemeError {
    let file = quoted(path, limit: 400)
    return switch error.kind {
    case .notADatabase: MonosemeError("\(file) is not an SQLite database", hint: "name a catalogue with --catalogue FILE")
    case .corrupt: MonosemeError("\(file) is damaged: \(error.message)", hint: "monoseme check says where; restore it from a copy or ingest again")
    case .full: MonosemeError("the disk is full; nothing of the last step was kept, what came before is safe in \(file)", hint: "make room and run the same command again: it goes on where it stopped")
    case .ioError: MonosemeError("reading or writing \(file) failed: \(error.message); what came before is safe", hint: "check the disk and run the same command again: it goes on where it stopped")
    case .readOnly: MonosemeError("\(file) may not be written", hint: "copy it to a place you may write to, or name another file with --catalogue FILE")
    case .cannotOpen: MonosemeError("cannot open \(file): \(error.message)", hint: "check the path and the rights of its folder")
    case .busy: MonosemeError("\(file) is in use by another program", hint: "wait for it to end and try again")
    case .interrupted: MonosemeError("interrupted")
    case .denied: MonosemeError("\(error.message)", hint: "queries may only read")
    case .constraint, .tooBig, .other: MonosemeError("\(error)")
    }
}
