import Diagnostics
import Kernels
public import Numerics
import SQLite

/// For every feature of one dictionary its k nearest in another, or in its own: what is stored of it.
public struct NeighbourGraph: Sendable, Equatable {
    public let id: Int
    public let dictionary: Int
    /// Whose features are found.
    public let target: Int
    public let k: Int
    /// Of each feature whose decoder row is not zero: k, or all there are where that is fewer.
    public let neighbours: Int
    /// The features before this index have their neighbours.
    public let featuresDone: Int
    public let isComplete: Bool
}

extension Catalogue {
    public func neighbourGraphs() throws -> [NeighbourGraph] { try neighbourGraphs("ORDER BY id") }

    /// The graph that stands for two dictionaries: a complete one rather than one that is being made, and the larger.
    public func neighbourGraph(of dictionary: FeatureDictionary, among target: FeatureDictionary) throws -> NeighbourGraph? {
        try neighbourGraphs("WHERE dictionary_id = ? AND target_id = ? ORDER BY is_complete DESC, k DESC LIMIT 1", .init(dictionary.id), .init(target.id)).first
    }

    func neighbourGraph(of dictionary: FeatureDictionary, among target: FeatureDictionary, k: Int) throws -> NeighbourGraph? {
        try neighbourGraphs("WHERE dictionary_id = ? AND target_id = ? AND k = ?", .init(dictionary.id), .init(target.id), .init(k)).first
    }

    private func neighbourGraphs(_ clause: String, _ values: SQLiteValue...) throws -> [NeighbourGraph] {
        var found: [NeighbourGraph] = []
        try connection.query("SELECT id, dictionary_id, target_id, k, neighbours, features_done, is_complete FROM neighbour_graph \(clause)", values) {
            found.append(NeighbourGraph(id: $0.integer(0), dictionary: $0.integer(1), target: $0.integer(2), k: $0.integer(3), neighbours: $0.integer(4), featuresDone: $0.integer(5), isComplete: $0.integer(6) != 0))
        }
        return found
    }

    /// What `nearest(to:in:k:excluding:)` answers for a feature, out of a stored graph.
    ///
    /// - Returns: `nil` where no graph answers it: there is none, it has not come to this feature, its k is smaller, or what it
    ///   holds cannot be an answer. A feature whose decoder row is zero has no neighbours.
    public func storedNeighbours(of index: Int, in dictionary: FeatureDictionary, among target: FeatureDictionary, k: Int) throws -> [Neighbour]? {
        guard dictionary.hasSoundShape, target.hasSoundShape, (0..<dictionary.features).contains(index), let graph = try neighbourGraph(of: dictionary, among: target), index < graph.featuresDone else { return nil }
        // A list shorter than its graph's k holds all there are.
        guard k <= graph.k || graph.neighbours < graph.k else { return nil }
        let expected = min(max(0, k), graph.neighbours)
        var found: [Neighbour] = [], isSound = true
        try connection.query("SELECT rank, neighbour_id, cosine FROM feature_neighbour WHERE feature_id = ? AND graph_id = ? AND rank <= ? ORDER BY rank",
                             [.init(dictionary.featureID(index)), .init(graph.id), .init(k)]) { row in
            let neighbour = Neighbour(feature: row.integer(1) &- target.featureID(0), cosine: Float(row.real(2)))
            isSound = isSound && row.integer(0) == found.count + 1 && follows(neighbour, found.last) && (0..<target.features).contains(neighbour.feature)
                && !(dictionary.id == target.id && neighbour.feature == index)
            found.append(neighbour)
        }
        guard isSound else { return nil }
        if found.count == expected { return try areTrue(found, of: index, in: dictionary, among: target) ? found : nil }
        let isZero = try connection.integer("SELECT decoder_norm = 0 FROM feature WHERE id = ?", .init(dictionary.featureID(index))) == 1
        return found.isEmpty && isZero ? [] : nil
    }

