import Diagnostics
import DictionarySupport
@testable import FeatureCatalogue
import Numerics
import SQLite
import Testing
import TestSupport

/// The search by codes against the search without them, which multiplies every vector.
struct VectorIndexTests {
    private func random(_ count: Int, width: Int, seed: UInt64) -> [[Float]] {
        var random = Seeded(seed)
        return (0..<count).map { _ in (0..<width).map { _ in Float.random(in: -1...1, using: &random) } }
    }

    private func scanned(_ catalogue: Catalogue, _ query: [Float], _ dictionary: FeatureDictionary, k: Int, excluding: Int? = nil, among subset: FeatureSubset? = nil) throws -> [Neighbour] {
        // Without codes there is nothing else to do; another connection's view of the file is not needed for that.
        try catalogue.connection.execute("SAVEPOINT without; DELETE FROM code_block")
        defer { try? catalogue.connection.execute("ROLLBACK TO without; RELEASE without"); catalogue.vectorIndexes.removeAll() }
        catalogue.vectorIndexes.removeAll()
        var cost = SearchCost()
        let found = try catalogue.nearest(to: query, in: dictionary, k: k, excluding: excluding, among: subset, cost: &cost)
        #expect(cost.codesScanned == 0)
        return found
    }

    @Test(arguments: [1, 2, 10, 300, 2400]) func `the first search, which reads the file, and later ones, from memory, find what a scan finds`(k: Int) throws {
        var rows = random(20_000, width: 24, seed: 1)
        for copy in 0..<40 { rows[19_000 + copy] = rows[copy % 7] }
        rows[400] = rows[400].map { _ in 0 }
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(rows)
        for (place, query) in (random(3, width: 24, seed: 2) + [unit[3], unit[19_001]]).enumerated() {
            let expected = try scanned(catalogue, query, dictionary, k: k, excluding: place == 3 ? 3 : nil)
            for search in 1...3 {
                var cost = SearchCost()
                let found = try catalogue.nearest(to: query, in: dictionary, k: k, excluding: place == 3 ? 3 : nil, among: nil, cost: &cost)
                #expect(found == expected, "query \(place), search \(search)")
                #expect(cost.codesScanned == 20_000 && !cost.codesAreDamaged)
                #expect(cost.reranked < 20_000 && cost.reranked >= k && cost.candidates >= cost.reranked)
            }
        }
    }

