import Diagnostics
import Numerics
import SQLite

/// How a feature, or a family of features together, fires on one set of documents and on another.
public struct RateDifference: Sendable, Equatable {
    public struct Side: Sendable, Equatable {
        public let documentsFiring, firings: Int
        /// Firings a token of the set.
        public let rate: Double
        /// `rate` against the rate over all tokens of the corpus.
        public let lift: Double
    }

    public let unit: FeatureUnits.Unit
    public let first, second: Side
    /// Standard errors between the rate on the first set and the rate on the second, firings clustered by document; `nil`: it fires in too few
    /// documents to be tested.
    public let z: Double?
    /// The false discovery rate if this and all with a smaller q are believed, over the units that were tested.
    public let q: Double?
}

/// What tells two sets of documents apart.
public struct TopicComparison: Sendable {
    public let first, second: DocumentSet
    /// Of every unit that fires in one of the sets, in order of their first features.
    public let differences: [RateDifference]
    public var tested: Int { differences.count { $0.z != nil } }
    /// Of the sets together, so many documents must hold a firing for a unit to be tested.
    public let documentsMinimum: Int
}

extension Catalogue {
    /// Compares how often every unit fires on two sets of documents, exactly counted, document by document.
    ///
    /// The test is that of `feature_topic.z` (TopicEvidence.swift), with the second set in place of the rest of the corpus, and of both tails.
    /// - Throws: where the run kept only the strongest firings, where its ingest is unfinished, and for a set of fewer than two documents or sets that overlap.
    public func compare(_ first: DocumentSet, _ second: DocumentSet, in run: Run, _ units: FeatureUnits, documentsMinimum: Int, _ table: DocumentTable) throws -> TopicComparison {
        if let keep = run.keepTop {
            throw MonosemeError("\(run.dictionary.name) keeps only the \(keep) strongest firings of each feature: how often it fires in a document cannot be counted from these",
                                hint: "ingest it again without --keep top; monoseme topics --topic T --in \(run.dictionary.name) shows the counts by topic, which are of all firings")
        }
        try demandTopicEvidence(of: run)
        for set in [first, second] where set.places.count < 2 {
            throw MonosemeError("\(set.kind) \(quoted(set.name)) has \(set.places.isEmpty ? "no document" : "one document"): nothing can be tested on fewer than two", hint: "compare sets with more documents")
        }
        try demandSoundShape(run.dictionary)
        var setOf = [Int](repeating: 2, count: table.count)
        for place in first.places { setOf[place] = 0 }
        for place in second.places {
            if setOf[place] == 0 {
                throw MonosemeError("\(first.kind) \(quoted(first.name)) and \(second.kind) \(quoted(second.name)) share documents", hint: "compare two topics, or two files of the corpus")
            }
            setOf[place] = 1
        }
        let sums = try documentSums(of: run, units, setOf: setOf, sets: 2, table)
        var totals = [Double](repeating: 0, count: units.units.count)
        try connection.query("SELECT feature_id & 4294967295, firings FROM statistic WHERE run_id = ?", [.init(run.id)]) { row in
            if units.unitOf.indices.contains(row.integer(0)) { totals[units.unitOf[row.integer(0)]] += row.real(1) }
        }
        let groups = [first, second].map { set in
            set.places.reduce(into: TopicTable.Totals()) { totals, place in
                let tokens = Double(table.lengths[place])
                totals.documents += 1
                totals.tokens += tokens
                totals.squares += tokens * tokens
            }
        }
        let tests = weigh(sums, on: groups, documentsMinimum: documentsMinimum)
        let met = units.units.indices.filter { sums[2 * $0].documents + sums[2 * $0 + 1].documents > 0 }
        return TopicComparison(first: first, second: second, differences: met.map { unit in
            func side(_ sums: DocumentSums, _ set: DocumentSet) -> RateDifference.Side {
                let rate = set.tokens > 0 ? sums.firings / Double(set.tokens) : 0
                return .init(documentsFiring: sums.documents, firings: Int(sums.firings), rate: rate, lift: totals[unit] > 0 ? rate * Double(run.tokens) / totals[unit] : 0)
            }
            return RateDifference(unit: units.units[unit], first: side(sums[2 * unit], first), second: side(sums[2 * unit + 1], second), z: tests[unit]?.z, q: tests[unit]?.q)
        }, documentsMinimum: documentsMinimum)
    }
}

/// Tests, unit by unit, whether rates on two groups of documents differ.
///
/// Either group may be the one on which a unit fires more often: the design effect is that of the whole, or of that group where it is more, and p
/// is of both tails. q is over all units that are tested.
/// - Parameter sums: of each unit, over one group and over the other.
/// - Returns: `nil` for a unit that fires in fewer than `documentsMinimum` documents, or in one.
func weigh(_ sums: [DocumentSums], on groups: [TopicTable.Totals], documentsMinimum: Int) -> [(z: Double, q: Double)?] {
    let (one, other) = (groups[0], groups[1])
    var zs: [Double] = [], p: [Double] = [], tested: [Int] = []
    for unit in 0..<sums.count / 2 {
        let (a, b) = (sums[2 * unit], sums[2 * unit + 1]), documents = a.documents + b.documents
        guard documents >= max(2, documentsMinimum) else { continue }
        let z = a.firings * other.tokens >= b.firings * one.tokens ? rateDifference(a, on: one, b, on: other) : -rateDifference(b, on: other, a, on: one)
        zs.append(z)
        p.append(min(1, 2 * StudentT.upperTail(abs(z), freedom: Double(documents - 1))))
        tested.append(unit)
    }
    var tests = [(z: Double, q: Double)?](repeating: nil, count: sums.count / 2)
    for (place, q) in falseDiscoveryRates(p, tests: p.count).enumerated() { tests[tested[place]] = (zs[place], q) }
    return tests
}
