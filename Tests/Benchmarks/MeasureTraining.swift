import Diagnostics
import DictionaryLearning
import Formats
import Glibc
import Ingestion
import LinearAlgebra
import Numerics
import Training

/// Writes the first `rows` shuffled activations (rows × width) of the neurons of a model over a corpus, as raw float32.
func writeActivations(_ model: String, _ corpus: String, rows: Int, to path: String) throws {
    let source = try CorpusActivations(HookedModel(folder: model, hook: "blocks.0.mlp.hook_post", contextLength: nil, prependsBOS: false), CorpusOptions(paths: [corpus]))
    let stream = try ActivationStream(source, batchSize: rows, bufferRows: rows, seed: 1, threads: 2)
    try stream.advance()
    guard let file = fopen(path, "w") else { throw MonosemeError("cannot write \(path): \(String(cString: strerror(errno)))") }
    defer { fclose(file) }
    guard fwrite(stream.batch.base, 4, stream.batch.count, file) == stream.batch.count else { throw MonosemeError("cannot write all of \(path)") }
}

/// A run of training on activations in memory.
struct TrainingJob {
    var features: Int, batchSize: Int
    /// Before the clock starts, and while it runs.
    var warmUpSteps: Int, steps: Int
    var threads: Int
    var recipe: String
    /// Constants of the recipe, `name=value`.
    var settings: [String] = []
    /// A state that `writeTrainingState` wrote, to go on from; nil begins as the recipe does.
    var start: String?
}

/// Batches in turn of rows in memory, which begin again when they are used up.
private struct Batches: ~Copyable {
    let rows: Matrix
    let batch: Matrix
    private var next = 0

    init(_ rows: consuming Matrix, size: Int) throws {
        guard rows.rows >= size else { throw MonosemeError("\(rows.rows) rows are less than a batch of \(size)") }
        batch = Matrix(uninitializedRows: size, columns: rows.columns)
        self.rows = rows
        advance()
    }

    mutating func advance() {
        if next + batch.rows > rows.rows { next = 0 }
        batch.base.update(from: rows.base + next * rows.columns, count: batch.count)
        next += batch.rows
    }
}

extension TrainingJob {
    /// Steps far more than any benchmark takes, so that no schedule and no resampling comes due.
    private static let stepsOfRun = 1_000_000

    private func trainer(_ sample: borrowing Matrix) throws -> Trainer {
        let recipe = try DictionaryLearning.recipe(named: recipe), plan = TrainingPlan(width: sample.columns, features: features, batchSize: batchSize, steps: Self.stepsOfRun, seed: 0)
        let pairs = settings.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        let constants = try RecipeConstants(recipe, plan, setting: Dictionary(pairs.map { ($0[0], $0.count > 1 ? $0[1] : "") }, uniquingKeysWith: { $1 }))
        guard let start else { return try Trainer(recipe: recipe, constants: constants, plan: plan, sample: sample, threads: threads) }
        guard let file = fopen(start, "r"), let counters = fopen(start + ".json", "r") else { throw MonosemeError("cannot read \(start) and \(start).json: \(String(cString: strerror(errno)))") }
        defer { fclose(file); fclose(counters) }
        var text = [UInt8](repeating: 0, count: 4096)
        text.removeLast(4096 - fread(&text, 1, 4096, counters))
        return try Trainer(recipe: recipe, constants: constants, plan: plan, threads: threads, restoring: JSON(parsing: String(decoding: text, as: UTF8.self))) { tensors in
            for tensor in tensors where fread(tensor.elements.baseAddress, 4, tensor.elements.count, file) != tensor.elements.count {
                throw MonosemeError("\(start) is too short for \(tensor.name)")
            }
        }
    }

    /// Trains, and writes where that leads: every tensor of a checkpoint as raw float32, one after the other, and its counters
    /// beside it. Batches may be smaller than those that are timed: sparsity comes with steps.
    func writeTrainingState(_ rows: consuming Matrix, to path: String) throws -> String {
        var batches = try Batches(rows, size: batchSize)
        let trainer = try trainer(batches.batch)
        var report = StepReport()
        for _ in 0..<warmUpSteps + steps { report = try trainer.step(batches.batch); batches.advance() }
        guard let file = fopen(path, "w"), let counters = fopen(path + ".json", "w") else { throw MonosemeError("cannot write \(path): \(String(cString: strerror(errno)))") }
        defer { fclose(file); fclose(counters) }
        var json = JSONWriter()
        json.value(trainer.counters)
        guard trainer.tensors.allSatisfy({ fwrite($0.elements.baseAddress, 4, $0.elements.count, file) == $0.elements.count }), fputs(json.text, counters) >= 0 else {
            throw MonosemeError("cannot write all of \(path)")
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("state", path)
            writer.member("steps", trainer.stepsDone)
            writer.member("l0", report.l0)
            writer.member("explained_variance", report.explainedVariance)
        }
        return writer.text
    }

    /// What steps cost. One line of JSON.
    func measure(_ rows: consuming Matrix) throws -> String {
        let before = Usage.now.memoryPeak
        var batches = try Batches(rows, size: batchSize)
        let trainer = try trainer(batches.batch)
        var first: StepReport?, report = StepReport(), clock = Usage.now
        for step in 0..<warmUpSteps + steps {
            if step == warmUpSteps { clock = .now }
            report = try trainer.step(batches.batch)
            if step == warmUpSteps { first = report }
            batches.advance()
        }
        let end = Usage.now, samples = Double(steps * batchSize)
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("what", "ours, \(recipe), \(threads) thread\(threads == 1 ? "" : "s")")
            writer.member("start", start.map { _ in "trained" } ?? "new")
            writer.member("features", features)
            writer.member("samples", steps * batchSize)
            writer.member("samples_per_cpu_s", samples / (end.cpu - clock.cpu))
            writer.member("samples_per_s", samples / (end.wall - clock.wall))
            writer.member("l0_before", first?.l0)
            writer.member("l0", report.l0)
            writer.member("loss", report.loss)
            writer.member("explained_variance", report.explainedVariance)
            writer.member("rows_mb", before / 1_000_000)
            writer.member("peak_mb", end.memoryPeak / 1_000_000)
        }
        return writer.text
    }
}
