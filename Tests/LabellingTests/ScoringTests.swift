import FeatureCatalogue
import Formats
import Foundation
@testable import Labelling
import Numerics
import Testing

struct ScoringTests {
    @Test(arguments: [
        ("[1,0,1]", [true, false, true]), (" [1, 0, 1] ", [true, false, true]), ("```json\n[1,0,1]\n```", [true, false, true]), ("The answer is [1, 0, 1].", [true, false, true]), ("{\"answers\": [1,0,1]}", [true, false, true]),
        ("[true,false,true]", [true, false, true]), ("[\"1\",\"0\",\"1\"]", [true, false, true]), ("<think>[0,0,0]</think>[1,0,1]", [true, false, true]), ("[text 1] [0,0,0] no: [1,0,1]", [true, false, true]),
        ("[1,0]", nil), ("[1,0,1,1]", nil), ("[1,0,2]", nil), ("1 0 1", nil), ("", nil), ("[[1,0,1]]", nil), ("[1,0,1", nil), ("<think>[1,0,1]", nil), (String(repeating: "[", count: 100_000), nil),
    ] as [(String, [Bool]?)])
    func `Lists of verdicts are read, and lists of another length are none`(_ answer: String, _ verdicts: [Bool]?) { #expect(Detection.verdicts(answer, 3) == verdicts) }

    @Test(arguments: [
        ("[0,9,3]", [0, 9, 3]), ("[0, 9.0, 2.6]", [0, 9, 3]), ("[[\"a\",0],[\"b\",9],[\"c\",3]]", [0, 9, 3]), ("[0,10,3]", [0, 9, 3]), ("[0,11,3]", nil), ("[0,-1,3]", nil), ("[0,9]", nil), ("[0,\"x\",3]", nil), ("[0,1e99,3]", nil),
    ] as [(String, [Int]?)])
    func `Strengths are read`(_ answer: String, _ strengths: [Int]?) { #expect(Simulation.strengths(answer, 3) == strengths) }

    @Test func `Balanced accuracy is half the sum of two rates, with Newcombe's interval`() {
        func judged(_ truePositives: Int, _ falseNegatives: Int, _ trueNegatives: Int, _ falsePositives: Int, unanswered: Int = 0) -> ScoreValue {
            let parts: [(Int, Bool, Bool?)] = [(truePositives, true, true), (falseNegatives, true, false), (trueNegatives, false, false), (falsePositives, false, true), (unanswered, true, nil), (unanswered, false, nil)]
            return .balancedAccuracy(parts.flatMap { count, isTrue, verdict in (0..<count).map { _ in LabelJudgement(firstPosition: nil, isTrue: isTrue, verdict: verdict) } })
        }
        #expect(judged(17, 3, 14, 6, unanswered: 5).value == (17.0 / 20 + 14.0 / 20) / 2)
        #expect(judged(3, 1, 0, 0).value == nil)
        // Wilson's formula, reckoned in Python.
        let a = ScoreValue.wilson(17, of: 20), b = ScoreValue.wilson(14, of: 20)
        #expect(abs(a.lowerBound - 0.63958) < 1e-4 && abs(a.upperBound - 0.94763) < 1e-4 && abs(b.lowerBound - 0.48103) < 1e-4 && abs(b.upperBound - 0.85452) < 1e-4)
        let interval = judged(17, 3, 14, 6).interval!
        #expect(abs(interval.lowerBound - (1.55 - (pow(0.85 - 0.63958, 2) + pow(0.7 - 0.48103, 2)).squareRoot()) / 2) < 1e-4)
        #expect(abs(interval.upperBound - (1.55 + (pow(0.94763 - 0.85, 2) + pow(0.85452 - 0.7, 2)).squareRoot()) / 2) < 1e-4)
        #expect(judged(20, 0, 20, 0).interval!.upperBound == 1 && judged(0, 20, 0, 20).interval!.lowerBound == 0)
    }

    @Test func `The interval of a balanced accuracy covers the truth as often as it says`() {
        var random = SeededGenerator(seed: 5), covered = 0
        for _ in 0..<2000 {
            let judgements = (0..<40).map { place in
                let isTrue = place < 20
                return LabelJudgement(firstPosition: nil, isTrue: isTrue, verdict: random.uniform() < (isTrue ? 0.85 : 0.3))
            }
            if ScoreValue.balancedAccuracy(judgements).interval!.contains(0.775) { covered += 1 }
        }
        #expect((1860...1960).contains(covered), "\(covered) of 2000")
    }

    @Test func `Correlation is Pearson's over all tokens, nothing said is worth nothing, and the interval is by windows`() {
        let windows: [(predicted: [Int], activations: [Float])] = [([0, 9, 0, 1], [0, 4, 0, 0]), ([0, 0, 5, 5], [0, 1, 3, 0]), ([2, 0, 0, 8], [0, 0, 0, 5])]
        // By the definition, in two passes.
        let x = windows.flatMap(\.predicted).map(Double.init), y = windows.flatMap(\.activations).map(Double.init)
        let mx = x.reduce(0, +) / 12, my = y.reduce(0, +) / 12
        let expected = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) } / (x.reduce(0) { $0 + pow($1 - mx, 2) } * y.reduce(0) { $0 + pow($1 - my, 2) }).squareRoot()
        let score = ScoreValue.correlation(windows)
        #expect(abs(score.value! - expected) < 1e-12 && score.interval!.contains(score.value!) && score.interval!.upperBound <= 1)
        #expect(ScoreValue.correlation([([0, 0], [1, 2])]).value == 0)
        #expect(ScoreValue.correlation([([1, 2], [0, 0])]).value == nil && ScoreValue.correlation([]).value == nil)
        #expect(ScoreValue.correlation([([0, 3], [0, 1]), ([0, 9], [0, 3]), ([0, 0], [0, 0])]).value == 1)
    }

    @Test func `Wrong marks are as many as right ones, on silent tokens, and a window is asked about once in a call`() {
        let examples = (0..<13).map { number in
            Example(firstPosition: number * 32, tokens: 10, kind: .interval, pieces: (0..<10).map { .init(" \($0)", $0 <= number % 11 && number < 12 || number == 12 ? 2 : 0) })
        }
        var random = SeededGenerator(seed: 1)
        let sheet = ScoreSheet(.fuzzing, Drawn(examples: examples, activeWindows: 13, knowsSilence: true), &random)
        let items = sheet.batches.flatMap { $0 }
        for batch in sheet.batches { #expect(Set(batch.map(\.example.firstPosition)).count == batch.count && batch.count <= 5) }
        #expect(items.count { $0.isTrue } == 13)
        // Where it fires on every token there is nothing to mark by chance: numbers 9, 10 and 12.
        #expect(items.count { !$0.isTrue } == 10)
        for item in items {
            let active = item.example.pieces.indices.filter { item.example.pieces[$0].activation > 0 }
            if item.isTrue { #expect(item.marks == active) } else { #expect(item.marks.count == min(active.count, 10 - active.count) && Set(item.marks).isDisjoint(with: active)) }
        }
    }
}
