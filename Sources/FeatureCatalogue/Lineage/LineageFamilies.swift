import SQLite

extension Catalogue {
    /// The family of each fine feature of a lineage: its surest parent of tier likely or asserted (ties to the lower index), or `nil`.
    public func surestParents(in lineage: Lineage) throws -> [Int?] {
        var parents = [Int?](repeating: nil, count: lineage.fine.features), confidences = [Double](repeating: -1, count: lineage.fine.features)
        // The table and not the view: names of thousands of edges would be put together and taken apart again.
        try connection.query("""
            SELECT child_id & 4294967295, parent_id & 4294967295, confidence FROM lineage_edge
            WHERE build_id = ? AND tier IN ('likely', 'asserted') ORDER BY child_id, parent_id
            """, [.init(lineage.id)]) { row in
            let child = row.integer(0), parent = row.integer(1), confidence = row.real(2)
            guard parents.indices.contains(child), (0..<lineage.coarse.features).contains(parent), confidence > confidences[child] else { return }
            (parents[child], confidences[child]) = (parent, confidence)
        }
        return parents
    }

    /// The complete lineage from the next smaller version, if there is one: its families are the finest.
    public func nearestLineage(to fine: FeatureDictionary) throws -> Lineage? {
        try lineages().filter { $0.fine.id == fine.id && $0.isComplete }.max { $0.coarse.features < $1.coarse.features }
    }
}
