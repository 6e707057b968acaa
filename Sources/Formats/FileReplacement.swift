import Diagnostics
import Glibc

/// A file written beside its place and moved there when all of it is on disk: who looks, or is killed, finds what was
/// there before or all of the new one.
///
/// What is given up on (or not committed) is removed.
public final class FileReplacement {
    private let path: String
    private let temporary: String
    private var descriptor: Int32
    /// Small writes are gathered up to here.
    private var pending: [UInt8] = []
    private static let pendingMost = 1 << 16

    /// - Parameter isAlone: nobody else replaces this file. The file beside it then has a name of its own, so that what a
    ///   kill left of it is overwritten.
    /// - Throws: `MonosemeError` naming the path, as everything here.
    public init(_ path: String, isAlone: Bool = false) throws {
        self.path = path
        temporary = FileReplacement.temporaryPath(of: path, isAlone: isAlone)
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure(errno) }
    }

    /// Where the file is written.
    public static func temporaryPath(of path: String, isAlone: Bool) -> String { isAlone ? "\(path).partial" : "\(path).\(getpid()).partial" }

    deinit { discard() }

    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        if pending.count + bytes.count <= FileReplacement.pendingMost { pending.append(contentsOf: bytes); return }
        try flush()
        try pass(bytes)
    }

    /// Puts the file in its place: written to the disk, renamed, and the folder's entry written too.
    public func commit() throws {
        try flush()
        guard fsync(descriptor) == 0 else { throw failure(errno) }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw failure(code)
        }
        syncFolder(of: path)
    }

    private func flush() throws {
        try pending.withUnsafeBytes { try pass($0) }
        pending.removeAll(keepingCapacity: true)
    }

    private func pass(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count > 0 { done += count; continue }
            // A call that writes nothing would be repeated for ever.
            if count == 0 || errno != EINTR { throw failure(count == 0 ? EIO : errno) }
        }
    }

    private func discard() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporary)
        descriptor = -1
    }

    private func failure(_ code: Int32) -> MonosemeError {
        MonosemeError("cannot write \(quoted(path, limit: 400)): \(String(cString: strerror(code)))", hint: code == ENOSPC ? "make room on that disk and run the same command again" : nil)
    }
}

/// Writes `text` as the whole file at `path`, as `FileReplacement` does.
public func replaceFile(_ path: String, with text: String, isAlone: Bool = false) throws {
    let file = try FileReplacement(path, isAlone: isAlone)
    var text = text
    try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0)) }
    try file.commit()
}

/// Makes new and removed names in the folder of `path` last. Where a file system cannot do that, it does so in its own time.
public func syncFolder(of path: String) {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
