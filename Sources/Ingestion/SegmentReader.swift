import Diagnostics
import FeatureCatalogue
import Tokenization

/// Turns a corpus into segments: documents tokenised one by one, cut into contexts, gathered until a segment is full.
///
/// The same corpus and rules give the same segments, wherever a run is resumed.
final class SegmentReader {
    /// A segment and the lengths of its contexts.
    typealias Piece = (layout: SegmentLayout, contexts: [Int])

    private let reader: CorpusReader
    private let encoder: Encoder
    private let contextTokens: Int
    private let tokenLimit: Int
    private let segmentTokens: Int
    private var document: (source: SourceDocument, tokens: [Int32], firstPosition: Int, ordinal: Int, at: Int)?
    private var documents = 0
    private var position = 0
    private var segments = 0

    /// Documents that gave no token.
    private(set) var emptyDocuments = 0
    /// Bytes of text taken so far.
    private var textBytes = 0
    private(set) var tokens = 0

    var malformedLines: Int { reader.malformedLines }

    /// - Parameters:
    ///   - contextTokens: corpus tokens in the longest context.
    ///   - segmentTokens: a segment is closed by the context that brings it to this many tokens.
    init(_ reader: CorpusReader, tokenizer: Tokenizer, contextTokens: Int, tokenLimit: Int?, segmentTokens: Int) {
        self.reader = reader
        self.contextTokens = contextTokens
        self.tokenLimit = tokenLimit ?? .max
        self.segmentTokens = segmentTokens
        encoder = tokenizer.makeEncoder()
    }

    /// The next segment and the lengths of its contexts, or `nil` at the end.
    func next() throws -> Piece? {
        var layout = SegmentLayout(ordinal: segments, firstPosition: position)
        var contexts: [Int] = []
        while layout.tokens.count < segmentTokens, position < tokenLimit {
            if document == nil, try !openDocument() { break }
            let (source, tokens, first, ordinal, at) = document!
            let count = min(contextTokens, tokens.count - at, tokenLimit - position)
            layout.tokens.append(contentsOf: tokens[at..<at + count])
            contexts.append(count)
            if let last = layout.parts.last, last.documentFirstPosition == first {
                layout.parts[layout.parts.count - 1] = part(source, first, ordinal, tokens: last.tokens + count)
            } else {
                layout.parts.append(part(source, first, ordinal, tokens: count))
            }
            position += count
            if at + count == tokens.count { document = nil } else { document!.at += count }
        }
        guard !contexts.isEmpty else { return nil }
        segments += 1
        self.tokens = position
        return (layout, contexts)
    }

    /// The first segment.
    /// - Throws: `MonosemeError` where there is none.
    func first(of corpus: CorpusOptions) throws -> Piece {
        if let first = try next() { return first }
        throw MonosemeError("the corpus \(quoted(corpus.name)) holds no text\(malformedLines > 0 ? " (\(malformedLines) lines could not be read)" : "")", hint: "check the file, --text-field and --corpus")
    }

    /// How many tokens there will be, as far as can be told from the bytes read.
    func tokensExpected(of corpus: CorpusOptions) -> Int? {
        var expected: Int?
        // JSON's quoting and other members make a file a little larger than its text: an estimate.
        if let bytes = reader.bytesOnDisk, textBytes > 0, !corpus.paths.contains(where: { $0.hasSuffix(".gz") || $0.hasSuffix(".zst") }) {
            expected = max(tokens, Int(Double(tokens) / Double(textBytes) * Double(bytes) * 0.97))
        }
        if let limit = corpus.tokenLimit { expected = min(expected ?? limit, limit) }
        return expected
    }

    private func part(_ source: SourceDocument, _ first: Int, _ ordinal: Int, tokens: Int) -> SegmentLayout.Part {
        SegmentLayout.Part(ordinal: ordinal, documentFirstPosition: first, tokens: tokens, topic: source.topic, source: source.source, line: source.line)
    }

    private func openDocument() throws -> Bool {
        while let source = try reader.next() {
            textBytes += source.text.count
            let tokens = source.text.withUnsafeBytes { encoder.encode($0) }
            if tokens.isEmpty { emptyDocuments += 1; continue }
            document = (source, tokens, position, documents, 0)
            documents += 1
            return true
        }
        return false
    }
}
