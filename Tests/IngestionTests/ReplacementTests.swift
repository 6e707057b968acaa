import Diagnostics
import FeatureCatalogue
import Foundation
@testable import Ingestion
import IngestionSupport
import SQLite
import Testing

/// A name that is ingested anew: what was counted goes, what people said stays. The witness is a catalogue that was ingested with the new
/// inputs from the start. Mutations tried: postings left behind; the lineage left; the corpus left.
@Suite struct ReplacementTests {
    private let small = DictionaryName("T/small")!

    private func label(_ tiny: TinyIngest, _ indices: [Int] = [3, 7]) throws {
        let catalogue = try Catalogue(path: tiny.path("catalogue"), for: .writing)
        for index in indices { _ = try catalogue.addLabel("label \(index)", to: FeatureName(dictionary: small, index: index), author: "ada", at: "2026-01-01T00:00:00Z") }
    }

    private func statuses(_ tiny: TinyIngest) throws -> [String] {
        try Connection(path: tiny.path("catalogue"), access: .readOnly).rows("SELECT status FROM label_current ORDER BY feature_id") { $0.text(0) }
    }

    /// All rows but those of labels, and the numbers that only say in which order things were made.
    private func rows(_ tiny: TinyIngest, _ name: String) throws -> CatalogueRows {
        var rows = try tiny.rows(name, leavingOut: Set(["segment.id", "posting.id", "corpus.id", "run.corpus_id", "source.corpus_id", "source.id", "topic.corpus_id", "topic.id", "document.corpus_id", "document.topic_id",
                                                   "document.source_id", "token_block.corpus_id", "token_block.id", "decoder_block.id", "code_block.id", "feature_topic.topic_id", "run.id", "feature_text.label"])
            .union(["segment", "statistic", "feature_topic", "feature_example", "feature_token", "feature_neuron", "evaluation"].map { "\($0).run_id" }))
        for table in rows.tables.keys where table.hasPrefix("label") || table == "feature_label" || table == "sqlite_stat1" { rows.tables[table] = nil }
        return rows
    }

