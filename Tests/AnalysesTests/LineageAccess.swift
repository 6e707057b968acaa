import Analyses
import FeatureCatalogue
import LineageSupport
import TestSupport

/// A catalogue of given activations with the lineage between its first two versions, and what it says.
struct BuiltLineage {
    let catalogue: Catalogue
    let coarse, fine: FeatureDictionary
    let warnings: [String]
    let edges: [LineageEdge]
    let lineage: Lineage

    init(_ planted: PlantedLineage, from a: Int = 0, to b: Int = 1, threads: Int = 1) throws {
        (catalogue, coarse, fine) = (planted.catalogue, planted.dictionaries[a], planted.dictionaries[b])
        warnings = try catalogue.buildLineage(from: coarse, to: fine, threads: threads, engine: "test", now: { "2026-01-01T00:00:00Z" }, warn: { _ in }).warnings
        lineage = try catalogue.lineage(from: coarse, to: fine)
        edges = try catalogue.edges(of: lineage)
    }

    var planted: Set<LineageFamilies.Edge> { Set(edges.map { .init(parent: $0.parent.index, child: $0.child.index, kind: $0.kind.rawValue) }) }

    func node(_ dictionary: FeatureDictionary, _ index: Int) throws -> LineageNode? {
        try catalogue.lineageNodes(of: FeatureName(dictionary: dictionary.name, index: index)).first { $0.lineage.id == lineage.id }?.node
    }

    func features(_ dictionary: FeatureDictionary, _ kind: LineageNode.Kind) throws -> Set<Int> {
        Set(try (0..<dictionary.features).filter { try node(dictionary, $0)?.kind == kind })
    }
}

func withLineage<Result>(_ versions: [FeatureActivations], hooks: [String]? = nil, threads: Int = 1, _ body: (BuiltLineage) throws -> Result) throws -> Result {
    try withTemporaryFolder { try body(BuiltLineage(PlantedLineage(at: $0.appending(path: "c.sqlite").path, versions, hooks: hooks), threads: threads)) }
}
