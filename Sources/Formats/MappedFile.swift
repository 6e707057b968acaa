import Diagnostics
import Glibc

/// A file's bytes, mapped read-only for as long as this object lives.
///
/// A file that shrinks while it is mapped ends the process, as with every memory-mapped reader.
public final class MappedFile: @unchecked Sendable {
    public let path: String
    /// Valid only while this object lives, and the compiler may end its life after its last use: keep it beyond the use of
    /// the bytes (a stored property, or `withExtendedLifetime`), or use `withBytes`, which does.
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: `MonosemeError` naming the path when it is missing, unreadable or not a regular file.
    public init(_ path: String) throws(MonosemeError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw MonosemeError("cannot open \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw MonosemeError("\(quoted(path, limit: 400)) is not a regular file")
        }
        let size = Int(status.st_size)
        guard size > 0 else { bytes = .init(start: nil, count: 0); return }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw MonosemeError("cannot map \(quoted(path, limit: 400)) (\(size) bytes): \(String(cString: strerror(errno)))")
        }
        bytes = .init(start: start, count: size)
    }

    /// Calls `body` with the file's bytes.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(bytes) }
    }

    deinit { if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) } }
}

/// Whether anything stands at `path`, and whether it is a folder.
public enum PathKind: Sendable { case missing, file, folder, other }

public func kind(of path: String) -> PathKind {
    var status = stat()
    guard stat(path, &status) == 0 else { return .missing }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder
    default: return .other
    }
}
