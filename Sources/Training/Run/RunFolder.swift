import Diagnostics
import Formats
import Glibc

/// The folder of a run, taken for this process alone as long as the object lives.
final class RunFolder {
    let path: String
    /// What was found there; `nil` in a new or empty folder.
    let found: RunDescription?
    private let descriptor: Int32

    /// Makes the folder where there is none.
    /// - Throws: `MonosemeError` where it cannot be made or written, another process has it, or it holds anything but a run.
    init(_ path: String) throws {
        self.path = path
        try RunFolder.make(path)
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MonosemeError("cannot use the folder \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
        do {
            // File systems without such locks (some on networks) leave it to the user not to run the same twice at once.
            if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
                throw MonosemeError("another process is training in \(quoted(path, limit: 400))", hint: "wait for it to end, or give another folder with -o")
            }
            found = try RunFolder.run(in: path)
        } catch {
            close(descriptor)
            throw error
        }
    }

    // The lock ends with the descriptor.
    deinit { close(descriptor) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Notes which run this is, and whether it is complete.
    func record(_ run: RunDescription, isComplete: Bool) throws { try replaceFile(file(RunDescription.fileName), with: run.text(isComplete: isComplete), isAlone: true) }

    private static func run(in path: String) throws -> RunDescription? {
        let record = "\(path)/\(RunDescription.fileName)"
        if kind(of: record) != .missing { return try RunDescription(contentsOf: record) }
        // A kill may have come while the record was being written.
        let begun = FileReplacement.temporaryPath(of: RunDescription.fileName, isAlone: true)
        if let other = try allContents(of: path).first(where: { $0 != begun }) {
            throw MonosemeError("the folder \(quoted(path, limit: 400)) is not empty (it holds \(quoted(other))) and not the folder of a training run", hint: "give an empty or a new folder with -o")
        }
        return nil
    }

    /// What is in a folder, hidden names too.
    private static func allContents(of path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw MonosemeError("cannot read the folder \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } })
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    /// Makes a folder and those it lies in.
    static func make(_ path: String) throws {
        switch kind(of: path) {
        case .folder: return
        case .file, .other: throw MonosemeError("\(quoted(path, limit: 400)) is a file, not a folder", hint: "give another folder with -o")
        case .missing: break
        }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex, case let parent = String(path[..<slash]), !parent.isEmpty { try make(parent) }
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw MonosemeError("cannot make the folder \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))", hint: "choose a place you may write to with -o")
        }
        syncFolder(of: path)
    }
}
