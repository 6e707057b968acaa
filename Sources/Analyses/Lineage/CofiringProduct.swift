import Diagnostics
public import FeatureCatalogue
import Kernels
import LinearAlgebra

/// What every feature of one version has in common with every feature of another, over the corpus both were run over.
///
/// Exact sums over the tokens on which both fire, from which co-firing counts, masked cosines and correlations follow. Features that fire on fewer than
/// `LineageRule.firingsMinimum` tokens are left out.
public final class CofiringProduct: Sendable {
    /// Two features and the tokens on which both fire.
    public struct Pair: Sendable, Equatable {
        public let coarse: Int
        /// Tokens.
        public let together: Int
        /// Σ f_p f_c, Σ f_p², Σ f_c², Σ f_p, Σ f_c.
        public let product, coarseSquares, fineSquares, coarseSum, fineSum: Double
    }

    private let coarse: CoarseFirings
    private let fine: Run
    private let threads: Int
    private let pool: Pool<Cofirings.Workspace>

    /// Reads the firings of `coarse`: 8 bytes each, for as long as this lives.
    public init(of coarse: Run, and fine: Run, in catalogue: Catalogue, threads: Int) throws {
        guard coarse.corpus == fine.corpus else {
            throw MonosemeError("\(coarse.dictionary.name) and \(fine.dictionary.name) were run over different corpora: they have no tokens in common", hint: "ingest both over one corpus")
        }
        for run in [coarse, fine] {
            if let keep = run.keepTop { throw MonosemeError("\(run.dictionary.name) keeps only the \(keep) strongest firings of each feature: what fires together cannot be counted from these", hint: "ingest it again without --keep top") }
        }
        let firings = try CoarseFirings(of: coarse, in: catalogue, threads: threads)
        (self.coarse, self.fine, self.threads) = (firings, fine, threads)
        pool = Pool { Cofirings.Workspace(parents: firings.parents.count) }
    }

    /// Calls `body` with every fine feature that is not left out, in order, and the coarse ones it fires with on at least `togetherMinimum` tokens, in order.
    public func forEachFeature(in catalogue: Catalogue, togetherMinimum: Int = 1, _ body: (Int, [Pair]) throws -> Void) throws {
        let floor = kernel_cofire_floor(together: Double(max(1, togetherMinimum)), coverage: 0, masked_cosine2: 0)
        let firings = try catalogue.statistics(of: fine).map(\.firings)
        for start in stride(from: 0, to: fine.dictionary.features, by: 1024 * threads) {
            let features = start..<min(fine.dictionary.features, start + 1024 * threads)
            let cofirings = try Cofirings(of: features, in: fine, coarse, catalogue)
            let found = Slots<[Pair]>(features.count)
            do {
                try forEachInParallel(features.count, threads: threads) { place in
                    guard firings[start + place] >= LineageRule.firingsMinimum else { return }
                    found[place] = try pool.with { work in
                        try cofirings.child(start + place, wanted: [], floor: floor, work).pairs.map { pair in
                            Pair(coarse: coarse.parents[pair.parent], together: Int(pair.sums.together), product: pair.sums.product, coarseSquares: pair.sums.parent_squares,
                                 fineSquares: pair.sums.child_squares, coarseSum: pair.sums.parent_sum, fineSum: pair.sums.child_sum)
                        }
                    }
                }
            } catch let damage as DamagedPosting { throw catalogue.damaged(damage.feature, in: damage.segment) }
            for place in 0..<features.count { if let pairs = found[place] { try body(start + place, pairs) } }
        }
    }
}
