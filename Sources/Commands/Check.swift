import Diagnostics
import FeatureCatalogue

/// `monoseme check`: `Catalogue.check`.
enum Check: Command {
    static let rebuild = Flag("--rebuild-codes", help: "First make the search's compact codes anew from the decoder vectors")

    static let declaration = Declaration(
        "check", summary: "make sure that a catalogue is whole",
        discussion: """
            Reads the whole file: its pages, references, digests and checksums, and counts every number again that is counted from something \
            else in the catalogue: statistics, histograms, topics and examples from the firings, corpora from their tokens and documents.

            Prints what is damaged, one line each, and then fails. An unfinished run is listed but is no damage: ingest goes on with it. \
            Codes are made from the decoder vectors: where only they are damaged, searches go without them, and --rebuild-codes mends them.
            """,
        parameters: [rebuild, Shared.format],
        examples: [
            ("monoseme check", "The catalogue here"),
            ("monoseme check --rebuild-codes", "After codes were found damaged"),
            ("monoseme check --catalogue backup.sqlite --json", "A copy, for a program"),
        ])

    static func run(_ invocation: Invocation) throws {
        if invocation[rebuild] { try Catalogue(path: invocation[Shared.catalogue], for: .writing).rebuildCodes() }
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .reading)
        let progress = invocation.progress("check", total: nil, unit: "tokens")
        let report = try catalogue.check { progress.update($0.tokens, total: $0.tokensExpected, details: [$0.stage]) }
        progress.finish()

        if report.findings.isEmpty, invocation[Shared.format] == .table {
            try invocation.print("no problems")
        } else {
            var table = Table([Column("kind"), Column("what"), Column("where", isFlexible: true), Column("found", alignment: .left, isFlexible: true), Column("expected", alignment: .left, isFlexible: true)])
            for finding in report.findings {
                table.append([.text(finding.kind.rawValue), .text(finding.what), .text(finding.place), .text(finding.found), .text(finding.expected)])
            }
            try invocation.print(table)
        }
        let counts = report.checked.filter { $0.count > 0 }.map { "\(NumberFormat.grouped.text(Int64($0.count))) \($0.what)" }
        invocation.note("checked \(counts.joined(separator: ", "))")
        if report.findingsLeftOut > 0 { invocation.note("\(report.findingsLeftOut) more findings of the same kinds are not listed") }
        guard !report.isDamaged else {
            let count = report.findings.count { $0.kind == .damage } + report.findingsLeftOut
            let isOfCodesOnly = report.findings.allSatisfy { $0.kind != .damage || $0.what.contains("codes") }
            throw MonosemeError("\(quoted(invocation[Shared.catalogue], limit: 400)) is damaged: \(count) \(count == 1 ? "finding" : "findings")",
                                hint: isOfCodesOnly ? "monoseme check --rebuild-codes makes the codes anew; until then searches go without them" : "restore it from a copy, or ingest again into a new file")
        }
    }
}
