import Diagnostics
import SQLite

/// A label that is to be entered among others, with what came with it.
public struct LabelLine: Sendable {
    /// Where it stands in its source, from 1.
    public var line: Int
    public var entry: LabelEntry
    /// When it was first given, as the source says. The ledger's own time is that of the entry, so that nobody can enter what is older than
    /// what is there: this one is kept among the parameters, as `created_at`.
    public var createdAt: String?
    /// What has been decided about it already; it is then entered as a draft, and the decision after it.
    public var decision: (status: LabelStatus, author: String, reason: String?)?

    public init(line: Int, _ entry: LabelEntry, createdAt: String? = nil, decision: (status: LabelStatus, author: String, reason: String?)? = nil) {
        (self.line, self.entry, self.createdAt, self.decision) = (line, entry, createdAt, decision)
    }
}

/// What became of a batch.
public struct LabelBatchSummary: Sendable, Equatable {
    /// Put into the ledger.
    public var entered = 0
    /// In the ledger already.
    public var known = 0
    public var features = 0
}

extension Catalogue {
    /// Adds labels, all of them or, where something is wrong with one, none.
    /// - Returns: their numbers, in order.
    public func addLabels(_ entries: [LabelEntry], at time: String) throws -> [Int] {
        try writingTextOnceIfWorth(entries.lazy.map(\.feature.dictionary)) {
            let writer = try LabelWriter(self, at: time)
            return try entries.map { entry in
                let feature = try writer.feature(entry.feature)
                return try writer.enter(try checked(entry), feature.id, basis: feature.basis)
            }
        }
    }

    /// Adds labels that came from a file, all of them or, where something is wrong with one, none; what the ledger has already is left out, so that
    /// the same file twice changes nothing.
    ///
    /// The ledger has a label already if there is one of the same feature with the same text and author, and,
    /// - where the source says when it was given, of that time;
    /// - else, for an accepted one: if it is the last accepted that its author gave the feature by this method. What others said or decided since stands;
    /// - else, for a draft: if it has the same method and rule.
    ///
    /// Labels of several authors for one feature are entered one after the other, and the last accepted one counts. Of one author, by one method and
    /// without times, two accepted labels that differ contradict each other, and are refused.
    /// - Parameter progress: is told how many lines have been dealt with.
    /// - Throws: `MonosemeError` that begins with `line 17: `.
    public func importLabels(_ lines: [LabelLine], at time: String, progress: (Int) -> Void = { _ in }) throws -> LabelBatchSummary {
        try writingTextOnceIfWorth(lines.lazy.map(\.entry.feature.dictionary)) {
            let writer = try LabelWriter(self, at: time)
            var summary = LabelBatchSummary(), features: Set<Int> = []
            for (place, line) in lines.enumerated() {
                if place % 1024 == 0 { progress(place) }
                let isNew = try atLine(line.line) {
                    let feature = try writer.feature(line.entry.feature)
                    features.insert(feature.id)
                    return try writer.enter(line, feature.id, basis: feature.basis)
                }
                if isNew { summary.entered += 1 } else { summary.known += 1 }
            }
            progress(lines.count)
            summary.features = features.count
            return summary
        }
    }

    /// A transaction in which a label is added for each of these.
    private func writingTextOnceIfWorth<Result>(_ labels: some Collection<DictionaryName>, _ body: () throws -> Result) throws -> Result {
        try connection.transaction {
            let dictionaries = labels.count >= 1000 ? Set(labels) : []
            return try isWorthWritingTextOnce(labels.count, of: dictionaries) ? writingTextOnce(of: Array(dictionaries), body) : body()
        }
    }
}

/// Does what belongs to one line of a source; its errors say which.
func atLine<Result>(_ line: Int, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as MonosemeError {
        throw MonosemeError("line \(line): \(error.message)", hint: (error.hint.map { "\($0); " } ?? "") + "nothing was entered")
    }
}

/// Enters many labels within one transaction of its caller: statements are compiled once, dictionaries looked up once.
private final class LabelWriter {
    private let catalogue: Catalogue
    private let time: String
    /// The newest label there was before.
    private let newest: Int
    /// Of labels that were entered from a source: their line.
    private var lines: [Int: Int] = [:]
    /// Labels of the ledger that a line was found to be. None stands for two lines.
    private var met: Set<Int> = []
    private var dictionaries: [DictionaryName: (dictionary: FeatureDictionary, basis: Int)] = [:]
    private var current, insert, sameTime, sameDraft, lastAccepted: Statement

