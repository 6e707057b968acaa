import Kernels
import SQLite

/// The unit decoder rows of a dictionary, one at a time, without what lies around them.
final class DecoderRows {
    let dictionary: FeatureDictionary
    private unowned let catalogue: Catalogue
    /// First rows of the blocks, ascending, and the rows of `decoder_block` that hold them.
    private var starts: [Int] = [], places: [Int] = []
    private var blob: Blob?
    private var opened = -1
    private let row: UnsafeMutablePointer<Float>
    private let file: FileBlobs?

    /// - Parameter canTell: whether a row that is asked for can be told from others; there is then a shorter way to it.
    init(of dictionary: FeatureDictionary, in catalogue: Catalogue, canTell: Bool = false) throws {
        guard dictionary.hasSoundShape else { throw catalogue.damagedVectors(dictionary) }
        (self.dictionary, self.catalogue) = (dictionary, catalogue)
        file = canTell ? FileBlobs(column: 4, of: "decoder_block", on: catalogue.connection) : nil
        row = UnsafeMutableRawPointer.allocate(byteCount: max(64, 4 * dictionary.width), alignment: 64).bindMemory(to: Float.self, capacity: dictionary.width)
        try catalogue.connection.query("SELECT id, first_index FROM decoder_block WHERE dictionary_id = ? ORDER BY first_index", [.init(dictionary.id)]) {
            places.append($0.integer(0))
            starts.append($0.integer(1))
        }
        guard starts.first == 0, starts.last! < dictionary.features else { throw catalogue.damagedVectors(dictionary) }
    }

    /// Ends the snapshot in which rows were read.
    func close() { (blob, opened) = (nil, -1) }

    deinit { UnsafeMutableRawPointer(row).deallocate() }

    /// - Parameter sum: the checksum that was stored with the row's code.
    /// - Throws: when the block that should hold the row has another length than its place says, or the row another checksum.
    func withRow<Result>(_ index: Int, sum: UInt32?, _ body: (UnsafePointer<Float>) throws -> Result) throws -> Result {
        try withRow(index, isRight: sum.map { sum in { [width = dictionary.width, id = dictionary.featureID(index)] in kernel_code_vector_sum($0, width, id) == sum } }, body)
    }

    /// - Parameter isRight: tells the row that is meant from any other, where there is a way to.
    func withRow<Result>(_ index: Int, isRight: ((UnsafePointer<Float>) -> Bool)?, _ body: (UnsafePointer<Float>) throws -> Result) throws -> Result {
        let block = starts.partitioningIndex { $0 > index } - 1, end = block + 1 < starts.count ? starts[block + 1] : dictionary.features
        guard block >= 0, index < end else { throw catalogue.damagedVectors(dictionary) }
        let bytes = UnsafeMutableRawBufferPointer(start: row, count: 4 * dictionary.width), offset = 4 * dictionary.width * (index - starts[block])
        if let file, let isRight {
            func isRead() -> Bool { file.read(into: bytes, at: offset, row: places[block]) && isRight(row) }
            if isRead() || file.follow(row: places[block]) && isRead() { return try body(row) }
        }
        if opened != block {
            opened = -1
            if let blob { try blob.move(toRow: places[block]) } else { blob = try Blob("vectors", of: "decoder_block", row: places[block], on: catalogue.connection) }
            guard blob!.count == (end - starts[block]) * dictionary.width * 4 else { throw catalogue.damagedVectors(dictionary) }
            opened = block
        }
        try blob!.read(into: bytes, at: offset)
        if let isRight, !isRight(row) { throw catalogue.damagedVectors(dictionary) }
        return try body(row)
    }
}
