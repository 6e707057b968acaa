import Diagnostics
import Glibc

/// The reader of a pipe has gone away: nothing is wrong, and there is nothing left to do.
struct BrokenPipe: Error {}

/// Ctrl-C, or another signal to stop: the answer ends where it is, and the exit status says so.
struct Interrupted: Error { var signal = SIGINT }

/// A buffered writer to a file descriptor, or to memory for tests.
///
/// Bytes are kept until `capacity` is reached or `flush` is called, so streaming megabytes costs few system calls.
/// Errors: `BrokenPipe` where the reader is gone, `MonosemeError` for all else (a full disk).
final class Output {
    /// Where bytes go; `nil` keeps them.
    private let descriptor: Int32?
    /// What the destination is called in messages.
    private let name: String
    private let closesDescriptor: Bool
    private let capacity = 1 << 16
    private(set) var bytes: [UInt8] = []

    private init(descriptor: Int32?, name: String, closesDescriptor: Bool) {
        self.descriptor = descriptor
        self.name = name
        self.closesDescriptor = closesDescriptor
    }

    static func standardOutput() -> Output { Output(descriptor: 1, name: "standard output", closesDescriptor: false) }
    static func standardError() -> Output { Output(descriptor: 2, name: "standard error", closesDescriptor: false) }
    /// Keeps what is written; `text` is all of it.
    static func memory() -> Output { Output(descriptor: nil, name: "memory", closesDescriptor: false) }

    /// Writes to the file at `path`, which is created or emptied.
    static func file(_ path: String) throws -> Output {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw MonosemeError("cannot write \(quoted(path)): \(describe(errno))", hint: "choose a file in a folder that exists and is writable")
        }
        return Output(descriptor: descriptor, name: quoted(path), closesDescriptor: true)
    }

    deinit { if closesDescriptor, let descriptor { close(descriptor) } }

    /// What has not been passed on yet.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    func write(_ text: String) throws {
        bytes.append(contentsOf: text.utf8)
        if bytes.count >= capacity { try flush() }
    }

    func write(_ more: some Sequence<UInt8>) throws {
        bytes.append(contentsOf: more)
        if bytes.count >= capacity { try flush() }
    }

    /// Writes at once and swallows failures: for standard error, where there is nobody left to tell.
    func say(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        try? flush()
    }

    /// Passes on all that is buffered. What cannot be written is dropped, so that a failure is reported once.
    func flush() throws {
        guard let descriptor else { return }
        defer { bytes.removeAll(keepingCapacity: true) }
        try bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let written = Glibc.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                if written >= 0 { done += written; continue }
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    // Somebody made the pipe non-blocking; wait for room as a blocking one would.
                    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&request, 1, -1)
                case EPIPE: throw BrokenPipe()
                case let code:
                    let hint = code == ENOSPC ? "free some space and run the command again" : nil
                    throw MonosemeError("cannot write to \(name): \(describe(code))", hint: hint)
                }
            }
        }
    }
}

/// The system's words for an error number.
func describe(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
