import Diagnostics
public import FeatureCatalogue

/// Evaluates rules on every token of a corpus, exactly.
///
/// What costs something, patterns and ranges, is kept, so that rules that share one cost it once. Memory: 8 bytes a token, and a bit a token for each pattern.
public final class RuleEvaluator {
    private let catalogue: Catalogue
    public let text: CorpusText
    /// Positions of the corpus.
    public let length: Int
    private let timeLimit: Double?
    /// Evaluated by us, or by whoever knows a quicker way.
    var known: [LabelRule: PositionSet] = [:]
    private lazy var tokens = Result { try readTokens() }
    private lazy var vocabulary = Result { try readVocabulary() }
    private lazy var occurrences = Result { try readOccurrences() }
    private lazy var startsDocument = PositionSet(text.documents.starts, length: length)

    /// - Parameter timeLimit: for each pattern and document, in seconds; the pattern is matched in a copy of this process, which is ended then. `nil`: in this one,
    ///   for patterns that one trusts.
    public init(_ catalogue: Catalogue, corpus: Int, timeLimit: Double? = 10) throws {
        (self.catalogue, self.timeLimit) = (catalogue, timeLimit)
        text = try CorpusText(catalogue, corpus: corpus)
        guard text.corpus.isComplete else {
            throw MonosemeError("the corpus \(quoted(text.corpus.name)) is not wholly read yet", hint: "run monoseme ingest again with the same arguments: it goes on where it stopped")
        }
        length = try catalogue.positionCount(of: corpus)
        var next = 0
        for (start, tokens) in zip(text.documents.starts, text.documents.lengths) {
            guard start == next, tokens > 0, tokens <= length - next else { throw damagedDocument(start) }
            next += tokens
        }
        guard next == length else { throw damagedDocument(next) }
    }

    private func damagedDocument(_ start: Int) -> MonosemeError {
        MonosemeError("the document at position \(start) in \(quoted(catalogue.path, limit: 400)) is damaged", hint: "monoseme check lists all damage")
    }

    /// Makes sure that the patterns and ranges of a rule are such, which needs no corpus.
    public static func validate(_ rule: LabelRule) throws {
        for part in rule.parts {
            switch part {
            case .regex(let pattern): _ = try TextRegex(pattern)
            case .range(let blocks): _ = try UnicodeRanges(parsing: blocks)
            default: break
            }
        }
    }

    /// Evaluates all patterns and ranges of some rules in one go over the text; what follows is quick.
    public func prepare(_ rules: [LabelRule], report: (TaggingProgress) -> Void = { _ in }) throws {
        var wanted: [LabelRule] = []
        for part in rules.flatMap(\.parts) where known[part] == nil && !wanted.contains(part) { if try predicate(part) != nil { wanted.append(part) } }
        // Each pattern has a process of its own: not too many at once.
        for start in stride(from: 0, to: wanted.count, by: RuleEvaluator.patternsAtOnce) {
            let group = Array(wanted[start..<min(wanted.count, start + RuleEvaluator.patternsAtOnce)])
            let share = (start, wanted.count)
            let found = try catalogue.evaluate(try group.map { try predicate($0)! }, over: text, timeLimit: timeLimit) { step in
                report(TaggingProgress(documents: (step.documents * group.count + step.documentsExpected * share.0) / share.1, documentsExpected: step.documentsExpected, tokens: step.tokens))
            }
            for (rule, set) in zip(group, found) { known[rule] = set.0 }
        }
    }

    private static let patternsAtOnce = 16

    /// The tokens for which a rule holds.
    /// - Throws: for a pattern that is none or takes too long, and for a token, topic, tag or block that there is not.
    public func positions(of rule: LabelRule, report: (TaggingProgress) -> Void = { _ in }) throws -> PositionSet {
        try prepare([rule], report: report)
        var set = try positions(ofPart: rule.parts[0])
        for part in rule.parts.dropFirst() { set.formIntersection(try positions(ofPart: part)) }
        return set
    }

