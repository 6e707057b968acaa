import Glibc
import Kernels
import SQLite

/// Which tokens a feature fires on, by summed activation: one token's feature fires on the token, another's on what the text is about.
public struct TokenProfile: Sendable, Equatable {
    /// Tokens of the vocabulary it fires on.
    public let tokens: Int
    /// −Σ p·log₂ p in bits, where p is a token's part of the feature's summed activation.
    public let entropy: Double
    /// The token with the largest part, ties to the lower id, and that part.
    public let top: Int
    public let topShare: Double

    /// So many tokens of equal parts have the same entropy.
    public var evenTokens: Double { exp2(entropy) }

    /// - Parameter sums: by token; `nil` where nothing fires.
    init?(_ sums: some Sequence<kernel_token_tally>) {
        var all = 0.0, weighted = 0.0, tokens = 0, best = (token: 0, sum: 0.0)
        for (token, tally) in sums.enumerated() where tally.sum > 0 {
            all += tally.sum
            weighted += tally.sum * log2(tally.sum)
            tokens += 1
            if tally.sum > best.sum { best = (token, tally.sum) }
        }
        guard all > 0 else { return nil }
        // −Σ (s/S)·log₂(s/S) = log₂ S − Σ s·log₂ s / S
        (self.tokens, entropy, top, topShare) = (tokens, max(0, log2(all) - weighted / all), best.token, best.sum / all)
    }
}

extension Catalogue {
    /// The profile of each of `features`, in their order, exactly, from their posting lists; `nil` for one that never fires, and where the run
    /// kept only the strongest firings.
    public func tokenProfiles(of features: [Int], in run: Run) throws -> [TokenProfile?] {
        guard run.keepTop == nil else { return features.map { _ in nil } }
        let vocabulary = try connection.integer("SELECT vocabulary FROM tokenizer JOIN corpus ON tokenizer.id = tokenizer_id WHERE corpus.id = ?", .init(run.corpus)) ?? 0
        let segments = try segments(of: run)
        // Tallies of some features at once, so that the corpus is read once for each such group.
        let together = max(1, (1 << 28) / 16 / max(1, vocabulary))
        var profiles: [TokenProfile?] = []
        for start in stride(from: 0, to: features.count, by: together) {
            let group = features[start..<min(features.count, start + together)]
            var tallies = group.map { _ in [kernel_token_tally](repeating: kernel_token_tally(), count: vocabulary) }
            for segment in segments {
                var ids: [Int32]?
                for (place, feature) in group.enumerated() {
                    let firings = try firings(of: feature, in: segment)
                    guard let last = firings.positions.last else { continue }
                    if ids == nil { ids = try tokens(of: run.corpus, at: segment.firstPosition..<segment.firstPosition + segment.tokens) }
                    let positions = firings.positions.map { UInt32(truncatingIfNeeded: $0 - segment.firstPosition) }
                    guard last - segment.firstPosition < ids!.count, kernel_tally_tokens(positions, firings.values, positions.count, ids!, vocabulary, &tallies[place]) == 0 else {
                        throw damagedList("feature \(feature), segment \(segment.id)")
                    }
                }
            }
            profiles += tallies.map { TokenProfile($0) }
        }
        return profiles
    }
}
