/// One message of a conversation with a language model.
public struct ChatMessage: Sendable, Equatable {
    public enum Role: String, Sendable { case system, user, assistant }

    public let role: Role
    public let content: String

    public init(_ role: Role, _ content: String) { (self.role, self.content) = (role, content) }
}

/// A question in the form of the OpenAI chat-completions protocol.
public struct ChatRequest: Sendable, Equatable {
    public var model: String
    public var messages: [ChatMessage]
    public var temperature: Double
    /// The most tokens that the answer may have.
    public var maximumTokens: Int
    public var seed: Int?

    public init(model: String, messages: [ChatMessage], temperature: Double = 0, maximumTokens: Int, seed: Int? = nil) {
        (self.model, self.messages, self.temperature, self.maximumTokens, self.seed) = (model, messages, temperature, maximumTokens, seed)
    }
}

/// What a language model said.
public struct ChatAnswer: Sendable, Equatable {
    /// Of the first choice's message.
    public var content: String
    /// As the endpoint metered them; `nil` where it does not say.
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// Times that it was asked, with the one that was answered.
    public var attempts = 1

    public init(content: String, promptTokens: Int?, completionTokens: Int?) { (self.content, self.promptTokens, self.completionTokens) = (content, promptTokens, completionTokens) }
}

/// Whoever answers questions: a server, or a test's own.
public protocol ChatEndpoint: Sendable {
    /// Where it is, without user, key and query: for the ledger and for messages.
    var location: String { get }
    /// May be called from several threads at once.
    /// - Throws: `MonosemeError` when there is no answer, whatever was tried.
    func answer(to request: ChatRequest) throws -> ChatAnswer
}
