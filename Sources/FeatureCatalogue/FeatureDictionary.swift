import Diagnostics
import Formats
import Kernels
import Numerics
import SQLite

/// One version of a dictionary: one sparse autoencoder at one hook point of one model.
public struct FeatureDictionary: Sendable, Equatable {
    public let id: Int
    public let name: DictionaryName
    public let model: Int
    public let hook: String
    /// Of the activations it reads, d_in; 0 where its vectors are not there.
    public let width: Int
    public let features: Int
    public let architecture: String
    public let weightsSHA256: String

    /// The key of one feature in every table: dictionary id · 2³² + index.
    public func featureID(_ index: Int) -> Int { id << 32 + index }

    /// Whether its numbers can be those of a dictionary. A stranger's file may say anything; sizes are multiplied and ranges made of them.
    /// A width of 0 says that its vectors are not there.
    var hasSoundShape: Bool { (0...featuresMaximum).contains(features) && (0...1 << 28).contains(width) && (0..<1 << 31).contains(id) }
}

extension Catalogue {
    public func dictionaries() throws -> [FeatureDictionary] { try dictionaries("ORDER BY id") }

    public func dictionaryIfAny(named name: DictionaryName) throws -> FeatureDictionary? {
        try dictionaries("WHERE name = ?", .text(name.description)).first
    }

    /// - Throws: when there is none, the hint lists those there are; and when its numbers are damaged.
    public func dictionary(named name: DictionaryName) throws -> FeatureDictionary {
        if let found = try dictionaryIfAny(named: name) {
            try demandSoundShape(found)
            return found
        }
        let known = try dictionaries().map(\.name.description)
        throw MonosemeError("no dictionary \"\(name)\" in \(quoted(path, limit: 400))",
                            hint: known.isEmpty ? "the catalogue is empty: fill it with monoseme ingest" : "there \(known.count == 1 ? "is" : "are") \(known.prefix(20).joined(separator: ", "))")
    }

    public func dictionary(id: Int) throws -> FeatureDictionary? { try dictionaries("WHERE id = ?", .init(id)).first }

    private func dictionaries(_ clause: String, _ values: SQLiteValue...) throws -> [FeatureDictionary] {
        var found: [FeatureDictionary] = []
        try connection.query("SELECT id, name, model_id, hook, width, features, architecture, weights_sha256 FROM dictionary \(clause)", values) { row in
            found.append(FeatureDictionary(id: row.integer(0), name: try DictionaryName(parsing: row.text(1)), model: row.integer(2), hook: row.text(3),
                                           width: row.integer(4), features: row.integer(5), architecture: row.text(6), weightsSHA256: row.text(7)))
        }
        return found
    }

    /// Makes sure that the dictionary has a feature of this index.
    public func feature(_ name: FeatureName) throws -> (dictionary: FeatureDictionary, index: Int) {
        let dictionary = try dictionary(named: name.dictionary)
        try demand(name, in: dictionary)
        return (dictionary, name.index)
    }

    /// Makes sure that `dictionary`, which is the name's own, has a feature of the name's index.
    func demand(_ name: FeatureName, in dictionary: FeatureDictionary) throws {
        guard name.index < dictionary.features else {
            throw MonosemeError("there is no feature \"\(name)\": \(dictionary.name) has \(dictionary.features) features", hint: "feature indices run from 0 to \(dictionary.features - 1)")
        }
    }

    public func demandSoundShape(_ dictionary: FeatureDictionary) throws {
        guard dictionary.hasSoundShape else {
            throw MonosemeError("\(dictionary.name) is damaged: it says it has \(dictionary.features) features of \(dictionary.width) numbers", hint: "monoseme check lists all damage")
        }
    }

    /// Calls `body` with each block of unit decoder rows in order: the first row's index, and (rows × width) floats.
    public func forEachDecoderBlock(of dictionary: FeatureDictionary, _ body: (Int, UnsafeBufferPointer<Float>) throws -> Void) throws {
        var next = 0
        try connection.query("SELECT first_index, rows, vectors FROM decoder_block WHERE dictionary_id = ? ORDER BY first_index", [.init(dictionary.id)]) { row in
            let first = row.integer(0), rows = row.integer(1)
            try row.withBlob(2) { bytes in
                guard first == next, rows <= dictionary.features - first, holds(bytes, rows: rows, of: dictionary) else { throw damagedVectors(dictionary) }
                next += rows
                try withAlignedFloats(bytes) { try body(first, $0) }
            }
        }
        guard next == dictionary.features else { throw damagedVectors(dictionary) }
    }

    /// The unit decoder vector of one feature, `width` long; zeros where the file's row was zeros.
    ///
    /// - Throws: when it is not the vector that was coded or, where there is no code to tell, not of length 1.
    public func decoder(of index: Int, in dictionary: FeatureDictionary) throws -> [Float] {
        let codes = CodeLayout(dictionary) == nil || !(0..<dictionary.features).contains(index) ? nil : try? vectorIndex(of: dictionary)
        let sum = try? codes?.vectorSum(of: index)
        let rows = try codes?.rows ?? DecoderRows(of: dictionary, in: self)
        defer { rows.close() }
        let vector = try rows.withRow(index, sum: sum) { Array(UnsafeBufferPointer(start: $0, count: dictionary.width)) }
        let length = kernel_dot_exact(vector, vector, vector.count).squareRoot()
        guard length == 0 || abs(length - 1) <= unitTolerance else { throw damagedVectors(dictionary) }
        return vector
    }

    /// Whether a block has the bytes that its numbers say. Each number is at most that of the bytes before they are multiplied.
    private func holds(_ bytes: UnsafeRawBufferPointer, rows: Int, of dictionary: FeatureDictionary) -> Bool {
        (1...max(1, bytes.count)).contains(rows) && (1...max(1, bytes.count)).contains(dictionary.width) && bytes.count % 4 == 0 && rows * dictionary.width == bytes.count / 4
    }

    func damagedVectors(_ dictionary: FeatureDictionary) -> MonosemeError {
        dictionary.hasVectors ? MonosemeError("the decoder vectors of \(dictionary.name) in \(quoted(path, limit: 400)) are damaged or missing", hint: "monoseme check lists all damage; ingest again or restore a copy")
            : missingVectors(dictionary)
    }
}

/// Floats that SQLite may hold at any address, at one that floats may have.
private func withAlignedFloats(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<Float>) throws -> Void) rethrows {
    if let start = bytes.baseAddress, Int(bitPattern: start) % MemoryLayout<Float>.alignment == 0 {
        return try body(UnsafeBufferPointer(start: start.assumingMemoryBound(to: Float.self), count: bytes.count / 4))
    }
    let copy = (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    try copy.withUnsafeBufferPointer(body)
}
