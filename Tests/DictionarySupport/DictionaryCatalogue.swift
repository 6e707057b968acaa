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
    try catalogue.connection.execute("BEGIN IMMEDIATE")
    let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: 2) { [UInt8($0)] }
    let model = try catalogue.register(ModelDescription(name: "m", architecture: "a", layers: 1, width: 1, mlpWidth: 1, vocabulary: 2, contextLength: 1, weightsSHA256: ""), tokenizer: tokenizer)
    let description = DictionaryDescription(name: try DictionaryName(parsing: "A/0"), hook: "blocks.0.hook_resid_post", architecture: "standard", settings: "{}", weightsSHA256: "")
    let dictionary = try catalogue.register(description, model: model, decoder: rows, norms: given, scales: given, encoderDecoderCosines: [Float](repeating: .nan, count: rows.rows))
    try catalogue.connection.execute("COMMIT")
    return (catalogue, dictionary)
}

/// The cosine of a unit row and a query, in double.
public func cosine(_ row: UnsafePointer<Float>, _ query: UnsafePointer<Float>, _ width: Int) -> Double {
    var product = 0.0, squares = 0.0
    for axis in 0..<width {
        product += Double(row[axis]) * Double(query[axis])
        squares += Double(query[axis]) * Double(query[axis])
    }
    return product / squares.squareRoot()
}
