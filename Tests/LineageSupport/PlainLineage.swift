public import FeatureCatalogue

/// The evidence of all pairs of two dictionaries' features, token by token in double precision: the witness for the engine.
public struct PlainLineage: Sendable {
    public let coarse, fine: Int
    /// Of p and c at p · fine + c.
    public let evidence: [LineageEvidence]

    public subscript(parent: Int, child: Int) -> LineageEvidence { evidence[parent * fine + child] }

    /// Over tokens in common.
    public init(_ p: FeatureActivations, _ c: FeatureActivations) {
        precondition(p.tokens == c.tokens)
        let (coarse, fine, tokens) = (p.decoder.count, c.decoder.count, p.tokens)
        var together = [Int](repeating: 0, count: coarse * fine)
        // Σ f_p f_c; Σ f_c and Σ f_c² over A_p; Σ f_p and Σ f_p² over A_c.
        var products = [Double](repeating: 0, count: coarse * fine), childMass = products, childSquares = products, parentMass = products, parentSquares = products
        for token in 0..<tokens {
            for i in p[token] {
                for j in c[token] {
                    let at = Int(p.features[i]) * fine + Int(c.features[j]), a = Double(p.values[i]), b = Double(c.values[j])
                    together[at] += 1
                    products[at] += a * b
                    childMass[at] += b
                    childSquares[at] += b * b
                    parentMass[at] += a
                    parentSquares[at] += a * a
                }
            }
        }
        let parents = Moments.all(of: p), children = Moments.all(of: c)
        var evidence: [LineageEvidence] = []
        for (parent, a) in parents.enumerated() {
            for (child, b) in children.enumerated() {
                let at = parent * fine + child, n = Double(tokens)
                var one = LineageEvidence(parentFirings: a.count, childFirings: b.count, tokens: tokens, together: together[at])
                one.massCoverage = b.sum > 0 ? childMass[at] / b.sum : 0
                one.massKeep = a.sum > 0 ? parentMass[at] / a.sum : 0
                one.effectiveFirings = b.squares > 0 ? b.sum * b.sum / b.squares : 0
                let masked = [a.squares * childSquares[at], parentSquares[at] * b.squares].filter { $0 > 0 }.map { products[at] / $0.squareRoot() }
                one.maskedCosine = masked.max() ?? 0
                let spread = ((a.squares - a.sum * a.sum / n) * (b.squares - b.sum * b.sum / n)).squareRoot()
                one.activationCorrelation = spread > 0 ? (products[at] - a.sum * b.sum / n) / spread : 0
                let cosine = zip(p.decoder[parent], c.decoder[child]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                one.decoderCosine = cosine
                one.containment = a.count > 0 && b.count > 0 ? cosine * (b.sum / Double(b.count)) / (a.sum / Double(a.count)) : nil
                evidence.append(one)
            }
        }
        (self.coarse, self.fine, self.evidence) = (coarse, fine, evidence)
    }

    private struct Moments {
        var count = 0, sum = 0.0, squares = 0.0

        static func all(of activations: FeatureActivations) -> [Moments] {
            activations.byFeature.map { list in
                list.reduce(into: Moments()) { moments, firing in
                    moments.count += 1
                    moments.sum += Double(firing.value)
                    moments.squares += Double(firing.value) * Double(firing.value)
                }
            }
        }
    }
}
