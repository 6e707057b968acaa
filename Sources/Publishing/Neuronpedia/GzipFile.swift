import Diagnostics
import Glibc

/// A file that the gzip program packs, without name and time, so that the same bytes give the same file.
final class GzipFile {
    private let path: String
    private var pipe: Int32
    private var child: pid_t?
    private var pending: [UInt8] = []

    init(_ path: String) throws {
        self.path = path
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw MonosemeError("cannot make a pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard file >= 0 else {
            let reason = String(cString: strerror(errno))
            for end in ends { close(end) }
            throw MonosemeError("cannot write \(quoted(path, limit: 400)): \(reason)")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_adddup2(&actions, file, 1)
        // Level 5, as Neuronpedia's own exports.
        var arguments: [UnsafeMutablePointer<CChar>?] = ["gzip", "-n", "-5", "-c"].map { (word: String) in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let code = posix_spawnp(&process, "gzip", &actions, nil, &arguments, environ)
        close(ends[0])
        close(file)
        pipe = ends[1]
        guard code == 0 else {
            close(pipe)
            pipe = -1
            throw MonosemeError("cannot run gzip: \(String(cString: strerror(code)))", hint: "install it: apt-get install gzip")
        }
        child = process
    }

    deinit {
        if pipe >= 0 { close(pipe) }
        if let child { var status: Int32 = 0; waitpid(child, &status, 0) }
    }

    func write(_ bytes: [UInt8]) throws {
        pending += bytes
        if pending.count >= 1 << 16 { try flush() }
    }

    private func flush() throws {
        try pending.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let written = Glibc.write(pipe, bytes.baseAddress! + done, bytes.count - done)
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { throw failure }
                done += written
            }
        }
        pending.removeAll(keepingCapacity: true)
    }

    private var failure: MonosemeError { MonosemeError("gzip could not write \(quoted(path, limit: 400))", hint: "check that there is room on the disk") }

    /// Ends the file, and waits until all of it is there.
    func finish() throws {
        try flush()
        close(pipe)
        pipe = -1
        guard let child else { return }
        self.child = nil
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else { throw failure }
    }
}