    @Test(arguments: [1, 257, 5_000, 19_999]) func `a search among some features finds the best of them`(count: Int) throws {
        let (catalogue, dictionary, _) = try dictionaryCatalogue(random(20_000, width: 10, seed: 3))
        var subset = FeatureSubset(of: 20_000), chance = Seeded(UInt64(count))
        while subset.count < count { subset.insert(Int.random(in: 0..<20_000, using: &chance)) }
        for query in random(4, width: 10, seed: 4) {
            let expected = try scanned(catalogue, query, dictionary, k: 20, among: subset)
            #expect(expected.count == min(20, count) && expected.allSatisfy { subset.contains($0.feature) })
            for _ in 1...2 { #expect(try catalogue.nearest(to: query, in: dictionary, k: 20, among: subset) == expected) }
        }
    }

    /// Whatever happens to the codes, the answer is that of the vectors.
    @Test(arguments: [
        "UPDATE code_block SET codes = CAST(x'77' || substr(codes, 2) AS BLOB) WHERE plane = 0",
        "UPDATE code_block SET codes = zeroblob(length(codes))",
        "UPDATE code_block SET codes = zeroblob(length(codes)) WHERE plane = 1",
        "UPDATE code_block SET codes = substr(codes, 1, length(codes) - 1)", "UPDATE code_block SET codes = x''",
        "DELETE FROM code_block WHERE plane = 1", "DELETE FROM code_block",
        "UPDATE code_block SET first_index = first_index + 64", "UPDATE code_block SET dictionary_id = 1, plane = 0, first_index = 999936 + id",
    ], [1, 2]) func `damaged codes are not believed`(sql: String, searchesBefore: Int) throws {
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(5_000, width: 8, seed: 5))
        let expected = try scanned(catalogue, unit[9], dictionary, k: 6)
        try catalogue.connection.execute("PRAGMA foreign_keys = 0; " + sql)
        for _ in 0..<searchesBefore { #expect(try catalogue.nearest(to: unit[9], in: dictionary, k: 6) == expected) }
        var cost = SearchCost()
        #expect(try catalogue.nearest(to: unit[9], in: dictionary, k: 6, excluding: nil, among: nil, cost: &cost) == expected)
        #expect(cost.codesAreDamaged == (try !catalogue.check().findings.filter { $0.what.contains("codes") }.isEmpty))
        try catalogue.rebuildCodes()
        cost = SearchCost()
        #expect(try catalogue.nearest(to: unit[9], in: dictionary, k: 6, excluding: nil, among: nil, cost: &cost) == expected)
        #expect(cost.codesScanned == 5_000 && !cost.codesAreDamaged)
        #expect(try catalogue.check().findings.filter { $0.what.contains("codes") } == [])
    }

    /// Rows of a few numbers each in 8,192 coordinates: two blocks of codes.
    @Test func `codes of several blocks are searched as one, and blocks that are exchanged are noticed`() throws {
        let features = 1_300, width = 8_192
        let rows = Matrix(rows: features, columns: width)
        var chance = Seeded(12)
        for feature in 0..<features { for _ in 0..<4 { rows[feature, Int.random(in: 0..<40, using: &chance)] = 0.5 } }
        for feature in 0..<features { // unit rows
            let length = (0..<40).reduce(Float(0)) { $0 + rows[feature, $1] * rows[feature, $1] }.squareRoot()
            for axis in 0..<40 { rows[feature, axis] /= length }
        }
        let (catalogue, dictionary) = try catalogue(of: rows)
        #expect(try catalogue.connection.integer("SELECT count(*) FROM code_block") == 4)
        for feature in [0, 959, 960, 1_299] {
            let query = try catalogue.decoder(of: feature, in: dictionary), expected = try scanned(catalogue, query, dictionary, k: 9)
            for _ in 1...2 {
                var cost = SearchCost()
                #expect(try catalogue.nearest(to: query, in: dictionary, k: 9, excluding: nil, among: nil, cost: &cost) == expected)
                #expect(cost.codesScanned == features)
            }
        }
        try catalogue.connection.execute("""
            UPDATE code_block SET codes = (SELECT CAST(substr(other.codes, 1, length(code_block.codes)) AS BLOB) FROM code_block AS other WHERE other.plane = 0 AND other.first_index = 0)
            WHERE plane = 0 AND first_index > 0
            """)
        catalogue.vectorIndexes.removeAll()
        var cost = SearchCost()
        #expect(try catalogue.nearest(to: catalogue.decoder(of: 3, in: dictionary), in: dictionary, k: 1, excluding: nil, among: nil, cost: &cost).map(\.feature) == [3])
        #expect(cost.codesAreDamaged)
    }

    /// Their bytes are sound, their place is not: so they look where the file is behind its write-ahead log, or after a VACUUM.
    @Test(arguments: [0, 1]) func `another dictionary's codes are noticed`(plane: Int) throws {
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(5_000, width: 8, seed: 13))
        let other = try dictionaryCatalogue(random(5_000, width: 8, seed: 14)).2
        let twin = try catalogue.register(DictionaryDescription(name: DictionaryName(parsing: "A/1"), hook: dictionary.hook, architecture: "standard", settings: "{}", weightsSHA256: "1"), model: dictionary.model,
                                          decoder: Matrix(rows: 5_000, columns: 8, other.joined().map { $0 }), norms: Array(repeating: 1, count: 5_000), scales: Array(repeating: 1, count: 5_000),
                                          encoderDecoderCosines: Array(repeating: .nan, count: 5_000))
        let expected = try scanned(catalogue, unit[9], dictionary, k: 6)
        try catalogue.connection.run("UPDATE code_block SET codes = (SELECT other.codes FROM code_block AS other WHERE other.dictionary_id = ? AND other.plane = code_block.plane) WHERE dictionary_id = ? AND plane = ?",
                                     .init(twin.id), .init(dictionary.id), .init(plane))
        var cost = SearchCost()
        #expect(try catalogue.nearest(to: unit[9], in: dictionary, k: 6, excluding: nil, among: nil, cost: &cost) == expected)
        #expect(cost.codesAreDamaged)
    }

    /// The bound is of unit rows: rows of another length that were coded all the same are met, not overlooked.
    @Test(arguments: ["00000040", "0000C07F", "FFFF7F7F", "0000807F"]) func `a coded vector that is not of length 1 is noticed`(number: String) throws {
        let (catalogue, dictionary, _) = try dictionaryCatalogue(random(3_000, width: 8, seed: 15)), axis: [Float] = [1, 0, 0, 0, 0, 0, 0, 0]
        try catalogue.connection.execute("UPDATE decoder_block SET vectors = CAST(x'\(number)' || substr(vectors, 5) AS BLOB) WHERE first_index = 1024")
        // As an ingest would that failed to make its rows unit; `rebuildCodes` asks for their digests.
        try catalogue.connection.execute("DELETE FROM code_block")
        try catalogue.writeCodes(of: dictionary)
        for k in [1, 700] {
            #expect(failure { _ = try catalogue.nearest(to: axis, in: dictionary, k: k) }?.message == "the decoder vectors of A/0 in \":memory:\" are damaged or missing", "k \(k)")
        }
    }

