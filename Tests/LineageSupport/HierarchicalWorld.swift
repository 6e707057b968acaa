import Foundation
public import Numerics

/// Inputs with a planted hierarchy of known directions, and which of its nodes are on: world H and its relatives.
///
/// Nodes in order: roots; the children of each root; the grandchildren of each child; flat nodes, which stand alone. Directions are unit normal
/// vectors. Of a sample, each independently, a root is on with a probability that rises from .03 to .10 in equal steps; of a node that is on, one
/// of the nodes below or none (exclusive), or each by itself, with .8 shared equally; a flat node with .002 to .05 in equal ratios. What is on adds
/// magnitude · u · direction, u uniform in [.75, 1.25); magnitudes are 1 for roots and flat nodes, .8 for children, .6 for grandchildren. To every
/// number of the sum is added normal noise of deviation .02. (`Fixtures/making/worlds.py` has the first of them, after Noa Nabeshima's tree sampler.)
public struct HierarchicalWorld: Sendable {
    public struct Shape: Sendable, Equatable {
        public var roots, children, grandchildren: Int
        public var isExclusive: Bool
        public var flat, width: Int

        public init(roots: Int, children: Int, grandchildren: Int, isExclusive: Bool = true, flat: Int = 16, width: Int) {
            (self.roots, self.children, self.grandchildren, self.isExclusive, self.flat, self.width) = (roots, children, grandchildren, isExclusive, flat, width)
        }

        public var nodes: Int { roots * (1 + children + children * grandchildren) + flat }
        var firstGrandchild: Int { roots * (1 + children) }
        var firstFlat: Int { nodes - flat }

        /// The node above, unless it is a root or flat.
        public func parent(_ node: Int) -> Int? {
            switch node {
            case roots..<firstGrandchild: (node - roots) / children
            case firstGrandchild..<firstFlat: roots + (node - firstGrandchild) / grandchildren
            default: nil
            }
        }

        /// Whether a node is another or above it.
        public func holds(_ node: Int, _ other: Int) -> Bool {
            var next: Int? = other
            while let one = next {
                if one == node { return true }
                next = parent(one)
            }
            return false
        }

        func magnitude(_ node: Int) -> Float { node < roots || node >= firstFlat ? 1 : node < firstGrandchild ? 0.8 : 0.6 }
    }

    public let shape: Shape
    /// Of length 1 (nodes × width).
    public let directions: [[Float]]
    private var random: SeededGenerator
    /// The second of each pair of normal numbers.
    private var spare: Float?

    public init(_ shape: Shape, seed: UInt64) {
        var random = SeededGenerator(seed: seed, stream: 0x48)
        self.shape = shape
        directions = (0..<shape.nodes).map { _ in
            let row = (0..<shape.width).map { _ in Float(random.normal()) }, norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / norm }
        }
        self.random = random
    }

    /// What is there whenever a node is on: its own and its ancestors' directions, by their magnitudes; of length 1.
    public func state(_ node: Int) -> [Float] {
        var sum = [Float](repeating: 0, count: shape.width), next: Int? = node
        while let one = next {
            for i in sum.indices { sum[i] += shape.magnitude(one) * directions[one][i] }
            next = shape.parent(one)
        }
        let norm = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return sum.map { $0 / norm }
    }

    /// Fresh inputs (rows × width).
    public mutating func inputs(_ rows: Int) -> Matrix {
        let matrix = Matrix(uninitializedRows: rows, columns: shape.width)
        for row in 0..<rows { _ = draw(matrix.base + row * shape.width) }
        return matrix
    }

    /// Fresh inputs, and for each node the rows it is on in, in order.
    public mutating func inputs(_ rows: Int, nodes: inout [[Int32]]) -> Matrix {
        let matrix = Matrix(uninitializedRows: rows, columns: shape.width)
        nodes = [[Int32]](repeating: [], count: shape.nodes)
        for row in 0..<rows {
            for node in draw(matrix.base + row * shape.width) { nodes[node].append(Int32(row)) }
        }
        return matrix
    }

    private mutating func draw(_ row: UnsafeMutablePointer<Float>) -> [Int] {
        let on = nodes()
        for i in 0..<shape.width { row[i] = 0.02 * normal() }
        for node in on {
            let factor = shape.magnitude(node) * Float(0.75 + 0.5 * random.uniform())
            directions[node].withUnsafeBufferPointer { direction in for i in 0..<shape.width { row[i] += factor * direction[i] } }
        }
        return on
    }

    /// Which are on in one sample.
    private mutating func nodes() -> [Int] {
        var on: [Int] = []
        for root in 0..<shape.roots where random.uniform() < 0.03 + 0.07 * Double(root) / Double(max(1, shape.roots - 1)) {
            on.append(root)
            for child in below(shape.children) {
                on.append(shape.roots + root * shape.children + child)
                for grandchild in below(shape.grandchildren) { on.append(shape.firstGrandchild + (root * shape.children + child) * shape.grandchildren + grandchild) }
            }
        }
        for place in 0..<shape.flat where random.uniform() < 0.002 * pow(25, Double(place) / Double(max(1, shape.flat - 1))) { on.append(shape.firstFlat + place) }
        return on
    }

    private mutating func below(_ count: Int) -> [Int] {
        guard count > 0 else { return [] }
        let each = 0.8 / Double(count)
        if shape.isExclusive {
            let one = Int(random.uniform() / each)
            return one < count ? [one] : []
        }
        var on: [Int] = []
        for one in 0..<count where random.uniform() < each { on.append(one) }
        return on
    }

    /// Both of Box and Muller's numbers are used: most of the time goes into them.
    private mutating func normal() -> Float {
        if let spare { self.spare = nil; return spare }
        let radius = (-2 * log(Float(1 - random.uniform()))).squareRoot(), angle = 2 * Float.pi * Float(random.uniform())
        spare = radius * sin(angle)
        return radius * cos(angle)
    }
}
