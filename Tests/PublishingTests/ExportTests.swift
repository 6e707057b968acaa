import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import Publishing
import TestSupport
import Testing

@Suite struct ExportTests {
    private static let cases: [ExportOptions] = [
        ExportOptions(format: .json), ExportOptions(format: .jsonl, threads: 3), ExportOptions(format: .json, hasVectors: true, hasFirings: true, threads: 2),
        ExportOptions(format: .jsonl, hasVectors: true, hasFirings: true),
    ]

    private func bytes(_ name: DictionaryName, of catalogue: Catalogue, _ options: ExportOptions) throws -> [UInt8] {
        var all: [UInt8] = []
        try export(name, of: catalogue, options) { all += $0 }
        return all
    }

    /// The one document that lines make: each is an element of the array that its first member tells.
    private func document(ofLines text: String) throws -> String {
        let arrays = ["first_token": "vocabulary", "documents": "documents", "first_position": "token_blocks", "tag": "tag_blocks", "segment": "postings", "lineage": "kin_facts", "feature": "features"]
        var parts: [String: [Substring]] = ["vocabulary": [], "documents": [], "kin_facts": [], "features": []]
        let lines = text.split(separator: "\n")
        for line in lines.dropFirst() { parts[try #require(arrays[String(line.split(separator: "\"")[1])]), default: []].append(line) }
        return lines[0].dropLast() + parts.sorted { $0.key < $1.key }.map { ",\"\($0)\":[" + $1.joined(separator: ",") + "]" }.joined() + "}"
    }

    private func schema() throws -> JSON { try JSON(parsing: String(contentsOf: repository.appending(path: "Sources/Publishing/Export.schema.json"), encoding: .utf8)) }

    @Test(arguments: cases)
    func `an export keeps its schema and is the same twice, whatever the threads`(options: ExportOptions) throws {
        try withTemporaryFolder { folder in
            let planted = try PlantedCatalogue(at: folder.appending(path: "c.sqlite").path)
            try addLedger(to: planted.catalogue, FeatureName(dictionary: planted.name, index: 0))
            let first = try bytes(planted.name, of: planted.catalogue, options)
            var other = options
            other.threads = options.threads % 2 + 1
            #expect(try bytes(planted.name, of: planted.catalogue, other) == first)
            var text = String(decoding: first, as: UTF8.self)
            if options.format == .jsonl { text = try document(ofLines: text) }
            let found = try JSON(parsing: text), schema = try schema()
            #expect(violations(of: schema, by: found) == [])
            #expect(found["features"]?.array?.count == 4)
            let feature = found["features"]?.array?[0], labels = feature?["labels"]?.array ?? []
            #expect(feature?["label"] == .string("a \"red\" label"))
            #expect(labels.map { $0["status"]?.string } == ["rejected", "accepted", "draft"])
            #expect(labels.last?["scores"]?.array?.first?["judgements"]?.array?.count == 3)
            #expect((feature?["vector"] != nil) == options.hasVectors && (found["postings"] != nil) == options.hasFirings)
            // 1, 0, 0 as little-endian float32.
            if options.hasVectors { #expect(feature?["vector"] == .string("AACAPwAAAAAAAAAA")) }
            // A schema that lets everything pass proves nothing.
            for (right, wrong) in [("\"firings\":9", "\"firings\":-9"), ("\"author_kind\":\"model\"", "\"author_kind\":\"oracle\""), ("\"omissions\":", "\"admissions\":")] {
                #expect(violations(of: schema, by: try JSON(parsing: text.replacingOccurrences(of: right, with: wrong))) != [], "\(wrong)")
            }
        }
    }

    @Test func `an export says of a feature what its own report does`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            do {
                // The two halves of a character, with a token that is none behind them.
                let planted = try PlantedCatalogue(at: path)
                for (token, bytes) in [(30, "c3"), (31, "a9"), (32, "ff"), (0, "c3")] { try planted.catalogue.connection.execute("UPDATE token SET bytes = x'\(bytes)' WHERE token = \(token)") }
            }
            let catalogue = try Catalogue(path: path, for: .reading), name = DictionaryName("P/0")!
            let found = try JSON(parsing: String(decoding: bytes(name, of: catalogue, ExportOptions(threads: 2)), as: UTF8.self))
            var scope = ReportScope()
            (scope.examples, scope.neighbours, scope.topics) = (20, 10, .max)
            let reporter = try Reporter(catalogue, catalogue.run(of: name))
            for index in 0..<4 {
                var writer = JSONWriter()
                try reporter.report(on: index, scope).write(to: &writer)
                let alone = try JSON(parsing: writer.text), feature = try #require(found["features"]?.array?[index])
                for key in ["examples", "intervals", "quantiles", "nearest", "top_tokens", "label_suggestions"] { #expect(alone[key] != nil && alone[key] == feature[key], "\(index) \(key)") }
            }
            let texts = found["features"]?.array?[0]["examples"]?.array?.compactMap { $0["text"]?.string } ?? []
            #expect(texts.contains("é\u{fffd}QRSTUVW") && texts.contains("\u{fffd}123456789"))
        }
    }

    @Test func `a table has one row a feature, quoted as RFC 4180 says`() throws {
        try withTemporaryFolder { folder in
            let planted = try PlantedCatalogue(at: folder.appending(path: "c.sqlite").path)
            try addLedger(to: planted.catalogue, FeatureName(dictionary: planted.name, index: 0))
            let lines = String(decoding: try bytes(planted.name, of: planted.catalogue, ExportOptions(format: .csv)), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count == 6 && lines[5].isEmpty)
            #expect(lines[0].hasPrefix("feature,dictionary,feature_index,label,status,firings,tokens,density,") && lines[0].hasSuffix(",rule_score,detection_score,fuzzing_score,simulation_score,main_topic,main_topic_share,main_topic_lift,main_topic_z"))
            #expect(lines[1].hasPrefix("P/0/0,P/0,0,\"a \"\"red\"\" label\",dense,9,80,0.1125,5,8.0,4.05"))
            #expect(lines[1].contains(",accepted,hand,ada,person,2026-01-02T00:00:00Z,,0.75,,,,red,0.88"))
            #expect(lines[4].hasPrefix("P/0/3,P/0,3,,dead,0,80,0.0,0,0.0,,") && lines[4].hasSuffix(",,,,,,,,,,,,,,"))
        }
    }

    @Test func `what is not there is not promised`() throws {
        try withTemporaryFolder { folder in
            let planted = try PlantedCatalogue(at: folder.appending(path: "c.sqlite").path)
            try planted.catalogue.connection.execute("UPDATE corpus SET coverage = 'windows'")
            #expect(throws: (any Error).self) { try bytes(planted.name, of: planted.catalogue, ExportOptions(hasFirings: true)) }
            try planted.catalogue.connection.execute("UPDATE run SET is_complete = 0")
            #expect(throws: (any Error).self) { try bytes(planted.name, of: planted.catalogue, ExportOptions()) }
        }
    }
}
