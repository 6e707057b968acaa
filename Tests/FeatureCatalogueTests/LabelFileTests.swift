import Diagnostics
@testable import FeatureCatalogue
import Foundation
import SQLite
import TestSupport
import Testing

/// Labels from files, all or none. Mutations tried: the transaction left out; a draft that was there counted as new; unknown keys passed over.
struct LabelFileTests {
    private static let defaults = LabelFileDefaults(author: "ada")

    private func catalogue() throws -> Catalogue {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        _ = try Planted.small().register(in: catalogue)
        return catalogue
    }

    private func lines(_ text: String, _ format: LabelFileFormat? = nil, _ defaults: LabelFileDefaults = LabelFileTests.defaults) throws -> [LabelLine] {
        try Array(text.utf8).withUnsafeBytes { try labelLines(in: $0, as: format, defaults: defaults) }
    }

    @discardableResult
    private func enter(_ text: String, into catalogue: Catalogue, at time: String = "t") throws -> LabelBatchSummary { try catalogue.importLabels(try lines(text), at: time) }

    private func rows(_ catalogue: Catalogue) throws -> [[SQLiteValue]] {
        try catalogue.connection.rows("SELECT feature, label, author, author_kind, method, status, is_unknown, rule, parameters, is_current FROM label_history ORDER BY label_id") { row in (0..<10).map { row.value($0) } }
    }

