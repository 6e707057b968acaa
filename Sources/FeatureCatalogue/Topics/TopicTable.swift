/// The documents of a corpus by topic, and which of them are held out: what the evidence about every feature is measured against.
struct TopicTable: Sendable {
    /// Sums over the documents of one topic, or of all.
    struct Totals: Sendable {
        var documents = 0, heldOut = 0
        var tokens = 0.0
        /// Of the documents' numbers of tokens.
        var squares = 0.0

        static func - (all: Totals, part: Totals) -> Totals {
            Totals(documents: all.documents - part.documents, heldOut: all.heldOut - part.heldOut, tokens: all.tokens - part.tokens, squares: all.squares - part.squares)
        }
    }

    /// Topic ids, ascending; elsewhere a topic is its place in these.
    let ids: [Int]
    let topics: [Totals]
    let all: Totals
    /// Of each document: its topic, its tokens, and whether it is held out: the second, fourth, … of its topic are.
    let topicOf: [Int]
    let tokens: [Double]
    let isHeldOut: [Bool]

    init(_ documents: DocumentTable) {
        ids = Set(documents.topics).sorted()
        let places = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        topicOf = documents.topics.map { places[$0]! }
        tokens = documents.lengths.map(Double.init)
        var topics = [Totals](repeating: Totals(), count: ids.count), all = Totals(), isHeldOut: [Bool] = []
        isHeldOut.reserveCapacity(topicOf.count)
        for (topic, tokens) in zip(topicOf, tokens) {
            let held = topics[topic].documents % 2
            isHeldOut.append(held == 1)
            func add(to totals: inout Totals) {
                totals.documents += 1
                totals.heldOut += held
                totals.tokens += tokens
                totals.squares += tokens * tokens
            }
            add(to: &topics[topic])
            add(to: &all)
        }
        (self.topics, self.all, self.isHeldOut) = (topics, all, isHeldOut)
    }

    /// Whether a rate on the topic can be set against the rate elsewhere: the variance of either takes two documents.
    func isTestable(_ topic: Int) -> Bool { topics[topic].documents >= 2 && all.documents - topics[topic].documents >= 2 }

    /// Topics of which that is so.
    var testable: Int { topics.indices.count(where: isTestable) }
}
