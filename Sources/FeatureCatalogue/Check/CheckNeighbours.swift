import Diagnostics
import Kernels
import Numerics
import SQLite

/// Features of each graph whose neighbours are found again, and how many of each.
private let sampleSize = 16, neighboursOfASample = 1000

extension Examination {
    func examineNeighbours() {
        stage("reading the neighbour graphs")
        part("neighbour graphs") {
            var known: Set<Int> = []
            for graph in try catalogue.neighbourGraphs() {
                known.insert(graph.id)
                counted("neighbour graphs", 1)
                // A dictionary that is missing has been found among the references.
                guard let dictionary = try catalogue.dictionary(id: graph.dictionary), let target = try catalogue.dictionary(id: graph.target), dictionary.hasSoundShape, target.hasSoundShape else { continue }
                let place = "\(dictionary.name) among \(target.name)"
                do { try catalogue.demandSameSpace(dictionary, target) } catch {
                    damage("space of a neighbour graph", at: place, found: "\(dictionary.hook) and \(target.hook)", expected: "one model and hook point")
                }
                part("neighbours of a feature") { try examine(graph, dictionary, target, place) }
                part("candidates of a neighbour graph") { try examineCarry(of: graph, dictionary, place) }
            }
            for table in ["feature_neighbour", "neighbour_carry"] {
                let strays = try connection.rows("SELECT DISTINCT graph_id FROM \(table)") { $0.integer(0) }.filter { !known.contains($0) }
                for stray in strays { damage("graph of neighbours", at: "\(table) of graph \(stray)", found: "no such graph", expected: "one") }
            }
        }
    }

    private func examine(_ graph: NeighbourGraph, _ dictionary: FeatureDictionary, _ target: FeatureDictionary, _ place: String) throws {
        let isSelf = dictionary.id == target.id
        func zeros(_ dictionary: FeatureDictionary) throws -> Set<Int> {
            Set(try connection.rows("SELECT feature_index FROM feature WHERE dictionary_id = ? AND decoder_norm = 0", .init(dictionary.id)) { $0.integer(0) })
        }
        let own = try zeros(dictionary), theirs = isSelf ? own : try zeros(target)
        let others = max(0, target.features - theirs.count - (isSelf ? 1 : 0))
        expect(graph.neighbours, min(max(0, graph.k), others), "neighbours in a graph", at: place)
        guard (0...dictionary.features).contains(graph.featuresDone) else {
            return damage("features of a neighbour graph", at: place, found: "\(graph.featuresDone)", expected: "0 to \(dictionary.features)")
        }
        if graph.isComplete { expect(graph.featuresDone, dictionary.features, "features of a neighbour graph", at: place) } else {
            report.findings.append(Finding(kind: .unfinished, what: "unfinished neighbour graph", place: place, found: "\(graph.featuresDone) features", expected: "\(dictionary.features)"))
        }

        // Vectors that cannot be had have been found damaged before.
        let vectors = try? GraphVectors(dictionary, target, in: catalogue)
        let sample = Set((0..<min(sampleSize, graph.featuresDone)).map { $0 * graph.featuresDone / min(sampleSize, graph.featuresDone) })
        var sampled: [Int: [Neighbour]] = [:]
        var feature = 0, list: [Neighbour] = []
        /// Judges the list that has come to its end, and those of features before `next` that have no rows.
        func close(until next: Int) {
            while feature < min(next, dictionary.features) {
                let isDue = feature < graph.featuresDone && !own.contains(feature)
                expect(list.count, isDue ? graph.neighbours : 0, "neighbours of a feature", at: name(feature, dictionary))
                if sample.contains(feature) { sampled[feature] = list }
                feature += 1
                list = []
            }
        }
        try connection.query("SELECT feature_id, rank, neighbour_id, cosine FROM feature_neighbour WHERE feature_id >= ? AND feature_id < ? AND graph_id = ? ORDER BY feature_id, rank",
                             [.init(dictionary.featureID(0)), .init((dictionary.id + 1) << 32), .init(graph.id)]) { row in
            let index = row.integer(0) - dictionary.featureID(0)
            guard index < dictionary.features else { return damage("feature of a neighbour", at: "\(place) feature \(index)", found: "no such feature", expected: "0 to \(dictionary.features - 1)") }
            close(until: index)
            let neighbour = Neighbour(feature: row.integer(2) &- target.featureID(0), cosine: Float(row.real(3))), here = "\(name(index, dictionary)) neighbour \(row.integer(1))"
            expect(row.integer(1), list.count + 1, "rank of a neighbour", at: here)
            if !(0..<target.features).contains(neighbour.feature) || theirs.contains(neighbour.feature) || (isSelf && neighbour.feature == index) {
                damage("neighbour of a feature", at: here, found: "feature \(neighbour.feature)", expected: "another feature of \(target.name) that points somewhere")
            }
            if !follows(neighbour, list.last) { damage("order of neighbours", at: here, found: "\(neighbour.cosine)", expected: list.last.map { "at most \($0.cosine), ties by feature" } ?? "-1 to 1") }
            if Double(neighbour.cosine) != row.real(3) { damage("cosine of a neighbour", at: here, found: "\(row.real(3))", expected: "a number of single precision") } else if let cosine = vectors?.cosine(index, neighbour.feature), cosine != neighbour.cosine {
                damage("cosine of a neighbour", at: here, found: "\(neighbour.cosine)", expected: "\(cosine), as the vectors give")
            }
            list.append(neighbour)
            counted("neighbours", 1)
        }
        close(until: dictionary.features)
        expect(try connection.integer("SELECT count(*) FROM feature_neighbour WHERE graph_id = ? AND (feature_id < ? OR feature_id >= ?)", .init(graph.id), .init(dictionary.featureID(0)), .init((dictionary.id + 1) << 32)),
               0, "neighbours of features of another dictionary", at: place)
        if dictionary.width > 0 { try findAgain(sampled, graph, dictionary, target) }
    }

