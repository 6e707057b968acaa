import DictionaryLearning
import FeatureCatalogue
import LineageSupport
import Numerics
import Testing

/// World A: four orthogonal features, the second of which is on only where the first is. A dictionary with L1 learns one direction for both, and a feature
/// for the first that is silent where the second is on (Chanin et al. 2024, "A is for absorption", section 3).
///
/// Red when `isCarried` in `LineageRule` asks for a containment of 2, or calls its edges likely.
@Suite struct AbsorptionTests {
    static let width = 50

    /// Which of the four are on at each token, and inputs that are their sum.
    private static func samples(_ rows: Int, _ random: inout SeededGenerator, _ directions: [[Float]]) -> (inputs: [Float], on: [[Bool]]) {
        var inputs = [Float](repeating: 0, count: rows * width), on: [[Bool]] = []
        for row in 0..<rows {
            let first = random.uniform() < 0.25
            on.append([first, first && random.uniform() < 0.2, random.uniform() < 0.05, random.uniform() < 0.05])
            for feature in 0..<4 where on[row][feature] { for i in 0..<width { inputs[row * width + i] += directions[feature][i] } }
        }
        return (inputs, on)
    }

    /// Orthogonal unit directions (Gram and Schmidt).
    private static func directions(_ random: inout SeededGenerator) -> [[Float]] {
        var rows: [[Float]] = []
        for _ in 0..<4 {
            var row = (0..<width).map { _ in Float(random.normal()) }
            for other in rows {
                let along = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
                for i in 0..<width { row[i] -= along * other[i] }
            }
            let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            rows.append(row.map { $0 / norm })
        }
        return rows
    }

    @Test func `a parent with a hole and the child that fills it are a candidate, and with the meaning known they are all there is`() throws {
        var worlds = 0
        for seed: UInt64 in 1...4 {
            let (flagged, absorbed) = try Self.world(seed)
            #expect(flagged == absorbed)
            worlds += absorbed.isEmpty ? 0 : 1
        }
        #expect(worlds >= 2, "dictionaries that learned the second feature with the first")
    }

    /// Parent and absorber, as the lineage and a predicate have them, and as the planted directions do.
    private static func world(_ seed: UInt64) throws -> (flagged: Set<[Int]>, absorbed: Set<[Int]>) {
        var random = SeededGenerator(seed: seed, stream: 0x41)
        let planted = directions(&random), sizes = [4, 5]
        let first = samples(2048, &random, planted).inputs, recipe = try recipe(named: "towards-monosemanticity")
        let trainers = try sizes.map { size in
            let plan = TrainingPlan(width: width, features: size, batchSize: 512, steps: 2000, seed: seed)
            return try Trainer(recipe: recipe, constants: RecipeConstants(recipe, plan, setting: ["l1": "0.002", "learning_rate": "0.003"]), plan: plan, sample: Matrix(rows: 2048, columns: width, first))
        }
        for _ in 0..<2000 {
            for trainer in trainers where trainer.inputsWantedForResampling != nil { _ = try trainer.resample(from: Matrix(rows: 2048, columns: width, samples(2048, &random, planted).inputs)) }
            let batch = Matrix(rows: 512, columns: width, samples(512, &random, planted).inputs)
            for trainer in trainers { _ = try trainer.step(batch) }
        }
        let (inputs, on) = samples(20_000, &random, planted)
        let versions = trainers.map { encode(Matrix(rows: 20_000, columns: width, inputs), by: $0.trained()) }
        return try withLineage(versions) { built in
            // The predicate is that the first planted feature is on. Its features miss some of its tokens; those that fire on most of what is missed absorb it.
            let predicate = on.indices.filter { on[$0][0] }
            let fires = versions.map { version in version.byFeature.map { Set($0.map { Int($0.token) }) } }
            var flagged: Set<[Int]> = []
            for (parent, tokens) in fires[0].enumerated() where Double(tokens.intersection(predicate).count) >= 0.9 * Double(max(1, tokens.count)) && tokens.count > predicate.count / 2 {
                let holes = Set(predicate).subtracting(tokens)
                guard 10 * holes.count > predicate.count else { continue }
                for edge in built.edges where edge.parent.index == parent && edge.kind == .absorbed {
                    if 2 * holes.intersection(fires[1][edge.child.index]).count > holes.count { flagged.insert([parent, edge.child.index]) }
                }
            }
            // By direction: the parent points along the first planted feature, and in both versions another along the sum of both.
            let both = zip(planted[0], planted[1]).map { $0 + $1 }
            func features(_ version: FeatureActivations, along direction: [Float]) -> [Int] { version.decoder.indices.filter { cosine(version.decoder[$0], direction) > 0.9 } }
            let absorbed = features(versions[0], along: both).isEmpty ? [] : features(versions[0], along: planted[0]).flatMap { parent in features(versions[1], along: both).map { [parent, $0] } }
            for edge in built.edges where edge.kind == .absorbed { #expect(edge.tier == .candidate) }
            return (flagged, Set(absorbed))
        }
    }

    private static func cosine(_ a: [Float], _ b: [Float]) -> Float {
        let norms = (a.reduce(0) { $0 + $1 * $1 } * b.reduce(0) { $0 + $1 * $1 }).squareRoot()
        return norms > 0 ? zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / norms : 0
    }
}
