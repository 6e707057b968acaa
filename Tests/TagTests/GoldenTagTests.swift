@testable import Analyses
import FeatureCatalogue
import Formats
import Foundation
@testable import Ingestion
import TestSupport
import Testing
import Tokenization

/// Our tags against Python's re, and our statistics against torch and numpy: see Fixtures/README.md.
///
/// Mutations tried: tokens of a match's first byte only; \b of bytes; f·c of all firings; n_c of the documents; squares of the sum.
@Suite struct GoldenTagTests {
    static let golden = try! JSON(parsing: String(contentsOfFile: fixture("goldens/tags/tags.json"), encoding: .utf8))
    static let names = golden["tags"]!.object!.members.map(\.key)

    private func predicate(_ tag: JSON) throws -> TokenPredicate {
        let definition = tag["definition"]!.string!
        return tag["kind"]!.string == "regex" ? .regex(definition) : .ranges(try UnicodeRanges(parsing: definition.components(separatedBy: ", ")))
    }

    @Test func `tokens of the whole corpus that satisfy a tag are those that Python finds`() throws {
        let tokenizer = try Tokenizer(path: fixture("model-A/tokenizer.json"))
        let lines = try String(contentsOfFile: fixture("corpus.jsonl"), encoding: .utf8).split(separator: "\n")
        let documents = try lines.map { tokenizer.encode(try JSON(parsing: String($0))["text"]!.string!) }
        #expect(documents.reduce(0) { $0 + $1.count } == Self.golden["tokens"]!.integer)
        for name in Self.names {
            let tag = Self.golden["tags"]![name]!, matches: ([UInt8]) -> [Range<Int>]
            switch try predicate(tag) {
            case .regex(let pattern): matches = try TextRegex(pattern).matches
            case .ranges(let ranges): matches = ranges.matches
            }
            var tokens = 0, holding = 0, sum = 0, position = 0
            for ids in documents {
                var bytes: [UInt8] = [], ends: [Int] = []
                for id in ids { bytes += tokenizer.bytes(of: id); ends.append(bytes.count) }
                let hits = tokensHit(by: matches(bytes), ends: ends)
                (tokens, holding, sum) = (tokens + hits.count, holding + (hits.isEmpty ? 0 : 1), sum + hits.reduce(0) { $0 + $1 + position })
                position += ids.count
            }
            #expect([tokens, holding, sum] == [tag["tokens"]!.integer, tag["documents"]!.integer, tag["sum_of_positions"]!.integer], "\(name)")
        }
    }

    @Test func `statistics of features are those of torch and numpy`() throws {
        try withTemporaryFolder { folder in
            let statistics = try JSON(parsing: String(contentsOfFile: fixture("goldens/statistics/statistics.json"), encoding: .utf8))
            let lines = try String(contentsOfFile: fixture("corpus.jsonl"), encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            let file = folder.appending(path: "chosen.jsonl"), path = folder.appending(path: "catalogue.sqlite").path
            try Data(statistics["documents"]!.array!.map { lines[$0.integer!] + "\n" }.joined().utf8).write(to: file)
            let names = try ["A/0", "A/1"].map { try DictionaryName(parsing: $0) }
            var request = IngestionRequest(modelFolder: fixture("model-A"), autoencoders: [(fixture("sae-A-0"), names[0]), (fixture("sae-A-1"), names[1])], corpus: CorpusOptions(paths: [file.path]), catalogue: path)
            request.threads = 2
            _ = try Ingestion(request, sizes: IngestionSizes(segmentTokens: 8_192, evaluationTokens: 512, neuronTokens: 512)).run()
            let catalogue = try Catalogue(path: path, for: .writing), corpus = try catalogue.corpus(try catalogue.run(of: names[0]).corpus)
            for name in Self.names {
                let expected = Self.golden["tags"]![name]!
                let tag = try catalogue.tag(corpus, as: name, try predicate(expected), timeLimit: nil, engine: "test", at: "now").tag, marks = try catalogue.positions(of: tag)
                #expect(tag.tokens == expected["chosen_tokens"]!.integer, "\(name)")
                for dictionary in names {
                    let run = try catalogue.run(of: dictionary), all = Dictionary(uniqueKeysWithValues: try catalogue.statistics(against: marks, in: run).map { ($0.feature, $0) })
                    for facts in expected["dictionaries"]![dictionary.description]!.array! {
                        let found = try #require(all[facts["feature"]!.integer!]), what: Comment = "\(name), \(dictionary)/\(found.feature)"
                        // A float32 engine and another disagree on about one in a million decisions at the threshold.
                        #expect(abs(found.firings - facts["firings"]!.integer!) <= 1 && abs(found.firingsMarked - facts["together"]!.integer!) <= 1, what)
                        for (mine, key) in [(found.massSpecificity, "mass"), (found.correlation, "correlation"), (found.binaryCorrelation, "binary_correlation")] {
                            #expect(abs(mine! - facts[key]!.number!) < 2e-4, "\(what) \(key): \(mine!)")
                        }
                        let intervals = try catalogue.firings(of: found.feature, in: run).intervals(against: marks)
                        for (mine, theirs) in zip(intervals, facts["intervals"]!.array!) {
                            // Values are kept to 11 bits, so one at a border may go to the other side.
                            #expect(abs(mine.firings - theirs.array![0].integer!) <= 3 && abs(mine.firingsMarked - theirs.array![1].integer!) <= 3, what)
                        }
                    }
                }
            }
        }
    }
}
