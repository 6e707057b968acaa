import Diagnostics
import FeatureCatalogue
import Numerics
import SQLite

/// A window of the corpus as a language model is shown it.
public struct Example: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// The windows in which the feature is strongest.
        case top
        /// Drawn from an interval of activation (train) or from a quantile of the windows (test).
        case interval
        /// The feature is silent; drawn from all such windows.
        case random
        /// The feature is silent, and yet the window looks like one of its own: one of its tokens stands there, or a feature of its neighbourhood fires.
        case contrast
    }

    /// Whole characters: a token, or several where a character is spread over them.
    public struct Piece: Sendable, Equatable {
        public let text: String
        /// The greatest of its tokens; 0: silent.
        public let activation: Float

        public init(_ text: String, _ activation: Float) { (self.text, self.activation) = (text, activation) }
    }

    public let firstPosition: Int
    public let tokens: Int
    public let kind: Kind
    public let pieces: [Piece]

    public init(firstPosition: Int, tokens: Int, kind: Kind, pieces: [Piece]) {
        (self.firstPosition, self.tokens, self.kind, self.pieces) = (firstPosition, tokens, kind, pieces)
    }

    public var text: String { pieces.map(\.text).joined() }
    public var maximum: Float { pieces.reduce(0) { max($0, $1.activation) } }
    public var isActive: Bool { maximum > 0 }

    func row(_ role: LabelExample.Role) -> LabelExample {
        LabelExample(firstPosition: firstPosition, tokens: tokens, role: role, kind: kind.rawValue, activation: Double("\(maximum)") ?? Double(maximum))
    }
}

/// How many windows are drawn, and by which seed.
public struct ExampleCounts: Sendable, Equatable {
    /// Active ones to explain from: half the strongest, half spread over intervals of activation.
    public var train = 20
    /// Active ones to score on, and as many silent ones, half of them look-alikes.
    public var test = 20
    /// Silent look-alikes that a contrastive prompt shows.
    public var contrast = 10
    public var seed: UInt64 = 0

    public init() {}

    /// Below this, there is nothing to explain from, or to score on.
    public static let minimum = 6
}

/// Draws windows in which a feature fires, and windows in which it is silent, for one run. Serves one thread, as its catalogue does.
///
/// Everything drawn follows from the catalogue, the feature and the seed. No two windows drawn for a feature have the same tokens: what is written
/// in several places of a corpus would otherwise be shown and asked for.
public final class ExampleSource {
    public let catalogue: Catalogue
    public let run: Run
    public let text: CorpusText
    let grid: WindowGrid
    /// The postings hold every firing within the source's own examples, and nothing is known between them.
    public let holdsExamplesOnly: Bool
    /// Whether the dictionary's vectors are there, to find a feature's neighbours by.
    private let hasVectors: Bool
    /// Features looked at last.
    private var kept: [(feature: Int, evidence: FeatureEvidence)] = []

    /// Features whose firings look-alikes are taken from, by cosine of decoder vectors.
    static let neighbours = 5
    /// Tokens of the corpus that are searched for a token that a feature likes, and on which it is silent.
    static let tokensSearched = 1 << 19

    public init(_ catalogue: Catalogue, of dictionary: DictionaryName) throws {
        self.catalogue = catalogue
        run = try catalogue.run(of: dictionary)
        text = try CorpusText(catalogue, corpus: run.corpus)
        guard let grid = WindowGrid(text.documents, tokens: min(run.tokens, try catalogue.positionCount(of: run.corpus))) else {
            throw MonosemeError("the documents of corpus \(quoted(text.corpus.name)) in \(quoted(catalogue.path, limit: 400)) do not lie end to end", hint: "monoseme check lists all damage")
        }
        self.grid = grid
        holdsExamplesOnly = try catalogue.connection.integer("SELECT evidence = 'examples' FROM run WHERE id = ?", .init(run.id)) == 1
        hasVectors = try run.dictionary.width > 0 && catalogue.connection.integer("SELECT 1 FROM decoder_block WHERE dictionary_id = ?", .init(run.dictionary.id)) != nil
    }

