import Glibc

extension LineageRule {
    /// The probability that an edge is true: logistic in what is known, fitted on planted worlds (Fixtures/README.md, "Lineage").
    public static func confidence(_ evidence: LineageEvidence) -> Double {
        let low = min(max(evidence.massCoverageLow ?? 0, 0.001), 0.999)
        let score = -0.5 + 1.5 * log(low / (1 - low)) + 3 * (evidence.decoderCosine ?? 0)
        return 1 / (1 + exp(-score))
    }
}
