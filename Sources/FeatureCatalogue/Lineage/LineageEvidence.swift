/// What is known of a feature p of a smaller dictionary version and a feature c of a larger one.
///
/// A is the set of tokens a feature fires on, f its activation; n = |A|.
public struct LineageEvidence: Sendable, Equatable {
    /// n_p and n_c, each over its own run.
    public var parentFirings, childFirings: Int
    /// Tokens of the corpus both were run over; `nil`, with all that follows from tokens in common, without evidence of activations.
    public var tokens: Int?
    /// n_pc: tokens on which both fire.
    public var together: Int?
    /// Σ f_c over A_p, of Σ f_c.
    public var massCoverage: Double?
    /// The cosine of the two activations restricted to the tokens where one fires, the larger of the two restrictions (Towards Monosemanticity,
    /// "Feature splitting").
    public var maskedCosine: Double?
    /// Pearson's r over all tokens.
    public var activationCorrelation: Double?
    /// Of the unit decoder rows; `nil` where they stand in different spaces.
    public var decoderCosine: Double?
    /// ρ = decoder cosine · mean of f_c when active / mean of f_p when active: how much of the parent's usual push the child's carries.
    public var containment: Double?

    public init(parentFirings: Int, childFirings: Int, tokens: Int? = nil, together: Int? = nil, massCoverage: Double? = nil, maskedCosine: Double? = nil,
                activationCorrelation: Double? = nil, decoderCosine: Double? = nil, containment: Double? = nil) {
        (self.parentFirings, self.childFirings, self.tokens, self.together, self.massCoverage) = (parentFirings, childFirings, tokens, together, massCoverage)
        (self.maskedCosine, self.activationCorrelation, self.decoderCosine, self.containment) = (maskedCosine, activationCorrelation, decoderCosine, containment)
    }

    /// P(p fires | c fires).
    public var coverage: Double? { together.map { childFirings > 0 ? Double($0) / Double(childFirings) : 0 } }
    /// P(c fires | p fires).
    public var keep: Double? { together.map { parentFirings > 0 ? Double($0) / Double(parentFirings) : 0 } }
    /// The lower end of Wilson's 95 % interval of the coverage.
    public var coverageLow: Double? { together.map { wilsonLow($0, of: childFirings) } }
    /// The coverage above what chance gives, of what it leaves: (P(p | c) − P(p)) / (1 − P(p)).
    public var excessCoverage: Double? {
        guard let coverage, let tokens, tokens > parentFirings else { return nil }
        let density = Double(parentFirings) / Double(tokens)
        return (coverage - density) / (1 - density)
    }
}

/// The lower end of Wilson's 95 % interval of `count` / `total`.
public func wilsonLow(_ count: Int, of total: Int) -> Double {
    guard total > 0 else { return 0 }
    let z = 1.959963984540054, n = Double(total), p = Double(count) / n
    let spread = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, (p + z * z / (2 * n) - spread) / (1 + z * z / n))
}
