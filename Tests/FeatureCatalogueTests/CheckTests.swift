@testable import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

struct CheckTests {
    static let complete = "A/0 complete", keepTop = "A/0 keeps 20"

    /// What is done to the file, and what the check must say about it.
    struct Mutation: CustomTestStringConvertible, Sendable {
        let sql: String
        let what: String
        var world = CheckTests.complete
        var testDescription: String { "\(sql) (\(world))" }
        init(_ sql: String, _ what: String, world: String = CheckTests.complete) { (self.sql, self.what, self.world) = (sql, what, world) }
    }

    static let mutations: [Mutation] = [
        // Tokens, documents, topics.
        .init("UPDATE tokenizer SET vocabulary = 51", "vocabulary of a tokenizer"),
        .init("UPDATE tokenizer SET vocabulary = 49", "token ids"),
        .init("DELETE FROM token WHERE token = 20", "order of token ids"),
        .init("UPDATE token SET text = 'x' WHERE token = 3", "text of a token"),
        .init("UPDATE token_block SET sha256 = replace(sha256, 'a', 'b') WHERE first_position = 250", "sha256 of a block of tokens"),
        .init("UPDATE token_block SET token_ids = zeroblob(length(token_ids)) WHERE first_position = 0", "sha256 of a block of tokens"),
        .init("UPDATE token_block SET token_ids = x'00' WHERE first_position = 0", "bytes of a block of tokens"),
        .init("UPDATE token_block SET tokens = 9223372036854775807 WHERE first_position = 250", "bytes of a block of tokens"),
        .init("UPDATE token_block SET tokens = -5 WHERE first_position = 250", "bytes of a block of tokens"),
        .init("UPDATE token_block SET first_position = 260 WHERE first_position = 250", "place of a block of tokens"),
        .init("DELETE FROM token_block WHERE first_position = 451", "tokens in blocks"),
        .init("UPDATE corpus SET tokens = tokens + 1", "tokens in documents"),
        .init("UPDATE corpus SET documents = documents - 1", "documents of a corpus"),
        .init("UPDATE document SET first_position = first_position + 1 WHERE ordinal = 4", "place of a document"),
        .init("UPDATE document SET tokens = 0 WHERE ordinal = 4", "tokens of a document"),
        .init("UPDATE document SET tokens = 9223372036854775807 WHERE ordinal = 4", "place of a document"),
        .init("UPDATE document SET ordinal = 40 WHERE ordinal = 4", "order of documents"),
        .init("DELETE FROM document", "tokens in documents"),
        .init("UPDATE document SET topic_id = 77 WHERE ordinal = 4", "topic of a document"),
        .init("UPDATE document SET topic_id = topic_id % 3 + 1 WHERE ordinal = 4", "documents of a topic"),
        .init("UPDATE document SET source_id = 99 WHERE ordinal = 4", "references between tables"),
        .init("UPDATE topic SET documents = documents + 1 WHERE name = 'law'", "documents of a topic"),
        .init("UPDATE topic SET tokens = tokens - 1 WHERE name = 'law'", "tokens of a topic"),
        // Dictionaries.
        .init("UPDATE dictionary SET features = 13", "features of a dictionary"),
        .init("UPDATE dictionary SET features = 4611686018427387904", "shape of a dictionary"),
        .init("UPDATE dictionary SET width = 9", "bytes of a block of vectors"),
        .init("UPDATE dictionary SET width = -1", "shape of a dictionary"),
        .init("DELETE FROM feature WHERE feature_index = 3", "order of features"),
        .init("UPDATE feature SET decoder_norm = -1 WHERE feature_index = 3", "decoder norm"),
        .init("UPDATE feature SET decoder_norm = 0 WHERE feature_index = 3", "length of a decoder row"),
        .init("UPDATE feature SET encoder_decoder_cosine = 1.5 WHERE feature_index = 3", "cosine of encoder and decoder"),
        .init("UPDATE decoder_block SET sha256 = ''", "sha256 of a block of vectors"),
        .init("UPDATE decoder_block SET vectors = CAST(x'0000C07F' || substr(vectors, 5) AS BLOB)", "length of a decoder row"),
        .init("UPDATE decoder_block SET rows = rows - 1", "bytes of a block of vectors"),
        .init("UPDATE decoder_block SET first_index = 1", "place of a block of vectors"),
        .init("DELETE FROM decoder_block", "rows of decoder vectors"),
        .init("UPDATE code_block SET sha256 = ''", "sha256 of a block of codes"),
        .init("UPDATE code_block SET codes = CAST(x'77' || substr(codes, 2) AS BLOB) WHERE plane = 0", "codes of decoder vectors"),
        .init("UPDATE code_block SET codes = CAST(substr(codes, 1, length(codes) - 12) || x'0000803F' || substr(codes, -8) AS BLOB) WHERE plane = 1", "codes of decoder vectors"),
        .init("UPDATE code_block SET codes = x''", "bytes of a block of codes"),
        .init("UPDATE code_block SET first_index = 64", "place of a block of codes"),
        .init("DELETE FROM code_block WHERE plane = 1", "blocks of codes"),
        .init("UPDATE feature_logit SET token = 50 WHERE rank = 2", "token of a logit"),
        .init("UPDATE feature_logit SET value = 3 WHERE rank = 2", "order of logits"),
        .init("UPDATE feature_logit SET value = -3 WHERE rank = -2", "order of logits"),
        .init("DELETE FROM feature_logit WHERE rank = -1", "rank of a logit"),
        // Runs.
        .init("UPDATE run SET tokens = tokens + 1", "tokens of a run"),
        .init("UPDATE run SET firings = firings + 1", "firings of a run"),
        .init("UPDATE run SET is_complete = 0", "unfinished run"),
        .init("UPDATE segment SET ordinal = 7 WHERE ordinal = 2", "order of segments"),
        .init("UPDATE segment SET first_position = 251 WHERE ordinal = 1", "place of a segment"),
        .init("UPDATE segment SET tokens = 9223372036854775807 WHERE ordinal = 1", "tokens of a segment"),
        .init("UPDATE segment SET firings = firings - 1 WHERE ordinal = 1", "firings of a segment"),
        .init("UPDATE segment SET checksum = checksum + 1 WHERE ordinal = 1", "checksum of a segment"),
        .init("DELETE FROM segment WHERE ordinal = 2", "posting lists of a segment that is not in the ledger"),
        .init("UPDATE feature_neuron SET neuron = 8 WHERE rank = 1", "neuron of a feature"),
        .init("UPDATE feature_neuron SET value = -0.95 WHERE rank = 2 AND basis = 'weight'", "order of neurons"),
        .init("UPDATE feature_neuron SET value = 0.9 WHERE rank = 2 AND basis = 'correlation'", "order of neurons"),
        .init("DELETE FROM feature_neuron WHERE rank = 1", "rank of a neuron"),
        .init("UPDATE evaluation SET explained_variance = 1.1", "evaluation of a run"),
        .init("UPDATE evaluation SET l0 = -1", "evaluation of a run"),
        // Firings.
        .init("DELETE FROM posting WHERE id = (SELECT max(id) FROM posting)", "firings of a feature"),
        .init("UPDATE posting SET list = x'' WHERE id = (SELECT max(id) FROM posting)", "bytes of a posting list"),
        .init("UPDATE posting SET list = x'0000' WHERE id = (SELECT max(id) FROM posting)", "bytes of a posting list"),
        .init("UPDATE posting SET list = CAST(list || x'00' AS BLOB) WHERE id = (SELECT max(id) FROM posting)", "bytes of a posting list"),
        .init("UPDATE posting SET list = CAST(x'00018F4E003C' AS BLOB) WHERE id = (SELECT max(id) FROM posting)", "positions of a posting list"),
        .init("UPDATE posting SET id = id + 1000 WHERE id = (SELECT max(id) FROM posting)", "feature of a posting list"),
        .init("UPDATE posting SET list = CAST(substr(list, 1, length(list) - 2) || x'013C' AS BLOB) WHERE id = (SELECT min(id) FROM posting)", "histogram of a feature"),
        .init("UPDATE statistic SET firings = firings + 1 WHERE feature_id & 15 = 4", "firings of a feature"),
        .init("UPDATE statistic SET firings = 9223372036854775807 WHERE feature_id & 15 = 4", "firings of a feature"),
        .init("UPDATE statistic SET documents = documents - 1 WHERE feature_id & 15 = 4", "documents of a feature"),
        .init("UPDATE statistic SET sum = sum * 1.01 WHERE feature_id & 15 = 4", "sum of a feature"),
        .init("UPDATE statistic SET sum_of_squares = sum_of_squares * 1.01 WHERE feature_id & 15 = 4", "sum of squares of a feature"),
        .init("UPDATE statistic SET maximum = maximum * 1.01 WHERE feature_id & 15 = 4", "maximum of a feature"),
        .init("UPDATE statistic SET maximum_position = maximum_position + 1 WHERE feature_id & 15 = 4", "position of a feature's maximum"),
        .init("UPDATE statistic SET maximum_position = 3 WHERE feature_id & 15 = 3", "position of a feature's maximum"),
        .init("UPDATE statistic SET maximum_position = NULL WHERE feature_id & 15 = 4", "position of a feature's maximum"),
        .init("UPDATE statistic SET last_position = last_position - 1 WHERE feature_id & 15 = 4", "last position of a feature"),
        .init("UPDATE statistic SET histogram = x'' WHERE feature_id & 15 = 4", "histogram of a feature"),
        .init("UPDATE statistic SET histogram = x'00ff' WHERE feature_id & 15 = 4", "histogram of a feature"),
        .init("UPDATE statistic SET histogram = CAST(histogram || x'01' AS BLOB) WHERE feature_id & 15 = 4", "histogram of a feature"),
        .init("DELETE FROM statistic WHERE feature_id & 15 = 4", "rows of statistics"),
        .init("UPDATE feature_topic SET firings = firings + 1 WHERE feature_id & 15 = 4", "firings of a topic"),
        .init("DELETE FROM feature_topic WHERE feature_id & 15 = 4 AND topic_id = 1", "firings of a topic"),
        .init("UPDATE feature_topic SET documents = documents + 1 WHERE feature_id & 15 = 4", "documents of a feature and topic"),
        .init("UPDATE feature_topic SET sum = sum * 1.01 WHERE feature_id & 15 = 4", "sum of a topic"),
        .init("UPDATE feature_topic SET maximum = maximum * 0.99 WHERE feature_id & 15 = 4", "maximum of a topic"),
        .init("UPDATE feature_topic SET threshold = threshold * 1.01 WHERE feature_id & 15 = 4", "threshold of a topic's detector"),
        .init("UPDATE feature_topic SET threshold = NULL WHERE feature_id & 15 = 4", "threshold of a topic's detector"),
        .init("UPDATE feature_topic SET precision = precision + 0.01 WHERE feature_id & 15 = 4", "precision of a topic's detector"),
        .init("UPDATE feature_topic SET recall = recall + 0.01 WHERE feature_id & 15 = 4", "recall of a topic's detector"),
        .init("UPDATE feature_topic SET f1 = f1 + 0.01 WHERE feature_id & 15 = 4", "F1 of a topic's detector"),
        .init("UPDATE feature_topic SET z = z * 1.000001 WHERE feature_id & 15 = 4", "z of a topic"),
        .init("UPDATE feature_topic SET q = 0 WHERE feature_id & 15 = 4", "q of a topic"),
        .init("UPDATE feature_topic SET q = NULL WHERE feature_id & 15 = 4", "q of a topic"),
        .init("UPDATE feature_topic SET auroc = 1 - auroc WHERE feature_id & 15 = 4", "AUROC of a topic"),
        .init("UPDATE run SET topic_tests = topic_tests + 1", "tests of topics"),
        .init("UPDATE run SET topic_tests = NULL", "evidence for topics of a run"),
        .init("UPDATE feature_topic SET topic_id = 88 WHERE feature_id & 15 = 4 AND topic_id = 1", "rows of topics of another corpus"),
        .init("UPDATE feature_topic SET feature_id = feature_id + 64 WHERE feature_id & 15 = 4 AND topic_id = 1", "rows of features of another dictionary"),
        .init("UPDATE feature_example SET value = value * 1.001 WHERE rank = 2", "value of an example"),
        .init("UPDATE feature_example SET position = -1 WHERE rank = 2", "value of an example"),
        .init("UPDATE feature_example SET position = 9223372036854775807 WHERE rank = 2", "value of an example"),
        .init("DELETE FROM feature_example WHERE rank = 1", "strongest example"),
        .init("DELETE FROM feature_example WHERE rank = 2", "rank of an example"),
        .init("DELETE FROM feature_example", "examples of a feature"),
        .init("UPDATE feature_example SET rank = CASE rank WHEN 2 THEN 103 WHEN 3 THEN 102 END WHERE rank IN (2, 3); UPDATE feature_example SET rank = rank - 100 WHERE rank > 100", "order of examples"),
        .init("INSERT INTO feature_example SELECT run_id, feature_id, rank + 100, position, value FROM feature_example", "examples of a feature"),
        .init("UPDATE feature_token SET firings = firings + 1 WHERE rank = 1", "firings of a top token"),
        .init("UPDATE feature_token SET token = (token + 1) % 50 WHERE rank = 1", "sum of a top token"),
        .init("UPDATE feature_token SET sum = sum * 1.0001 WHERE rank = 3", "sum of a top token"),
        .init("DELETE FROM feature_token WHERE rank = 1", "rank of a top token"),
        .init("DELETE FROM feature_token", "top tokens of a feature"),
        .init("UPDATE feature_token SET rank = CASE rank WHEN 2 THEN 103 WHEN 3 THEN 102 END WHERE rank IN (2, 3); UPDATE feature_token SET rank = rank - 100 WHERE rank > 100", "order of top tokens"),
        // Labels.
        .init("INSERT INTO label (feature_id, text, author, created_at, supersedes) SELECT feature_id, 'x', 'y', '', 1 FROM label WHERE id = 4", "label that a label supersedes"),
        .init("INSERT INTO label (feature_id, text, author, created_at) SELECT feature_id, 'x', 'y', '' FROM label WHERE id = 1", "label that a label supersedes"),
        .init("INSERT INTO label (feature_id, text, author, created_at) VALUES (5, 'x', 'y', '')", "feature of a label"),
        .init("INSERT INTO label (feature_id, text, author, created_at) SELECT feature_id + 1, 'x', ' ', '' FROM label WHERE id = 1", "author of a label"),
        // Tags.
        .init("UPDATE tag_block SET checksum = checksum + 1", "checksum of a block of a tag"),
        .init("UPDATE tag_block SET bits = zeroblob(8)", "bytes of a block of a tag"),
        .init("UPDATE tag_block SET bits = zeroblob(length(bits))", "tokens of a block of a tag"),
        .init("UPDATE tag_block SET bits = CAST(substr(bits, 1, length(bits) - 1) || x'80' AS BLOB)", "tokens of a tag"),
        .init("UPDATE tag_block SET first_position = 65536", "place of a block of a tag"),
        .init("UPDATE tag SET tokens = 5", "tokens of a tag"),
        .init("UPDATE tag SET documents = 4", "documents of a tag"),
        .init("UPDATE tag SET kind = 'x'", "tags"),
        .init("DELETE FROM tag", "tag of a block"),
        // A run that kept only the strongest.
        .init("UPDATE statistic SET firings = 19 WHERE feature_id & 15 = 4", "firings of a feature", world: keepTop),
        .init("UPDATE statistic SET firings = firings + 1 WHERE feature_id & 15 = 4", "histogram of a feature", world: keepTop),
        .init("UPDATE statistic SET sum = 0 WHERE feature_id & 15 = 4", "sum of a feature", world: keepTop),
        .init("UPDATE statistic SET maximum = maximum * 1.01 WHERE feature_id & 15 = 4", "maximum of a feature", world: keepTop),
        .init("UPDATE statistic SET documents = 0 WHERE feature_id & 15 = 4", "documents of a feature", world: keepTop),
        .init("UPDATE feature_topic SET maximum = 0 WHERE feature_id & 15 = 4", "maximum of a topic", world: keepTop),
        .init("UPDATE feature_topic SET z = 3 WHERE feature_id & 15 = 4", "z of a topic", world: keepTop),
        .init("DELETE FROM posting WHERE id & 15 = 7", "firings kept of a feature", world: keepTop),
        .init("UPDATE segment SET firings = 0", "firings of a segment", world: keepTop),
        .init("UPDATE segment SET checksum = 0", "checksum of a segment", world: keepTop),
        .init("DELETE FROM feature_example WHERE rank = 1", "strongest example", world: keepTop),
    ]

