import Formats
import Kernels
import SQLite

/// The two halves of compact codes, kept apart because a search reads all of one and little of the other.
enum CodePlane: Int, CaseIterable {
    /// Panels of 64 rows: `kernel_code_panel_bytes`.
    case high
    /// Rows: `kernel_code_row_bytes`.
    case low
}

/// Where the codes of a dictionary's rows lie.
struct CodeLayout {
    let features: Int
    let width: Int

    init?(_ dictionary: FeatureDictionary) {
        guard (1...Int(CODE_WIDTH_MAXIMUM)).contains(dictionary.width), (1...featuresMaximum).contains(dictionary.features) else { return nil }
        (features, width) = (dictionary.features, dictionary.width)
    }

    static let panelRows = Int(CODE_ROWS)
    var panelBytes: Int { kernel_code_panel_bytes(width) }
    var rowBytes: Int { kernel_code_row_bytes(width) }
    var panels: Int { (features + CodeLayout.panelRows - 1) / CodeLayout.panelRows }

    /// Rows to a block, of either plane: about 4 MB, in whole panels.
    var rowsPerBlock: Int { CodeLayout.panelRows * max(1, (1 << 22) / panelBytes) }
    var blocks: Int { (features + rowsPerBlock - 1) / rowsPerBlock }
    func rows(inBlock block: Int) -> Range<Int> { block * rowsPerBlock..<min(features, (block + 1) * rowsPerBlock) }

    func bytes(inBlock block: Int, of plane: CodePlane) -> Int {
        let rows = rows(inBlock: block).count
        return switch plane {
        case .high: (rows + CodeLayout.panelRows - 1) / CodeLayout.panelRows * panelBytes
        case .low: rows * rowBytes
        }
    }
}

extension Catalogue {
    /// Codes the decoder rows of a dictionary that is in the catalogue; inside the transaction that added them, so that none is
    /// ever without. Rows too wide to be coded are left to be scanned as they are.
    public func writeCodes(of dictionary: FeatureDictionary) throws {
        guard let layout = CodeLayout(dictionary) else { return }
        var insert = try Statement("INSERT INTO code_block (dictionary_id, plane, first_index, codes, sha256) VALUES (?, ?, ?, ?, ?)", on: connection)
        try forEachCodeBlock(of: dictionary, layout) { plane, block, bytes in
            insert.bind(dictionary.id, at: 0)
            insert.bind(plane.rawValue, at: 1)
            insert.bind(layout.rows(inBlock: block).lowerBound, at: 2)
            insert.bind(borrowing: bytes, at: 3)
            insert.bind(hexadecimal(SHA256.digest(of: bytes)), at: 4)
            try insert.run()
        }
    }

    /// Computes the codes of a dictionary's rows, block by block, and calls `body` with each: the same bytes on every machine.
    func forEachCodeBlock(of dictionary: FeatureDictionary, _ layout: CodeLayout, _ body: (CodePlane, Int, UnsafeRawBufferPointer) throws -> Void) throws {
        var block = 0, done = 0 // rows of the block that are coded
        var high: [UInt8] = [], low: [UInt8] = []
        try forEachDecoderBlock(of: dictionary) { first, vectors in
            let rows = vectors.count / layout.width
            for start in stride(from: 0, to: rows, by: CodeLayout.panelRows) {
                guard (first + start) % CodeLayout.panelRows == 0 else { throw damagedVectors(dictionary) }
                let count = min(CodeLayout.panelRows, rows - start)
                if done == 0 {
                    high = [UInt8](repeating: 0, count: layout.bytes(inBlock: block, of: .high))
                    low = [UInt8](repeating: 0, count: layout.bytes(inBlock: block, of: .low))
                }
                high.withUnsafeMutableBufferPointer { high in
                    low.withUnsafeMutableBufferPointer { low in
                        kernel_code_rows(vectors.baseAddress! + start * layout.width, count, layout.width, dictionary.featureID(first + start),
                                         high.baseAddress! + done / CodeLayout.panelRows * layout.panelBytes, low.baseAddress! + done * layout.rowBytes)
                    }
                }
                done += count
                guard done == layout.rows(inBlock: block).count else { continue }
                try high.withUnsafeBytes { try body(.high, block, $0) }
                try low.withUnsafeBytes { try body(.low, block, $0) }
                (block, done) = (block + 1, 0)
            }
        }
    }

    /// Codes every dictionary that has none: those of an older version's catalogue.
    func writeMissingCodes() throws {
        let missing = "SELECT d.id FROM dictionary AS d WHERE d.width > 0 AND NOT EXISTS (SELECT 1 FROM code_block WHERE dictionary_id = d.id)"
        guard try connection.integer(missing + " LIMIT 1") != nil else { return }
        try connection.transaction {
            for id in try connection.rows(missing, make: { $0.integer(0) }) {
                // A dictionary whose vectors are damaged goes without; whoever asks for them is told.
                guard let dictionary = try dictionary(id: id), (try? demandSoundVectors(of: dictionary)) != nil else { continue }
                try? writeCodes(of: dictionary)
            }
        }
    }

    private func demandSoundVectors(of dictionary: FeatureDictionary) throws {
        try connection.query("SELECT vectors, sha256 FROM decoder_block WHERE dictionary_id = ?", [.init(dictionary.id)]) { row in
            let digest = row.withBlob(0) { hexadecimal(SHA256.digest(of: $0)) }
            guard row.text(1) == digest else { throw damagedVectors(dictionary) }
        }
    }

    /// Makes all codes anew from the decoder vectors, which are the truth; all of them or, if that fails, none.
    ///
    /// - Throws: when some vectors are not what their digests say: new codes would hide that.
    public func rebuildCodes() throws {
        try connection.transaction {
            try connection.execute("DELETE FROM code_block")
            for dictionary in try dictionaries() where dictionary.hasVectors {
                try demandSoundVectors(of: dictionary)
                try writeCodes(of: dictionary)
            }
        }
        vectorIndexes.removeAll()
    }
}
