import Glibc

extension LineageRule {
    /// The probability that the parent's meaning holds the child's: logistic in what is known, one model for each sort of evidence there is, fitted on
    /// planted hierarchies by `Fixtures/making/lineage_confidence.py` (how well: Fixtures/README.md, "Lineage").
    public static func confidence(_ evidence: LineageEvidence) -> Double {
        let cosine = evidence.decoderCosine
        let score: Double
        if evidence.tokens == nil {
            score = 11.59 * (cosine ?? 0) + 2.18 * min(max(evidence.containment ?? 0, -1), 2.5) - 8.88
        } else {
            let coverage = logit(evidence.massCoverageLow ?? 0), masked = evidence.maskedCosine ?? 0
            if let cosine {
                score = 0.37 * coverage - 0.5 * logit(evidence.massKeep ?? 0) + 8.27 * cosine + 2.11 * masked - 6.13
            } else {
                score = 0.4 * coverage + 3.29 * (evidence.activationCorrelation ?? 0) + 0.78 * masked - 1.33
            }
        }
        return 1 / (1 + exp(-score))
    }

    private static func logit(_ share: Double) -> Double {
        let bounded = min(max(share, 0.002), 0.998)
        return log(bounded / (1 - bounded))
    }
}
