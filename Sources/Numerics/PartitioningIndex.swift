extension Array {
    /// The first place whose element satisfies a condition that all later ones do too, or `count`: a binary search.
    public func partitioningIndex(_ belongsAfter: (Element) -> Bool) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
