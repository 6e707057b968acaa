import Diagnostics
import FeatureCatalogue
import Foundation
import LabellingSupport
import Testing
@testable import Labelling

@Suite struct EstimateTests {
    /// 100,000 features on one context of 4,096 tokens, simulated token by token: $12,500 to $25,000, for 30 to 60 dollars a million tokens of answers
    /// (as first estimated; 4.096e8 tokens make $12,288 and $24,576).
    @Test func `the estimate for simulating 100,000 features is the published one, and sparse simulation is 5,000 times cheaper`() {
        let estimate = Estimate(features: 100_000, simulatedTokens: 4096, activeFeaturesPerToken: 20)
        let low = estimate.rows(price: Price(input: 0, output: 30)), high = estimate.rows(price: Price(input: 0, output: 60))
        #expect(low.map(\.method) == ["simulation-token-by-token", "simulation-sparse"])
        #expect(low[0].workload.completionTokens == 409_600_000 && low[0].cost == 12_288 && high[0].cost == 24_576)
        #expect(abs(low[0].cost! / 12_500 - 1) < 0.02 && abs(high[0].cost! / 25_000 - 1) < 0.02)
        #expect(low[1].workload.completionTokens == 81_920 && abs(low[0].cost! / low[1].cost! - 5000) < 1e-9)
        #expect(estimate.rows(price: nil).allSatisfy { $0.cost == nil })
    }

    /// Paulo et al., 2410.13928: tokens a feature at 100 contexts (thousands, in and out; of those in, so many are the same in every call), and dollars for
    /// 100,000 features with Llama at 0.34 a million and Sonnet at 3 and 15.
    private static let published: [(method: String, input: Double, cacheable: Double, output: Double, calls: Int, llama: ClosedRange<Double>, sonnet: ClosedRange<Double>)] = [
        ("fuzzing", 19.6, 14.2, 0.249, 20, 675.5...676.5, 6150...6250),
        ("detection", 17.0, 11.9, 0.240, 20, 587.5...588.5, 5450...5550),
        ("simulation", 104.9, 0, 0.005, 100, 3550...3650, 31_450...31_550),
        ("token by token", 496.9, 0, 46.7, 100, 18_650...18_750, 219_050...219_150),
    ]

    @Test func `the shapes of questions give the published costs within their rounding`() {
        for (method, input, cacheable, output, calls, llama, sonnet) in EstimateTests.published {
            let instructions = cacheable > 0 ? cacheable * 1000 / Double(calls) : 0
            let shape = QuestionShape(examples: 100, batch: 100 / calls, instructionTokens: instructions, cacheableShare: 1, tokensPerExample: (input - cacheable) * 10, answerTokensPerExample: output * 10)
            let workload = shape.workload(features: 100_000)
            #expect(workload.calls == calls * 100_000, "\(method)")
            #expect(abs(Double(workload.promptTokens) - input * 1e8) < 1 && abs(Double(workload.cachedTokens) - cacheable * 1e8) < 1 && abs(Double(workload.completionTokens) - output * 1e8) < 1, "\(method)")
            // Tokens are given to 0.05 thousand, the price of Llama to half a cent.
            let slack = Workload(promptTokens: 5_000_000)
            func range(_ low: Price, _ high: Price) -> ClosedRange<Double> { workload.cost(low) - slack.cost(low)...workload.cost(high) + slack.cost(high) }
            #expect(range(Price(input: 0.335, output: 0.335), Price(input: 0.345, output: 0.345)).overlaps(llama), "\(method): \(workload.cost(Price(input: 0.34, output: 0.34)))")
            #expect(range(Price(input: 3, output: 15), Price(input: 3, output: 15)).overlaps(sonnet), "\(method): \(workload.cost(Price(input: 3, output: 15)))")
        }
    }

