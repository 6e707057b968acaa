/// Which planted node each feature has recovered.
public enum RecoveredNodes {
    /// The node that "fires above a tenth of its maximum" tells best, when with F1 of at least .6.
    public static func of(_ activations: FeatureActivations, nodes: [[Int32]], f1Minimum: Double = 0.6) -> [Int?] {
        var onAt = [[Int32]](repeating: [], count: activations.tokens)
        for (node, tokens) in nodes.enumerated() { for token in tokens { onAt[Int(token)].append(Int32(node)) } }
        return activations.byFeature.map { firings in
            let maximum = firings.map(\.value).max() ?? 0, strong = firings.filter { $0.value > 0.1 * maximum }
            var hits = [Int](repeating: 0, count: nodes.count)
            for firing in strong { for node in onAt[Int(firing.token)] { hits[Int(node)] += 1 } }
            let scores = nodes.indices.map { strong.isEmpty ? 0 : 2 * Double(hits[$0]) / Double(strong.count + nodes[$0].count) }
            guard let best = scores.indices.max(by: { scores[$0] < scores[$1] }), scores[best] >= f1Minimum else { return nil }
            return best
        }
    }
}
