import Diagnostics
import DictionaryLearning
import Formats
import Numerics

/// A run under way: the stream, and the trainers that take their steps on its batches.
final class Session {
    /// A dictionary in training and what is reported of it.
    final class Learner {
        let trainer: Trainer
        let log: TrainingLog
        var last: StepReport?
        var hasBeenWarned = false

        init(_ trainer: Trainer, _ log: TrainingLog) { (self.trainer, self.log) = (trainer, log) }
    }

    private let training: Training
    let stream: ActivationStream
    let learners: [Learner]
    /// Spent on steps, before the resumption too.
    private(set) var seconds: Double
    /// The step of the last checkpoint on disk; `nil` before the first.
    private var checkpointed: Int?

    /// Steps done.
    var step: Int { learners[0].trainer.stepsDone }

    init(beginning training: Training) throws {
        self.training = training
        let request = training.request
        let stream = try ActivationStream(training.materials.source, batchSize: request.batchSize, bufferRows: request.bufferRows, seed: request.seed, threads: request.threads)
        let sample = try stream.sample(max(request.batchSize, Training.sampleRows))
        var learners: [Learner] = []
        for (plan, constants) in zip(training.plans, training.constants) {
            let trainer = try Trainer(recipe: training.recipe, constants: constants, plan: plan, sample: sample, threads: request.threads)
            learners.append(Learner(trainer, TrainingLog(training.place(of: plan.features) + "/" + TrainingLog.fileName)))
        }
        (self.stream, self.learners, seconds) = (stream, learners, 0)
    }

    init(resuming training: Training, from checkpoint: Checkpoint.Reader) throws {
        self.training = training
        let request = training.request, state = checkpoint.state
        guard let place = state["stream"].flatMap({ ActivationStream.State($0) }), let parts = state["dictionaries"]?.array, parts.count == training.plans.count,
              let seconds = state["seconds"]?.number
        else { throw checkpoint.problem("does not hold the state of this run") }
        stream = try ActivationStream(training.materials.source, batchSize: request.batchSize, bufferRows: request.bufferRows, seed: request.seed, threads: request.threads, from: place)
        var learners: [Learner] = []
        for (place, plan) in training.plans.enumerated() {
            guard let counters = parts[place]["counters"], let reports = parts[place]["reports"]?.string, let hasBeenWarned = parts[place]["has_been_warned"]?.bool
            else { throw checkpoint.problem("does not hold the state of this run") }
            let trainer = try Trainer(recipe: training.recipe, constants: training.constants[place], plan: plan, threads: request.threads, restoring: counters) {
                try checkpoint.fill($0, of: place)
            }
            let learner = Learner(trainer, TrainingLog(training.place(of: plan.features) + "/" + TrainingLog.fileName, text: reports))
            learner.hasBeenWarned = hasBeenWarned
            learners.append(learner)
        }
        guard learners.allSatisfy({ $0.trainer.stepsDone == learners[0].trainer.stepsDone }) else { throw checkpoint.problem("does not hold the state of this run") }
        (self.learners, self.seconds) = (learners, seconds)
        checkpointed = step
    }

    /// Takes the steps that are left.
    /// - Returns: `false` when it was interrupted; a checkpoint has been taken.
    func train(checkpointingTo path: String) throws -> Bool {
        let steps = training.plans[0].steps, batchSize = training.request.batchSize, interval = training.request.checkpointInterval
        let reportEvery = (steps + Training.reportsMost - 1) / Training.reportsMost
        let clock = ContinuousClock()
        var due = clock.now + interval
        var reported = (time: clock.now, step: step), isFailing = false
        try training.report(progress(.training))
        while step < steps {
            let started = clock.now
            for learner in learners { try resample(learner) }
            try stream.advance()
            for learner in learners { try take(learner) }
            let now = clock.now
            seconds += (now - started) / .seconds(1)
            if step % reportEvery == 0 || step == steps {
                let rate = Double((step - reported.step) * batchSize) / max(1e-9, (now - reported.time) / .seconds(1))
                for learner in learners {
                    learner.log.append(learner.last!, step: step, samples: step * batchSize, samplesPerSecond: rate)
                    warnOfSilence(learner)
                }
                reported = (now, step)
            }
            try training.report(progress(.training))
            if step == steps { break }
            if training.isInterrupted() {
                try write(to: path)
                return false
            }
            if now >= due {
                do {
                    try write(to: path)
                    isFailing = false
                } catch let error as MonosemeError {
                    // Told once, until one is written again.
                    if !isFailing { training.warn("no checkpoint at step \(step): \(error.message); \(kept); training goes on and tries again") }
                    isFailing = true
                }
                due = clock.now + interval
            }
        }
        return true
    }

