import FeatureCatalogue
import Foundation
import SQLite
import TestSupport

/// A catalogue of nothing but text: documents given token by token, in segments of four tokens. Topics are "one" and "two" in turn.
struct TextCatalogue {
    let catalogue: Catalogue
    let corpus: Corpus

    init(_ documents: [[[UInt8]]], in folder: URL, isComplete: Bool = true) throws {
        let catalogue = try Catalogue(path: folder.appending(path: "\(UUID().uuidString).sqlite").path, for: .ingesting)
        let spellings = Set(documents.joined()).sorted { $0.lexicographicallyPrecedes($1) } + [[]]
        let made = try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: spellings.count) { spellings[$0] }
            return try catalogue.register(CorpusDescription(name: "text", fingerprint: "f", settings: "{}"), tokenizer: tokenizer)
        }
        let writer = try SegmentWriter(catalogue, corpus: made, runs: [])
        var tokens: [Int32] = [], documentOf: [Int] = [], starts: [Int] = []
        for (number, document) in documents.enumerated() {
            starts.append(tokens.count)
            for spelling in document { tokens.append(Int32(spellings.firstIndex(of: spelling)!)); documentOf.append(number) }
        }
        for (ordinal, first) in stride(from: 0, to: tokens.count, by: 4).enumerated() {
            let range = first..<min(tokens.count, first + 4)
            var layout = SegmentLayout(ordinal: ordinal, firstPosition: first)
            layout.tokens = Array(tokens[range])
            for number in Set(documentOf[range]).sorted() {
                layout.parts.append(.init(ordinal: number, documentFirstPosition: starts[number], tokens: documentOf[range].count { $0 == number }, topic: number % 2 == 0 ? "one" : "Two", source: "text.jsonl", line: number + 1))
            }
            try writer.commit(layout, [], at: "2026-01-01T00:00:00Z")
        }
        if isComplete { try catalogue.complete(catalogue.corpus(made.id), emptyDocuments: 0, malformedLines: 0) }
        (self.catalogue, corpus) = (catalogue, try catalogue.corpus(made.id))
    }
}

/// Tokens spelled as text.
func tokens(_ spellings: String...) -> [[UInt8]] { spellings.map { Array($0.utf8) } }
