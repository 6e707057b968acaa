import FeatureCatalogue
import LinearAlgebra

/// A coarse feature and its children: what is summed, segment by segment, to say how much of it they carry on.
final class Family: @unchecked Sendable {
    let parent: Int
    /// Fine features, ascending: all of the parent's, or those that fire with it most often.
    let children: [Int]
    /// Of the parent: its firings, those on which a child fires, and Σ f_p².
    private(set) var firings = 0, united = 0
    private(set) var squares = 0.0
    /// Σ f_c f_d and Σ f_c f_p over the parent's tokens: (children × children) and (children).
    private var gram, products: [Double]

    /// Children in the least squares, at most.
    static let fittedMaximum = 1024

    init(parent: Int, children: [Int]) {
        (self.parent, self.children) = (parent, children)
        gram = .init(repeating: 0, count: children.count * children.count)
        products = .init(repeating: 0, count: children.count)
    }

    var fit: NonNegativeLeastSquares { NonNegativeLeastSquares(gram: gram, products: products, squares: squares) }

    /// Takes in what one segment of the fine run holds.
    /// - Parameter coarse: the segments of the coarse run that overlap with it; mostly the one that is cut alike.
    /// - Throws: `DamagedPosting`.
    func add(_ coarse: [IndexedSlice], _ fine: IndexedSlice, _ work: Workspace) throws {
        try work.takeParent(parent, coarse, fine.slice.segment)
        let count = work.positions.count, values = work.values
        guard count > 0 else { return }
        defer { work.forgetParent() }
        // The children's firings on the parent's tokens, first child by child, then token by token.
        var starts = [Int32](repeating: 0, count: count + 1)
        for (child, feature) in children.enumerated() {
            guard let list = fine.list(of: feature) else { continue }
            guard work.child.read(list, of: fine.slice) else { throw DamagedPosting(feature: feature, segment: fine.slice.segment) }
            work.share(Int32(child), &starts)
        }
        firings += count
        united += starts.count { $0 > 0 }
        for value in values { squares += Double(value) * Double(value) }
        for place in 0..<count { starts[place + 1] += starts[place] }
        work.sort(by: starts)
        let n = children.count
        gram.withUnsafeMutableBufferPointer { gram in
            products.withUnsafeMutableBufferPointer { products in
                work.ordered.withUnsafeBufferPointer { ordered in
                    for place in 0..<count {
                        let range = Int(starts[place])..<Int(starts[place + 1])
                        for a in range {
                            let row = Int(ordered[a].child) * n, value = Double(ordered[a].value)
                            products[Int(ordered[a].child)] += value * Double(values[place])
                            for b in range { gram[row + Int(ordered[b].child)] += value * Double(ordered[b].value) }
                        }
                    }
                }
            }
        }
    }

    /// What one thread works in; `places` are −1 between families.
    final class Workspace: @unchecked Sendable {
        fileprivate var places: [Int32] = []
        /// The parent's firings in the segment, and whose place they have, by position.
        fileprivate private(set) var positions: [UInt32] = [], values: [Float] = []
        fileprivate var child = DecodedList()
        private var list = DecodedList()
        /// The children's firings on the parent's tokens, child by child, and in order of token.
        private var shared: [(place: Int32, child: Int32, value: Float)] = []
        fileprivate private(set) var ordered: [(child: Int32, value: Float)] = []

        fileprivate func takeParent(_ feature: Int, _ coarse: [IndexedSlice], _ segment: Segment) throws {
            if places.count < segment.tokens { places = .init(repeating: -1, count: segment.tokens) }
            positions.removeAll(keepingCapacity: true)
            values.removeAll(keepingCapacity: true)
            for part in coarse {
                guard let range = part.list(of: feature) else { continue }
                guard list.read(range, of: part.slice) else { throw DamagedPosting(feature: feature, segment: part.slice.segment) }
                let shift = part.slice.segment.firstPosition - segment.firstPosition
                list.withFirings { found, strengths in
                    for at in found.indices where (0..<segment.tokens).contains(Int(found[at]) + shift) {
                        positions.append(UInt32(Int(found[at]) + shift))
                        values.append(strengths[at])
                    }
                }
            }
            for (place, position) in positions.enumerated() { places[Int(position)] = Int32(place) }
        }

        /// Takes in those of the child's firings that lie on the parent's tokens, and counts them one place behind each.
        fileprivate func share(_ child: Int32, _ starts: inout [Int32]) {
            var found = shared
            shared = []
            places.withUnsafeBufferPointer { places in
                starts.withUnsafeMutableBufferPointer { starts in
                    self.child.withFirings { positions, values in
                        for at in positions.indices {
                            let place = places[Int(positions[at])]
                            guard place >= 0 else { continue }
                            starts[Int(place) + 1] += 1
                            found.append((place, child, values[at]))
                        }
                    }
                }
            }
            shared = found
        }

        /// Puts what was taken in into order of token, children ascending on each; nothing is left taken in.
        fileprivate func sort(by starts: [Int32]) {
            if ordered.count < shared.count { ordered = .init(repeating: (0, 0), count: 2 * shared.count) }
            var cursors = starts
            ordered.withUnsafeMutableBufferPointer { ordered in
                for (place, child, value) in shared {
                    ordered[Int(cursors[Int(place)])] = (child, value)
                    cursors[Int(place)] += 1
                }
            }
            shared.removeAll(keepingCapacity: true)
        }

        fileprivate func forgetParent() { for position in positions { places[Int(position)] = -1 } }
    }
}

/// Lists of one stretch of tokens, found by feature.
struct IndexedSlice: Sendable {
    let slice: PostingSlice
    private let placeOf: [Int32]

    init(_ slice: PostingSlice, features: Int) {
        self.slice = slice
        var placeOf = [Int32](repeating: -1, count: features)
        for (place, list) in slice.lists.enumerated() where placeOf.indices.contains(list.feature) { placeOf[list.feature] = Int32(place) }
        self.placeOf = placeOf
    }

    func list(of feature: Int) -> Range<Int>? { placeOf[feature] < 0 ? nil : slice.lists[Int(placeOf[feature])].range }
}
