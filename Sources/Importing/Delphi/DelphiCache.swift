import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Kernels

/// All shards of a module, surveyed once, and then read segment by segment.
///
/// Shards are by latents, segments by position. delphi writes a shard's rows in order of sequence and position (as `torch.nonzero` gives them),
/// so that each segment is one stretch of every shard and nothing need be merged: a block of firings for each shard, and the posting lists
/// of a segment take their features from one block each. The survey finds the stretches. A shard in another order is sorted into segments
/// first, in a file without a name (12 bytes a firing), and into order when its segment is read.
///
/// Memory: for each segment in work some 30 bytes a firing (65,536 tokens at 64 firings: 126 MB); 8 bytes for each shard and segment. 640 million
/// firings of 10 million tokens are 153 such segments.
final class DelphiCache: @unchecked Sendable {
    let folder: DelphiFolder
    let tokens: DelphiTokens
    /// Whole sequences of each segment.
    let sequencesPerSegment: Int
    private let shards: [DelphiShard]
    /// Of each shard, where the rows of each segment begin, and their end.
    private var starts: [[Int]] = []
    private var sorted: [SortedShard?] = []
    private(set) var survey = Survey()

    struct Survey {
        var firings = 0
        /// Below 0, which a catalogue does not hold, and 0.
        var negative = 0
        var zero = 0
    }

    static let rowsPerRead = 1 << 16
    static let segmentTokens = 1 << 16

    var segments: Int { (tokens.sequences + sequencesPerSegment - 1) / sequencesPerSegment }
    /// Of locations and activations.
    var bytes: Int { shards.reduce(0) { $0 + $1.bytes } }

    /// Opens all shards and compares their tokens.
    init(_ folder: DelphiFolder, segmentTokens: Int = DelphiCache.segmentTokens) throws {
        self.folder = folder
        shards = try folder.shards.map { try DelphiShard($0.path, latents: $0.latents) }
        guard let first = shards.lazy.compactMap(\.tokens).first else {
            throw MonosemeError("no shard in \(quoted("\(folder.path)/latents/\(folder.module)", limit: 400)) holds the tensor \"tokens\"", hint: "write the cache again with save_tokens: without tokens there are only numbers")
        }
        tokens = first
        for shard in shards {
            guard let other = shard.tokens else { continue }
            guard other.tensor.shape == first.tensor.shape else {
                throw MonosemeError("\(quoted(other.path, limit: 400)) has tokens of shape \(other.tensor.shape), and \(quoted(first.path, limit: 400)) of \(first.tensor.shape)", hint: "these are shards of different caches")
            }
            if let place = try first.difference(from: other) {
                throw MonosemeError("\(quoted(other.path, limit: 400)) and \(quoted(first.path, limit: 400)) differ in token \(place % first.context) of sequence \(place / first.context)", hint: "these are shards of different caches")
            }
        }
        sequencesPerSegment = max(1, segmentTokens / first.context)
    }

    // MARK: First pass

    /// Looks at every row once: whether it is sound, in what order rows come, and how many each segment has.
    /// - Throws: naming the shard and row that is out of range, repeated, or no number.
    func look(report: (Int) -> Void) throws {
        var buffer = FiringBuffer(), done = 0
        for shard in shards {
            var counts = [Int](repeating: 0, count: segments), tally = kernel_locations_tally()
            tally.first_wrong = Int(bitPattern: UInt.max)
            for start in stride(from: 0, to: shard.rows, by: DelphiCache.rowsPerRead) {
                let range = start..<min(shard.rows, start + DelphiCache.rowsPerRead)
                try shard.read(range, tokens, into: &buffer)
                kernel_locations_survey(buffer.positions, buffer.latents, buffer.values, buffer.count, UInt32(sequencesPerSegment * tokens.context), &counts, &tally)
                if tally.not_finite + tally.repeats > 0 { throw try wrong(row: tally.first_wrong, of: shard) }
                shard.release(range)
                done += range.count * shard.bytes / max(1, shard.rows)
                report(done)
            }
            survey.firings += shard.rows - tally.negative - tally.zero
            survey.negative += tally.negative
            survey.zero += tally.zero
            starts.append(counts.reduce(into: [0]) { $0.append($0.last! + $1) })
            sorted.append(tally.descents == 0 ? nil : try sort(shard, starts.last!))
        }
    }

    private func wrong(row: Int, of shard: DelphiShard) throws -> MonosemeError {
        var buffer = FiringBuffer()
        try shard.read(row..<row + 1, tokens, into: &buffer)
        return wrong(buffer.positions[0], buffer.latents[0], value: buffer.values[0], of: shard)
    }

    private func wrong(_ position: UInt32, _ latent: UInt32, value: Float, of shard: DelphiShard) -> MonosemeError {
        let place = "token \(Int(position) % tokens.context) of sequence \(Int(position) / tokens.context)"
        return MonosemeError("\(quoted(shard.path, limit: 400)): latent \(shard.latents.lowerBound + Int(latent)) \(value.isFinite ? "has two activations" : "has the activation \(value)") at \(place)",
                             hint: value.isFinite ? "the file holds rows twice: write the cache again" : "activations must be numbers: write the cache again, as float32 if they are beyond the range of float16")
    }

    /// Copies a shard's rows to the places of their segments.
    private func sort(_ shard: DelphiShard, _ starts: [Int]) throws -> SortedShard {
        let target = try SortedShard(rows: shard.rows)
        var next = starts, buffer = FiringBuffer()
        let segment = sequencesPerSegment * tokens.context
        for start in stride(from: 0, to: shard.rows, by: DelphiCache.rowsPerRead) {
            let range = start..<min(shard.rows, start + DelphiCache.rowsPerRead)
            try shard.read(range, tokens, into: &buffer)
            for row in 0..<buffer.count {
                let at = Int(buffer.positions[row]) / segment
                target.positions[next[at]] = buffer.positions[row]
                target.latents[next[at]] = buffer.latents[row]
                target.values[next[at]] = buffer.values[row]
                next[at] += 1
            }
            shard.release(range)
        }
        return target
    }

