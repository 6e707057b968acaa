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

    /// Gives the whole pages within a range of bytes back to the system; they are read from the file when next needed.
    func release(_ range: Range<Int>) {
        let page = Int(getpagesize())
        let first = (range.lowerBound + page - 1) / page * page, end = range.upperBound == bytes.count ? range.upperBound : range.upperBound / page * page
        guard let start = bytes.baseAddress, first < end else { return }
        madvise(UnsafeMutableRawPointer(mutating: start + first), end - first, MADV_DONTNEED)
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

/// The names of what a folder holds, sorted, without those that begin with a dot.
/// - Throws: `MonosemeError` naming the folder that cannot be read, or that holds a name that is not UTF-8.
public func contents(ofFolder path: String) throws(MonosemeError) -> [String] {
    guard let directory = opendir(path) else { throw MonosemeError("cannot read the folder \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name: String? = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) } }
        guard let name else { throw MonosemeError("the folder \(quoted(path, limit: 400)) holds a file whose name is not UTF-8", hint: "rename it") }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}
