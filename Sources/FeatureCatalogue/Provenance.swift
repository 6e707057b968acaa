import Diagnostics
import SQLite

/// The files a dictionary version came from, as they were at ingest: by these they are known again.
public struct Provenance: Sendable, Equatable {
    public let model: String
    public let modelSHA256: String
    public let tokenizerSHA256: String
    /// The autoencoder's cfg.json, byte for byte.
    public let settings: String
}

extension Catalogue {
    public func provenance(of dictionary: FeatureDictionary) throws -> Provenance {
        let found = try connection.first("""
            SELECT m.name, m.weights_sha256, k.sha256, d.settings
            FROM dictionary AS d JOIN model AS m ON m.id = d.model_id JOIN tokenizer AS k ON k.id = m.tokenizer_id WHERE d.id = ?
            """, .init(dictionary.id)) { Provenance(model: $0.text(0), modelSHA256: $0.text(1), tokenizerSHA256: $0.text(2), settings: $0.text(3)) }
        guard let found else {
            throw MonosemeError("\(quoted(path, limit: 400)) is damaged: the model of \(dictionary.name) is missing", hint: "monoseme check lists all damage")
        }
        return found
    }
}
