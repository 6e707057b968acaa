import Diagnostics
import SQLite

extension Catalogue {
    /// The features of `dictionary` for which an SQL predicate over the columns of `feature_overview` holds, such as
    /// `density > 1e-4 AND label IS NOT NULL`.
    ///
    /// The predicate is somebody's own text. It is compiled twice: in brackets behind the choice of the dictionary, and as the
    /// end of a statement. The first refuses what is no expression (ORDER BY, UNION, a second statement, an open comment);
    /// the second refuses a bracket that closes ours, since at the end of a statement there is none to be closed, and with
    /// it a semicolon behind such a bracket. It runs on a connection of its own, which may read and nothing else.
    /// - Throws: `MonosemeError` that repeats the predicate and what SQLite said of it; the hint lists the columns.
    public func features(of dictionary: FeatureDictionary, where predicate: String) throws -> FeatureSubset {
        try demandSoundShape(dictionary)
        guard !predicate.utf8.contains(0) else { throw MonosemeError("the predicate \(quoted(predicate, limit: 200)) holds a NUL") }
        let reader = try Catalogue.openForReading(path)
        do {
            try reader.execute("PRAGMA query_only = 1; PRAGMA mmap_size = 2147418112; PRAGMA cache_size = -32768")
            reader.allowReadingOnly()
            // A line of its own for the bracket: the predicate may end in a comment.
            var statement = try Statement("SELECT feature_index FROM feature_overview WHERE feature_id >= ? AND feature_id < ? AND (\(predicate)\n)", on: reader)
            let alone = try Statement("SELECT 1 FROM feature_overview WHERE \(predicate)", on: reader)
            guard alone.parameterCount == 0 else { throw problem(predicate, "it has parameters, and no values for them", reader) }
            statement.bind(dictionary.featureID(0), at: 0)
            statement.bind(dictionary.featureID(dictionary.features), at: 1)
            var subset = FeatureSubset(of: dictionary.features)
            while try statement.step() { subset.insert(statement.integer(0)) }
            return subset
        } catch let error as SQLiteError {
            switch error.kind {
            case .other, .denied, .tooBig, .readOnly: throw problem(predicate, error.message, reader)
            default: throw explain(error, in: path)
            }
        }
    }

    private func problem(_ predicate: String, _ what: String, _ reader: Connection) -> MonosemeError {
        let columns = (try? reader.rows("SELECT name FROM pragma_table_info('feature_overview')") { $0.text(0) }) ?? []
        return MonosemeError("the predicate \(quoted(predicate, limit: 200)) was refused: \(what)", hint: "one SQL expression over the columns \(columns.joined(separator: ", "))")
    }
}
