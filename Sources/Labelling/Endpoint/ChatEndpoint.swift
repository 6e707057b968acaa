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
    /// Of the first choice's message; empty where it has none.
    public var content: String
    /// As the endpoint metered them; `nil` where it does not say.
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// Of the prompt's tokens, those that the endpoint had at hand and charges less for.
    public var cachedTokens: Int?
    /// Why it ended: `stop`, or `length` where it was cut at the most tokens that it may have.
    public var finishReason: String?

    public init(content: String, promptTokens: Int?, completionTokens: Int?, cachedTokens: Int? = nil, finishReason: String? = nil) {
        (self.content, self.promptTokens, self.completionTokens, self.cachedTokens, self.finishReason) = (content, promptTokens, completionTokens, cachedTokens, finishReason)
    }
}

/// Why there is no answer, in words for the person at the keyboard.
public struct ChatFailure: Error, Sendable, Equatable {
    public var message: String
    public var hint: String?
    /// It may go better the next time: too many requests, a server in trouble, a connection that was cut.
    public var isTransient: Bool
    /// Seconds that the endpoint asked to wait.
    public var retryAfter: Double?
    /// The question had been sent, so that the answer that did not come may be on the bill.
    public var mayBePaid: Bool

    public init(_ message: String, hint: String? = nil, isTransient: Bool = false, retryAfter: Double? = nil, mayBePaid: Bool = false) {
        (self.message, self.hint, self.isTransient, self.retryAfter, self.mayBePaid) = (message, hint, isTransient, retryAfter, mayBePaid)
    }
}

/// Whoever answers questions: a server, or a test's own.
public protocol ChatEndpoint: Sendable {
    /// Where it is, without user, key and query: for the ledger and for messages.
    var location: String { get }
    /// Asks once. May be called from several threads at once.
    /// - Parameter stop: asked now and then; when it says yes, the call ends soon.
    /// - Throws: `ChatFailure` when there is no answer; `AskingStopped`.
    func answer(to request: ChatRequest, stop: @Sendable () -> Bool) throws -> ChatAnswer
}

/// The person at the keyboard wants no more; what was answered is kept.
public struct AskingStopped: Error, Sendable, Equatable { public init() {} }
