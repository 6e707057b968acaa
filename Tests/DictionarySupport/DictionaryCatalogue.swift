public import FeatureCatalogue
public import Numerics
import SQLite

/// A catalogue with the dictionary `A/0` of these rows at `blocks.0.hook_resid_post`, made without a model or a run.
///
/// - Parameters:
///   - rows: unit rows, or zeros (features × width).
///   - norms: what the rows' lengths were, 0 for rows of zeros; `nil`: 1 but for those.
public func catalogue(of rows: borrowing Matrix, norms: [Float]? = nil, path: String = ":memory:") throws -> (Catalogue, FeatureDictionary) {
    var given = norms ?? [Float](repeating: 1, count: rows.rows)
    for row in 0..<rows.rows where norms == nil && (0..<rows.columns).allSatisfy({ rows.base[row * rows.columns + $0] == 0 }) { given[row] = 0 }
    let catalogue = try Catalogue(path: path, for: .ingesting)
    let dictionary = try catalogue.connection.transaction {
        let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: 2) { [UInt8($0)] }
        let model = try catalogue.register(ModelDescription(name: "m", architecture: "a", layers: 1, width: 1, mlpWidth: 1, vocabulary: 2, contextLength: 1, weightsSHA256: ""), tokenizer: tokenizer)
        return try catalogue.register(DictionaryDescription(name: try DictionaryName(parsing: "A/0"), hook: "blocks.0.hook_resid_post", architecture: "standard", settings: "{}", weightsSHA256: ""),
                                      model: model, decoder: rows, norms: given, scales: given, encoderDecoderCosines: [Float](repeating: .nan, count: given.count))
    }
    return (catalogue, dictionary)
}

/// The same of rows of any length, which are made unit, and those unit rows.
public func dictionaryCatalogue(_ rows: [[Float]], path: String = ":memory:") throws -> (Catalogue, FeatureDictionary, [[Float]]) {
    let matrix = Matrix(rows: rows.count, columns: rows[0].count)
    var unit = rows, norms: [Float] = []
    for (place, row) in rows.enumerated() {
        let norm = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        norms.append(Float(norm))
        if norm > 0 { unit[place] = row.map { Float(Double($0) / norm) } }
        for (axis, value) in unit[place].enumerated() { matrix[place, axis] = value }
    }
    let (catalogue, dictionary) = try catalogue(of: matrix, norms: norms, path: path)
    return (catalogue, dictionary, unit)
}
