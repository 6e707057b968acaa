import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Kernels
import SQLite

/// Whose rows they are.
struct RowSubject: Equatable {
    /// Neuronpedia's ids of the model and of the source, `6-res-jb`.
    var model, layer: String
}

/// Brings features, examples and explanations from files into a catalogue, all or nothing.
struct RowImport {
    var request: ImportRequest
    var files: [RowFile]
    var template: RowTemplate
    var subject: RowSubject
    var name: DictionaryName
    var origin: ImportOrigin
    /// Where the dictionary reads, in the source's words.
    var hook: String
    var topic: String
    /// Features that the source names and says nothing of.
    var silentFeatures = 0
    /// What every document must begin with, as it is written.
    var head: [String: String] = [:]

    /// Spellings by reader, and their numbers in the catalogue.
    private final class Numbers {
        var spellings: [[UInt8]] = []
        var ids: [UInt32] = []
    }

    func run(into catalogue: Catalogue, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
        var summary = ImportSummary(name), progress = ImportProgress()
        progress.bytesExpected = files.contains(where: \.isPacked) ? nil : files.reduce(0) { total, file in
            var status = stat()
            return total + (stat(file.path, &status) == 0 ? Int(status.st_size) : 0)
        }
        let pipeline = RowPipeline(files, template, threads: request.threads, unpackLimit: request.unpackLimit)
        try catalogue.writingTextOnce(of: [name]) {
            let writer = try ImportWriter(catalogue, name, model: subject.model, hook: hook, topic: topic, from: origin, engine: request.engine, at: request.time)
            let hasFeatures = files.contains { $0.content == .features || $0.content == .dashboard }
            var readers: [Int: Numbers] = [:]
            var run: Run?
            var labels = LabelKeeper()
            var file = -1, lines = 0
            try pipeline.forEachPiece { piece in
                if piece.file != file {
                    (file, lines) = (piece.file, 0)
                    if files[file].content == .examples || files[file].content == .dashboard { try writer.enter(file: files[file].name) }
                }
                let name = files[file].name
                // Everything before what is wrong is looked at first, so that the first mistake is the one that is told.
                func place(_ line: Int?) -> String { line.map { "\(name) line \(lines + $0 + 1)" } ?? name }
                if let problem = piece.problem { throw MonosemeError("\(place(problem.line)): \(problem.what)", hint: "nothing was imported") }
                for (key, value) in head where piece.head[key] != value && files[file].content == .dashboard {
                    throw MonosemeError("\(name): its \(key) is \(piece.head[key] ?? "missing"), not \(value) as in \(files[0].name)", hint: "import one dictionary at a time")
                }
                try add(piece.features, to: writer, place)
                let numbers = readers[piece.reader] ?? Numbers()
                readers[piece.reader] = numbers
                numbers.spellings += piece.spellings
                numbers.ids.append(contentsOf: repeatElement(.max, count: piece.spellings.count))
                try number(piece.rows, numbers, writer)
                try add(piece.rows, to: writer, mustBeKnown: hasFeatures, place, lines)
                for label in piece.labels {
                    if let model = label.modelID, let layer = label.layer { try demand(RowSubject(model: model, layer: layer), place(label.line)) }
                    guard hasFeatures ? writer.has(label.feature) : label.feature < featuresMaximum else { throw unknown(label.feature, place(label.line)) }
                }
                labels.add(piece.labels, place)
                lines += piece.lines
                (progress.features, progress.examples, progress.bytes) = (writer.features, writer.examples, pipeline.bytesRead)
                report(progress)
            }
            if let most = labels.labels.map(\.label.feature).max(), most >= writer.features { try writer.makeRoom(upTo: most) }
            if silentFeatures > writer.features { try writer.makeRoom(upTo: silentFeatures - 1) }
            guard writer.features > 0 else { throw MonosemeError("there are no features in \(quoted(request.path, limit: 400))") }
            run = try writer.finish()
            (summary.labels, summary.features, summary.examples) = (try labels.write(to: catalogue, run!, name, at: request.time, warn: warn), writer.features, writer.examples)
        }
        summary.missing = [
            "it has no decoder vectors: near, neighbours and lineages by cosine cannot be asked until the autoencoder's weights are attached",
            "it has the firings of its example windows only: what fires together, on topics and on tags cannot be counted",
        ]
        if origin.tokens == nil { summary.missing.append("it does not say how many tokens its densities are of") }
        return summary
    }

    private func demand(_ other: RowSubject, _ place: String) throws {
        guard other != subject else { return }
        throw MonosemeError("\(place): it is of \(quoted("\(other.model)/\(other.layer)")), the rows before are of \(quoted("\(subject.model)/\(subject.layer)"))", hint: "import one source at a time; nothing was imported")
    }

