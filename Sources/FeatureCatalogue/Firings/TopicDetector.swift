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
    private let topicOf: [Int]
    private var documents: [Int: Int] = [:]

    init(_ table: DocumentTable) {
        topicOf = table.topics
        for topic in topicOf { documents[topic, default: 0] += 1 }
    }

    /// - Parameter maxima: each document in which the feature fires, once; left sorted by value.
    /// - Returns: by topic id, for the topics it fires on, ascending.
    func best(_ maxima: inout [(document: Int, value: Float)]) -> [(topic: Int, detector: TopicDetector)] {
        maxima.sort { $0.value == $1.value ? $0.document < $1.document : $0.value > $1.value }
        var hits: [Int: Int] = [:], best: [Int: TopicDetector] = [:]
        var taken = 0
        while taken < maxima.count {
            // All documents of one value pass a threshold together.
            let threshold = maxima[taken].value
            var touched: Set<Int> = []
            while taken < maxima.count, maxima[taken].value == threshold {
                let topic = topicOf[maxima[taken].document]
                hits[topic, default: 0] += 1
                touched.insert(topic)
                taken += 1
            }
            // Only a topic that gained a document can have got better.
            for topic in touched {
                let f1 = 2 * Double(hits[topic]!) / Double(taken + documents[topic]!)
                if f1 > best[topic]?.f1 ?? 0 {
                    best[topic] = TopicDetector(threshold: threshold, precision: Double(hits[topic]!) / Double(taken), recall: Double(hits[topic]!) / Double(documents[topic]!), f1: f1)
                }
            }
        }
        return best.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

extension [(document: Int, value: Float)] {
    /// Notes a firing of `value` in `document`, which is the last noted or a later one.
    mutating func raise(_ document: Int, to value: Float) {
        if let last = last, last.document == document {
            if value > last.value { self[count - 1].value = value }
        } else {
            append((document, value))
        }
    }
}