    init(_ catalogue: Catalogue, at time: String) throws {
        (self.catalogue, self.time) = (catalogue, time)
        let connection = catalogue.connection
        newest = try connection.integer("SELECT max(id) FROM label") ?? 0
        current = try Statement("SELECT label_id FROM feature_label WHERE feature_id = ?", on: connection)
        insert = try Statement(Catalogue.labelInsertion, on: connection)
        sameTime = try Statement("""
            SELECT id FROM label WHERE feature_id = ?1 AND id <= ?2 AND text = ?3 AND author = ?4 AND coalesce(json_extract(parameters, '$.created_at'), created_at) = ?5 ORDER BY id
            """, on: connection)
        sameDraft = try Statement("SELECT id FROM label WHERE feature_id = ?1 AND author = ?2 AND method = ?3 AND text = ?4 AND rule IS ?5 AND status = 'draft' LIMIT 1", on: connection)
        lastAccepted = try Statement("SELECT id, text, rule FROM label WHERE feature_id = ?1 AND author = ?2 AND method = ?3 AND status = 'accepted' ORDER BY id DESC LIMIT 1", on: connection)
    }

    func feature(_ name: FeatureName) throws -> (id: Int, basis: Int) {
        if dictionaries[name.dictionary] == nil {
            let dictionary = try catalogue.dictionary(named: name.dictionary)
            dictionaries[name.dictionary] = (dictionary, try catalogue.labelBasis(of: dictionary))
        }
        let (dictionary, basis) = dictionaries[name.dictionary]!
        try catalogue.demand(name, in: dictionary)
        return (dictionary.featureID(name.index), basis)
    }

    func enter(_ entry: LabelEntry, _ feature: Int, basis: Int) throws -> Int {
        current.bind(feature, at: 0)
        let previous = try current.step() ? current.integer(0) : nil
        current.reset()
        insert.bind(catalogue.labelValues(entry, feature, supersedes: previous, prompt: try entry.prompt.map { try catalogue.promptID($0) }, basis: basis, at: time))
        try insert.run()
        let id = catalogue.connection.lastInsertedRow
        try catalogue.addExamples(entry.examples, to: id)
        return id
    }

    /// - Returns: whether it is new to the ledger.
    func enter(_ line: LabelLine, _ feature: Int, basis: Int) throws -> Bool {
        var entry = try catalogue.checked(line.entry)
        let decision = try line.decision.map { (status: $0.status, words: try catalogue.checkedDecision($0.author, $0.reason)) }
        if decision != nil { entry.status = .draft }
        if let createdAt = line.createdAt {
            if try isMet(entry, feature, createdAt) { return false }
            entry.parameters = try adding(createdAt, to: entry.parameters)
        } else if entry.status == .draft {
            sameDraft.bind([.init(feature), .text(entry.author), .text(entry.method), .text(entry.text), .init(entry.rule?.description)])
            defer { sameDraft.reset() }
            if try sameDraft.step() { return false }
        } else if try isLastAccepted(entry, feature) { return false }
        let id = try enter(entry, feature, basis: basis)
        lines[id] = line.line
        if let decision { try catalogue.enterDecision(id, decision.status, author: decision.words.author, reason: decision.words.reason, at: time) }
        return true
    }

    private func isMet(_ entry: LabelEntry, _ feature: Int, _ createdAt: String) throws -> Bool {
        sameTime.bind([.init(feature), .init(newest), .text(entry.text), .text(entry.author), .text(createdAt)])
        defer { sameTime.reset() }
        while try sameTime.step() { if met.insert(sameTime.integer(0)).inserted { return true } }
        return false
    }

    private func isLastAccepted(_ entry: LabelEntry, _ feature: Int) throws -> Bool {
        lastAccepted.bind([.init(feature), .text(entry.author), .text(entry.method)])
        defer { lastAccepted.reset() }
        guard try lastAccepted.step() else { return false }
        let text = lastAccepted.text(1)
        if Array(text.utf8) == Array(entry.text.utf8), lastAccepted.optionalText(2) == entry.rule?.description { return true }
        guard let other = lines[lastAccepted.integer(0)] else { return false }
        throw MonosemeError("\(quoted(entry.author)) calls \(entry.feature) \(quoted(entry.text)) here and \(quoted(text)) on line \(other)",
                            hint: "leave out one of them, make them drafts, or give both their created_at if the one came after the other")
    }

    private func adding(_ createdAt: String, to parameters: String) throws -> String {
        guard let text = try catalogue.connection.first("SELECT json_set(?, '$.created_at', ?)", .text(parameters), .text(createdAt), make: { $0.text(0) }) else { return parameters }
        return text
    }
}
