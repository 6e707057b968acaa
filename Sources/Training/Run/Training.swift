import Diagnostics
import DictionaryLearning
import Formats
import Glibc
import Ingestion
import LinearAlgebra
import Numerics

/// Trains dictionaries on the activations of a model, several sizes on the same batches, and writes each as a SAELens folder.
///
/// The state is kept from time to time in a checkpoint. Killed anywhere and run again, the run goes on from the last one, and the
/// finished weights are, bit by bit, those of a run that was never stopped, whatever the number of threads.
///
/// Where a checkpoint cannot be written (a full disk), training goes on and tries again when the next is due: stopping would lose the work
/// since the last good one at once, and all that the machine could have done until somebody makes room; going on loses no more than
/// that if nobody does. The last good checkpoint stays where it is.
/// - Parameters:
///   - isInterrupted: asked after every step; if so, a checkpoint is taken and the run ends.
///   - report: is told of progress after every step. What it throws ends the run as a kill would.
///   - warn: is told of what does not stop the run.
/// - Throws: `MonosemeError` for what makes no sense or cannot be read or written, numbers that are not finite, and a loss that explodes;
///   the last checkpoint stays.
public func train(
    _ request: TrainingRequest, isInterrupted: @escaping () -> Bool = { false }, report: @escaping (TrainingProgress) throws -> Void = { _ in },
    warn: @escaping (String) -> Void = { _ in }
) throws -> TrainingSummary {
    try Training(request, isInterrupted: isInterrupted, report: report, warn: warn).run()
}

/// One run: what it was asked for, found to make sense, and the folder it has for itself.
final class Training {
    let request: TrainingRequest
    let recipe: any Recipe.Type
    let materials: Materials
    let folder: RunFolder
    let description: RunDescription
    let plans: [TrainingPlan]
    let constants: [RecipeConstants]
    let isInterrupted: () -> Bool
    let report: (TrainingProgress) throws -> Void
    let warn: (String) -> Void

    /// Lines of training.jsonl in a whole run, at most.
    static let reportsMost = 1000
    /// Rows that scale, geometric median and starting weights are taken from, or a batch if that is more.
    static let sampleRows = 16_384

    init(_ request: TrainingRequest, isInterrupted: @escaping () -> Bool, report: @escaping (TrainingProgress) throws -> Void, warn: @escaping (String) -> Void) throws {
        (self.request, self.isInterrupted, self.report, self.warn) = (request, isInterrupted, report, warn)
        recipe = try DictionaryLearning.recipe(named: request.recipe)
        // Cheap mistakes first: before minutes of loading, and before anything is written.
        try Training.check(request)
        let trial = TrainingPlan(width: 1 << 20, features: request.features.min()!, batchSize: request.batchSize, steps: 1, seed: request.seed)
        _ = try RecipeConstants(recipe, trial, setting: request.constants)
        try report(TrainingProgress(stage: .loading, step: 0, steps: 0, batchSize: request.batchSize, dictionaries: request.features.map { .init(features: $0, last: nil, losses: []) }))
        materials = try Materials(request, warn: warn)
        folder = try RunFolder(request.output)

        let recipe = recipe, width = materials.source.width
        let steps = try Training.steps(of: request, materials, folder.found)
        plans = request.features.map { TrainingPlan(width: width, features: $0, batchSize: request.batchSize, steps: steps, seed: request.seed) }
        try plans.forEach(Trainer.check)
        constants = try plans.map { try RecipeConstants(recipe, $0, setting: request.constants) }
        let designs = try zip(constants, plans).map { try recipe.design($0, $1) }
        try Training.check(memory: zip(plans, designs).reduce(0) { $0 + Trainer.memory($1.0, $1.1) })
        description = try Training.description(of: request, materials, plans, constants)
        guard let found = folder.found else { return }
        let differences = found.differences(from: description)
        guard differences.isEmpty else {
            let more = differences.count > 3 ? ", and \(differences.count - 3) more" : ""
            throw MonosemeError("the folder \(quoted(request.output, limit: 400)) holds another run: \(differences.prefix(3).joined(separator: "; "))\(more)",
                                hint: "run the command it was begun with to go on there, or give another folder with -o")
        }
    }

    private static func check(_ request: TrainingRequest) throws {
        guard !request.features.isEmpty else { throw MonosemeError("no size was given", hint: "say how many features with --features, such as --features 512,4096") }
        for (place, features) in request.features.enumerated() {
            guard features > 0 else { throw MonosemeError("a dictionary of \(features) features makes no sense", hint: "give --features sizes of 1 or more") }
            guard !request.features[..<place].contains(features) else { throw MonosemeError("the size \(features) is given twice", hint: "give each of --features once") }
        }
        guard request.batchSize > 0 else { throw MonosemeError("a batch of \(request.batchSize) samples makes no sense", hint: "give --batch 1 or more") }
        if let samples = request.samples, samples < request.batchSize { throw tooFew(samples, request.batchSize) }
    }

    /// Better no run than one that the system kills, and others with it.
    private static func check(memory needed: Double) throws {
        let there = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
        guard there <= 0 || needed <= there else {
            func gigabytes(_ bytes: Double) -> String { "\((bytes / 1e8).rounded() / 10) GB" }
            throw MonosemeError("training this takes \(gigabytes(needed)) of memory at least, and the machine has \(gigabytes(there))",
                                hint: "give --features smaller or fewer sizes, or a smaller --batch")
        }
    }

