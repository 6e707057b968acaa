public import DictionaryLearning
public import Numerics

/// Dictionaries of several sizes that our trainer makes of one world, and what they do on tokens that they have not seen.
public struct TrainedWorld: Sendable {
    public struct Plan: Sendable {
        public var recipe: String
        public var settings: [String: String]
        public var sizes: [Int]
        public var batchSize = 512
        public var steps, tokens: Int

        public init(recipe: String, settings: [String: String], sizes: [Int] = [24, 64, 160], steps: Int = 1500, tokens: Int = 60_000) {
            (self.recipe, self.settings, self.sizes, self.steps, self.tokens) = (recipe, settings, sizes, steps, tokens)
        }
    }

    public let shape: HierarchicalWorld.Shape
    /// Per node, the tokens it is on at.
    public let nodes: [[Int32]]
    /// One for each size.
    public let versions: [FeatureActivations]
    public let l0: [Double]

    /// - Throws: as `Trainer` does.
    public init(_ shape: HierarchicalWorld.Shape, _ plan: Plan, seed: UInt64) throws {
        var world = HierarchicalWorld(shape, seed: seed)
        let sample = world.inputs(4096), recipe = try recipe(named: plan.recipe)
        let trainers = try plan.sizes.map { size in
            let own = TrainingPlan(width: shape.width, features: size, batchSize: plan.batchSize, steps: plan.steps, seed: seed)
            return try Trainer(recipe: recipe, constants: RecipeConstants(recipe, own, setting: plan.settings), plan: own, sample: sample)
        }
        for _ in 0..<plan.steps {
            for trainer in trainers where trainer.inputsWantedForResampling != nil { _ = try trainer.resample(from: world.inputs(4096)) }
            let batch = world.inputs(plan.batchSize)
            for trainer in trainers { _ = try trainer.step(batch) }
        }
        var nodes: [[Int32]] = []
        let inputs = world.inputs(plan.tokens, nodes: &nodes)
        let versions = trainers.map { encode(inputs, by: $0.trained()) }
        (self.shape, self.nodes, self.versions) = (shape, nodes, versions)
        l0 = versions.map { Double($0.values.count) / Double($0.tokens) }
    }
}

extension TrainedWorld {
    /// Two of the versions.
    public struct Pair: Sendable {
        /// Places among the versions.
        public let coarse, fine: Int
        public let plain: PlainLineage
        /// Per feature, the node it has recovered.
        public let parentNodes, childNodes: [Int?]
        let shape: HierarchicalWorld.Shape

        /// Pairs of features that have both recovered a node: those that can be scored.
        public var recovered: [(parent: Int, child: Int)] {
            parentNodes.indices.filter { parentNodes[$0] != nil }.flatMap { parent in childNodes.indices.filter { childNodes[$0] != nil }.map { (parent, $0) } }
        }

        /// Whether the parent's node is the child's or above it.
        public func isTrue(_ parent: Int, _ child: Int) -> Bool {
            guard let a = parentNodes[parent], let b = childNodes[child] else { return false }
            return shape.holds(a, b)
        }

        /// The rate of true edges among those that are named, and of named ones among the true, counted.
        public func score(_ isNamed: (Int, Int) -> Bool) -> EdgeScore {
            var score = EdgeScore()
            for (parent, child) in recovered {
                let isTrue = isTrue(parent, child), isNamed = isNamed(parent, child)
                score.real += isTrue ? 1 : 0
                score.named += isNamed ? 1 : 0
                score.right += isTrue && isNamed ? 1 : 0
            }
            return score
        }
    }

    /// All pairs of versions, the smaller first.
    public var pairs: [Pair] {
        let recovered = versions.map { RecoveredNodes.of($0, nodes: nodes) }
        return versions.indices.flatMap { coarse in
            versions.indices.filter { $0 > coarse }.map { fine in
                Pair(coarse: coarse, fine: fine, plain: PlainLineage(versions[coarse], versions[fine]), parentNodes: recovered[coarse], childNodes: recovered[fine], shape: shape)
            }
        }
    }
}

/// Activations times the lengths of decoder rows, as the catalogue keeps them: plainly, a number at a time.
public func encode(_ inputs: borrowing Matrix, by trained: consuming TrainedDictionary) -> FeatureActivations {
    let (width, features) = (trained.decoder.columns, trained.decoder.rows)
    var norms: [Float] = [], rows: [[Float]] = []
    for feature in 0..<features {
        let row = (0..<width).map { trained.decoder[feature, $0] }, norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        norms.append(norm)
        rows.append(row.map { norm > 0 ? $0 / norm : 0 })
    }
    var activations = FeatureActivations(decoder: rows), sums = trained.encoderBias
    for row in 0..<inputs.rows {
        sums = trained.encoderBias
        sums.withUnsafeMutableBufferPointer { sums in
            for column in 0..<width {
                let x = inputs.base[row * width + column] - (trained.appliesDecoderBiasToInput ? trained.decoderBias[column] : 0), weights = trained.encoder.base + column * features
                for feature in 0..<features { sums[feature] += x * weights[feature] }
            }
        }
        var firing = (0..<features).filter { sums[$0] > (trained.threshold?[$0] ?? 0) }
        if let k = trained.k, firing.count > k { firing = Array(firing.sorted { sums[$0] > sums[$1] }.prefix(k)).sorted() }
        activations.append(firing.map { ($0, sums[$0] * norms[$0]) })
    }
    return activations
}
