import DictionaryLearning
import Formats
import Glibc

/// `training.jsonl`: a line for each report.
///
/// The lines are kept in memory and with every checkpoint; the file follows them for those who watch. What a kill cut short, or a
/// full disk left out, is put right by the next `rewrite`.
final class TrainingLog {
    let path: String
    private(set) var text: String
    private(set) var losses: [Double]
    private var descriptor: Int32 = -1

    static let fileName = "training.jsonl"

    /// - Parameter text: what a checkpoint held of it.
    init(_ path: String, text: String = "") {
        (self.path, self.text) = (path, text)
        losses = text.split(separator: "\n").map { (try? JSON(parsing: String($0)))?["loss"]?.number ?? .nan }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Makes the file hold the lines there are, and go on from there.
    func rewrite() throws {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        try replaceFile(path, with: text, isAlone: true)
        descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    }

    func append(_ report: StepReport, step: Int, samples: Int, samplesPerSecond: Double) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("step", step)
            writer.member("samples", samples)
            report.write(to: &writer)
            writer.member("samples_per_second", samplesPerSecond.rounded())
        }
        writer.endLine()
        losses.append(report.loss)
        var line = writer.text
        text += line
        // Nobody is told of a failure: the lines are kept, and `rewrite` reports it if it lasts.
        if descriptor >= 0 { line.withUTF8 { _ = write(descriptor, $0.baseAddress, $0.count) } }
    }
}

extension StepReport {
    func write(to writer: inout JSONWriter) {
        writer.member("loss", loss)
        writer.member("mse", meanSquaredError)
        writer.member("l0", l0)
        writer.member("explained_variance", explainedVariance)
        writer.member("dead", dead)
        writer.member("learning_rate", learningRate)
        writer.member("sparsity_coefficient", sparsityCoefficient)
    }
}
