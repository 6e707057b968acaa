import Diagnostics
import SQLite

// Is the file whole, and does it mean what it says? Everything that is counted is counted again.

/// One thing that a check found.
public struct Finding: Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// What the file says is not so.
        case damage
        /// A run that was begun and not ended: nothing is wrong, and ingesting again goes on with it.
        case unfinished
    }

    public let kind: Kind
    /// What is wrong, such as "firings of a feature".
    public let what: String
    /// Where in the catalogue, such as "A/1/2357".
    public let place: String
    public let found: String
    public let expected: String

    /// One line that says it all.
    public var description: String {
        kind == .unfinished ? "\(place): \(what): \(found) of \(expected)" : "\(place): \(what): found \(found), expected \(expected)"
    }
}

/// What a check looked at and what it found.
public struct CheckReport: Sendable {
    public internal(set) var findings: [Finding] = []
    /// How many of what were looked at, in the order of the check.
    public internal(set) var checked: [(what: String, count: Int)] = []
    /// Findings that are not listed because many of the same kind came before.
    public internal(set) var findingsLeftOut = 0

    public var isDamaged: Bool { findings.contains { $0.kind == .damage } }
}

/// How far a check is.
public struct CheckProgress: Sendable {
    public let stage: String
    /// Tokens of all runs whose firings have been counted again, and all of them.
    public let tokens: Int
    public let tokensExpected: Int
}

extension Catalogue {
    /// Examines the whole catalogue: the pages of the file, references, digests and checksums, and every number that is
    /// counted from something else in it, which is counted again.
    ///
    /// Reads in one snapshot, everything once, some megabytes at a time; an ingest may go on meanwhile. Damage does not make
    /// it throw: it is the answer. Of each kind of finding the first ten are listed and the others counted.
    public func check(progress: @escaping (CheckProgress) -> Void = { _ in }) throws -> CheckReport {
        let examination = Examination(self, progress: progress)
        try connection.snapshot {
            examination.examineFile()
            examination.examineCorpora()
            examination.examineTags()
            examination.examineDictionaries()
            examination.examineNeighbours()
            examination.examineLineages()
            examination.examineLabels()
            examination.examineText()
            examination.examineRuns()
        }
        return examination.report
    }
}

/// A check in progress.
final class Examination {
    static let findingsOfAKind = 10

    let catalogue: Catalogue
    var report = CheckReport()
    var progress: (CheckProgress) -> Void
    var tokensDone = 0, tokensExpected = 0
    private var listed: [String: Int] = [:]

    var connection: Connection { catalogue.connection }

    init(_ catalogue: Catalogue, progress: @escaping (CheckProgress) -> Void) {
        self.catalogue = catalogue
        self.progress = progress
    }

    func stage(_ name: String) { progress(CheckProgress(stage: name, tokens: tokensDone, tokensExpected: tokensExpected)) }

    func counted(_ what: String, _ count: Int) {
        if let place = report.checked.firstIndex(where: { $0.what == what }) { report.checked[place].count &+= count } else { report.checked.append((what, count)) }
    }

    func damage(_ what: String, at place: String, found: String, expected: String) {
        listed[what, default: 0] += 1
        guard listed[what]! <= Examination.findingsOfAKind else { report.findingsLeftOut += 1; return }
        report.findings.append(Finding(kind: .damage, what: what, place: place, found: found, expected: expected))
    }

    func expect<Value: Equatable>(_ found: Value, _ expected: Value, _ what: String, at place: @autoclosure () -> String) {
        if found != expected { damage(what, at: place(), found: "\(found)", expected: "\(expected)") }
    }

    func expect(_ found: Int?, _ expected: Int, _ what: String, at place: @autoclosure () -> String) {
        if found != expected { damage(what, at: place(), found: found.map(String.init) ?? "none", expected: "\(expected)") }
    }

    /// Whether two sums agree within `tolerance`; NaN agrees with nothing.
    func expect(_ found: Double, near expected: Double, within tolerance: Double, _ what: String, at place: @autoclosure () -> String) {
        if !(abs(found - expected) <= tolerance) { damage(what, at: place(), found: "\(found)", expected: "about \(expected)") }
    }

    /// Runs one part of the examination; where it cannot go on, that is a finding like others.
    func part(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch { damage(what, at: catalogue.path, found: (error as? SQLiteError)?.message ?? (error as? MonosemeError)?.message ?? "\(error)", expected: "rows that can be read") }
    }

    // MARK: The file

    func examineFile() {
        stage("reading the pages of the file")
        part("pages of the file") {
            counted("pages", try connection.integer("PRAGMA page_count") ?? 0)
            try connection.query("PRAGMA integrity_check(\(10 * Examination.findingsOfAKind))") { row in
                let line = row.text(0)
                if line != "ok" { damage("pages of the file", at: catalogue.path, found: quoted(line, limit: 200), expected: "ok") }
            }
        }
        part("references between tables") {
            try connection.query("PRAGMA foreign_key_check") { row in
                damage("references between tables", at: "\(row.text(0))\(row.isNull(1) ? "" : " row \(row.integer(1))")", found: "no such row in \(row.text(2))", expected: "one")
            }
        }
    }

    /// Keys that count from 0 on without holes.
    func expectConsecutive(_ found: Int, after previous: Int?, _ what: String, at place: @autoclosure () -> String) {
        expect(found, (previous ?? -1) &+ 1, what, at: place())
    }
}