    // MARK: Second pass

    /// The sequences of a segment.
    func sequences(of segment: Int) -> Range<Int> { segment * sequencesPerSegment..<min(tokens.sequences, (segment + 1) * sequencesPerSegment) }

    /// Bytes of the shards that a segment's rows take.
    func bytes(of segment: Int) -> Int {
        shards.indices.reduce(0) { $0 + (starts[$1][segment + 1] - starts[$1][segment]) * (shards[$1].bytes / max(1, shards[$1].rows)) }
    }

    /// What fires in a segment: a block for each shard. Safe from several threads, each with a segment of its own.
    func blocks(of segment: Int) throws -> [FiringBlock] {
        let sequences = sequences(of: segment), count = sequences.count * tokens.context, first = UInt32(sequences.lowerBound * tokens.context)
        let positions = (0..<UInt32(count)).map { $0 }
        var buffer = FiringBuffer(), scratch = FiringBuffer()
        return try shards.indices.compactMap { place in
            let shard = shards[place], rows = starts[place][segment]..<starts[place][segment + 1]
            guard !rows.isEmpty else { return nil }
            if let sorted = sorted[place] {
                sorted.read(rows, into: &buffer)
                try order(&buffer, &scratch, first: first, tokens: count, of: shard)
            } else {
                try shard.read(rows, tokens, into: &buffer)
                shard.release(rows)
            }
            var offsets = [Int](repeating: 0, count: count + 1), found = 0
            var values: [Float] = []
            let features = [UInt32](unsafeUninitializedCapacity: buffer.count) { features, initialized in
                values = [Float](unsafeUninitializedCapacity: buffer.count) { values, initialized in
                    found = kernel_locations_by_token(buffer.positions, buffer.latents, buffer.values, buffer.count, first, count, UInt32(shard.latents.lowerBound), &offsets, features.baseAddress, values.baseAddress)
                    initialized = found
                }
                initialized = found
            }
            return FiringBlock(offsets: offsets, features: features, values: values, positionOfRow: positions)
        }
    }

    /// Brings the rows of one segment into order, by latent and then, keeping that, by position.
    private func order(_ rows: inout FiringBuffer, _ scratch: inout FiringBuffer, first: UInt32, tokens count: Int, of shard: DelphiShard) throws {
        func pass(_ from: FiringBuffer, _ to: inout FiringBuffer, _ keys: [UInt32], base: UInt32, count keyCount: Int) {
            to.reserve(from.count)
            var starts = [Int](repeating: 0, count: keyCount + 1)
            for row in 0..<from.count { starts[Int(keys[row] - base) + 1] += 1 }
            for key in 1..<starts.count { starts[key] += starts[key - 1] }
            kernel_locations_scatter(keys, base, from.count, &starts, from.positions, from.latents, from.values, &to.positions, &to.latents, &to.values)
            to.count = from.count
        }
        pass(rows, &scratch, rows.latents, base: 0, count: shard.latents.count)
        pass(scratch, &rows, scratch.positions, base: first, count: count)
        for row in stride(from: 1, to: rows.count, by: 1) where rows.positions[row] == rows.positions[row - 1] && rows.latents[row] == rows.latents[row - 1] {
            throw wrong(rows.positions[row], rows.latents[row], value: rows.values[row], of: shard)
        }
    }
}

/// Rows in a file that has no name and goes with this object: three arrays, each in order of segments.
private final class SortedShard: @unchecked Sendable {
    let positions, latents: UnsafeMutablePointer<UInt32>
    let values: UnsafeMutablePointer<Float>
    private let start: UnsafeMutableRawPointer
    private let bytes: Int

    init(rows: Int) throws {
        bytes = max(1, rows * 12)
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array((folder + "/monoseme-import-XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw MonosemeError("cannot write to \(quoted(folder, limit: 400)): \(String(cString: strerror(errno)))", hint: "name a folder that you may write to with TMPDIR") }
        defer { close(descriptor) }
        unlink(template)
        // Room is asked for at once: a full disk met in the middle of mapped memory would end the process.
        let problem = posix_fallocate(descriptor, 0, bytes)
        guard problem == 0 else {
            throw MonosemeError("\(quoted(folder, limit: 400)) has no room for \(bytes) bytes: \(String(cString: strerror(problem)))", hint: "a cache that is not in order of sequences is sorted there: make room, or name another folder with TMPDIR")
        }
        guard let start = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
            throw MonosemeError("cannot map \(bytes) bytes of a file in \(quoted(folder, limit: 400)): \(String(cString: strerror(errno)))")
        }
        self.start = start
        positions = start.bindMemory(to: UInt32.self, capacity: rows)
        latents = (start + rows * 4).bindMemory(to: UInt32.self, capacity: rows)
        values = (start + rows * 8).bindMemory(to: Float.self, capacity: rows)
    }

    deinit { munmap(start, bytes) }

    func read(_ rows: Range<Int>, into buffer: inout FiringBuffer) {
        buffer.reserve(rows.count)
        buffer.positions.withUnsafeMutableBufferPointer { $0.baseAddress!.update(from: positions + rows.lowerBound, count: rows.count) }
        buffer.latents.withUnsafeMutableBufferPointer { $0.baseAddress!.update(from: latents + rows.lowerBound, count: rows.count) }
        buffer.values.withUnsafeMutableBufferPointer { $0.baseAddress!.update(from: values + rows.lowerBound, count: rows.count) }
        buffer.count = rows.count
    }
}
