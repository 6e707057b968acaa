import Diagnostics
public import FeatureCatalogue

/// What a tag says of a token: some of its bytes lie in a match of a pattern, or belong to a character of some ranges.
///
/// Both are asked of the text of whole documents, so a character whose bytes are spread over several tokens counts for each of them, and
/// a match never reaches from one document into the next.
public enum TokenPredicate: Sendable, Equatable {
    case regex(String)
    case ranges(UnicodeRanges)

    public var kind: TagKind {
        switch self {
        case .regex: .regex
        case .ranges: .range
        }
    }

    public var definition: String {
        switch self {
        case .regex(let pattern): pattern
        case .ranges(let ranges): ranges.definition
        }
    }
}

/// How far an evaluation is.
public struct TaggingProgress: Sendable {
    public let documents: Int
    public let documentsExpected: Int
    /// Tokens found so far.
    public let tokens: Int
}

extension Catalogue {
    /// Evaluates `predicate` over every token of a corpus and keeps the result as the tag `name`.
    ///
    /// Nothing is kept before the last document is done. A tag that is there already with this definition stays as it is.
    /// - Parameters:
    ///   - replaces: whether a tag of this name with another definition gives way.
    ///   - timeLimit: for each document, in seconds: the pattern is matched in a copy of this process, which is ended then, and whose crash
    ///     is an error like others. `nil`: in this process, for patterns that one trusts.
    /// - Returns: the tag, and whether it had to be evaluated.
    /// - Throws: when the name is taken or no name, the corpus is not wholly read, the pattern does not compile or takes too long.
    public func tag(_ corpus: Corpus, as name: String, _ predicate: TokenPredicate, replaces: Bool = false, timeLimit: Double? = 10, engine: String, at time: String,
                    report: (TaggingProgress) -> Void = { _ in }) throws -> (tag: Tag, isNew: Bool) {
        let name = try tagName(name, of: corpus)
        if let known = try tagIfAny(named: name, of: corpus.id) {
            if known.kind == predicate.kind, known.definition == predicate.definition { return (known, false) }
            guard replaces else {
                throw MonosemeError("the tag \(quoted(known.name)) is there already, with another definition: \(known.kind.rawValue) \(quoted(known.definition, limit: 200))",
                                    hint: "choose another name, or put the new one in its place with --replace")
            }
        }
        guard corpus.isComplete else {
            throw MonosemeError("the corpus \(quoted(corpus.name)) is not wholly read yet", hint: "run monoseme ingest again with the same arguments: it goes on where it stopped")
        }
        let (positions, documents) = try evaluate(predicate, over: corpus, timeLimit: timeLimit, report)
        return (try keepTag(name, predicate.kind, predicate.definition, positions, documents: documents, of: corpus, engine: engine, at: time), true)
    }

    /// The tokens of a corpus that satisfy a predicate, and how many documents hold one.
    private func evaluate(_ predicate: TokenPredicate, over corpus: Corpus, timeLimit: Double?, _ report: (TaggingProgress) -> Void) throws -> (PositionSet, documents: Int) {
        try evaluate([predicate], over: try CorpusText(self, corpus: corpus.id), timeLimit: timeLimit, report)[0]
    }

    /// The same of several, the text being put together once for all of them.
    func evaluate(_ predicates: [TokenPredicate], over text: CorpusText, timeLimit: Double?, _ report: (TaggingProgress) -> Void) throws -> [(PositionSet, documents: Int)] {
        let corpus = text.corpus, length = try positionCount(of: corpus.id)
        let matchers = try predicates.map { predicate -> ([UInt8], Int) throws -> [Range<Int>] in
            switch predicate {
            case .ranges(let ranges): return { bytes, _ in ranges.matches(in: bytes) }
            case .regex(let pattern):
                guard let timeLimit else {
                    let regex = try TextRegex(pattern)
                    return { bytes, _ in regex.matches(in: bytes) }
                }
                let worker = try RegexWorker(pattern, timeLimit: timeLimit)
                return { bytes, position in try worker.matches(in: bytes, of: (try? self.name(ofDocumentAt: position, of: corpus)) ?? "the document at position \(position)") }
            }
        }
        var found = predicates.map { _ in (PositionSet(length: length), documents: 0) }, tokens = 0
        for (place, start) in text.documents.starts.enumerated() {
            let bounds = try text.place(of: start).bounds
            guard bounds.upperBound <= length else { throw damagedDocument(start) }
            let ids = try text.tokens(at: bounds)
            guard ids.count == bounds.count else { throw damagedDocument(start) }
            var bytes: [UInt8] = [], ends: [Int] = []
            ends.reserveCapacity(ids.count)
            for id in ids {
                bytes += try text.bytes(of: id)
                ends.append(bytes.count)
            }
            for (number, matches) in matchers.enumerated() {
                let hits = tokensHit(by: try matches(bytes, start), ends: ends)
                for token in hits { found[number].0.insert(start + token) }
                tokens += hits.count
                found[number].documents += hits.isEmpty ? 0 : 1
            }
            report(TaggingProgress(documents: place + 1, documentsExpected: text.documents.count, tokens: tokens))
        }
        return found
    }

    private func name(ofDocumentAt position: Int, of corpus: Corpus) throws -> String {
        guard let document = try document(at: position, of: corpus.id) else { return "the document at position \(position)" }
        return "document \(document.ordinal) (\(quoted(document.source, limit: 400))\(document.line.map { ", line \($0)" } ?? ""))"
    }

    private func damagedDocument(_ position: Int) -> MonosemeError {
        MonosemeError("the document at position \(position) in \(quoted(path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
    }
}

/// The tokens of a document of which some byte lies in a match, ascending.
///
/// - Parameters:
///   - matches: ranges of bytes, ascending, none empty.
///   - ends: of each token, the offset behind its last byte; a token without bytes is in no match.
func tokensHit(by matches: [Range<Int>], ends: [Int]) -> [Int] {
    var hits: [Int] = []
    var token = 0
    for match in matches {
        while token < ends.count, ends[token] <= match.lowerBound { token += 1 }
        while token < ends.count, case let start = token == 0 ? 0 : ends[token - 1], start < match.upperBound {
            if start < ends[token] { hits.append(token) }
            // The next match may begin in this token.
            if ends[token] > match.upperBound { break }
            token += 1
        }
    }
    var last = -1
    return hits.filter { token in
        defer { last = token }
        return token != last
    }
}
