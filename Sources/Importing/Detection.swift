import Diagnostics

/// What kind of thing lies at a path, told by its files.
public func importSource(at path: String) throws -> ImportSource {
    if isSAEDashboard(path) { return .saedashboard }
    if isDelphiResults(path) { return .delphi }
    if isNeuronpedia(path) { return .neuronpedia }
    throw MonosemeError("cannot tell what \(quoted(path, limit: 400)) is", hint: "say it with --from \(ImportSource.allCases.map(\.rawValue).joined(separator: "|"))")
}
