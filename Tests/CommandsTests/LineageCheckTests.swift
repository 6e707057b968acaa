@testable import Commands
import FeatureCatalogue
import Foundation
import IngestionSupport
import SQLite
import TestSupport
import Testing

/// What `check` says of lineages that lie. Edges are those of `LineageWorld`: L/0/0 (1,000 firings) holds L/1/1 (450).
///
/// Seen to fail: firings not counted again, tiers not judged again, rows of features not counted.
struct LineageCheckTests {
    private static let edge = "parent_id = feature_id('L/0/0') AND child_id = feature_id('L/1/1')"

    private static let pristine: Data? = try? withTemporaryFolder { folder in
        let path = folder.appending(path: "c.sqlite").path, world = try LineageWorld(at: path)
        guard QueryTests.monoseme(["lineage", "build", "L/0", "L/1", "L/2"], catalogue: path).status == 0 else { return nil }
        try world.catalogue.checkpoint()
        return try Data(contentsOf: URL(filePath: path))
    }

    private func withCatalogue(_ body: (Catalogue) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try #require(LineageCheckTests.pristine).write(to: URL(filePath: path))
            try body(Catalogue(path: path, for: .writing))
        }
    }

    @Test func `what was built has no findings`() throws {
        try withCatalogue { catalogue in
            let report = try catalogue.check()
            #expect(report.findings.map(\.description) == [])
            let counts = Dictionary(uniqueKeysWithValues: report.checked.map { ($0.what, $0.count) })
            // 5 from L/0 to L/1; 9 from L/1 to L/2, where L/2/2 and L/2/4 have two parents and L/2/3 three.
            #expect(counts["lineages"] == 2)
            #expect(counts["edges of lineages"] == 14)
        }
    }

    @Test(arguments: [
        ("UPDATE lineage_edge SET parent_id = parent_id + 100 WHERE @", "features of an edge"), ("UPDATE lineage_edge SET child_id = child_id + 4294967296 WHERE @", "features of an edge"),
        ("UPDATE lineage_edge SET child_id = -9223372036854775807 WHERE @", "features of an edge"), ("UPDATE lineage_edge SET build_id = 9 WHERE @", "lineage of rows"),
        ("UPDATE lineage_edge SET build_id = 2 WHERE @", "features of an edge"), ("DELETE FROM lineage_build WHERE id = 1", "lineage of rows"),
        ("UPDATE lineage_edge SET firings_together = 451 WHERE @", "firings together of an edge"), ("UPDATE lineage_edge SET firings_together = -1 WHERE @", "firings together of an edge"),
        ("UPDATE lineage_edge SET firings_together = 449 WHERE @", "firings together of an edge"), ("UPDATE lineage_edge SET firings_together = NULL WHERE @", "evidence of an edge"),
        ("UPDATE lineage_edge SET parent_firings = 1001 WHERE @", "firings of an edge's parent"), ("UPDATE lineage_edge SET child_firings = 9223372036854775807 WHERE @", "firings of an edge's child"),
        ("UPDATE lineage_edge SET coverage_low = 0.5 WHERE @", "lower coverage of an edge"), ("UPDATE lineage_edge SET mass_coverage_low = 0.5 WHERE @", "lower mass coverage of an edge"),
        ("UPDATE lineage_edge SET mass_coverage = 1.5 WHERE @", "mass coverage of an edge"), ("UPDATE lineage_edge SET mass_keep = -0.5 WHERE @", "mass keep of an edge"),
        ("UPDATE lineage_edge SET masked_cosine = 9e999 WHERE @", "masked cosine of an edge"), ("UPDATE lineage_edge SET decoder_cosine = 0.79 WHERE @", "decoder cosine of an edge"),
        ("UPDATE lineage_edge SET decoder_cosine = NULL WHERE @", "evidence of an edge"), ("UPDATE lineage_edge SET activation_correlation = -1.5 WHERE @", "correlation of an edge"),
        ("UPDATE lineage_edge SET weight = -1 WHERE @", "weight of an edge"), ("UPDATE lineage_edge SET share = 1.5 WHERE @", "share of an edge"),
        ("UPDATE lineage_edge SET confidence = 2 WHERE @", "confidence of an edge"), ("UPDATE lineage_edge SET confidence = 0.2 WHERE @", "confidence of an edge"),
        ("UPDATE lineage_edge SET tier = 'likely' WHERE @", "tier of an edge"), ("UPDATE lineage_edge SET mass_coverage = 0.3 WHERE @", "tier of an edge"),
        ("UPDATE lineage_edge SET kind = 'split' WHERE parent_id = feature_id('L/1/7')", "kind of an edge"),
        ("PRAGMA ignore_check_constraints = 1; UPDATE lineage_edge SET kind = 'cousin' WHERE @", "kind of an edge"),
        ("DELETE FROM lineage_edge WHERE @", "children of a feature"),
        ("UPDATE lineage_feature SET kind = NULL WHERE feature_id = feature_id('L/0/3')", "kind of a feature in a lineage"), ("UPDATE lineage_feature SET kind = 'noise' WHERE feature_id = feature_id('L/0/0')", "kind of a feature in a lineage"),
        ("UPDATE lineage_feature SET kind = 'novel' WHERE feature_id = feature_id('L/0/0')", "kind of a feature in a lineage"), ("UPDATE lineage_feature SET kind = 'vanished' WHERE feature_id = feature_id('L/2/0')", "kind of a feature in a lineage"),
        ("UPDATE lineage_feature SET kind = 'novel' WHERE feature_id = feature_id('L/2/0')", "kind of a feature in a lineage"), ("UPDATE lineage_feature SET children = 4 WHERE feature_id = feature_id('L/0/0')", "children of a feature"),
        ("UPDATE lineage_feature SET children = 1 WHERE feature_id = feature_id('L/2/0')", "children of a feature"), ("UPDATE lineage_feature SET union_coverage = 1.5 WHERE feature_id = feature_id('L/0/0')", "union coverage of a feature"),
        ("UPDATE lineage_feature SET explained = -1 WHERE feature_id = feature_id('L/0/0')", "explained share of a feature"), ("UPDATE lineage_feature SET best_cosine = 3 WHERE feature_id = feature_id('L/2/0')", "best cosine of a feature"),
        ("UPDATE lineage_feature SET feature_id = feature_id + 99 WHERE feature_id = feature_id('L/0/0')", "feature of a lineage"), ("DELETE FROM lineage_feature WHERE feature_id = feature_id('L/2/9')", "judged features of a lineage"),
        ("DELETE FROM lineage_feature WHERE feature_id = feature_id('L/0/2')", "measured families of a lineage"), ("INSERT INTO lineage_feature SELECT 7, feature_id, kind, 0, 0, 0, 0, 0 FROM lineage_feature WHERE build_id = 1", "lineage of rows"),
        ("UPDATE lineage_build SET coarse_id = fine_id, fine_id = coarse_id WHERE id = 1", "order of a lineage"), ("UPDATE lineage_build SET features_done = 5 WHERE id = 1", "progress of a lineage"),
        ("UPDATE lineage_build SET families_done = -5, is_complete = 0 WHERE id = 1", "progress of a lineage"), ("UPDATE lineage_build SET is_complete = 0 WHERE id = 1", "unfinished lineage"),
        ("UPDATE lineage_build SET corpus_id = NULL, has_decoder_evidence = 0 WHERE id = 1", "evidence of a lineage"), ("UPDATE run SET keep_top = 5 WHERE id = 1", "corpus of a lineage"),
        ("UPDATE dictionary SET hook = 'blocks.0.attn.hook_z' WHERE id = 1", "space of a lineage"), ("UPDATE lineage_build SET coarse_id = 77 WHERE id = 1", "references between tables"),
    ]) func `a lie is found`(sql: String, what: String) throws {
        try withCatalogue { catalogue in
            var statement = sql.replacingOccurrences(of: "@", with: LineageCheckTests.edge)
            for version in 0...2 { for feature in 0...9 { statement = statement.replacingOccurrences(of: "feature_id('L/\(version)/\(feature)')", with: "\((version + 1) << 32 + feature)") } }
            try catalogue.connection.execute("PRAGMA foreign_keys = 0; " + statement)
            #expect(try catalogue.connection.integer("SELECT total_changes()") ?? 0 > 0)
            let report = try catalogue.check()
            #expect(report.findings.contains { $0.what == what }, "\(report.findings)")
            #expect(report.isDamaged == (what != "unfinished lineage"))
            // Whoever asks meets it without harm.
            for words in [["lineage", "L/0/0"], ["lineage", "L/1/1", "--tier", "candidate", "--dot"], ["lineage", "L/2/3", "--json"], ["lineage", "summary", "L/0", "L/1"], ["lineage", "L/0/0", "--holes"], ["show", "L/1/1"]] {
                let answer = QueryTests.monoseme(words, catalogue: catalogue.path)
                #expect(answer.status == 0 || answer.errors.hasPrefix("monoseme: "), "\(words): \(answer)")
            }
        }
    }
}
