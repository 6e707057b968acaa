import CSQLite

/// The blobs of one column of a table, read straight from the database's file.
///
/// A blob lies in a chain of pages, and SQLite finds a part of it by walking the chain up to there: to read a few hundred
/// bytes here and there is to touch every page. A blob that was written at once lies in pages that follow one another; this
/// takes that for granted until it is told to `follow` the chain, and always that the file is up to date, which it is unless
/// its write-ahead log holds something newer. So whatever is read this way is to be believed only by a checksum of its own; where that fails, `Blob` is the way.
///
/// The file is read through the connection's own handle (a second one, closed, would drop SQLite's locks). The format is
/// that of sqlite.org/fileformat2.html, and everything in it is hostile until checked: what makes no sense has no answer.
public final class FileBlobs {
    private let connection: Connection
    private let file: UnsafeMutablePointer<sqlite3_file>
    private let methods: UnsafePointer<sqlite3_io_methods>
    private let column: Int
    private let root: Int
    private let pageSize: Int
    /// Bytes of a page that hold content.
    private let usable: Int
    private var places: [Int: Place] = [:]
    private var leaf: (number: Int, bytes: [UInt8])?
    private let stretch = UnsafeMutableRawBufferPointer.allocate(byteCount: FileBlobs.stretchBytes, alignment: 64)

    /// A blob's beginning stands in its row's own page, the rest in pages from `overflow` on.
    private struct Place {
        let start: Int
        let local: Int
        let overflow: Int
        /// Bytes of the first overflow page that belong to columns before the blob.
        let skipped: Int
        let count: Int
        /// The overflow pages in order, where the chain has been followed.
        var pages: [Int]?

        func page(_ index: Int) -> Int { pages.map { $0[index] } ?? overflow + index }

        /// How many pages from the `index`th on lie one behind the other, `most` at the most.
        func run(from index: Int, most: Int) -> Int {
            guard let pages else { return most }
            var count = 1
            while count < most, index + count < pages.count, pages[index + count] == pages[index] + count { count += 1 }
            return count
        }
    }

    /// `nil` where there is no file that can be read so.
    ///
    /// - Parameter column: its place in the table, from 0.
    public init?(column: Int, of table: String, on connection: Connection) {
        var found: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(connection.handle, "main", SQLITE_FCNTL_FILE_POINTER, &found) == SQLITE_OK, let file = found, let methods = file.pointee.pMethods,
              let root = try? connection.integer("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", .text(table)) else { return nil }
        (self.connection, self.file, self.methods, self.column, self.root) = (connection, file, methods, column, root)
        var header = [UInt8](repeating: 0, count: 100)
        guard header.withUnsafeMutableBytes({ bytes in methods.pointee.xRead(file, bytes.baseAddress, 100, 0) == SQLITE_OK }) else { return nil }
        let size = Int(header[16]) << 8 | Int(header[17])
        pageSize = size == 1 ? 65_536 : size
        usable = pageSize - Int(header[20])
        guard header.starts(with: "SQLite format 3\0".utf8), (512...65_536).contains(pageSize), pageSize & (pageSize - 1) == 0, usable >= 480 else { return nil }
    }

    deinit { stretch.deallocate() }

