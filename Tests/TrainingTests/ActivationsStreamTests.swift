import Diagnostics
import Formats
import Foundation
import Testing
import TestSupport
@testable import Training

/// Rows that hold their own numbers in two shards, as a stream.
private struct Planted: CustomTestStringConvertible {
    let rows, bufferRows, batchSize: Int
    var testDescription: String { "\(rows) rows, buffer \(bufferRows), batch \(batchSize)" }

    func with<Result>(_ body: ((_ seed: UInt64, _ threads: Int, _ state: ActivationStream.State) throws -> ActivationStream) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            let paths = ["a", "b"].map { folder.appending(path: $0).path }
            try ShardFile(rows: 0..<rows / 3).write(to: URL(filePath: paths[0]))
            try ShardFile(rows: rows / 3..<rows).write(to: URL(filePath: paths[1]))
            return try body { seed, threads, state in
                try ActivationStream(ShardActivations(paths), batchSize: batchSize, bufferRows: bufferRows, seed: seed, threads: threads, from: state)
            }
        }
    }
}

private func numbers(_ stream: ActivationStream) -> [Int] { numbers(stream.batch.base, rows: stream.batch.rows, width: 3) }

@Suite struct ActivationsStreamTests {
    fileprivate static let shapes = [
        Planted(rows: 1_000, bufferRows: 128, batchSize: 32), Planted(rows: 1_000, bufferRows: 100, batchSize: 64), Planted(rows: 97, bufferRows: 10, batchSize: 7),
        Planted(rows: 97, bufferRows: 10, batchSize: 25), Planted(rows: 50, bufferRows: 1_000, batchSize: 8), Planted(rows: 5, bufferRows: 2, batchSize: 12),
        Planted(rows: 64, bufferRows: 1, batchSize: 3), Planted(rows: 3_000, bufferRows: 2_048, batchSize: 1_024),
    ]

    @Test(arguments: shapes)
    fileprivate func `each row is served once a pass, within its chunk, in an order of its own`(shape: Planted) throws {
        let passes = 3
        let served = try shape.with { make in
            let stream = try make(1, 2, .init())
            var served: [Int] = []
            while served.count < passes * shape.rows {
                try stream.advance()
                served += numbers(stream)
                #expect(stream.passes == (served.count - 1) / shape.rows + 1)
            }
            return served
        }
        var orders: [[Int]] = []
        for pass in 0..<passes {
            for start in stride(from: 0, to: shape.rows, by: shape.bufferRows) {
                let chunk = start..<min(shape.rows, start + shape.bufferRows)
                let order = Array(served[(pass * shape.rows + chunk.lowerBound)..<(pass * shape.rows + chunk.upperBound)])
                #expect(order.sorted() == Array(chunk))
                if chunk.count >= 10 { orders.append(order.map { $0 - start }) }
            }
        }
        // With 10 rows or more, two equal orders in some thirty would be a chance of one in ten thousand.
        #expect(Set(orders).count == orders.count)
    }

