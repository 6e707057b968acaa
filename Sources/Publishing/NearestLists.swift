import FeatureCatalogue

/// The nearest of every feature of a dictionary, found all at once, which costs a tenth of as many searches.
struct NearestLists: Sendable {
    /// Of each list, where there are as many others.
    static let length = 10
    /// What finding them may take. Past it, each feature is searched for by itself, in memory that does not grow.
    private static let bytesMaximum = 1 << 27

    private var all: [Neighbour] = []
    /// Where in `all` each feature's end.
    private var ends: [Int] = []

    /// `nil` where the dictionary has no vectors, is too large, or its vectors are damaged, which the search for one feature will tell of.
    init?(of dictionary: FeatureDictionary, in catalogue: Catalogue, threads: Int) {
        guard dictionary.width > 0 else { return nil }
        // Numbers as they are and their codes; candidates, as `forEachNeighbourList` says; what is kept.
        let bytesPerFeature = 9 * min(dictionary.width, NearestLists.bytesMaximum) + 2 * 16 * NearestLists.length + 878
        guard dictionary.features <= NearestLists.bytesMaximum / bytesPerFeature else { return nil }
        do {
            try catalogue.forEachNeighbourList(of: dictionary, among: dictionary, k: NearestLists.length, threads: threads) { _, neighbours in
                all += neighbours
                ends.append(all.count)
            }
        } catch { return nil }
        guard ends.count == dictionary.features else { return nil }
    }

    subscript(feature: Int) -> [Neighbour] { Array(all[(feature == 0 ? 0 : ends[feature - 1])..<ends[feature]]) }
}
