/// How much is done at once and how much is sampled. The same for everybody, so that runs compare; only tests change it.
struct IngestionSizes: Sendable {
    /// Tokens to a segment: large enough that posting lists are long, small enough that a kill costs seconds.
    var segmentTokens = 65_536
    /// Corpus tokens behind explained variance and losses, at most: four forward passes with logits each.
    var evaluationTokens = 8_192
    /// Corpus tokens behind the neuron correlations, at most: one forward pass without logits each.
    var neuronTokens = 131_072
}
