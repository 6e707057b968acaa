import Formats

/// An honest judge that errs as often as it is told to, and always on the same texts.
public struct FallibleJudge: Sendable {
    /// Of what is so, the share that it calls so.
    public let sensitivity: Double
    /// Of what is not so, the share that it calls not so.
    public let specificity: Double
    public let seed: Int

    public init(sensitivity: Double, specificity: Double, seed: Int = 0) { (self.sensitivity, self.specificity, self.seed) = (sensitivity, specificity, seed) }

    /// What it says to a conversation of `label auto` or `label score`. Names and predicted activations are the honest judge's.
    public func answer(to messages: [(role: String, content: String)]) -> String {
        let honest = HonestJudge.answer(to: messages)
        guard let verdicts = (try? JSON(parsing: honest))?.array?.map(\.integer), messages.first?.content.contains("Predict for each token") == false else { return honest }
        let texts = (messages.last?.content ?? "").split(separator: "\n").dropFirst()
        guard texts.count == verdicts.count else { return honest }
        return "[" + zip(verdicts, texts).map { verdict, text in
            let isTrue = verdict == 1, errs = share(of: String(text)) >= (isTrue ? sensitivity : specificity)
            return isTrue != errs ? "1" : "0"
        }.joined(separator: ",") + "]"
    }

    /// A number in 0 ..< 1 that follows from the text and the seed.
    private func share(of text: String) -> Double {
        var hash = SHA256()
        hash.update("\(seed) \(text)")
        return Double(hash.finalize().prefix(4).reduce(0) { $0 << 8 | UInt32($1) }) / 4_294_967_296
    }
}
