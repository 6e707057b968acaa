import Diagnostics
public import FeatureCatalogue
import Formats

/// The forms in which a dictionary can be exported.
public enum ExportFormat: String, Sendable, CaseIterable {
    /// One document: the head's members, then one array for each kind of part, `features` the last.
    case json
    /// A first line with the head, then one line for each part.
    case jsonl
    /// A folder for Neuronpedia's importer: `exportNeuronpedia`.
    case neuronpedia
    /// A line of names, then one line a feature: what `feature_overview` says, its label, its scores, its main topic.
    case csv
}

/// The version of the export's form; its rules are Export.schema.json.
public let exportFormatName = "monoseme-export-2"

/// How an export is written.
public struct ExportOptions: Sendable, Equatable {
    public var format = ExportFormat.json
    /// Whether each feature has its unit decoder vector with it.
    public var hasVectors = false
    /// Whether every firing and all of the corpus go along, so that an import is the same catalogue.
    public var hasFirings = false
    /// How many threads write features; the bytes do not depend on it.
    public var threads = 1

    public init(format: ExportFormat = .json, hasVectors: Bool = false, hasFirings: Bool = false, threads: Int = 1) {
        (self.format, self.hasVectors, self.hasFirings, self.threads) = (format, hasVectors, hasFirings, threads)
    }
}

/// Writes the labelled catalogue of one dictionary: everything `show` knows of each feature, in order of index, and what an import needs to
/// make the same rows of it.
///
/// Streams: memory does not grow with the number of features. The same catalogue gives the same bytes.
/// - Parameter write: takes the bytes as they come.
public func export(_ name: DictionaryName, of catalogue: Catalogue, _ options: ExportOptions, progress: (Int, Int) -> Void = { _, _ in }, to write: ([UInt8]) throws -> Void) throws {
    let run = try catalogue.run(of: name)
    guard run.isComplete else { throw MonosemeError("the ingest of \(name) is unfinished", hint: "run the same monoseme ingest again: it goes on where it stopped") }
    let others = try otherReaders(of: catalogue, options.threads - 1)
    defer { for other in others { try? other.connection.execute("ROLLBACK") } }
    try withSameSnapshot(catalogue, others) {
        if options.format == .csv { return try exportCSV(run, of: catalogue, progress: progress, to: write) }
        if options.hasVectors, run.dictionary.width == 0 { throw MonosemeError("the vectors of \(name) are not in \(quoted(catalogue.path, limit: 400))", hint: "leave out --vectors") }
        let evidence = try Evidence(catalogue, run)
        if options.hasFirings, !evidence.isWhole { throw MonosemeError("\(quoted(catalogue.path, limit: 400)) has only windows of the corpus of \(name)", hint: "leave out --firings") }
        try withoutActuallyEscaping(write) { write in
            let output = SectionedOutput(isDocument: options.format == .json, write)
            try output.begin { writer in try ExportHead(catalogue, run, options, evidence).write(&writer) }
            let parts = ExportParts(catalogue, run)
            try output.section("vocabulary", parts.forEachPieceOfVocabulary)
            try output.section("documents", parts.forEachPieceOfDocuments)
            if options.hasFirings {
                try output.section("token_blocks", parts.forEachTokenBlock)
                try output.section("tag_blocks", parts.forEachTagBlock)
                try output.section("postings", parts.forEachPieceOfPostings)
            }
            try output.section("kin_facts", parts.forEachPieceOfKinFacts)
            try withoutActuallyEscaping(progress) { progress in
                try output.section("features") { take in try forEachFeature(run, [catalogue] + others, options, progress: progress, take) }
            }
            try output.end()
        }
    }
}

/// A head and what follows it in sections: one document, or a line for each part.
private final class SectionedOutput {
    private let isDocument: Bool
    private let write: ([UInt8]) throws -> Void

