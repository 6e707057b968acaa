import Diagnostics
public import FeatureCatalogue
import SQLite

/// Adds the functions that SQL alone cannot express to the catalogue's connection.
///
/// - `context(corpus_id, position, window)`: the text around a position, the token itself between « and ».
public func registerFunctions(of catalogue: Catalogue) throws {
    let path = catalogue.path
    let texts = Texts(path)
    try catalogue.connection.register("context", arguments: 3) { arguments in
        if arguments.isNull(0) || arguments.isNull(1) { return .null }
        let text = try texts.text(of: arguments.integer(0))
        let position = arguments.integer(1)
        guard position >= 0, position < text.corpus.tokens else { return .null }
        let parts = try text.window(around: position, max(0, min(arguments.integer(2), 1000))).parts
        return .text("\(parts.before)«\(parts.focus)»\(parts.after)")
    }
}

/// Corpora by id, read over a connection of their own: a query's connection is busy with the query, and guarded.
private final class Texts {
    private let path: String
    private var catalogue: Catalogue?
    private var known: [Int: CorpusText] = [:]

    init(_ path: String) { self.path = path }

    func text(of corpus: Int) throws -> CorpusText {
        if let text = known[corpus] { return text }
        if catalogue == nil { catalogue = try Catalogue(path: path, for: .reading) }
        let text = try CorpusText(catalogue!, corpus: corpus)
        known[corpus] = text
        return text
    }
}
