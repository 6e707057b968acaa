import Diagnostics
import SQLite

/// What a build has found out of one fine feature.
public struct JudgedFeature: Sendable {
    public let feature: Int
    public let verdict: LineageRule.Verdict
    public let bestCoverage, bestCosine: Double?

    public init(feature: Int, verdict: LineageRule.Verdict, bestCoverage: Double?, bestCosine: Double?) {
        (self.feature, self.verdict, self.bestCoverage, self.bestCosine) = (feature, verdict, bestCoverage, bestCosine)
    }
}

/// What a build has found out of one coarse feature and its children.
public struct MeasuredFamily: Sendable {
    public struct Member: Sendable, Equatable {
        /// Of the fine version.
        public let child: Int
        public let weight, share: Double

        public init(child: Int, weight: Double, share: Double) { (self.child, self.weight, self.share) = (child, weight, share) }
    }

    public let feature: Int
    public let kind: LineageNode.Kind?
    public let children: Int
    public let unionCoverage, explained: Double?
    public let members: [Member]

    public init(feature: Int, kind: LineageNode.Kind?, children: Int, unionCoverage: Double?, explained: Double?, members: [Member]) {
        (self.feature, self.kind, self.children, self.unionCoverage, self.explained, self.members) = (feature, kind, children, unionCoverage, explained, members)
    }
}

