import FeatureCatalogue
import Foundation
import IngestionSupport
import Numerics
import SQLFunctions
import SQLite
import TestSupport

/// The planted catalogue with more dictionaries, none of which has been run: Q/0 of another model, R/0 at another hook,
/// and S/0 in P/0's space, with the rows (0, 1, 0) and (1, 0, 0). Its connection has our functions.
final class World {
    let catalogue: Catalogue
    var connection: Connection { catalogue.connection }
    let path: String

    init(at folder: URL) throws {
        path = folder.appending(path: "c.sqlite").path
        catalogue = try PlantedCatalogue(at: path).catalogue
        try catalogue.connection.transaction {
            let model = try catalogue.connection.integer("SELECT id FROM model")!
            let other = try catalogue.register(
                ModelDescription(name: "other", architecture: "gpt2", layers: 1, width: 3, mlpWidth: 3, vocabulary: 80, contextLength: 10, weightsSHA256: String(repeating: "9", count: 64)),
                tokenizer: 1)
            for (name, model, hook) in [("Q/0", other, "blocks.0.mlp.hook_post"), ("R/0", model, "blocks.0.hook_mlp_out"), ("S/0", model, "blocks.0.mlp.hook_post")] {
                _ = try catalogue.register(
                    DictionaryDescription(name: DictionaryName(name)!, hook: hook, architecture: "standard", settings: "{}", weightsSHA256: String(repeating: "3", count: 64)),
                    model: model, decoder: Matrix(rows: 2, columns: 3, [0, 1, 0, 1, 0, 0]), norms: [1, 1], scales: [1, 1], encoderDecoderCosines: [1, 1])
            }
        }
        try registerFunctions(on: catalogue.connection)
    }

    static func with<Result>(_ body: (World) throws -> Result) throws -> Result { try withTemporaryFolder { try body(try World(at: $0)) } }

    /// The rows of an answer, values as SQL shows them: blobs in hexadecimal, reals as short as they can be.
    func ask(_ sql: String, _ values: SQLiteValue...) throws -> [[String]] {
        var rows: [[String]] = []
        try connection.query(sql, values) { row in
            rows.append((0..<row.columnCount).map {
                switch row.value($0) {
                case .null: "null"
                case .integer(let n): "\(n)"
                case .real(let r): "\(r)"
                case .text(let t): t
                case .blob(let b): "x" + b.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                }
            })
        }
        return rows
    }

    /// What a question is refused with; `nil` if it is answered.
    func refusal(_ sql: String) -> String? {
        do { _ = try ask(sql) } catch { return (error as? SQLiteError)?.message ?? "\(error)" }
        return nil
    }
}
