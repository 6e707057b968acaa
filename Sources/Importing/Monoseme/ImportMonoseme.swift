import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Ingestion
import Publishing
import SQLite

/// Brings in an export of ours: the same rows as in the catalogue that it came from, and, where the export is without firings, of its postings and its corpus those
/// within the windows of examples.
func importMonoseme(_ request: ImportRequest, into catalogue: Catalogue, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
    let isCompressed = request.path.hasSuffix(".gz") || request.path.hasSuffix(".zst"), size = fileSize(request.path)
    let reader = try PartReader(request.path, expansionLimit: isCompressed ? max(1 << 30, 200 * (size ?? 0)) : nil)
    let head = try ExportedHead(reader, request.path), name = request.name ?? head.name
    if try catalogue.dictionaryIfAny(named: name) != nil {
        try demandEqual(name, head, request.path, isDocument: reader.isDocument, catalogue)
        var summary = ImportSummary(name)
        summary.features = head.features
        warn("\(name) is in the catalogue already, and the same: nothing was to be done")
        return summary
    }
    var progress = ImportProgress()
    progress.bytesExpected = isCompressed ? nil : size
    do {
        return try catalogue.writingTextOnce(of: [name]) {
            // Scores refer to features that come later.
            try catalogue.connection.execute("PRAGMA defer_foreign_keys = 1")
            let rows = try ExportedRows(head, as: name, in: catalogue, warn: warn)
            var next = 0
            while let part = try reader.next() {
                switch part {
                case .member, .endOfHead: continue
                case .element(let section): try reader.withValue { try rows.add(section, &$0) }
                }
                progress.bytes = reader.bytesRead
                (progress.features, progress.examples) = (rows.features, rows.examples)
                if progress.bytes >= next {
                    report(progress)
                    next = progress.bytes + 1 << 20
                }
            }
            try rows.finish { reader.damaged($0, at: reader.bytesRead) }
            report(progress)
            return rows.summary
        }
    } catch let error as SQLiteError where error.kind == .constraint {
        throw reader.damaged("it contradicts itself or the catalogue: \(error.message)", at: reader.valueOffset)
    }
}

private func fileSize(_ path: String) -> Int? {
    var status = stat()
    return path != "-" && stat(path, &status) == 0 ? Int(status.st_size) : nil
}

/// Makes sure that the dictionary of this name is what the file says: its export is the same bytes.
private func demandEqual(_ name: DictionaryName, _ head: ExportedHead, _ path: String, isDocument: Bool, _ catalogue: Catalogue) throws {
    func taken(_ difference: String) -> MonosemeError {
        MonosemeError("\(name) is in \(quoted(catalogue.path, limit: 400)) already, and \(difference)", hint: "give the import another name with --name, or import into another catalogue")
    }
    guard name == head.name, path != "-" else { throw taken("what is imported may differ") }
    let source = try ByteSource(path)
    var ahead: [UInt8] = [], offset = 0, isSame = true
    try export(name, of: catalogue, ExportOptions(format: isDocument ? .json : .jsonl, hasVectors: head.hasVectors, hasFirings: head.hasFirings)) { bytes in
        guard isSame else { return }
        while ahead.count < bytes.count, try source.append(to: &ahead) {}
        isSame = ahead.starts(with: bytes)
        ahead.removeFirst(min(bytes.count, ahead.count))
        if isSame { offset += bytes.count }
    }
    guard isSame else { throw taken("differs from what is imported, from byte \(offset) of it on") }
    let isAtEnd = try ahead.isEmpty && !source.append(to: &ahead)
    guard isAtEnd else { throw taken("what is imported goes on where it ends") }
}
