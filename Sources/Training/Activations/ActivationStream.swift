import Diagnostics
public import Formats
import LinearAlgebra
public import Numerics

/// A source's rows in batches, shuffled within a bounded buffer, for as long as they are asked for.
///
/// The buffer holds one chunk: the rows the source gives next until there are `bufferRows`. Its rows are served in an
/// order drawn from the seed, the pass and the chunk's number, each once; then the next chunk takes its place. A batch
/// may take its first rows from one chunk and the others from the next. Where the source ends it is begun again, as the
/// next pass, in another order.
///
/// A chunk is made when the one before is used up, by all threads at once. Making it behind a training step would need
/// memory for two and take from the step the processors it gains. Rows stay where they were written: the order is
/// applied as batches are gathered, so that shuffling costs one pass over memory.
///
/// The same source, seed, `bufferRows` and batch size give the same batches bit by bit, with any number of threads and
/// from wherever a run is resumed.
public final class ActivationStream {
    public let source: any ActivationSource
    /// The batch that `advance` fetched (batchSize × width).
    public let batch: Matrix
    /// Rows at which a chunk is full; it may exceed them by the source's `overshoot`.
    public let bufferRows: Int
    private let seed: UInt64
    private let threads: Int
    /// (bufferRows + overshoot × width); pages that are not written take no memory.
    private let chunk: Matrix
    /// The chunk's rows in the order in which they are served; empty before the first.
    private var order: [UInt32] = []
    private var place: State

    /// Where a stream stands between two batches; all it takes to go on from there.
    public struct State: Sendable, Equatable {
        /// Passes completed before this one.
        public var pass = 0
        /// The chunk's number in the pass.
        public var chunk = 0
        /// Where the chunk begins in the source.
        public var position = ActivationPosition.start
        /// Rows of the chunk that have been served.
        public var offset = 0

        public init() {}
    }

    /// Bytes of a chunk, where nobody says how many rows it is to hold: 262,144 rows of 512 numbers. The more, the nearer the order comes to a
    /// shuffle of everything, and the better the dictionary: with 600,000 rows the fixtures' A/1 explains half a per cent more than with 131,072.
    public static let bufferBytes = 1 << 29

    /// - Parameters:
    ///   - bufferRows: `nil`: as many as `bufferBytes` hold, but a batch at least, and no more than there are.
    ///   - state: what `state` told once; a chunk that was in use is read (or computed) anew, nothing before it.
    /// - Throws: `MonosemeError` where the source cannot go to that place.
    public init(_ source: any ActivationSource, batchSize: Int, bufferRows: Int? = nil, seed: UInt64, threads: Int, from state: State = State()) throws {
        precondition(batchSize > 0 && (bufferRows ?? 1) > 0)
        var rows = bufferRows ?? max(batchSize, ActivationStream.bufferBytes / (source.width * MemoryLayout<Float>.stride))
        if case .exactly(let all) = source.rowCount { rows = max(1, min(rows, all)) }
        guard case let (size, overflow) = rows.addingReportingOverflow(source.overshoot), !overflow, size <= Int(UInt32.max), !size.multipliedReportingOverflow(by: source.width * 4).overflow else {
            throw MonosemeError("a buffer of \(rows) rows is more than can be held", hint: "choose a smaller buffer")
        }
        (self.source, self.bufferRows, self.seed, self.threads, place) = (source, rows, seed, threads, state)
        batch = Matrix(uninitializedRows: batchSize, columns: source.width)
        chunk = Matrix(uninitializedRows: rows + source.overshoot, columns: source.width)
        try source.seek(to: state.position)
    }

    /// Passes over the source that have been begun: 1 until it ends for the first time.
    public var passes: Int { place.pass + 1 }

    /// Where the stream stands: what to keep in a checkpoint.
    public var state: State { isUsedUp ? afterChunk : place }

    /// Fetches the next batch, whose memory is that of the one before.
    /// - Throws: `MonosemeError` for a source without rows, or what reading it throws.
    public func advance() throws {
        var filled = 0
        while filled < batch.rows {
            try prepareChunk()
            let count = min(batch.rows - filled, order.count - place.offset)
            gather(order[place.offset..<place.offset + count], into: batch.base + filled * batch.columns)
            place.offset += count
            filled += count
        }
    }

