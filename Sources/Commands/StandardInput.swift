import Diagnostics
import Glibc

/// All of standard input.
/// - Throws: when it is longer than `limit` bytes.
func readStandardInput(limit: Int) throws -> [UInt8] { try readAll(of: 0, "standard input", limit: limit) }

/// All of a file, of whatever kind, or of standard input for `-`.
/// - Throws: when it cannot be read, or is longer than `limit` bytes.
func readInput(_ path: String, limit: Int) throws -> [UInt8] {
    if path == "-" { return try readStandardInput(limit: limit) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MonosemeError("cannot open \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    return try readAll(of: descriptor, quoted(path, limit: 400), limit: limit)
}

private func readAll(of descriptor: Int32, _ name: String, limit: Int) throws -> [UInt8] {
    var all: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw MonosemeError("reading \(name) failed: \(String(cString: strerror(errno)))") }
        if count == 0 { return all }
        all.append(contentsOf: buffer[..<count])
        guard all.count <= limit else { throw MonosemeError("\(name) is longer than \(limit) bytes") }
    }
}
