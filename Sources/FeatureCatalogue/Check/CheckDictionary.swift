import Diagnostics
import Formats
import SQLite

/// How far from 1 the length of a stored decoder row may be: float32 rounding over many dimensions.
let unitTolerance = 1e-4

extension Examination {
    func examineDictionaries() {
        stage("reading the decoder vectors")
        part("dictionaries") {
            let dictionaries = try catalogue.dictionaries()
            counted("dictionaries", dictionaries.count)
            for dictionary in dictionaries {
                guard dictionary.hasSoundShape else {
                    damage("shape of a dictionary", at: dictionary.name.description, found: "\(dictionary.features) features of width \(dictionary.width)", expected: "1 to \(featuresMaximum) features and a width of 1 or more")
                    continue
                }
                part("features of a dictionary") { try examineFeatures(of: dictionary) }
                if dictionary.width > 0 {
                    part("decoder vectors") { try examineVectors(of: dictionary) }
                    part("codes of decoder vectors") { try examineCodes(of: dictionary) }
                }
                part("logits of a feature") { try examineLogits(of: dictionary) }
            }
        }
    }

    func name(_ feature: Int, _ dictionary: FeatureDictionary) -> String { "\(dictionary.name)/\(feature)" }

    private func examineFeatures(of dictionary: FeatureDictionary) throws {
        var last: Int?
        try connection.query("SELECT id, feature_index, decoder_norm, encoder_decoder_cosine FROM feature WHERE dictionary_id = ? ORDER BY feature_index", [.init(dictionary.id)]) { row in
            let index = row.integer(1), here = name(index, dictionary)
            expectConsecutive(index, after: last, "order of features", at: here)
            last = index
            expect(row.integer(0), dictionary.id << 32 &+ index, "id of a feature", at: here)
            let norm = row.real(2)
            if !(norm >= 0 && norm.isFinite) { damage("decoder norm", at: here, found: "\(norm)", expected: "a length") }
            if let cosine = row.optionalReal(3), !(abs(cosine) <= 1 + unitTolerance) { damage("cosine of encoder and decoder", at: here, found: "\(cosine)", expected: "-1 to 1") }
        }
        expect((last ?? -1) &+ 1, dictionary.features, "features of a dictionary", at: dictionary.name.description)
        counted("features", dictionary.features)
    }

    private func examineVectors(of dictionary: FeatureDictionary) throws {
        if dictionary.width == 0 {
            let blocks = try connection.integer("SELECT count(*) FROM decoder_block WHERE dictionary_id = ?", .init(dictionary.id)) ?? 0
            return expect(blocks, 0, "blocks of vectors of a dictionary without vectors", at: dictionary.name.description)
        }
        let place = dictionary.name.description
        var norm = try Statement("SELECT decoder_norm FROM feature WHERE id = ?", on: connection)
        var next = 0
        try connection.query("SELECT first_index, rows, vectors, sha256 FROM decoder_block WHERE dictionary_id = ? ORDER BY first_index", [.init(dictionary.id)]) { row in
            let first = row.integer(0), rows = row.integer(1), here = "\(place) block at feature \(first)"
            expect(first, next, "place of a block of vectors", at: here)
            next = first &+ rows
            try row.withBlob(2) { bytes in
                counted("bytes of decoder vectors", bytes.count)
                expect(row.text(3), hexadecimal(SHA256.digest(of: bytes)), "sha256 of a block of vectors", at: here)
                guard rows > 0, rows <= featuresMaximum, bytes.count == rows * dictionary.width * 4 else {
                    return damage("bytes of a block of vectors", at: here, found: "\(bytes.count)", expected: "\(dictionary.width * 4) for each of \(rows) rows")
                }
                for place in 0..<rows {
                    var squares = 0.0
                    for axis in 0..<dictionary.width {
                        let value = Double(Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * (place * dictionary.width + axis), as: UInt32.self))))
                        squares += value * value
                    }
                    norm.bind(dictionary.id << 32 &+ first &+ place, at: 0)
                    let isZero = try norm.step() && norm.real(0) == 0
                    norm.reset()
                    expect(squares.squareRoot(), near: isZero ? 0 : 1, within: isZero ? 0 : unitTolerance, "length of a decoder row", at: name(first &+ place, dictionary))
                }
            }
        }
        expect(next, dictionary.features, "rows of decoder vectors", at: place)
    }

    private func examineLogits(of dictionary: FeatureDictionary) throws {
        let vocabulary = try connection.integer("SELECT t.vocabulary FROM model AS m JOIN tokenizer AS t ON t.id = m.tokenizer_id WHERE m.id = ?", .init(dictionary.model)) ?? 0
        let ids = dictionary.featureID(0)..<dictionary.featureID(dictionary.features)
        // Both ways from rank ±1 outwards: values come nearer to each other.
        for sign in [1, -1] {
            var previous: (feature: Int, rank: Int, value: Double)?
            try connection.query("SELECT feature_id, rank * ?, token, value * ? FROM feature_logit WHERE feature_id >= ? AND feature_id < ? AND rank * ? >= 0 ORDER BY feature_id, rank * ?",
                                 [.init(sign), .real(Double(sign)), .init(ids.lowerBound), .init(ids.upperBound), .init(sign), .init(sign)]) { row in
                let feature = row.integer(0), rank = row.integer(1), token = row.integer(2), value = row.real(3)
                let here = "\(name(feature - ids.lowerBound, dictionary)) logit \(sign * rank)"
                let before = previous.flatMap { $0.feature == feature ? $0 : nil }
                expect(rank, (before?.rank ?? 0) + 1, "rank of a logit", at: here)
                if let before, value > before.value { damage("order of logits", at: here, found: "\(Double(sign) * value)", expected: "no more extreme than \(Double(sign) * before.value)") }
                if !value.isFinite { damage("order of logits", at: here, found: "\(value)", expected: "a number") }
                if !(0..<vocabulary).contains(token) { damage("token of a logit", at: here, found: "\(token)", expected: "0 to \(vocabulary - 1)") }
                previous = (feature, rank, value)
                counted("logits", 1)
            }
        }
    }
}