    private func unknown(_ feature: Int, _ place: String) -> MonosemeError {
        MonosemeError("\(place): there is no feature \(feature) among the features", hint: "its row is missing in the features' files, or the index is wrong; nothing was imported")
    }

    private func add(_ scanned: [ScannedFeature], to writer: ImportWriter, _ place: (Int?) -> String) throws {
        var features: [ImportedFeature] = [], seen: Set<Int> = []
        for one in scanned {
            if let model = one.model, let layer = one.layer { try demand(RowSubject(model: model, layer: layer), place(one.line)) }
            guard one.index < featuresMaximum else { throw MonosemeError("\(place(one.line)): the feature index \(one.index) is too large; at most \(featuresMaximum) features can be catalogued", hint: "nothing was imported") }
            guard !writer.has(one.index), seen.insert(one.index).inserted else { throw MonosemeError("\(place(one.line)): feature \(one.index) is there twice", hint: "nothing was imported") }
            var feature = ImportedFeature(index: one.index, density: one.density)
            feature.raisedLogits = try one.raised.map { (try writer.intern(Array($0.token.utf8)), $0.value) }
            feature.loweredLogits = try one.lowered.map { (try writer.intern(Array($0.token.utf8)), $0.value) }
            feature.neurons = one.neurons
            feature.residue = one.residue
            features.append(feature)
        }
        try writer.add(features)
    }

    /// From the reader's numbers to the catalogue's, new ones in order of appearance.
    private func number(_ rows: kernel_json_rows, _ numbers: Numbers, _ writer: ImportWriter) throws {
        var done = 0
        while done < rows.id_count {
            done += numbers.ids.withUnsafeBufferPointer { kernel_json_renumber(rows.ids + done, rows.id_count - done, $0.baseAddress) }
            guard done < rows.id_count else { break }
            let own = Int(rows.ids[done])
            numbers.ids[own] = try writer.intern(numbers.spellings[own])
        }
    }

    private func add(_ rows: kernel_json_rows, to writer: ImportWriter, mustBeKnown: Bool, _ place: (Int?) -> String, _ lines: Int) throws {
        for at in 0..<rows.row_count {
            let row = rows.rows[at], feature = Int(row.feature)
            if mustBeKnown, !writer.has(feature) { throw unknown(feature, place(row.line)) }
            guard row.tokens <= 1 << 20 else { throw MonosemeError("\(place(row.line)): it has \(row.tokens) tokens; at most \(1 << 20) are taken", hint: "nothing was imported") }
            try writer.add(ImportedRow(feature: feature, tokens: UnsafeBufferPointer(start: rows.ids + row.first_token, count: Int(row.tokens)),
                                       fired: UnsafeBufferPointer(start: rows.fired + row.first_fired, count: Int(row.fired)),
                                       residue: UnsafeBufferPointer(start: rows.residue + row.residue, count: row.residue_bytes), line: lines + row.line + 1))
        }
    }
}

/// Explanations until the features are there.
private struct LabelKeeper {
    private(set) var labels: [(label: ScannedLabel, place: String)] = []
    private var seen: Set<String> = []
    private var repeated = 0

    mutating func add(_ scanned: [ScannedLabel], _ place: (Int?) -> String) {
        for label in scanned {
            // The same explanation stands in more than one folder.
            if let id = label.id, !seen.insert(id).inserted { repeated += 1; continue }
            labels.append((label, place(label.line)))
        }
    }

    func write(to catalogue: Catalogue, _ run: Run, _ name: DictionaryName, at time: String, warn: (String) -> Void) throws -> Int {
        var writer = try ImportLabelWriter(catalogue, run)
        var left = 0
        for (label, place) in labels {
            // As Neuronpedia's own importer has it.
            let text = String(decoding: label.text.utf8.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
            guard text.utf8.count <= Catalogue.labelLimit, text.contains(where: { !$0.isWhitespace }) else {
                if left < 10 { warn("\(place): an explanation of \(text.utf8.count) bytes is no label, and is left out") }
                left += 1
                continue
            }
            func named(_ name: String?) -> String? { name.flatMap { $0.contains { !$0.isWhitespace } ? $0 : nil } }
            let model = named(label.model), type = named(label.type)
            let entry = LabelEntry(text, for: FeatureName(dictionary: name, index: label.feature), author: model ?? named(label.author) ?? "neuronpedia",
                                   authorKind: model != nil || type != nil ? .model : .person, method: type ?? "neuronpedia")
            do { try writer.add(entry, residue: label.residue, at: label.createdAt ?? time) } catch let error as MonosemeError { throw MonosemeError("\(place): \(error.message)", hint: error.hint) }
        }
        if left > 10 { warn("\(left - 10) more explanations are no labels, and are left out") }
        if repeated > 0 { warn("\(repeated) explanations are there more than once, and are taken once") }
        return writer.count
    }
}
