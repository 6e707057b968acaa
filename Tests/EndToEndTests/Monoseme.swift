import Foundation
import IngestionSupport

/// The built program, which lies beside the test bundle.
let monoseme: String = {
    let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(filePath: runner).deletingLastPathComponent().appending(path: "monoseme").path
}()

/// How a process ended and what it said.
struct Outcome: Equatable, CustomStringConvertible {
    /// The exit status, or 128 + the signal.
    var status: Int32
    var errors: String
    var output = ""

    var description: String { "exit \(status)\nstdout: \(output)\nstderr: \(errors)" }
}

/// A process under way, its words going to files so that it never waits for a reader.
final class Running {
    let process = Process()
    private let words: URL

    /// - Parameter folder: the working directory.
    init(_ arguments: [String], program: String = monoseme, in folder: URL, environment: [String: String] = [:], input: Any? = FileHandle.nullDevice) throws {
        words = folder.appending(path: ".words-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: words, withIntermediateDirectories: false)
        for name in ["out", "err"] { try Data().write(to: words.appending(path: name)) }
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: words.appending(path: "out"))
        process.standardError = try FileHandle(forWritingTo: words.appending(path: "err"))
        try process.run()
    }

    func kill() { Glibc.kill(process.processIdentifier, SIGKILL) }

    func outcome() throws -> Outcome {
        process.waitUntilExit()
        defer { try? FileManager.default.removeItem(at: words) }
        func text(_ name: String) throws -> String { String(decoding: try Data(contentsOf: words.appending(path: name)), as: UTF8.self) }
        return Outcome(status: process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0), errors: try text("err"), output: try text("out"))
    }
}

/// Runs the program to its end.
func run(_ arguments: [String], in folder: URL, environment: [String: String] = [:]) throws -> Outcome {
    try Running(arguments, in: folder, environment: environment).outcome()
}

/// Runs a line of shell to its end; `$monoseme` is the program.
func shell(_ line: String, in folder: URL) throws -> Outcome {
    try Running(["-c", line], program: "/bin/bash", in: folder, environment: ["monoseme": monoseme]).outcome()
}

/// A folder with `model`, `sae` and `corpus.jsonl`, tiny and random.
func writeTinyWorld(to folder: URL, documents: Int) throws {
    try TinyModel.random(seed: 1).write(to: folder.appending(path: "model"))
    try TinyDictionary.random(seed: 2).write(to: folder.appending(path: "sae"))
    try Data(randomCorpus(documents: documents, seed: 4).utf8).write(to: folder.appending(path: "corpus.jsonl"))
}

/// `monoseme ingest` over the tiny world.
func ingestion(into catalogue: String = "catalogue.sqlite", corpus: String = "corpus.jsonl", _ more: [String] = []) -> [String] {
    ["ingest", "--model", "model", "--sae", "sae", "--name", "T/0", "--corpus", corpus, "--catalogue", catalogue] + more
}