    private static func tooFew(_ samples: Int, _ batchSize: Int) -> MonosemeError {
        MonosemeError("\(samples) samples do not fill a batch of \(batchSize)", hint: "train on more, or give a smaller --batch")
    }

    /// Steps of the whole run. What an earlier start has counted is not counted again.
    private static func steps(of request: TrainingRequest, _ materials: Materials, _ found: RunDescription?) throws -> Int {
        if materials.source.rowCount == .exactly(0) { throw materials.source.emptiness }
        if let samples = request.samples { return samples / request.batchSize }
        if let found, found.json["is_one_pass"]?.bool == true, found.json["batch_size"]?.integer == request.batchSize,
           found.json["activations"]?.string == materials.fingerprint, let samples = found.json["samples"]?.integer, samples >= request.batchSize {
            return samples / request.batchSize
        }
        let rows = try materials.countRows()
        guard rows > 0 else { throw materials.source.emptiness }
        guard rows >= request.batchSize else { throw tooFew(rows, request.batchSize) }
        return rows / request.batchSize
    }

    private static func description(of request: TrainingRequest, _ materials: Materials, _ plans: [TrainingPlan], _ constants: [RecipeConstants]) throws -> RunDescription {
        func integer(_ value: Int) -> JSON { .unsigned(UInt64(value)) }
        func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
        return RunDescription([
            ("recipe", .string(request.recipe)),
            ("constants", .object(JSON.Object(zip(plans, constants).map { plan, constants in
                (String(plan.features), .object(JSON.Object(constants.all.map { (key: $0.name, value: $0.value.json) })))
            }))),
            ("features", .array(plans.map { integer($0.features) })),
            ("seed", .unsigned(request.seed)),
            ("samples", integer(plans[0].samples)),
            ("is_one_pass", .bool(request.samples == nil)),
            ("batch_size", integer(request.batchSize)),
            ("buffer_rows", request.bufferRows.map(integer) ?? .null),
            ("activations", .string(materials.fingerprint)),
            ("model", text(materials.modelSHA256)),
            ("hook", text(materials.hook)),
            ("context", request.contextLength.map(integer) ?? .null),
            ("prepends_bos", .bool(request.prependsBOS)),
            ("weights", .string(request.weightType.rawValue)),
            ("held_out", text(try request.heldOut.map { try CorpusReader($0).fingerprint() })),
        ])
    }

    // MARK: - The run

    func run() throws -> TrainingSummary {
        let checkpoint = folder.file(Checkpoint.fileName)
        if folder.found?.isComplete == true {
            // Left by a kill that came between the two.
            remove(checkpoint)
            return summary(.alreadyComplete, step: plans[0].steps, passes: 0, plans.map { .init(features: $0.features, folder: place(of: $0.features), last: nil, evaluation: nil) })
        }
        let learned = try learn(checkpoint)
        guard let progress = learned.progress else { return learned.summary }
        var result = learned.summary
        let evaluations = try evaluate(result.dictionaries, reporting: progress)
        for place in result.dictionaries.indices { result.dictionaries[place].evaluation = evaluations?[place] }
        for (place, part) in result.dictionaries.enumerated() {
            try replaceFile(part.folder + "/summary.json", with: text(of: part, constants[place], result, seconds: learned.seconds), isAlone: true)
        }
        try folder.record(description, isComplete: true)
        remove(checkpoint)
        return result
    }

    /// Trains, and writes the dictionaries. The trainers' memory, which may be gigabytes, is free again when this returns.
    /// - Returns: with the progress to report while the dictionaries are evaluated; without where the run was interrupted.
    private func learn(_ checkpoint: String) throws -> (summary: TrainingSummary, seconds: Double, progress: TrainingProgress?) {
        let session = try kind(of: checkpoint) == .missing ? Session(beginning: self) : Session(resuming: self, from: Checkpoint.read(checkpoint, run: description.digest))
        // Only now: a run whose first activations are of no use has not begun, and does not hold the folder against a better one.
        try folder.record(description, isComplete: false)
        for learner in session.learners {
            try RunFolder.make(place(of: learner.trainer.plan.features))
            try learner.log.rewrite()
        }
        let resumed = session.step
        guard try session.train(checkpointingTo: checkpoint) else {
            return (summary(.interrupted, step: session.step, resumed: resumed, passes: session.stream.passes, session.parts), session.seconds, nil)
        }
        do {
            for learner in session.learners {
                try learner.log.rewrite()
                try write(learner.trainer, to: place(of: learner.trainer.plan.features))
            }
        } catch let error as MonosemeError {
            throw MonosemeError("the training is done, but \(error.message); \(session.kept)", hint: error.hint ?? "mend that and run the same command again: it goes on from there")
        }
        return (summary(.trained, step: session.step, resumed: resumed, passes: session.stream.passes, session.parts), session.seconds, session.progress(.evaluating))
    }

    /// Where the dictionary of a size goes.
    func place(of features: Int) -> String { request.features.count == 1 ? request.output : folder.file(String(features)) }

    private func summary(_ outcome: TrainingSummary.Outcome, step: Int, resumed: Int = 0, passes: Int, _ parts: [TrainingSummary.Part]) -> TrainingSummary {
        TrainingSummary(outcome: outcome, step: step, steps: plans[0].steps, samples: step * request.batchSize, samplesResumed: resumed * request.batchSize, passes: passes, dictionaries: parts)
    }

    private func remove(_ path: String) {
        guard kind(of: path) == .file else { return }
        unlink(path)
        syncFolder(of: path)
    }
}
