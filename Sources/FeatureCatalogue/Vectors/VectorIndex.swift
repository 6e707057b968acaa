import Glibc
import Kernels
import SQLite

/// The compact codes of one dictionary, for searching.
///
/// The first search reads them where they lie in the file, through a buffer that stays in the processor's cache: a process that
/// asks once copies nothing. From the second on they are held in memory. All that is read is compared with its checksum, and
/// read again, the long way, where it does not agree.
final class VectorIndex {
    /// Codes that are missing, or not what their checksums say.
    struct Damage: Error {}

    let layout: CodeLayout
    /// The vectors that were coded.
    let rows: DecoderRows
    private let connection: Connection
    /// The number of row 0 in checksums.
    private let firstID: Int
    /// Rows of `code_block`, by plane and block.
    private let places: [[Int]]
    private let file: FileBlobs?
    private var held: [Storage<UInt8>?] = [nil, nil]
    private var searches = 0
    /// Σ t·high, the coarse upper bound and the candidates of the search under way: kept, as fresh memory costs a third of a search.
    let products: UnsafeMutablePointer<Int32>, upper: UnsafeMutablePointer<Float>, candidates: UnsafeMutablePointer<UInt32>
    private let scratch: Storage<UInt32>
    /// Whole panels read at once: about 256 kB.
    private let panelsPerRead: Int

    /// - Throws: `Damage` when the codes are not all there.
    init(of dictionary: FeatureDictionary, in catalogue: Catalogue) throws {
        guard let layout = CodeLayout(dictionary) else { throw Damage() }
        self.layout = layout
        (connection, firstID) = (catalogue.connection, dictionary.featureID(0))
        rows = try DecoderRows(of: dictionary, in: catalogue, canTell: true)
        panelsPerRead = max(1, (1 << 18) / layout.panelBytes)
        var places: [[Int]] = [[], []]
        try connection.query("SELECT id, plane, first_index FROM code_block WHERE dictionary_id = ? ORDER BY plane, first_index", [.init(dictionary.id)]) { row in
            let plane = row.integer(1)
            guard places.indices.contains(plane), places[plane].count < layout.blocks, row.integer(2) == layout.rows(inBlock: places[plane].count).lowerBound else { throw Damage() }
            places[plane].append(row.integer(0))
        }
        guard places.allSatisfy({ $0.count == layout.blocks }) else { throw Damage() }
        self.places = places
        let padded = layout.panels * CodeLayout.panelRows
        scratch = Storage(3 * padded)
        candidates = scratch.base
        products = UnsafeMutableRawPointer(scratch.base + padded).bindMemory(to: Int32.self, capacity: padded)
        upper = UnsafeMutableRawPointer(scratch.base + 2 * padded).bindMemory(to: Float.self, capacity: padded)
        file = FileBlobs(column: 4, of: "code_block", on: connection)
    }

    /// Of the codes that are held in memory.
    var heldBytes: Int { held.reduce(0) { $0 + ($1?.bytes ?? 0) } }

    /// Does a search, the codes in memory from the second on.
    func search<Result>(_ body: () throws -> Result) throws -> Result {
        defer { rows.close() }
        searches += 1
        if held[0] == nil, searches > 1 { try connection.withoutMapping { for plane in CodePlane.allCases { held[plane.rawValue] = try hold(plane) } } }
        return try held[0] == nil && layout.panels * layout.panelBytes > 1 << 22 ? connection.withoutMapping(body) : body()
    }

    /// Calls `body` with all panels in order, some at a time: where they are, how many, and the first row's index. Those that
    /// `isWanted` (given a range of panels) says no to may be left out.
    func forEachPanels(isWanted: (Range<Int>) -> Bool, _ body: (UnsafePointer<UInt8>, Int, Int) -> Void) throws {
        if let held = held[CodePlane.high.rawValue] { return body(held.base, layout.panels, 0) }
        let buffer = Storage<UInt8>(panelsPerRead * layout.panelBytes)
        for block in 0..<layout.blocks {
            let panels = layout.bytes(inBlock: block, of: .high) / layout.panelBytes, first = layout.rows(inBlock: block).lowerBound
            var blob: Blob?
            for start in stride(from: 0, to: panels, by: panelsPerRead) {
                let count = min(panelsPerRead, panels - start), row = first + start * CodeLayout.panelRows
                guard isWanted(row / CodeLayout.panelRows..<row / CodeLayout.panelRows + count) else { continue }
                let bytes = UnsafeMutableRawBufferPointer(start: buffer.base, count: count * layout.panelBytes), offset = start * layout.panelBytes
                func isSound() -> Bool { kernel_code_first_bad_panel(buffer.base, count, layout.width, firstID + row) == count }
                func isRead() -> Bool { (file?.read(into: bytes, at: offset, row: places[CodePlane.high.rawValue][block]) ?? false) && isSound() }
                if !isRead(), !(follow(.high, block) && isRead()) {
                    if blob == nil { blob = try open(.high, block) }
                    try blob!.read(into: bytes, at: offset)
                    guard isSound() else { throw Damage() }
                }
                body(buffer.base, count, row)
            }
        }
    }

