import Diagnostics
import Formats
import Glibc
import Ingestion

/// A file of rows to be read, and what is in it.
struct RowFile: Sendable {
    enum Content: Sendable {
        /// A line for each feature, example or explanation of Neuronpedia's.
        case features, examples, explanations
        /// One document of SAEDashboard's, with features and their examples.
        case dashboard
    }

    let path: String
    /// What it is called in messages and in the catalogue: the end of its path.
    let name: String
    let content: Content

    var isPacked: Bool { path.hasSuffix(".gz") }
}

/// Memory for a stretch of text, with 64 bytes beyond it that may be read.
final class TextBuffer: @unchecked Sendable {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private(set) var room: Int
    var count = 0

    init(_ room: Int) {
        self.room = room
        base = .allocate(capacity: room + 64)
        base.initialize(repeating: 0, count: room + 64)
    }

    deinit { base.deallocate() }

    func grow(to wanted: Int) {
        guard wanted > room else { return }
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted + 64)
        larger.update(from: base, count: count)
        (larger + count).initialize(repeating: 0, count: wanted + 64 - count)
        base.deallocate()
        (base, room) = (larger, wanted)
    }
}

/// Cuts files into pieces of whole lines, or of whole documents, in order; files that end in `.gz` go through the gzip program.
///
/// What unpacks to far more than it should is refused, so that a small file cannot fill the memory or the disk.
final class PieceSource {
    private let files: [RowFile]
    private let unpackLimit: Int?
    private var place = 0
    private var descriptor: Int32 = -1
    private var child: pid_t?
    private var rest: [UInt8] = []
    private var unpacked = 0, limit = 0
    private(set) var bytesRead = 0

    /// Bytes of a piece of lines.
    static let pieceBytes = 1 << 21
    static let lineLimit = 1 << 26, documentLimit = 1 << 30
    /// A packed file may become 250 times as large, or 64 MB: rows of zeros pack well, but not like that.
    static let ratio = 250, freeBytes = 1 << 26, bytesMaximum = 1 << 35

    init(_ files: [RowFile], unpackLimit: Int?) { (self.files, self.unpackLimit) = (files, unpackLimit) }

    deinit { stop() }

    private func stop() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        if let child { kill(child, SIGTERM); var status: Int32 = 0; waitpid(child, &status, 0) }
        child = nil
    }

    private func begin(_ file: RowFile) throws {
        guard kind(of: file.path) == .file else { throw MonosemeError("\(quoted(file.path, limit: 400)) is not a regular file") }
        (unpacked, limit) = (0, .max)
        if file.isPacked {
            var status = stat()
            stat(file.path, &status)
            limit = unpackLimit ?? min(PieceSource.bytesMaximum, max(PieceSource.freeBytes, PieceSource.ratio * Int(status.st_size)))
            (descriptor, child) = try ByteSource.unpack(file.path, with: "gzip")
        } else {
            descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw MonosemeError("cannot open \(quoted(file.path, limit: 400)): \(String(cString: strerror(errno)))") }
        }
    }

    /// Fills `buffer` with the next piece. Says of which file it is, or `nil` at the end of all.
    func next(_ buffer: TextBuffer) throws -> Int? {
        while place < files.count {
            let file = files[place]
            if descriptor < 0 { try begin(file) }
            let isDocument = file.content == .dashboard
            buffer.count = 0
            buffer.grow(to: max(PieceSource.pieceBytes, rest.count))
            rest.withUnsafeBufferPointer { if let start = $0.baseAddress { buffer.base.update(from: start, count: $0.count) } }
            buffer.count = rest.count
            rest = []
            var isAtEnd = false
            while true {
                if buffer.count == buffer.room {
                    if !isDocument, let end = lastLineEnd(buffer) { cut(buffer, at: end); break }
                    let most = isDocument ? PieceSource.documentLimit : PieceSource.lineLimit
                    guard buffer.count < most else { throw MonosemeError("\(file.name) has a \(isDocument ? "document" : "line") of more than \(most) bytes", hint: "check that it is what it should be") }
                    buffer.grow(to: min(most, 2 * buffer.room))
                }
                let got = read(descriptor, buffer.base + buffer.count, buffer.room - buffer.count)
                if got < 0 && errno == EINTR { continue }
                guard got >= 0 else { throw MonosemeError("reading \(quoted(file.path, limit: 400)) failed: \(String(cString: strerror(errno)))") }
                if got == 0 { isAtEnd = true; break }
                buffer.count += got
                unpacked += got
                bytesRead += got
                guard unpacked <= limit else {
                    throw MonosemeError("\(file.name) unpacks to more than \(limit) bytes, which is no size for what it should be", hint: "if it is, say how much it may take with --unpack-limit BYTES")
                }
            }
            guard isAtEnd else { return place }
            try end(file)
            place += 1
            if buffer.count > 0 { return place - 1 }
        }
        return nil
    }

    private func lastLineEnd(_ buffer: TextBuffer) -> Int? {
        var end = buffer.count
        while end > 0, buffer.base[end - 1] != 0x0a { end -= 1 }
        return end > 0 ? end : nil
    }

    private func cut(_ buffer: TextBuffer, at end: Int) {
        rest = Array(UnsafeBufferPointer(start: buffer.base + end, count: buffer.count - end))
        buffer.count = end
    }

    private func end(_ file: RowFile) throws {
        close(descriptor)
        descriptor = -1
        guard let child else { return }
        self.child = nil
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else { throw MonosemeError("gzip could not unpack \(quoted(file.path, limit: 400)): it is damaged or cut off", hint: "test it with: gzip -t FILE") }
    }
}