    /// Fills `bytes` with what stands at `offset` of the blob of this row, or says `false`.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int, row: Int) -> Bool {
        guard let place = place(of: row), offset >= 0, bytes.count <= place.count - offset else { return false }
        var offset = offset, rest = UnsafeMutableRawBufferPointer(rebasing: bytes[...])
        while rest.count > 0 {
            let done: Int
            if offset < place.local {
                done = min(place.local - offset, rest.count)
                guard read(.init(rebasing: rest[..<done]), at: place.start + offset) else { return false }
            } else {
                let (page, within) = (offset - place.local + place.skipped).quotientAndRemainder(dividingBy: usable - 4)
                guard place.pages.map({ page < $0.count }) ?? true else { return false }
                let start = (place.page(page) - 1) * pageSize
                if within == 0, rest.count >= 2 * usable {
                    // Many pages in one go, and what they hold moved together: a call of the system for each is dearer.
                    let pages = place.run(from: page, most: min(FileBlobs.stretchBytes / pageSize, rest.count / (usable - 4)))
                    guard read(.init(start: stretch.baseAddress, count: pages * pageSize), at: start) else { return false }
                    for index in 0..<pages {
                        (rest.baseAddress! + index * (usable - 4)).copyMemory(from: stretch.baseAddress! + index * pageSize + 4, byteCount: usable - 4)
                    }
                    done = pages * (usable - 4)
                } else {
                    done = min(usable - 4 - within, rest.count)
                    guard read(.init(rebasing: rest[..<done]), at: start + 4 + within) else { return false }
                }
            }
            offset += done
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[done...])
        }
        return true
    }

    /// Finds out where the pages of this row's blob really are, page by page. Says whether that is news.
    public func follow(row: Int) -> Bool {
        guard var place = place(of: row), place.pages == nil else { return false }
        let length = place.count - place.local + place.skipped
        var pages: [Int] = [], next = place.overflow
        while pages.count * (usable - 4) < length {
            var number: UInt32 = 0
            guard next > 1, withUnsafeMutableBytes(of: &number, { read($0, at: (next - 1) * pageSize) }) else { break }
            pages.append(next)
            next = Int(UInt32(bigEndian: number))
        }
        place.pages = pages
        places[row] = place
        return true
    }

    private static let stretchBytes = 1 << 18

    private func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        methods.pointee.xRead(file, bytes.baseAddress, Int32(bytes.count), Int64(offset)) == SQLITE_OK
    }

    // MARK: Finding a row

    private func place(of row: Int) -> Place? {
        if let known = places[row] { return known }
        let found = locate(row)
        places[row] = found
        return found
    }

    private func page(_ number: Int) -> [UInt8]? {
        if let leaf, leaf.number == number { return leaf.bytes }
        guard number > 1, number < 1 << 32 else { return nil } // no table's root is page 1
        var bytes = [UInt8](repeating: 0, count: pageSize)
        guard bytes.withUnsafeMutableBytes({ read($0, at: (number - 1) * pageSize) }) else { return nil }
        return bytes
    }

    /// Down from the root: interior pages (type 5) hold keys and children, leaves (type 13) rows.
    private func locate(_ row: Int) -> Place? {
        var number = root
        for _ in 0..<20 {
            guard let bytes = page(number), bytes[0] == 5 || bytes[0] == 13 else { return nil }
            let isLeaf = bytes[0] == 13, cells = Int(bytes[3]) << 8 | Int(bytes[4]), pointers = isLeaf ? 8 : 12
            guard pointers + 2 * cells <= usable else { return nil }
            var next: Int?
            for cell in 0..<cells {
                var reader = PageReader(bytes, Int(bytes[pointers + 2 * cell]) << 8 | Int(bytes[pointers + 2 * cell + 1]), usable)
                if isLeaf {
                    guard let payload = reader.varint(), let key = reader.varint() else { return nil }
                    if key == row {
                        leaf = (number, bytes)
                        return place(payload, reader, (number - 1) * pageSize)
                    }
                } else {
                    guard let child = reader.number(), let key = reader.varint() else { return nil }
                    if row <= key { next = child; break }
                }
            }
            guard !isLeaf else { return nil }
            var last = PageReader(bytes, 8, usable)
            guard let child = next ?? last.number() else { return nil }
            number = child
        }
        return nil
    }

    /// Where the column's bytes begin in a cell whose payload begins at the reader's place.
    private func place(_ payload: Int, _ reader: PageReader, _ pageStart: Int) -> Place? {
        let most = usable - 35, least = (usable - 12) * 32 / 255 - 23
        guard payload >= 0, payload <= Int(Int32.max) else { return nil }
        var local = payload
        if payload > most {
            let some = least + (payload - least) % (usable - 4)
            local = some <= most ? some : least
        }
        let start = reader.place
        guard start + local + (local < payload ? 4 : 0) <= usable else { return nil }
        var reader = reader, end = reader
        end.place = start + local
        let overflow = local < payload ? end.number() : 0
        guard let overflow, let headerBytes = reader.varint(), headerBytes <= local, headerBytes > 0 else { return nil }
        var before = headerBytes
        for index in 0...column {
            guard reader.place < start + headerBytes, let type = reader.varint() else { return nil }
            let size: Int
            switch type {
            case 0, 8, 9: size = 0
            case 1...4: size = type
            case 5: size = 6
            case 6, 7: size = 8
            case 12...: size = (type - 12) / 2
            default: return nil
            }
            if index == column {
                guard type >= 12, type % 2 == 0, size <= payload - before else { return nil }
                let inside = max(0, min(local - before, size))
                return Place(start: pageStart + start + before, local: inside, overflow: overflow, skipped: max(0, before - local), count: size)
            }
            guard size <= payload - before else { return nil }
            before += size
        }
        return nil
    }
}

/// Numbers from a page, each checked to lie in it.
private struct PageReader {
    let bytes: [UInt8]
    let end: Int
    var place: Int

    init(_ bytes: [UInt8], _ place: Int, _ end: Int) { (self.bytes, self.place, self.end) = (bytes, place, end) }

    /// Four bytes, the highest first.
    mutating func number() -> Int? {
        guard place >= 0, place + 4 <= end else { return nil }
        defer { place += 4 }
        return bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    /// Seven bits a byte, the highest first; the ninth byte has eight. Negative ones are no length and no row of ours.
    mutating func varint() -> Int? {
        var value: UInt64 = 0
        for count in 0..<9 {
            guard place >= 0, place < end else { return nil }
            let byte = bytes[place]
            place += 1
            if count == 8 { value = value << 8 | UInt64(byte); break }
            value = value << 7 | UInt64(byte & 127)
            if byte < 128 { break }
        }
        return Int(exactly: value)
    }
}
