import Formats
import Kernels
import SQLite

// What an unfinished graph of a dictionary in itself has seen of the features whose turn has not come.
//
// Each pair is judged once, when the earlier of its features has its turn, so the later one's candidates are work that
// is done and must outlive the process. One blob holds up to 4,096 features: for each its number of candidates (UInt32,
// little-endian, as all here), then for each candidate its value (Float) and feature (UInt32; the top bit says that the
// value is the cosine itself). Which candidates there are depends on the order in which threads met them; the graph
// that comes of them does not.

private let featuresPerBlob = 4096

extension Catalogue {
    /// Puts what the search carries in the place of what was stored before. Inside a transaction.
    func store(carryOf search: GraphSearch, for graph: Int) throws {
        try connection.run("DELETE FROM neighbour_carry WHERE graph_id = ?", .init(graph))
        guard search.isSymmetric, search.next < search.rows.count else { return }
        var insert = try Statement("INSERT INTO neighbour_carry (graph_id, first_index, candidates, checksum) VALUES (?, ?, ?, ?)", on: connection)
        for first in stride(from: search.next, to: search.rows.count, by: featuresPerBlob) {
            var bytes: [UInt8] = []
            func append(_ word: UInt32) { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
            for row in first..<min(search.rows.count, first + featuresPerBlob) {
                let candidates = search.candidates(of: row)
                append(UInt32(candidates.count))
                for candidate in candidates {
                    append(candidate.value.bitPattern)
                    append(candidate.feature)
                }
            }
            try insert.run(.init(graph), .init(first), .blob(bytes), .init(checksum(bytes)))
        }
    }

    /// What was carried for each feature from `first` on; `nil` unless it is whole.
    func storedCarry(of graph: Int, from first: Int, features: Int) throws -> [[graph_candidate]]? {
        var lists: [[graph_candidate]] = [], isWhole = true
        try connection.query("SELECT first_index, candidates, checksum FROM neighbour_carry WHERE graph_id = ? ORDER BY first_index", [.init(graph)]) { row in
            let bytes = row.blob(1)
            guard isWhole, row.integer(0) == first + lists.count, row.integer(2) == checksum(bytes), let more = parse(bytes) else { isWhole = false; return }
            lists += more
        }
        return isWhole && lists.count == features - first ? lists : nil
    }

    func isWhole(carry bytes: [UInt8], checksum expected: Int) -> Bool { checksum(bytes) == expected && parse(bytes) != nil }

    private func parse(_ bytes: [UInt8]) -> [[graph_candidate]]? {
        bytes.withUnsafeBytes { raw in
            var lists: [[graph_candidate]] = [], place = 0
            func word(_ index: Int) -> UInt32 { UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)) }
            guard raw.count % 4 == 0 else { return nil }
            let words = raw.count / 4
            while place < words {
                let count = Int(word(place))
                guard count <= (words - place - 1) / 2 else { return nil }
                lists.append((0..<count).map { graph_candidate(value: Float(bitPattern: word(place + 1 + 2 * $0)), feature: word(place + 2 + 2 * $0)) })
                place += 1 + 2 * count
            }
            return lists
        }
    }

    /// 63 bits of FNV-1a over 32-bit words.
    private func checksum(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { raw in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for index in 0..<raw.count / 4 { hash = (hash ^ UInt64(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))) &* 0x100_0000_01b3 }
            return Int(hash >> 1)
        }
    }
}
