import Kernels

/// "Some firing in the document is at least `threshold`", as a detector of the documents of one topic.
public struct TopicDetector: Sendable, Equatable {
    public let threshold: Float
    public let precision: Double
    public let recall: Double
    /// 2 · precision · recall / (precision + recall).
    public let f1: Double

    public init(threshold: Float, precision: Double, recall: Double, f1: Double) {
        (self.threshold, self.precision, self.recall, self.f1) = (threshold, precision, recall, f1)
    }
}

/// Finds, for each topic, the threshold on a feature's strongest firing in a document that detects the topic's
/// documents with the greatest F1; among equals the highest threshold.
struct TopicDetectors: Sendable {
    /// Topic ids, ascending.
    private let topics: [Int]
    /// Of each topic, how many documents it has; of each document, the place of its topic in `topics`.
    private let documents, topicOf: [Int]

    init(_ table: DocumentTable) {
        topics = Set(table.topics).sorted()
        let places = Dictionary(uniqueKeysWithValues: topics.enumerated().map { ($1, $0) })
        topicOf = table.topics.map { places[$0]! }
        var documents = [Int](repeating: 0, count: topics.count)
        for topic in topicOf { documents[topic] += 1 }
        self.documents = documents
    }

    /// - Parameter maxima: each document in which the feature fires, once, documents ascending.
    /// - Returns: by topic id, for the topics it fires on, ascending.
    func best(_ maxima: ArraySlice<kernel_maximum>) -> [(topic: Int, detector: TopicDetector)] {
        let values = maxima.map(\.value), count = values.count
        let order = [UInt32](unsafeUninitializedCapacity: count) { kernel_order_descending(values, count, $0.baseAddress); $1 = count }
        // Of the best so far: its F1, and how many documents it finds, of the topic and of all.
        var best = [(f1: Double, hits: Int, taken: Int)](repeating: (0, 0, 0), count: topics.count)
        var hits = [Int](repeating: 0, count: topics.count)
        var taken = 0
        while taken < count {
            // All documents of one value pass a threshold together.
            let start = taken, threshold = values[Int(order[start])]
            while taken < count, values[Int(order[taken])] == threshold {
                hits[topic(of: maxima, order[taken])] += 1
                taken += 1
            }
            // Only a topic that gained a document can have got better.
            for place in start..<taken {
                let topic = topic(of: maxima, order[place])
                let f1 = 2 * Double(hits[topic]) / Double(taken + documents[topic])
                if f1 > best[topic].f1 { best[topic] = (f1, hits[topic], taken) }
            }
        }
        return topics.indices.filter { hits[$0] > 0 }.map { topic in
            let (f1, hits, taken) = best[topic]
            let detector = TopicDetector(threshold: values[Int(order[taken - 1])], precision: Double(hits) / Double(taken), recall: Double(hits) / Double(documents[topic]), f1: f1)
            return (topics[topic], detector)
        }
    }

    private func topic(of maxima: ArraySlice<kernel_maximum>, _ place: UInt32) -> Int { topicOf[Int(maxima[maxima.startIndex + Int(place)].document)] }
}
