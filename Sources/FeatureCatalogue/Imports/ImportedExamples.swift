import Diagnostics
import SQLite

// Example rows as a source gave them: the postings keep what of them is a firing, this keeps the rest.

/// One example of a feature, as it came: a window of tokens with the feature's activations.
///
/// As bytes, one after the other in the column `windows` of `import_example`:
/// ```
/// varint   first position, from the segment's first        (7 bits a byte, low bits first)
/// varint   tokens
/// varint   n, the number of activations other than 0
/// n times: varint place in the window less the one before it (the first: its place); float32, little-endian
/// ```
public struct ImportedExample: Sendable, Equatable {
    /// In the corpus.
    public let firstPosition: Int
    public let tokens: Int
    /// Activations other than 0, by place in the window; below 0 too, which are no firings.
    public let activations: [(place: Int, value: Float)]

    public static func == (a: ImportedExample, b: ImportedExample) -> Bool {
        a.firstPosition == b.firstPosition && a.tokens == b.tokens && a.activations.elementsEqual(b.activations) { $0.place == $1.place && $0.value == $1.value }
    }
}

extension [UInt8] {
    mutating func append(varint value: Int) {
        var rest = UInt(bitPattern: value)
        while rest >= 128 { append(UInt8(truncatingIfNeeded: rest) | 128); rest >>= 7 }
        append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func append(float value: Float) {
        let bits = value.bitPattern
        for shift in [0, 8, 16, 24] as [UInt32] { append(UInt8(truncatingIfNeeded: bits >> shift)) }
    }
}

/// What is said of where a run was imported from.
public struct ImportOrigin: Sendable, Equatable {
    /// `neuronpedia`, `saedashboard`, `delphi`.
    public var origin: String
    public var path: String
    public var prompts: Int?
    /// Tokens of each prompt.
    public var promptTokens: Int?
    /// A JSON object: the source's own descriptions.
    public var residue: String

    public init(origin: String, path: String, prompts: Int? = nil, promptTokens: Int? = nil, residue: String = "{}") {
        (self.origin, self.path, self.prompts, self.promptTokens, self.residue) = (origin, path, prompts, promptTokens, residue)
    }

    /// Tokens that the source's numbers are of.
    public var tokens: Int? {
        guard let prompts, let promptTokens, prompts > 0, promptTokens > 0, case let (product, isTooLarge) = prompts.multipliedReportingOverflow(by: promptTokens), !isTooLarge, product < 1 << 53 else { return nil }
        return product
    }

    /// What it is called in a sentence.
    public var title: String {
        switch origin {
        case "neuronpedia": "Neuronpedia's export"
        case "saedashboard": "SAEDashboard"
        default: origin
        }
    }
}

extension Catalogue {
    /// Where a run was imported from; `nil` for one that was ingested here.
    public func importOrigin(of run: Run) throws -> ImportOrigin? {
        try connection.first("SELECT origin, path, prompts, prompt_tokens, residue FROM import_source WHERE run_id = ?", .init(run.id)) {
            ImportOrigin(origin: $0.text(0), path: $0.text(1), prompts: $0.optionalInteger(2), promptTokens: $0.optionalInteger(3), residue: $0.text(4))
        }
    }

    /// What the source says of a feature beside what this catalogue does, a JSON object; `nil` where the source does not have the feature.
    public func importResidue(of feature: Int, in run: Run) throws -> String? {
        try connection.first("SELECT residue FROM import_feature WHERE feature_id = ?", .init(run.dictionary.featureID(feature))) { $0.text(0) }
    }

    /// What the source of a label says of it beside what this catalogue does, a JSON object.
    public func importResidue(ofLabel id: Int) throws -> String? {
        try connection.first("SELECT residue FROM import_label WHERE label_id = ?", .init(id)) { $0.text(0) }
    }

    /// The source's examples of a feature in its order, segment by segment, with a JSON array of what else it says of each.
    public func forEachImportedExamples(of feature: Int, in run: Run, _ body: ([ImportedExample], String) throws -> Void) throws {
        var rows = try Statement("SELECT windows, residue FROM import_example WHERE id = ?", on: connection)
        for segment in try segments(of: run) {
            rows.bind(firstPostingID(ofSegment: segment.id) + feature, at: 0)
            guard try rows.step() else { continue }
            guard let examples = rows.withBlob(0, { importedExamples($0, from: segment) }) else {
                throw MonosemeError("the imported examples of feature \(feature), segment \(segment.id) in \(quoted(path, limit: 400)) are damaged", hint: "monoseme check lists all damage; import again or restore a copy")
            }
            let residue = rows.text(1)
            rows.reset()
            try body(examples, residue)
        }
    }

    /// `nil` where the bytes are no examples within the segment.
    func importedExamples(_ bytes: UnsafeRawBufferPointer, from segment: Segment) -> [ImportedExample]? {
        var at = 0
        func varint() -> Int? {
            var value = 0, shift = 0
            while at < bytes.count, shift < 42 {
                let byte = bytes[at]
                at += 1
                value |= Int(byte & 127) << shift
                if byte < 128 { return value }
                shift += 7
            }
            return nil
        }
        var examples: [ImportedExample] = []
        while at < bytes.count {
            guard let first = varint(), let tokens = varint(), let count = varint(), first <= segment.tokens, tokens <= segment.tokens - first, count <= tokens, count <= (bytes.count - at) / 5 else { return nil }
            var activations: [(place: Int, value: Float)] = []
            activations.reserveCapacity(count)
            var place = 0
            for number in 0..<count {
                guard let step = varint(), number == 0 || step > 0, bytes.count - at >= 4 else { return nil }
                place += step
                let value = Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
                at += 4
                guard place < tokens, value.isFinite, value != 0 else { return nil }
                activations.append((place, value))
            }
            examples.append(ImportedExample(firstPosition: segment.firstPosition + first, tokens: tokens, activations: activations))
        }
        return examples
    }
}
