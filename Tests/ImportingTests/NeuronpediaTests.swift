import Diagnostics
import FeatureCatalogue
import Formats
import Foundation
import Importing
import IngestionSupport
import Publishing
import SQLite
import TestSupport
import Testing

// The judge of what is in a file is Foundation's JSON reader, and the gzip program.

@Suite struct NeuronpediaTests {
    static let time = "2026-01-01T00:00:00Z"
    static let dashboards = fixture("saedashboard/model-A_towards-512_blocks.0.mlp.hook_post_512")

    @discardableResult static func bring(_ path: String, into catalogue: Catalogue, as name: String? = nil, threads: Int = 2, unpackLimit: Int? = nil, warn: (String) -> Void = { _ in }) throws -> ImportSummary {
        var request = ImportRequest(try importSource(at: path), at: path, as: name.map { DictionaryName($0)! }, engine: "test", time: time)
        (request.threads, request.unpackLimit) = (threads, unpackLimit)
        return try importing(request, into: catalogue, warn: warn)
    }

    /// The rows of JSON lines, plain or packed.
    static func rows(_ path: String) throws -> [NSDictionary] {
        try read(path).split(separator: 0x0a).map { try #require(try JSONSerialization.jsonObject(with: Data($0)) as? NSDictionary) }
    }

    static func read(_ path: String) throws -> Data {
        guard path.hasSuffix(".gz") else { return try Data(contentsOf: URL(filePath: path)) }
        let gzip = Process(), pipe = Pipe()
        gzip.executableURL = URL(filePath: "/usr/bin/env")
        gzip.arguments = ["gzip", "-dc", path]
        gzip.standardOutput = pipe
        try gzip.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        gzip.waitUntilExit()
        try #require(gzip.terminationStatus == 0)
        return data
    }

    /// All rows of a folder of batches, in order.
    static func batches(_ folder: String) throws -> [NSDictionary] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted().flatMap { try rows("\(folder)/\($0)") }
    }

    /// Where two rows differ, numbers taken as float32.
    static func differences(_ a: Any?, _ b: Any?, _ path: String) -> [String] {
        switch (a, b) {
        case (let a as NSDictionary, let b as NSDictionary):
            return Set(a.allKeys.map { $0 as! String }).union(b.allKeys.map { $0 as! String }).sorted().flatMap { differences(a[$0], b[$0], "\(path).\($0)") }
        case (let a as NSArray, let b as NSArray):
            guard a.count == b.count else { return ["\(path): \(a.count) elements and \(b.count)"] }
            return (0..<a.count).flatMap { differences(a[$0], b[$0], "\(path)[\($0)]") }
        case (let a as NSNumber, let b as NSNumber): return a.floatValue == b.floatValue ? [] : ["\(path): \(a) and \(b)"]
        case (let a as NSObject, let b as NSObject): return a == b ? [] : ["\(path): \(a) and \(b)"]
        default: return a == nil && b == nil ? [] : ["\(path): \(a.map { "\($0)" } ?? "nothing") and \(b.map { "\($0)" } ?? "nothing")"]
        }
    }

    @Test func `what comes from Neuronpedia goes back as it came, and the catalogue is sound`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            var warnings: [String] = []
            let summary = try Self.bring(fixture("neuronpedia"), into: catalogue) { warnings.append($0) }
            #expect(summary.dictionary.description == "model-a/0-towards-512")
            #expect((summary.features, summary.examples, summary.labels) == (15, try Self.batches(fixture("neuronpedia/activations")).count, 8))
            #expect(warnings == ["1 explanations are there more than once, and are taken once"])
            let report = try catalogue.check()
            #expect(report.findings == [])
            let out = folder.appending(path: "out").path
            let losses = try exportNeuronpedia(summary.dictionary, of: catalogue, as: NeuronpediaNames(), to: out)
            #expect(losses == ["all tokens lose their ids"])
            for part in ["features", "activations"] {
                let theirs = try Self.batches(fixture("neuronpedia/\(part)")), ours = try Self.batches("\(out)/\(part)")
                #expect(theirs.count == ours.count)
                #expect(zip(theirs, ours).enumerated().flatMap { Self.differences($1.0, $1.1, "\(part) \($0)") }.prefix(5) == [])
            }
            let explanations = (try Self.batches(fixture("neuronpedia/explanations")) + [try #require(try Self.rows(fixture("neuronpedia/explanations-gemini/batch-0.jsonl")).last)])
            func sorted(_ rows: [NSDictionary]) -> [NSDictionary] { rows.sorted { ($0["id"] as! String) < ($1["id"] as! String) } }
            #expect(zip(sorted(explanations), sorted(try Self.batches("\(out)/explanations"))).flatMap { Self.differences($0, $1, "explanation") } == [])
            for part in ["release", "model", "sourceset", "source"] {
                #expect(Self.differences(try Self.rows(fixture("neuronpedia/\(part).jsonl"))[0], try Self.rows("\(out)/\(part).jsonl")[0], part) == [])
            }
            // Once more: the same bytes.
            _ = try exportNeuronpedia(summary.dictionary, of: catalogue, as: NeuronpediaNames(), to: out + "2")
            for path in try FileManager.default.subpathsOfDirectory(atPath: out) where !path.hasPrefix("catalogue") {
                #expect(FileManager.default.contentsEqual(atPath: "\(out)/\(path)", andPath: "\(out)2/\(path)"), "\(path)")
            }
        }
    }

