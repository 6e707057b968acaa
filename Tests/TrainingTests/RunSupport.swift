import Foundation
import Formats
import Ingestion
import IngestionSupport
import TestSupport
import Training

/// A folder with a random tiny model and some 9,000 tokens of text, and runs of two sizes over it: 30 steps or so, three chunks of
/// the buffer to a pass and a pass to the run.
struct TinyTraining {
    let folder: URL

    static func with<Result>(_ body: (TinyTraining) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try TinyModel.random(seed: 1).write(to: folder.appending(path: "model"))
            try Data(randomCorpus(documents: 60, seed: 4).utf8).write(to: folder.appending(path: "corpus.jsonl"))
            return try body(TinyTraining(folder: folder))
        }
    }

    /// One for each byte of text.
    var tokens: Int {
        get throws { try data("corpus.jsonl").split(separator: UInt8(ascii: "\n")).reduce(0) { $0 + (try JSON(parsing: String(decoding: $1, as: UTF8.self))["text"]?.string?.utf8.count ?? 0) } }
    }
    var steps: Int { get throws { try tokens / Self.batchSize } }

    static let batchSize = 256
    static let sizes = [48, 64]

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func data(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    func json(_ name: String) throws -> JSON { try JSON(parsing: String(decoding: try data(name), as: UTF8.self)) }

    func request(_ output: String, _ change: (inout TrainingRequest) -> Void = { _ in }) -> TrainingRequest {
        var request = TrainingRequest(source: .corpus(CorpusOptions(paths: [path("corpus.jsonl")])), modelFolder: path("model"), hook: "blocks.0.mlp.hook_post", features: Self.sizes, output: path(output))
        request.batchSize = Self.batchSize
        request.bufferRows = 3000
        change(&request)
        return request
    }

    @discardableResult
    func train(_ output: String, _ change: (inout TrainingRequest) -> Void = { _ in }) throws -> TrainingSummary { try Training.train(request(output, change)) }

    /// The same, looked at from outside.
    @discardableResult
    func watch(_ output: String, isInterrupted: @escaping () -> Bool = { false }, report: @escaping (TrainingProgress) throws -> Void = { _ in },
               warn: @escaping (String) -> Void = { _ in }, change: (inout TrainingRequest) -> Void = { _ in }) throws -> TrainingSummary {
        try Training.train(request(output, change), isInterrupted: isInterrupted, report: report, warn: warn)
    }

    struct Killed: Error {}

    /// Runs until `step` steps are done, keeping a checkpoint of every one before, and ends as abruptly as an error can.
    func kill(_ output: String, at step: Int, _ change: (inout TrainingRequest) -> Void = { _ in }) throws {
        do {
            try watch(output, report: { if $0.step >= step { throw Killed() } }, change: { change(&$0); $0.checkpointInterval = .zero })
        } catch is Killed {}
    }

    /// The weights, configurations and logs of a finished run, but for what says how fast it was.
    func results(_ output: String) throws -> [String: Data] {
        var results: [String: Data] = [:]
        for size in Self.sizes {
            for name in ["cfg.json", "sae_weights.safetensors"] { results["\(size)/\(name)"] = try data("\(output)/\(size)/\(name)") }
            let lines = String(decoding: try data("\(output)/\(size)/training.jsonl"), as: UTF8.self).split(separator: "\n")
            results["\(size)/training.jsonl"] = Data(lines.map { $0.prefix(upTo: $0.range(of: ",\"samples_per_second\"")!.lowerBound) }.joined(separator: "\n").utf8)
        }
        return results
    }
}
