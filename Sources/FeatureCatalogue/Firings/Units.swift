// From the catalogue's unit of activation (f·‖d‖, unit decoder rows) to another, for a reader who asked for it.

extension FeatureOverview {
    public func scaled(by factor: Double) -> FeatureOverview {
        FeatureOverview(name: name, label: label, status: status, firings: firings, tokens: tokens, density: density, documents: documents, maximum: maximum * factor,
                        meanWhenActive: meanWhenActive.map { $0 * factor }, topToken: topToken, topLogitToken: topLogitToken, decoderNorm: decoderNorm,
                        activationScale: activationScale, encoderDecoderCosine: encoderDecoderCosine,
                        labelStatus: labelStatus, labelScore: labelScore, labelScoreMethod: labelScoreMethod)
    }
}

extension ActivationStatistics {
    /// - Parameter values: the scaled activations, to be counted anew: bins do not scale.
    public func scaled(by factor: Double, histogramOf values: [Float]) -> ActivationStatistics {
        var scaled = self
        scaled.sum *= factor
        scaled.sumOfSquares *= factor * factor
        scaled.maximum = Float(Double(maximum) * factor)
        scaled.histogram = ActivationHistogram(of: values)
        return scaled
    }
}

extension TopicRate {
    public func scaled(by factor: Double) -> TopicRate {
        TopicRate(feature: feature, topic: topic, firings: firings, topicTokens: topicTokens, rate: rate, share: share, lift: lift, meanWhenActive: meanWhenActive * factor,
                  sum: sum * factor, maximum: maximum * factor, documentsFiring: documentsFiring, topicDocuments: topicDocuments,
                  detector: detector.map { TopicDetector(threshold: Float(Double($0.threshold) * factor), precision: $0.precision, recall: $0.recall, f1: $0.f1) },
                  massSpecificity: massSpecificity, z: z, q: q, auroc: auroc, logOdds: logOdds)
    }
}