    @Test func `what is cached costs less, and a last batch need not be full`() {
        // 20 calls of 710 tokens that are all cached, 100 examples of 54 tokens, 249 tokens of answers: 5.4 · 3 + 14.2 · 0.3 + 0.249 · 15 = 24.195 thousandths of a dollar.
        let shape = QuestionShape(examples: 100, batch: 5, instructionTokens: 710, cacheableShare: 1, tokensPerExample: 54, answerTokensPerExample: 2.49)
        #expect(abs(shape.workload(features: 100_000).cost(Price(input: 3, output: 15, cachedInput: 0.3)) - 2419.5) < 1e-6)
        #expect(QuestionShape(examples: 101, batch: 5, instructionTokens: 10, tokensPerExample: 1, answerTokensPerExample: 2).workload(features: 3) == Workload(calls: 63, promptTokens: 933, completionTokens: 606))
        #expect(QuestionShape(examples: .max - 1, batch: 0, instructionTokens: .infinity, cacheableShare: .nan, tokensPerExample: -1, answerTokensPerExample: 1e300).workload(features: .max).completionTokens > 0)
        let price = Price(input: 2, output: 8, cachedInput: 0.5)
        #expect(price.cost(promptTokens: 1_000_000, cachedTokens: 400_000, completionTokens: 500_000) == 1.2 + 0.2 + 4)
        #expect(price.cost(promptTokens: 10, cachedTokens: 50, completionTokens: 0) == 5e-6 && Price(input: 2, output: 8).cost(promptTokens: 10, cachedTokens: 5, completionTokens: 0) == 2e-5)
    }

    @Test func `the server meters what was estimated, to the token`() throws {
        let texts = ["", "a", "four", "fünf!", "日本語のテキスト", String(repeating: "x", count: 4001), "\u{1F600}\n"]
        let requests = texts.map { ChatRequest(model: "m", messages: [ChatMessage(.system, "Be brief."), ChatMessage(.user, $0)], maximumTokens: 8) }
        try withStub({ _ in .answer("eight by") }) { server in
            let endpoint = try CurlEndpoint(server.url)
            for request in requests { _ = try endpoint.answer(to: request) { false } }
            let record = server.recorded
            #expect(Workload(requests, answerTokens: 2) == Workload(calls: record.answered, promptTokens: record.promptTokens, completionTokens: record.completionTokens))
        }
        // What the budget sets aside is never less, whatever the tokenizer.
        for request in requests { #expect(TokenCount.promptMaximum(request.messages) >= TokenCount.prompt(request.messages) && TokenCount.promptMaximum(request.messages) >= request.messages.reduce(0) { $0 + $1.content.utf8.count }) }
    }

    @Test func `a table of prices is read, and what is none is refused with its place`() throws {
        func table(_ text: String) throws -> PriceTable { try PriceTable(parsing: Array(text.utf8), name: "\"p.json\"") }
        let prices = try table(#"{"a/b": {"input": 2.5, "output": 10, "cached_input": 1.25}, "free": {"input": 0, "output": 0, "cached_input": null}}"#)
        #expect(try [prices.price(of: "a/b"), prices.price(of: "free")] == [Price(input: 2.5, output: 10, cachedInput: 1.25), Price(input: 0, output: 0)])
        let bad: [(String, String)] = [
            ("", "\"p.json\" is not JSON: unexpected end at byte 0"), ("[]", "\"p.json\" holds an array, not an object of models"), (#"{"a": 3}"#, "\"p.json\": the price of \"a\" is an integer, not an object"),
            (#"{"a": {"input": 3}}"#, "\"p.json\": the price of \"a\" has no output"), (#"{"a": {"input": -3, "output": 1}}"#, "\"p.json\": input of \"a\" is no price"),
            (#"{"a": {"input": "3", "output": 1}}"#, "\"p.json\": input of \"a\" is no price"), (#"{"a": {"input": 3, "output": 1, "inptu": 1}}"#, "\"p.json\": the price of \"a\" has a field \"inptu\""),
            (#"{"a": {"input": 1e300, "output": 1}}"#, "\"p.json\": input of \"a\" is no price"), (#"{"a": {}, "a": {}}"#, "\"p.json\" is not JSON: duplicate key \"a\" at byte 10"),
        ]
        for (text, message) in bad { #expect { try table(text) } throws: { ($0 as? MonosemeError)?.message == message } }
        #expect { try prices.price(of: "c") } throws: { $0 as? MonosemeError == MonosemeError("\"p.json\" has no price for the model \"c\"", hint: "it has \"a/b\", \"free\"") }
    }

    @Test func `money is shown as people write it`() {
        let cases: [(Double, String)] = [(0, "$0"), (12_288, "$12,288.00"), (1_234_567.891, "$1,234,567.89"), (1, "$1.00"), (0.2, "$0.200"), (0.144, "$0.144"), (0.064, "$0.0640"), (0.0000123, "$0.0000123"),
                                         (0.9999, "$1.00"), (0.09999, "$0.100"), (-3.5, "-$3.50"), (1e-12, "$0"), (.infinity, "$inf")]
        for (amount, text) in cases { #expect(dollars(amount) == text) }
    }
}