    /// The rows that will be served next, without taking them: as many as are asked for, or are left in the buffer.
    /// - Returns: (rows × width)
    public func sample(_ rows: Int) throws -> Matrix {
        try prepareChunk()
        let chosen = order[place.offset..<place.offset + min(rows, order.count - place.offset)]
        let sample = Matrix(uninitializedRows: chosen.count, columns: source.width)
        gather(chosen, into: sample.base)
        return sample
    }

    /// Rows of the buffer, drawn without repetition and taken from nobody: as many as are asked for, or are in it.
    ///
    /// The choice depends on the seed and the stream's place alone.
    /// - Returns: (rows × width)
    public func randomRows(_ rows: Int) throws -> Matrix {
        try prepareChunk()
        let count = min(rows, order.count)
        var generator = generator(for: .choice)
        var candidates = [UInt32](0..<UInt32(order.count))
        candidates.shuffleFirst(count, using: &generator)
        let chosen = Matrix(uninitializedRows: count, columns: source.width)
        gather(candidates[..<count], into: chosen.base)
        return chosen
    }

    // MARK: chunks

    private var isUsedUp: Bool { !order.isEmpty && place.offset == order.count }

    private var afterChunk: State {
        var state = State()
        (state.pass, state.chunk, state.position) = (place.pass, place.chunk + 1, source.position)
        return state
    }

    /// Makes sure that there is a row to serve.
    private func prepareChunk() throws {
        if isUsedUp { place = afterChunk; order = [] }
        guard order.isEmpty else { return }
        var count = try source.read(bufferRows, into: chunk.base, threads: threads)
        if count == 0, place.position != .start {
            // The end of a pass.
            let pass = place.pass + 1
            place = State()
            place.pass = pass
            try source.seek(to: .start)
            count = try source.read(bufferRows, into: chunk.base, threads: threads)
        }
        guard count > 0 else { throw source.emptiness }
        guard place.offset < count else {
            throw MonosemeError("\(source.name) has changed: \(count) rows came where there had been more than \(place.offset)", hint: "give what the run was begun with")
        }
        order = [UInt32](0..<UInt32(count))
        var generator = generator(for: .order)
        order.shuffleFirst(count, using: &generator)
    }

    private enum Use: UInt64 { case order = 1, choice }

    /// Random numbers of this chunk; for a choice, of this place in it.
    private func generator(for use: Use) -> SeededGenerator {
        var generator = SeededGenerator(seed: seed, stream: use.rawValue)
        for number in [place.pass, place.chunk] + (use == .choice ? [place.offset] : []) {
            generator = SeededGenerator(seed: generator.next() &+ UInt64(number))
        }
        return generator
    }

    /// Copies rows of the chunk to `target` in the order given.
    private func gather(_ rows: ArraySlice<UInt32>, into target: UnsafeMutablePointer<Float>) {
        let width = source.width, perPiece = 512
        nonisolated(unsafe) let from = chunk.base, target = target
        // Copying cannot fail.
        try! forEachInParallel((rows.count + perPiece - 1) / perPiece, threads: threads) { piece in
            let first = piece * perPiece
            for (at, row) in rows[rows.startIndex + first..<min(rows.endIndex, rows.startIndex + first + perPiece)].enumerated() {
                (target + (first + at) * width).update(from: from + Int(row) * width, count: width)
            }
        }
    }
}

extension [UInt32] {
    /// Puts a random choice of `count` elements, in random order, in front (Fisher and Yates).
    fileprivate mutating func shuffleFirst(_ count: Int, using generator: inout SeededGenerator) {
        for place in 0..<count { swapAt(place, place + generator.index(below: self.count - place)) }
    }
}

extension ActivationStream.State {
    /// As an object of a checkpoint's JSON.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in for (name, path) in Self.members { writer.member(name, self[keyPath: path]) } }
    }

    /// - Returns: `nil` where a member is missing or no whole number of 0 or more.
    public init?(_ json: JSON) {
        self.init()
        for (name, path) in Self.members {
            guard let number = json[name]?.integer, number >= 0 else { return nil }
            self[keyPath: path] = number
        }
    }

    private static var members: [(String, WritableKeyPath<Self, Int>)] {
        [("pass", \.pass), ("chunk", \.chunk), ("offset", \.offset), ("row", \.position.rows), ("document", \.position.documents), ("token", \.position.tokens)]
    }
}
