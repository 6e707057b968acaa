import Diagnostics
import Kernels

/// How often two features of a dictionary fire on the same token.
public struct Cofiring: Sendable, Equatable {
    /// The other feature.
    public let feature: Int
    /// Tokens on which both fire.
    public let count: Int
    /// Tokens on which the first fires, on which the other does, and all there are.
    public let firings, otherFirings, tokens: Int

    /// Of the first's firings, the part with the other: P(other | first).
    public var share: Double { Double(count) / Double(firings) }
    /// Of the other's firings, the part with the first: P(first | other).
    public var shareOfOther: Double { Double(count) / Double(otherFirings) }
    /// Against what chance would give if they were independent.
    public var lift: Double { share * Double(tokens) / Double(otherFirings) }
    /// φ: Pearson's correlation of "fires" with "fires", over all tokens.
    public var correlation: Double {
        let n = Double(tokens), a = Double(firings), b = Double(otherFirings)
        let spread = (a * (n - a)).squareRoot() * (b * (n - b)).squareRoot()
        return spread > 0 ? (n * Double(count) - a * b) / spread : 0
    }
}

extension Catalogue {
    /// The features that fire on tokens on which `feature` does, exactly counted, the most correlated first, ties by index.
    ///
    /// Reads the posting lists of all features in the segments where this one fires: some nanoseconds a firing there.
    /// - Throws: where the run kept only the strongest firings, from which nothing exact can be counted.
    public func cofirings(of feature: Int, in run: Run) throws -> [Cofiring] {
        try demandEveryFiring(of: run, for: "what fires together cannot be counted")
        try demandSoundShape(run.dictionary)
        var counts = [Int](repeating: 0, count: run.dictionary.features)
        for segment in try segments(of: run) {
            let own = try firings(of: feature, in: segment)
            guard let last = own.positions.last else { continue }
            let length = last - segment.firstPosition + 1
            guard length <= segment.tokens, length <= 1 << 28 else { throw damagedList("feature \(feature), segment \(segment.id)") }
            var marks = [UInt64](repeating: 0, count: (length + 63) / 64)
            for position in own.positions { marks[(position - segment.firstPosition) / 64] |= 1 << UInt64((position - segment.firstPosition) % 64) }
            let first = firstPostingID(ofSegment: segment.id)
            try connection.query("SELECT id, list FROM posting WHERE id >= ? AND id < ? ORDER BY id", [.init(first), .init(firstPostingID(ofSegment: segment.id + 1))]) { row in
                let other = row.integer(0) - first
                let marked = row.withBlob(1) { list in list.baseAddress.map { kernel_posting_count_marked($0.assumingMemoryBound(to: UInt8.self), list.count, marks, length) } ?? -1 }
                guard counts.indices.contains(other), marked >= 0 else { throw damagedList("feature \(other), segment \(segment.id)") }
                counts[other] += marked
            }
        }
        var totals = [Int](repeating: 0, count: counts.count)
        try connection.query("SELECT feature_id & 4294967295, firings FROM statistic WHERE run_id = ?", [.init(run.id)]) { row in
            if totals.indices.contains(row.integer(0)) { totals[row.integer(0)] = row.integer(1) }
        }
        return counts.indices.lazy.filter { $0 != feature && counts[$0] > 0 }
            .map { Cofiring(feature: $0, count: counts[$0], firings: totals[feature], otherFirings: totals[$0], tokens: run.tokens) }
            .sorted { $0.correlation != $1.correlation ? $0.correlation > $1.correlation : $0.feature < $1.feature }
    }
}
