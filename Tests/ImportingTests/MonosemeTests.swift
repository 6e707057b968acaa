import Diagnostics
import FeatureCatalogue
import Foundation
import Importing
import IngestionSupport
import Publishing
import SQLite
import TestSupport
import Testing

private func bytes(_ name: DictionaryName, of catalogue: Catalogue, _ options: ExportOptions) throws -> [UInt8] {
    var all: [UInt8] = []
    try export(name, of: catalogue, options) { all += $0 }
    return all
}

private func importing(_ bytes: [UInt8], _ path: String, into catalogue: Catalogue, as name: DictionaryName? = nil, warn: (String) -> Void = { _ in }) throws -> ImportSummary {
    try Data(bytes).write(to: URL(filePath: path))
    return try importing(ImportRequest(.monoseme, at: path, as: name, engine: "test", time: "2026-02-01T00:00:00Z"), into: catalogue, warn: warn)
}

@Suite struct MonosemeTests {
    @Test(arguments: [ExportFormat.json, .jsonl])
    func `an import of everything is the same catalogue, row for row`(format: ExportFormat) throws {
        try withTemporaryFolder { folder in
            let path = { (name: String) in folder.appending(path: name).path }
            let planted = try PlantedCatalogue(at: path("a.sqlite"))
            try addLedger(to: planted.catalogue, FeatureName(dictionary: planted.name, index: 0))
            try planted.catalogue.connection.execute("""
                INSERT INTO evaluation VALUES (1, 2, 80, 1.5, 0.1, 0.75, 1.25, 1.5, 4, 3, 80);
                INSERT INTO feature_logit VALUES (4294967296, 1, 7, 0.1), (4294967296, -1, 8, -0.30000000000000004);
                INSERT INTO feature_neuron VALUES (1, 4294967296, 'weight', 1, 2, 0.5), (1, 4294967296, 'correlation', 1, 0, 0.25);
                """)
            try planted.catalogue.writeText(of: try planted.catalogue.run(of: planted.name))
            let options = ExportOptions(format: format, hasVectors: true, hasFirings: true), exported = try bytes(planted.name, of: planted.catalogue, options)
            let other = try Catalogue(path: path("b.sqlite"), for: .ingesting)
            let summary = try importing(exported, path("export"), into: other)
            #expect(summary.dictionary == planted.name && summary.features == 4 && summary.labels == 4 && summary.scores == 3 && summary.missing == [])
            // Topics and prompts are numbered as they come; `words` has them by name. Statistics of the planner are of the last ANALYZE.
            let numbers: Set = ["topic.id", "document.topic_id", "feature_topic.topic_id", "prompt.id", "label.prompt_id", "label_score.prompt_id", "label_judgement.call_id"]
            var (mine, theirs) = (try CatalogueRows(path: path("b.sqlite"), leavingOut: numbers), try CatalogueRows(path: path("a.sqlite"), leavingOut: numbers))
            (mine.tables["sqlite_stat1"], theirs.tables["sqlite_stat1"]) = (nil, nil)
            #expect(mine.difference(from: theirs) == [])
            #expect(try words(path("b.sqlite")) == words(path("a.sqlite")))
            #expect(try complaints(about: path("b.sqlite")) == [])
            let findings = try other.check().findings.map(\.description)
            #expect(findings == [])
            // Times are among the bytes.
            #expect(try bytes(planted.name, of: other, options) == exported)
            // The same again is nothing to do; after a change it is another.
            #expect(try importing(exported, path("export"), into: other).labels == 0)
            _ = try other.addLabel("mine", to: FeatureName(dictionary: planted.name, index: 3), author: "eve", at: "2026-03-01T00:00:00Z")
            #expect(throws: MonosemeError.self) { try importing(exported, path("export"), into: other) }
        }
    }

