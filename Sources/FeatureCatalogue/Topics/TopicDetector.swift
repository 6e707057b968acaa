import Kernels

/// "Some firing in the document is at least `threshold`", as a detector of the documents of one topic.
///
/// The threshold has the greatest F1 on half of the documents (the first, third, … of each topic), the highest such; precision,
/// recall and F1 are those on the other half.
public struct TopicDetector: Sendable, Equatable {
    public let threshold: Float
    /// Of the held-out documents that it takes, the part that is of the topic; 0 where it takes none.
    public let precision: Double
    /// Of the topic's held-out documents, the part that it takes.
    public let recall: Double
    /// 2 · precision · recall / (precision + recall).
    public let f1: Double

    public init(threshold: Float, precision: Double, recall: Double, f1: Double) {
        (self.threshold, self.precision, self.recall, self.f1) = (threshold, precision, recall, f1)
    }
}

extension TopicTable {
    /// The detector of each topic, and the area under the curve of all its thresholds on held-out documents: the chance that
    /// a document of the topic has a stronger firing than another, where equal ones (such as two silent ones) count half.
    ///
    /// - Parameter tallies: each document in which the feature fires, once, documents ascending.
    func detectors(for tallies: ArraySlice<kernel_document_tally>) -> [(detector: TopicDetector?, auroc: Double?)] {
        let thresholds = thresholds(on: ranked(tallies, heldOut: false)), heldOut = ranked(tallies, heldOut: true)
        let aurocs = aurocs(on: heldOut)
        var hits = [Int](repeating: 0, count: ids.count)
        for (value, topic) in zip(heldOut.values, heldOut.topics) where value >= thresholds[topic] ?? .infinity { hits[topic] += 1 }
        return ids.indices.map { topic in
            guard topics[topic].heldOut > 0, let threshold = thresholds[topic] else { return (nil, aurocs[topic]) }
            let taken = heldOut.values.partitioningIndex { $0 < threshold }, hits = Double(hits[topic]), documents = topics[topic].heldOut
            let detector = TopicDetector(threshold: threshold, precision: taken == 0 ? 0 : hits / Double(taken), recall: hits / Double(documents),
                                         f1: 2 * hits / Double(taken + documents))
            return (detector, aurocs[topic])
        }
    }

    /// The strongest firing of each document that has one, with the document's topic, the strongest first.
    private typealias Ranked = (values: [Float], topics: [Int])

    private func ranked(_ tallies: ArraySlice<kernel_document_tally>, heldOut: Bool) -> Ranked {
        let half = tallies.filter { isHeldOut[Int($0.document)] == heldOut }, values = half.map(\.maximum), count = half.count
        let order = [UInt32](unsafeUninitializedCapacity: count) { kernel_order_descending(values, count, $0.baseAddress); $1 = count }
        return (order.map { values[Int($0)] }, order.map { topicOf[Int(half[Int($0)].document)] })
    }

    /// For each topic, of the thresholds with the greatest F1 the highest; `nil` for one without a document here.
    private func thresholds(on half: Ranked) -> [Float?] {
        var best = [(f1: Double, threshold: Float?)](repeating: (0, nil), count: ids.count)
        var hits = [Int](repeating: 0, count: ids.count), taken = 0
        while taken < half.values.count {
            // All documents of one value pass a threshold together.
            let start = taken, threshold = half.values[start]
            while taken < half.values.count, half.values[taken] == threshold {
                hits[half.topics[taken]] += 1
                taken += 1
            }
            // Only a topic that gained a document can have got better.
            for topic in half.topics[start..<taken] {
                let f1 = 2 * Double(hits[topic]) / Double(taken + topics[topic].documents - topics[topic].heldOut)
                if f1 > best[topic].f1 { best[topic] = (f1, threshold) }
            }
        }
        return best.map(\.threshold)
    }

    /// Mann and Whitney's U of each topic's held-out documents over the others, as a part of all pairs; `nil` where there are none.
    private func aurocs(on half: Ranked) -> [Double?] {
        var won = [Double](repeating: 0, count: ids.count)
        // Of the documents before, and of those of one value: how many are of each topic.
        var before = [Int](repeating: 0, count: ids.count), equal = before
        func others(_ topic: Int) -> Int { all.heldOut - topics[topic].heldOut }
        /// Pairs that one document of a topic wins with `above` before it and `level` of its value, all topics counted.
        func wins(_ topic: Int, _ above: Int, _ level: Int) -> Double {
            let better = above - before[topic], same = level - equal[topic]
            return Double(others(topic) - better - same) + Double(same) / 2
        }
        var start = 0
        while start < half.values.count {
            var end = start
            while end < half.values.count, half.values[end] == half.values[start] { equal[half.topics[end]] += 1; end += 1 }
            for topic in half.topics[start..<end] { won[topic] += wins(topic, start, end - start) }
            for topic in half.topics[start..<end] { before[topic] += 1; equal[topic] = 0 }
            start = end
        }
        return ids.indices.map { topic in
            let mine = topics[topic].heldOut, silent = mine - before[topic]
            guard mine > 0, others(topic) > 0 else { return nil }
            equal[topic] = silent
            won[topic] += Double(silent) * wins(topic, start, all.heldOut - start)
            return won[topic] / (Double(mine) * Double(others(topic)))
        }
    }
}
