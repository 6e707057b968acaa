import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme neighbours`: `Catalogue.storeNeighbours`.
enum Neighbours: Command {
    static let dictionary = Argument<DictionaryName>("DICT", help: "The dictionary whose features are asked about, such as A/1")
    static let k = Option<Int>("-k", value: "N", default: 15, in: 1...1000, help: "How many neighbours of each feature")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "Look in this dictionary (default: the same one)")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor)")

    static let declaration = Declaration(
        "neighbours", summary: "store the nearest features of every feature of a dictionary",
        discussion: """
            Finds for every feature those whose decoder vectors point most nearly the same way: the neighbour graph, exact, by cosine, equal ones in \
            order of index. It is kept in the catalogue, in the view `neighbour` for SQL. Across models or hook points cosines compare nothing, and are refused.

            Work is kept from time to time. Stop it at any time and run the same command again: it goes on where it stopped. A complete graph with as \
            many neighbours or more is left alone; one with fewer answers until this one is complete, and goes then.

            Memory: 5 bytes for each number of the decoder vectors and, for a dictionary in itself, 16 k + 870 bytes for each feature: 490 MB for 131,072 of \
            width 512 and k = 10.
            """,
        parameters: [dictionary, k, within, threads, Shared.format],
        examples: [("monoseme neighbours A/1", "The 15 nearest of every feature"), ("monoseme neighbours A/0 --in A/1 -k 5", "Where each feature went in a larger dictionary")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let dictionary = try catalogue.dictionary(named: invocation[dictionary])
        let target = try invocation[within].map { try catalogue.dictionary(named: $0) } ?? dictionary
        let title = "\(dictionary.name) among \(target.name)", progress = invocation.progress(title, total: nil, unit: "pairs")
        let started = ContinuousClock.now
        let summary = try catalogue.storeNeighbours(of: dictionary, among: target, k: invocation[k], threads: invocation[threads] ?? Ingest.processors, engine: engineVersion, now: now) {
            progress.update($0.pairs, total: $0.pairsExpected, details: [counted($0.featuresDone, "feature")])
        }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        progress.finish()
        if summary.wasComplete {
            invocation.note("\(title): the \(summary.graph.neighbours) nearest features are there already; nothing was done")
        } else if summary.featuresResumed > 0 {
            invocation.note("\(title): \(counted(summary.featuresResumed, "feature")) had been done before")
        }
        var facts = Facts()
        facts.append("dictionary", .text(dictionary.name.description))
        facts.append("among", .text(target.name.description))
        facts.append("features", .integer(dictionary.features))
        facts.append("neighbours", .integer(summary.graph.neighbours))
        facts.append("pairs", .integer(summary.pairs))
        facts.append("seconds", .real(seconds))
        facts.append("pairs a second", key: "pairs_per_second", summary.pairs > 0 ? .real(Double(summary.pairs) / seconds, .short) : .missing)
        try invocation.print(facts)
    }
}