    /// A feature's firings, by window.
    func evidence(of feature: Int) throws -> FeatureEvidence {
        if let known = kept.first(where: { $0.feature == feature }) { return known.evidence }
        let firings = try catalogue.firings(of: feature, in: run)
        var windows: [FeatureEvidence.Window] = []
        var document = 0
        for (place, position) in firings.positions.enumerated() where text.documents.count > 0 {
            while document + 1 < text.documents.count, text.documents.starts[document + 1] <= position { document += 1 }
            guard position < text.documents.starts[document] + text.documents.lengths[document] else { break }
            guard let window = grid.window(of: position, inDocumentAt: document) else { continue }
            if windows.last?.number == window {
                windows[windows.count - 1].maximum = max(windows[windows.count - 1].maximum, firings.values[place])
            } else {
                windows.append(.init(number: window, maximum: firings.values[place]))
            }
        }
        let known = try !holdsExamplesOnly && (run.keepTop == nil || catalogue.statistics(of: feature, in: run).firings == firings.count)
        let evidence = FeatureEvidence(firings: firings, windows: windows, knowsSilence: known)
        if kept.count >= 8 { kept.removeFirst() }
        kept.append((feature, evidence))
        return evidence
    }

    /// A window as the feature sees it.
    func example(_ window: Int, _ kind: Example.Kind, _ evidence: FeatureEvidence) throws -> Example {
        let range = grid.positions(of: window), view = try text.window(at: range)
        let activations = evidence.activations(at: range)
        let pieces = view.pieces.map { piece in Example.Piece(piece.text, piece.tokens.reduce(0) { max($0, activations[$1]) }) }
        return Example(firstPosition: range.lowerBound, tokens: range.count, kind: kind, pieces: pieces)
    }

    /// Draws the windows that a feature is explained from.
    /// - Parameter isScored: leaves at least half of the windows for scoring.
    public func train(_ feature: Int, _ counts: ExampleCounts, isScored: Bool, contrastive: Bool = false) throws -> Drawn {
        let evidence = try evidence(of: feature)
        var draw = Draw(self, evidence, generator(counts.seed, feature, 1))
        let wanted = isScored ? min(counts.train, evidence.windows.count / 2) : counts.train
        try draw.takeTop((wanted + 1) / 2)
        try draw.takeIntervals(wanted - draw.examples.count)
        if contrastive, evidence.knowsSilence { try draw.takeContrast(counts.contrast, tokens: likedTokens(feature), neighbours: neighbours(of: feature)) }
        return draw.drawn
    }

    /// Draws the windows that a label of a feature is scored on: active ones over all quantiles, and as many silent ones.
    ///
    /// - Parameters:
    ///   - excluding: windows that the label was made from; whatever overlaps them or has their very tokens is not drawn.
    ///   - stream: other draws for other purposes.
    public func test(_ feature: Int, _ counts: ExampleCounts, excluding train: [LabelExample], stream: UInt64 = 2) throws -> Drawn {
        let evidence = try evidence(of: feature)
        var draw = Draw(self, evidence, generator(counts.seed, feature, stream))
        try draw.exclude(train)
        try draw.takeQuantiles(counts.test)
        guard evidence.knowsSilence else { return draw.drawn }
        let active = draw.examples.count
        try draw.takeContrast(active / 2, tokens: likedTokens(feature), neighbours: neighbours(of: feature))
        try draw.takeRandom(2 * active - draw.examples.count)
        return draw.drawn
    }

    private func generator(_ seed: UInt64, _ feature: Int, _ stream: UInt64) -> SeededGenerator {
        SeededGenerator(seed: seed, stream: UInt64(truncatingIfNeeded: feature) << 8 | stream)
    }

    /// The tokens that hold most of the feature's activation, the first the most.
    private func likedTokens(_ feature: Int) throws -> [Int32] {
        try catalogue.connection.rows("SELECT token FROM feature_token WHERE run_id = ? AND feature_id = ? ORDER BY rank LIMIT 3", .init(run.id), .init(run.dictionary.featureID(feature))) { Int32(truncatingIfNeeded: $0.integer(0)) }
    }

    private func neighbours(of feature: Int) throws -> [Int] {
        guard hasVectors else { return [] }
        if let stored = try catalogue.storedNeighbours(of: feature, in: run.dictionary, among: run.dictionary, k: ExampleSource.neighbours) { return stored.map(\.feature) }
        let vector = try catalogue.decoder(of: feature, in: run.dictionary)
        guard vector.contains(where: { $0 != 0 }) else { return [] }
        return try catalogue.nearest(to: vector, in: run.dictionary, k: ExampleSource.neighbours, excluding: feature).map(\.feature)
    }
}

