import DictionarySupport
import FeatureCatalogue
import Formats
import Foundation
import Numerics
import Testing
import TestSupport

/// The search against numpy's brute force in float64, over dictionaries of every awkward kind: see Fixtures/README.md.
@Suite struct NearestGoldenTests {
    struct Golden: CustomTestStringConvertible {
        let number: Int
        let made: GeneratedDictionary
        let queries, kept: Int
        let rowsSHA256, queriesSHA256: String
        var testDescription: String { "\(made.recipe.rawValue), \(made.features) × \(made.width), \(queries) queries, \(kept) kept" }

        init(_ number: Int, _ json: JSON) throws {
            func integer(_ key: String) throws -> Int { try #require(json[key]?.integer) }
            self.number = number
            let name = try #require(json["recipe"]?.string), recipe = try #require(GeneratedDictionary.Recipe(rawValue: name))
            made = GeneratedDictionary(recipe, features: try integer("features"), width: try integer("width"), seed: UInt64(try integer("seed")))
            (queries, kept) = (try integer("queries"), try integer("kept"))
            (rowsSHA256, queriesSHA256) = (try #require(json["rows_sha256"]?.string), try #require(json["queries_sha256"]?.string))
        }

        static func all() throws -> [Golden] {
            let json = try JSON(parsing: String(contentsOfFile: fixture("goldens/nearest/cases.json"), encoding: .utf8))
            return try #require(json.array).enumerated().map { try Golden($0, $1) }
        }

        /// What numpy found, one a query.
        func expected() throws -> [ExpectedNeighbours] {
            let file = try SafetensorsFile(fixture("goldens/nearest/nearest.safetensors"))
            let features = try #require(file["\(number).features"]), cosines = try #require(file["\(number).cosines"])
            let count = features.shape[1], ids = try features.integers().map(Int.init)
            try #require(cosines.dtype == .f64 && cosines.shape == features.shape && features.shape[0] == queries)
            let doubles = (0..<ids.count).map { cosines.bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
            return (0..<queries).map { ExpectedNeighbours(features: Array(ids[$0 * count..<($0 + 1) * count]), cosines: Array(doubles[$0 * count..<($0 + 1) * count])) }
        }
    }

    private func sha256(_ matrix: borrowing Matrix) -> String { hexadecimal(SHA256.digest(of: UnsafeRawBufferPointer(matrix.elements))) }

    @Test func `every recipe and every width has goldens, for thousands of queries`() throws {
        let all = try Golden.all()
        #expect(Set(all.map(\.made.recipe)) == Set(GeneratedDictionary.Recipe.allCases))
        #expect(Set(all.filter { $0.made.features == 1 }.map(\.made.width)) == [1, 3, 512, 2304, 4096])
        #expect(Set(all.filter { $0.made.features > 1 }.map(\.made.width)).isSuperset(of: [1, 3, 512, 2304, 4096]))
        #expect(all.reduce(0) { $0 + $1.queries } > 3_000)
    }

    @Test(arguments: try Golden.all()) func `the nearest are those that numpy finds`(golden: Golden) throws {
        let judge = NearestJudge(golden.made.rows()), queries = golden.made.queries(golden.queries), width = golden.made.width
        try #require(sha256(judge.rows) == golden.rowsSHA256, "these are not the rows that numpy had")
        try #require(sha256(queries) == golden.queriesSHA256, "these are not the queries that numpy had")
        let (catalogue, dictionary) = try catalogue(of: judge.rows)
        for (number, expected) in try golden.expected().enumerated() {
            let query = (0..<width).map { queries[number, $0] }
            #expect(judge.fault(in: try catalogue.nearest(to: query, in: dictionary, k: golden.kept), to: query, k: golden.kept, expected: expected) == nil, "query \(number)")
            guard number % 5 == 0 else { continue }
            #expect(judge.fault(in: try catalogue.nearest(to: query, in: dictionary, k: 1), to: query, k: 1, expected: expected) == nil, "query \(number), k 1")

            // Without the best, and without every other one: what numpy found less those.
            let best: Set = [expected.features[0]]
            let second = try catalogue.nearest(to: query, in: dictionary, k: golden.kept - 1, excluding: expected.features[0])
            #expect(judge.fault(in: second, to: query, k: golden.kept - 1, expected: expected.without(best), gone: best) == nil, "query \(number), excluding")

            let gone = Set(expected.features.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)), rest = expected.without(gone)
            var subset = FeatureSubset(of: golden.made.features)
            for feature in 0..<golden.made.features where !gone.contains(feature) { subset.insert(feature) }
            let odd = try catalogue.nearest(to: query, in: dictionary, k: rest.features.count, among: subset)
            #expect(judge.fault(in: odd, to: query, k: rest.features.count, expected: rest, gone: gone) == nil, "query \(number), among some")
        }
    }
}