    @Test func `an import of examples exports the same again, and says what it cannot answer`() throws {
        try withTemporaryFolder { folder in
            let path = { (name: String) in folder.appending(path: name).path }
            let planted = try PlantedCatalogue(at: path("a.sqlite"))
            try addLedger(to: planted.catalogue, FeatureName(dictionary: planted.name, index: 0))
            let exported = try bytes(planted.name, of: planted.catalogue, ExportOptions()), other = try Catalogue(path: path("b.sqlite"), for: .ingesting)
            let summary = try importing(exported, path("export"), into: other)
            #expect(summary.missing.count == 2)
            #expect(String(decoding: try bytes(planted.name, of: other, ExportOptions()), as: UTF8.self) == String(decoding: exported, as: UTF8.self))
            #expect(try other.check().findings.map(\.description) == [])
            let corpus = try other.run(of: planted.name).corpus
            #expect(throws: MonosemeError.self) { try other.positionCount(of: corpus) }
            #expect(throws: MonosemeError.self) { try bytes(planted.name, of: other, ExportOptions(hasFirings: true)) }
            #expect(throws: MonosemeError.self) { try bytes(planted.name, of: other, ExportOptions(hasVectors: true)) }
            // The whole of it, under another name, fills the corpus.
            let whole = try bytes(planted.name, of: planted.catalogue, ExportOptions(hasVectors: true, hasFirings: true))
            _ = try importing(whole, path("export"), into: other, as: DictionaryName("Q/0"))
            #expect(try other.positionCount(of: corpus) == 80)
            let findings = try other.check().findings.map(\.description)
            #expect(findings == [])
        }
    }

    /// What two catalogues say, by names instead of the numbers of rows.
    private func words(_ path: String) throws -> [String: [String]] {
        let connection = try Connection(path: path, access: .readOnly)
        let numbers = ["feature_id", "build_id", "parent_id", "child_id", "run_id", "topic_id", "label_id", "dictionary_id", "corpus_id", "model_id", "neighbour_id", "source_id", "tag_id", "supersedes"]
        var words: [String: [String]] = [:]
        for view in ["dictionary_overview", "feature_overview", "topic_rate", "lineage", "lineage_node", "neighbour", "label_history", "label_current", "label_suggestion", "example", "document_overview", "predicate"] {
            let columns = try connection.rows("SELECT name FROM pragma_table_info(?)", .text(view)) { $0.text(0) }.filter { !numbers.contains($0) }
            words[view] = try connection.rows("SELECT \(columns.map { "quote(\"\($0)\")" }.joined(separator: " || ' ' || ")) FROM \(view) ORDER BY 1") { $0.text(0) }
        }
        words["postings"] = try connection.rows("""
            SELECT d.name || ' ' || s.ordinal || ' ' || (p.id & 16777215) || ' ' || hex(p.list) FROM posting AS p JOIN segment AS s ON s.id = p.id >> 24 JOIN run AS r ON r.id = s.run_id JOIN dictionary AS d ON d.id = r.dictionary_id ORDER BY 1
            """) { $0.text(0) }
        words["scores"] = try connection.rows("SELECT s.id || ' ' || s.method || ' ' || coalesce(p.name || p.sha256, '') FROM label_score AS s LEFT JOIN prompt AS p ON p.id = s.prompt_id ORDER BY 1") { $0.text(0) }
        words["vectors"] = try connection.rows("SELECT d.name || ' ' || first_index || ' ' || sha256 FROM decoder_block JOIN dictionary AS d ON d.id = dictionary_id ORDER BY 1") { $0.text(0) }
        return words
    }

