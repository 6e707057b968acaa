import Diagnostics
import Kernels
import SQLite

/// How well "the feature fires" says of a token that it is marked: that it satisfies a tag, or is of a topic.
///
/// With f the activation and c = 1 on marked tokens, over all tokens of a run; the measures of Towards Monosemanticity's detailed
/// investigations. Activations are those that the posting lists hold.
public struct SubjectStatistics: Sendable, Equatable {
    public let feature: Int
    /// Of the run, and those of them that are marked.
    public let tokens, marked: Int
    /// Tokens on which the feature fires, and those of them that are marked.
    public let firings, firingsMarked: Int
    /// Documents with a firing on a marked token.
    public let documents: Int
    /// Σ f, Σ f², Σ f·c
    public let sum, sumOfSquares, sumMarked: Double

    /// P(c | f > 0); `nil` for a feature that never fires.
    public var specificity: Double? { ratio(Double(firingsMarked), Double(firings)) }
    /// P(f > 0 | c); `nil` where nothing is marked.
    public var sensitivity: Double? { ratio(Double(firingsMarked), Double(marked)) }
    /// The harmonic mean of both.
    public var f1: Double? { ratio(2 * Double(firingsMarked), Double(firings + marked)) }
    /// P(c | f > 0) / P(c)
    public var enrichment: Double? { specificity.flatMap { ratio($0 * Double(tokens), Double(marked)) } }
    /// Σ f·c / Σ f
    public var massSpecificity: Double? { ratio(sumMarked, sum) }
    /// Pearson's correlation of f and c; `nil` where one of them is the same on all tokens.
    public var correlation: Double? { correlation(sum, sumOfSquares, sumMarked) }
    /// The same of "f > 0" and c.
    public var binaryCorrelation: Double? { correlation(Double(firings), Double(firings), Double(firingsMarked)) }

    private func correlation(_ sum: Double, _ squares: Double, _ together: Double) -> Double? {
        let n = Double(tokens), c = Double(marked)
        return ratio(n * together - sum * c, max(0, n * squares - sum * sum).squareRoot() * (c * (n - c)).squareRoot())
    }
}

private func ratio(_ a: Double, _ b: Double) -> Double? { b > 0 ? a / b : nil }

/// What features, of those that fire on a tag, can be ranked by.
public enum SubjectOrder: String, Sendable, CaseIterable {
    case specificity, sensitivity, f1, mass, correlation, enrichment

    public func key(_ statistics: SubjectStatistics) -> Double {
        switch self {
        case .specificity: statistics.specificity ?? 0
        case .sensitivity: statistics.sensitivity ?? 0
        case .f1: statistics.f1 ?? 0
        case .mass: statistics.massSpecificity ?? 0
        case .correlation: statistics.correlation ?? 0
        case .enrichment: statistics.enrichment ?? 0
        }
    }
}

extension Catalogue {
    /// The statistics of every feature of a run that fires, by feature.
    ///
    /// Reads all posting lists of the run: some nanoseconds a firing.
    /// - Throws: where the run kept only the strongest firings, from which nothing exact can be counted.
    public func statistics(against marks: PositionSet, in run: Run) throws -> [SubjectStatistics] {
        try demandEveryFiring(of: run, for: "how well it fits cannot be counted")
        try demandSoundShape(run.dictionary)
        var accumulator = SubjectAccumulator(marks, features: run.dictionary.features)
        for segment in try soundSegments(of: run) {
            let documents = try documents(of: segment, in: run.corpus)
            accumulator.begin(segment, documents)
            try forEachList(in: segment) { feature, list in
                guard accumulator.add(list, of: feature) else { throw damagedList("feature \(feature), segment \(segment.id)") }
            }
        }
        return (0..<run.dictionary.features).compactMap { feature in
            let statistics = accumulator.statistics(of: feature, run)
            return statistics.firings > 0 ? statistics : nil
        }
    }

    /// The statistics of one feature, whether it fires or not.
    public func statistics(of feature: Int, against marks: PositionSet, in run: Run) throws -> SubjectStatistics {
        try demandEveryFiring(of: run, for: "how well it fits cannot be counted")
        var accumulator = SubjectAccumulator(marks, features: 1)
        var lists = try Statement("SELECT list FROM posting WHERE id = ?", on: connection)
        for segment in try soundSegments(of: run) {
            accumulator.begin(segment, try documents(of: segment, in: run.corpus))
            lists.bind(firstPostingID(ofSegment: segment.id) + feature, at: 0)
            guard try lists.step() else { continue }
            let isSound = lists.withBlob(0) { list in list.baseAddress.map { accumulator.add(($0.assumingMemoryBound(to: UInt8.self), list.count), of: 0) } ?? false }
            guard isSound else { throw damagedList("feature \(feature), segment \(segment.id)") }
            lists.reset()
        }
        return accumulator.statistics(of: 0, run, as: feature)
    }
}

/// Counts of features against marks, segment after segment.
private struct SubjectAccumulator {
    private let marks: PositionSet
    private var marked = 0
    private var tallies: [kernel_marked_tally]
    private var sums: [kernel_posting_sums]
    private var first = 0, tokens = 0
    private var documents: [UInt32] = []

    init(_ marks: PositionSet, features: Int) {
        self.marks = marks
        tallies = .init(repeating: kernel_marked_tally(), count: features)
        sums = .init(repeating: kernel_posting_sums(), count: features)
    }

    mutating func begin(_ segment: Segment, _ documents: [UInt32]) {
        (first, tokens, self.documents) = (segment.firstPosition, segment.tokens, documents)
        marked += marks.count(in: first..<first + tokens)
    }

    /// `false` for a list that is damaged, or a feature that there is not.
    mutating func add(_ list: (bytes: UnsafePointer<UInt8>, count: Int), of feature: Int) -> Bool {
        tallies.indices.contains(feature) && kernel_posting_tally_marked(list.bytes, list.count, first, marks.words, marks.length, documents, tokens, &tallies[feature]) == 0
            && kernel_posting_sums(list.bytes, list.count, &sums[feature]) == 0
    }

    func statistics(of place: Int, _ run: Run, as feature: Int? = nil) -> SubjectStatistics {
        SubjectStatistics(feature: feature ?? place, tokens: run.tokens, marked: marked, firings: sums[place].count, firingsMarked: tallies[place].count, documents: tallies[place].documents,
                          sum: sums[place].sum, sumOfSquares: sums[place].squares, sumMarked: tallies[place].sum)
    }
}
