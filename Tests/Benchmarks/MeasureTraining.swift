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

/// Trains on activations in memory: what a step costs, once the code is as sparse as it gets. One line of JSON.
///
/// - Parameters:
///   - warmUp: steps before the clock starts.
///   - settings: constants of the recipe, `name=value`.
func measureTraining(_ rows: borrowing Matrix, features: Int, batchSize: Int, recipe name: String, warmUp: Int, steps: Int, threads: Int, settings: [String]) throws -> String {
    let recipe = try recipe(named: name), plan = TrainingPlan(width: rows.columns, features: features, batchSize: batchSize, steps: 1_000_000, seed: 0)
    let constants = Dictionary(settings.map { pair in
        let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
        return (parts[0], parts.count > 1 ? parts[1] : "")
    }, uniquingKeysWith: { $1 })
    guard rows.rows >= batchSize else { throw MonosemeError("\(rows.rows) rows are less than a batch of \(batchSize)") }
    let batch = Matrix(uninitializedRows: batchSize, columns: rows.columns)
    var next = 0
    func take() {
        if next + batchSize > rows.rows { next = 0 }
        batch.base.update(from: rows.base + next * rows.columns, count: batch.count)
        next += batchSize
    }
    take()
    let trainer = try Trainer(recipe: recipe, constants: RecipeConstants(recipe, plan, setting: constants), plan: plan, sample: batch, threads: threads)
    var report = try trainer.step(batch)
    for _ in 1..<max(1, warmUp) { take(); report = try trainer.step(batch) }
    let first = report.l0, start = Usage.now
    for _ in 0..<steps { take(); report = try trainer.step(batch) }
    let end = Usage.now, samples = Double(steps * batchSize)

    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "train, \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("recipe", name)
        writer.member("features", features)
        writer.member("samples", steps * batchSize)
        writer.member("samples_per_cpu_s", samples / (end.cpu - start.cpu))
        writer.member("samples_per_s", samples / (end.wall - start.wall))
        writer.member("l0_before", first)
        writer.member("l0", report.l0)
        writer.member("loss", report.loss)
        writer.member("explained_variance", report.explainedVariance)
        writer.member("peak_mb", end.memoryPeak / 1_000_000)
    }
    return writer.text
}
