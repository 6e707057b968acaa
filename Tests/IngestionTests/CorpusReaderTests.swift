import Diagnostics
import Foundation
@testable import Ingestion
import IngestionSupport
import Testing
import TestSupport

/// What a reader gave: texts with topics and lines, and what it complained of.
private struct Reading: Equatable, CustomStringConvertible {
    var documents: [String] = []
    var malformed = 0
    var warnings: [String] = []

    /// - Parameter source: what "SOURCE" stands for in expected warnings.
    init(_ documents: [String], malformed: Int = 0, warnings: [String] = []) { (self.documents, self.malformed, self.warnings) = (documents, malformed, warnings) }

    init(_ options: CorpusOptions, folder: URL) throws {
        var said: [String] = []
        let reader = try CorpusReader(options) { said.append($0.replacingOccurrences(of: folder.path + "/", with: "")) }
        while let document = try reader.next() {
            documents.append("\(String(decoding: document.text, as: UTF8.self))|\(document.topic)|\(document.source.replacingOccurrences(of: folder.path + "/", with: ""))\(document.line.map { ":\($0)" } ?? "")")
        }
        (malformed, warnings) = (reader.malformedLines, said)
    }

    var description: String { "\(documents) malformed \(malformed) \(warnings)" }
}

private struct Case: CustomTestStringConvertible {
    let testDescription: String
    let name: String
    let bytes: [UInt8]
    let reading: Reading
    var options: @Sendable (inout CorpusOptions) -> Void = { _ in }

    init(_ what: String, _ name: String, _ text: String, _ reading: Reading, options: @escaping @Sendable (inout CorpusOptions) -> Void = { _ in }) {
        self.init(what, name, Array(text.utf8), reading, options: options)
    }

    init(_ what: String, _ name: String, _ bytes: [UInt8], _ reading: Reading, options: @escaping @Sendable (inout CorpusOptions) -> Void = { _ in }) {
        (testDescription, self.name, self.bytes, self.reading, self.options) = (what, name, bytes, reading, options)
    }
}

/// Runs a program of the system and gives its standard output.
func run(_ program: String, _ arguments: [String], input: Data) throws -> Data {
    let process = Process(), into = Pipe(), out = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    (process.standardInput, process.standardOutput) = (into, out)
    try process.run()
    try into.fileHandleForWriting.write(contentsOf: input)
    try into.fileHandleForWriting.close()
    let result = try out.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return result
}

