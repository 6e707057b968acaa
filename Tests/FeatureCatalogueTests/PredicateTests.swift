import Diagnostics
@testable import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

struct PredicateTests {
    /// The planted catalogue with a second dictionary, so that there is something to leak.
    private func withCatalogue(_ body: (Catalogue, Run, Planted) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let world = Planted.small(), path = folder.appending(path: "c.sqlite").path
            try world.write(to: path)
            _ = try world.register(in: makeCatalogue(at: path), named: "A/1")
            let catalogue = try Catalogue(path: path, for: .reading)
            try body(catalogue, try catalogue.run(of: DictionaryName(parsing: "A/0")), world)
        }
    }

    private func indices(_ subset: FeatureSubset, of features: Int) -> [Int] { (0..<features).filter(subset.contains) }

    @Test func `the subset is that of the firings that were planted`() throws {
        try withCatalogue { catalogue, run, world in
            func ask(_ predicate: String) throws -> [Int] {
                let subset = try catalogue.features(of: run.dictionary, where: predicate), found = indices(subset, of: world.features)
                #expect(subset.count == found.count)
                return found
            }
            let counts = (0..<world.features).map { feature in world.firings.count { $0.feature == feature } }
            let maxima = (0..<world.features).map { feature in world.firings.filter { $0.feature == feature }.map(\.value).max() ?? 0 }
            let all = Array(0..<world.features)
            let expected: [(String, [Int])] = [
                ("firings > 100", all.filter { counts[$0] > 100 }), ("density > 0.1 AND maximum < 5", all.filter { Double(counts[$0]) / Double(world.total) > 0.1 && maxima[$0] < 5 }),
                ("status = 'dead'", [3]), ("label IS NOT NULL", [2, 4]), ("label = 'music' OR feature_index = 7", [4, 7]),
                ("feature_id IN (SELECT feature_id FROM label_current WHERE author = 'Ada') AND 1 -- those of Ada", [2, 4]), ("feature_index IN (SELECT value FROM json_each('[1, 5]'))", [1, 5]),
                ("(1) /* all */", all), ("feature = 'A/0/9' -- ) OR (1", [9]), ("0", []), ("NULL", []),
            ]
            for (predicate, features) in expected {
                let found = try ask(predicate)
                #expect(found == features, "\(predicate)")
            }
        }
    }

    private static let refusals = [
        ("1) OR (1", "near \")\": syntax error"), ("1)/*", "near \")\": syntax error"), ("1) --", "near \")\": syntax error"), ("1 UNION SELECT 3", "near \"UNION\": syntax error"),
        ("1) UNION SELECT 3 FROM feature WHERE (1", "near \")\": syntax error"), ("1; DELETE FROM label", "near \";\": syntax error"), ("1); DELETE FROM label; SELECT (1", "near \")\": syntax error"), ("1); --", "near \")\": syntax error"),
        ("1 ORDER BY 1", "near \"ORDER\": syntax error"), ("1 LIMIT 1", "near \"LIMIT\": syntax error"), ("1 /* open", "incomplete input"), ("'open", "unrecognized token: \"'open\n)\""), ("", "near \")\": syntax error"),
        ("1, 2", "row value misused"), ("count(*) > 3", "misuse of aggregate function count()"), ("densty > 1", "no such column: densty"), ("load_extension('x')", "not authorized to use function: load_extension"),
        ("fts3_tokenizer('simple') IS NOT NULL", "not authorized to use function: fts3_tokenizer"), ("fts3_tokenizer('simple', x'00')", "not authorized to use function: fts3_tokenizer"),
        ("firings > ?", "it has parameters, and no values for them"), ("feature_id = ?1", "it has parameters, and no values for them"), ("label = :name", "it has parameters, and no values for them"),
        ("abs(-9223372036854775807 - 1) > 0", "integer overflow"), ("feature_id IN (DELETE FROM label RETURNING id)", "near \"DELETE\": syntax error"), ("nosuch(1)", "no such function: nosuch"),
    ]

    @Test func `what is no expression is refused in its own words, and changes nothing`() throws {
        try withCatalogue { catalogue, run, _ in
            let before = try Data(contentsOf: URL(filePath: catalogue.path))
            for (predicate, problem) in Self.refusals {
                #expect(failure { _ = try catalogue.features(of: run.dictionary, where: predicate) } == MonosemeError(
                    "the predicate \(quoted(predicate, limit: 200)) was refused: \(problem)",
                    hint: "one SQL expression over the columns feature_id, feature, dictionary, feature_index, label, status, firings, tokens, density, documents, maximum, mean_when_active, sum, sum_of_squares, "
                        + "top_token, top_logit_token, decoder_norm, activation_scale, encoder_decoder_cosine, maximum_position, run_id"))
            }
            #expect(try Data(contentsOf: URL(filePath: catalogue.path)) == before)
        }
    }

    @Test func `a NUL cannot hide the end of a predicate`() throws {
        try withCatalogue { catalogue, run, _ in
            #expect(failure { _ = try catalogue.features(of: run.dictionary, where: "1\0 nonsense") }?.message == "the predicate \"1\\u{0} nonsense\" holds a NUL")
        }
    }

    @Test func `the catalogue's own connection stays as free as it was`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Planted.small().write(to: path)
            let catalogue = try Catalogue(path: path, for: .writing)
            _ = try catalogue.features(of: try catalogue.dictionaries()[0], where: "1")
            #expect(throws: Never.self) { try catalogue.addLabel("new", to: FeatureName(parsing: "A/0/1"), author: "Ada", at: Planted.time) }
        }
    }
}
