import Diagnostics
import Glibc
import Worker

/// One run of the `curl` program.
///
/// A library for what a pipe does is not needed: FoundationNetworking would make the program ten times as large and five times as slow to
/// start, and needs libcurl beside it. What curl is told goes to it in memory (`memfd_create`), so that neither its arguments nor a file
/// hold it; what it says is read under limits.
struct CurlProcess {
    enum End: Equatable { case exited(Int32), killed(Int32), tooLong(limit: Int), headersTooLong, timedOut, stopped }

    var end = End.timedOut
    var headers: [UInt8] = [], body: [UInt8] = [], words: [UInt8] = []

    static let headerLimit = 1 << 16

    /// Runs curl with `configuration` on its standard input and `upload` as /dev/fd/3; it writes the headers to /dev/fd/4.
    ///
    /// - Parameters:
    ///   - hidden: names of environment variables that it must not see.
    ///   - seconds: after which it is ended.
    ///   - grace: seconds that it has left once `stop` says yes.
    static func run(configuration: String, upload: String, hidden: [String], bodyLimit: Int, seconds: Double, grace: Double, stop: () -> Bool) throws -> CurlProcess {
        // -q first: nobody's .curlrc is read.
        var arguments: [UnsafeMutablePointer<CChar>?] = ["curl", "-q", "-K", "-"].map { (word: String) in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var environment: [UnsafeMutablePointer<CChar>?] = []
        var variable = environ
        while let entry = variable.pointee {
            if !hidden.contains(where: { strncmp(entry, $0 + "=", $0.utf8.count + 1) == 0 }) { environment.append(entry) }
            variable += 1
        }
        environment.append(nil)
        var process = child(), configuration = configuration, upload = upload
        let code = configuration.withUTF8 { input in upload.withUTF8 { body in child_begin(&process, &arguments, &environment, input.baseAddress, input.count, body.baseAddress, body.count) } }
        if code != 0, errno == ENOENT { throw MonosemeError("the program curl, which carries questions to language models, is not installed", hint: "install it: apt-get install curl") }
        guard code == 0 else { throw MonosemeError("cannot run curl: \(String(cString: strerror(errno)))", hint: "try it: curl --version") }
        var result = CurlProcess()
        var isReaped = false
        defer { if !isReaped { _ = child_end(&process, 1) } }

        var open = [process.output, process.errors, process.extra].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let deadline = ContinuousClock.now + .seconds(seconds)
        var stopDeadline: ContinuousClock.Instant?
        while !open.isEmpty {
            if stopDeadline == nil, stop() { stopDeadline = .now + .seconds(grace) }
            if let stopDeadline, stopDeadline <= .now { result.end = .stopped; return result }
            if deadline <= .now { result.end = .timedOut; return result }
            let ready = poll(&open, nfds_t(open.count), 50)
            if ready < 0, errno != EINTR { throw MonosemeError("waiting for curl failed: \(String(cString: strerror(errno)))") }
            guard ready > 0 else { continue }
            for place in open.indices.reversed() where open[place].revents != 0 {
                let descriptor = open[place].fd
                let got = read(descriptor, &buffer, buffer.count)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { open.remove(at: place); continue }
                if descriptor == process.output {
                    guard result.body.count + got <= bodyLimit else { result.end = .tooLong(limit: bodyLimit); return result }
                    result.body += buffer[..<got]
                } else if descriptor == process.extra {
                    guard result.headers.count + got <= headerLimit else { result.end = .headersTooLong; return result }
                    result.headers += buffer[..<got]
                } else if result.words.count < 1 << 13 {
                    result.words += buffer[..<got]
                }
            }
        }
        let status = child_end(&process, 0)
        isReaped = true
        // Where SIGCHLD is ignored nobody learns how it ended; what it has said must do.
        result.end = status < 0 ? .exited(0) : status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .killed(status & 0x7f)
        return result
    }
}
