import Diagnostics
import DictionarySupport
@testable import FeatureCatalogue
import Foundation
import Numerics
import SQLite
import Testing

struct NearestTests {
    private func random(_ count: Int, width: Int, seed: UInt64) -> [[Float]] {
        var random = Seeded(seed)
        return (0..<count).map { _ in (0..<width).map { _ in Float.random(in: -1...1, using: &random) } }
    }

    private func bruteForce(_ query: [Float], _ rows: [[Float]], excluding: Int? = nil) -> [(feature: Int, cosine: Double)] {
        let length = query.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return rows.indices.filter { $0 != excluding && rows[$0].contains { $0 != 0 } }.map { row in
            (row, zip(query, rows[row]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } / length)
        }.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }
    }

    @Test(arguments: [1, 3, 16, 67]) func `neighbours are those of a computation in double`(width: Int) throws {
        var rows = random(2100, width: width, seed: UInt64(width)) // more than two blocks
        rows[5] = rows[5].map { _ in 0 }
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(rows)
        for (place, query) in random(5, width: width, seed: 99).enumerated() {
            let scaled = query.map { $0 * [1, 1e-30, 1e30, 3, 0.1][place] }
            let found = try catalogue.nearest(to: scaled, in: dictionary, k: 25)
            let expected = bruteForce(scaled, unit).prefix(25)
            #expect(found.count == 25)
            for (a, b) in zip(found, expected) { #expect(abs(Double(a.cosine) - b.cosine) < 1e-6) }
            // In one dimension all are ±1 and order is by index alone; elsewhere the order is that of the cosines.
            if width > 3 { #expect(found.map(\.feature) == expected.map(\.feature)) }
        }
    }

    @Test func `equal cosines go to the lower index, and the excluded and zero rows are left out`() throws {
        let (catalogue, dictionary, _) = try dictionaryCatalogue([[0, 0], [1, 0], [0, 1], [2, 0], [-1, 0], [5, 0]])
        func features(k: Int, excluding: Int? = nil) throws -> [Int] { try catalogue.nearest(to: [3, 0], in: dictionary, k: k, excluding: excluding).map(\.feature) }
        #expect(try features(k: 3) == [1, 3, 5])
        #expect(try features(k: 2) == [1, 3])
        #expect(try features(k: 2, excluding: 1) == [3, 5])
        #expect(try features(k: 100) == [1, 3, 5, 2, 4])
        #expect(try features(k: 100, excluding: 4) == [1, 3, 5, 2])
        #expect(try features(k: 0) == [])
        #expect(try features(k: -5) == [])
        #expect(try features(k: .max) == [1, 3, 5, 2, 4])
        #expect(try catalogue.nearest(to: [0, 9], in: dictionary, k: 1) == [Neighbour(feature: 2, cosine: 1)])
    }

    @Test(arguments: [
        ([1], "the query vector has 1 numbers; the decoder vectors of A/0 have 2", "give a vector in the space of blocks.0.hook_resid_post"),
        ([1, .nan], "the query vector holds a NaN or an infinity", nil), ([.infinity, 0], "the query vector holds a NaN or an infinity", nil),
        ([0, -0.0], "the query vector is zero: it points nowhere", "a feature whose decoder row is zero has no neighbours"),
    ] as [([Float], String, String?)]) func `a query that means nothing is refused`(query: [Float], message: String, hint: String?) throws {
        let (catalogue, dictionary, _) = try dictionaryCatalogue([[1, 0], [0, 1]])
        #expect(failure { _ = try catalogue.nearest(to: query, in: dictionary, k: 1) } == MonosemeError(message, hint: hint))
    }

    @Test(arguments: ["DELETE FROM decoder_block WHERE first_index = 1024", "UPDATE decoder_block SET vectors = x'00'", "UPDATE decoder_block SET vectors = substr(vectors, 5)",
                      "UPDATE decoder_block SET first_index = -1 WHERE first_index = 0", "UPDATE dictionary SET features = 4000"])
    func `damaged vectors are said and never read`(sql: String) throws {
        let (catalogue, _, _) = try dictionaryCatalogue(random(2100, width: 2, seed: 1))
        try catalogue.connection.execute(sql)
        let dictionary = try catalogue.dictionaries()[0]
        let damaged = MonosemeError("the decoder vectors of A/0 in \":memory:\" are damaged or missing", hint: "monoseme check lists all damage; ingest again or restore a copy")
        #expect(failure { _ = try catalogue.nearest(to: [1, 0], in: dictionary, k: 1) } == damaged)
        #expect(failure { for index in [0, 1030, 2099, 3999] { _ = try catalogue.decoder(of: index, in: dictionary) } } == damaged)
    }

    /// Sizes are multiplied, and ranges and arrays made of them: none of these may end the process.
    @Test(arguments: ["width = -1", "width = 100000000000", "width = 9223372036854775807", "features = -1", "features = 9223372036854775807", "features = 4611686018427387904"])
    func `sizes that no dictionary has are refused before anything is made of them`(sizes: String) throws {
        let (catalogue, _, _) = try dictionaryCatalogue(random(40, width: 2, seed: 1))
        try catalogue.connection.execute("UPDATE dictionary SET " + sizes)
        let dictionary = try catalogue.dictionaries()[0], expression = try FeatureExpression(parsing: "A/0/1 + A/0/2")
        let message = "A/0 is damaged: it says it has \(dictionary.features) features of \(dictionary.width) numbers"
        #expect(failure { _ = try catalogue.dictionary(named: dictionary.name) }?.message == message)
        #expect(failure { _ = try catalogue.nearest(to: [1, 0], in: dictionary, k: .max) }?.message == message)
        #expect(failure { _ = try catalogue.direction(of: expression, in: dictionary) }?.message == message)
        #expect(failure { _ = try catalogue.features(of: dictionary, where: "density > 0") }?.message == message)
        #expect(try catalogue.storedNeighbours(of: 1, in: dictionary, among: dictionary, k: 3) == nil)
        #expect(failure { _ = try catalogue.decoder(of: 1, in: dictionary) }?.message.hasSuffix("damaged or missing") == true)
        #expect(failure { _ = try catalogue.unitRows(of: dictionary) }?.message.hasSuffix("damaged or missing") == true)
    }

    @Test func `a subset holds no feature that the dictionary has not`() {
        var subset = FeatureSubset(of: 10)
        for index in [-1, 3, 9, 10, 20, 64, .max] { subset.insert(index) }
        #expect(subset.indices == [3, 9] && subset.count == 2 && !subset.contains(20))
    }

    @Test func `a decoder vector is the row that was given`() throws {
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(2100, width: 3, seed: 2))
        for index in [0, 1023, 1024, 2047, 2048, 2099] { #expect(try catalogue.decoder(of: index, in: dictionary) == unit[index]) }
    }
}
