import Formats
import Numerics
import Testing
@testable import DictionaryLearning

// How tests reach into a trainer.

extension Trainer {
    /// Puts a golden's parameters in the place of the trainer's own.
    func set(_ file: SafetensorsFile, _ prefix: String) throws {
        func copy(_ name: String, _ matrix: borrowing Matrix) throws {
            guard matrix.count > 0 else { return }
            let values = try #require(file["\(prefix).\(name)"]).floats()
            try #require(values.count == matrix.count)
            for (place, value) in values.enumerated() { matrix.base[place] = value }
        }
        try copy("W_enc", parameters.encoder.value)
        try copy("W_dec", parameters.decoder.value)
        try copy("b_enc", parameters.encoderBias.value)
        try copy("b_dec", parameters.decoderBias.value)
        try copy("log_threshold", parameters.logThreshold.value)
        refreshAll()
        encoderIsLoaded = false
    }

    /// With the sizes and constants of a golden's case, and without a start.
    convenience init(golden json: JSON, threads: Int, _ pieces: Workspace.Pieces) throws {
        let recipe = try DictionaryLearning.recipe(named: json["recipe"]!.string!)
        let plan = TrainingPlan(width: json["width"]!.integer!, features: json["features"]!.integer!, batchSize: json["batch_size"]!.integer!, steps: json["steps"]!.integer!, seed: 1)
        try self.init(recipe, RecipeConstants(recipe, plan, setting: settings(json["constants"]!)), plan, threads: threads, pieces)
    }

    private func all(_ elements: (borrowing Parameters.Block) -> [Float]) -> [(String, [Float])] {
        [("W_enc", elements(parameters.encoder)), ("W_dec", elements(parameters.decoder)), ("b_enc", elements(parameters.encoderBias)), ("b_dec", elements(parameters.decoderBias)),
         ("log_threshold", elements(parameters.logThreshold))].filter { !$0.1.isEmpty }
    }
    var named: [(String, [Float])] { all { Array($0.value.elements) } }
    var moments: [(String, [Float])] { all { Array($0.first.elements) } }
}

/// A golden's constants as `--set` takes them.
func settings(_ json: JSON) -> [String: String] {
    var settings: [String: String] = [:]
    for (name, value) in json.object!.members {
        if let numbers = value.array { settings[name] = numbers.map { "\($0.number!)" }.joined(separator: ",") } else { settings[name] = value.number.map { "\($0)" } ?? "none" }
    }
    return settings
}

/// ‖a − b‖ ÷ ‖b‖.
func distance(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Double {
    guard a.count == b.count else { return .infinity }
    var apart = 0.0
    for (x, y) in zip(a, b) { apart += (Double(x) - Double(y)) * (Double(x) - Double(y)) }
    let whole = length(b)
    return whole > 0 ? apart.squareRoot() / whole : apart.squareRoot()
}

/// ‖row‖.
func length(_ row: some Sequence<Float>) -> Double {
    var sum = 0.0
    for value in row { sum += Double(value) * Double(value) }
    return sum.squareRoot()
}

extension Matrix {
    /// A copy; `elements` of a matrix that nobody keeps would outlive it.
    var floats: [Float] { Array(elements) }

    /// Normal numbers.
    static func normal(_ rows: Int, _ columns: Int, _ random: inout SeededGenerator) -> Matrix {
        let matrix = Matrix(uninitializedRows: rows, columns: columns)
        for place in 0..<matrix.count { matrix.base[place] = Float(random.normal()) }
        return matrix
    }
}
