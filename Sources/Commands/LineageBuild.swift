import Analyses
import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme lineage build`: `Catalogue.buildLineage` of Analyses, once for each two versions that follow one another.
enum LineageBuild: Command {
    static let dictionaries = Argument<[DictionaryName]>("DICT", isRequired: true, help: "Versions of a dictionary, the smallest first, such as A/0 A/1 A/2")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor)")

    static let declaration = Declaration(
        "lineage build", summary: "find what every feature split into in a larger dictionary",
        discussion: """
            Compares every feature of each version with every feature of the next, by the tokens on which both fire and by their decoder vectors, and keeps \
            the pairs that belong together: in the views `lineage` and `lineage_node` for SQL, for `monoseme lineage` and for `monoseme export`.

            Activations can be compared where both versions were ingested over one corpus with every firing kept, decoder vectors where they are of one model and \
            hook point. Where one of the two is missing, what it costs is said; where both are, there is no lineage.

            Work is kept from time to time. Stop it at any time and run the same command again: it goes on where it stopped, and what is complete is left alone.
            """,
        parameters: [dictionaries, threads, Shared.format],
        examples: [("monoseme lineage build A/0 A/1", "Between two sizes"), ("monoseme lineage build A/0 A/1 A/2", "Over three; a pair that is there already costs nothing")])

    static func run(_ invocation: Invocation) throws {
        let names = invocation[dictionaries]
        guard names.count > 1 else { throw UsageError("a lineage is between two versions, and only \(names[0]) was named", hint: "name a larger version behind it") }
        for (place, name) in names.enumerated() where names[..<place].contains(name) { throw UsageError("\(name) was named twice", hint: "a lineage is between different versions") }
        try invocation.print(try build(names, threads: invocation[threads] ?? Ingest.processors, invocation))
    }

    /// Builds what is missing; a row for each pair.
    @discardableResult
    static func build(_ names: [DictionaryName], threads: Int, _ invocation: Invocation) throws -> Table {
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing)
        let versions = try names.map { try catalogue.dictionary(named: $0) }
        try demandOrder(of: versions)
        for version in versions where !(try catalogue.run(of: version.name)).isComplete {
            throw MonosemeError("the ingest of \(version.name) is unfinished", hint: "run the same monoseme ingest again: it goes on where it stopped")
        }
        var table = Table(["from", "to", "asserted", "likely", "candidate", "families", "novel", "vanished", "noise"].map { Column($0) } + [Column("seconds"), Column("there already", key: "was_complete")])
        for (coarse, fine) in zip(versions, versions.dropFirst()) {
            let (summary, seconds) = try build(coarse, fine, threads, catalogue, invocation)
            let overview = try catalogue.overview(of: summary.lineage, families: 0)
            func edges(_ tier: LineageTier) -> Cell { .integer(overview.edges.values.reduce(0) { $0 + ($1[tier] ?? 0) }) }
            table.append([
                .text(coarse.name.description), .text(fine.name.description), edges(.asserted), edges(.likely), edges(.candidate), .integer(overview.familyCount), .integer(overview.fine[.novel] ?? 0),
                .integer(overview.coarse[.vanished] ?? 0), .integer((overview.coarse[.noise] ?? 0) + (overview.fine[.noise] ?? 0)), .real(seconds, .fixed(2)), .boolean(summary.wasComplete),
            ])
        }
        return table
    }

    /// From coarse to fine, so that no feature can be its own ancestor.
    private static func demandOrder(of versions: [FeatureDictionary]) throws {
        let inOrder = versions.enumerated().sorted { ($0.element.features, $0.offset) < ($1.element.features, $1.offset) }.map(\.element)
        if let (a, b) = zip(inOrder, inOrder.dropFirst()).first(where: { $0.features == $1.features }) {
            throw MonosemeError("\(a.name) and \(b.name) are of one size, \(counted(a.features, "feature")): a lineage leads from a smaller version to a larger one", hint: "monoseme near and monoseme neighbours compare dictionaries of one size")
        }
        if let (a, b) = zip(versions, versions.dropFirst()).first(where: { $0.features > $1.features }) {
            throw MonosemeError("a lineage leads from smaller versions to larger ones: \(a.name) has \(counted(a.features, "feature")), \(b.name) behind it \(NumberFormat.grouped.text(Double(b.features)))",
                                hint: "monoseme lineage build \(inOrder.map(\.name.description).joined(separator: " "))")
        }
    }

    private static func build(_ coarse: FeatureDictionary, _ fine: FeatureDictionary, _ threads: Int, _ catalogue: Catalogue, _ invocation: Invocation) throws -> (summary: LineageSummary, seconds: Double) {
        let title = "\(coarse.name) to \(fine.name)", total = coarse.features + fine.features
        let progress = invocation.progress(title, total: total, unit: "features"), started = ContinuousClock.now
        let summary = try catalogue.buildLineage(from: coarse, to: fine, threads: threads, engine: engineVersion, now: now, warn: {
            progress.finish()
            invocation.note($0)
        }) {
            progress.update($0.featuresDone + $0.familiesDone, total: total, details: $0.familiesDone > 0 ? ["measuring families"] : [])
        }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        progress.finish()
        if !summary.wasComplete, summary.featuresResumed + summary.familiesResumed > 0 {
            invocation.note("\(title): \(counted(summary.featuresResumed + summary.familiesResumed, "feature")) had been done before")
        }
        return (summary, seconds)
    }
}
