public import FeatureCatalogue

/// How far a lineage is.
public struct LineageProgress: Sendable {
    /// Fine features that have been judged, and coarse ones whose families have been measured.
    public let featuresDone, familiesDone: Int
}

/// A lineage that is there now.
public struct LineageSummary: Sendable {
    public let lineage: Lineage
    /// Whether all was there before.
    public let wasComplete: Bool
    /// Features and families that had been done before this call.
    public let featuresResumed, familiesResumed: Int
    /// What is missing and what that costs, one sentence each.
    public let warnings: [String]
}

extension Catalogue {
    /// Builds the lineage between two versions, or goes on with it: see `LineageRule` for what it says.
    ///
    /// - Parameter report: called now and then; what it throws ends the call, and the next one goes on.
    public func buildLineage(
        from coarse: FeatureDictionary, to fine: FeatureDictionary, threads: Int, engine: String, now: () -> String, warn: (String) -> Void = { _ in },
        report: (LineageProgress) throws -> Void = { _ in }
    ) throws -> LineageSummary {
        fatalError("comes with the next commit")
    }
}