    static let pristine: [String: Data] = {
        var files: [String: Data] = [:]
        for (name, keep) in [(complete, nil), (keepTop, 20)] as [(String, Int?)] {
            files[name] = try? withTemporaryFolder { folder in
                let path = folder.appending(path: "c.sqlite").path
                try Planted.small(keepTop: keep).write(to: path)
                let catalogue = try Catalogue(path: path, for: .writing), corpus = try catalogue.corpus(1)
                _ = try catalogue.keepTag("early", .regex, "w[0-9]", PositionSet([3, 5, 70, 588], length: corpus.tokens), documents: 3, of: corpus, engine: "test", at: Planted.time)
                try catalogue.checkpoint()
                return try Data(contentsOf: URL(filePath: path))
            }
        }
        return files
    }()

    @Test(arguments: [complete, keepTop]) func `an untouched catalogue has no findings`(world: String) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try #require(CheckTests.pristine[world]).write(to: URL(filePath: path))
            let report = try Catalogue(path: path, for: .reading).check()
            #expect(report.findings.map(\.description) == [])
            let counts = Dictionary(uniqueKeysWithValues: report.checked.map { ($0.what, $0.count) })
            let world = Planted.small()
            #expect(counts["tokens"] == world.total)
            #expect(counts["documents"] == 20)
            #expect(counts["features"] == 12)
            #expect(counts["labels"] == 4 && counts["tags"] == 1)
            #expect(counts["segments"] == 3)
            if world.keepTop == nil, self.isComplete(path) { #expect(counts["firings"] == world.firings.count) }
        }
    }

    private func isComplete(_ path: String) -> Bool { (try? Catalogue(path: path, for: .reading).connection.integer("SELECT keep_top IS NULL FROM run")) == 1 }

    @Test(arguments: [1, 2]) func `an unfinished run is named and is no damage`(segments: Int) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            let world = Planted.small()
            try world.write(to: path, segments: segments)
            let report = try Catalogue(path: path, for: .reading).check()
            let tokens = world.segments[..<segments].reduce(0, +)
            #expect(report.findings == [Finding(kind: .unfinished, what: "unfinished run", place: "A/0", found: "\(tokens) tokens", expected: "a corpus that has not been read to its end")])
            #expect(!report.isDamaged)
        }
    }

    @Test(arguments: mutations) func `a changed row is found and named`(mutation: Mutation) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try #require(CheckTests.pristine[mutation.world]).write(to: URL(filePath: path))
            do {
                let connection = try Connection(path: path, access: .readWrite)
                try connection.execute("PRAGMA foreign_keys = 0; PRAGMA ignore_check_constraints = 1; PRAGMA recursive_triggers = 0")
                try connection.execute(mutation.sql)
                #expect(try connection.integer("SELECT total_changes()") ?? 0 > 0, "the mutation changed nothing")
            }
            let report = try Catalogue(path: path, for: .reading).check()
            #expect(report.findings.contains { $0.what == mutation.what }, "said: \(report.findings.map(\.description))")
        }
    }

    @Test func `flipped bytes never stop a check, and those in blobs are found`() throws {
        let pristine = try #require(CheckTests.pristine[CheckTests.complete])
        var random = Seeded(7)
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try pristine.write(to: URL(filePath: path))
            let blobs = "SELECT vectors FROM decoder_block UNION ALL SELECT token_ids FROM token_block UNION ALL SELECT list FROM posting"
            var places: [Int] = []
            try Catalogue(path: path, for: .reading).connection.query(blobs) { row in
                if let found = pristine.range(of: Data(row.blob(0))) { places += Array(found) }
            }
            #expect(places.count > 3000)
            for trial in 0..<250 {
                var damaged = pristine
                let isBlob = trial % 2 == 0
                let place = isBlob ? places.randomElement(using: &random)! : Int.random(in: 0..<damaged.count, using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                try damaged.write(to: URL(filePath: path))
                // A file that is not even opened has been found, too.
                let isFound = (try? Catalogue(path: path, for: .reading).check().isDamaged) ?? true
                if isBlob { #expect(isFound, "byte \(place)") }
            }
        }
    }

    @Test func `a file cut anywhere is found`() throws {
        let pristine = try #require(CheckTests.pristine[CheckTests.complete])
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            for pages in 1..<pristine.count / 16384 {
                try pristine.prefix(pages * 16384).write(to: URL(filePath: path))
                #expect((try? Catalogue(path: path, for: .reading).check().isDamaged) ?? true, "\(pages) pages")
            }
        }
    }

    @Test func `of one kind only the first findings are listed`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try #require(CheckTests.pristine[CheckTests.complete]).write(to: URL(filePath: path))
            try Connection(path: path, access: .readWrite).execute("UPDATE token SET text = text || ' '")
            let report = try Catalogue(path: path, for: .reading).check()
            #expect(report.findings.map(\.what) == [String](repeating: "text of a token", count: 10))
            #expect(report.findings[0].description == #"tokenizer 1 token 0: text of a token: found "w0 ", expected "w0""#)
            #expect(report.findingsLeftOut == 40)
        }
    }
}
