import Diagnostics
@testable import FeatureCatalogue
import Foundation
import SQLite
import Testing

struct LabelTests {
    private func catalogue() throws -> (Catalogue, FeatureName) {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        _ = try Planted.small().register(in: catalogue)
        return (catalogue, try FeatureName(parsing: "A/0/2"))
    }

    @Test func `a newer label supersedes the older and history keeps both`() throws {
        let (catalogue, feature) = try catalogue()
        let other = try FeatureName(parsing: "A/0/3")
        let first = try catalogue.addLabel("  law\n", to: feature, author: " Ada ", at: "t1")
        #expect([first.text, first.author, first.createdAt] == ["law", "Ada", "t1"] && first.id == 1 && first.supersedes == nil && first.status == .accepted)
        #expect(try catalogue.addLabel("music", to: other, author: "Ada", at: "t2").supersedes == nil)
        #expect(try catalogue.addLabel("the law", to: feature, author: "Ben", at: "t3").supersedes == 1)
        #expect(try catalogue.labels(of: feature).map(\.text) == ["the law", "law"])
        #expect(try catalogue.labels(of: FeatureName(parsing: "A/0/1")) == [])
        #expect(try catalogue.connection.rows("SELECT feature, label FROM label_current ORDER BY feature_id") { [$0.text(0), $0.text(1)] } == [["A/0/2", "the law"], ["A/0/3", "music"]])
        #expect(try catalogue.connection.rows("SELECT label_id, is_current FROM label_history ORDER BY label_id") { [$0.integer(0), $0.integer(1)] } == [[1, 0], [2, 1], [3, 1]])
    }

    @Test(arguments: [
        ("UPDATE label SET text = 'x'", "labels are a ledger: add a new one instead of changing an old one"),
        ("DELETE FROM label", "labels are a ledger: nothing is removed"),
        ("INSERT OR REPLACE INTO label SELECT * FROM label", "labels are a ledger: add a new one instead of changing an old one"),
        ("DELETE FROM label_basis", "labels are a ledger: nothing is removed"), ("UPDATE label_basis SET corpus_fingerprint = 'x'", "labels are a ledger: what they were made from stays as it was"),
        ("INSERT INTO label (feature_id, text, author, created_at) VALUES (4294967298, '  ', 'a', '')", "CHECK constraint failed: length(trim(text)) > 0"),
        ("INSERT INTO label (feature_id, text, author, created_at) VALUES (5, 'x', 'a', '')", "FOREIGN KEY constraint failed"),
    ]) func `nothing changes the ledger`(sql: String, message: String) throws {
        let (catalogue, feature) = try catalogue()
        let label = try catalogue.addLabel("law", to: feature, author: "Ada", at: "t")
        var said: String?
        do { try catalogue.connection.execute(sql) } catch { said = error.message }
        #expect(said == message)
        #expect(try catalogue.labels(of: feature) == [label])
    }

    @Test(arguments: [
        ("", "Ada", "the label for A/0/2 is empty", "say what the feature means in a few words"), (" \t\u{3000}\n", "Ada", "the label for A/0/2 is empty", "say what the feature means in a few words"),
        (String(repeating: "é", count: 2049), "Ada", "the label for A/0/2 has 4098 bytes; at most 4096 are kept", "a label is a phrase or a sentence"),
        ("a\u{0}b", "Ada", "the label for A/0/2 holds a NUL character", "remove it"), ("law", " ", "the author of the label is empty", "name yourself with --author"),
    ]) func `a label that is none is refused`(text: String, author: String, message: String, hint: String) throws {
        let (catalogue, feature) = try catalogue()
        #expect(failure { _ = try catalogue.addLabel(text, to: feature, author: author, at: "t") } == MonosemeError(message, hint: hint))
        #expect(try catalogue.connection.integer("SELECT count(*) FROM label") == 0)
    }

    @Test func `the longest label is kept`() throws {
        let (catalogue, feature) = try catalogue()
        let text = String(repeating: "é", count: 2048)
        #expect(try catalogue.addLabel(" \(text) ", to: feature, author: "Ada", at: "t").text == text)
    }

    @Test(arguments: [("A/0/12", #"there is no feature "A/0/12": A/0 has 12 features"#, "feature indices run from 0 to 11"), ("A/7/0", #"no dictionary "A/7" in ":memory:""#, "there is A/0")])
    func `a feature that is not there has no labels`(name: String, message: String, hint: String) throws {
        let (catalogue, _) = try catalogue()
        #expect(failure { _ = try catalogue.labels(of: FeatureName(parsing: name)) } == MonosemeError(message, hint: hint))
        #expect(failure { _ = try catalogue.addLabel("x", to: FeatureName(parsing: name), author: "a", at: "t") } == MonosemeError(message, hint: hint))
    }
}

struct NameTests {
    @Test(arguments: ["A/0", "pythia-70m/l0.hook_1", "日本/ß", "a+b:c/_", "1/2", String(repeating: "x", count: 128) + "/y"]) func `a dictionary's name is two parts`(text: String) throws {
        #expect(try DictionaryName(parsing: text).description == text)
    }

    @Test(arguments: ["", "A", "/", "A/", "/1", "A/1/2", "A 1/2", "A/1 ", "A/\n", "A\\1", "A/%", "A/'", String(repeating: "x", count: 129) + "/y", "A//1", "a/\u{0}", "😀/1"])
    func `what is no dictionary's name is refused`(text: String) {
        #expect(failure { _ = try DictionaryName(parsing: text) } == MonosemeError("\(quoted(text)) is not a dictionary name", hint: "a dictionary version is named family/version, such as A/1, in letters, digits and . _ - + :"))
    }

    @Test(arguments: [("A/0/0", 0), ("A/0/2357", 2357), ("A/0/9223372036854775807", Int.max)]) func `a feature's name ends in its index`(text: String, index: Int) throws {
        let name = try FeatureName(parsing: text)
        #expect((name.dictionary.description, name.index, name.description) == ("A/0", index, text))
    }

    @Test(arguments: ["", "A/0", "A/0/", "A/0/-1", "A/0/+1", "A/0/1.5", "A/0/ 1", "A/0/x", "A/0/١", "A/0/9223372036854775808", "/0/1", "A/0/1/2", "0x10"])
    func `what is no feature's name is refused`(text: String) {
        #expect(failure { _ = try FeatureName(parsing: text) } == MonosemeError("\(quoted(text)) is not a feature name", hint: "a feature is named dictionary/index, such as A/1/2357"))
    }
}