extension Catalogue {
    /// The row of a lineage that is to be built: the one that was begun on the same evidence by the same rules, or a new one.
    public func beginLineage(from coarse: FeatureDictionary, to fine: FeatureDictionary, corpus: Int?, hasDecoderEvidence: Bool, engine: String, at time: String) throws -> Lineage {
        try connection.transaction {
            if let known = try lineageIfAny(from: coarse, to: fine) {
                let isSound = (0...fine.features).contains(known.featuresDone) && (0...coarse.features).contains(known.familiesDone)
                if isSound, known.rules == LineageRule.version, known.corpus == corpus, known.hasDecoderEvidence == hasDecoderEvidence { return known }
                for table in ["lineage_edge", "lineage_feature"] { try connection.run("DELETE FROM \(table) WHERE build_id = ?", .init(known.id)) }
                try connection.run("DELETE FROM lineage_build WHERE id = ?", .init(known.id))
            }
            try connection.run("INSERT INTO lineage_build (coarse_id, fine_id, corpus_id, has_decoder_evidence, rules, engine, started_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                               .init(coarse.id), .init(fine.id), .init(corpus), .init(hasDecoderEvidence), .init(LineageRule.version), .text(engine), .text(time))
            return try lineageIfAny(from: coarse, to: fine)!
        }
    }

    /// Stores what was judged of the fine features from `first` on, in one transaction.
    public func store(_ judged: [JudgedFeature], from first: Int, to end: Int, of lineage: Lineage) throws {
        try connection.transaction {
            try advance(lineage, "features_done", from: first, to: end)
            var edges = try RowWriter(into: """
                lineage_edge (build_id, child_id, parent_id, kind, tier, confidence, parent_firings, child_firings, firings_together, coverage_low, mass_coverage, mass_coverage_low,
                    mass_keep, masked_cosine,
                    activation_correlation, decoder_cosine, containment)
                """, columns: 17, on: connection)
            var nodes = try RowWriter(into: "lineage_feature (build_id, feature_id, kind, best_coverage, best_cosine)", columns: 5, on: connection)
            for feature in judged {
                let child = lineage.fine.featureID(feature.feature)
                for edge in feature.verdict.edges {
                    let evidence = edge.parent.evidence
                    try edges.add(.init(lineage.id), .init(child), .init(lineage.coarse.featureID(edge.parent.feature)), .text(edge.kind.rawValue), .text(edge.tier.rawValue),
                                  .real(LineageRule.confidence(evidence)), .init(evidence.parentFirings), .init(evidence.childFirings), .init(evidence.together),
                                  .init(evidence.coverageLow), .init(evidence.massCoverage), .init(evidence.massCoverageLow),
                                  .init(evidence.massKeep), .init(evidence.maskedCosine), .init(evidence.activationCorrelation),
                                  .init(evidence.decoderCosine), .init(evidence.containment))
                }
                try nodes.add(.init(lineage.id), .init(child), .init(feature.verdict.kind?.rawValue), .init(feature.bestCoverage), .init(feature.bestCosine))
            }
            try edges.finish()
            try nodes.finish()
        }
    }

    /// Stores what was measured of the coarse features from `first` on, in one transaction; with the last of them the lineage is complete.
    public func store(_ families: [MeasuredFamily], from first: Int, to end: Int, of lineage: Lineage, at time: String) throws {
        try connection.transaction {
            try advance(lineage, "families_done", from: first, to: end)
            var edge = try Statement("UPDATE lineage_edge SET weight = ?, share = ? WHERE build_id = ? AND child_id = ? AND parent_id = ?", on: connection)
            var nodes = try RowWriter(into: "lineage_feature (build_id, feature_id, kind, children, union_coverage, explained)", columns: 6, on: connection)
            for family in families {
                let parent = lineage.coarse.featureID(family.feature)
                for member in family.members {
                    try edge.run(.real(member.weight), .real(member.share), .init(lineage.id), .init(lineage.fine.featureID(member.child)), .init(parent))
                }
                try nodes.add(.init(lineage.id), .init(parent), .init(family.kind?.rawValue), .init(family.children), .init(family.unionCoverage), .init(family.explained))
            }
            try nodes.finish()
            if end == lineage.coarse.features {
                try connection.run("UPDATE lineage_build SET is_complete = 1, finished_at = ? WHERE id = ?", .text(time), .init(lineage.id))
                // Statistics for the planner, as an ingest leaves them.
                try connection.execute("ANALYZE lineage_edge; ANALYZE lineage_feature")
            }
        }
    }

    private func advance(_ lineage: Lineage, _ column: String, from first: Int, to end: Int) throws {
        let isOurs = try connection.integer("UPDATE lineage_build SET \(column) = ? WHERE id = ? AND \(column) = ? AND NOT is_complete RETURNING 1", .init(end), .init(lineage.id), .init(first)) == 1
        guard isOurs else {
            throw MonosemeError("another monoseme lineage build is at work on \(lineage.coarse.name) and \(lineage.fine.name) in \(quoted(path, limit: 400))",
                                hint: "let that one end; then this command finds the lineage there")
        }
    }

    /// The children above candidate of every coarse feature, by index, ascending, with the tokens they have in common.
    public func families(of lineage: Lineage) throws -> [Int: [(child: Int, together: Int)]] {
        var families: [Int: [(child: Int, together: Int)]] = [:]
        try connection.query("""
            SELECT parent_id & 4294967295, child_id & 4294967295, firings_together FROM lineage_edge
            WHERE build_id = ? AND tier <> 'candidate' ORDER BY child_id, parent_id
            """, [.init(lineage.id)]) { row in
            guard (0..<lineage.fine.features).contains(row.integer(1)) else { return }
            families[row.integer(0), default: []].append((row.integer(1), row.optionalInteger(2) ?? 0))
        }
        return families
    }

    /// The most that any child keeps of a coarse feature's mass, whatever its tier, by index; a child that is called absorbed has no tokens in common to speak of.
    public func keeps(of lineage: Lineage) throws -> [Int: Double] {
        var keeps: [Int: Double] = [:]
        try connection.query("SELECT parent_id & 4294967295, max(mass_keep) FROM lineage_edge WHERE build_id = ? AND kind <> 'absorbed' GROUP BY parent_id", [.init(lineage.id)]) {
            keeps[$0.integer(0)] = $0.real(1)
        }
        return keeps
    }
}
