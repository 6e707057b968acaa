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
    /// Of the child's mass Σ f_c, the part on the parent's tokens, and of the parent's mass the part on the child's: coverage and keep, weighted by activation.
    /// Weak firings, of which trained dictionaries have many and which mean little, do not drown strong ones.
    public var massCoverage, massKeep: Double?
    /// (Σ f_c)² / Σ f_c²: as many firings of equal strength say as much (Kish's effective size).
    public var effectiveFirings: Double?
    /// The cosine of the two activations restricted to the tokens where one fires, the larger of the two restrictions (Towards Monosemanticity,
    /// "Feature splitting").
    public var maskedCosine: Double?
    /// Pearson's r over all tokens.
    public var activationCorrelation: Double?
    /// Of the unit decoder rows; `nil` where they stand in different spaces.
    public var decoderCosine: Double?
    /// ρ = decoder cosine · mean of f_c when active / mean of f_p when active: how much of the parent's usual push the child's carries.
    public var containment: Double?

    public init(parentFirings: Int, childFirings: Int, tokens: Int? = nil, together: Int? = nil, massCoverage: Double? = nil, massKeep: Double? = nil, effectiveFirings: Double? = nil, maskedCosine: Double? = nil,
                activationCorrelation: Double? = nil, decoderCosine: Double? = nil, containment: Double? = nil) {
        (self.parentFirings, self.childFirings, self.tokens, self.together) = (parentFirings, childFirings, tokens, together)
        (self.massCoverage, self.massKeep, self.effectiveFirings) = (massCoverage, massKeep, effectiveFirings)
        (self.maskedCosine, self.activationCorrelation, self.decoderCosine, self.containment) = (maskedCosine, activationCorrelation, decoderCosine, containment)
    }

    /// P(p fires | c fires).
    public var coverage: Double? { together.map { childFirings > 0 ? Double($0) / Double(childFirings) : 0 } }
    /// P(c fires | p fires).
    public var keep: Double? { together.map { parentFirings > 0 ? Double($0) / Double(parentFirings) : 0 } }
    /// The lower end of Wilson's 95 % interval of the coverage.
    public var coverageLow: Double? { coverage.map { wilsonLow($0, of: Double(childFirings)) } }
    /// The same of the coverage by mass, at the effective number of firings.
    public var massCoverageLow: Double? {
        guard let massCoverage, let effectiveFirings else { return nil }
        return wilsonLow(massCoverage, of: effectiveFirings)
    }
    /// The coverage by mass above what chance gives, of what it leaves: (M − P(p)) / (1 − P(p)).
    public var excessCoverage: Double? {
        guard let massCoverage, let tokens, tokens > parentFirings else { return nil }
        let density = Double(parentFirings) / Double(tokens)
        return (massCoverage - density) / (1 - density)
    }
}

/// The lower end of Wilson's 95 % interval of a share `p` seen in `n` trials.
public func wilsonLow(_ p: Double, of n: Double) -> Double {
    guard n > 0 else { return 0 }
    let z = 1.959963984540054
    let spread = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, (p + z * z / (2 * n) - spread) / (1 + z * z / n))
}