@Suite struct CorpusReaderTests {
    fileprivate static let cases: [Case] = [
        Case("The Pile's layout", "c.jsonl", #"{"text": "one", "meta": {"pile_set_name": "Pile-CC"}}"# + "\n" + #"{"meta": {"pile_set_name": "Github"}, "text": "t\u00e9\nx"}"# + "\n",
             Reading(["one|Pile-CC|c.jsonl:1", "té\nx|Github|c.jsonl:2"])),
        Case("no line end at the end, CRLF, a byte order mark", "c.jsonl", "\u{feff}{\"text\": \"a\"}\r\n{\"text\": \"b\"}", Reading(["a|(no topic)|c.jsonl:1", "b|(no topic)|c.jsonl:2"])),
        Case("blank lines are neither documents nor bad", "c.jsonl", "\n  \n{\"text\": \"a\"}\r\n\r\n\t\n{\"text\": \"b\"}\n\n", Reading(["a|(no topic)|c.jsonl:3", "b|(no topic)|c.jsonl:6"])),
        Case("an empty text is a document without tokens", "c.jsonl", #"{"text": ""}"#, Reading(["|(no topic)|c.jsonl:1"])),
        Case("bad lines are counted, reported with their numbers, and skipped", "c.jsonl",
             Array("{\"text\": \"a\"}\nnot json\n[1]\n{\"body\": \"x\"}\n{\"text\": 7}\n{\"text\": null}\n{\"text\": \"\\ud800\"}\n{\"text\": \"".utf8) + [0xff] + Array("\"}\n{\"text\": \"b\"} {}\n{\"text\": \"z\"}\n".utf8),
             Reading(["a|(no topic)|c.jsonl:1", "z|(no topic)|c.jsonl:10"], malformed: 8, warnings: [
                "\"c.jsonl\" line 2: not JSON (invalid literal at byte 0); skipped",
                "\"c.jsonl\" line 3: an array instead of an object; skipped",
                "\"c.jsonl\" line 4: no member \"text\"; skipped",
                "\"c.jsonl\" line 5: the member \"text\" is an integer, not a string; skipped",
                "\"c.jsonl\" line 6: the member \"text\" is null, not a string; skipped",
                "\"c.jsonl\" line 7: not JSON (); skipped",
                "\"c.jsonl\" line 8: not JSON (); skipped",
                "\"c.jsonl\" line 9: not JSON (); skipped",
             ])),
        Case("other fields, within objects and with dots in their names", "c.ndjson", #"{"a": {"b": {"c": "x"}}, "k.l": "t"}"# + "\n" + #"{"a": {"b": "y"}}"#,
             Reading(["x|t|c.ndjson:1"], malformed: 1, warnings: ["\"c.ndjson\" line 2: no member \"a.b.c\"; skipped"])) { ($0.textField, $0.topicField) = ("a.b.c", "k.l") },
        Case("topics that are numbers, truth, nothing, or missing", "c.json",
             [#""A""#, "7", "-7", "true", "null", "1.5", #""""#, "[1]"].map { "{\"text\": \"x\", \"t\": \($0)}\n" }.joined() + "{\"text\": \"x\"}",
             Reading(["A", "7", "-7", "true", "(no topic)", "(no topic)", "(no topic)", "(no topic)", "(no topic)"].enumerated().map { "x|\($1)|c.json:\($0 + 1)" })) { $0.topicField = "t" },
        Case("mirrors of The Pile with meta as a string", "c.jsonl",
             [#""{'pile_set_name': 'Github'}""#, #""{\"pile_set_name\": \"ArXiv\"}""#, #""{}""#, #""nothing""#, "{}"].map { "{\"text\": \"x\", \"meta\": \($0)}\n" }.joined(),
             Reading(["Github", "ArXiv", "(no topic)", "(no topic)", "(no topic)"].enumerated().map { "x|\($1)|c.jsonl:\($0 + 1)" })),
        Case("a text file is one document, its topic the file's name", "Moby Dick.txt", "Call me\r\nIshmael.\n", Reading(["Call me\r\nIshmael.\n|Moby Dick|Moby Dick.txt"])),
        Case("text parted at endoftext, parts of white space left out", "s.txt", "\u{feff}one\n<|endoftext|>\ntwo<|endoftext|> \n\t<|endoftext|><|endoftext|>three <|endoftex|>",
             Reading(["one\n|s|s.txt", "\ntwo|s|s.txt", "three <|endoftex|>|s|s.txt"])),
        Case("a text file of nothing", "s.txt", "", Reading([])),
        Case("a byte order mark alone", "s.txt", "\u{feff}", Reading([])),
        Case("half a byte order mark is text like any other", "s.txt", [0xef, 0xbb], Reading(["\u{fffd}|s|s.txt"])),
    ]

    @Test(arguments: cases) fileprivate func `a file is read into documents`(of sample: Case) throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: sample.name).path
            try Data(sample.bytes).write(to: URL(filePath: path))
            var options = CorpusOptions(paths: [path])
            sample.options(&options)
            var expected = sample.reading
            let found = try Reading(options, folder: folder)
            // The words of the JSON reader are its own tests' business.
            expected.warnings = zip(expected.warnings, found.warnings).map { $0.contains("not JSON") && $1.contains("not JSON (") ? $1 : $0 } + expected.warnings.dropFirst(found.warnings.count)
            #expect(found == expected)

            // The same through the programs that unpack.
            for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
                try run(program, ["-qc"], input: Data(sample.bytes)).write(to: URL(filePath: path + "." + ending))
                options.paths = [path + "." + ending]
                let unpacked = try Reading(options, folder: folder)
                #expect(unpacked.documents == expected.documents.map { $0.replacingOccurrences(of: "|\(sample.name)", with: "|\(sample.name).\(ending)") }, "\(ending)")
                #expect(unpacked.malformed == expected.malformed)
            }
        }
    }

    @Test func `a folder is read in order of its paths, and the folder is the topic`() throws {
        try withTemporaryFolder { folder in
            for (path, text) in [("c/b/2.txt", "four"), ("c/b/10.txt", "three"), ("c/a.jsonl", #"{"text": "one", "meta": {"pile_set_name": "X"}}"#), ("c/ab/x.txt", "two"), ("c/.hidden", "no"), ("c/z.md", "five")] {
                let file = folder.appending(path: path)
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
            }
            // A way back to where we are must not be followed forever.
            try FileManager.default.createSymbolicLink(at: folder.appending(path: "c/b/again"), withDestinationURL: folder.appending(path: "c"))
            try FileManager.default.createSymbolicLink(at: folder.appending(path: "c/b/back"), withDestinationURL: folder.appending(path: "c/b"))
            let documents = ["one|X|c/a.jsonl:1", "two|ab|c/ab/x.txt", "three|b|c/b/10.txt", "four|b|c/b/2.txt", "five|c|c/z.md"]
            #expect(try Reading(CorpusOptions(paths: [folder.path + "/c"]), folder: folder) == Reading(documents))
            #expect(try Reading(CorpusOptions(paths: [folder.path + "/c/ab/", folder.path + "/c/b/2.txt"]), folder: folder)
                == Reading(["two|ab|c/ab/x.txt", "four|2|c/b/2.txt"]))
        }
    }

    @Test func `strict reading stops at the first bad line, counted over blank ones`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.jsonl").path
            try Data("{\"text\": \"a\"}\n\n{\"txt\": \"b\"}\n".utf8).write(to: URL(filePath: path))
            var options = CorpusOptions(paths: [path])
            options.isStrict = true
            let reader = try CorpusReader(options)
            #expect(try reader.next()?.line == 1)
            #expect(throws: MonosemeError("\"\(path)\" line 3: no member \"text\"", hint: "mend the line, or leave out --strict to skip such lines")) { try reader.next() }
        }
    }

    @Test func `after ten bad lines the rest is only counted`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.jsonl").path
            try Data((String(repeating: "x\n", count: 30) + "{\"text\": \"a\"}").utf8).write(to: URL(filePath: path))
            let reading = try Reading(CorpusOptions(paths: [path]), folder: folder)
            #expect(reading.malformed == 30 && reading.documents == ["a|(no topic)|c.jsonl:31"])
            #expect(reading.warnings.count == 11)
            #expect(reading.warnings.last == "more lines like these are skipped without a word; the count follows")
        }
    }

    @Test func `a line of 50 MB is one document, and one of 300 MB a bad line`() throws {
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "c.jsonl").path, file = try #require(fopen(path, "w"))
            for megabytes in [50, 300] {
                fputs("{\"text\": \"", file)
                let million = [UInt8](repeating: UInt8(ascii: "m"), count: 1_000_000)
                for _ in 0..<megabytes { fwrite(million, 1, million.count, file) }
                fputs("\"}\n", file)
            }
            fputs("{\"text\": \"end\"}\n", file)
            fclose(file)
            var warnings: [String] = []
            let reader = try CorpusReader(CorpusOptions(paths: [path])) { warnings.append($0) }
            #expect(try reader.next()?.text.count == 50_000_000)
            #expect(try reader.next()?.line == 3)
            #expect(try reader.next() == nil)
            #expect(warnings == ["\"\(path)\" line 2: longer than 256 MB; skipped"])
        }
    }

    @Test func `long text is parted at line breaks and loses nothing`() throws {
        var text: [UInt8] = []
        while text.count < 40 << 20 { text += Array("line \(text.count)\n".utf8) }
        try withTemporaryFolder { folder in
            let path = folder.appending(path: "long.txt").path
            try Data(text).write(to: URL(filePath: path))
            let reader = try CorpusReader(CorpusOptions(paths: [path]))
            var parts: [[UInt8]] = []
            while let document = try reader.next() { parts.append(document.text) }
            #expect(parts.count == 3 && parts.allSatisfy { $0.last == UInt8(ascii: "\n") && $0.count < 17 << 20 })
            #expect(Array(parts.joined()) == text)
        }
    }

    @Test func `what cannot be read is named, with what to do`() throws {
        try withTemporaryFolder { folder in
            func path(_ name: String) -> String { folder.appending(path: name).path }
            var random = SeededRandom(1)
            let long = Data((0..<50_000).map { _ in UInt8.random(in: 0...255, using: &random) })
            try Data(try run("gzip", ["-qc"], input: long).prefix(3000)).write(to: URL(filePath: path("cut.txt.gz")))
            try Data(try run("zstd", ["-qc"], input: long).prefix(3000)).write(to: URL(filePath: path("cut.txt.zst")))
            try Data("plain".utf8).write(to: URL(filePath: path("plain.jsonl.gz")))
            try FileManager.default.createDirectory(atPath: path("empty"), withIntermediateDirectories: true)
            mkfifo(path("fifo"), 0o644)
            for (name, message, hint) in [
                ("none", "there is no corpus at \"\(path("none"))\"", "check the path, or give - for standard input"),
                ("empty", "the corpus \"\(path("empty"))\" holds no files", "give JSONL or text files, or a folder of them"),
                ("fifo", "\"\(path("fifo"))\" is not a regular file", "feed it through standard input, with --corpus -"),
                ("cut.txt.gz", "gzip could not unpack \"\(path("cut.txt.gz"))\": it is damaged or cut off", "test it with: gzip -t FILE"),
                ("cut.txt.zst", "zstd could not unpack \"\(path("cut.txt.zst"))\": it is damaged or cut off", "test it with: zstd -t FILE"),
                ("plain.jsonl.gz", "gzip could not unpack \"\(path("plain.jsonl.gz"))\": it is damaged or cut off", "test it with: gzip -t FILE"),
            ] as [(String, String, String?)] {
                #expect(throws: MonosemeError(message, hint: hint), "\(name)") {
                    let reader = try CorpusReader(CorpusOptions(paths: [path(name)]))
                    while try reader.next() != nil {}
                }
            }
        }
    }

    @Test func `the fingerprint follows the bytes, their order and the options, not the path`() throws {
        try withTemporaryFolder { folder in
            func path(_ name: String) -> String { folder.appending(path: name).path }
            for (name, text) in [("a.jsonl", "1"), ("b.jsonl", "1"), ("c.jsonl", "2"), ("c.txt", "2")] { try Data(text.utf8).write(to: URL(filePath: path(name))) }
            func fingerprint(_ names: [String], _ change: (inout CorpusOptions) -> Void = { _ in }) throws -> String {
                var options = CorpusOptions(paths: names.map(path))
                change(&options)
                return try CorpusReader(options).fingerprint()
            }
            let a = try fingerprint(["a.jsonl"])
            #expect(try fingerprint(["b.jsonl"]) == a)
            let others = [
                try fingerprint(["c.jsonl"]), try fingerprint(["c.txt"]), try fingerprint(["a.jsonl", "c.jsonl"]), try fingerprint(["c.jsonl", "a.jsonl"]), try fingerprint(["a.jsonl"]) { $0.tokenLimit = 5 },
                try fingerprint(["a.jsonl"]) { $0.textField = "t" }, try fingerprint(["a.jsonl"]) { $0.topicField = "t" },
            ]
            #expect(Set(others + [a]).count == others.count + 1)
        }
    }

    @Test func `the size of a corpus stays the same while it is read`() throws {
        try withTemporaryFolder { folder in
            for name in ["a", "b"] { try Data("text".utf8).write(to: folder.appending(path: name)) }
            let reader = try CorpusReader(CorpusOptions(paths: [folder.path]))
            #expect(reader.bytesOnDisk == 8)
            while try reader.next() != nil { #expect(reader.bytesOnDisk == 8) }
            #expect(reader.bytesOnDisk == 8)
        }
    }
}