    @Test func `a vector that is not the one that was coded is noticed`() throws {
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(3_000, width: 8, seed: 6))
        // The nearest row's sign is turned in the file: the code says 1, the product −1.
        var turned = unit[1_024].map { -$0 }
        let bytes = turned.withUnsafeMutableBytes { Array($0) }
        try catalogue.connection.run("UPDATE decoder_block SET vectors = CAST(? || substr(vectors, 33) AS BLOB) WHERE first_index = 1024", .blob(bytes))
        #expect(failure { _ = try catalogue.nearest(to: unit[1_024], in: dictionary, k: 3) }
            == MonosemeError("the decoder vectors of A/0 in \":memory:\" are damaged or missing", hint: "monoseme check lists all damage; ingest again or restore a copy"))
    }

    /// A feature asked about is looked at as closely as those found; and codes are not made of what is damaged.
    @Test(arguments: [(4 * 8 * 5 + 2, "40"), (4 * 8 * 5 + 1, "11"), (4 * 8 * 5 + 3, "7F")]) func `a damaged vector is neither asked about nor coded anew`(place: Int, byte: String) throws {
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(3_000, width: 8, seed: 8))
        try catalogue.connection.execute("UPDATE decoder_block SET vectors = CAST(substr(vectors, 1, \(place)) || x'\(byte)' || substr(vectors, \(place + 2)) AS BLOB) WHERE first_index = 0")
        let damaged = MonosemeError("the decoder vectors of A/0 in \":memory:\" are damaged or missing", hint: "monoseme check lists all damage; ingest again or restore a copy")
        #expect(failure { _ = try catalogue.decoder(of: 5, in: dictionary) } == damaged)
        #expect(try catalogue.decoder(of: 6, in: dictionary) == unit[6])
        let codes = try catalogue.connection.rows("SELECT codes FROM code_block ORDER BY id") { $0.blob(0) }
        #expect(failure { try catalogue.rebuildCodes() } == damaged)
        #expect(try catalogue.connection.rows("SELECT codes FROM code_block ORDER BY id") { $0.blob(0) } == codes)
    }

    @Test(arguments: [1, 2]) func `codes that were made anew meanwhile are looked for anew`(searchesBefore: Int) throws {
        let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(3_000, width: 8, seed: 10))
        for _ in 1..<searchesBefore { _ = try catalogue.nearest(to: unit[5], in: dictionary, k: 1) }
        _ = try catalogue.vectorIndex(of: dictionary)
        try catalogue.connection.execute("UPDATE code_block SET id = id + 100")
        for isDamaged in [true, false] {
            var cost = SearchCost()
            #expect(try catalogue.nearest(to: unit[5], in: dictionary, k: 1, excluding: nil, among: nil, cost: &cost).map(\.feature) == [5])
            #expect(cost.codesAreDamaged == isDamaged)
        }
    }

    /// In a file with room in it, blobs lie wherever there is some.
    @Test func `codes and vectors in scattered pages are found`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(12_000, width: 64, seed: 9), path: path)
            try catalogue.connection.execute("CREATE TABLE scrap (id INTEGER PRIMARY KEY, bytes BLOB)")
            for _ in 0..<300 { try catalogue.connection.run("INSERT INTO scrap (bytes) VALUES (randomblob(50000))") }
            try catalogue.connection.execute("DELETE FROM scrap WHERE id % 2 = 0; UPDATE decoder_block SET vectors = CAST(vectors AS BLOB)")
            try catalogue.rebuildCodes()
            try catalogue.checkpoint()
            let reader = try Catalogue(path: path, for: .reading)
            let expected = try scanned(catalogue, unit[77], dictionary, k: 9)
            for _ in 1...3 {
                var cost = SearchCost()
                #expect(try reader.nearest(to: reader.decoder(of: 77, in: dictionary), in: dictionary, k: 9, excluding: nil, among: nil, cost: &cost) == expected)
                #expect(cost.codesScanned == 12_000)
            }
        }
    }

    @Test func `a catalogue of before the index gets its codes from the first writer`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let (catalogue, dictionary, unit) = try dictionaryCatalogue(random(3_000, width: 8, seed: 7), path: path)
            let codes = try catalogue.connection.rows("SELECT codes FROM code_block ORDER BY id") { $0.blob(0) }
            try catalogue.rewind(to: 5)
            let writer = try Catalogue(path: path, for: .writing)
            #expect(try writer.connection.rows("SELECT codes FROM code_block ORDER BY id") { $0.blob(0) } == codes)
            var cost = SearchCost()
            #expect(try Catalogue(path: path, for: .reading).nearest(to: unit[5], in: dictionary, k: 1, excluding: nil, among: nil, cost: &cost).map(\.feature) == [5])
            #expect(cost.codesScanned == 3_000)
        }
    }
}
