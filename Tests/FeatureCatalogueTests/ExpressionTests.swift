import Diagnostics
@testable import FeatureCatalogue
import Foundation
import Numerics
import Testing

struct ExpressionTests {
    private static let hint = "such as \"A/1/10 - A/1/11 + 0.5 * A/1/12\", with spaces around + and -"

    @Test(arguments: [
        ("A/1/10", [(1, "A/1/10")]), ("A/1/10 - A/1/11 + A/1/12", [(1, "A/1/10"), (-1, "A/1/11"), (1, "A/1/12")]),
        ("0.5 * A/1/10 + A/1/11 * 2e1", [(0.5, "A/1/10"), (20, "A/1/11")]), ("-0.5*A/1/10", [(-0.5, "A/1/10")]), ("- A/1/10 - - 2 * A/1/1", nil),
        ("- A/1/10 + .5 * A/1/1", [(-1, "A/1/10"), (0.5, "A/1/1")]), ("2 * 3 * A/1/1", [(6, "A/1/1")]), ("(1 - 3) * A/1/1", [(-2, "A/1/1")]),
        ("2*(A/1/1 - (A/1/2 + A/1/3)*0.5)", [(2, "A/1/1"), (-1, "A/1/2"), (-1, "A/1/3")]), ("A/1/1 + A/1/1", [(1, "A/1/1"), (1, "A/1/1")]),
        // Names that hold the signs: without spaces they are one word.
        ("A+B/1-2/10 + -x:y/1e5/7", [(1, "A+B/1-2/10"), (1, "-x:y/1e5/7")]), ("1/2/3 - 4/5/6", [(1, "1/2/3"), (-1, "4/5/6")]), ("1e3/0/5 * 1e3", [(1000, "1e3/0/5")]),
        ("\t A/1/1\n+\u{a0}A/1/2 ", [(1, "A/1/1"), (1, "A/1/2")]),
    ] as [(String, [(Double, String)]?)])
    func `a sum is read as weights and features`(text: String, terms: [(Double, String)]?) throws {
        guard let terms else { #expect(throws: MonosemeError.self) { try FeatureExpression(parsing: text) }; return }
        #expect(try FeatureExpression(parsing: text).terms == terms.map { .init(weight: $0.0, feature: try FeatureName(parsing: $0.1)) })
    }

    @Test(arguments: [
        ("", "it is empty", hint), ("A/1/10-A/1/11", "\"A/1/10-A/1/11\" is neither a feature's name nor a number", hint), ("A/1/10 A/1/11", "+, - or * is missing before \"A/1/11\"", hint),
        ("A/1/10 +", "it ends where a feature or a number should follow", hint), ("+ A/1/10", "a feature or a number is missing before +", hint),
        ("A/1/10 * A/1/11", "two features are multiplied", "features can be added, subtracted and weighted by numbers"), ("A/1/10 + 1", "a number stands where a feature belongs", "a number is a weight: 0.5 * A/1/10"),
        ("2 * 3", "it names no feature", hint), ("(A/1/10", "a ) is missing", hint), ("A/1/10)", "a ) closes nothing", hint), ("()", "a feature or a number is missing before )", hint),
        ("nan * A/1/1", "\"nan\" is neither a feature's name nor a number", hint), ("inf * A/1/1", "\"inf\" is neither a feature's name nor a number", hint), ("0x1 * A/1/1", "\"0x1\" is neither a feature's name nor a number", hint),
        ("1e999 * A/1/1", "\"1e999\" is too large", hint), ("1e200 * 1e200 * A/1/1", "a weight is too large", hint), ("A/1 + A/1/2", "\"A/1\" is neither a feature's name nor a number", hint),
        ("A/1/1; DROP TABLE label", "+, - or * is missing before \"DROP\"", nil),
    ] as [(String, String, String?)])
    func `a sum that is none says which word is wrong`(text: String, problem: String, hint: String?) {
        let found = failure { _ = try FeatureExpression(parsing: text) }
        if let hint { #expect(found == MonosemeError("\(quoted(text, limit: 200)): \(problem)", hint: hint)) } else { #expect(found?.message.contains("\"A/1/1;\" is neither") == true) }
    }

    @Test func `brackets within brackets end before the stack does`() {
        let deep = String(repeating: "(", count: 100_000) + "A/1/1"
        #expect(failure { _ = try FeatureExpression(parsing: deep) }?.message.hasSuffix("more than 64 brackets within one another") == true)
        #expect(throws: Never.self) { try FeatureExpression(parsing: String(repeating: "(", count: 64) + "A/1/1" + String(repeating: ")", count: 64)) }
    }

    /// A/0 and A/1 of one model and hook, H/0 of another hook, B/0 of another model; rows are the axes and (0.6, 0.8).
    private func catalogue() throws -> Catalogue {
        let catalogue = try Catalogue(path: ":memory:", for: .ingesting)
        try catalogue.connection.transaction {
            let tokenizer = try catalogue.register(tokenizer: "t", vocabulary: 2) { [UInt8($0)] }
            for (name, weights, hook) in [("A/0", "m", "blocks.0.mlp.hook_post"), ("A/1", "m", "blocks.0.mlp.hook_post"), ("H/0", "m", "blocks.0.hook_resid_post"), ("B/0", "n", "blocks.0.mlp.hook_post")] {
                let model = try catalogue.register(ModelDescription(name: weights, architecture: "a", layers: 1, width: 1, mlpWidth: 1, vocabulary: 2, contextLength: 1, weightsSHA256: weights), tokenizer: tokenizer)
                _ = try catalogue.register(DictionaryDescription(name: try DictionaryName(parsing: name), hook: hook, architecture: "standard", settings: "{}", weightsSHA256: name), model: model,
                                           decoder: Matrix(rows: 5, columns: 2, [1, 0, 0, 1, 0.6, 0.8, 0, 0, 0, 1]), norms: [1, 1, 1, 0, 1], scales: [1, 1, 1, 1, 1], encoderDecoderCosines: [0, 0, 0, 0, 0])
            }
        }
        return catalogue
    }

    @Test(arguments: [
        ("A/0/2", [0.6, 0.8], [2]), ("A/0/0 + A/0/1", [1, 1], [0, 1]), ("3 * A/0/0 - 4 * A/0/1", [3, -4], [0, 1]), ("A/0/2 - 0.6 * A/1/0", [0, 0.8], [2]), ("A/1/0 - A/1/1", [1, -1], []),
        ("1e300 * A/0/0 + 1e300 * A/0/1", [1, 1], [0, 1]), ("1e-300 * A/0/0", [1, 0], [0]), ("-1 * A/0/2", [-0.6, -0.8], [2]),
    ] as [(String, [Double], Set<Int>)])
    func `the direction is the weighted sum of unit rows, and terms of the target are named`(text: String, direction: [Double], named: Set<Int>) throws {
        let catalogue = try catalogue()
        let found = try catalogue.direction(of: FeatureExpression(parsing: text), in: try catalogue.dictionary(named: DictionaryName(parsing: "A/0")))
        let (length, own) = (hypot(direction[0], direction[1]), hypot(Double(found.vector[0]), Double(found.vector[1])))
        for axis in 0..<2 { #expect(abs(Double(found.vector[axis]) / own - direction[axis] / length) < 1e-6) }
        #expect(found.named == named)
    }

    @Test(arguments: [
        ("A/0/0 - A/0/0", "the terms cancel each other out: their sum points nowhere"), ("0.1 * A/0/0 + 0.2 * A/0/0 - 0.3 * A/0/0", "the terms cancel each other out: their sum points nowhere"),
        ("A/0/1 - A/0/4", "the terms cancel each other out: their sum points nowhere"), ("0 * A/0/0", "every weight is zero: the sum points nowhere"),
        ("A/0/0 + A/0/3", "the decoder vector of A/0/3 is zero: it points nowhere"), ("A/0/0 + A/0/5", "there is no feature \"A/0/5\": A/0 has 5 features"),
        ("A/0/0 + A/9/0", "no dictionary \"A/9\" in \":memory:\""), ("A/0/0 + B/0/0", "B/0 and A/0 belong to different models: the cosine of their decoder vectors means nothing"),
        ("A/0/0 - H/0/0", "H/0 reads blocks.0.hook_resid_post and A/0 reads blocks.0.mlp.hook_post: the cosine of their decoder vectors means nothing"),
        ("B/0/0", "B/0 and A/0 belong to different models: the cosine of their decoder vectors means nothing"),
    ])
    func `a sum without a direction in the dictionary's space is refused with the reason`(text: String, message: String) throws {
        let catalogue = try catalogue(), target = try catalogue.dictionary(named: DictionaryName(parsing: "A/0"))
        #expect(failure { _ = try catalogue.direction(of: FeatureExpression(parsing: text), in: target) }?.message == message)
    }
}
