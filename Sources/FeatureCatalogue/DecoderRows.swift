import SQLite

/// The unit decoder rows of a dictionary, one at a time, without what lies around them.
final class DecoderRows {
    private let dictionary: FeatureDictionary
    private let catalogue: Catalogue
    /// First rows of the blocks, ascending, and the rows of `decoder_block` that hold them.
    private var starts: [Int] = [], places: [Int] = []
    private var blob: Blob?
    private var opened = -1
    private let row: UnsafeMutablePointer<Float>

    init(of dictionary: FeatureDictionary, in catalogue: Catalogue) throws {
        guard (1...1 << 28).contains(dictionary.width) else { throw catalogue.damagedVectors(dictionary) }
        (self.dictionary, self.catalogue) = (dictionary, catalogue)
        // What a damaged file says of itself is not to be multiplied unseen.
        guard (1...featuresMaximum).contains(dictionary.features), (1...1 << 24).contains(dictionary.width) else { throw catalogue.damagedVectors(dictionary) }
        row = UnsafeMutableRawPointer.allocate(byteCount: max(64, 4 * dictionary.width), alignment: 64).bindMemory(to: Float.self, capacity: dictionary.width)
        try catalogue.connection.query("SELECT id, first_index FROM decoder_block WHERE dictionary_id = ? ORDER BY first_index", [.init(dictionary.id)]) {
            places.append($0.integer(0))
            starts.append($0.integer(1))
        }
        guard starts.first == 0, starts.last! < dictionary.features else { throw catalogue.damagedVectors(dictionary) }
    }

    deinit { UnsafeMutableRawPointer(row).deallocate() }

    /// - Throws: when the block that should hold the row has another length than its place says.
    func withRow<Result>(_ index: Int, _ body: (UnsafePointer<Float>) throws -> Result) throws -> Result {
        let block = (starts.partitioningIndex { $0 > index }) - 1, end = block + 1 < starts.count ? starts[block + 1] : dictionary.features
        guard block >= 0, index < end else { throw catalogue.damagedVectors(dictionary) }
        if opened != block {
            opened = -1
            if blob == nil { blob = try Blob("vectors", of: "decoder_block", row: places[block], on: catalogue.connection) } else { try blob!.move(toRow: places[block]) }
            guard blob!.count == (end - starts[block]) * dictionary.width * 4 else { throw catalogue.damagedVectors(dictionary) }
            opened = block
        }
        try blob!.read(into: .init(start: row, count: 4 * dictionary.width), at: 4 * dictionary.width * (index - starts[block]))
        return try body(row)
    }
}

extension [Int] {
    /// The first place whose element satisfies a condition that all later ones do too, or `count`.
    func partitioningIndex(_ belongsAfter: (Int) -> Bool) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