    /// Finds the neighbours of some features again, by looking at all there are.
    private func findAgain(_ sampled: [Int: [Neighbour]], _ graph: NeighbourGraph, _ dictionary: FeatureDictionary, _ target: FeatureDictionary) throws {
        guard dictionary.width == target.width, !sampled.isEmpty, graph.k > 0 else { return }
        let queries = try sampled.keys.sorted().map { (feature: $0, vector: try catalogue.decoder(of: $0, in: dictionary)) }.filter { $0.vector.contains { $0 != 0 } }
        var best = [[Neighbour]](repeating: [], count: queries.count)
        let limit = min(graph.k, neighboursOfASample)
        try catalogue.forEachDecoderBlock(of: target) { first, block in
            for place in 0..<block.count / target.width {
                let row = block.baseAddress! + place * target.width, index = first + place
                guard kernel_dot_exact(row, row, target.width) != 0 else { continue }
                for (query, (feature, vector)) in queries.enumerated() where !(dictionary.id == target.id && feature == index) {
                    let cosine = Float(kernel_dot_exact(vector, row, target.width))
                    if best[query].count == limit, !(cosine > best[query].last!.cosine) { continue }
                    best[query].insert(Neighbour(feature: index, cosine: cosine), at: best[query].firstIndex { $0.cosine < cosine } ?? best[query].count)
                    if best[query].count > limit { best[query].removeLast() }
                }
            }
        }
        for (place, query) in queries.enumerated() {
            let stored = Array(sampled[query.feature]!.prefix(limit))
            guard stored != best[place] else { continue }
            let rank = zip(stored, best[place]).enumerated().first { $1.0 != $1.1 }?.offset ?? min(stored.count, best[place].count)
            func say(_ list: [Neighbour]) -> String { rank < list.count ? "\(name(list[rank].feature, target)) at \(list[rank].cosine)" : "none" }
            damage("nearest features of a feature", at: "\(name(query.feature, dictionary)) neighbour \(rank + 1)", found: say(stored), expected: say(best[place]))
        }
    }

    private func examineCarry(of graph: NeighbourGraph, _ dictionary: FeatureDictionary, _ place: String) throws {
        try connection.query("SELECT first_index, candidates, checksum FROM neighbour_carry WHERE graph_id = ? ORDER BY first_index", [.init(graph.id)]) { row in
            let here = "\(place) candidates at feature \(row.integer(0))"
            if graph.isComplete || graph.dictionary != graph.target { damage("candidates of a neighbour graph", at: here, found: "some", expected: "none") }
            if !catalogue.isWhole(carry: row.blob(1), checksum: row.integer(2)) { damage("candidates of a neighbour graph", at: here, found: "other bytes", expected: "those of the checksum") }
        }
    }
}

/// The decoder rows of both sides of a graph; in its own dictionary they are the same, and are held once.
private final class GraphVectors {
    private let rows, others: Matrix

    init(_ dictionary: FeatureDictionary, _ target: FeatureDictionary, in catalogue: Catalogue) throws {
        guard dictionary.width == target.width else { throw catalogue.damagedVectors(target) }
        rows = try catalogue.unitRows(of: dictionary)
        others = dictionary.id == target.id ? Matrix(rows: 0, columns: 0) : try catalogue.unitRows(of: target)
    }

    /// `nil` where there is no such feature.
    func cosine(_ feature: Int, _ neighbour: Int) -> Float? {
        let base = others.rows > 0 ? others.base : rows.base, count = others.rows > 0 ? others.rows : rows.rows
        guard (0..<rows.rows).contains(feature), (0..<count).contains(neighbour) else { return nil }
        return Float(kernel_dot_exact(rows.base + feature * rows.columns, base + neighbour * rows.columns, rows.columns))
    }
}
