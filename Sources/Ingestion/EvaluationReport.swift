public import FeatureCatalogue
import Glibc

/// How well one autoencoder stands for the activations of a text, and what its features are like.
public struct EvaluationReport: Sendable, Equatable {
    /// The autoencoder's folder, as given.
    public let autoencoder: String
    /// As its configuration has it: standard, topk, …
    public let architecture: String
    /// Numbers a token.
    public let width: Int
    public let features: Int
    public let model: String
    public let hook: String
    /// Tokens in the longest context, BOS included.
    public let contextLength: Int
    public let prependsBOS: Bool

    /// What was read: `reconstruction` and `densities` are of all of it, BOS tokens left out.
    public let documents: Int
    public let contexts: Int
    public let tokens: Int
    /// Documents that gave no token, and lines that could not be read.
    public let emptyDocuments: Int
    public let malformedLines: Int

    public let reconstruction: Reconstruction
    public let losses: Losses
    public let densities: Densities
    /// Lengths of the decoder rows as the file has them, in the units of the activations.
    public let decoderNorms: Distribution
    /// Cosines between each feature's encoder column and decoder row; 0 where either is zero.
    public let encoderDecoderCosines: Distribution
}

/// Activations x against their reconstructions x̂, over tokens.
public struct Reconstruction: Sendable, Equatable {
    /// Mean firings a token.
    public let l0: Double
    /// Mean over tokens of ‖x − x̂‖², summed over the width.
    public let meanSquaredError: Double
    /// Σ‖x − x̂‖² ÷ Σ‖x‖²; `nil` where all activations are zero. With inputs scaled to E‖x‖² = width, as in the recipe of April
    /// 2024, it is the squared error of an average axis. Others divide by the spread about the mean and call that normalised: it
    /// is 1 − `explainedVariance`.
    public let normalizedMeanSquaredError: Double?
    /// 1 − Σ‖x − x̂‖² ÷ Σ‖x − mean x‖²; `nil` where all activations are equal.
    public let explainedVariance: Double?
}

/// Mean cross-entropies of the next token in nats, over the predictions of some contexts.
public struct Losses: Sendable, Equatable {
    public let contexts: Int
    /// Corpus tokens in them.
    public let tokens: Int
    /// Tokens that something comes before.
    public let predictions: Int
    /// The model's own.
    public let original: Double
    /// With x̂ in the place of the activations x, with zeros, with the mean of x.
    public let spliced: Double, zeroAblated: Double, meanAblated: Double

    /// (zero-ablated − spliced) ÷ (zero-ablated − original): 1 where x̂ does as well as x; `nil` where ablation does no harm, and so
    /// nothing is there to be recovered.
    public var recovered: Double? { recovered(against: zeroAblated) }
    /// The same against the mean: the harder test, which most of what any constant can do is left out of.
    public var recoveredFromMean: Double? { recovered(against: meanAblated) }

    private func recovered(against ablated: Double) -> Double? { ablated > original ? (ablated - spliced) / (ablated - original) : nil }
}

/// How often features fire, and what can be said of them from that: of `tokens` tokens and no others.
public struct Densities: Sendable, Equatable {
    /// On how many of the tokens each feature fired.
    public let firings: [Int]
    public let tokens: Int

    public init(firings: [Int], tokens: Int) { (self.firings, self.tokens) = (firings, tokens) }

    public func count(_ status: FeatureStatus) -> Int { firings.count { FeatureStatus(firings: $0, tokens: tokens) == status } }

    /// With 95 % confidence a dead feature's density is below this.
    public var deadBound: Double { densityBound(tokens: tokens) }

    /// Features with a density below 10⁻⁶ that is not 0; `nil` from fewer than 10⁸ tokens, where that cannot be told.
    public var ultralow: Int? { tokens >= FeatureStatus.tokensForUltralow ? count(.ultralow) : nil }

    /// Features by log₁₀ of their density, in tenths (Towards Monosemanticity, "Feature density histograms"); those that never fired
    /// are in no bin.
    /// - Returns: the exponent, in tenths, at which the first bin with a feature begins, and the features of each bin from there to the last.
    public var histogram: (first: Int, counts: [Int]) {
        // A density of 1 belongs to the bin that ends there.
        let bins = firings.filter { $0 > 0 }.map { min(-1, Int((10 * log10(Double($0) / Double(tokens))).rounded(.down))) }
        guard let first = bins.min(), let last = bins.max() else { return (0, []) }
        var counts = [Int](repeating: 0, count: last - first + 1)
        for bin in bins { counts[bin - first] += 1 }
        return (first, counts)
    }
}

/// Where some numbers lie.
public struct Distribution: Sendable, Equatable {
    public let minimum: Double, lowerQuartile: Double, median: Double, upperQuartile: Double, maximum: Double
    public let mean: Double

    /// Quartiles lie on the line between the neighbouring two, as numpy's do.
    /// - Parameter values: at least one.
    public init(_ values: [Float]) {
        precondition(!values.isEmpty)
        let sorted = values.sorted().map(Double.init)
        func quantile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1), low = Int(place)
            return low + 1 < sorted.count ? sorted[low] + (place - Double(low)) * (sorted[low + 1] - sorted[low]) : sorted[low]
        }
        (minimum, lowerQuartile, median, upperQuartile, maximum) = (sorted[0], quantile(0.25), quantile(0.5), quantile(0.75), sorted[sorted.count - 1])
        mean = sorted.reduce(0, +) / Double(sorted.count)
    }
}
