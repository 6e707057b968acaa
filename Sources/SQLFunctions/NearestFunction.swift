import Diagnostics
import FeatureCatalogue
import SQLite

/// `nearest(query [, k [, dictionary]])`: the features whose decoder vectors point most nearly along a vector or feature;
/// `neighbours(feature [, k [, dictionary]])`: the same for a feature, from the stored graph where there is one.
///
/// Exact, nearest first, ties by index. A feature looks in its own dictionary unless told otherwise, and leaves itself
/// out there. Rows: none for NULL, and none for a feature whose decoder vector is zero: it has no neighbours.
struct NearestFunction: TableFunction {
    let name: String
    let columns = [TableColumn("feature", "TEXT"), TableColumn("feature_id", "INTEGER"), TableColumn("cosine", "REAL"), TableColumn("rank", "INTEGER")]
    let parameters: [TableParameter]
    let order = [TableOrder(2, isDescending: true), TableOrder(3)]
    let estimate = onceOutermost
    private let takesVectors: Bool
    private let current: CurrentCatalogue

    init(_ name: String, of current: CurrentCatalogue) {
        self.name = name
        self.current = current
        takesVectors = name == "nearest"
        parameters = [TableParameter(takesVectors ? "query" : "of", isRequired: true), TableParameter("k"), TableParameter("dictionary")]
    }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        let catalogue = try current.catalogue()
        let k = try rowCount(arguments[1], "k", of: name, default: 10)
        let target = try catalogue.dictionary(arguments[2], for: name)
        let found: [Neighbour], dictionary: FeatureDictionary
        if let query = try queryVector(arguments[0]) {
            guard let target else { throw MonosemeError("\(name): a vector says nothing of where to look", hint: "name a dictionary: nearest(vector, k, 'A/1')") }
            (found, dictionary) = (try catalogue.nearest(to: query, in: target, k: k), target)
        } else if let (own, index) = try catalogue.feature(arguments[0], for: name) {
            dictionary = target ?? own
            try catalogue.demandSameSpace(own, dictionary)
            found = try neighbours(of: index, in: own, among: dictionary, k: k, catalogue)
        } else {
            return TableRows([Neighbour]()) { _, _ in .null }
        }
        return TableRows(Array(found.enumerated())) { row, column in
            switch column {
            case 0: .text(FeatureName(dictionary: dictionary.name, index: row.element.feature).description)
            case 1: .init(dictionary.featureID(row.element.feature))
            // As short as float32 is written, not with the digits that float64 would add.
            case 2: .init(Double("\(row.element.cosine)"))
            default: .init(row.offset + 1)
            }
        }
    }

    /// The vector that a query is; `nil` where it is a feature or NULL.
    private func queryVector(_ value: SQLiteValue?) throws -> [Float]? {
        switch value {
        case .blob? where takesVectors: return try vector(value, for: name)
        case .text(let text)? where takesVectors:
            guard let first = text.utf8.first(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }), first == UInt8(ascii: "[") || first == UInt8(ascii: "{") else { return nil }
            return try vector(value, for: name)
        default: return nil
        }
    }

    private func neighbours(of index: Int, in own: FeatureDictionary, among target: FeatureDictionary, k: Int, _ catalogue: Catalogue) throws -> [Neighbour] {
        if !takesVectors, let stored = try catalogue.storedNeighbours(of: index, in: own, among: target, k: k) { return stored }
        let query = try catalogue.decoder(of: index, in: own)
        guard query.contains(where: { $0 != 0 }) else { return [] }
        return try catalogue.nearest(to: query, in: target, k: k, excluding: target.id == own.id ? index : nil)
    }
}