    @Test func `examples, densities, logits and labels are found where ours are`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let name = try Self.bring(fixture("neuronpedia"), into: catalogue, as: "A/1").dictionary
            let run = try catalogue.run(of: name)
            #expect(run.tokens == 512 * 32)
            let overview = try catalogue.overview(of: 0, in: run.dictionary)
            // 0.04041 of 16,384 tokens.
            #expect((overview.density, overview.firings, overview.status, overview.label) == (0.04041, 662, .alive, "base64, upper case"))
            #expect(try catalogue.overview(of: 14, in: run.dictionary).status == .dead)
            let reporter = try Reporter(catalogue, run), report = try reporter.report(on: 0, ReportScope())
            #expect(report.raisedLogits.prefix(2).map(\.text) == ["2", "Rv"])
            #expect(report.loweredLogits.map(\.value).prefix(2) == [-0.26, -0.225])
            #expect(report.neuronsByWeight.map(\.index) == [368, 252, 155])
            // The greatest is 2.425; a list keeps eleven bits of it.
            #expect(abs(report.examples[0].activation - 2.425) < 2.425 / 2048)
            #expect(report.examples[0].window.spellings[report.examples[0].window.focus] == Array("Z".utf8))
            #expect(report.examples[0].document.topic == "corpus.jsonl")
            let labels = try catalogue.labels(of: FeatureName(dictionary: name, index: 0))
            #expect(labels.map(\.text) == ["base64, upper case", "capital letters in base64"])
            #expect(labels.map(\.author) == ["ckexampleuser000000000000", "gpt-4o-mini"])
            #expect(labels.map(\.authorKind) == [.person, .model])
            #expect(labels.map(\.method) == ["neuronpedia", "oai_token-act-pair"])
            // Rows of zeros and of what is below zero are no firings, and no examples.
            let positive = try Self.batches(fixture("neuronpedia/activations")).filter { $0["index"] as? String == "3" }
            var windows: [NSArray: [Double]] = [:]
            for row in positive { windows[row["tokens"] as! NSArray] = row["values"] as? [Double] }
            #expect(try catalogue.firings(of: 3, in: run).count == windows.values.reduce(0) { $0 + $1.count { $0 > 0 } })
            // The same window with other activations.
            #expect(try catalogue.firings(of: 5, in: run).values.contains { abs($0 - 1.212) < 0.001 })
            for question in [{ _ = try catalogue.firingPositions(of: 0, in: run) }, { try catalogue.demandTopicEvidence(of: run) }] {
                let error = #expect(throws: MonosemeError.self) { try question() }
                #expect(error?.message.hasPrefix("A/1 was imported from Neuronpedia's export: it has the firings of its example windows only, ") == true)
            }
        }
    }

    @Test func `SAEDashboard's own files are read, and become what Neuronpedia has`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let summary = try Self.bring(Self.dashboards, into: catalogue)
            #expect((summary.dictionary.description, summary.features, summary.examples) == ("model-A/0-towards-512", 16, 191)) // 12 of each feature, but for one that fires too rarely
            #expect(try catalogue.check().findings == [])
            let out = folder.appending(path: "out").path
            _ = try exportNeuronpedia(summary.dictionary, of: catalogue, as: NeuronpediaNames(), to: out)
            let theirs = try (0..<2).flatMap { batch -> [NSDictionary] in
                let file = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: "\(Self.dashboards)/batch-\(batch).json"))) as! NSDictionary
                return file["features"] as! [NSDictionary]
            }
            let features = try Self.batches(out + "/features"), examples = try Self.batches(out + "/activations")
            let activations = theirs.flatMap { $0["activations"] as! [NSDictionary] }
            try #require(features.count == theirs.count && examples.count == activations.count)
            for (a, b) in zip(theirs, features) {
                for key in ["frac_nonzero", "pos_str", "pos_values", "neg_str", "neg_values", "freq_hist_data_bar_heights", "neuron_alignment_l1", "correlated_neurons_pearson", "vector"] {
                    #expect(Self.differences(a[key], b[key], key) == [])
                }
            }
            for (a, b) in zip(activations, examples) {
                for (key, theirKey) in ["tokens": "tokens", "values": "values", "binMin": "bin_min", "binMax": "bin_max", "binContains": "bin_contains", "dfaTargetIndex": "dfa_targetIndex"] {
                    #expect(Self.differences(a[theirKey], b[key], key) == [])
                }
                #expect((b["values"] as! [Double]).max() == (b["maxValue"] as! Double))
            }
        }
    }

    @Test func `a check finds what was done to imported examples`() throws {
        try withTemporaryFolder { folder in
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            try Self.bring(fixture("neuronpedia"), into: catalogue)
            let sound = folder.appending(path: "sound.sqlite").path
            try catalogue.connection.execute("VACUUM INTO '\(sound)'; ATTACH '\(sound)' AS sound")
            let harms = [
                ("UPDATE import_example SET windows = substr(windows, 1, 5) WHERE id & 16777215 = 2", "bytes of imported examples"),
                ("UPDATE import_example SET residue = '[]' WHERE id & 16777215 = 2", "residues of imported examples"),
                ("UPDATE posting SET list = (SELECT list FROM posting WHERE id & 16777215 = 3) WHERE id & 16777215 = 2", "firings of imported examples"),
                ("UPDATE statistic SET firings = 1 WHERE feature_id & 4294967295 = 2", "firings of a feature"),
                ("UPDATE statistic SET maximum_position = 0 WHERE feature_id & 4294967295 = 2", "position of a feature's maximum"),
            ]
            for (harm, what) in harms {
                try catalogue.connection.execute(harm)
                #expect(try catalogue.check().findings.contains { $0.what == what }, "\(what)")
                for table in ["import_example", "posting", "statistic"] { try catalogue.connection.execute("DELETE FROM main.\(table); INSERT INTO main.\(table) SELECT * FROM sound.\(table)") }
            }
            #expect(try catalogue.check().findings == [])
        }
    }

    @Test func `any number of threads gives the same catalogue`() throws {
        try withTemporaryFolder { folder in
            let all = try [1, 4].map { threads in
                let path = folder.appending(path: "\(threads).sqlite").path
                let catalogue = try Catalogue(path: path, for: .ingesting)
                try Self.bring(fixture("neuronpedia"), into: catalogue, threads: threads)
                try catalogue.checkpoint()
                return try CatalogueRows(path: path)
            }
            #expect(all[0].difference(from: all[1]) == [])
        }
    }

    @Test func `rows of a feature that lie apart are told together`() throws {
        func row(_ index: Int, _ values: String) -> String { #"{"modelId":"m","layer":"0-s","index":\#(index),"tokens":["a","b","c"],"values":[\#(values)]}"# }
        try withTemporaryFolder { folder in
            try write(["features/batch-0.jsonl": feature(0) + "\n" + feature(1), "activations/batch-0.jsonl": [row(0, "0,1,0"), row(1, "2.0,0,0"), row(0, "0,1,0"), row(0, "0,0,4")].joined(separator: "\n")], folder)
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let run = try catalogue.run(of: try Self.bring(folder.path, into: catalogue).dictionary)
            // The window is kept once for all rows that agree about it, and again for the one that does not.
            #expect(try catalogue.corpus(run.corpus).tokens == 6)
            #expect(try catalogue.firings(of: 0, in: run).values == [1, 4])
            #expect(try catalogue.check().findings == [])
        }
    }

    @Test func `rows may have other members than the first, and each gets back its own`() throws {
        let head = #""modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[1]"#
        let rows = [#"{\#(head),"binMin":-1,"dataSource":"x"}"#, #"{\#(head),"dataSource":"x"}"#, #"{"note":[1,{"a":"é"}],\#(head),"dataSource":null,"binMin":0.5}"#, #"{\#(head)}"#]
        try withTemporaryFolder { folder in
            try write(["features/batch-0.jsonl": feature(0), "activations/batch-0.jsonl": rows.joined(separator: "\n")], folder)
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let name = try Self.bring(folder.path, into: catalogue).dictionary, out = folder.appending(path: "out").path
            _ = try exportNeuronpedia(name, of: catalogue, as: NeuronpediaNames(), to: out)
            let written = try Self.batches(out + "/activations")
            #expect(written.map { $0["binMin"] as? Double } == [-1, nil, 0.5, nil])
            #expect(written.map { $0["dataSource"] as? String } == ["x", "x", nil, nil])
            #expect(try catalogue.corpus(try catalogue.run(of: name).corpus).tokens == 1)
        }
    }

    // MARK: What is wrong

    private func write(_ files: [String: String], _ folder: URL) throws {
        for (name, text) in files {
            let url = folder.appending(path: name)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
    }

    private func feature(_ index: Int, _ more: String = "") -> String { #"{"modelId":"m","layer":"0-s","index":"\#(index)","frac_nonzero":0.1\#(more)}"# }

    @Test(arguments: [
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[1,2]}"#, "tokens and values have different lengths"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"values":[1]}"#, "it has no tokens"),
        ("activations", #"{"modelId":"m","layer":"0-s","tokens":["a"],"values":[1]}"#, "it has no index"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[NaN]}"#, "it holds NaN or Infinity, which are not JSON"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[1e99]}"#, "values is no array of numbers"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a",1],"values":[1,2]}"#, "tokens is no array of strings"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":9,"tokens":["a"],"values":[1]}"#, "there is no feature 9 among the features"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":-1,"tokens":["a"],"values":[1]}"#, "index is not the number of a feature"),
        ("activations", #"{"modelId":"other","layer":"0-s","index":0,"tokens":["a"],"values":[1]}"#, "its modelId is not that of the rows before"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[1]"#, "it is not JSON"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"tokens":["a"],"values":[1]}"#, "it has tokens twice"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"tokens":["\ud800"],"values":[1]}"#, "a token is no text: a lone surrogate"),
        ("activations", #"{"modelId":"m","layer":"0-s","index":0,"x":"# + String(repeating: "[", count: 99) + String(repeating: "]", count: 99) + #","tokens":["a"],"values":[1]}"#, "it is nested more than 64 deep"),
        ("features", #"{"modelId":"m","layer":"0-s","index":"0"}"#, "feature 0 is there twice"),
        ("features", #"{"modelId":"m","layer":"0-s","index":"99999999"}"#, "the feature index 99999999 is too large; at most 16777216 features can be catalogued"),
        ("features", #"{"modelId":"m","layer":"0-s","index":1.5}"#, "index is a number, not the number of a feature"),
        ("features", #"{"modelId":"m","layer":"0-s","index":1,"frac_nonzero":2}"#, "frac_nonzero is 2.0, not a share"),
        ("features", #"{"modelId":"m","layer":"0-s","index":1,"pos_str":["a"],"pos_values":[]}"#, "pos_str and pos_values have different lengths"),
        ("explanations", #"{"modelId":"m","layer":"0-s","index":"0"}"#, "it has no description"),
        ("explanations", #"{"modelId":"m","layer":"0-s","index":"7","description":"x"}"#, "there is no feature 7 among the features"),
    ]) func `a bad row is named, and nothing is kept`(part: String, line: String, problem: String) throws {
        try withTemporaryFolder { folder in
            let good = ["features": feature(0), "activations": #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[1]}"#, "explanations": #"{"modelId":"m","layer":"0-s","index":0,"description":"a"}"#]
            var files: [String: String] = [:]
            for (name, row) in good { files["\(name)/batch-0.jsonl"] = row + "\n" + (name == part ? "\n" + line + "\n" : "") }
            try write(files, folder)
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let error = #expect(throws: MonosemeError.self) { try Self.bring(folder.path, into: catalogue) }
            #expect(error?.message == "\(part)/batch-0.jsonl line 3: \(problem)")
            for table in ["dictionary", "feature", "tokenizer", "token", "corpus", "posting", "label"] { #expect(try catalogue.connection.integer("SELECT count(*) FROM \(table)") == 0) }
        }
    }

    @Test func `what unpacks to too much is refused, and said how to be allowed`() throws {
        try withTemporaryFolder { folder in
            try write(["features/batch-0.jsonl": feature(0)], folder)
            let row = #"{"modelId":"m","layer":"0-s","index":0,"tokens":["a"],"values":[1],"x":""# + String(repeating: " ", count: 100_000) + #""}"#
            try write(["activations/batch-0.jsonl": String(repeating: row + "\n", count: 20)], folder)
            let gzip = try Process.run(URL(filePath: "/usr/bin/env"), arguments: ["gzip", "-9", folder.appending(path: "activations/batch-0.jsonl").path])
            gzip.waitUntilExit()
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let error = #expect(throws: MonosemeError.self) { try Self.bring(folder.path, into: catalogue, unpackLimit: 1_000_000) }
            #expect(error?.message == "activations/batch-0.jsonl.gz unpacks to more than 1000000 bytes, which is no size for what it should be")
            #expect(error?.hint?.contains("--unpack-limit") == true)
            #expect(try Self.bring(folder.path, into: catalogue, unpackLimit: 10_000_000).examples == 20)
            // Half of a packed file.
            let packed = folder.appending(path: "activations/batch-0.jsonl.gz"), bytes = try Data(contentsOf: packed)
            try bytes.prefix(bytes.count / 2).write(to: packed)
            let cut = #expect(throws: MonosemeError.self) { try Self.bring(folder.path, into: catalogue, as: "B/1") }
            #expect(cut?.message.contains("is damaged or cut off") == true)
        }
    }

    @Test func `a dictionary of our own goes out by the importer's rules and comes in again`() throws {
        try withTemporaryFolder { folder in
            let planted = try PlantedCatalogue(at: folder.appending(path: "p.sqlite").path)
            _ = try planted.catalogue.addLabel("the first two", to: FeatureName(dictionary: planted.name, index: 0), author: "me", at: Self.time)
            _ = try planted.catalogue.addLabel("beginnings", to: FeatureName(dictionary: planted.name, index: 0), author: "me", at: Self.time)
            let out = folder.appending(path: "out").path
            let losses = try exportNeuronpedia(planted.name, of: planted.catalogue, as: NeuronpediaNames(), to: out)
            #expect(losses.contains("1 label (earlier, draft, rejected or unknown) has no place in the export"))
            #expect(losses.contains("4 features lose exact counts of firings, which become a share, and its firings but for examples"))
            for part in ["features", "activations", "explanations"] {
                let rows = try Self.batches("\(out)/\(part)")
                #expect(Set(rows.map { Set($0.allKeys.map { $0 as! String }) }).count == 1, "\(part): every row has the same keys")
                #expect(rows.allSatisfy { $0["modelId"] as? String == "planted" && $0["layer"] as? String == "0-p-0" && $0["index"] is String })
                #expect(rows.map { Int($0["index"] as! String)! } == rows.map { Int($0["index"] as! String)! }.sorted())
                if part != "features" { #expect(Set(rows.map { $0["id"] as! String }).count == rows.count) }
            }
            let feature = try #require(try Self.batches("\(out)/features").first)
            #expect(feature["frac_nonzero"] as? Double == 9.0 / 80)
            #expect(feature["maxActApprox"] as? Double == 8)
            #expect((feature["freq_hist_data_bar_heights"] as! [Int]).reduce(0, +) == 9)
            #expect(FileManager.default.fileExists(atPath: out + "/catalogue/dictionary.jsonl.gz"))
            // And back: feature 0's strongest in each document.
            let catalogue = try Catalogue(path: folder.appending(path: "c.sqlite").path, for: .ingesting)
            let run = try catalogue.run(of: try Self.bring(out, into: catalogue).dictionary)
            #expect(try catalogue.check().findings == [])
            #expect(try Set(catalogue.firings(of: 0, in: run).values) == [0.5, 1, 2, 3, 4, 5, 6, 7, 8])
            #expect(try catalogue.overview(of: 0, in: run.dictionary).label == "beginnings")
            #expect(throws: MonosemeError.self) { try exportNeuronpedia(planted.name, of: planted.catalogue, as: NeuronpediaNames(), to: out) }
        }
    }
}