    @Test(arguments: shapes)
    fileprivate func `going on from any batch gives the batches that would have come, with any number of threads`(shape: Planted) throws {
        try shape.with { make in
            let whole = try make(7, 1, .init()), count = 2 * shape.rows / shape.batchSize + 3
            var states = [whole.state], batches: [[Int]] = [], pools: [[Int]] = []
            for _ in 0..<count {
                // Drawing rows for other uses changes nothing.
                let pool = try whole.randomRows(5)
                pools.append(numbers(pool.base, rows: pool.rows, width: 3))
                try whole.advance()
                batches.append(numbers(whole))
                states.append(whole.state)
            }
            for start in 0..<count {
                var writer = JSONWriter()
                states[start].write(to: &writer)
                let stream = try make(7, 2, try #require(ActivationStream.State(JSON(parsing: writer.text))))
                for batch in start..<min(count, start + 4) {
                    if batch % 2 == 0 {
                        let pool = try stream.randomRows(5)
                        #expect(numbers(pool.base, rows: pool.rows, width: 3) == pools[batch])
                    }
                    try stream.advance()
                    #expect(numbers(stream) == batches[batch])
                    #expect(stream.state == states[batch + 1])
                }
            }
        }
    }

    @Test func `another seed gives another order`() throws {
        try Planted(rows: 100, bufferRows: 100, batchSize: 100).with { make in
            let batches = try (UInt64(0)..<50).map { seed in
                let stream = try make(seed, 1, .init())
                try stream.advance()
                return numbers(stream)
            }
            #expect(Set(batches).count == 50)
        }
    }

    @Test func `every order is as likely as every other`() throws {
        try Planted(rows: 3, bufferRows: 3, batchSize: 3).with { make in
            var counts: [[Int]: Int] = [:]
            for seed in 0..<100 {
                let stream = try make(UInt64(seed), 1, .init())
                for _ in 0..<60 { try stream.advance(); counts[numbers(stream), default: 0] += 1 }
            }
            // 1,000 of each of the 3! orders are expected, with a deviation of 29.
            #expect(counts.count == 6 && counts.values.allSatisfy { (850...1_150).contains($0) }, "\(counts)")
        }
    }

    @Test func `a sample is what will be served, and takes nothing`() throws {
        try Planted(rows: 100, bufferRows: 40, batchSize: 15).with { make in
            let stream = try make(3, 1, .init())
            // At 30 of 40 rows, ten are left; at 45 the next chunk is in use.
            for left in [40, 25, 10, 35, 20, 5, 10, 35] {
                let sample = try stream.sample(1_000), few = try stream.sample(4)
                let expected = numbers(sample.base, rows: sample.rows, width: 3)
                #expect(expected.count == left && numbers(few.base, rows: few.rows, width: 3) == Array(expected[..<4]))
                try stream.advance()
                #expect(Array(numbers(stream)[..<min(15, left)]) == Array(expected[..<min(15, left)]))
            }
        }
    }

    @Test func `random rows are rows of the buffer without repetition, and others at another place`() throws {
        try Planted(rows: 100, bufferRows: 50, batchSize: 10).with { make in
            let stream = try make(3, 2, .init())
            var choices: [[Int]] = []
            for batch in 0..<10 {
                let few = try stream.randomRows(20), all = try stream.randomRows(1_000)
                let chosen = numbers(few.base, rows: few.rows, width: 3), chunk = batch < 5 ? 0..<50 : 50..<100
                #expect(chosen.count == 20 && Set(chosen).count == 20 && chosen.allSatisfy { chunk.contains($0) })
                #expect(numbers(all.base, rows: all.rows, width: 3).sorted() == Array(chunk))
                choices.append(chosen)
                try stream.advance()
            }
            #expect(Set(choices).count == 10)
        }
    }

    @Test(arguments: [(rows: 10, width: 3, batch: 4, expected: 10), (10, 3, 40, 10), (300_000, 512, 4_096, 262_144), (70_000, 16_384, 16_384, 16_384), (70_000, 16_384, 1_024, 8_192)])
    func `a buffer holds 512 MB, a batch at least, and no more rows than there are`(rows: Int, width: Int, batch: Int, expected: Int) throws {
        let stream = try ActivationStream(Claim(rows: rows, width: width), batchSize: batch, seed: 1, threads: 1)
        #expect(stream.bufferRows == expected)
    }

    @Test(arguments: [#"{}"#, #"{"pass":0,"chunk":1,"offset":-1,"row":0,"document":0,"token":0}"#, #"{"pass":0.5,"chunk":1,"offset":1,"row":0,"document":0,"token":0}"#, "[]"])
    func `a place that was not written by a stream is none`(text: String) throws {
        #expect(ActivationStream.State(try JSON(parsing: text)) == nil)
    }

    @Test func `a place beyond the rows is refused`() throws {
        try Planted(rows: 20, bufferRows: 10, batchSize: 5).with { make in
            var state = ActivationStream.State()
            state.position.rows = 21
            #expect(throws: MonosemeError.self) { _ = try make(1, 1, state) }
            (state.position.rows, state.offset) = (15, 6)
            let stream = try make(1, 1, state)
            #expect(throws: MonosemeError.self) { try stream.advance() }
        }
    }
}

/// A source that says how large it is and holds nothing.
private final class Claim: ActivationSource {
    let name = "claim", width: Int, rowCount: ActivationCount, overshoot = 0, position = ActivationPosition.start
    init(rows: Int, width: Int) { (rowCount, self.width) = (.exactly(rows), width) }
    func fingerprint() throws -> String { "" }
    func seek(to position: ActivationPosition) throws {}
    func read(_ rows: Int, into target: UnsafeMutablePointer<Float>, threads: Int) throws -> Int { 0 }
    var emptiness: MonosemeError { MonosemeError("nothing") }
}