    @Test func `over another corpus labels turn stale, and all else is as if it had been ingested so from the start`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "catalogue")
            try label(tiny)
            try tiny.write(randomCorpus(documents: 40, seed: 9), to: "other.jsonl")
            func other(_ request: inout IngestionRequest) { request.corpus.paths = [tiny.path("other.jsonl")]; request.replaces = true }
            #expect(try statuses(tiny) == ["accepted", "accepted"])
            // The large one keeps its run, and the corpus with it.
            let first = try tiny.ingest(["small"], into: "catalogue", change: other)
            #expect(first.outcome == .ingested && first.replacement.dictionaries == [small] && first.replacement.staleLabels == 2 && first.replacement.corporaKept == [])
            #expect(try statuses(tiny) == ["stale", "stale"])
            #expect(try complaints(about: tiny.path("catalogue")) == [])
            let second = try tiny.ingest(["small", "large"], into: "catalogue", change: other)
            #expect(second.replacement.dictionaries.map(\.description) == ["T/large"])
            try tiny.ingest(["small", "large"], into: "fresh", change: other)
            let difference = try rows(tiny, "catalogue").difference(from: rows(tiny, "fresh"))
            #expect(difference == [])
            #expect(try complaints(about: tiny.path("catalogue")) == [])

            // A decision does not make a label fresh; a new label is.
            let catalogue = try Catalogue(path: tiny.path("catalogue"), for: .writing)
            #expect(try catalogue.check().findings.map(\.description) == [])
            try catalogue.decide(1, .accepted, author: "ada", at: "2026-01-02T00:00:00Z")
            #expect(try statuses(tiny) == ["stale", "stale"])
            var stale: [String] = []
            try catalogue.forEachLabel(in: nil, .stale) { stale.append($0.feature.description) }
            #expect(stale == ["T/small/3", "T/small/7"])
            try label(tiny, [3])
            #expect(try statuses(tiny) == ["accepted", "stale"])
            #expect(try catalogue.overview(of: 7, in: catalogue.dictionary(named: small)).labelStatus == .stale)

            // The same again does nothing; the old corpus again makes the old labels fresh.
            #expect(try tiny.ingest(["small", "large"], into: "catalogue", change: other).outcome == .alreadyComplete)
            #expect(try statuses(tiny) == ["accepted", "stale"])
            try tiny.ingest(["small", "large"], into: "catalogue") { $0.replaces = true }
            #expect(try statuses(tiny) == ["stale", "accepted"])
        }
    }

    @Test func `with equal inputs nothing is replaced, and with other rules labels stay fresh`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(into: "catalogue")
            try label(tiny)
            let rows = try tiny.rows("catalogue")
            let again = try tiny.ingest(into: "catalogue") { $0.replaces = true }
            #expect(again.outcome == .alreadyComplete && again.replacement.dictionaries == [])
            #expect(try tiny.rows("catalogue") == rows)
            let other = try tiny.ingest(into: "catalogue") { ($0.replaces, $0.keepTop) = (true, 5) }
            #expect(other.replacement.dictionaries == [small] && other.replacement.staleLabels == 0)
            #expect(try statuses(tiny) == ["accepted", "accepted"])
            // Another model is another dictionary.
            try TinyModel.random(seed: 9).write(to: tiny.folder.appending(path: "other model"))
            let error = #expect(throws: MonosemeError.self) { try tiny.ingest(into: "catalogue") { ($0.replaces, $0.keepTop, $0.modelFolder) = (true, 5, tiny.path("other model")) } }
            #expect(error?.message.contains("it stands for another model") == true)
        }
    }

    @Test func `other weights take the place of a dictionary's, and what was made from the old ones goes`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(["small", "large"], into: "catalogue")
            try label(tiny)
            do {
                // What came of it since: a neighbour graph, and a lineage, of which the rows of its own table are enough here.
                let catalogue = try Catalogue(path: tiny.path("catalogue"), for: .writing)
                try catalogue.connection.execute("""
                    INSERT INTO neighbour_graph (dictionary_id, target_id, k, neighbours, engine, started_at) VALUES (2, 1, 1, 1, 'test', ''); INSERT INTO feature_neighbour VALUES ((2 << 32) + 1, 1, 1, 1 << 32, 0.5);
                    INSERT INTO lineage_build (coarse_id, fine_id, corpus_id, has_decoder_evidence, rules, engine, started_at) VALUES (1, 2, 1, 1, 1, 'test', ''); INSERT INTO lineage_feature (build_id, feature_id) VALUES (1, 1 << 32)
                    """)
            }
            // More features under the name of fewer, then fewer again.
            func large(_ request: inout IngestionRequest) { (request.autoencoders[0].folder, request.replaces) = (tiny.path("large"), true) }
            let summary = try tiny.ingest(into: "catalogue", change: large)
            #expect(summary.replacement.lineages == 1 && summary.replacement.neighbourGraphs == 1 && summary.replacement.staleLabels == 2)
            try tiny.ingest(["small", "large"], into: "fresh", change: large)
            let difference = try rows(tiny, "catalogue").difference(from: rows(tiny, "fresh"))
            #expect(difference == [])
            let catalogue = try Catalogue(path: tiny.path("catalogue"), for: .reading)
            #expect(try catalogue.check().findings.map(\.description) == [] && catalogue.dictionary(named: small).features == 96)
            #expect(try catalogue.labels(of: FeatureName("T/small/3")!).map { "\($0.text) \($0.status.rawValue)" } == ["label 3 stale"])

            try label(tiny, [60, 90, 91, 92, 93])
            let before = try tiny.rows("catalogue")
            let error = #expect(throws: MonosemeError.self) { try tiny.ingest(into: "catalogue") { $0.replaces = true } }
            #expect(error?.message == "the new weights of T/small have 48 features, and there are labels or scores of T/small/60, T/small/90, T/small/91 and 2 more")
            #expect(try tiny.rows("catalogue") == before)
        }
    }

    @Test func `features that came as text get the weights and firings of an ingest`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(into: "catalogue")
            try label(tiny)
            try Connection(path: tiny.path("catalogue"), access: .readWrite).execute("UPDATE dictionary SET weights_sha256 = '', hook = 'unknown'")
            let error = #expect(throws: MonosemeError.self) { try tiny.ingest(into: "catalogue") }
            #expect(error?.message.hasSuffix("it stands for features without weights") == true)
            #expect(try tiny.ingest(into: "catalogue") { $0.replaces = true }.outcome == .ingested)
            try tiny.ingest(into: "fresh")
            let difference = try rows(tiny, "catalogue").difference(from: rows(tiny, "fresh"))
            #expect(difference == [])
        }
    }

    @Test func `fewer features without labels on those that go are fewer rows`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(into: "catalogue") { $0.autoencoders[0].folder = tiny.path("large") }
            try label(tiny)
            try tiny.ingest(into: "catalogue") { $0.replaces = true }
            try tiny.ingest(into: "fresh")
            let difference = try rows(tiny, "catalogue").difference(from: rows(tiny, "fresh"))
            #expect(difference == [])
            #expect(try Catalogue(path: tiny.path("catalogue"), for: .reading).check().findings.map(\.description) == [])
            #expect(try statuses(tiny) == ["stale", "stale"])
        }
    }

    @Test func `a replacement that fails anywhere is as before or goes on to its end`() throws {
        try TinyIngest.with { tiny in
            try tiny.write(randomCorpus(documents: 30, seed: 9), to: "other.jsonl")
            func replace(_ request: inout IngestionRequest) { (request.autoencoders[0].folder, request.corpus.paths, request.replaces) = (tiny.path("large"), [tiny.path("other.jsonl")], true) }
            try tiny.ingest(into: "fresh", change: replace)
            let fresh = try rows(tiny, "fresh")
            for (place, isBefore) in [("DELETE ON posting WHEN old.id & 1023 = 20", true), ("DELETE ON run", true), ("DELETE ON corpus", true), ("UPDATE ON dictionary", true), ("UPDATE ON feature WHEN new.feature_index = 30", true),
                                      ("INSERT ON feature WHEN new.feature_index = 95", true), ("INSERT ON decoder_block", true), ("INSERT ON run", true), ("INSERT ON segment WHEN new.ordinal = 0", false),
                                      ("INSERT ON segment WHEN new.ordinal = 2", false), ("UPDATE ON run WHEN new.is_complete", false)] {
                for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: tiny.path("catalogue") + ending) }
                try tiny.ingest(into: "catalogue")
                try label(tiny)
                let before = try tiny.rows("catalogue"), path = tiny.path("catalogue")
                try Connection(path: path, access: .readWrite).execute("CREATE TRIGGER failure BEFORE \(place) BEGIN SELECT RAISE (ABORT, 'made to fail'); END")
                #expect(throws: (any Error).self, "\(place)") { try tiny.ingest(into: "catalogue", change: replace) }
                #expect(try complaints(about: path) == [], "\(place)")
                #expect(try (tiny.rows("catalogue") == before) == isBefore, "\(place)")
                try Connection(path: path, access: .readWrite).execute("DROP TRIGGER failure")
                // Once it has begun, the same command goes on also where it does not say that it replaces.
                try tiny.ingest(into: "catalogue") { replace(&$0); $0.replaces = isBefore }
                #expect(try rows(tiny, "catalogue").difference(from: fresh) == [], "\(place)")
                #expect(try statuses(tiny) == ["stale", "stale"])
            }
        }
    }

    @Test func `a corpus with tags, or with examples of labels, stays`() throws {
        try TinyIngest.with { tiny in
            try tiny.ingest(into: "catalogue")
            try label(tiny)
            do {
                let catalogue = try Catalogue(path: tiny.path("catalogue"), for: .writing)
                try catalogue.addExamples([LabelExample(firstPosition: 5, tokens: 10, role: .train, kind: "top", activation: 1)], to: 1)
            }
            let kept = try tiny.ingest(into: "catalogue") { ($0.replaces, $0.corpus.tokenLimit) = (true, 3_000) }
            #expect(kept.replacement.corporaKept == ["corpus.jsonl"])
            let catalogue = try Catalogue(path: tiny.path("catalogue"), for: .reading)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM corpus") == 2)
            #expect(try catalogue.check().findings.map(\.description) == [])
            // Going back to it is going back to the labels made on it.
            let back = try tiny.ingest(into: "catalogue") { $0.replaces = true }
            #expect(back.replacement.corporaKept == [] && back.replacement.staleLabels == 0)
            #expect(try catalogue.connection.integer("SELECT count(*) FROM corpus") == 1)
        }
    }
}