/// What was drawn for a feature.
public struct Drawn: Sendable, Equatable {
    /// In the order in which they were drawn, the strongest first.
    public let examples: [Example]
    /// Windows in which the feature fires, drawn or not.
    public let activeWindows: Int
    public let knowsSilence: Bool

    public var active: [Example] { examples.filter(\.isActive) }
    public var silent: [Example] { examples.filter { !$0.isActive } }
}

/// A feature's firings, by window.
struct FeatureEvidence: Sendable {
    struct Window: Sendable {
        let number: Int
        var maximum: Float
    }

    let firings: PostingList
    /// Those with a firing, ascending.
    let windows: [Window]
    /// Whether the feature is silent where it has no firing: not so where only some firings were kept.
    let knowsSilence: Bool

    func isActive(_ window: Int) -> Bool {
        let place = windows.partitioningIndex { $0.number >= window }
        return place < windows.count && windows[place].number == window
    }

    /// One for each position.
    func activations(at range: Range<Int>) -> [Float] {
        var activations = [Float](repeating: 0, count: range.count)
        var place = firings.positions.partitioningIndex { $0 >= range.lowerBound }
        while place < firings.count, firings.positions[place] < range.upperBound {
            activations[firings.positions[place] - range.lowerBound] = firings.values[place]
            place += 1
        }
        return activations
    }
}

/// One drawing of windows for one feature: nothing is taken twice.
private struct Draw {
    let source: ExampleSource
    let evidence: FeatureEvidence
    var random: SeededGenerator
    private(set) var examples: [Example] = []
    private var taken: Set<Int> = []
    private var texts: Set<[Int32]> = []
    private var excluded: [Range<Int>] = []

    init(_ source: ExampleSource, _ evidence: FeatureEvidence, _ random: SeededGenerator) { (self.source, self.evidence, self.random) = (source, evidence, random) }

    var drawn: Drawn { Drawn(examples: examples, activeWindows: evidence.windows.count, knowsSilence: evidence.knowsSilence) }

    mutating func exclude(_ windows: [LabelExample]) throws {
        for window in windows where window.firstPosition >= 0 && window.tokens > 0 && !window.firstPosition.addingReportingOverflow(window.tokens).overflow {
            let range = window.firstPosition..<window.firstPosition + window.tokens
            excluded.append(range)
            texts.insert(try source.text.tokens(at: range))
        }
        excluded.sort { $0.lowerBound < $1.lowerBound }
    }

    /// Takes a window, unless it was taken, or one with its tokens was, or it overlaps an excluded one.
    private mutating func take(_ window: Int, _ kind: Example.Kind) throws -> Bool {
        guard !taken.contains(window) else { return false }
        let range = source.grid.positions(of: window)
        guard !excluded.contains(where: { $0.overlaps(range) }), texts.insert(try source.text.tokens(at: range)).inserted else { return false }
        taken.insert(window)
        examples.append(try source.example(window, kind, evidence))
        return true
    }

    // MARK: Active windows

    /// The strongest, ties by position: few from any one document, as long as there are others.
    mutating func takeTop(_ count: Int) throws {
        let order = evidence.windows.sorted { $0.maximum != $1.maximum ? $0.maximum > $1.maximum : $0.number < $1.number }
        var left = count, perDocument: [Int: Int] = [:]
        for window in order where left > 0 {
            let document = source.grid.document(of: window.number)
            guard perDocument[document, default: 0] < 2 else { continue }
            if try take(window.number, .top) { (left, perDocument[document]) = (left - 1, perDocument[document, default: 0] + 1) }
        }
        for window in order where left > 0 { if try take(window.number, .top) { left -= 1 } }
    }

    /// One from each tenth of the range from 0 to the maximum, the uppermost first, round after round.
    mutating func takeIntervals(_ count: Int) throws {
        guard count > 0, let maximum = evidence.windows.lazy.map(\.maximum).max(), maximum > 0 else { return }
        var intervals = [[Int]](repeating: [], count: 10)
        for window in evidence.windows where !taken.contains(window.number) { intervals[9 - min(9, Int((10 * window.maximum / maximum).rounded(.down)))].append(window.number) }
        var left = count
        while left > 0, intervals.contains(where: { !$0.isEmpty }) {
            for place in intervals.indices where left > 0 { if try takeAny(of: &intervals[place], .interval) { left -= 1 } }
        }
    }

