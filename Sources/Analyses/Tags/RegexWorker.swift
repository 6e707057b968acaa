import Diagnostics
import Glibc
import Worker

/// A `TextRegex` in a process of its own, so that a pattern that takes for ever, eats memory or brings the engine down harms nobody.
///
/// The two speak in messages, each a length (8 bytes) and so many bytes: the copy first says what is wrong with the pattern (nothing:
/// an empty message), then for every document the matches it found, as pairs of offsets.
final class RegexWorker {
    private let pattern: String
    private let timeLimit: Double
    private var worker = Worker.worker()
    private var isRunning = false

    /// What backtracking may take up, beside what the process had when it was copied.
    private static let memoryLimit = 4 << 30

    /// - Parameter timeLimit: for the pattern and for each document, in seconds, at most a day or so.
    /// - Throws: `MonosemeError` when the pattern is not a regular expression.
    init(_ pattern: String, timeLimit: Double) throws {
        (self.pattern, self.timeLimit) = (pattern, timeLimit)
        switch worker_begin(&worker, RegexWorker.memoryLimit) {
        case 1: RegexWorker.serve(pattern, worker)
        case 0: isRunning = true
        default: throw MonosemeError("cannot begin a process to match the pattern in: \(String(cString: strerror(errno)))", hint: "end other programs and try again")
        }
        let problem = String(decoding: try answer("the pattern itself"), as: UTF8.self).split(separator: "\0", maxSplits: 1, omittingEmptySubsequences: false)
        if problem.count == 2 { throw MonosemeError(String(problem[0]), hint: String(problem[1])) }
    }

    deinit { end() }

    /// The bytes of each match in a document, ascending; its name is for messages.
    func matches(in bytes: [UInt8], of document: @autoclosure () -> String) throws -> [Range<Int>] {
        let sent = message(bytes)
        guard worker_send(&worker, sent, sent.count, timeLimit) == 0 else { throw crash(document()) }
        let offsets = try answer(document()).withUnsafeBytes { Array($0.bindMemory(to: Int.self)) }
        return stride(from: 0, to: offsets.count, by: 2).map { offsets[$0]..<offsets[$0 + 1] }
    }

    private func answer(_ place: @autoclosure () -> String) throws -> [UInt8] {
        var count = 0
        var state = worker_receive(&worker, &count, 8, timeLimit)
        var bytes = [UInt8](repeating: 0, count: state == 0 ? count : 0)
        if state == 0 { state = worker_receive(&worker, &bytes, count, timeLimit) }
        guard state != 1 else {
            end()
            throw MonosemeError("the pattern \(quoted(pattern, limit: 200)) takes too long: \(place()) was given up after \(timeLimit == timeLimit.rounded() ? "\(Int(timeLimit))" : "\(timeLimit)") s",
                                hint: "nested repetitions such as (a+)+ take a time that doubles with each character: make the pattern simpler, or (?>…) of its repetitions, or raise --time-limit")
        }
        guard state == 0 else { throw crash(place()) }
        return bytes
    }

    private func crash(_ place: String) -> MonosemeError {
        end()
        return MonosemeError("the regex engine broke down over the pattern \(quoted(pattern, limit: 200)) at \(place)", hint: "make the pattern simpler: less nested, with fewer repetitions")
    }

    private func end() {
        if isRunning { _ = worker_end(&worker) }
        isRunning = false
    }

    /// The work of the copy, to its end.
    private static func serve(_ pattern: String, _ worker: Worker.worker) -> Never {
        var original = worker
        func say(_ bytes: [UInt8]) {
            let sent = message(bytes)
            if worker_send(&original, sent, sent.count, -1) != 0 { worker_leave() }
        }
        do {
            let regex = try TextRegex(pattern)
            say([])
            while true {
                var count = 0
                guard worker_receive(&original, &count, 8, -1) == 0 else { worker_leave() }
                var bytes = [UInt8](repeating: 0, count: count)
                guard worker_receive(&original, &bytes, count, -1) == 0 else { worker_leave() }
                say(regex.matches(in: bytes).flatMap { [$0.lowerBound, $0.upperBound] }.withUnsafeBytes { Array($0) })
            }
        } catch {
            let problem = error as? MonosemeError
            say(Array("\(problem?.message ?? "\(error)")\0\(problem?.hint ?? "")".utf8))
            worker_leave()
        }
    }
}

private func message(_ bytes: [UInt8]) -> [UInt8] { withUnsafeBytes(of: bytes.count) { Array($0) } + bytes }