    private func positions(ofPart part: LabelRule) throws -> PositionSet {
        if let known = known[part] { return known }
        switch part {
        case .topic(let name):
            let set = try catalogue.positions(of: try catalogue.subject(named: name, of: text.corpus.id), in: text.corpus.id)
            known[part] = set
            return set
        case .tokens(let spellings):
            var set = PositionSet(length: length)
            for id in try members(spellings) { try forEachPosition(of: id) { set.insert($0) } }
            return set
        case .after(let spellings):
            var set = PositionSet(length: length)
            for id in try members(spellings) { try forEachPosition(of: id) { if $0 + 1 < length, !startsDocument.contains($0 + 1) { set.insert($0 + 1) } } }
            return set
        case .regex, .range, .all: preconditionFailure("prepared, or taken apart")
        }
    }

    private func predicate(_ part: LabelRule) throws -> TokenPredicate? {
        switch part {
        case .regex(let pattern): .regex(pattern)
        case .range(let blocks): .ranges(try UnicodeRanges(parsing: blocks))
        default: nil
        }
    }

    // MARK: Tokens

    /// All of the corpus; each is of the vocabulary, and the documents lie side by side.
    func allTokens() throws -> [Int32] { try tokens.get() }
    /// How many tokens the vocabulary has, and of which ids are spelled how.
    func allSpellings() throws -> (count: Int, ids: [TokenSpelling: [Int]]) { try vocabulary.get() }

    private func readTokens() throws -> [Int32] {
        let ids = try catalogue.tokens(of: text.corpus.id, at: 0..<length), count = try vocabulary.get().count
        guard ids.count == length, length < 1 << 32, ids.allSatisfy({ $0 >= 0 && Int($0) < count }) else {
            throw MonosemeError("the tokens of corpus \(quoted(text.corpus.name)) in \(quoted(catalogue.path, limit: 400)) are damaged", hint: "monoseme check lists all damage")
        }
        return ids
    }

    private func readVocabulary() throws -> (count: Int, ids: [TokenSpelling: [Int]]) {
        var ids: [TokenSpelling: [Int]] = [:], count = 0
        try catalogue.connection.query("SELECT token, bytes FROM token WHERE tokenizer_id = ? ORDER BY token", [.init(text.corpus.tokenizer)]) { row in
            let id = row.integer(0)
            guard (0..<1 << 24).contains(id) else { return }
            count = max(count, id + 1)
            let bytes = row.blob(1)
            if !bytes.isEmpty { ids[TokenSpelling(bytes), default: []].append(id) }
        }
        return (count, ids)
    }

    /// Calls `body` with each position of a token, ascending.
    func forEachPosition(of id: Int, _ body: (Int) -> Void) throws {
        let (starts, positions) = try occurrences.get()
        for place in starts[id]..<starts[id + 1] { body(Int(positions[place])) }
    }

    /// Positions in order of their tokens, and where those of each begin.
    private func readOccurrences() throws -> (starts: [Int], positions: [UInt32]) {
        let ids = try tokens.get()
        var starts = [Int](repeating: 0, count: try vocabulary.get().count + 1)
        for id in ids { starts[Int(id) + 1] += 1 }
        for id in starts.indices.dropFirst() { starts[id] += starts[id - 1] }
        var next = starts
        let positions = [UInt32](unsafeUninitializedCapacity: ids.count) { positions, count in
            for (position, id) in ids.enumerated() {
                positions[next[Int(id)]] = UInt32(position)
                next[Int(id)] += 1
            }
            count = ids.count
        }
        return (starts, positions)
    }

    /// The tokens that are spelled like one of these.
    private func members(_ spellings: [TokenSpelling]) throws -> [Int] {
        let ids = try vocabulary.get().ids
        var members: [Int] = []
        for spelling in spellings {
            guard let found = ids[spelling] else {
                let written = LabelRule.tokens([spelling]).description.dropFirst("tokens:".count)
                let bare = Array(spelling.bytes.drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed())
                let near = [[0x20] + bare, bare].map { TokenSpelling($0) }.first { ids[$0] != nil }
                throw MonosemeError("no token of the vocabulary is spelled \(quoted(String(written)))",
                                    hint: near.map { "there is \(quoted(String(LabelRule.tokens([$0]).description.dropFirst("tokens:".count)))): a space is part of a token" }
                                        ?? "monoseme sql \"SELECT text FROM token\" lists them; a comma or backslash within a token takes a backslash before it, and \\xE5 is a byte")
            }
            members += found
        }
        return members
    }
}
