import Diagnostics
import FeatureCatalogue

extension DictionaryName: ArgumentValue { static var expectation: String { "a dictionary's name, such as A/1" } }
extension FeatureName: ArgumentValue { static var expectation: String { "a feature's name, such as A/1/2357" } }
extension FeatureOrder: ArgumentValue {}
extension FeatureStatus: ArgumentValue {}
extension TopicOrder: ArgumentValue {}
extension LabelRule: ArgumentValue {}

extension Invocation {
    /// The catalogue, for looking.
    func openCatalogue() throws -> Catalogue { try Catalogue(path: self[Shared.catalogue], for: .reading) }
}

/// Cells that several commands print alike.
extension Cell {
    static func density(_ value: Double?) -> Cell { Cell(value, .percent) }
    /// A token in its own words, spaces seen.
    static func token(_ text: String?) -> Cell { text.map { .text($0) } ?? .missing }
}
