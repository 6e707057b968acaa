import Foundation
import Numerics

/// Inputs with a planted hierarchy of known directions: `Fixtures/making/worlds.py` says what there is, and this draws from it with random
/// numbers of its own.
struct WorldH {
    static let (width, roots, children, grandchildren, flat) = (64, 8, 4, 2, 16)
    static let nodes = roots * (1 + children + children * grandchildren) + flat

    /// Of length 1 (nodes × width).
    let directions: [[Float]]
    private var random: SeededGenerator
    /// The second of each pair of normal numbers.
    private var spare: Float?

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed, stream: 0x48)
        directions = (0..<Self.nodes).map { _ in unit((0..<Self.width).map { _ in Float(random.normal()) }) }
        self.random = random
    }

    static func magnitude(_ node: Int) -> Float { node < roots ? 1 : node < roots * 5 ? 0.8 : node < roots * 13 ? 0.6 : 1 }

    /// The node above, unless it is a root or flat.
    static func parent(_ node: Int) -> Int? {
        switch node {
        case roots..<roots * 5: (node - roots) / children
        case roots * 5..<roots * 13: roots + (node - roots * 5) / grandchildren
        default: nil
        }
    }

    /// What is there whenever a node is on: its own and its ancestors' directions, by their magnitudes; of length 1.
    func state(_ node: Int) -> [Float] {
        var sum = [Float](repeating: 0, count: Self.width), next: Int? = node
        while let one = next {
            for i in sum.indices { sum[i] += Self.magnitude(one) * directions[one][i] }
            next = Self.parent(one)
        }
        return unit(sum)
    }

    /// Fresh ones (rows × width).
    mutating func samples(_ rows: Int) -> Matrix {
        let matrix = Matrix(uninitializedRows: rows, columns: Self.width)
        for row in 0..<rows { draw(matrix.base + row * Self.width) }
        return matrix
    }

    private mutating func draw(_ row: UnsafeMutablePointer<Float>) {
        for i in 0..<Self.width { row[i] = 0.02 * normal() }
        for root in 0..<Self.roots where random.uniform() < 0.03 + 0.01 * Double(root) {
            add(root, to: row)
            let child = Int(random.uniform() / 0.2)
            guard child < Self.children else { continue }
            add(Self.roots + root * Self.children + child, to: row)
            let grandchild = Int(random.uniform() / 0.4)
            guard grandchild < Self.grandchildren else { continue }
            add(Self.roots * 5 + (root * Self.children + child) * Self.grandchildren + grandchild, to: row)
        }
        for place in 0..<Self.flat where random.uniform() < 0.002 * pow(25, Double(place) / Double(Self.flat - 1)) { add(Self.roots * 13 + place, to: row) }
    }

    private mutating func add(_ node: Int, to row: UnsafeMutablePointer<Float>) {
        let factor = Self.magnitude(node) * Float(0.75 + 0.5 * random.uniform())
        directions[node].withUnsafeBufferPointer { direction in for i in 0..<Self.width { row[i] += factor * direction[i] } }
    }

    /// Both of Box and Muller's numbers are used: most of the time goes into them.
    private mutating func normal() -> Float {
        if let spare { self.spare = nil; return spare }
        let radius = (-2 * log(Float(1 - random.uniform()))).squareRoot(), angle = 2 * Float.pi * Float(random.uniform())
        spare = radius * sin(angle)
        return radius * cos(angle)
    }

    /// The share of nodes whose direction or state some row of `decoder` (features × width) has a cosine above 0.9 with.
    func recovered(by decoder: [[Float]]) -> Double {
        let rows = decoder.map(unit)
        let found = (0..<Self.nodes).filter { node in
            [directions[node], state(node)].contains { meant in rows.contains { zip($0, meant).reduce(0) { $0 + $1.0 * $1.1 } > 0.9 } }
        }
        return Double(found.count) / Double(Self.nodes)
    }
}

private func unit(_ row: [Float]) -> [Float] {
    let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 0 ? row.map { $0 / norm } : row
}