    /// Calls `body` with the low halves of these rows (ascending), either of just them or, where it is told so, of all rows.
    func withLowHalves<Result>(of rows: UnsafeBufferPointer<UInt32>, _ body: (_ base: UnsafePointer<UInt8>, _ isGathered: Bool) throws -> Result) throws -> Result {
        if let held = held[CodePlane.low.rawValue] { return try body(held.base, false) }
        let gathered = Storage<UInt8>(max(1, rows.count) * layout.rowBytes)
        func isSound() -> Bool { kernel_code_first_bad_row(gathered.base, rows.count, layout.width, firstID, rows.baseAddress) == rows.count }
        func isRead() -> Bool {
            guard let file else { return false }
            return gather(rows, gathered) { file.read(into: $0, at: $1, row: places[CodePlane.low.rawValue][$2]) } && isSound()
        }
        if isRead() { return try body(gathered.base, true) }
        let followed = Set(rows.map { Int($0) / layout.rowsPerBlock }).filter { follow(.low, $0) }
        if !followed.isEmpty, isRead() { return try body(gathered.base, true) }
        var blob: Blob?, opened = -1
        _ = try gather(rows, gathered) { bytes, offset, block in
            if opened != block {
                blob = try open(.low, block)
                opened = block
            }
            try blob!.read(into: bytes, at: offset)
            return true
        }
        guard isSound() else { throw Damage() }
        return try body(gathered.base, true)
    }

    /// The checksum of the vector that a row's code was made of.
    func vectorSum(of row: Int) throws -> UInt32 {
        try [UInt32(row)].withUnsafeBufferPointer { rows in
            try withLowHalves(of: rows) { low, isGathered in
                UnsafeRawPointer(low + (isGathered ? 0 : row * layout.rowBytes)).loadUnaligned(fromByteOffset: layout.rowBytes - 8, as: UInt32.self)
            }
        }
    }

    /// Reads the low halves of some rows (ascending) by their places in blocks, until some cannot be. Rows that lie near one another
    /// are read in one go: a call costs as much as some kilobytes.
    private func gather(_ rows: UnsafeBufferPointer<UInt32>, _ gathered: Storage<UInt8>, _ read: (UnsafeMutableRawBufferPointer, Int, Int) throws -> Bool) rethrows -> Bool {
        let size = layout.rowBytes, stretch = Storage<UInt8>(VectorIndex.stretchBytes + size)
        var next = 0
        while next < rows.count {
            let first = Int(rows[next]), (block, within) = first.quotientAndRemainder(dividingBy: layout.rowsPerBlock), end = layout.rows(inBlock: block).upperBound
            var last = next
            while last + 1 < rows.count, case let row = Int(rows[last + 1]), row < end, (row - Int(rows[last])) * size <= 4096, (row - first) * size <= VectorIndex.stretchBytes { last += 1 }
            let isOne = last == next, count = Int(rows[last]) - first + 1
            guard try read(.init(start: isOne ? gathered.base + next * size : stretch.base, count: count * size), within * size, block) else { return false }
            if !isOne { for place in next...last { (gathered.base + place * size).update(from: stretch.base + (Int(rows[place]) - first) * size, count: size) } }
            next = last + 1
        }
        return true
    }

    private static let stretchBytes = 1 << 16

    private func follow(_ plane: CodePlane, _ block: Int) -> Bool { file?.follow(row: places[plane.rawValue][block]) ?? false }

    private func open(_ plane: CodePlane, _ block: Int) throws -> Blob {
        let blob: Blob
        do { blob = try Blob("codes", of: "code_block", row: places[plane.rawValue][block], on: connection) } catch {
            // No such row any more: codes were made anew since.
            if error.kind == .other { throw Damage() }
            throw error
        }
        guard blob.count == layout.bytes(inBlock: block, of: plane) else { throw Damage() }
        return blob
    }

    private func hold(_ plane: CodePlane) throws -> Storage<UInt8> {
        let all = Storage<UInt8>((0..<layout.blocks).reduce(0) { $0 + layout.bytes(inBlock: $1, of: plane) })
        var offset = 0
        for block in 0..<layout.blocks {
            let bytes = layout.bytes(inBlock: block, of: plane)
            try open(plane, block).read(into: .init(start: all.base + offset, count: bytes), at: 0)
            offset += bytes
        }
        let bad = switch plane {
        case .high: kernel_code_first_bad_panel(all.base, layout.panels, layout.width, firstID) < layout.panels
        case .low: kernel_code_first_bad_row(all.base, layout.features, layout.width, firstID, nil) < layout.features
        }
        if bad { throw Damage() }
        return all
    }
}
