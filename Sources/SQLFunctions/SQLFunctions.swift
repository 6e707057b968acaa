import FeatureCatalogue
public import SQLite

/// Adds Monoseme's functions to a connection, whatever it is open on: SQL.md describes them.
///
/// What they know of a catalogue they read over the same connection, so within the statement's own transaction: an
/// ingest that commits meanwhile cannot mix two states, and one interruption stops both. The catalogue is the
/// connection's main database; that it is one is judged when a function needs it, not here.
public func registerFunctions(on connection: Connection) throws {
    try registerVectorFunctions(on: connection)
    let current = CurrentCatalogue(connection.borrowed)
    try registerFeatureFunctions(on: connection, of: current)
    try connection.register(NearestFunction("nearest", of: current))
    try connection.register(NearestFunction("neighbours", of: current))
    try connection.register(ActivationsFunction(of: current))
    try connection.register(ExamplesFunction(of: current))
    try connection.register(CofiringFunction(of: current))
    try connection.register(TaggedFunction(of: current))
    try connection.register(TagPositionsFunction(of: current))
}

/// The functions of one feature or position.
private func registerFeatureFunctions(on connection: Connection, of current: CurrentCatalogue) throws {
    try connection.register("feature", arguments: 1) { arguments in
        guard let (dictionary, index) = try current.catalogue().feature(arguments.value(0), for: "feature") else { return .null }
        return .init(dictionary.featureID(index))
    }
    try connection.register("feature_name", arguments: 1) { arguments in
        guard let (dictionary, index) = try current.catalogue().feature(arguments.value(0), for: "feature_name") else { return .null }
        return .text(FeatureName(dictionary: dictionary.name, index: index).description)
    }
    try connection.register("decoder", arguments: 1) { arguments in
        let catalogue = try current.catalogue()
        guard let (dictionary, index) = try catalogue.feature(arguments.value(0), for: "decoder") else { return .null }
        return .blob(bytes(of: try catalogue.decoder(of: index, in: dictionary)))
    }
    try connection.register("context", arguments: 3) { arguments in
        guard let corpus = try integer(arguments.value(0), "corpus_id", of: "context"), let position = try integer(arguments.value(1), "position", of: "context") else { return .null }
        let text = try current.text(of: corpus)
        guard position >= 0, position < text.corpus.tokens else { return .null }
        return .text(try text.marked(position, try window(arguments.value(2), of: "context") ?? 0))
    }
}
