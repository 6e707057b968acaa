import Diagnostics
import Formats
import Kernels
import SQLite

/// How far a neighbour graph is.
public struct NeighbourProgress: Sendable {
    public let featuresDone: Int
    /// Pairs of features that have been judged, and all of them; among a dictionary's own features each counts once.
    public let pairs, pairsExpected: Int
}

/// A graph that is stored now.
public struct NeighbourSummary: Sendable {
    public let graph: NeighbourGraph
    /// Features that had their neighbours before this call, and pairs that were judged in it.
    public let featuresResumed, pairs: Int
    /// Whether all was there before.
    public let wasComplete: Bool
}

extension Catalogue {
    /// Stores the `k` nearest features of every feature of `dictionary` in `target`, its own or another, or goes on with it.
    ///
    /// Exact, ties to the lower index, itself left out. Stopped at any moment and called again it goes on from the last of its
    /// transactions: one about every eighth of the work, and at least 2³⁰ products. The rows are those
    /// of an uninterrupted call, whatever the number of threads. A complete graph of the same or a larger k will
    /// do; one of a smaller k answers until this one is complete, and goes then. The catalogue must be open for writing; others may write beside.
    ///
    /// - Parameters:
    ///   - now: the time for the record.
    ///   - report: called after every few hundred features; what it throws ends the call, and the next one goes on.
    ///   - stripeRows, productsPerTransaction: for tests.
    public func storeNeighbours(
        of dictionary: FeatureDictionary, among target: FeatureDictionary, k: Int, threads: Int, engine: String, now: () -> String,
        stripeRows: Int? = nil, productsPerTransaction: Int? = nil, report: (NeighbourProgress) throws -> Void = { _ in }
    ) throws -> NeighbourSummary {
        precondition(k > 0)
        try demandSameSpace(dictionary, target)
        if let known = try neighbourGraph(of: dictionary, among: target), known.isComplete, known.k >= k || known.neighbours < known.k {
            return NeighbourSummary(graph: known, featuresResumed: known.featuresDone, pairs: 0, wasComplete: true)
        }
        let begun = try beginGraph(of: dictionary, among: target, k: k, engine: engine, now: now)
        guard let search = try graphSearch(of: dictionary, among: target, k: begun.k, threads: threads, stripeRows: stripeRows) else { return NeighbourSummary(graph: begun, featuresResumed: 0, pairs: 0, wasComplete: true) }
        let graph = try resume(begun, search)
        let resumed = search.next, pairsExpected = search.pairs(0, dictionary.features)
        let interval = max(1, (productsPerTransaction ?? max(1 << 30, pairsExpected * dictionary.width / 8)) / dictionary.width)
        var waiting: [[Neighbour]] = [], pairsWaiting = 0, done = resumed
        while true {
            let before = search.next
            let isMore = search.step { _, neighbours in waiting.append(neighbours) }
            pairsWaiting += search.pairs(before, search.next)
            if search.next == dictionary.features || pairsWaiting >= interval {
                try commit(waiting, from: done, of: graph, dictionary, target, search, now: now)
                (waiting, pairsWaiting, done) = ([], 0, search.next)
            }
            guard isMore, search.next < dictionary.features else { break }
            try report(NeighbourProgress(featuresDone: search.next, pairs: search.pairs(0, search.next), pairsExpected: pairsExpected))
        }
        return NeighbourSummary(graph: try neighbourGraph(of: dictionary, among: target, k: graph.k)!, featuresResumed: resumed, pairs: search.pairs(resumed, dictionary.features), wasComplete: false)
    }

