import Numerics

/// Two versions with one family of every kind, planted token by token, and what is to be said of each: arithmetic, not a dictionary's training.
///
/// Every family has tokens of its own, and directions of its own. Activations have few bits, so that posting lists keep them as they are.
public struct LineageFamilies: Sendable {
    public struct Edge: Hashable, Sendable {
        public var parent, child: Int
        /// As `LineageKind` spells it.
        public var kind: String

        public init(parent: Int, child: Int, kind: String) { (self.parent, self.child, self.kind) = (parent, child, kind) }
    }

    public let coarse, fine: FeatureActivations
    public let edges: Set<Edge>
    /// Features by what is said of them alone.
    public let novel, noiseFine, vanished, noiseCoarse: Set<Int>

    /// - Parameter scales: families are planted once for each, with so many times 100 firings in the smallest feature that is no noise.
    public init(scales: [Int] = [1, 2, 3]) {
        var plan = Plan()
        for scale in scales { plan.addFamilies(scale) }
        let tokens = plan.next + 100
        (coarse, fine) = (plan.coarse.activations(tokens), plan.fine.activations(tokens))
        (edges, novel, noiseFine, vanished, noiseCoarse) = (plan.edges, plan.novel, plan.noiseFine, plan.vanished, plan.noiseCoarse)
    }

    /// The features of one version as they are planted.
    private struct Version {
        var tokens: [[Int]] = [], strength: [Float] = [], directions: [[Float]] = []

        mutating func add(_ tokens: some Sequence<Int>, _ direction: [Float], strength: Float = 1) -> Int {
            self.tokens.append(Array(tokens))
            self.strength.append(strength)
            let norm = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
            directions.append(direction.map { $0 / norm })
            return directions.count - 1
        }

        func activations(_ count: Int) -> FeatureActivations {
            var at = [[(feature: Int, value: Float)]](repeating: [], count: count)
            for (feature, tokens) in tokens.enumerated() { for token in tokens { at[token].append((feature, strength[feature] * (1 + Float(token % 4) / 4))) } }
            var activations = FeatureActivations(decoder: directions)
            for one in at { activations.append(one.sorted { $0.feature < $1.feature }) }
            return activations
        }
    }

    private struct Plan {
        static let width = 96
        var coarse = Version(), fine = Version(), edges: Set<Edge> = [], next = 0
        var novel: Set<Int> = [], noiseFine: Set<Int> = [], vanished: Set<Int> = [], noiseCoarse: Set<Int> = []
        private var axes = 0

        /// A direction that is new in `by` parts of it, and otherwise that of others.
        private mutating func direction(_ others: [[Float]] = [], new: Float = 1) -> [Float] {
            var sum = [Float](repeating: 0, count: Plan.width)
            for other in others { for i in sum.indices { sum[i] += other[i] } }
            sum[axes % Plan.width] += new
            axes += 1
            return sum
        }

        private mutating func tokens(_ count: Int) -> Range<Int> {
            defer { next += count + 7 }
            return next..<next + count
        }

        private mutating func edge(_ parent: Int, _ child: Int, _ kind: String) { edges.insert(Edge(parent: parent, child: child, kind: kind)) }

        mutating func addFamilies(_ scale: Int) {
            let n = 100 * scale
            addSplit(n)
            addAbsorbed(n)
            addMerges(n)
            addNested(n)
            addAlone(n)
        }

        /// One that stays the same and is there twice, and one whose every sixteenth firing is missing that splits in three.
        private mutating func addSplit(_ n: Int) {
            let same = direction(), there = tokens(2 * n), parent = coarse.add(there, same)
            for _ in 0..<2 { edge(parent, fine.add(there, same), "same") }
            let kept = direction(), all = tokens(3 * n), split = coarse.add(all.filter { $0 % 16 != 15 }, kept)
            for part in 0..<3 { edge(split, fine.add(all.lowerBound + part * n..<all.lowerBound + (part + 1) * n, direction([kept], new: 0.75)), "split") }
        }

        /// The parent is silent on a part that only the child fires on, with the parent's direction in it and as much of it; elsewhere it is the same.
        private mutating func addAbsorbed(_ n: Int) {
            let own = direction(), all = tokens(3 * n), hole = all.lowerBound + 2 * n..<all.upperBound, parent = coarse.add(all.lowerBound..<hole.lowerBound, own)
            edge(parent, fine.add(all.lowerBound..<hole.lowerBound, own), "same")
            edge(parent, fine.add(hole, direction([own], new: 0.75), strength: 2), "absorbed")
        }

        private mutating func addMerges(_ n: Int) {
            let a = direction(), b = direction(), all = tokens(7 * n), start = all.lowerBound
            let first = coarse.add(start..<start + 4 * n, a), second = coarse.add(start + 3 * n..<start + 7 * n, b)
            edge(first, fine.add(start..<start + 4 * n, a), "same")
            edge(second, fine.add(start + 3 * n..<start + 7 * n, b), "same")
            let both = fine.add(start + 3 * n..<start + 4 * n, direction([a, b], new: 0.25))
            edge(first, both, "merge-and")
            edge(second, both, "merge-and")
            let c = direction(), d = direction(), united = tokens(4 * n)
            let left = coarse.add(united.lowerBound..<united.lowerBound + 2 * n, c), right = coarse.add(united.lowerBound + 2 * n..<united.upperBound, d)
            let one = fine.add(united, direction([c, d], new: 0.25))
            edge(left, one, "merge-or")
            edge(right, one, "merge-or")
        }

        /// A child below two parents, one of which lies within the other: no merge.
        private mutating func addNested(_ n: Int) {
            let a = direction(), all = tokens(6 * n), outer = coarse.add(all, a), b = direction([a], new: 0.75)
            let inner = coarse.add(all.prefix(3 * n), b), child = fine.add(all.prefix(n), direction([b], new: 0.5))
            edge(outer, child, "split")
            edge(inner, child, "split")
        }

        /// Those that nothing explains or carries on, and those that fire a few times in 100,000 tokens, each within a feature of the other version.
        private mutating func addAlone(_ n: Int) {
            novel.insert(fine.add(tokens(n), direction()))
            vanished.insert(coarse.add(tokens(n), direction()))
            let own = direction(), there = tokens(n), parent = coarse.add(there, own), child = fine.add(there, own)
            edge(parent, child, "same")
            for firings in [0, 1, 9, 29] {
                noiseFine.insert(fine.add(there.prefix(firings), own))
                noiseCoarse.insert(coarse.add(there.suffix(firings), own))
            }
        }
    }
}
