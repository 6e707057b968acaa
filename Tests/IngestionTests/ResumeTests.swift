import Diagnostics
import FeatureCatalogue
import Foundation
@testable import Ingestion
import IngestionSupport
import SQLite
import Testing

@Suite struct ResumeTests {
    /// Makes the statements that `when` describes fail, as a disk might, for the time of one ingest.
    private func failing(_ catalogue: String, _ when: String, _ tiny: TinyIngest, threads: Int) throws {
        _ = try Catalogue(path: tiny.path(catalogue), for: .ingesting)
        do {
            let connection = try Connection(path: tiny.path(catalogue), access: .readWrite)
            try connection.execute("CREATE TRIGGER failure BEFORE \(when) BEGIN SELECT RAISE (ABORT, 'made to fail'); END")
        }
        #expect(throws: (any Error).self, "\(when)") { try tiny.ingest(["small", "large"], into: catalogue) { $0.threads = threads } }
        #expect(try complaints(about: tiny.path(catalogue)) == [], "after the failure at \(when)")
        try Connection(path: tiny.path(catalogue), access: .readWrite).execute("DROP TRIGGER failure")
    }

    @Test func `a run that failed anywhere and was begun again has the rows of one that did not`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "whole")
            let whole = try tiny.rows("whole")
            let segments = try #require(whole.tables["segment"]).count
            #expect(segments >= 16)
            var places = (0..<segments / 2).map { "INSERT ON segment WHEN new.ordinal = \($0)" }
            places += ["INSERT ON segment WHEN new.run_id = 2 AND new.ordinal = 4", "INSERT ON posting WHEN new.id = (3 << 24) + 20", "UPDATE ON corpus WHEN new.is_complete",
                       "INSERT ON feature_topic WHEN new.feature_id = (2 << 32) + 77", "INSERT ON decoder_block", "INSERT ON token_block WHEN new.first_position > 5000",
                       "UPDATE ON statistic WHEN new.firings > 1000", "INSERT ON feature_example WHEN new.feature_id = (1 << 32) + 9", "INSERT ON feature_logit WHEN new.rank = -10",
                       "INSERT ON feature_neuron WHEN new.run_id = 2", "INSERT ON evaluation", "UPDATE ON run WHEN new.is_complete", "UPDATE ON run WHEN new.is_complete AND new.id = 2"]
            for (number, place) in places.enumerated() {
                try failing("broken\(number)", place, tiny, threads: 1 + number % 2)
                let summary = try tiny.ingest(["small", "large"], into: "broken\(number)")
                #expect(summary.outcome == .ingested)
                #expect(try tiny.rows("broken\(number)").difference(from: whole) == [], "\(place)")
                #expect(try complaints(about: tiny.path("broken\(number)")) == [])
            }
        }
    }

    @Test func `a run resumed twice at different places counts nothing twice`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "whole")
            try failing("broken", "INSERT ON segment WHEN new.ordinal = 3", tiny, threads: 2)
            try failing("broken", "INSERT ON segment WHEN new.ordinal = 6", tiny, threads: 1)
            let summary = try tiny.ingest(["small", "large"], into: "broken") { $0.threads = 2 }
            let whole = try tiny.rows("whole")
            #expect(try tiny.rows("broken").difference(from: whole) == [])
            let catalogue = try Catalogue(path: tiny.path("whole"), for: .reading)
            let segments = try catalogue.segments(of: try catalogue.run(of: try DictionaryName(parsing: "T/small")))
            #expect(summary.tokensResumed == segments.prefix(6).reduce(0) { $0 + $1.tokens })
            #expect(summary.firings == (try catalogue.dictionaries().reduce(0) { $0 + (try catalogue.run(of: $1.name).firings) }))
        }
    }

    @Test func `a second ingest of the same run does nothing and says so`() throws {
        try TinyIngest.with { tiny in
            let first = try tiny.ingest(into: "catalogue"), rows = try tiny.rows("catalogue")
            let second = try tiny.ingest(into: "catalogue")
            #expect(first.outcome == .ingested)
            #expect(second.outcome == .alreadyComplete)
            #expect(second.tokens == first.tokens && second.firings == first.firings && second.documents == first.documents)
            #expect(try tiny.rows("catalogue") == rows)
        }
    }

    @Test(arguments: [1, 2, 3]) func `the number of threads changes nothing`(threads: Int) throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "one")
            try tiny.ingest(["small", "large"], into: "many") { $0.threads = threads }
            let one = try tiny.rows("one")
            #expect(try tiny.rows("many").difference(from: one) == [])
        }
    }

    @Test func `two dictionaries in one run are the same as two runs`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "together")
            try tiny.ingest(["small"], into: "apart")
            try tiny.ingest(["large"], into: "apart")
            // Segments are numbered as they come, and postings by their segment.
            let numbered: Set<String> = ["segment.id", "posting.id"]
            let together = try tiny.rows("together", leavingOut: numbered), apart = try tiny.rows("apart", leavingOut: numbered)
            #expect(apart.difference(from: together) == [])
            #expect(apart.tables["corpus"]?.count == 1 && apart.tables["model"]?.count == 1 && apart.tables["run"]?.count == 2)
        }
    }

    @Test func `a dictionary joins one that is half done, and both end whole`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "together")
            _ = try Catalogue(path: tiny.path("apart"), for: .ingesting)
            let connection = try Connection(path: tiny.path("apart"), access: .readWrite)
            try connection.execute("CREATE TRIGGER failure BEFORE INSERT ON segment WHEN new.ordinal = 4 BEGIN SELECT RAISE (ABORT, 'made to fail'); END")
            #expect(throws: (any Error).self) { try tiny.ingest(["small"], into: "apart") }
            try connection.execute("DROP TRIGGER failure")
            try tiny.ingest(["small", "large"], into: "apart")
            let numbered: Set<String> = ["segment.id", "posting.id"]
            let together = try tiny.rows("together", leavingOut: numbered)
            #expect(try tiny.rows("apart", leavingOut: numbered).difference(from: together) == [])
        }
    }

    /// What differs, what is done about it, and what the message says.
    @Test func `another run under a taken name is refused, and nothing is changed`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(into: "catalogue")
            let rows = try tiny.rows("catalogue")
            try TinyModel.random(seed: 9).write(to: tiny.folder.appending(path: "other model"))
            try tiny.write(randomCorpus(documents: 3, seed: 9), to: "other.jsonl")
            let cases: [(String, (inout IngestionRequest) -> Void)] = [
                ("it stands for another model", { $0.modelFolder = tiny.path("other model") }),
                ("it stands for other weights", { $0.autoencoders[0].folder = tiny.path("large") }),
                ("it stands for a run over the corpus \"corpus.jsonl\" as it was read then", { $0.corpus.paths = [tiny.path("other.jsonl")] }),
                ("it stands for a run over the corpus", { $0.corpus.tokenLimit = 5000 }),
                ("it stands for a run over the corpus", { $0.corpus.topicField = "meta" }),
                ("it stands for a run with contexts of 32 tokens", { $0.contextLength = 16 }),
                ("it stands for a run without --prepend-bos", { $0.prependsBOS = true }),
                ("it stands for a run that keeps every firing", { $0.keepTop = 10 }),
            ]
            for (message, change) in cases {
                let error = #expect(throws: MonosemeError.self, "\(message)") { try tiny.ingest(into: "catalogue", change: change) }
                #expect(error?.message.hasPrefix("the name T/small is taken in \"\(tiny.path("catalogue"))\": \(message)") == true, "\(error?.message ?? "")")
                #expect(error?.hint == (message.contains("model") ? "give this run another name with --name, or use another catalogue" : "give this run another name with --name, use another catalogue, or put it in the place of what is there with --replace"))
                #expect(try tiny.rows("catalogue") == rows)
            }
        }
    }

    @Test func `text that changed behind a half-done run is another corpus`() throws {
        try TinyIngest.with { tiny in
            try failing("catalogue", "INSERT ON segment WHEN new.ordinal = 3", tiny, threads: 1)
            let corpus = try String(contentsOfFile: tiny.path("corpus.jsonl"), encoding: .utf8)
            try tiny.write(corpus.replacing("a", with: "z", maxReplacements: 1), to: "corpus.jsonl")
            let error = #expect(throws: MonosemeError.self) { try tiny.ingest(["small", "large"], into: "catalogue") }
            #expect(error?.message.contains("is taken") == true)
            try tiny.write(corpus, to: "corpus.jsonl")
            try tiny.ingest(["small", "large"], into: "catalogue")
            try tiny.ingest(["small", "large"], into: "whole")
            let whole = try tiny.rows("whole")
            #expect(try tiny.rows("catalogue").difference(from: whole) == [])
        }
    }
}
