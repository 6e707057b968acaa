import Glibc
import Kernels
import SQLite

/// The compact codes of one dictionary, for searching.
///
/// The first search reads them where they lie in the file, through a buffer that stays in the processor's cache: a process that
/// asks once copies nothing. From the second on they are held in memory. All that is read is compared with its checksum.
final class VectorIndex {
    /// Codes that are missing, or not what their checksums say.
    struct Damage: Error {}

    let layout: CodeLayout
    private let connection: Connection
    /// Rows of `code_block`, by plane and block.
    private let places: [[Int]]
    private var held: [HeldPlane?] = [nil, nil]
    private var searches = 0
    /// Whole panels read at once: about 256 kB.
    private let panelsPerRead: Int

    /// - Throws: `Damage` when the codes are not all there.
    init(of dictionary: FeatureDictionary, on connection: Connection) throws {
        guard let layout = CodeLayout(dictionary) else { throw Damage() }
        self.layout = layout
        self.connection = connection
        panelsPerRead = max(1, (1 << 18) / layout.panelBytes)
        var places: [[Int]] = [[], []]
        try connection.query("SELECT id, plane, first_index FROM code_block WHERE dictionary_id = ? ORDER BY plane, first_index", [.init(dictionary.id)]) { row in
            let plane = row.integer(1)
            guard places.indices.contains(plane), places[plane].count < layout.blocks, row.integer(2) == layout.rows(inBlock: places[plane].count).lowerBound else { throw Damage() }
            places[plane].append(row.integer(0))
        }
        guard places.allSatisfy({ $0.count == layout.blocks }) else { throw Damage() }
        self.places = places
    }

    /// To be said before each search.
    func beginSearch() throws {
        searches += 1
        if searches == 2 { for plane in CodePlane.allCases { held[plane.rawValue] = try hold(plane) } }
    }

    /// Calls `body` with all panels in order, some at a time: where they are, how many, and the first row's index. Those that
    /// `isWanted` (given a range of panels) says no to may be left out.
    func forEachPanels(isWanted: (Range<Int>) -> Bool, _ body: (UnsafePointer<UInt8>, Int, Int) -> Void) throws {
        if let held = held[CodePlane.high.rawValue] { return body(held.base, layout.panels, 0) }
        let buffer = HeldPlane(bytes: panelsPerRead * layout.panelBytes)
        for block in 0..<layout.blocks {
            let panels = layout.bytes(inBlock: block, of: .high) / layout.panelBytes, first = layout.rows(inBlock: block).lowerBound
            var blob: Blob?
            for start in stride(from: 0, to: panels, by: panelsPerRead) {
                let count = min(panelsPerRead, panels - start), row = first + start * CodeLayout.panelRows
                guard isWanted(row / CodeLayout.panelRows..<row / CodeLayout.panelRows + count) else { continue }
                if blob == nil { blob = try open(.high, block) }
                try blob!.read(into: .init(start: buffer.base, count: count * layout.panelBytes), at: start * layout.panelBytes)
                guard kernel_code_first_bad_panel(buffer.base, count, layout.width, row) == count else { throw Damage() }
                body(buffer.base, count, row)
            }
        }
    }

    /// Calls `body` with the low halves of these rows (ascending), either of just them or, where it is told so, of all rows.
    func withLowHalves<Result>(of rows: UnsafeBufferPointer<UInt32>, _ body: (_ base: UnsafePointer<UInt8>, _ isGathered: Bool) throws -> Result) throws -> Result {
        if let held = held[CodePlane.low.rawValue] { return try body(held.base, false) }
        let gathered = HeldPlane(bytes: max(1, rows.count) * layout.rowBytes), stretch = HeldPlane(bytes: VectorIndex.stretchBytes + layout.rowBytes)
        var blob: Blob?, opened = -1
        var next = 0
        while next < rows.count {
            // Rows that lie near one another are read in one go.
            let first = Int(rows[next]), block = first / layout.rowsPerBlock, end = layout.rows(inBlock: block).upperBound
            var last = next
            while last + 1 < rows.count, Int(rows[last + 1]) < end, (Int(rows[last + 1]) - Int(rows[last])) * layout.rowBytes <= 4096, (Int(rows[last + 1]) - first) * layout.rowBytes <= VectorIndex.stretchBytes { last += 1 }
            if opened != block {
                blob = try open(.low, block)
                opened = block
            }
            let count = Int(rows[last]) - first + 1
            try blob!.read(into: .init(start: stretch.base, count: count * layout.rowBytes), at: (first - layout.rows(inBlock: block).lowerBound) * layout.rowBytes)
            for place in next...last {
                (gathered.base + place * layout.rowBytes).update(from: stretch.base + (Int(rows[place]) - first) * layout.rowBytes, count: layout.rowBytes)
            }
            next = last + 1
        }
        guard kernel_code_first_bad_row(gathered.base, rows.count, layout.width, 0, rows.baseAddress) == rows.count else { throw Damage() }
        return try body(gathered.base, true)
    }

    private static let stretchBytes = 1 << 16

    private func open(_ plane: CodePlane, _ block: Int) throws -> Blob {
        let blob = try Blob("codes", of: "code_block", row: places[plane.rawValue][block], on: connection)
        guard blob.count == layout.bytes(inBlock: block, of: plane) else { throw Damage() }
        return blob
    }

    private func hold(_ plane: CodePlane) throws -> HeldPlane {
        let all = HeldPlane(bytes: (0..<layout.blocks).reduce(0) { $0 + layout.bytes(inBlock: $1, of: plane) })
        var offset = 0
        for block in 0..<layout.blocks {
            let bytes = layout.bytes(inBlock: block, of: plane)
            try open(plane, block).read(into: .init(start: all.base + offset, count: bytes), at: 0)
            offset += bytes
        }
        let bad = switch plane {
        case .high: kernel_code_first_bad_panel(all.base, layout.panels, layout.width, 0) < layout.panels
        case .low: kernel_code_first_bad_row(all.base, layout.features, layout.width, 0, nil) < layout.features
        }
        if bad { throw Damage() }
        return all
    }
}

/// Plain memory in large pages: a scan that misses the translation cache at every fourth kilobyte takes a third longer.
private final class HeldPlane {
    let base: UnsafeMutablePointer<UInt8>

    init(bytes: Int) {
        let page = 1 << 21, isLarge = bytes >= page
        var start: UnsafeMutableRawPointer?
        let size = isLarge ? (bytes + page - 1) / page * page : max(64, bytes)
        guard posix_memalign(&start, isLarge ? page : 64, size) == 0, let start else { fatalError("out of memory") }
        if isLarge { madvise(start, size, MADV_HUGEPAGE) }
        base = start.assumingMemoryBound(to: UInt8.self)
    }

    deinit { free(base) }
}
