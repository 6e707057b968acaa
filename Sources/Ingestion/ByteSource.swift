import Diagnostics
import Formats
import Glibc

/// Bytes in order, from a file, standard input, or a file that a program unpacks.
///
/// Compressed files go through the `gzip` and `zstd` programs: no library for what a pipe does.
public final class ByteSource {
    public let name: String
    private var descriptor: Int32
    private var child: pid_t?
    private let program: String?
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)
    private var filled = 0
    private var at = 0
    private var isAtEnd = false
    private var isAtStart = true

    /// - Parameter path: a file, or `-` for standard input.
    public init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        if path == "-" { (descriptor, program) = (0, nil); return }
        guard kind(of: path) == .file else { throw MonosemeError("\(quoted(path, limit: 400)) is not a regular file", hint: "feed it through standard input, with --corpus -") }
        program = path.hasSuffix(".gz") ? "gzip" : path.hasSuffix(".zst") ? "zstd" : nil
        if let program {
            (descriptor, child) = try ByteSource.unpack(path, with: program)
        } else {
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw MonosemeError("cannot open \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
        }
    }

    deinit {
        if descriptor > 0 { close(descriptor) }
        if let child { kill(child, SIGTERM); var status: Int32 = 0; waitpid(child, &status, 0) }
    }

    /// Begins to unpack a file: what comes out can be read from the descriptor, and the program is to be waited for.
    public static func unpack(_ path: String, with program: String) throws -> (Int32, pid_t) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw MonosemeError("cannot make a pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // What it says of a damaged file we say ourselves, with the name and what to do.
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // We ignore SIGPIPE; the program must not, or it would go on writing to nobody.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = [program, "-dcq", "--", path].map { (word: String) in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        let code = posix_spawnp(&child, program, &actions, &attributes, &arguments, environ)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw MonosemeError("cannot run \(program) to unpack \(quoted(path, limit: 400)): \(String(cString: strerror(code)))", hint: "install it: apt-get install \(program)")
        }
        return (ends[0], child)
    }

    /// Fills the buffer anew; `false` at the end.
    private func refill() throws -> Bool {
        guard !isAtEnd else { return false }
        (filled, at) = (0, 0)
        if isAtStart {
            isAtStart = false
            // A byte order mark is not text.
            let mark: [UInt8] = [0xef, 0xbb, 0xbf]
            while filled < mark.count, mark.starts(with: buffer[..<filled]), try readMore() {}
            if buffer[..<filled].starts(with: mark) { at = mark.count }
            if at < filled { return true }
            filled = 0
            at = 0
        }
        return try readMore()
    }

    /// Adds what comes next to the buffer; `false` at the end.
    private func readMore() throws -> Bool {
        while !isAtEnd {
            let got = buffer.withUnsafeMutableBytes { [filled] in read(descriptor, $0.baseAddress! + filled, $0.count - filled) }
            if got > 0 { filled += got; return true }
            if got < 0 && errno == EINTR { continue }
            guard got == 0 else { throw MonosemeError("reading \(quoted(name, limit: 400)) failed: \(String(cString: strerror(errno)))") }
            isAtEnd = true
            try reap()
        }
        return false
    }

    /// A program that ended badly has not given all of the file.
    private func reap() throws {
        guard let child, let program else { return }
        self.child = nil
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else { throw MonosemeError("\(program) could not unpack \(quoted(name, limit: 400)): it is damaged or cut off", hint: "test it with: \(program) -t FILE") }
    }

    /// The next line without its end (LF, or CRLF), or `nil` at the end of the input.
    ///
    /// A line longer than `limit` bytes is read to its end but not kept: `isWhole` is then `false`.
    public func line(limit: Int) throws -> (bytes: [UInt8], isWhole: Bool)? {
        var line: [UInt8] = []
        var isWhole = true, any = false
        while true {
            if at == filled, try !refill() {
                guard any else { return nil }
                break
            }
            any = true
            let stop = buffer[at..<filled].withUnsafeBytes { rest in memchr(rest.baseAddress!, 0x0a, rest.count).map { UnsafeRawPointer($0) - rest.baseAddress! } }
            let end = stop.map { at + $0 } ?? filled
            if isWhole, line.count + end - at <= limit { line.append(contentsOf: buffer[at..<end]) } else { isWhole = false; line = [] }
            at = stop == nil ? filled : end + 1
            if stop != nil { break }
        }
        if line.last == 0x0d { line.removeLast() }
        return (line, isWhole)
    }

    /// The first byte to come that is not white space, without taking it.
    public func peek() throws -> UInt8? {
        while true {
            if let byte = buffer[at..<filled].first(where: { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }) { return byte }
            // Nothing but white space so far: there is no harm in leaving it out.
            guard try refill() else { return nil }
        }
    }

    /// Up to `limit` bytes, ended after a line break where more follows; `nil` at the end.
    public func piece(limit: Int) throws -> [UInt8]? {
        var piece: [UInt8] = []
        while piece.count < limit {
            if at == filled, try !refill() { return piece.isEmpty ? nil : piece }
            let take = min(filled - at, limit - piece.count)
            piece.append(contentsOf: buffer[at..<at + take])
            at += take
        }
        while true { // on to the end of the line
            if at == filled, try !refill() { return piece }
            let byte = buffer[at]
            piece.append(byte)
            at += 1
            if byte == 0x0a || piece.count >= 2 * limit { return piece }
        }
    }

    /// Adds what comes next, a megabyte at most, to `bytes`; `false` at the end.
    public func append(to bytes: inout [UInt8]) throws -> Bool {
        if at == filled, try !refill() { return false }
        bytes.append(contentsOf: buffer[at..<filled])
        at = filled
        return true
    }
}
