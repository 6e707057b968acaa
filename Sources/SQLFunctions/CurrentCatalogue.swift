import FeatureCatalogue
import SQLite

/// The catalogue on a connection as it is now, and the corpora read from it.
///
/// The connection may stay open for days while others ingest: what was read is used again only while the database has
/// not changed.
final class CurrentCatalogue {
    private let connection: Connection
    private var known: (state: (changes: Int, version: Int), catalogue: Catalogue, texts: [Int: CorpusText])?

    init(_ connection: Connection) { self.connection = connection }

    /// - Throws: when the connection's main database is not a catalogue.
    func catalogue() throws -> Catalogue {
        let state = try connection.state
        if let known, let state, known.state == state { return known.catalogue }
        known = nil
        let catalogue = try Catalogue(borrowing: connection)
        known = state.map { ($0, catalogue, [:]) }
        return catalogue
    }

    func text(of corpus: Int) throws -> CorpusText {
        let catalogue = try catalogue()
        if let text = known?.texts[corpus] { return text }
        let text = try CorpusText(catalogue, corpus: corpus)
        known?.texts[corpus] = text
        return text
    }
}

extension CorpusText {
    /// The text around a position, the token itself between « and ».
    func marked(_ position: Int, _ window: Int) throws -> String {
        let parts = try self.window(around: position, window).parts
        return "\(parts.before)«\(parts.focus)»\(parts.after)"
    }
}