    private func exported(_ catalogue: Catalogue, _ format: LabelFileFormat = .jsonl, history: Bool = true) throws -> String {
        var bytes: [UInt8] = []
        _ = try catalogue.writeLabels(of: try catalogue.dictionary(named: DictionaryName("A/0")!), as: format, history: history) { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let json = """
        {"feature": "A/0/2", "label": "law, \\"statutes\\"\\nand courts", "author": "Ben", "status": "draft", "rule": "regex:[Ll]aw"}\r

        {"feature":"A/0/4","label":"שיר ‮x","author_kind":"model","method":"explain","parameters":{"seed":7},"is_unknown":true,"created_at":"2024-02-03T04:05:06Z"}
        {"feature": "A/0/5", "label": "music", "status": "rejected", "decided_by": "Cyd", "reason": "no", "rule": null}
        """
    private static let csv = """
        \u{feff}label,feature,status,author,rule,author_kind,method,parameters,is_unknown,created_at,decided_by,reason\r
        "law, ""statutes""
        and courts",A/0/2,draft,Ben,regex:[Ll]aw,,,,,,,\r
        "שיר ‮x",A/0/4,,,,model,explain,"{""seed"": 7}",true,2024-02-03T04:05:06Z,,
        music,A/0/5,rejected,,,,,,,,Cyd,no
        """

    @Test func `both forms say the same, each with its lines`() throws {
        let expected: [[SQLiteValue]] = [
            ["A/0/2", "law, \"statutes\"\nand courts", "Ben", "person", "hand", "draft", 0, "regex:[Ll]aw", "{}", 1],
            ["A/0/4", "שיר \u{202e}x", "ada", "model", "explain", "accepted", 1, nil, "{\"seed\":7,\"created_at\":\"2024-02-03T04:05:06Z\"}", 0],
            ["A/0/5", "music", "ada", "person", "hand", "rejected", 0, nil, "{}", 0],
        ]
        for (text, numbers) in [(LabelFileTests.json, [1, 3, 4]), (LabelFileTests.csv, [2, 4, 5])] {
            let catalogue = try catalogue()
            #expect(try lines(text).map(\.line) == numbers)
            #expect(try enter(text, into: catalogue) == LabelBatchSummary(entered: 3, known: 0, features: 3))
            #expect(try rows(catalogue) == expected)
            #expect(try catalogue.connection.rows("SELECT created_at FROM label") { $0.text(0) } == ["t", "t", "t"])
            #expect(try catalogue.decisions(of: FeatureName("A/0/5")!) == [LabelDecision(label: 3, status: .rejected, author: "Cyd", reason: "no", createdAt: "t")])
            // And once more: nothing is new.
            #expect(try enter(text, into: catalogue) == LabelBatchSummary(entered: 0, known: 3, features: 3))
            #expect(try rows(catalogue) == expected)
        }
    }

    @Test func `a history goes through a file into another catalogue and out again, byte for byte`() throws {
        let first = try catalogue()
        for (text, author, time) in [("law", "Ada", "2024-01-01T00:00:00Z"), ("the law", "Ben", "2024-01-02T00:00:00Z"), ("law", "Ada", "2024-01-02T00:00:00Z"), ("law", "Ada", "2024-01-02T00:00:00Z")] {
            _ = try first.addLabel(text, to: FeatureName("A/0/2")!, author: author, at: time)
        }
        let draft = try first.addLabel(LabelEntry("e\u{301}\u{202e} “quoted”, \"and\" [tokens:a\\,b]", for: FeatureName("A/0/7")!, author: "m", authorKind: .model, method: "explain", status: .draft, isUnknown: false, parameters: "{\"t\":0.5}"), at: "2024-01-03T00:00:00Z")
        _ = try first.addLabel(LabelEntry("I do not know", for: FeatureName("A/0/7")!, author: "m", authorKind: .model, method: "explain", isUnknown: true), at: "2024-01-03T00:00:00Z")
        try first.decide(draft.id, .rejected, author: "Ada", reason: "no, and \"no\"", at: "2024-01-04T00:00:00Z")
        try first.decide(draft.id, .accepted, author: "Ben", at: "2024-01-05T00:00:00Z")
        for format in LabelFileFormat.allCases {
            let text = try exported(first, format), second = try catalogue()
            #expect(try enter(text, into: second, at: "later").entered == 6)
            #expect(try exported(second, format) == text)
            #expect(try enter(text, into: second, at: "later still") == LabelBatchSummary(entered: 0, known: 6, features: 2))
            // Into its own catalogue, too.
            #expect(try enter(text, into: first) == LabelBatchSummary(entered: 0, known: 6, features: 2))
            #expect(try exported(second, format, history: false) == exported(first, format, history: false))
            #expect(try second.check().findings.filter { $0.kind == .damage && $0.what.contains("label") }.isEmpty)
        }
        #expect(try exported(first, history: false).split(separator: "\n").count == 2)
    }

    @Test func `of several labels for one feature the last accepted counts, and an author does not contradict themselves`() throws {
        let catalogue = try catalogue(), text = "feature,label,author,status\nA/0/2,a,Ada,\nA/0/2,b,Ben,\nA/0/2,c,Ada,draft\nA/0/2,d,Ada,draft\nA/0/2,a,Ada,\n"
        #expect(try enter(text, into: catalogue) == LabelBatchSummary(entered: 4, known: 1, features: 1))
        #expect(try catalogue.labels(of: FeatureName("A/0/2")!).first(where: \.isCurrent)?.text == "b")
        #expect(try enter(text, into: catalogue).entered == 0)
        // A new word of the same author in another file is a new label; the old word once more is, too.
        #expect(try enter("feature,label,author\nA/0/2,e,Ada", into: catalogue).entered == 1)
        #expect(try enter("feature,label,author\nA/0/2,a,Ada", into: catalogue).entered == 1)
        #expect(failure { try enter("feature,label\nA/0/3,x\n\nA/0/3,y", into: catalogue) } == MonosemeError(
            #"line 4: "ada" calls A/0/3 "y" here and "x" on line 2"#, hint: "leave out one of them, make them drafts, or give both their created_at if the one came after the other; nothing was entered"))
        #expect(try catalogue.labels(of: FeatureName("A/0/3")!) == [])
    }

    @Test func `a dictionary named beforehand makes an index enough`() throws {
        let defaults = LabelFileDefaults(author: "ada", status: .draft, dictionary: DictionaryName("A/0"))
        let found = try lines("{\"feature\": 7, \"label\": \"x\"}\n{\"feature\": \"8\", \"label\": \"y\"}\n{\"feature\": \"A/0/9\", \"label\": \"z\"}", nil, defaults)
        #expect(found.map(\.entry.feature.description) == ["A/0/7", "A/0/8", "A/0/9"] && found.allSatisfy { $0.entry.status == .draft })
        #expect(failure { _ = try lines("feature,label\nA/1/3,x", nil, defaults) }?.message == "line 2: A/1/3 is not a feature of A/0")
        #expect(failure { _ = try lines("feature,label\n3,x") }?.message == #"line 2: "3" is not a feature name"#)
    }

    private static let long = String(repeating: "x", count: 4097)

    /// What stands on a line, and the message for it.
    static let mistakes: [(String, String)] = [
        (#"{"feature": "A/0/2"}"#, "there is no label"), (#"{"label": "x"}"#, "there is no feature"), (#"{"feature": "A/0/2", "label": " \t"}"#, "the label for A/0/2 is empty"),
        (#"{"feature": "A/0/12", "label": "x"}"#, "there is no feature \"A/0/12\": A/0 has 12 features"), (#"{"feature": "A/7/1", "label": "x"}"#, "no dictionary \"A/7\" in \":memory:\""),
        (#"{"feature": "A/0/2", "label": "x", "colour": 1}"#, "there is no key \"colour\""), (#"{"feature": "A/0/2", "label": "x", "label": "y"}"#, "no JSON: duplicate key \"label\" at byte 36 of the line"),
        (#"{"feature": "A/0/2", "label": "a\u0000b"}"#, "the label for A/0/2 holds a NUL character"), (#"{"feature": "A/0/2", "label": "\#(long)"}"#, "the label for A/0/2 has 4097 bytes; at most 4096 are kept"),
        (#"{"feature": "A/0/2", "label": 5}"#, "label: expected a string, found an integer"), (#"["A/0/2", "x"]"#, "expected a JSON object, found an array"), (#"{"feature": "A/0/2", "label": "x""#, "no JSON: unexpected end at byte 34 of the line"),
        (#"{"feature": "A/0/2", "label": "x", "status": "stale"}"#, "status: found \"stale\", expected one of draft, accepted, rejected"),
        (#"{"feature": "A/0/2", "label": "x", "author_kind": "robot"}"#, "author_kind: found \"robot\", expected one of person, model, program"),
        (#"{"feature": "A/0/2", "label": "x", "author": " "}"#, "the author of the label is empty"), (#"{"feature": "A/0/2", "label": "x", "method": "a\nb"}"#, "the method of the label for A/0/2 is no word: \"a\\nb\""),
        (#"{"feature": "A/0/2", "label": "x", "rule": "glob:*"}"#, "rule: found \"glob:*\", expected regex:PATTERN, tokens:A,B or topic:NAME"),
        (#"{"feature": "A/0/2", "label": "x", "parameters": [1]}"#, "parameters: expected an object, found an array"), (#"{"feature": "A/0/2", "label": "x", "parameters": {"created_at": 1}}"#, "parameters: created_at has a field of its own"),
        (#"{"feature": "A/0/2", "label": "x", "created_at": "yesterday"}"#, "created_at: found \"yesterday\", expected a time such as 2026-11-28T12:00:00Z"),
        (#"{"feature": "A/0/2", "label": "x", "reason": "y"}"#, "there is a reason, but nobody who decided"), (#"{"feature": "A/0/2", "label": "x", "status": "draft", "decided_by": "y"}"#, "it was decided by \"y\", but is a draft"),
        (#"{"feature": "A/0/2", "label": "x", "rule": "regex:\#(long)"}"#, "the rule of the label for A/0/2 has 4103 bytes; at most 4096 are kept"),
        (#"{"feature": "A/0/2", "label": "x", "is_unknown": 1}"#, "is_unknown: expected a boolean, found an integer"),
        ("{\"feature\": \"A/0/2\", \"label\": \"" + String(repeating: " ", count: 1 << 20) + "\"}", "it has 1048609 bytes; at most 1048576 are read"),
    ]

    @Test(arguments: mistakes) func `a bad line is named wherever it stands, and nothing is entered`(line: String, message: String) throws {
        let good = (0..<3).map { "{\"feature\": \"A/0/\($0)\", \"label\": \"label \($0)\"}" }
        for place in 0...3 {
            let catalogue = try catalogue()
            var text = good
            text.insert(line, at: place)
            // JSON by name: the first line may be no object.
            let error = failure { _ = try catalogue.importLabels(try lines(text.joined(separator: "\n"), .jsonl), at: "t") }
            #expect(error?.message == "line \(place + 1): \(message)")
            #expect(error?.hint?.hasSuffix("nothing was entered") == true)
            #expect(try catalogue.connection.integer("SELECT (SELECT count(*) FROM label) + (SELECT count(*) FROM label_basis)") == 0)
        }
    }

    @Test(arguments: [
        ("feature,label,colour\n", "line 1: there is no column \"colour\""), ("feature,label,label\n", "line 1: the column label is there twice"), ("feature\nA/0/2", "line 1: there is no column label"),
        ("feature,label\nA/0/2,x,y", "line 2: it has 3 fields, and the first line names 2 columns"), ("feature,label\nA/0/2", "line 2: it has 1 field, and the first line names 2 columns"),
        ("feature,label\nA/0/2,\"x\ny\nz\"\nA/0/3,\"y", "line 5: no CSV: a field in quotes that does not end"), ("feature,label\nA/0/2,", "line 2: the label for A/0/2 is empty"), ("\"feature\",label\n\nA/0/2,a\"b", "line 3: no CSV: a quote inside a field that does not begin with one"),
    ]) func `a bad line of CSV is named`(text: String, message: String) throws {
        let catalogue = try catalogue()
        #expect(failure { try enter(text, into: catalogue) }?.message == message)
        #expect(try catalogue.connection.integer("SELECT count(*) FROM label") == 0)
    }

    @Test func `text that is no UTF-8 is refused, and none at all enters nothing`() throws {
        for bytes in [[0xff, 0xfe, 0x66, 0x00], [0xfe, 0xff, 0x00, 0x66]] as [[UInt8]] {
            #expect(failure { _ = try bytes.withUnsafeBytes { try labelLines(in: $0, defaults: LabelFileTests.defaults) } }?.message == "line 1: the text is UTF-16")
        }
        let latin = Array("{\"feature\": \"A/0/2\", \"label\": \"".utf8) + [0xe9] + Array("\"}".utf8)
        #expect(failure { _ = try latin.withUnsafeBytes { try labelLines(in: $0, defaults: LabelFileTests.defaults) } }?.message == "line 1: no JSON: a string that is not UTF-8 at byte 32 of the line")
        for text in ["", "\n\n", "\u{feff}", "feature,label\n"] { #expect(try lines(text).isEmpty) }
    }

    @Test func `a disk that fills at any page leaves the ledger as it was before or after`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.sqlite").path
            try Connection(path: path, access: .create).execute("PRAGMA page_size = 512; PRAGMA application_id = \(Catalogue.applicationID)")
            let catalogue = try makeCatalogue(at: path)
            _ = try Planted.small(features: 60).register(in: catalogue)
            _ = try catalogue.addLabel("law", to: FeatureName("A/0/2")!, author: "Ada", at: "t")
            try catalogue.checkpoint()
            let text = (0..<60).map { "{\"feature\": \"A/0/\($0)\", \"label\": \"\(String(repeating: "word ", count: 20))\", \"status\": \"\(["draft", "accepted", "rejected"][$0 % 3])\"}" }.joined(separator: "\n")
            let batch = try lines(text), pages = try #require(try catalogue.connection.integer("PRAGMA page_count")), before = try exported(catalogue)
            var failures = 0
            for room in 0..<400 {
                try catalogue.connection.execute("PRAGMA max_page_count = \(pages + room)")
                do {
                    #expect(try catalogue.importLabels(batch, at: "t").entered == 60)
                    break
                } catch {
                    failures += 1
                    #expect((error as? SQLiteError)?.kind == .full)
                    #expect(try exported(catalogue) == before)
                    #expect(try catalogue.connection.integer("SELECT (SELECT count(*) FROM label_event) + (SELECT count(*) FROM feature_label)") == 1)
                }
            }
            #expect(failures > 10)
            #expect(try exported(catalogue).split(separator: "\n").count == 61)
        }
    }

    @Test func `an error at any row of a batch leaves nothing of it`() throws {
        let catalogue = try catalogue(), batch = try lines((0..<12).map { "{\"feature\": \"A/0/\($0)\", \"label\": \"x\", \"status\": \"rejected\"}" }.joined(separator: "\n"))
        for table in ["label", "label_event", "feature_label"] {
            for nth in 0..<12 {
                try catalogue.connection.execute("CREATE TEMP TRIGGER failure BEFORE INSERT ON main.\(table) WHEN (SELECT count(*) FROM label) >= \(nth) BEGIN SELECT RAISE (ABORT, 'made to fail'); END")
                #expect(throws: SQLiteError.self) { try catalogue.importLabels(batch, at: "t") }
                try catalogue.connection.execute("DROP TRIGGER temp.failure")
                #expect(try catalogue.connection.integer("SELECT (SELECT count(*) FROM label) + (SELECT count(*) FROM label_event) + (SELECT count(*) FROM feature_label) + (SELECT count(*) FROM label_basis)") == 0)
            }
        }
        #expect(try catalogue.importLabels(batch, at: "t").entered == 12)
    }
}

/// Decisions, by number and by feature.
struct LabelDecisionTests {
    private let feature = FeatureName("A/0/2")!

    private func catalogue() throws -> Catalogue {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        _ = try Planted.small().register(in: catalogue)
        return catalogue
    }

    private func current(_ catalogue: Catalogue) throws -> String? { try catalogue.labels(of: feature).first(where: \.isCurrent)?.text }

    @Test func `a feature goes by its newest accepted label, or else by its newest draft`() throws {
        let catalogue = try catalogue()
        func add(_ text: String, _ status: LabelStatus) throws -> Int { try catalogue.addLabel(LabelEntry(text, for: feature, author: "a", status: status), at: "t").id }
        let draft = try add("a draft", .draft)
        #expect(try current(catalogue) == "a draft")
        let accepted = try add("accepted", .accepted), later = try add("a later draft", .draft)
        #expect(try current(catalogue) == "accepted")
        try catalogue.decide(later, .accepted, author: "b", at: "t")
        #expect(try current(catalogue) == "a later draft")
        try catalogue.decide([later, accepted], .rejected, author: "b", reason: " why ", at: "t")
        #expect(try current(catalogue) == "a draft")
        try catalogue.decide(draft, .rejected, author: "b", at: "t")
        #expect(try current(catalogue) == nil)
        try catalogue.decide(accepted, .accepted, author: "c", at: "t")
        #expect(try current(catalogue) == "accepted")
        #expect(try catalogue.decisions(of: feature).map { "\($0.label) \($0.status.rawValue) \($0.author) \($0.reason ?? "-")" } == [
            "\(later) accepted b -", "\(later) rejected b why", "\(accepted) rejected b why", "\(draft) rejected b -", "\(accepted) accepted c -",
        ])
        #expect(try catalogue.check().findings.filter { $0.what.contains("label") }.isEmpty)
    }

    @Test func `a decision about several labels of which one is not there is none`() throws {
        let catalogue = try catalogue(), label = try catalogue.addLabel("law", to: feature, author: "a", at: "t")
        #expect(failure { try catalogue.decide([label.id, 77], .rejected, author: "b", at: "t") }?.message == "there is no label 77 in \":memory:\"")
        #expect(try catalogue.decisions(of: feature) == [] && current(catalogue) == "law")
        #expect(failure { try catalogue.decide(label.id, .rejected, author: " ", at: "t") }?.message == "the author of the decision is empty")
    }

    @Test func `by its feature the label that it goes by is meant, unless a newer draft waits`() throws {
        let catalogue = try catalogue()
        #expect(failure { _ = try catalogue.labelMeant(by: feature, to: .accepted) } == MonosemeError("A/0/2 goes by no label", hint: "monoseme label add A/0/2 TEXT gives it one"))
        let first = try catalogue.addLabel(LabelEntry("law", for: feature, author: "a", status: .draft), at: "t")
        #expect(try catalogue.labelMeant(by: feature, to: .accepted).id == first.id)
        try catalogue.decide(first.id, .accepted, author: "a", at: "t")
        let draft = try catalogue.addLabel(LabelEntry("the law", for: feature, author: "a", status: .draft), at: "t")
        #expect(try catalogue.labelMeant(by: feature, to: .rejected).id == first.id)
        #expect(failure { _ = try catalogue.labelMeant(by: feature, to: .accepted) }?.hint == "say which is meant by its number: monoseme label accept \(draft.id)")
        try catalogue.decide([first.id, draft.id], .rejected, author: "a", at: "t")
        #expect(failure { _ = try catalogue.labelMeant(by: feature, to: .accepted) }?.hint == "monoseme label history A/0/2 lists the 2 that it had; name one by its number")
    }

    @Test func `lists hold what waits, what stands, what was rejected and what has no label`() throws {
        let catalogue = try catalogue()
        func add(_ text: String, _ index: Int, _ status: LabelStatus, by author: String = "a") throws -> Int {
            try catalogue.addLabel(LabelEntry(text, for: FeatureName(dictionary: DictionaryName("A/0")!, index: index), author: author, method: author == "m" ? "explain" : "hand", status: status), at: "t").id
        }
        _ = try add("old draft", 1, .draft)
        let one = try add("one", 1, .accepted)
        _ = try add("newer draft", 1, .draft, by: "m")
        _ = try add("only a draft", 4, .draft)
        let rejected = try add("rejected", 5, .accepted)
        try catalogue.decide(rejected, .rejected, author: "a", at: "t")
        var entry = LabelScoreEntry(label: one, feature: FeatureName("A/0/1")!, method: "rule")
        for value in [0.25, 0.5] { entry.value = value; _ = try catalogue.addScore(entry, author: "x", at: "t") }
        entry.baseline = .randomLabel
        _ = try catalogue.addScore(entry, author: "x", at: "t")
        func list(_ filter: LabelFilter?, method: String? = nil, author: String? = nil, limit: Int? = nil) throws -> [String] {
            var found: [String] = []
            try catalogue.forEachLabel(in: try catalogue.dictionary(named: DictionaryName("A/0")!), filter, method: method, author: author, limit: limit) {
                found.append($0.label?.text ?? $0.feature.description)
                if $0.label?.id == one { #expect($0.score == 0.5 && $0.scoreMethod == "rule") }
            }
            return found
        }
        #expect(try list(nil) == ["one", "only a draft"])
        #expect(try list(.draft) == ["newer draft", "only a draft"])
        #expect(try list(.draft, method: "explain") == ["newer draft"])
        #expect(try list(.accepted) == ["one"] && list(.accepted, author: "b") == [])
        #expect(try list(.rejected) == ["rejected"] && list(.stale) == [])
        #expect(try list(.missing, limit: 4) == ["A/0/0", "A/0/2", "A/0/3", "A/0/5"])
        #expect(try catalogue.newestScores(of: one) == [NewestScore(method: "rule", judge: nil, value: 0.5, low: nil, high: nil, isStale: false)])
    }
}