    /// What is left if the run ends now.
    var kept: String {
        checkpointed.map { "the checkpoint of step \($0) is kept in \(quoted(training.request.output, limit: 400))" } ?? "there is no checkpoint yet"
    }

    private func resample(_ learner: Learner) throws {
        guard let count = learner.trainer.inputsWantedForResampling else { return }
        _ = try learner.trainer.resample(from: stream.randomRows(count))
    }

    private func take(_ learner: Learner) throws {
        do { learner.last = try learner.trainer.step(stream.batch) } catch let error as MonosemeError {
            throw MonosemeError("\(learner.trainer.plan.features) features: \(error.message); \(kept)",
                                hint: error.hint.map { $0 + ", and give another folder with -o: a run keeps its constants" })
        }
    }

    /// Says once that hardly anything fires any more, with what is to be known of it.
    private func warnOfSilence(_ learner: Learner) {
        guard let last = learner.last, !learner.hasBeenWarned, step * 20 >= learner.trainer.plan.steps, last.sparsityCoefficient > 0 else { return }
        let features = learner.trainer.plan.features
        guard last.l0 < 0.1 || Double(last.dead) > 0.95 * Double(features) else { return }
        learner.hasBeenWarned = true
        let name = ["l1", "sparsity"].first { learner.trainer.constants[$0] != nil }
        training.warn("""
            \(features) features: at step \(step) of \(learner.trainer.plan.steps) hardly anything fires: L0 \(rounded(last.l0)), \(last.dead) of \(features) features dead, \
            λ \(rounded(last.sparsityCoefficient)); try a smaller \(name.map { "--\($0 == "l1" ? "l1" : "set " + $0 + "=…")" } ?? "λ")
            """)
    }

    /// To six places, `5` for 5.0.
    private func rounded(_ value: Double) -> String { "\(ConstantValue.number((value * 1e6).rounded() / 1e6))" }

    // MARK: - What is told and kept

    func progress(_ stage: TrainingProgress.Stage) -> TrainingProgress {
        TrainingProgress(stage: stage, step: step, steps: training.plans[0].steps, batchSize: training.request.batchSize,
                         dictionaries: learners.map { .init(features: $0.trainer.plan.features, last: $0.last, losses: $0.log.losses) })
    }

    var parts: [TrainingSummary.Part] {
        learners.map { .init(features: $0.trainer.plan.features, folder: training.place(of: $0.trainer.plan.features), last: $0.last, evaluation: nil) }
    }

    private func write(to path: String) throws {
        var state = JSONWriter()
        state.object { state in
            state.key("stream")
            stream.state.write(to: &state)
            state.member("seconds", seconds)
            state.key("dictionaries")
            state.array { state in
                for learner in learners {
                    state.object { state in
                        state.key("counters")
                        state.value(learner.trainer.counters)
                        state.member("reports", learner.log.text)
                        state.member("has_been_warned", learner.hasBeenWarned)
                    }
                }
            }
        }
        try Checkpoint.write(path, run: training.description.digest, state: state.text, tensors: learners.map(\.trainer.tensors))
        checkpointed = step
    }
}
