import Diagnostics
import Glibc

/// All of standard input.
/// - Throws: when it is longer than `limit` bytes.
func readStandardInput(limit: Int) throws -> [UInt8] {
    var all: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(0, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw MonosemeError("reading standard input failed: \(String(cString: strerror(errno)))") }
        if count == 0 { return all }
        all.append(contentsOf: buffer[..<count])
        guard all.count <= limit else { throw MonosemeError("standard input is longer than \(limit) bytes") }
    }
}
