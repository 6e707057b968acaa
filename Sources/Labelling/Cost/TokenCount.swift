/// Counts tokens where nobody meters them: before a question is sent, and after an endpoint that does not say.
///
/// A rule and not a tokenizer, since hosted models do not show theirs: a quarter of the bytes of UTF-8, rounded up for each text, which is what
/// English text takes in byte-pair vocabularies of 50,000 to 200,000, and the separators of the conversation. Other scripts, digits and code
/// take more. The estimate and the ledger count by it alike.
public enum TokenCount {
    /// Around each message: its role and separators.
    public static let perMessage = 4
    /// At the end of the conversation, where the answer begins.
    public static let perRequest = 3

    public static func tokens(in text: String) -> Int { (text.utf8.count + 3) / 4 }

    public static func prompt(_ messages: [ChatMessage]) -> Int { messages.reduce(perRequest) { $0 + perMessage + tokens(in: $1.content) } }

    /// More than any tokenizer makes of it: vocabularies that fall back to bytes take one token a byte at worst. For the budget, which must hold.
    static func promptMaximum(_ messages: [ChatMessage]) -> Int { messages.reduce(2 * perRequest) { $0 + 2 * perMessage + $1.content.utf8.count } }
}
