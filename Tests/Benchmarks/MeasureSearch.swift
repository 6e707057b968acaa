import Diagnostics
import FeatureCatalogue
import Formats
import Glibc

/// Searches by the library, on one connection each, as a program that has just been started: medians of `repeats`. One line of JSON.
func measureSearch(_ path: String, _ text: String, repeats: Int) throws -> String {
    var milliseconds: [Double] = [], hits = 0
    for _ in 0..<max(1, repeats) {
        let start = Usage.now.cpu
        hits = try Catalogue(path: path, for: .reading).search(SearchRequest(SearchQuery(parsing: text))).count
        milliseconds.append((Usage.now.cpu - start) * 1000)
    }
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "search, library")
        writer.member("query", text)
        writer.member("cpu_ms", milliseconds.sorted()[milliseconds.count / 2])
        writer.member("hits", hits)
    }
    return writer.text
}

/// A program from its start to its end, its output thrown away: medians of `repeats` in milliseconds. One line of JSON.
func measureProgram(_ what: String, repeats: Int, _ command: [String]) throws -> String {
    var wall: [Double] = [], cpu: [Double] = []
    for _ in 0..<max(1, repeats) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t(), status: Int32 = 0, usage = rusage()
        let start = Usage.now.wall
        guard posix_spawnp(&process, command[0], &actions, nil, &words, environ) == 0 else { throw MonosemeError("cannot run \(command[0])") }
        guard wait4(process, &status, 0, &usage) == process, status == 0 else { throw MonosemeError("\(command.joined(separator: " ")) failed") }
        wall.append((Usage.now.wall - start) * 1000)
        func milliseconds(_ t: timeval) -> Double { Double(t.tv_sec) * 1000 + Double(t.tv_usec) / 1000 }
        cpu.append(milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime))
    }
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", what)
        writer.member("wall_ms", wall.sorted()[wall.count / 2])
        writer.member("wall_least_ms", wall.min()!)
        writer.member("cpu_ms", cpu.sorted()[cpu.count / 2])
    }
    return writer.text
}