    /// One from each of `count` equal parts of the windows in order of their maximum, the strongest part first.
    mutating func takeQuantiles(_ count: Int) throws {
        // Of as many as there may be, only those that can be taken should make up the parts.
        let order = evidence.windows.filter { window in
            let range = source.grid.positions(of: window.number)
            return !excluded.contains { $0.overlaps(range) }
        }.sorted { $0.maximum != $1.maximum ? $0.maximum > $1.maximum : $0.number < $1.number }.map(\.number)
        let parts = min(count, order.count)
        var rest: [Int] = [], left = count
        for part in 0..<parts {
            var candidates = Array(order[order.count * part / parts..<order.count * (part + 1) / parts])
            if try takeAny(of: &candidates, .interval) { left -= 1 }
            rest += candidates
        }
        while left > 0, !rest.isEmpty { if try takeAny(of: &rest, .interval) { left -= 1 } }
        examples.sort { $0.maximum != $1.maximum ? $0.maximum > $1.maximum : $0.firstPosition < $1.firstPosition }
    }

    /// Draws candidates, which are used up, until one can be taken.
    private mutating func takeAny(of candidates: inout [Int], _ kind: Example.Kind) throws -> Bool {
        while !candidates.isEmpty {
            candidates.swapAt(random.index(below: candidates.count), candidates.count - 1)
            if try take(candidates.removeLast(), kind) { return true }
        }
        return false
    }

    // MARK: Silent windows

    mutating func takeRandom(_ count: Int) throws {
        var left = count
        for _ in 0..<max(64, 16 * count) where left > 0 && source.grid.count > 0 {
            let window = random.index(below: source.grid.count)
            if !evidence.isActive(window), try take(window, .random) { left -= 1 }
        }
        // A feature that is hardly ever silent: look at all windows.
        guard left > 0, source.grid.count - evidence.windows.count < 1 << 20 else { return }
        var silent: [Int] = [], next = 0
        for window in evidence.windows {
            silent += next..<window.number
            next = window.number + 1
        }
        silent += next..<source.grid.count
        while left > 0, try takeAny(of: &silent, .random) { left -= 1 }
    }

    /// Look-alikes, in turn of two kinds: windows with a token that the feature likes, and windows in which features fire whose vectors point nearly its way.
    mutating func takeContrast(_ count: Int, tokens: [Int32], neighbours: [Int]) throws {
        var left = count
        var sameToken = try windows(with: tokens, atMost: 4 * count), near: [[Int]] = []
        for feature in neighbours {
            // The strongest quarter of its windows, where this feature is silent.
            let windows = try source.evidence(of: feature).windows.sorted { $0.maximum != $1.maximum ? $0.maximum > $1.maximum : $0.number < $1.number }
            near.append(windows.prefix(max(4 * count, windows.count / 4)).map(\.number).filter { !evidence.isActive($0) })
        }
        while left > 0 {
            let before = left
            if try takeAny(of: &sameToken, .contrast) { left -= 1 }
            for place in near.indices where left > 0 {
                if try takeAny(of: &near[place], .contrast) {
                    left -= 1
                    near.append(near.remove(at: place)) // the others' turn is next
                    break
                }
            }
            if left == before { return }
        }
    }

    /// Silent windows that hold one of `tokens`, found from a place drawn at random on.
    private mutating func windows(with tokens: [Int32], atMost count: Int) throws -> [Int] {
        guard !tokens.isEmpty, source.grid.count > 0 else { return [] }
        let start = random.index(below: source.grid.count)
        var found: [Int] = [], searched = 0
        for step in 0..<source.grid.count where found.count < count && searched < ExampleSource.tokensSearched {
            let window = (start + step) % source.grid.count, range = source.grid.positions(of: window)
            searched += range.count
            if !evidence.isActive(window), try source.text.tokens(at: range).contains(where: { tokens.contains($0) }) { found.append(window) }
        }
        return found
    }
}
