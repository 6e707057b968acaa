import FeatureCatalogue
import Testing
@testable import Publishing

@Suite struct PieceLineTests {
    private struct Failure: Error, Equatable { let piece: Int }

    /// What is passed on, by threads that begin pieces as they can.
    private func passed(threads: Int, making: Int?, passing: Int?) -> (pieces: [Int], failure: Failure?) {
        nonisolated(unsafe) var pieces: [Int] = []
        let line = PieceLine(200, ahead: 4) { piece, made in
            if piece == passing { throw Failure(piece: piece) }
            pieces.append(made == [[UInt8(piece)]] ? piece : -1)
        }
        forEachOnThreads(threads, threads: threads) { _, _ in
            while let piece = line.next() { line.add(piece, Result { if piece == making { throw Failure(piece: piece) }; return [[UInt8(piece)]] }) }
        }
        return (pieces, line.failure as? Failure)
    }

    @Test(arguments: [1, 2, 5])
    func `pieces come in order, and what fails ends the line in its place`(threads: Int) {
        let whole = passed(threads: threads, making: nil, passing: nil)
        #expect(whole.pieces == Array(0..<200) && whole.failure == nil)
        let unmade = passed(threads: threads, making: 57, passing: 90)
        #expect(unmade.pieces == Array(0..<57) && unmade.failure == Failure(piece: 57))
        let unpassed = passed(threads: threads, making: 120, passing: 31)
        #expect(unpassed.pieces == Array(0..<31) && unpassed.failure == Failure(piece: 31))
    }
}