    /// Whether stored cosines are those of the vectors: rows of a table can be changed by anybody.
    private func areTrue(_ neighbours: [Neighbour], of index: Int, in dictionary: FeatureDictionary, among target: FeatureDictionary) throws -> Bool {
        guard !neighbours.isEmpty else { return true }
        let query = try decoder(of: index, in: dictionary), rows = try DecoderRows(of: target, in: self, canTell: true)
        return neighbours.allSatisfy { neighbour in
            (try? rows.withRow(neighbour.feature, isRight: { Float(kernel_dot_exact(query, $0, query.count)) == neighbour.cosine }) { _ in true }) ?? false
        }
    }

    /// Calls `body` with every feature of a dictionary, in order, and its `k` nearest in `target`, its own dictionary or another:
    /// exact, ties to the lower index, itself left out. Nothing is stored.
    ///
    /// Memory: 5 bytes for each number of the decoder rows of both; in its own dictionary also 16 k + 870 bytes for each feature.
    /// - Throws: when the two are not of one model and hook point, or the stored vectors are damaged.
    public func forEachNeighbourList(of dictionary: FeatureDictionary, among target: FeatureDictionary, k: Int, threads: Int, _ body: (Int, [Neighbour]) throws -> Void) throws {
        guard k > 0, let search = try graphSearch(of: dictionary, among: target, k: k, threads: threads, stripeRows: nil) else { return }
        while try search.step(body) {}
    }

    /// `nil` where there is nothing to search for.
    func graphSearch(of dictionary: FeatureDictionary, among target: FeatureDictionary, k: Int, threads: Int, stripeRows: Int?) throws -> GraphSearch? {
        try demandSameSpace(dictionary, target)
        for side in [dictionary, target] { try demandVectors(side) }
        guard dictionary.width == target.width else {
            throw MonosemeError("the decoder vectors of \(dictionary.name) have \(dictionary.width) numbers and those of \(target.name) have \(target.width)", hint: "monoseme check says whether the catalogue is damaged")
        }
        guard dictionary.width <= CodedRows.widthMaximum else {
            throw MonosemeError("the decoder vectors of \(dictionary.name) have \(dictionary.width) numbers; a neighbour graph takes up to \(CodedRows.widthMaximum)", hint: "monoseme near answers for one feature")
        }
        guard dictionary.features > 0 else { return nil }
        let rows = CodedRows(try unitRows(of: dictionary), threads: threads)
        let columns = dictionary.id == target.id ? nil : CodedRows(try unitRows(of: target), threads: threads)
        return GraphSearch(rows, among: columns, k: k, threads: threads, stripeRows: stripeRows)
    }

    /// All decoder rows of a dictionary (features × width), each of length 1 or zero.
    public func unitRows(of dictionary: FeatureDictionary) throws -> Matrix {
        // Blocks are looked at before room is made for what the dictionary's own numbers may exaggerate.
        let bytes = try connection.integer("SELECT sum(length(vectors)) FROM decoder_block WHERE dictionary_id = ?", .init(dictionary.id)) ?? 0
        guard dictionary.hasSoundShape, dictionary.hasVectors, bytes == dictionary.features * 4 * dictionary.width else { throw damagedVectors(dictionary) }
        let matrix = Matrix(uninitializedRows: dictionary.features, columns: dictionary.width)
        try forEachDecoderBlock(of: dictionary) { first, block in
            (matrix.base + first * dictionary.width).update(from: block.baseAddress!, count: block.count)
            for row in first..<first + block.count / dictionary.width {
                let start = matrix.base + row * dictionary.width, squares = kernel_dot_exact(start, start, dictionary.width)
                guard squares == 0 || abs(squares.squareRoot() - 1) <= unitTolerance else { throw damagedVectors(dictionary) }
            }
        }
        return matrix
    }
}

/// Whether `neighbour` may stand behind `previous`: cosines descend, and features ascend where they are equal.
func follows(_ neighbour: Neighbour, _ previous: Neighbour?) -> Bool {
    guard abs(neighbour.cosine) <= 1 + Float(unitTolerance) else { return false }
    guard let previous else { return true }
    return neighbour.cosine < previous.cosine || (neighbour.cosine == previous.cosine && neighbour.feature > previous.feature)
}