    /// The graph's own row: the one that was begun, or a new one.
    private func beginGraph(of dictionary: FeatureDictionary, among target: FeatureDictionary, k: Int, engine: String, now: () -> String) throws -> NeighbourGraph {
        try connection.transaction {
            if let known = try neighbourGraph(of: dictionary, among: target, k: k) { return known }
            let zeros = try connection.integer("SELECT count(*) FROM feature WHERE id >= ? AND id < ? AND decoder_norm = 0", .init(target.featureID(0)), .init(target.featureID(target.features))) ?? 0
            let others = max(0, target.features - zeros - (dictionary.id == target.id ? 1 : 0))
            try connection.run("INSERT INTO neighbour_graph (dictionary_id, target_id, k, neighbours, engine, started_at) VALUES (?, ?, ?, ?, ?, ?)",
                               .init(dictionary.id), .init(target.id), .init(k), .init(min(k, others)), .text(engine), .text(now()))
            return try neighbourGraph(of: dictionary, among: target, k: k)!
        }
    }

    /// Brings the search to where the graph is; where that is not known for sure, the graph begins anew.
    private func resume(_ graph: NeighbourGraph, _ search: GraphSearch) throws -> NeighbourGraph {
        if graph.featuresDone == 0 { return graph }
        let features = search.rows.count
        if (0...features).contains(graph.featuresDone) {
            let carried = search.isSymmetric ? try storedCarry(of: graph.id, from: graph.featuresDone, features: features) : []
            if let carried, search.resume(at: graph.featuresDone, with: carried) { return graph }
        }
        guard let dictionary = try dictionary(id: graph.dictionary) else { return graph }
        try connection.transaction {
            try forget(graph, of: dictionary)
            try connection.run("UPDATE neighbour_graph SET features_done = 0, is_complete = 0 WHERE id = ?", .init(graph.id))
        }
        return try self.dictionary(id: graph.target).flatMap { try neighbourGraph(of: dictionary, among: $0, k: graph.k) } ?? graph
    }

    private func forget(_ graph: NeighbourGraph, of dictionary: FeatureDictionary) throws {
        try connection.run("DELETE FROM feature_neighbour WHERE feature_id >= ? AND feature_id < ? AND graph_id = ?",
                           .init(dictionary.featureID(0)), .init(dictionary.featureID(featuresMaximum)), .init(graph.id))
        try connection.run("DELETE FROM neighbour_carry WHERE graph_id = ?", .init(graph.id))
    }

    /// Stores the neighbours of the features from `first` on, and what those after them must not lose.
    private func commit(
        _ lists: [[Neighbour]], from first: Int, of graph: NeighbourGraph, _ dictionary: FeatureDictionary, _ target: FeatureDictionary, _ search: GraphSearch, now: () -> String
    ) throws {
        try connection.transaction {
            let isComplete = first + lists.count == dictionary.features
            let isOurs = try connection.integer("""
                UPDATE neighbour_graph SET features_done = ?, is_complete = ?, finished_at = ? WHERE id = ? AND features_done = ? AND k = ? AND NOT is_complete RETURNING 1
                """, .init(first + lists.count), .init(isComplete), isComplete ? .text(now()) : .null, .init(graph.id), .init(first), .init(graph.k)) == 1
            guard isOurs else {
                throw MonosemeError("another monoseme neighbours is at work on \(dictionary.name) among \(target.name) in \(quoted(path, limit: 400))", hint: "let that one end; then this command finds the graph there")
            }
            var insert = try Statement("INSERT INTO feature_neighbour (feature_id, graph_id, rank, neighbour_id, cosine) VALUES (?, ?, ?, ?, ?)", on: connection)
            insert.bind(graph.id, at: 1)
            for (place, neighbours) in lists.enumerated() {
                insert.bind(dictionary.featureID(first + place), at: 0)
                for (rank, neighbour) in neighbours.enumerated() {
                    insert.bind(rank + 1, at: 2)
                    insert.bind(target.featureID(neighbour.feature), at: 3)
                    insert.bind(Double(neighbour.cosine), at: 4)
                    try insert.run()
                }
            }
            try store(carryOf: search, for: graph.id)
            if isComplete {
                for other in try neighbourGraphs() where other.dictionary == dictionary.id && other.target == target.id && other.id != graph.id {
                    try forget(other, of: dictionary)
                    try connection.run("DELETE FROM neighbour_graph WHERE id = ?", .init(other.id))
                }
            }
        }
    }
}
