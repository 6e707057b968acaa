import Kernels
import Numerics
import SQLite

/// Edges of each lineage whose firings are counted together again and whose vectors are multiplied again.
private let sampleSize = 64
/// What a product in single precision may be off, and a sum of many.
private let cosineTolerance = 1e-4, shareTolerance = 1e-6
/// What follows from moments of activations, which were summed before they were rounded into posting lists.
private let momentTolerance = 0.01

extension Examination {
    func examineLineages() {
        stage("reading the lineages")
        part("lineages") {
            let builds = try connection.rows("SELECT id, coarse_id, fine_id FROM lineage_build ORDER BY id") { ($0.integer(0), $0.integer(1), $0.integer(2)) }
            let lineages = try catalogue.lineages()
            counted("lineages", builds.count)
            for (id, _, _) in builds {
                // A dictionary that is missing has been found among the references.
                guard let lineage = lineages.first(where: { $0.id == id }), lineage.coarse.hasSoundShape, lineage.fine.hasSoundShape else { continue }
                let place = "\(lineage.coarse.name) to \(lineage.fine.name)"
                part("lineage") { try examine(lineage, place) }
                part("edges of a lineage") { try examineEdges(of: lineage, place) }
                part("features of a lineage") { try examineNodes(of: lineage, place) }
            }
            for table in ["lineage_edge", "lineage_feature"] {
                for stray in try connection.rows("SELECT DISTINCT build_id FROM \(table) WHERE build_id NOT IN (SELECT id FROM lineage_build)", make: { $0.integer(0) }) {
                    damage("lineage of rows", at: "\(table) of lineage \(stray)", found: "no such lineage", expected: "one")
                }
            }
        }
    }

    private func examine(_ lineage: Lineage, _ place: String) throws {
        if lineage.coarse.features >= lineage.fine.features { damage("order of a lineage", at: place, found: "\(lineage.coarse.features) and \(lineage.fine.features) features", expected: "the smaller first") }
        for (done, all) in [(lineage.featuresDone, lineage.fine.features), (lineage.familiesDone, lineage.coarse.features)] where !(0...all).contains(done) || lineage.isComplete && done != all {
            damage("progress of a lineage", at: place, found: "\(done)", expected: lineage.isComplete ? "\(all)" : "0 to \(all)")
        }
        if lineage.familiesDone > 0, lineage.featuresDone < lineage.fine.features { damage("progress of a lineage", at: place, found: "families before features", expected: "features first") }
        if let corpus = lineage.corpus {
            for version in [lineage.coarse, lineage.fine] where try catalogue.runIfAny(of: version).map({ $0.corpus != corpus || $0.keepTop != nil }) ?? true {
                damage("corpus of a lineage", at: place, found: "\(version.name) has no complete postings over it", expected: "both versions")
            }
        } else if !lineage.hasDecoderEvidence {
            damage("evidence of a lineage", at: place, found: "none", expected: "activations or decoder vectors")
        }
        if lineage.hasDecoderEvidence {
            do { try catalogue.demandSameSpace(lineage.coarse, lineage.fine) } catch { damage("space of a lineage", at: place, found: "\(lineage.coarse.hook) and \(lineage.fine.hook)", expected: "one model and hook point") }
        }
        if !lineage.isComplete {
            report.findings.append(Finding(kind: .unfinished, what: "unfinished lineage", place: place, found: "\(lineage.featuresDone) features and \(lineage.familiesDone) families",
                                           expected: "\(lineage.fine.features) and \(lineage.coarse.features)"))
        }
    }

