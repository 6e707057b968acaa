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
    /// Builds the lineage between two versions, or goes on with it: `LineageRule` says what is said.
    ///
    /// Every fine feature is held against every coarse one: tokens in common from the posting lists, cosines of decoder rows by blocked products, where
    /// there is either. Then every family is measured: how much of the parent its children carry on. Work is kept after a few thousand features; stopped at any
    /// moment and called again it goes on there, and the rows are those of an uninterrupted call, whatever the number of threads.
    ///
    /// Memory: 8 bytes a firing and 8 a token of the coarse version, 4 a number of the fine version's decoder rows, and some 40 MB a thread.
    ///
    /// - Parameters:
    ///   - warn: what is missing and what that costs.
    ///   - report: called now and then; what it throws ends the call, and the next one goes on.
    /// - Throws: for versions in the wrong order, unfinished runs, nothing to judge by, or a damaged catalogue.
    public func buildLineage(
        from coarse: FeatureDictionary, to fine: FeatureDictionary, threads: Int, engine: String, now: () -> String, warn: (String) -> Void,
        report: (LineageProgress) throws -> Void = { _ in }
    ) throws -> LineageSummary {
        let evidence = try LineageSources(from: coarse, to: fine, in: self)
        evidence.warnings.forEach(warn)
        let lineage = try beginLineage(from: coarse, to: fine, corpus: evidence.hasActivations ? evidence.coarse.corpus : nil, hasDecoderEvidence: evidence.hasDecoders, engine: engine, at: now())
        func summary(_ wasComplete: Bool) throws -> LineageSummary {
            LineageSummary(lineage: try self.lineage(from: coarse, to: fine), wasComplete: wasComplete, featuresResumed: lineage.featuresDone, familiesResumed: lineage.familiesDone,
                           warnings: evidence.warnings)
        }
        if lineage.isComplete { return try summary(true) }
        if lineage.featuresDone < fine.features {
            let judge = try Judge(lineage, evidence, self, threads: threads)
            var first = lineage.featuresDone
            while first < fine.features {
                let end = min(fine.features, first + judge.featuresAtOnce)
                try store(try judge.judge(first..<end), from: first, to: end, of: lineage)
                first = end
                try report(LineageProgress(featuresDone: first, familiesDone: lineage.familiesDone))
            }
        }
        try FamilyStage(lineage: lineage, evidence: evidence, catalogue: self, threads: threads).run(now: now) { try report(LineageProgress(featuresDone: fine.features, familiesDone: $0)) }
        return try summary(false)
    }
}
