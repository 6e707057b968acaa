import Formats
import SQLite

extension Examination {
    /// The codes in the catalogue are, byte for byte, those that the decoder vectors give.
    func examineCodes(of dictionary: FeatureDictionary) throws {
        let place = dictionary.name.description
        let layout = CodeLayout(dictionary)
        var blocks = [0, 0]
        // What is there, against what it says of itself.
        try connection.query("SELECT plane, first_index, codes, sha256 FROM code_block WHERE dictionary_id = ? ORDER BY plane, first_index", [.init(dictionary.id)]) { row in
            let plane = CodePlane(rawValue: row.integer(0)) ?? .high, block = blocks[plane.rawValue], here = "\(place) codes at feature \(row.integer(1))"
            blocks[plane.rawValue] += 1
            if let layout, block < layout.blocks { expect(row.integer(1), layout.rows(inBlock: block).lowerBound, "place of a block of codes", at: here) }
            row.withBlob(2) { bytes in
                counted("bytes of codes", bytes.count)
                expect(row.text(3), hexadecimal(SHA256.digest(of: bytes)), "sha256 of a block of codes", at: here)
            }
        }
        for plane in CodePlane.allCases { expect(blocks[plane.rawValue], layout?.blocks ?? 0, "blocks of codes", at: "\(place) plane \(plane.rawValue)") }
        // What is there, against the vectors.
        guard let layout else { return }
        var stored = try Statement("SELECT codes FROM code_block WHERE dictionary_id = ? AND plane = ? AND first_index = ?", on: connection)
        try catalogue.forEachCodeBlock(of: dictionary, layout) { plane, block, bytes in
            let first = layout.rows(inBlock: block).lowerBound
            stored.bind(dictionary.id, at: 0)
            stored.bind(plane.rawValue, at: 1)
            stored.bind(first, at: 2)
            guard try stored.step() else { return }
            stored.withBlob(0) { found in
                let here = "\(place) codes at feature \(first)"
                guard found.count == bytes.count else { return expect(found.count, bytes.count, "bytes of a block of codes", at: here) }
                guard let different = zip(found, bytes).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset else { return }
                damage("codes of decoder vectors", at: here, found: "byte \(different) is \(found[different])", expected: "\(bytes[different]), as the vectors give")
            }
            stored.reset()
        }
    }
}