    private func firings(of dictionary: FeatureDictionary) throws -> [Int] {
        var firings = [Int](repeating: 0, count: dictionary.features)
        try connection.query("SELECT feature_id & 4294967295, firings FROM statistic WHERE feature_id >= ? AND feature_id < ?", [.init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))]) { row in
            if firings.indices.contains(row.integer(0)) { firings[row.integer(0)] = row.integer(1) }
        }
        return firings
    }

    /// (Σ f)² / Σ f²
    private func effectiveFirings(of dictionary: FeatureDictionary) throws -> [Double] {
        var effective = [Double](repeating: 0, count: dictionary.features)
        try connection.query("SELECT feature_id & 4294967295, sum, sum_of_squares FROM statistic WHERE feature_id >= ? AND feature_id < ?", [.init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))]) { row in
            if effective.indices.contains(row.integer(0)), row.real(2) > 0 { effective[row.integer(0)] = row.real(1) * row.real(1) / row.real(2) }
        }
        return effective
    }

    private func examineEdges(of lineage: Lineage, _ place: String) throws {
        let parents = try firings(of: lineage.coarse), children = try firings(of: lineage.fine)
        let tokens = try catalogue.runIfAny(of: lineage.fine)?.tokens, effective = try effectiveFirings(of: lineage.fine)
        let count = try connection.integer("SELECT count(*) FROM lineage_edge WHERE build_id = ?", .init(lineage.id)) ?? 0, step = max(1, count / sampleSize)
        var sampled: [(parent: Int, child: Int, together: Int?, cosine: Double?)] = [], number = 0
        try connection.query("""
            SELECT child_id, parent_id, kind, tier, confidence, parent_firings, child_firings, firings_together, coverage_low, mass_coverage, mass_keep, masked_cosine, activation_correlation,
                decoder_cosine, containment, weight, share, mass_coverage_low
            FROM lineage_edge WHERE build_id = ? ORDER BY child_id, parent_id
            """, [.init(lineage.id)]) { row in
            counted("edges of lineages", 1)
            let child = row.integer(0) &- lineage.fine.featureID(0), parent = row.integer(1) &- lineage.coarse.featureID(0)
            let here = "\(name(parent, lineage.coarse)) to \(name(child, lineage.fine))"
            guard children.indices.contains(child), parents.indices.contains(parent) else {
                return damage("features of an edge", at: place, found: "parent \(row.integer(1)), child \(row.integer(0))", expected: "features of \(lineage.coarse.name) and \(lineage.fine.name)")
            }
            if child >= lineage.featuresDone { damage("features of an edge", at: here, found: "a child that has not been judged", expected: "those before \(lineage.featuresDone)") }
            guard let kind = LineageKind(rawValue: row.text(2)), let tier = LineageTier(rawValue: row.text(3)) else {
                return damage("kind of an edge", at: here, found: "\(quotedKind(row.text(2))), \(quotedKind(row.text(3)))", expected: "a kind and a tier")
            }
            expect(row.integer(5), parents[parent], "firings of an edge's parent", at: here)
            expect(row.integer(6), children[child], "firings of an edge's child", at: here)
            let together = row.optionalInteger(7)
            var evidence = LineageEvidence(parentFirings: row.integer(5), childFirings: row.integer(6), tokens: together == nil ? nil : tokens, together: together, massCoverage: row.optionalReal(9),
                                           massKeep: row.optionalReal(10), effectiveFirings: effective[child], maskedCosine: row.optionalReal(11), activationCorrelation: row.optionalReal(12),
                                           decoderCosine: row.optionalReal(13), containment: row.optionalReal(14))
            if let together, !(0...max(0, min(parents[parent], children[child]))).contains(together) {
                damage("firings together of an edge", at: here, found: "\(together)", expected: "0 to \(min(parents[parent], children[child]))")
            }
            if (together == nil) != (lineage.corpus == nil) { damage("evidence of an edge", at: here, found: together == nil ? "no firings together" : "firings together", expected: lineage.corpus == nil ? "none" : "some") }
            if (evidence.decoderCosine == nil) == lineage.hasDecoderEvidence { damage("evidence of an edge", at: here, found: evidence.decoderCosine == nil ? "no decoder cosine" : "a decoder cosine", expected: lineage.hasDecoderEvidence ? "one" : "none") }
            if let low = evidence.coverageLow { expect(row.real(8), near: low, within: shareTolerance, "lower coverage of an edge", at: here) }
            for (what, value, range) in [("confidence", row.real(4), 0.0...1), ("mass coverage", row.optionalReal(9), 0...1), ("mass keep", row.optionalReal(10), 0...1), ("masked cosine", row.optionalReal(11), 0...1),
                                         ("correlation", row.optionalReal(12), -1...1), ("decoder cosine", row.optionalReal(13), -1...1), ("weight", row.optionalReal(15), 0...Double.greatestFiniteMagnitude),
                                         ("share", row.optionalReal(16), 0...1)] as [(String, Double?, ClosedRange<Double>)] {
                guard let value else { continue }
                if !(value >= range.lowerBound - cosineTolerance && value <= range.upperBound + cosineTolerance) { damage("\(what) of an edge", at: here, found: "\(value)", expected: range.upperBound > 1 ? "0 or more" : "\(range.lowerBound) to \(range.upperBound)") }
            }
            if let low = evidence.massCoverageLow { expect(row.real(17), near: low, within: momentTolerance, "lower mass coverage of an edge", at: here) }
            // What this version of the rules says of the same evidence; lineages by other rules are built anew.
            if lineage.rules == LineageRule.version {
                expect(row.real(4), near: LineageRule.confidence(evidence), within: momentTolerance, "confidence of an edge", at: here)
                let tiers = [1 - momentTolerance, 1 + momentTolerance].map { factor in
                    evidence.effectiveFirings = effective[child] * factor
                    return LineageRule.tier(evidence)
                }
                if tiers[0] == tiers[1], tiers[0] ?? .candidate != tier { damage("tier of an edge", at: here, found: tier.rawValue, expected: (tiers[0] ?? .candidate).rawValue) }
                if tiers == [nil, nil], kind != .mergeOr { damage("kind of an edge", at: here, found: kind.rawValue, expected: "no edge by this evidence") }
            }
            if number % step == 0, sampled.count < sampleSize { sampled.append((parent, child, together, evidence.decoderCosine)) }
            number += 1
        }
        try countAgain(sampled, lineage)
    }

    private func quotedKind(_ text: String) -> String { "\"\(text.prefix(40))\"" }

    /// Counts the firings together of some edges anew, and multiplies their vectors.
    private func countAgain(_ edges: [(parent: Int, child: Int, together: Int?, cosine: Double?)], _ lineage: Lineage) throws {
        // From the firings within some windows nothing can be counted.
        let hasFirings = try connection.integer("SELECT 1 FROM run WHERE dictionary_id IN (?, ?) AND evidence <> 'firings'", .init(lineage.coarse.id), .init(lineage.fine.id)) == nil
        let runs = lineage.corpus == nil || !hasFirings ? nil : try (catalogue.runIfAny(of: lineage.coarse), catalogue.runIfAny(of: lineage.fine))
        for edge in edges {
            let here = "\(name(edge.parent, lineage.coarse)) to \(name(edge.child, lineage.fine))"
            if let together = edge.together, let coarse = runs?.0, let fine = runs?.1 {
                // Lists that cannot be read have been found damaged, or will be.
                guard let a = try? catalogue.firings(of: edge.parent, in: coarse).positions, let b = try? catalogue.firings(of: edge.child, in: fine).positions else { continue }
                expect(Set(a).intersection(b).count, together, "firings together of an edge", at: here)
            }
            if let cosine = edge.cosine, lineage.coarse.width == lineage.fine.width, let a = try? catalogue.decoder(of: edge.parent, in: lineage.coarse), let b = try? catalogue.decoder(of: edge.child, in: lineage.fine) {
                expect(cosine, near: kernel_dot_exact(a, b, a.count), within: cosineTolerance, "decoder cosine of an edge", at: here)
            }
        }
    }

    private func examineNodes(of lineage: Lineage, _ place: String) throws {
        let firings = [try firings(of: lineage.coarse), try firings(of: lineage.fine)]
        var children = [Int](repeating: 0, count: lineage.coarse.features), parents: Set<Int> = []
        try connection.query("SELECT parent_id, child_id FROM lineage_edge WHERE build_id = ? AND tier <> 'candidate'", [.init(lineage.id)]) { row in
            let parent = row.integer(0) &- lineage.coarse.featureID(0)
            if children.indices.contains(parent) { children[parent] += 1 }
            parents.insert(row.integer(1) &- lineage.fine.featureID(0))
        }
        var seen = [0, 0]
        try connection.query("SELECT feature_id, kind, best_coverage, best_cosine, children, union_coverage, explained FROM lineage_feature WHERE build_id = ? ORDER BY feature_id", [.init(lineage.id)]) { row in
            let side = row.integer(0) >> 32 == lineage.fine.id ? 1 : 0, dictionary = side == 1 ? lineage.fine : lineage.coarse, feature = row.integer(0) &- dictionary.featureID(0)
            let done = side == 1 ? lineage.featuresDone : lineage.familiesDone
            guard firings[side].indices.contains(feature), feature < done else {
                return damage("feature of a lineage", at: place, found: "feature \(row.integer(0))", expected: "one of those that have been judged")
            }
            seen[side] += 1
            let here = "\(name(feature, dictionary)) in \(place)", kind = row.optionalText(1)
            let isRare = firings[side][feature] < LineageRule.firingsMinimum
            if (kind == "noise") != isRare { damage("kind of a feature in a lineage", at: here, found: kind ?? "none", expected: isRare ? "noise: it fires \(firings[side][feature]) times" : "no noise: it fires \(firings[side][feature]) times") }
            if kind == (side == 1 ? "vanished" : "novel") { damage("kind of a feature in a lineage", at: here, found: kind!, expected: "what a feature of this side can be") }
            if kind == "novel", parents.contains(feature) { damage("kind of a feature in a lineage", at: here, found: "novel", expected: "none: it has parents") }
            if side == 0 { expect(row.optionalInteger(4), children[feature], "children of a feature", at: here) } else if !row.isNull(4) { damage("children of a feature", at: here, found: "\(row.integer(4))", expected: "none") }
            for (what, column, low) in [("best coverage", 2, -Double.greatestFiniteMagnitude), ("best cosine", 3, -1), ("union coverage", 5, 0), ("explained share", 6, 0)] {
                guard let value = row.optionalReal(column) else { continue }
                if !(value >= low - cosineTolerance && value <= 1 + cosineTolerance) { damage("\(what) of a feature", at: here, found: "\(value)", expected: "at most 1") }
            }
        }
        expect(seen[1], max(0, min(lineage.featuresDone, lineage.fine.features)), "judged features of a lineage", at: place)
        expect(seen[0], max(0, min(lineage.familiesDone, lineage.coarse.features)), "measured families of a lineage", at: place)
    }
}
