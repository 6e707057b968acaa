import Diagnostics
@testable import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

/// Many labels at once, whose words are written at the end instead of by triggers. Mutations tried: triggers not put back; words of new rows left out; the index not built anew.
struct WritingTextOnceTests {
    private static let pristine: Data? = try? withTemporaryFolder { folder in
        let path = folder.appending(path: "c.sqlite").path
        try Planted.small(features: 1200).write(to: path)
        return try Data(contentsOf: URL(filePath: path))
    }

    /// 1,200 features: the triggers' way is the witness for what is to stand in the table and in its index.
    @Test func `many labels at once leave the words that one after the other would`() throws {
        try withTemporaryFolder { folder in
            let catalogues = try ["bulk", "single"].map { name in
                let path = folder.appending(path: "\(name).sqlite").path
                try #require(WritingTextOnceTests.pristine).write(to: URL(filePath: path))
                return try Catalogue(path: path, for: .writing)
            }
            let (bulk, single) = (catalogues[0], catalogues[1])
            let schema = try rows("SELECT name || sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name", bulk)
            // Out of order; some twice, the later ones drafts; one that nobody knows.
            let entries = (0..<1250).map { at in
                var entry = LabelEntry("word\(at) Café of \(at % 7)", for: FeatureName(dictionary: DictionaryName("A/0")!, index: at * 7 % 1200), author: "Ada", status: at % 5 == 0 ? .draft : .accepted)
                entry.isUnknown = at == 77
                return entry
            }
            for (round, part) in [entries[...], entries[..<600].reversed()[...]].enumerated() {
                _ = try bulk.addLabels(Array(part), at: "t")
                try single.connection.transaction { for entry in part { _ = try single.addLabels([entry], at: "t") } }
                if round == 0 { try bulk.writingTextOnce(of: [DictionaryName("A/0")!]) { try bulk.decide(Array(120...140), .rejected, author: "Ben", at: "t") } }
                if round == 0 { try single.decide(Array(120...140), .rejected, author: "Ben", at: "t") }
                #expect(try rows("SELECT rowid || '|' || label || '|' || tokens || '|' || logits || '|' || topics FROM feature_text ORDER BY rowid", bulk)
                        == rows("SELECT rowid || '|' || label || '|' || tokens || '|' || logits || '|' || topics FROM feature_text ORDER BY rowid", single))
                for word in ["cafe", "word12*", "word600", "w1", "statutes"] { #expect(try found(word, bulk) == found(word, single), "\(word)") }
                #expect(try found("cafe", bulk).count > 1000)
                #expect(try bulk.check().findings == [])
                #expect(try rows("SELECT name || sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name", bulk) == schema)
            }
            // Labels one by one go on as before.
            _ = try bulk.addLabel("solitary", to: FeatureName(dictionary: DictionaryName("A/0")!, index: 9), author: "Ada", at: "t")
            #expect(try found("solitary", bulk) == ["A/0/9"])
            #expect(try bulk.check().findings == [])
        }
    }

    @Test(arguments: [false, true]) func `a failure in the middle leaves labels, words and triggers as they were`(isNested: Bool) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try #require(WritingTextOnceTests.pristine).write(to: URL(filePath: path))
            let catalogue = try Catalogue(path: path, for: .writing), dictionary = DictionaryName("A/0")!
            func state() throws -> [String] {
                try rows("SELECT name || coalesce(sql, '') FROM sqlite_schema ORDER BY name", catalogue) + rows("SELECT rowid || label || tokens FROM feature_text ORDER BY rowid", catalogue) + rows("SELECT id || text FROM label ORDER BY id", catalogue)
            }
            let before = try state()
            var entries = (0..<1100).map { LabelEntry("many \($0)", for: FeatureName(dictionary: dictionary, index: $0), author: "Ada") }
            entries[1050].text = " "
            let error = failure {
                if isNested { try catalogue.connection.transaction { _ = try catalogue.addLabels(entries, at: "t") } } else { _ = try catalogue.addLabels(entries, at: "t") }
            }
            #expect(error?.message.contains("empty") == true)
            #expect(try state() == before)
            _ = try catalogue.addLabel("solitary", to: FeatureName(dictionary: dictionary, index: 9), author: "Ada", at: "t")
            #expect(try found("solitary", catalogue) == ["A/0/9"] && found("many", catalogue) == [])
            #expect(try catalogue.check().findings == [])
        }
    }

    private func rows(_ sql: String, _ catalogue: Catalogue) throws -> [String] { try catalogue.connection.rows(sql) { $0.text(0) } }

    private func found(_ text: String, _ catalogue: Catalogue) throws -> [String] {
        var request = SearchRequest(try SearchQuery(parsing: text))
        request.limit = 2000
        return try catalogue.search(request).map(\.feature.description)
    }
}