    @Test func `versions that come one by one bring the lineages between them`() throws {
        try withTemporaryFolder { folder in
            let path = { (name: String) in folder.appending(path: name).path }
            let world = try LineageWorld(at: path("a.sqlite")), catalogue = world.catalogue
            try world.label("L/1/2", "blue")
            try world.label("L/0/0", "red")
            try world.label("L/1/2", "blue again")
            for (build, (coarse, fine)) in [(1, 2), (2, 3)].enumerated() {
                try catalogue.connection.execute("""
                    INSERT INTO lineage_build VALUES (\(build + 1), \(coarse), \(fine), 1, 1, 1, (SELECT features FROM dictionary WHERE id = \(fine)), (SELECT features FROM dictionary WHERE id = \(coarse)), 1, 'test', 's', 'f');
                    INSERT INTO lineage_edge VALUES (\(build + 1), (\(fine) << 32) + 2, (\(coarse) << 32) + 1, 'same', 'asserted', 0.9, 1100, 1000, 1000, 0.99, 1, 0.98, 0.9, 0.95, 0.9, 1, 0.3, 1, 0.1);
                    INSERT INTO lineage_feature VALUES (\(build + 1), (\(fine) << 32) + 4, 'novel', 0.1, 0.2, NULL, NULL, NULL), (\(build + 1), (\(coarse) << 32) + 2, 'vanished', NULL, NULL, 0, 0, 0.125);
                    INSERT INTO neighbour_graph VALUES (\(build + 1), \(fine), \(coarse), 1, 1, (SELECT features FROM dictionary WHERE id = \(fine)), 1, 'test', 's', 'f');
                    INSERT INTO feature_neighbour VALUES ((\(fine) << 32) + 2, \(build + 1), 1, (\(coarse) << 32) + 1, 1);
                    """)
            }
            try catalogue.checkpoint()
            // coverage_low is Wilson's, as the catalogue says it of the same counts.
            let low = try catalogue.parents(of: FeatureName("L/1/2")!)[0].evidence.coverageLow!
            try catalogue.connection.run("UPDATE lineage_edge SET coverage_low = ?", .real(low))
            let options = ExportOptions(hasVectors: true, hasFirings: true), other = try Catalogue(path: path("b.sqlite"), for: .ingesting)
            var warnings: [String] = []
            // Not in the order of their numbers; the graph of L/1 in L/0 needs L/0 to be there.
            for name in ["L/0", "L/2", "L/1"] {
                _ = try importing(bytes(DictionaryName(name)!, of: catalogue, options), path("export"), into: other) { warnings.append($0) }
            }
            #expect(warnings.filter { $0.contains("the lineage from") }.map { $0.components(separatedBy: " is left out")[0] } == ["the lineage from L/0 to L/1", "the lineage from L/1 to L/2"])
            #expect(warnings.filter { $0.contains("the neighbours in L/1") }.count == 1)
            try catalogue.connection.execute("DELETE FROM feature_neighbour WHERE graph_id = 2; DELETE FROM neighbour_graph WHERE id = 2")
            let (mine, theirs) = (try words(path("b.sqlite")), try words(path("a.sqlite")))
            for (view, rows) in theirs { #expect(mine[view] == rows, "\(view)") }
            #expect(theirs["lineage"]?.count == 2 && theirs["lineage_node"]?.count == 4 && theirs["label_suggestion"]?.isEmpty == false)
            // The edges that were planted are wrong in the same ways.
            #expect(try other.check().findings.map(\.description).sorted() == catalogue.check().findings.map(\.description).sorted())
            // What is exported of one version now is what was exported of it there.
            #expect(try bytes(DictionaryName("L/0")!, of: other, options) == bytes(DictionaryName("L/0")!, of: catalogue, options))
        }
    }

    @Test func `windows of several versions lie in one corpus`() throws {
        try withTemporaryFolder { folder in
            let path = { (name: String) in folder.appending(path: name).path }
            let world = try LineageWorld(at: path("a.sqlite")), other = try Catalogue(path: path("b.sqlite"), for: .ingesting)
            var exports: [[UInt8]] = []
            for name in world.names {
                exports.append(try bytes(name, of: world.catalogue, ExportOptions(format: .jsonl)))
                _ = try importing(exports.last!, path("export"), into: other)
            }
            for (name, exported) in zip(world.names, exports) { #expect(try bytes(name, of: other, ExportOptions(format: .jsonl)) == exported) }
            #expect(try other.check().findings.map(\.description) == [])
        }
    }

    // MARK: Bad input

    /// The export of everything as lines, changed.
    private static let damages: [(what: String, find: String, replace: String, says: String)] = [
        ("an old form", "monoseme-export-2", "monoseme-export-1", "export it anew with this version"),
        ("a form to come", "monoseme-export-2", "monoseme-export-9", "no export of this version"),
        ("another thing", "{\"format\":", "{\"shape\":", "no export of this version"),
        ("a wrong type", "\"index\":1,", "\"index\":\"1\",", "expected a number"),
        ("a feature twice", "{\"feature\":\"P/0/1\",\"index\":1,", "{\"feature\":\"P/0/0\",\"index\":0,", "where P/0/1 is next"),
        ("a neighbour that is not there", "{\"feature\":\"P/0/2\",\"cosine\"", "{\"feature\":\"P/0/9\",\"cosine\"", "where one of P/0 was expected"),
        ("a vector that is too short", "\"vector\":\"AACAPwAAAAAAAAAA\"", "\"vector\":\"AACAPwAAAAA=\"", "a vector of 8 bytes"),
        ("a vector that is NaN", "\"vector\":\"AACAPwAAAAAAAAAA\"", "\"vector\":\"AADAfwAAAAAAAAAA\"", "not 1"),
        ("base64 that is none", "\"vector\":\"AACAPwAAAAAAAAAA\"", "\"vector\":\"AACAPwAAAAAAAAA\"", "not base64"),
        ("NaN", "\"cosine\":0.8", "\"cosine\":NaN", "expected a number"),
        ("a number beyond all", "\"cosine\":0.8", "\"cosine\":1e999", "out of range"),
        ("a count beyond all", "\"firings\":9,", "\"firings\":99999999999999999999,", "out of range"),
        ("firings that do not add up", "\"firings\":9,\"density\"", "\"firings\":8,\"density\"", "where 8 are said to be"),
        ("features without number", "\"features\":4,", "\"features\":4000000000,", "is not in 0 to"),
        ("more features than come", "\"features\":4,", "\"features\":5,", "4 of 5 features"),
        ("an unknown member", "\"label_suggestions\":", "\"label_commands\":", "an unknown member"),
        ("a topic that is not there", "\"topic\":\"red\",\"firings\"", "\"topic\":\"green\",\"firings\"", "which the corpus does not have"),
        ("a document outside", "[70,10,7,", "[70,11,7,", "does not lie in the corpus"),
        ("a token that is not there", "\"token_ids\":\"AAAB", "\"token_ids\":\"//8B", "of a vocabulary of 80"),
        ("a list of another feature", "[2,\"", "[3,\"", "0 firings in the posting lists of P/0/2"),
        ("a judgement of what it was made from", "\"first_position\":10,\"is_true\"", "\"first_position\":0,\"is_true\"", "contradicts itself"),
        ("a prompt that was changed", "\"text\":\"Say", "\"text\":\"SAY", "not that of its sha256"),
        ("a label of two statuses", "\"entered_as\":\"draft\"", "\"entered_as\":\"stale\"", "not one of draft, accepted"),
        ("a deep nest", "\"label_suggestions\":[]", "\"label_suggestions\":" + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000), "nested more than"),
        ("NUL in a label", "\"text\":\"wrong\"", "\"text\":\"wr\\u0000ng\"", "NUL"),
        ("more after the end", "\"neighbours\":[],\"vector\":\"AAAAAAAAAAAAAAAA\"}\n", "\"neighbours\":[],\"vector\":\"AAAAAAAAAAAAAAAA\"}\n{\"x\":1}\n", "no kind that there is"),
    ]

    @Test func `what is wrong is named, and nothing of it is kept`() throws {
        try withTemporaryFolder { folder in
            let path = { (name: String) in folder.appending(path: name).path }
            let planted = try PlantedCatalogue(at: path("a.sqlite"))
            try addLedger(to: planted.catalogue, FeatureName(dictionary: planted.name, index: 0))
            let text = String(decoding: try bytes(planted.name, of: planted.catalogue, ExportOptions(format: .jsonl, hasVectors: true, hasFirings: true)), as: UTF8.self)
            let other = try Catalogue(path: path("b.sqlite"), for: .ingesting)
            let before = try CatalogueRows(path: path("b.sqlite"))
            func refusal(_ text: some StringProtocol) throws -> String? {
                do { _ = try importing(Array(text.utf8), path("export"), into: other) } catch let error as MonosemeError { return error.description }
                return nil
            }
            for (what, find, replace, says) in Self.damages {
                #expect(text.contains(find), "\(what)")
                let said = try refusal(text.replacing(find, with: replace, maxReplacements: 1))
                #expect(said?.contains(says) == true, "\(what): \(said ?? "nothing")")
            }
            let sum = try #require(text.firstMatch(of: /"checksum":-?\d+/))
            #expect(try refusal(text.replacingCharacters(in: sum.range, with: "\"checksum\":7"))?.contains("not those of its checksum") == true)
            // Cut off anywhere.
            let whole = Array(text.utf8)
            for part in 0..<40 { #expect(try refusal(String(decoding: whole[..<(whole.count * part / 40)], as: UTF8.self)) != nil, "\(part) of 40") }
            #expect(try CatalogueRows(path: path("b.sqlite")).difference(from: before) == [])
            #expect(try refusal(text) == nil)
        }
    }

    @Test func `a file that unpacks without end is bounded, one that unpacks is read`() throws {
        try withTemporaryFolder { folder in
            let path = { (name: String) in folder.appending(path: name).path }
            let planted = try PlantedCatalogue(at: path("a.sqlite")), other = try Catalogue(path: path("b.sqlite"), for: .ingesting)
            func gzipped(_ command: String, _ name: String) throws -> String {
                let shell = Process()
                shell.executableURL = URL(filePath: "/bin/sh")
                shell.arguments = ["-c", "\(command) | gzip -1 > '\(path(name))'"]
                try shell.run()
                shell.waitUntilExit()
                return path(name)
            }
            try Data(bytes(planted.name, of: planted.catalogue, ExportOptions())).write(to: URL(filePath: path("e.json")))
            // A string of 300 MB.
            let bomb = try gzipped("(printf '{\"format\":\"'; head -c 300000000 /dev/zero | tr '\\0' a)", "bomb.json.gz")
            do {
                _ = try importing(ImportRequest(.monoseme, at: bomb, as: nil, engine: "test", time: ""), into: other)
                Issue.record("a bomb was imported")
            } catch let error as MonosemeError { #expect(error.message.contains("more than 268435456 bytes")) }
            let packed = try gzipped("cat '\(path("e.json"))'", "e.json.gz")
            #expect(try importing(ImportRequest(importSource(at: packed), at: packed, as: nil, engine: "test", time: ""), into: other).features == 4)
        }
    }
}

@Suite struct DetectionTests {
    @Test(arguments: [
        (["e.json": "{\"format\":\"monoseme-export-2\",\"x\":1}"], "e.json", ImportSource.monoseme), (["old": "{\"format\": \"monoseme-export-1\""], "old", .monoseme),
        (["d/features/batch-0.jsonl.gz": "", "d/release.jsonl": ""], "d", .neuronpedia), (["features/batch-0.jsonl": ""], "features", .neuronpedia),
        (["b.jsonl": "{\"modelId\":\"gpt2\",\"layer\":\"0-res\",\"index\":\"0\"}\n{"], "b.jsonl", .neuronpedia),
        (["d/batch-0.json": "{\"model_id\":\"m\",\"layer\":0,\"sae_set\":\"s\",\"sae_id_suffix\":null,\"features\":[{\"a\":"], "d", .saedashboard),
        (["d/batch-0.json": "{\"model_id\":\"m\",\"layer\":0,\"sae_set\":\"s\",\"features\":[]}"], "d/batch-0.json", .saedashboard),
        (["d/latents/layers.0.mlp/0_1023.safetensors": "", "d/run_config.json": ""], "d", .delphi),
    ])
    func `a source is told by its files`(files: [String: String], path: String, source: ImportSource) throws {
        try withTemporaryFolder { folder in
            for (name, text) in files {
                let file = folder.appending(path: name)
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
            }
            #expect(try importSource(at: folder.appending(path: path).path) == source)
        }
    }

    @Test func `what is not known is said so`() throws {
        try withTemporaryFolder { folder in
            #expect(throws: MonosemeError.self) { try importSource(at: folder.path) }
            #expect(throws: MonosemeError.self) { try importSource(at: folder.appending(path: "nothing").path) }
            try Data("[1, 2]".utf8).write(to: folder.appending(path: "x.json"))
            #expect(throws: MonosemeError.self) { try importSource(at: folder.appending(path: "x.json").path) }
        }
    }
}