    init(isDocument: Bool, _ write: @escaping ([UInt8]) throws -> Void) { (self.isDocument, self.write) = (isDocument, write) }

    func begin(_ head: (inout JSONWriter) throws -> Void) throws {
        var writer = JSONWriter()
        try writer.object(head)
        // The document's brace stays open: its parts are members that follow the head's.
        try write(isDocument ? Array(writer.bytes.dropLast()) : writer.bytes + [UInt8(ascii: "\n")])
    }

    /// - Parameter body: calls what it is given with each part.
    func section(_ name: String, _ body: (@escaping ([UInt8]) throws -> Void) throws -> Void) throws {
        if isDocument { try write(Array(",\"\(name)\":[".utf8)) }
        var isFirst = true
        try body { [isDocument, write] part in
            if isDocument, !isFirst { try write([UInt8(ascii: ",")]) }
            isFirst = false
            try write(part)
            if !isDocument { try write([UInt8(ascii: "\n")]) }
        }
        if isDocument { try write([UInt8(ascii: "]")]) }
    }

    func end() throws { if isDocument { try write(Array("}\n".utf8)) } }
}

/// Features that one thread writes at a time.
private let featuresPerPiece = 16

/// Calls `take` with each feature as JSON, in order; the writing is spread over threads, each of which has a catalogue of its own.
private func forEachFeature(_ run: Run, _ catalogues: [Catalogue], _ options: ExportOptions, progress: (Int, Int) -> Void, _ take: ([UInt8]) throws -> Void) throws {
    let features = run.dictionary.features, nearest = NearestLists(of: run.dictionary, in: catalogues[0], threads: catalogues.count)
    let pieces = (features + featuresPerPiece - 1) / featuresPerPiece
    try withoutActuallyEscaping(take) { take in
        try withoutActuallyEscaping(progress) { progress in
            let line = PieceLine(pieces, ahead: 8 * catalogues.count) { piece, features in
                for feature in features { try take(feature) }
                progress(min(run.dictionary.features, (piece + 1) * featuresPerPiece), run.dictionary.features)
            }
            // A writer belongs to one place of these, and each place to one thread.
            nonisolated(unsafe) let writers = try catalogues.map { try FeatureWriter($0, run, options, nearest) }
            forEachOnThreads(writers.count, threads: writers.count) { place, _ in
                while let piece = line.next() {
                    let start = piece * featuresPerPiece, end = min(features, start + featuresPerPiece)
                    line.add(piece, Result { try (start..<end).map { try writers[place].json(of: $0) } })
                }
            }
            if let failure = line.failure { throw failure }
        }
    }
}

// MARK: Several readers

/// More catalogues of the same file; none for one in memory, and fewer than asked where they cannot be opened.
private func otherReaders(of catalogue: Catalogue, _ count: Int) throws -> [Catalogue] {
    guard count > 0, catalogue.connection.path != nil else { return [] }
    return (0..<count).compactMap { _ in try? Catalogue(path: catalogue.path, for: .reading) }
}

/// Runs `body` in a snapshot that all readers share. `others` stay in theirs.
private func withSameSnapshot(_ catalogue: Catalogue, _ others: [Catalogue], _ body: () throws -> Void) throws {
    catalogue.connection.keepsStatements = true
    defer { catalogue.connection.keepsStatements = false }
    for other in others { other.connection.keepsStatements = true }
    while true {
        // Nobody has committed between the two looks at the version, so all that began in between see the same.
        let version = try catalogue.connection.integer("PRAGMA data_version")
        for other in others {
            try other.connection.execute("BEGIN")
            _ = try other.connection.integer("SELECT count(*) FROM dictionary")
        }
        let isSame: Bool = try catalogue.connection.snapshot {
            guard try catalogue.connection.integer("PRAGMA data_version") == version else { return false }
            try body()
            return true
        }
        if isSame { return }
        for other in others { try other.connection.execute("ROLLBACK") }
    }
}
